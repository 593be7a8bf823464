"""The matrix of hostile values by every input field of a stack file.

Each is refused with its path, or provably one literal value. What is accepted is judged by what leaves this
machine: lines typed at a gateway, commands of Exchange, addresses of requests, pages. The judges are written
anew here; none of them asks the field types.
"""

from __future__ import annotations

import copy
import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import idna
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from components.mistakes import SettingsError, shown
from components.model_walk import Path, holds_secret, key_of, part_of
from components.settings import Settings, StackSettings
from dynamic_providers.model import Model
from tests.unit.hostile_sinks import NotLiteral, leaves_this_machine
from tests.unit.hostile_values import MARK, hostile
from tests.unit.settings_samples import ENVIRONMENT, SECRET, Values, sample

_HOST = {"host": "jump.contoso.example", "port": 22, "user": "dh-user", "hostKey": f"SHA256:{'A' * 43}"}
EVERYTHING: Values = sample() | {
    "kind": "tenant",
    "mode": "manage",
    "labels": {"ring": "one"},
    "approvalKey": "0123456789abcdef" * 4,
    "gateway": {
        **sample()["gateway"],
        "jumpHost": _HOST,
        "shared": False,
        "tracking": {"from": "manager", "url": "https://sma1.contoso.example:4431"},
    },
    "domains": {
        "contoso.example": {
            "microsoftMx": "contoso-example.mail.protection.outlook.com",
            "mx": "gateway",
            "subdomains": True,
        }
    },
    "inbound": {
        "mxHosts": [{"host": "mx1.contoso.example", "preference": 10}],
        "throttle": {"connections": 10, "messagesPerConnection": 20},
        "spamBypass": "enhancedFiltering",
        "enhancedFiltering": ["203.0.113.8"],
        "identifiedBy": {"certificate": "*.contoso.example"},
        "connectionFilter": "allow",
        "allowedSenders": ["203.0.113.70"],
        "senderAddresses": ["192.0.2.10"],
    },
    "outbound": {
        "state": "pilot",
        "pilotGroup": "mail-pilot@contoso.example",
        "except": {"recipientDomains": ["bank.example"]},
        "smartHosts": ["outbound.contoso.example"],
        "tls": "domainValidation",
        "tlsDomain": "*.contoso.example",
        "validationRecipient": "probe@probe.example",
        "secret": SECRET,
        "mismatch": "quarantine",
        "previousSecrets": ["anoldersecret"],
        "ciphers": "check",
    },
    "dns": {
        "server": "ns1.contoso.example",
        "port": 53,
        "zone": "contoso.example",
        "keyName": "m365se.",
        "algorithm": "hmac-sha256",
        "resolvers": ["9.9.9.9"],
        "ttl": 3600,
        "lowerTtlFirst": 300,
        "spf": "keep",
        "spfTerms": ["ip4:198.51.100.10"],
    },
    "lockdown": "open",
    "checks": {
        "mailbox": "probe@contoso.example",
        "outside": "probe@probe.example",
        "imap": {"host": "imap.probe.example", "user": "probe@probe.example"},
        "deadline": "75m",
        "forged": True,
        "via": _HOST,
    },
    "settle": {"rule": "60m", "mx": "1h"},
    "acknowledge": [{"what": "spf contoso.example", "until": "2026-10-01"}],
    "leave": ["sender group FROM_O365"],
    "takeOver": ["smtpRoutes.contoso.example"],
    "names": {
        "inboundConnector": "Inbound from Cisco CES",
        "outboundConnector": "Outbound to Cisco CES",
        "inboundRule": "Bypass spam filtering",
        "outboundRule": "Outbound rule to Cisco CES",
        "senderGroup": "RELAY_O365",
        "mailFlowPolicy": "RELAYED",
        "filter": "office365_outbound",
    },
    "endpoints": {
        "exchange": "https://outlook.contoso.example",
        "authority": "https://login.contoso.example:8443/x",
        "graph": "https://graph.contoso.example",
        "caBundle": "certificates/ca.pem",
    },
    "credentials": {
        "gatewayPassword": "Practice-Gateway-7!",
        "gatewayKeyFile": ".lab/jump_key",
        "gatewayKeyPassphrase": "a pass phrase",
        "azureClientSecret": "Practice~Tenant~Secret~42",
        "azureManagedIdentity": "system",
        "azureClientCertificatePath": "certificates/app.pem",
        "azureClientCertificatePassword": "Another-Pass-9",
        "trackingUser": "tracker",
        "trackingPassword": "Tracker-Pass-9",
        "probeImapPassword": "Imap-Pass-9",
        "dnsTsigSecret": "cHJhY3RpY2Uta2V5",
    },
}
"""Every setting, said once; too much for one stack file, since some exclude others."""

BY_CERTIFICATE, BY_ADDRESS = ("inbound", "identifiedBy"), ("inbound", "allowedSenders")


def without(place: tuple[str, str]) -> Values:
    """Everything but one setting, which others exclude."""
    values = copy.deepcopy(EVERYTHING)
    del values[place[0]][place[1]]
    return values


FULL = without(BY_CERTIFICATE)

NO_SECRETS = {
    key: ENVIRONMENT[key] for key in ("GATEWAY_PASSWORD", "GATEWAY_KEY_FILE", "AZURE_CLIENT_SECRET")
}
"""An environment that hides no setting."""


class Uncovered(LookupError):
    """A setting has no case: `EVERYTHING` does not say it."""


@dataclass(frozen=True)
class Leaf:
    """One input: a value, one entry of a list of values, or a key that is the operator's."""

    path: Path
    field: FieldInfo
    is_key: bool = False
    is_first: bool = True  # of its type: others of that type get one value of each class

    def __str__(self) -> str:
        return shown(self.path) + (" (key)" if self.is_key else "")

    @property
    def is_text(self) -> bool:
        """Whether any text could be right there: no number, switch or word of a list."""
        return self.is_key or self.is_secret or "str" in re.findall(r"[a-z]+", str(self.field.annotation))

    @property
    def is_secret(self) -> bool:
        return not self.is_key and holds_secret(self.field.annotation)

    def spoil(self, value: object) -> Values | None:
        """The full stack file with this one thing replaced; none where a key cannot be that."""
        values = without(BY_ADDRESS if self.path[:2] == BY_CERTIFICATE else BY_CERTIFICATE)
        inner: Any = values
        for step in self.path[:-1]:
            inner = inner[step]
        if not self.is_key:
            inner[self.path[-1]] = value
        elif isinstance(value, str):
            inner[value] = inner.pop(self.path[-1])
            del values["takeOver"], values["acknowledge"]  # they name it, too
        else:
            return None
        return values


def leaves(model: type[Model], values: Values = EVERYTHING) -> Iterator[Leaf]:
    """Every input of a model, where `values` say it; Uncovered where they do not."""
    known: set[str] = set()
    for leaf in _leaves(model, values, ()):
        kind = f"{leaf.field.annotation} {leaf.field.metadata} {leaf.is_key}"
        yield replace(leaf, is_first=kind not in known)
        known.add(kind)


def _leaves(model: type[Model], values: Any, path: Path) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        here = (*path, key_of(name, field))
        if not isinstance(values, dict) or here[-1] not in values:
            raise Uncovered(f"{shown(here)}: say it in EVERYTHING")
        value, part = values[here[-1]], part_of(field.annotation)
        if part is None and isinstance(value, list):
            yield Leaf((*here, 0), field)
        elif part is None and isinstance(value, dict):
            for key in value:
                yield Leaf((*here, key), field, is_key=True)
                yield Leaf((*here, key), field)
        elif part is None:
            yield Leaf(here, field)
        elif part.shape == "one":
            yield from _leaves(part.model, value, here)
        else:
            first = 0 if part.shape == "list" else next(iter(value))
            if part.shape == "map":
                yield Leaf((*here, first), field, is_key=True)
            yield from _leaves(part.model, value[first], (*here, first))


def right_at(leaf: Leaf) -> object:
    """What is right there."""
    inner: Any = EVERYTHING
    for step in leaf.path:
        inner = inner[step]
    return leaf.path[-1] if leaf.is_key else inner


def holes(leaf: Leaf, model: type[StackSettings] = Settings) -> Iterator[str]:
    """Every hostile value of one input that is neither refused as it should be nor one literal value."""
    seen: set[str] = set()
    for name, value in hostile(str(right_at(leaf))):
        if name in seen and not (leaf.is_first and (leaf.is_text or name == "oddities")):
            continue
        seen.add(name)
        values = leaf.spoil(value)
        if values is None:
            continue
        try:
            settings = model.from_config(values, NO_SECRETS)
        except SettingsError as error:
            wrong = _badly_refused(leaf, value, error)
        else:
            wrong = _not_literal(leaf, value, settings)
        if wrong:
            yield f"{leaf}: {name}: {value!r:.60}: {wrong}"


# --- refused ------------------------------------------------------------------------------------------------


def _badly_refused(leaf: Leaf, value: object, error: SettingsError) -> str:
    key = value.encode(errors="ignore").decode() if leaf.is_key and isinstance(value, str) else leaf.path[-1]
    place = shown((*leaf.path[:-1], key))
    if value is not None and not any(_ascii(place) in _ascii(line) for line in error.lines):
        return f"refused without its place: {error.lines}"
    if not all(line.isprintable() and len(line) < 700 for line in error.lines):
        return f"refused in a line that is none: {error.lines}"
    if leaf.is_secret and (MARK in str(error) or (isinstance(value, str) and _shows(str(error), value))):
        return "refused, and the secret is shown"
    return ""


def _ascii(text: str) -> bytes:
    """What pydantic keeps of a key that is no text at all."""
    return text.encode("ascii", "ignore").replace(b" ", b"")


def _shows(text: str, value: str) -> bool:
    return len(value.strip()) >= 8 and " ".join(value.split()) in " ".join(text.split())


# --- accepted -----------------------------------------------------------------------------------------------


def _not_literal(leaf: Leaf, given: object, settings: StackSettings) -> str:
    value = _value_at(settings, leaf)
    if not isinstance(value, str):
        return "" if _is_what_was_said(value, given) else f"became {value!r}"
    if not isinstance(given, str):
        return f"{type(given).__name__} became {value!r}"
    if not _one_visible_line(value):
        return f"accepted as {value!r:.60}"
    if _unified(value) != _unified(given):
        return f"became {value!r}"
    assert isinstance(settings, Settings)
    try:
        leaves_this_machine(settings)
    except NotLiteral as wrong:
        return str(wrong)
    return ""


_VALUE = re.compile(r"[0-9]{1,7}[smhd]|[0-9]{4}-[0-9]{2}-[0-9]{2}|ttl|none", re.ASCII)


def _is_what_was_said(value: object, given: object) -> bool:
    """A setting that is no text is what the file says, by type too; or a length of time, or a day."""
    if isinstance(given, str):
        return _VALUE.fullmatch(given) is not None
    if isinstance(value, dt.date | int | float | None):
        return type(value) is type(given) and value == given
    return given in ([], ()) and value == ()


def _one_visible_line(text: str) -> bool:
    unseen = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}
    plain = not any(unicodedata.category(one) in unseen for one in text)
    return plain and bool(text) and text == text.strip() and len(text) <= 4096


def _unified(text: str) -> str:
    """One form of what means the same: width and case of letters, international names, a final dot."""
    text = unicodedata.normalize("NFKC", text).casefold().rstrip("./")
    return re.sub(r"xn--[a-z0-9-]+", lambda found: _decoded(found.group()), text)


def _decoded(label: str) -> str:
    try:
        return str(idna.decode(label))
    except idna.IDNAError:
        return label


def _value_at(settings: Model, leaf: Leaf) -> object:
    found: Any = settings
    for step in leaf.path:
        if isinstance(found, Model):
            names = {key_of(name, field): name for name, field in type(found).model_fields.items()}
            found = getattr(found, names[str(step)])
        elif isinstance(found, dict):
            [(key, found)] = found.items()
            found = key if leaf.is_key and step == leaf.path[-1] else found
        elif isinstance(found, tuple):
            found = found[int(step)] if found else ()
    return found.get_secret_value() if isinstance(found, SecretStr) else found
