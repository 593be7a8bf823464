"""The lab's one certificate authority: every TLS server of an estate has its certificate from here."""

from __future__ import annotations

import ssl
from functools import cached_property
from pathlib import Path

import trustme

from lab.mail.certificate import DEMONSTRATION

ORGANIZATION = "m365-secure-email lab"


class LabAuthority:
    """An authority made anew; its certificate is written to `folder`/ca.pem at once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = folder / "ca.pem"
        self._authority = trustme.CA(organization_name=ORGANIZATION)
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    def server_context(self, *names: str, asks: bool = False) -> ssl.SSLContext:
        """A server's TLS context (1.2 and newer) with a certificate for these names or addresses.

        `asks`: clients are asked for a certificate of theirs, which they need not have.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(*names).configure_cert(context)
        if asks:
            context.verify_mode = ssl.CERT_OPTIONAL
            # OpenSSL breaks the handshake off over an unknown issuer; Microsoft goes on and trusts nobody.
            for authority in (self._authority, self._demonstration):
                authority.configure_trust(context)
        return context

    def client_context(self, *names: str, public: bool = True) -> ssl.SSLContext:
        """A client's context that shows a certificate for these names, and takes any from the server.

        `public`: the lab's authority has issued it; without, one that nobody trusts.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        issuer = self._authority if public else self._demonstration
        issuer.issue_cert(*names, common_name=names[0]).configure_cert(context)
        return context

    @cached_property
    def _demonstration(self) -> trustme.CA:
        return trustme.CA(organization_name=DEMONSTRATION)
