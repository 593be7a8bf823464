"""SMTP on loopback with documentation addresses: a server, a client, and who listens where."""
