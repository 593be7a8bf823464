"""The settings of a new stack, put together from what is known and what was found; checked as a whole."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any

from components.sections import distinct
from components.settings import Settings
from dynamic_providers.connections import CREDENTIALS, LOGINS, GatewayConnection, TenantConnection
from dynamic_providers.entries import Props
from dynamic_providers.errors import ManagedError, register_secret
from fleet.onboard.found import Found
from fleet.onboard.given import merged
from fleet.onboard.known import Known

SECRET_LENGTH = 40
SECRET = ("outbound", "secret")
VARIABLE = "OUTBOUND_SECRET"
_LETTERS = string.ascii_letters + string.digits
_NEEDED_LATER = (
    "GATEWAY_PASSWORD",
    "GATEWAY_KEY_FILE",
    "AZURE_CLIENT_SECRET",
    "DNS_TSIG_SECRET",
    "PROBE_IMAP_PASSWORD",
)


class SecretGiven(ManagedError):
    """A secret stands on the command line, where every user of the machine can read it."""


class NotHere(ManagedError):
    """Something is asked for that this command does not do."""


def new_secret() -> str:
    """A value for the header: letters and digits only, since the filter reads it as a regular expression."""
    made = "".join(secrets.choice(_LETTERS) for _ in range(SECRET_LENGTH))
    register_secret(made)
    return made


def composed(known: Known, found: Found, outbound: str) -> Props:
    """The settings of a new customer, as the guide has them; outbound mail as asked for."""
    data2 = [one.data2 for one in found.gateway.members]
    values: Props = {
        **common(known, found.tenant, found.gateway, found.inbound_listener, found.outbound_listener),
        "domains": {name: {"microsoftMx": found.microsoft_mx[name], "mx": "leave"} for name in known.domains},
        "inbound": {
            **(
                {"mxHosts": [{"host": host, "preference": 10} for host in known.mx_hosts]}
                if known.mx_hosts
                else {}
            ),
            "throttle": {"connections": 10, "messagesPerConnection": 20},
        },
        "outbound": {"state": outbound, "smartHosts": list(distinct(data2)), "ciphers": "check"},
        "takeOver": ["mailFlowPolicy"],
    }
    return with_settings(values, known)


def common(
    known: Known, tenant: TenantConnection, gateway: GatewayConnection, inbound: str, outbound: str
) -> Props:
    """What every stack says: whose it is, and where its two sides are."""
    jump = gateway.jump_host
    members = [one.model_dump(mode="json", by_alias=True) for one in gateway.members]
    return {
        "customer": {"name": known.customer, "environment": known.environment},
        "tenant": tenant.model_dump(mode="json", by_alias=True),
        "gateway": {
            "name": gateway.name,
            **({"jumpHost": jump.model_dump(mode="json", by_alias=True)} if jump else {}),
            "cluster": gateway.cluster,
            "members": members,
            "inboundListener": inbound,
            "outboundListener": outbound,
        },
    }


def with_settings(values: Props, known: Known) -> Props:
    """With those that were given by their paths, which win. Raises SecretGiven, NotHere."""
    for path, _ in known.settings:
        if path[:1] == ("credentials",) or path[:2] in (SECRET, ("outbound", "previousSecrets")):
            raise SecretGiven(
                "a secret is not given on the command line",
                where=f"--set {'.'.join(map(str, path))}",
                fix=f"take it out; {VARIABLE} in the environment is kept as the stack's secret",
            )
        if path == ("kind",):
            raise NotHere(
                "only tenants' stacks are written here",
                where="--set kind",
                fix="docs/shared-gateway.md shows the stack of a gateway that several tenants share",
            )
    whole = merged(values, known.settings)
    if whole["gateway"].get("shared"):
        whole.pop("takeOver", None)  # the policy is the gateway's own stack's
    return whole


def checked(values: Mapping[str, Any], secret: str, environment: Mapping[str, str]) -> Settings:
    """The settings as the program will read them. Raises SettingsError, which lists every mistake.

    Credentials may come later: what is missing of them is no mistake of the file's.
    """
    later = {name: environment.get(name) or "given-later" for name in _NEEDED_LATER}
    given = {**{name: environment[name] for name in CREDENTIALS if environment.get(name)}, **later}
    return Settings.from_config(values, {**given, **({VARIABLE: secret} if secret else {})}, frozenset())


def missing_credentials(settings: Settings, environment: Mapping[str, str]) -> Sequence[str]:
    """Variables without which the first preview cannot look at both sides."""

    def there(*names: str) -> bool:
        return any(environment.get(name) for name in names)

    lacking = []
    if settings.gateway.jump_host and not there("GATEWAY_KEY_FILE"):
        lacking.append("GATEWAY_KEY_FILE")
    elif not there("GATEWAY_PASSWORD", "GATEWAY_KEY_FILE"):
        lacking.append("GATEWAY_PASSWORD or GATEWAY_KEY_FILE")
    if not there(*LOGINS):
        lacking.append("AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH")
    return lacking
