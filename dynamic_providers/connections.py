"""Where things are and what we log in with: settings, credentials, a connection per target and process."""

import functools
import ipaddress
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import pulumi
from pydantic import Field

from dynamic_providers import engine
from dynamic_providers.errors import ManagedError, register_secret
from dynamic_providers.field_types import (
    Guid,
    Host,
    HostKey,
    HttpsUrl,
    InitialDomain,
    Label,
    Port,
    SenderAddress,
    UserName,
)
from dynamic_providers.field_types import Path as FilePath
from dynamic_providers.model import Model

T = TypeVar("T")


class JumpHost(Model):
    """The host through which cloud gateways are reached. It forwards only, and takes only public keys."""

    host: Host
    port: Port = 22
    user: UserName = "dh-user"
    host_key: HostKey


class Member(Model):
    """One gateway: where it answers, and what it delivers from (data 1 inbound, data 2 outbound)."""

    host: Host
    port: Port = 22
    user: UserName = "admin"
    host_key: HostKey
    data1: SenderAddress
    data2: SenderAddress


class GatewayConnection(Model):
    """How to reach the gateways. `name` is their identity; addresses may change."""

    name: Label
    members: tuple[Member, ...] = Field(min_length=1)
    jump_host: JumpHost | None = None
    cluster: bool = False


class Endpoints(Model):
    """Other addresses than the public ones: other clouds, proxies, the lab."""

    exchange: HttpsUrl | None = None
    authority: HttpsUrl | None = None
    graph: HttpsUrl | None = None
    ca_bundle: FilePath | None = None


class TenantConnection(Model):
    """Which Microsoft 365 tenant, and the app registration that we log in as."""

    id: Guid
    initial_domain: InitialDomain
    client_id: Guid
    cloud: Literal["worldwide", "gccHigh", "dod", "china"] = "worldwide"


class NotConfigured(ManagedError):
    """A credential or connection setting is missing."""


# Environment variable → argument of a provider process, which does not see the stack's config.
CREDENTIALS = {
    "GATEWAY_PASSWORD": "gatewayPassword",
    "GATEWAY_KEY_FILE": "gatewayKeyFile",
    "GATEWAY_KEY_PASSPHRASE": "gatewayKeyPassphrase",
    "AZURE_CLIENT_ID": "azureClientId",
    "AZURE_TENANT_ID": "azureGuid",
    "AZURE_CLIENT_SECRET": "azureClientSecret",
    "AZURE_CLIENT_CERTIFICATE_PATH": "azureClientCertificatePath",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD": "azureClientCertificatePassword",
    "AZURE_FEDERATED_TOKEN_FILE": "azureFederatedTokenFile",
    "AZURE_MANAGED_IDENTITY": "azureManagedIdentity",
    "TRACKING_USER": "trackingUser",
    "TRACKING_PASSWORD": "trackingPassword",
    "PROBE_IMAP_PASSWORD": "probeImapPassword",
    "DNS_TSIG_SECRET": "dnsTsigSecret",
}
LOGINS = (
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_MANAGED_IDENTITY",
)
"""What the tenant can be logged in to with: the first that is there counts, as in Azure's own libraries."""
_SECRET = {
    "GATEWAY_PASSWORD",
    "GATEWAY_KEY_PASSPHRASE",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "TRACKING_PASSWORD",
    "PROBE_IMAP_PASSWORD",
    "DNS_TSIG_SECRET",
}
_PLAIN = ("gateway", "tenant", "endpoints", "tracking", "mailflow", "dns", "stack", "mode")

_arguments: dict[str, str] = {}
_lock = threading.RLock()


def configure(config: pulumi.dynamic.Config) -> None:
    """Take over what the engine gives a provider process at its start, and begin to watch the engine."""
    for key in (*_PLAIN, *CREDENTIALS.values()):
        value = config.get(key)
        if value:
            _arguments[key] = str(value)
    sys.tracebacklimit = 0  # leaves one clean line of what the engine prints for an error; see clean_errors
    engine.watch()


def set_arguments(values: Mapping[str, str]) -> None:
    """What a provider process would be given, for a command that runs outside of the engine.

    `values` are plain arguments (objects as JSON text) and credentials, by the names that CREDENTIALS gives.
    """
    known = {*_PLAIN, *CREDENTIALS.values()}
    assert set(values) <= known, f"not among {sorted(known)}"
    _arguments.update({key: value for key, value in values.items() if value})


def forget_arguments() -> None:
    """Before the next stack, for a command that works on several."""
    _arguments.clear()


def credential(name: str) -> str | None:
    """A credential by the name of its environment variable, which wins over the stack's config."""
    value = os.environ.get(name) or _arguments.get(CREDENTIALS[name])
    if name in _SECRET:
        register_secret(value)
    return value or None


def argument(name: str) -> str:
    """A plain argument of this provider process, as text (objects as JSON)."""
    try:
        return _arguments[name]
    except KeyError:
        raise NotConfigured(
            f"no «{name}» was given to this provider", fix="use it under the project's own provider"
        ) from None


def gateway_connection() -> GatewayConnection:
    """How this process reaches the gateways."""
    return _gateway_connection(argument("gateway"))


@functools.lru_cache(maxsize=2)  # it is asked for with every record
def _gateway_connection(text: str) -> GatewayConnection:
    return GatewayConnection.model_validate_json(text)


def tenant_connection() -> TenantConnection:
    """Which tenant this process works on."""
    return TenantConnection.model_validate_json(argument("tenant"))


def endpoints() -> Endpoints:
    """Where the clouds' end points are, if not where they usually are."""
    return Endpoints.model_validate_json(_arguments.get("endpoints", "{}"))


def section(name: str) -> str | None:
    """A plain argument that may be missing, as JSON text: `tracking`, `mailflow`, `dns`."""
    return _arguments.get(name)


def stack_name() -> str:
    """The stack's name, for commit comments."""
    return _arguments.get("stack", "")


def is_observing() -> bool:
    """Whether the stack's setting `mode` says that nothing is to be changed."""
    return _arguments.get("mode") == "observe"


@dataclass(frozen=True)
class Way:
    """Where a connection really goes; `proxy`: it begins with a PROXY v2 header, as from `source` (lab)."""

    host: str
    port: int
    proxy: bool = False
    source: str = ""


def connect_way(host: str, port: int) -> Way:
    """Like `connect_address`, with what the lab's mail doors want at the start of a connection."""
    table = _connect_table(os.environ.get("M365SE_CONNECT", ""))
    name = _plain_name(host)
    there = table.get(f"{name}:{port}") or table.get(name)
    if not there:
        return Way(host, port)
    source = str(there.get("source") or "")
    return Way(str(there["host"]), int(str(there["port"])), there.get("proxy") is True, source)


def connect_address(host: str, port: int) -> tuple[str, int]:
    """Where to connect for a host and port: there, or where the file in M365SE_CONNECT says (the lab)."""
    way = connect_way(host, port)
    return way.host, way.port


@functools.cache
def _connect_table(file: str) -> dict[str, dict[str, object]]:
    if not file:
        return {}
    try:
        table: dict[str, dict[str, object]] = json.loads(Path(file).read_text())
    except (OSError, ValueError) as error:
        raise NotConfigured(
            f"cannot read it: {error}",
            where=f"M365SE_CONNECT={file}",
            fix="start the lab, or unset the variable",
        ) from None
    return table


def _plain_name(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower().rstrip(".")


_live: dict[str, object] = {}


def only(name: str, kind: type[T], make: Callable[[], T]) -> T:
    """The one live connection of that name in this process, made when it is first asked for."""
    with _lock:
        if name not in _live:
            _live[name] = make()
        live = _live[name]
    assert isinstance(live, kind)
    return live
