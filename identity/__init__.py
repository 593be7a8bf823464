"""A Pulumi project of its own: the identity that the main one logs in to Microsoft 365 with.

It runs first, once for each tenant, with an administrator's login. docs/identity.md tells how.
"""
