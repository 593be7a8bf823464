"""What the command line says about a new stack, taken apart."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dynamic_providers import wording
from dynamic_providers.refusal import refuse

_STEP = re.compile(r"""\.?([^.\["']+)|\["([^"]+)"\]|\[(\d+)\]""")


Setting = tuple[tuple[str | int, ...], Any]
"""A setting's path, and its value."""


@dataclass(frozen=True)
class Given:
    """The options, as they were typed; what was not is empty."""

    letter: Path | None = None
    customer: str = ""
    environment: str = ""
    stack: str = ""
    tenant: str = ""
    tenant_id: str = ""
    client_id: str = ""
    cloud: str = ""
    domains: tuple[str, ...] = ()
    microsoft_mx: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    gateway_name: str = ""
    user: str = "admin"
    cluster: bool | None = None
    jump_host: str = ""
    host_keys: tuple[str, ...] = ()
    inbound_listener: str = ""
    outbound_listener: str = ""
    outbound: str = "none"
    settings: tuple[str, ...] = ()
    secrets_provider: str = ""
    from_live: bool = False
    force: bool = False


@dataclass(frozen=True)
class GatewayGiven:
    """One gateway, as far as the command line and the letter say."""

    host: str
    port: int = 22
    data1: str = ""
    data2: str = ""


def gateway(text: str) -> GatewayGiven:
    """`HOST[:PORT][=DATA1,DATA2]`."""
    where, _, addresses = text.partition("=")
    host, _, port = where.partition(":")
    data = [one.strip() for one in addresses.split(",")] if addresses else ["", ""]
    if len(data) != 2 or not host or (port and not port.isdigit()):
        refuse("is not HOST, HOST:PORT or HOST=DATA1,DATA2")
    return GatewayGiven(host, int(port or 22), *data)


def pair(text: str) -> tuple[str, str]:
    """`NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        refuse("is not NAME=VALUE")
    return name.strip(), value.strip()


def host_key(text: str) -> tuple[str, str]:
    """Host and fingerprint, of `[HOST=]SHA256:…`; no host: whichever shows it."""
    host, _, key = text.rpartition("=SHA256:") if "=SHA256:" in text else ("", "", text)
    return host.strip().lower(), wording.host_key("SHA256:" + key.strip().removeprefix("SHA256:").rstrip("="))


def setting(text: str) -> Setting:
    """`path=value`: the path as for `pulumi config set --path`, the value as YAML has it."""
    path, value = pair(text)
    steps = list(_STEP.finditer(path))
    if "".join(step.group() for step in steps) != path:
        refuse('has no path such as outbound.state or domains["contoso.example"].mx')
    found = [
        int(index) if index else name or quoted for name, quoted, index in (one.groups() for one in steps)
    ]
    try:
        return tuple(found), yaml.safe_load(value)
    except yaml.YAMLError:
        refuse("has a value that is no YAML")


def merged(values: Mapping[str, Any], settings: Sequence[Setting]) -> dict[str, Any]:
    """The values with these settings put in."""
    result: Any = dict(values)
    for path, value in settings:
        result = _with(result, path, value)
    done: dict[str, Any] = result
    return done


def _with(there: Any, path: Sequence[str | int], value: Any) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        listed = list(there) if isinstance(there, list) else []
        if step > len(listed):
            refuse(f"leaves out [{len(listed)}] of a list")
        return [
            *listed[:step],
            _with(listed[step] if step < len(listed) else None, rest, value),
            *listed[step + 1 :],
        ]
    inner = dict(there) if isinstance(there, Mapping) else {}
    return {**inner, step: _with(inner.get(step), rest, value)}


def slug(text: str) -> str:
    """A name for a stack: small letters and digits; «» where nothing of it is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def stack_name(text: str) -> str:
    """A stack's name, which is also a file's: letters, digits, dot, _ and -."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", text):
        refuse("is no stack's name: letters, digits, dot, _ and - only, at most 100")
    return text
