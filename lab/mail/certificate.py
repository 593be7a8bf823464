"""The certificate that the other side of a TLS connection has shown: whose it is, and who vouches for it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import NameOID

DEMONSTRATION = "m365-secure-email lab demonstration"
"""Who issues certificates that nobody in the world trusts, as the one an appliance is shipped with."""


@dataclass(frozen=True)
class Certificate:
    """The subject's common name, the alternative names, all in lower case; `public`: the world trusts it."""

    subject: str
    alternatives: tuple[str, ...] = ()
    public: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """All names that it is for."""
        return tuple(dict.fromkeys(name for name in (self.subject, *self.alternatives) if name))


def shown(connection: ssl.SSLSocket | ssl.SSLObject) -> Certificate | None:
    """What the other side has shown in its handshake; None: nothing."""
    encoded = connection.getpeercert(binary_form=True)
    return None if encoded is None else _read(encoded)


@lru_cache(maxsize=256)
def _read(encoded: bytes) -> Certificate:
    found = x509.load_der_x509_certificate(encoded)
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        alternatives = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        alternatives = []
    issuers = found.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    subjects = [str(part.value).lower() for part in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return Certificate(
        next(iter(subjects), ""),
        tuple(name.lower() for name in alternatives),
        public=not any(part.value == DEMONSTRATION for part in issuers),
    )
