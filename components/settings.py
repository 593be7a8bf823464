"""The settings of a stack: read, checked as a whole, and refused with every mistake at once.

Nothing here opens a connection. docs/reference/settings.md and stacks/settings.schema.json are made from it.
"""

import os
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Literal, Self

import pulumi
from pydantic import Field, ValidationError

from components import contradictions, secret_checks
from components.connection_settings import CredentialSettings, EndpointSettings, TenantSettings
from components.mail_sections import (
    ChecksSettings,
    DnsSettings,
    DomainSettings,
    GatewayOutboundSettings,
    InboundSettings,
    OutboundSettings,
    SettleSettings,
)
from components.mistakes import Mistake, SettingsError, from_validation
from components.model_walk import Path, known_paths
from components.sections import (
    Acknowledgement,
    ChangeSettings,
    CustomerSettings,
    GatewaySettings,
    NameSettings,
    distinct,
)
from components.setting_types import ApprovalKey
from components.stack_config import read_config, secret_keys
from dynamic_providers.clouds import CLOUDS
from dynamic_providers.equivalents import LeftAlone
from dynamic_providers.field_types import Domain, Label, PlainText
from dynamic_providers.model import Model

__all__ = ["Settings", "SettingsError", "SharedGatewaySettings", "of_this_stack", "read_config"]

FROM_ENVIRONMENT: Mapping[str, tuple[str, str]] = {
    "OUTBOUND_SECRET": ("outbound", "secret"),
    "AZURE_CLIENT_ID": ("tenant", "clientId"),
}
"""Variables that win over a setting."""

STAND_INS: Mapping[str, tuple[str, str]] = {"AZURE_TENANT_ID": ("tenant", "id")}
"""Variables that stand in for a setting which is not there, and have to agree with one that is.

The tenant is what this stack is about; a variable left over from elsewhere must not lead to another one.
"""


class StackSettings(Model):
    """What every stack file says, whatever it is about."""

    customer: CustomerSettings = Field(description="Whose stack this is.")
    mode: Literal["manage", "observe"] = Field(
        "manage",
        description="Whether things are made right, or only looked at: with observe, `preview` and `up` say"
        " what differs, and change nothing.",
    )
    labels: dict[Label, Label] = Field(
        {}, description="Words by which `fleet` chooses among stacks, such as `{ring: one}`."
    )
    change: ChangeSettings = Field(
        ChangeSettings(), description="Why we change something; for commit and rule comments."
    )
    gateway: GatewaySettings = Field(description="The Cisco Secure Email gateways.")
    names: NameSettings = Field(NameSettings(), description="Names of the objects that we make.")
    take_over: tuple[PlainText, ...] = Field(
        (),
        description="What may be taken over where it exists and differs: keys of names, destinationControls,"
        " recipientAccess, smtpRoutes, mx, the last four also for one domain, `smtpRoutes.contoso.example`.",
    )
    leave: tuple[LeftAlone, ...] = Field(
        (),
        description="What somebody else set up for the same purpose, and what stays beside ours on purpose,"
        " by its kind and name: `sender group FROM_O365`, `transport rule Archive copies`. The preview lists"
        " what it finds.",
    )
    acknowledge: tuple[Acknowledgement, ...] = Field(
        (), description="What would be refused, and is wanted all the same."
    )
    endpoints: EndpointSettings = Field(
        EndpointSettings(), description="Other addresses than the public ones."
    )
    approval_key: ApprovalKey | None = Field(
        None,
        description="A random key, with which `fleet preview --save` writes down by what to know a secret"
        " again, without the secret. The program does not use it.",
    )
    credentials: CredentialSettings = Field(
        CredentialSettings(), description="What we log in with, if not from the environment."
    )

    @classmethod
    def from_config(
        cls,
        values: Mapping[str, object],
        environment: Mapping[str, str],
        encrypted: Collection[str] | None = None,
    ) -> Self:
        """Check the values of a stack file, objects as parsed JSON, together with the environment.

        `encrypted` are the keys that the engine knows as secret; None where that is not known.
        Raises SettingsError, which lists every mistake.
        """
        merged, sources = with_environment(cls, values, environment)
        secret_checks.remember(cls, merged)
        mistakes: list[Mistake] = []
        settings = None
        try:
            settings = cls.model_validate(merged, by_alias=True, by_name=False)
        except ValidationError as error:
            mistakes += [_with_source(one, sources) for one in from_validation(error, cls)]
        mistakes += contradictions.find(merged, environment)
        mistakes += secret_checks.in_clear(cls, values, encrypted)
        if mistakes or settings is None:
            raise SettingsError(mistakes) from None
        return settings

    def acknowledged(self, what: str) -> bool:
        """Whether that is wanted, today, though it would be refused."""
        today = datetime.now(UTC).date()
        return any(one.what.lower() == what.lower() and today <= one.until for one in self.acknowledge)

    @property
    def microsoft_senders(self) -> str:
        """How the names of the hosts end that mail leaves Microsoft from."""
        return CLOUDS[self._cloud].senders

    @property
    def _cloud(self) -> str:
        """Microsoft's cloud that the stack is about."""
        return "worldwide"

    def may_take_over(self, key: str) -> list[str]:
        """What a resource may take over: `*` for all of it, or single entries of its table."""
        if key in self.take_over:
            return ["*"]
        narrowed = (one.removeprefix(f"{key}.") for one in self.take_over if one.startswith(f"{key}."))
        return sorted(one.lower().removesuffix(".") for one in narrowed)


class SharedGatewaySettings(StackSettings):
    """The stack file of a gateway that several tenants share: what is the gateway's, and no tenant's."""

    kind: Literal["gateway"] = Field(description="What the stack is about.")
    outbound: GatewayOutboundSettings = Field(GatewayOutboundSettings(), description="Mail to the internet.")

    @property
    def _cloud(self) -> str:
        return self.outbound.cloud


class Settings(StackSettings):
    """Everything that a stack file says under `m365-secure-email:`."""

    kind: Literal["tenant", "gateway"] = Field(
        "tenant", description="What the stack is about: a tenant, or a gateway that several tenants share."
    )
    tenant: TenantSettings = Field(description="The Microsoft 365 tenant.")
    domains: dict[Domain, DomainSettings] = Field(
        min_length=1, description="The mail domains that run through the gateway."
    )
    inbound: InboundSettings = Field(InboundSettings(), description="Mail from the internet.")
    outbound: OutboundSettings = Field(OutboundSettings(), description="Mail to the internet.")
    dns: DnsSettings = Field(DnsSettings(), description="The zones of the MX records.")
    lockdown: Literal["open", "report", "closed"] = Field(
        "open",
        description="Whether Microsoft 365 refuses mail that comes past the gateway; report: only lists it.",
    )
    checks: ChecksSettings | None = Field(None, description="Mail that proves the path.")
    settle: SettleSettings = Field(SettleSettings(), description="How long what was removed may still act.")

    @property
    def _cloud(self) -> str:
        return self.tenant.cloud

    @property
    def sender_addresses(self) -> tuple[str, ...]:
        """What Microsoft sees the gateways deliver from: a gateway may take either of its interfaces."""
        members = self.gateway.members
        return distinct(
            self.inbound.sender_addresses or [a for member in members for a in (member.data1, member.data2)]
        )

    @property
    def certificate(self) -> str | None:
        """The name in the gateways' certificate, where Microsoft 365 knows them by that."""
        return self.inbound.identified_by.certificate if self.inbound.identified_by else None

    @property
    def allowed_addresses(self) -> tuple[str, ...]:
        """What the connection filter lets pass unfiltered."""
        return self.sender_addresses if self.inbound.connection_filter == "allow" else ()

    @property
    def kept_in_spf(self) -> tuple[str, ...]:
        """The terms that are kept in the domains' SPF records while the gateways send."""
        if self.dns.spf == "check" or not self.outbound.smart_hosts or self.outbound.state == "none":
            return ()
        return self.dns.spf_terms or distinct(f"ip4:{one.data2}" for one in self.gateway.members)

    @property
    def skipped_hops(self) -> tuple[str, ...]:
        """The addresses that Enhanced Filtering skips, where it is not the last hop alone."""
        listed = self.inbound.enhanced_filtering
        if self.inbound.spam_bypass != "enhancedFiltering" or listed is None:
            return ()
        return distinct([*self.sender_addresses, *listed])

    @property
    def table_entries(self) -> dict[str, DomainSettings]:
        """Keys in the gateway's tables: each domain, and `.domain` for its subdomains where that is asked."""
        entries: dict[str, DomainSettings] = {}
        for name, domain in self.domains.items():
            entries |= {name: domain, f".{name}": domain} if domain.subdomains else {name: domain}
        return entries


def of_this_stack() -> Settings | SharedGatewaySettings:
    """The settings of the stack that the engine works on; mistakes end the program with their list."""
    values = read_config()
    kind: type[Settings] | type[SharedGatewaySettings] = (
        SharedGatewaySettings if values.get("kind") == "gateway" else Settings
    )
    try:
        return kind.from_config(values, os.environ, secret_keys())
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None


def with_environment(
    model: type[Model], values: Mapping[str, object], environment: Mapping[str, str]
) -> tuple[dict[str, object], dict[Path, str]]:
    """The values with what the environment says, and where each of the latter comes from."""
    merged: dict[str, object] = dict(values)
    sources: dict[Path, str] = {}
    known = set(known_paths(model))
    for variable, (section, key) in {**FROM_ENVIRONMENT, **STAND_INS}.items():
        inner = merged.get(section, {})
        if not environment.get(variable) or not isinstance(inner, Mapping) or f"{section}.{key}" not in known:
            continue
        if variable in STAND_INS and inner.get(key) is not None:
            continue
        merged[section] = {**inner, key: environment[variable]}
        sources[section, key] = variable
    return merged, sources


def _with_source(mistake: Mistake, sources: Mapping[Path, str]) -> Mistake:
    return Mistake(mistake.path, mistake.says, sources.get(mistake.path, ""))
