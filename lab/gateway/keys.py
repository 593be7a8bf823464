"""Host keys that are the same on every start, so that fingerprints in stack files stay right."""

from __future__ import annotations

import hashlib
from pathlib import Path

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

SEED = "m365-secure-email lab "


def host_key(host: str, extra: str = "") -> asyncssh.SSHKey:
    """The Ed25519 key of a host name; with `extra` another one, as if somebody stood in between."""
    seed = hashlib.sha256((SEED + host + extra).encode()).digest()
    private = Ed25519PrivateKey.from_private_bytes(seed)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return asyncssh.import_private_key(pem)


def fingerprint(host: str, extra: str = "") -> str:
    """`SHA256:…` of a host's key."""
    return host_key(host, extra).get_fingerprint()


def practice_key(path: Path) -> asyncssh.SSHKey:
    """A user's key: read from the file, or made and written there for nobody else to read."""
    if path.exists():
        return asyncssh.read_private_key(str(path))
    key = asyncssh.generate_private_key("ssh-ed25519", comment="practice")
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key())
    return key
