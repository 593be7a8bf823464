"""The lab's one certificate authority: every TLS server of an estate has its certificate from here."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

ORGANIZATION = "m365-secure-email lab"


class LabAuthority:
    """An authority made anew; its certificate is written to `folder`/ca.pem at once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = folder / "ca.pem"
        self._authority = trustme.CA(organization_name=ORGANIZATION)
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    def server_context(self, *names: str) -> ssl.SSLContext:
        """A server's TLS context (1.2 and newer) with a certificate for these names or addresses."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(*names).configure_cert(context)
        return context
