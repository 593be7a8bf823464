"""The practice tenant: a token authority and an Exchange admin API behind one TLS server."""
