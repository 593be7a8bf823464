"""Pulumi dynamic providers for both sides of the mail path: the gateway's CLI and the Exchange admin API."""
