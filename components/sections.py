"""The sections of a stack file that say what to build."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from components.connection_settings import JumpHostSettings, MemberSettings
from components.setting_types import Duration, HeaderSecret, NotYet, OrWord
from dynamic_providers.connections import GatewayConnection
from dynamic_providers.field_types import (
    Domain,
    ExchangeName,
    FilterName,
    Flag,
    GatewayText,
    GroupName,
    HostName,
    HttpsUrl,
    Label,
    Listener,
    MailAddress,
    MicrosoftMx,
    PlainText,
    PolicyName,
    SenderAddress,
    SmartHost,
)
from dynamic_providers.model import Model


class CustomerSettings(Model):
    """Whose stack this is."""

    name: PlainText = Field(description="The customer's name, in any script.")
    environment: Label = Field(description="Which of the customer's environments, such as prod or lab.")


class ChangeSettings(Model):
    """Why we change something. Goes into the gateway's commit comment; never a difference by itself."""

    ticket: GatewayText | None = Field(None, description="The change's number in your ticket system.")
    approved_by: GatewayText | None = Field(None, description="Who approved it.")
    window: GatewayText | None = Field(None, description="When it may be done.")


class TrackingSettings(Model):
    """Where message tracking is asked."""

    source: Literal["manager", "gateway", "none"] = Field(
        alias="from", description="Which host answers: the Email and Web Manager, the gateway, or none."
    )
    url: HttpsUrl | None = Field(
        None, description="Address of its API, such as https://sma1.contoso.example:4431."
    )


class GatewaySettings(Model):
    """The Cisco Secure Email gateways: one, or a cluster."""

    name: Label = Field(description="Identity of the gateways in this project; their addresses may change.")
    shared: Annotated[Flag, NotYet((True,))] = Field(
        default=False,
        description="Whether sender group, mail flow policy and ciphers belong to a stack of kind gateway.",
    )
    jump_host: JumpHostSettings | None = Field(
        None, description="The host that SSH goes through; cloud gateways are reached by it only."
    )
    cluster: Flag = Field(
        default=False, description="Whether the gateways are clustered; cloud gateways are."
    )
    members: tuple[MemberSettings, ...] = Field(
        min_length=1, description="The gateways. Several need `cluster: true`."
    )
    inbound_listener: Listener = Field(
        description="The public listener, exactly as the gateway writes it. Source: the guide, RAT."
    )
    outbound_listener: Listener = Field(
        description="The private listener that Microsoft 365 delivers to. Source: the guide, HAT Overview."
    )
    tracking: Annotated[TrackingSettings | None, NotYet()] = Field(
        None, description="Where tracking is asked."
    )

    def connection(self) -> GatewayConnection:
        """What a provider process needs to reach the gateways."""
        return GatewayConnection(
            name=self.name, members=self.members, jump_host=self.jump_host, cluster=self.cluster
        )


class DomainSettings(Model):
    """One mail domain."""

    microsoft_mx: MicrosoftMx = Field(
        description="The domain's own Microsoft MX, as DNS or the Microsoft 365 admin center gives it; never"
        " computed. The SMTP route leads there. Source: the guide, SMTP Routes."
    )
    mx: Annotated[Literal["leave", "microsoft", "gateway"], NotYet(("microsoft", "gateway"))] = Field(
        "leave", description="Where the domain's MX record points; leave: it is not ours."
    )
    subdomains: Flag = Field(
        default=False,
        description="Whether the gateway's tables also get an entry for all subdomains, `.domain`.",
    )


class MxHost(Model):
    """One inbound host of the gateways, as an MX record names it."""

    host: HostName = Field(description="The host's name.")
    preference: int = Field(
        10, strict=True, ge=0, le=65535, description="The record's preference; lowest first."
    )


class Throttle(Model):
    """How fast the gateway delivers to Microsoft 365, per domain. Source: the guide, Destination Controls."""

    connections: int = Field(10, strict=True, ge=1, le=1000, description="Concurrent connections.")
    messages_per_connection: int = Field(
        20, strict=True, ge=1, le=1000, description="Messages a connection before a new one is opened."
    )


class InboundSettings(Model):
    """Mail from the internet through the gateway to Microsoft 365."""

    mx_hosts: Annotated[tuple[MxHost, ...] | None, NotYet()] = Field(
        None, min_length=1, description="The gateway's inbound hosts, for the MX records."
    )
    throttle: Annotated[Throttle | None, OrWord("none")] = Field(
        Throttle(),
        description="Limits of the destination controls while the gateway's addresses are new to Microsoft;"
        " none: the gateway's defaults.",
    )
    spam_bypass: Annotated[
        Literal["sclRule", "enhancedFiltering", "none"], NotYet(("enhancedFiltering", "none"))
    ] = Field(
        "sclRule",
        description="How Microsoft 365 is kept from filtering what the gateway has filtered: a transport rule"
        " that sets SCL -1. Source: the guide, Bypass spam filtering.",
    )
    sender_addresses: tuple[SenderAddress, ...] | None = Field(
        None,
        min_length=1,
        description="What Microsoft sees the gateways deliver from, if not data1 and data2 of all members."
        " Source: Microsoft Learn, New-InboundConnector, SenderIPAddresses.",
    )


class ExceptSettings(Model):
    """Mail that Microsoft 365 goes on to send by itself."""

    recipient_domains: tuple[Domain, ...] = Field(min_length=1, description="Domains of recipients.")


class OutboundSettings(Model):
    """Mail from Microsoft 365 through the gateway to the internet."""

    state: Annotated[Literal["none", "pilot", "all"], NotYet(("pilot",))] = Field(
        "none", description="Whose mail goes through the gateway: nobody's, a pilot group's, everybody's."
    )
    pilot_group: Annotated[MailAddress | None, NotYet()] = Field(
        None, description="The pilot's mail-enabled group."
    )
    exceptions: Annotated[ExceptSettings | None, NotYet()] = Field(
        None, alias="except", description="What does not go through the gateway."
    )
    smart_hosts: tuple[SmartHost, ...] | None = Field(
        None,
        min_length=1,
        description="The gateways' outbound addresses (data 2) or names, where Microsoft 365 delivers."
        " Source: the guide, outbound connector; Microsoft Learn, New-OutboundConnector, SmartHosts.",
    )
    validation_recipient: Annotated[MailAddress | None, NotYet()] = Field(
        None,
        description="Who gets the mail by which the connector is validated. Source: the guide, Validate.",
    )
    secret: HeaderSecret | None = Field(
        None,
        description="Value of the header X-OUTBOUND-AUTH, letters and digits only; needed with smartHosts."
        " The environment's OUTBOUND_SECRET wins. Source: the guide, mail flow rule and message filter.",
    )
    previous_secrets: tuple[HeaderSecret, ...] = Field(
        (), description="Values that the gateway still accepts while the secret is being changed."
    )
    ciphers: Literal["check", "set"] = Field(
        "check",
        description="Whether the gateway's outbound SMTP ciphers are compared with the guide's, or written.",
    )

    def accepted_secrets(self) -> tuple[str, ...]:
        """The secret and those before it, in clear: for `pulumi.Output.secret`, nothing else."""
        now = () if self.secret is None else (self.secret,)
        return tuple(one.get_secret_value() for one in (*now, *self.previous_secrets))


class ChecksSettings(Model):
    """Mail that proves the path."""

    mailbox: MailAddress = Field(description="A mailbox of the tenant.")
    outside: MailAddress = Field(description="A mailbox outside.")
    deadline: Duration = Field(description="How long a message may take.")


class NameSettings(Model):
    """Names of the objects that we make. Defaults: the guide's."""

    inbound_connector: ExchangeName = Field(
        "Inbound from Cisco CES", description="Inbound connector in Exchange."
    )
    outbound_connector: ExchangeName = Field(
        "Outbound to Cisco CES", description="Outbound connector in Exchange."
    )
    inbound_rule: ExchangeName = Field(
        "Bypass spam filtering - inbound email from Cisco CES", description="Transport rule of inbound mail."
    )
    outbound_rule: ExchangeName = Field(
        "Outbound to Cisco CES", description="Transport rule of outbound mail."
    )
    sender_group: GroupName = Field("RELAY_O365", description="Sender group on the outbound listener.")
    mail_flow_policy: PolicyName = Field("RELAYED", description="Mail flow policy of that group.")
    filter: FilterName = Field("office365_outbound", description="Message filter that checks the header.")


class SettleSettings(Model):
    """How long something may act after it was removed, and what it led to has to stay."""

    rule: Duration | None = Field(None, description="For the outbound rule; 60m if not set.")
    mx: Annotated[Duration | None, OrWord("ttl")] = Field(
        None, description="For an MX record; ttl: the old record's time to live."
    )


class Acknowledgement(Model):
    """Something that the guard refuses, allowed once."""

    what: PlainText = Field(description="The refused step, as the refusal words it.")
    until: date = Field(description='Last day on which this counts, in quotes: "2026-10-01".')


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """The values in their order, each once."""
    return tuple(dict.fromkeys(values))
