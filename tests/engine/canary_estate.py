"""An estate whose every credential is a canary, and the environment that knows them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.tsig
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lab.estate import Estate
from lab.internet.practice import PRACTICE_TSIG_ALGORITHM, PRACTICE_TSIG_KEY
from tests.engine.canaries import awkward, canary

OURS: Mapping[str, str] = {
    "gateway password": awkward("gateway password"),
    "key passphrase": awkward("key passphrase"),
    "client secret": awkward("client secret"),
    "certificate password": awkward("certificate password"),
    "header secret": canary("header secret"),
    "next header secret": canary("next header secret"),
    "TSIG secret": base64.b64encode(canary("TSIG secret").encode()).decode(),
    "IMAP password": awkward("IMAP password").replace("ü", "u"),  # IMAP's LOGIN knows no other letters
    "tracking password": awkward("tracking password"),
}
WRONG: Mapping[str, str] = {
    "wrong gateway password": awkward("wrong gateway password"),
    "wrong client secret": awkward("wrong client secret"),
    "wrong TSIG secret": base64.b64encode(canary("wrong TSIG secret").encode()).decode(),
    "wrong IMAP password": awkward("wrong IMAP password").replace("ü", "u"),
    "wrong tracking password": awkward("wrong tracking password"),
}


def give_secrets(estate: Estate, patch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every credential of the lab becomes a canary; so do the words that open its key and its certificate.

    Answers what else is a secret then: ends of the private keys, as they would be written.
    """
    estate.gateway.password = OURS["gateway password"]
    estate.mail.tracking_password = OURS["tracking password"]
    estate.tenant.client_secret = OURS["client secret"]
    organization = replace(estate.tenant.organization, client_secret=OURS["client secret"])
    estate.tenant.authority.organization = organization
    estate.internet.authority.key = dns.tsig.Key(
        PRACTICE_TSIG_KEY, OURS["TSIG secret"], PRACTICE_TSIG_ALGORITHM
    )
    patch.setattr("lab.internet.imap.PROBE_PASSWORD", OURS["IMAP password"])
    key, pem = _ssh_key(estate).read_bytes(), estate.tenant.certificate_path.read_bytes()
    ssh = serialization.load_ssh_private_key(key, None)
    _lock(ssh, estate.folder / "locked-key", "key passphrase", PrivateFormat.OpenSSH)
    private = serialization.load_pem_private_key(pem, None)
    locked = _lock(
        private, estate.folder / "locked-certificate.pem", "certificate password", PrivateFormat.PKCS8
    )
    locked.write_bytes(locked.read_bytes() + pem[pem.index(b"-----BEGIN CERTIFICATE") :])
    plain = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"end of the certificate's key": "".join(plain.split("\n")[:-2])[-128:]}


def credentials(estate: Estate) -> dict[str, str]:
    """An environment with all of them; with the key only where a jump host asks for it."""
    key = {
        "GATEWAY_KEY_FILE": str((estate.folder / "locked-key").resolve()),
        "GATEWAY_KEY_PASSPHRASE": OURS["key passphrase"],
    }
    return {
        **estate.environment,
        **(key if estate.gateway.jump else {}),
        "OUTBOUND_SECRET": OURS["header secret"],
        "DNS_TSIG_SECRET": OURS["TSIG secret"],
        "PROBE_IMAP_PASSWORD": OURS["IMAP password"],
        "TRACKING_USER": estate.mail.tracking_user,
        "TRACKING_PASSWORD": OURS["tracking password"],
    }


def _ssh_key(estate: Estate) -> Path:
    """The one that the jump host knows, where there is one."""
    return estate.gateway.jump.private_key_path if estate.gateway.jump else estate.gateway.private_key_path


def _lock(key: Any, file: Path, name: str, form: serialization.PrivateFormat) -> Path:
    file.write_bytes(
        key.private_bytes(Encoding.PEM, form, serialization.BestAvailableEncryption(OURS[name].encode()))
    )
    return file
