"""The certificate to log in with: PEM with key and certificate in one file, or PFX."""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from dynamic_providers.errors import register_secret
from dynamic_providers.exchange.errors import BadCertificateFile

_VARIABLE = "AZURE_CLIENT_CERTIFICATE_PATH"
_PASSWORD = "AZURE_CLIENT_CERTIFICATE_PASSWORD"  # noqa: S105 — a variable's name


def read_certificate(file: str, password: str | None) -> dict[str, str]:
    """What MSAL takes as a certificate. A bad file is told of here: no key in it, wrong password, expired."""
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise _bad(file, f"cannot be read: {error.strerror}", "correct the path") from None
    pem = b"-----BEGIN" in content
    try:
        key, certificate = (_from_pem if pem else _from_pfx)(content, password.encode() if password else None)
    except TypeError:
        raise _bad(
            file, "its key and the password do not fit together", f"set {_PASSWORD}, or unset it"
        ) from None
    except ValueError:
        raise _bad(
            file,
            "holds no key that can be read",
            f"it must be PEM with key and certificate, or PFX; check {_PASSWORD}",
        ) from None
    if certificate.not_valid_after_utc < dt.datetime.now(dt.UTC):
        raise _bad(
            file, f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}", "make a new one and register it"
        )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    register_secret(private)
    return {"private_key": private, "public_certificate": certificate.public_bytes(Encoding.PEM).decode()}


def _from_pem(content: bytes, password: bytes | None) -> tuple[PrivateKeyTypes, x509.Certificate]:
    key = load_pem_private_key(_key_block(content), password)
    return key, _certificate_of(key, x509.load_pem_x509_certificates(content))


def _from_pfx(content: bytes, password: bytes | None) -> tuple[PrivateKeyTypes, x509.Certificate]:
    key, certificate, _ = pkcs12.load_key_and_certificates(content, password)
    if key is None or certificate is None:
        raise ValueError
    return key, certificate


def _key_block(content: bytes) -> bytes:
    """The key's lines: the file may hold the certificate before it."""
    lines = content.splitlines()
    start = next(
        (n for n, line in enumerate(lines) if b"-----BEGIN" in line and b"PRIVATE KEY-----" in line), None
    )
    end = next(
        (n for n, line in enumerate(lines) if b"-----END" in line and b"PRIVATE KEY-----" in line), None
    )
    if start is None or end is None:
        raise ValueError
    return b"\n".join(lines[start : end + 1]) + b"\n"


def _certificate_of(key: PrivateKeyTypes, chain: list[x509.Certificate]) -> x509.Certificate:
    """The certificate that belongs to the key: a file may hold its whole chain, in any order."""
    own = key.public_key()
    found = next((one for one in chain if one.public_key() == own), None)
    if found is None:
        raise ValueError
    return found


def _bad(file: str, what: str, fix: str) -> BadCertificateFile:
    return BadCertificateFile(f"the certificate {file} {what}", where=_VARIABLE, fix=fix)
