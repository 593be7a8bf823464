"""The certificate to log in with: forms that work, and what is said of those that do not."""

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from dynamic_providers.errors import redact
from dynamic_providers.exchange.certificate import read_certificate
from dynamic_providers.exchange.errors import BadCertificateFile

KEY = ec.generate_private_key(ec.SECP256R1())
PLAIN = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
LOCKED = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))


def certificate(days: int = 30, key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "login")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - dt.timedelta(days=60))
    signed = builder.not_valid_after(now + dt.timedelta(days=days)).sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.PEM)


OTHER = certificate(key=ec.generate_private_key(ec.SECP256R1()))


def file_of(folder: Path, *parts: bytes) -> str:
    file = folder / "login.pem"
    file.write_bytes(b"".join(parts))
    return str(file)


def test_key_and_certificate_in_any_order_and_with_a_chain(tmp_path: Path) -> None:
    mine = certificate()
    for parts in ((PLAIN, mine), (mine, PLAIN), (OTHER, mine, PLAIN)):
        found = read_certificate(file_of(tmp_path, *parts), None)
        assert found["public_certificate"].encode() == mine
        assert found["private_key"].encode() == PLAIN


def test_a_locked_key_opens_with_its_password_only(tmp_path: Path) -> None:
    file = file_of(tmp_path, LOCKED, certificate())
    assert read_certificate(file, "open sesame")["private_key"].encode() == PLAIN
    with pytest.raises(BadCertificateFile, match="AZURE_CLIENT_CERTIFICATE_PASSWORD"):
        read_certificate(file, "something else")
    with pytest.raises(BadCertificateFile, match="do not fit together"):
        read_certificate(file, None)


@pytest.mark.parametrize("parts", [(PLAIN,), (certificate(),), (PLAIN, OTHER), (b"nothing",), (b"",)])
def test_a_file_without_both(tmp_path: Path, parts: tuple[bytes, ...]) -> None:
    with pytest.raises(BadCertificateFile, match="holds no key that can be read"):
        read_certificate(file_of(tmp_path, *parts), None)


def test_expired(tmp_path: Path) -> None:
    with pytest.raises(BadCertificateFile, match=r"expired on \d{4}-\d\d-\d\d"):
        read_certificate(file_of(tmp_path, PLAIN, certificate(days=-1)), None)


def test_no_such_file() -> None:
    with pytest.raises(BadCertificateFile, match="cannot be read"):
        read_certificate("no-such.pem", None)


def test_the_key_is_masked_from_then_on(tmp_path: Path) -> None:
    found = read_certificate(file_of(tmp_path, PLAIN, certificate()), None)
    assert "PRIVATE KEY" not in redact(f"error with {found['private_key']}")
