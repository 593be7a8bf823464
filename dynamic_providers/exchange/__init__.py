"""The Exchange side: one client of the tenant's admin API, and one room for each kind of object there."""
