"""What the checks need to know: process argument `mailflow`. Holds no secret; rule k's is never needed."""

from typing import Literal

from pydantic import Field

from dynamic_providers.connections import JumpHost
from dynamic_providers.field_types import (
    CertificateName,
    Domain,
    ExchangeName,
    FilterName,
    Flag,
    GroupName,
    HeaderName,
    Host,
    HostName,
    IPv4,
    Label,
    MailAddress,
    MicrosoftMx,
    Port,
    SenderAddress,
    UserName,
)
from dynamic_providers.model import Model

PROBE_RULE = "m365-secure-email probe"
"""Name of the one-time transport rule; it may stand above rule k, and one left over is removed."""

HEADER = "X-OUTBOUND-AUTH"


class ProbeVia(JumpHost):
    """A host that forwards by SSH, for a machine whose port 25 is shut. It takes GATEWAY_KEY_FILE."""

    user: UserName = "probe"


class OutsideImap(Model):
    """IMAP of the outside mailbox, by TLS; its password is PROBE_IMAP_PASSWORD."""

    host: Host
    port: Port = 993
    user: UserName


class GatewayMember(Model):
    """One gateway as mail sees it: where it takes mail from the internet, where from Microsoft 365."""

    name: Host
    inbound: Host | SenderAddress = Field(
        description="Address, name or network (from /24) of the interface of the inbound listener."
    )
    outbound: Host | SenderAddress | None = Field(
        None, description="Likewise, what the outbound connector leads to."
    )


class DomainFlow(Model):
    """One mail domain: its own Microsoft MX, and where its MX record is set to point."""

    microsoft_mx: MicrosoftMx
    mx: Literal["leave", "microsoft", "gateway"] = "leave"


class ObjectNames(Model):
    """What our objects are called. Defaults: the guide's."""

    inbound_connector: ExchangeName = "Inbound from Cisco CES"
    outbound_connector: ExchangeName = "Outbound to Cisco CES"
    inbound_rule: ExchangeName = "Bypass spam filtering - inbound email from Cisco CES"
    outbound_rule: ExchangeName = "Outbound to Cisco CES"
    sender_group: GroupName = "RELAY_O365"
    filter: FilterName = "office365_outbound"


class MailflowSettings(Model):
    """Who sends to whom, what the way should look like, and how long a message may take."""

    mailbox: MailAddress = Field(description="A mailbox of the tenant, of one of `domains`.")
    outside: MailAddress = Field(description="A mailbox outside.")
    sender: MailAddress | None = Field(
        None, description="Who the probe sends as; the outside mailbox if none."
    )
    deadline: int = Field(4500, ge=1, le=86400, description="How long a check may take, seconds.")
    members: tuple[GatewayMember, ...] = Field(min_length=1)
    domains: dict[Domain, DomainFlow] = Field(min_length=1)
    mx_hosts: tuple[HostName, ...] = Field((), description="Names by which MX records lead to the gateway.")
    sender_addresses: tuple[SenderAddress, ...] = Field(
        (), description="What the inbound connector knows the gateways by."
    )
    certificate: CertificateName | None = Field(
        None, description="What it knows them by instead: the name in their certificate."
    )
    filtered: Flag = Field(
        default=False, description="Whether Microsoft filters what the gateways deliver: no rule spares it."
    )
    names: ObjectNames = ObjectNames()
    header: HeaderName = HEADER
    outbound: Literal["none", "pilot", "all"] = "all"
    pilot_group: MailAddress | None = None
    lockdown: Literal["open", "report", "closed"] = "open"
    forge: Flag = True
    via: ProbeVia | None = None
    imap: OutsideImap | None = None
    resolvers: tuple[IPv4, ...] = ("9.9.9.9", "1.1.1.1")
    stack: Label | None = Field(None, description="Named in the probe message's text.")

    @property
    def probe_sender(self) -> str:
        """Who a message from outside is sent as."""
        return self.sender or self.outside

    @property
    def domain(self) -> str:
        """The mail domain that a message to the mailbox is about."""
        return self.mailbox.rpartition("@")[2].lower()
