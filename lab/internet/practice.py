"""The lab's world outside gateway and tenant: addresses (all documentation ranges), names, and keys."""

from __future__ import annotations

NAME_SERVER_ADDRESS = "203.0.113.53"
RESOLVERS = ("9.9.9.9", "1.1.1.1", "8.8.8.8")

SINK_ADDRESS = "203.0.113.80"
SINK_HOST = "mx.probe.example"
SINK_DOMAINS = ("probe.example", "bank.example", "elsewhere.example", "sender.example")
"""Domains whose mail arrives at the sink."""
IMAP_HOST = "imap.probe.example"
PROBE_MAILBOX = "probe@probe.example"
PROBE_PASSWORD = "Practice-Mailbox-5!"
"""The password of every mailbox at the sink."""

SENDER_ADDRESS = "203.0.113.90"
SENDER_HOST = "mail.sender.example"
PROBE_ADDRESS = "203.0.113.99"
"""Where the machine that runs pulumi seems to be."""
PROBE_HOST = "probe-host.example"

PRACTICE_TSIG_KEY = "m365se-lab"
PRACTICE_TSIG_ALGORITHM = "hmac-sha256"
PRACTICE_TSIG = "cHJhY3RpY2Uta2V5LW9mLXRoZS1sYWItbm90LXNlY3JldCE="

GATEWAYS = {
    "bcedemo.onmicrosoft.com": (("192.0.2.105", "198.51.100.186"),),
    "contoso.onmicrosoft.com": (("192.0.2.10", "198.51.100.10"), ("192.0.2.11", "198.51.100.11")),
    "fabrikam.onmicrosoft.com": (("192.0.2.105", "198.51.100.186"),),
}
"""The gateways (data 1, data 2) that carry a tenant's mail, by its initial domain: for SPF."""

DKIM_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmyOdIUAu/e62fcJNYJuZswgPY//WCKRo+YrTHzt4sWTUwSuQAcRR"
    "tCl1W0cd4drIElmpLCk0RowvkTFGu7NzHBInDSev8+62wmUBeQ4Z4ClFNgdcvbSsnqly0W7LF7ZOEyGhAnSrCAGsTlgMMh+y"
    "M0ufbnvfjwQo+/hV50Za5nbrQNoJ8lE1ARUL2LNbf5GZruX2IhHB9e6sioJR9LlZ7fm4TPmEiwdyOdiUxGx+AhpuSYvXThuz"
    "GGfRxPqgHcgYN+Kn/zDj7emnFPy1iG7UqtAhFJnsiXnQdncS10Ql72NSPpiavEPhctRvw0AEhXZSzKnDzWez4EiJjfPh5azV"
    "nQIDAQAB"
)
"""A public key as DKIM selectors publish it; nobody has the other half."""
