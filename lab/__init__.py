"""The practice estate: a gateway over real SSH and a tenant over real TLS, both on this machine."""
