"""The sections of a stack file that say what to build."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from components.connection_settings import JumpHostSettings, MemberSettings
from components.setting_types import Day, Window
from dynamic_providers.connections import GatewayConnection
from dynamic_providers.field_types import (
    ExchangeName,
    FilterName,
    Flag,
    GatewayText,
    GroupName,
    HttpsUrl,
    Label,
    Listener,
    PlainText,
    PolicyName,
)
from dynamic_providers.model import Model


class CustomerSettings(Model):
    """Whose stack this is."""

    name: PlainText = Field(description="The customer's name, in any script.")
    environment: Label = Field(description="Which of the customer's environments, such as prod or lab.")


class ChangeSettings(Model):
    """Why we change something. Goes into commit and rule comments; never a difference by itself."""

    ticket: GatewayText | None = Field(None, description="The change's number in your ticket system.")
    approved_by: GatewayText | None = Field(None, description="Who approved it.")
    window: Window | None = Field(
        None,
        description="When it may be done, such as `Sat 20:00-24:00 Europe/Zurich`, `Mon-Fri 22:00-02:00 UTC`"
        " or `2026-11-28 20:00-2026-11-29 02:00 Europe/Zurich`. `fleet up` does nothing at other times;"
        " `pulumi up` does not look at it.",
    )


class TrackingSettings(Model):
    """Where message tracking is asked."""

    source: Literal["manager", "gateway", "none"] = Field(
        alias="from", description="Which host answers: the Email and Web Manager, the gateway, or none."
    )
    url: HttpsUrl | None = Field(
        None, description="Address of its API, such as https://sma1.contoso.example:4431."
    )


class GatewaySettings(Model):
    """The Cisco Secure Email gateways: one, a cluster, or several that are not clustered."""

    name: Label = Field(description="Identity of the gateways in this project; their addresses may change.")
    shared: Flag = Field(
        default=False,
        description="Whether several tenants use it: sender group, mail flow policy and ciphers then belong"
        " to a stack of kind gateway, and this one only looks at them.",
    )
    jump_host: JumpHostSettings | None = Field(
        None, description="The host that SSH goes through; cloud gateways are reached by it only."
    )
    cluster: Flag = Field(
        default=False, description="Whether the gateways are clustered; cloud gateways are."
    )
    members: tuple[MemberSettings, ...] = Field(
        min_length=1,
        description="The gateways. Several without a cluster are all set up; each is known by its host, and"
        " new ones are added at the end.",
    )
    inbound_listener: Listener = Field(
        description="The public listener, exactly as the gateway writes it. Source: the guide, RAT."
    )
    outbound_listener: Listener = Field(
        description="The private listener that Microsoft 365 delivers to. Source: the guide, HAT Overview."
    )
    tracking: TrackingSettings | None = Field(None, description="Where message tracking is asked.")

    def connection(self) -> GatewayConnection:
        """What a provider process needs to reach the gateways."""
        return GatewayConnection(
            name=self.name, members=self.members, jump_host=self.jump_host, cluster=self.cluster
        )


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


class Acknowledgement(Model):
    """Something that would be refused, and is wanted all the same, for a while."""

    what: PlainText = Field(
        description="`spf contoso.example`: outbound mail though that domain's SPF record does not name the"
        " gateways; `lockdown`: though others still deliver past the gateway; `rotation`: an old secret goes"
        " before its time. And what the guard refuses, in the words that it gives, once: `remove"
        " contoso.example`, `remove outbound connector`, `replace names.senderGroup`, `clear outboundRule`,"
        " `change 4 of 12 domains`, `smart host relay.contoso.example`."
    )
    until: Day = Field(description='Last day on which this counts, in quotes: "2026-10-01".')


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """The values in their order, each once."""
    return tuple(dict.fromkeys(values))
