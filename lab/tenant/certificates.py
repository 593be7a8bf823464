"""The certificate of the cloud's hosts, and the application's own certificate."""

from __future__ import annotations

import base64
import hashlib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from lab.certificates import LabAuthority
from lab.tenant.practice import EXCHANGE_HOSTS, LOGIN_HOSTS, OTHER_HOSTS, STRAY_HOST

NAMES = (*LOGIN_HOSTS, *EXCHANGE_HOSTS, *OTHER_HOSTS, STRAY_HOST, "localhost", "127.0.0.1")


def server_context(authority: LabAuthority) -> ssl.SSLContext:
    """A TLS context for all the cloud's names."""
    return authority.server_context(*NAMES)


@dataclass(frozen=True)
class AppCertificate:
    """A certificate that an application signs its assertions with."""

    public_key: rsa.RSAPublicKey
    sha1: str
    sha256: str

    @property
    def thumbprint(self) -> str:
        """The SHA-1 thumbprint as Azure shows it: upper-case hex."""
        return base64.urlsafe_b64decode(self.sha1 + "==").hex().upper()


def app_certificate(file: Path, name: str) -> AppCertificate:
    """Make a key and a self-signed certificate; both go into `file`, as Azure's path variable has it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))
    return registered(certificate)


def registered(certificate: x509.Certificate) -> AppCertificate:
    """What an application keeps of a certificate that is registered with it."""
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    der = certificate.public_bytes(serialization.Encoding.DER)
    return AppCertificate(key, _thumbprint("sha1", der), _thumbprint("sha256", der))


def _thumbprint(kind: str, der: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.new(kind, der).digest()).decode().rstrip("=")
