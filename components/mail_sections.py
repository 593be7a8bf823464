"""The sections of a stack file that say how mail flows: domains, inbound, outbound, MX records, checks."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from components.connection_settings import JumpHostSettings
from components.setting_types import Duration, HeaderSecret, OrWord
from dynamic_providers.dns.connection import DEFAULT_TTL, Algorithm, DnsConnection, KeyName, Ttl
from dynamic_providers.dns.resolver import DEFAULT_SERVERS
from dynamic_providers.dns.spf_text import SpfTerm
from dynamic_providers.field_types import (
    CertificateName,
    Domain,
    Flag,
    Host,
    HostName,
    IPv4,
    MailAddress,
    MicrosoftMx,
    Port,
    SenderAddress,
    SmartHost,
)
from dynamic_providers.model import Model

_TTL: Any = "ttl"  # read by OrWord, as from a stack file
_LAST_HOP: Any = "lastHop"  # likewise


class DomainSettings(Model):
    """One mail domain."""

    microsoft_mx: MicrosoftMx = Field(
        description="The domain's own Microsoft MX, as DNS or the Microsoft 365 admin center gives it; never"
        " computed. The SMTP route leads there. Source: the guide, SMTP Routes."
    )
    mx: Literal["leave", "microsoft", "gateway"] = Field(
        "leave",
        description="Where the domain's MX record points; leave: it is not ours. To the gateway it moves only"
        " after mail sent straight there has arrived. Source: the guide, «Configurar registros MX».",
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


class IdentifiedBySettings(Model):
    """How Microsoft 365 knows the gateways, if not by their addresses."""

    certificate: CertificateName = Field(
        description="The name in the certificate that the gateways show when they deliver, such as"
        " esa.contoso.example or *.contoso.example."
        " Source: Microsoft Learn, Set-InboundConnector, TlsSenderCertificateName."
    )


class InboundSettings(Model):
    """Mail from the internet through the gateway to Microsoft 365."""

    mx_hosts: tuple[MxHost, ...] | None = Field(
        None,
        min_length=1,
        description="The gateway's inbound hosts, as MX records name them; needed where a domain's mx"
        " is gateway."
        " Source: Cisco's welcome letter.",
    )
    throttle: Annotated[Throttle | None, OrWord("none")] = Field(
        Throttle(),
        description="Limits of the destination controls while the gateway's addresses are new to Microsoft;"
        " none: the gateway's defaults.",
    )
    spam_bypass: Literal["sclRule", "enhancedFiltering", "none"] = Field(
        "sclRule",
        description="What Microsoft 365 makes of mail that the gateway has filtered. sclRule: a transport"
        " rule sets SCL -1, so it is not filtered again (the guide, Bypass spam filtering)."
        " enhancedFiltering: it is filtered, and judged by who sent it, not by the gateway (Microsoft Learn,"
        " «Enhanced Filtering for Connectors»). none: neither.",
    )
    enhanced_filtering: Annotated[tuple[SenderAddress, ...] | None, OrWord("lastHop")] = Field(
        _LAST_HOP,
        min_length=1,
        description="What enhancedFiltering skips on a message's way: lastHop, the gateway alone; or, where"
        " mail passes more servers of yours, their addresses, beside which the gateways' own are skipped.",
    )
    identified_by: IdentifiedBySettings | None = Field(
        None,
        description="The gateways' certificate, by which the inbound connector knows them instead of by their"
        " addresses; lockdown then goes by it as well.",
    )
    connection_filter: Literal["leave", "allow"] = Field(
        "leave",
        description="allow: the gateways' addresses go into the IP allow list of the tenant's connection"
        " filter. Their mail then skips Microsoft's spam filter and spoof intelligence."
        " Source: Microsoft Learn, Set-HostedConnectionFilterPolicy, IPAllowList.",
    )
    allowed_senders: tuple[SenderAddress, ...] = Field(
        (),
        description="Who else may deliver straight to Microsoft 365 when it is locked down, such as a"
        " scanner or"
        " a hybrid server; goes into the inbound connector beside the gateways.",
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


class CipherSettings(Model):
    """What of outbound mail is the gateway's own."""

    ciphers: Literal["check", "set"] = Field(
        "check",
        description="Whether the gateway's outbound SMTP ciphers are compared with the guide's, or written.",
    )


class GatewayOutboundSettings(CipherSettings):
    """The same in the stack of a gateway that several tenants share."""

    cloud: Literal["worldwide", "gccHigh", "dod", "china"] = Field(
        "worldwide", description="Microsoft's cloud that the tenants are in: whose hosts the group is for."
    )


class OutboundSettings(CipherSettings):
    """Mail from Microsoft 365 through the gateway to the internet."""

    state: Literal["none", "pilot", "all"] = Field(
        "none", description="Whose mail goes through the gateway: nobody's, a pilot group's, everybody's."
    )
    pilot_group: MailAddress | None = Field(
        None,
        description="The pilot's mail-enabled group; checks.mailbox has to be in it to be checked with it."
        " Source: Microsoft Learn, New-TransportRule, FromMemberOf.",
    )
    exceptions: ExceptSettings | None = Field(
        None, alias="except", description="What does not go through the gateway."
    )
    smart_hosts: tuple[SmartHost, ...] | None = Field(
        None,
        min_length=1,
        description="The gateways' outbound addresses (data 2) or names, where Microsoft 365 delivers."
        " Source: the guide, outbound connector; Microsoft Learn, New-OutboundConnector, SmartHosts.",
    )
    tls: Literal["encryptionOnly", "certificateValidation", "domainValidation"] = Field(
        "encryptionOnly",
        description="What Microsoft 365 asks of the gateways' certificate. encryptionOnly: nothing (the"
        " guide, outbound connector). certificateValidation: that a public authority has issued it."
        " domainValidation: and that it has the name tlsDomain. Mail waits, and comes back, while it is not"
        " so. Source: Microsoft Learn, New-OutboundConnector, TlsSettings.",
    )
    tls_domain: CertificateName | None = Field(
        None,
        description="The name in the certificate that the gateways show to Microsoft 365, such as"
        " esa.contoso.example or *.contoso.example; with domainValidation only.",
    )
    validation_recipient: MailAddress | None = Field(
        None,
        description="Who outside gets the mail by which the connector is validated; without it nobody"
        " validates"
        " it. Source: the guide, Validate; Microsoft Learn, Validate-OutboundConnector.",
    )
    secret: HeaderSecret | None = Field(
        None,
        description="Value of the header X-OUTBOUND-AUTH, letters and digits only; needed with smartHosts."
        " The environment's OUTBOUND_SECRET wins. Source: the guide, mail flow rule and message filter.",
    )
    mismatch: Literal["drop", "quarantine"] = Field(
        "drop",
        description="What the gateway does with mail from Microsoft's hosts without the right secret: drop"
        " it, as the guide does, or put it into the quarantine Policy, to be looked at and released there.",
    )
    previous_secrets: tuple[HeaderSecret, ...] = Field(
        (), description="Values that the gateway still accepts while the secret is being changed."
    )

    @property
    def tls_settings(self) -> str | None:
        """What is asked of the gateways' certificate, in Exchange's word; None for nothing."""
        return None if self.tls == "encryptionOnly" else f"{self.tls[0].upper()}{self.tls[1:]}"

    def accepted_secrets(self) -> tuple[str, ...]:
        """The secret and those before it, in clear: for `pulumi.Output.secret`, nothing else."""
        now = () if self.secret is None else (self.secret,)
        return tuple(one.get_secret_value() for one in (*now, *self.previous_secrets))


class DnsSettings(DnsConnection):
    """The zones that hold the domains' MX records, and who is asked what the world resolves."""

    server: Host | None = Field(
        None,
        description="The primary server that takes updates by RFC 2136, signed with TSIG; without it the"
        " records are set in a portal by hand, and only looked at here.",
    )
    port: Port = Field(53, description="Its port.")
    zone: Domain | None = Field(None, description="The zone; asked of the server where it is not given.")
    key_name: KeyName | None = Field(None, description="Name of the TSIG key; its value is DNS_TSIG_SECRET.")
    algorithm: Algorithm = Field("hmac-sha256", description="The key's algorithm.")
    resolvers: tuple[IPv4, ...] = Field(
        DEFAULT_SERVERS, min_length=1, description="Resolvers that say what the world resolves."
    )
    ttl: Ttl = Field(DEFAULT_TTL, description="Time to live of the MX records that we set; seconds.")
    lower_ttl_first: Ttl | None = Field(
        None,
        description="Before an MX record moves, it gets this time to live and we wait until the old one has"
        " passed, so that it can be moved back quickly; seconds.",
    )

    spf: Literal["check", "keep"] = Field(
        "check",
        description="check: whether the domains' SPF records let the gateways send is looked at. keep: what"
        " they need is put into the records, and kept there, by updates of dns.server; the rest of each"
        " record is left as it is. Source: RFC 7208.",
    )
    spf_terms: tuple[SpfTerm, ...] | None = Field(
        None,
        min_length=1,
        description="What keep puts there, if not ip4: with data2 of each member; for gateways in Cisco's"
        " cloud `exists:%{i}.spf.hc1234-56.iphmx.com`, as the welcome letter has it.",
    )

    def connection(self) -> DnsConnection:
        """What a provider process needs."""
        return DnsConnection(**{name: getattr(self, name) for name in DnsConnection.model_fields})


class OutsideMailbox(Model):
    """How we look into the mailbox outside, for what arrives there. Its password is PROBE_IMAP_PASSWORD."""

    host: HostName = Field(description="Its IMAP server, by TLS on port 993.")
    user: MailAddress | None = Field(None, description="The account; checks.outside if not set.")


class ChecksSettings(Model):
    """Mail that proves the path. Source: the guide, tests of inbound and outbound mail."""

    mailbox: MailAddress = Field(description="A mailbox of the tenant, for probes only.")
    outside: MailAddress = Field(description="A mailbox outside, for probes only.")
    imap: OutsideMailbox | None = Field(
        None, description="Its IMAP server. Without it, that the header is gone outside is «not proven»."
    )
    deadline: Duration = Field(
        timedelta(minutes=75), description="How long to look for a message; Microsoft's side may lag an hour."
    )
    forged: Flag = Field(
        default=True,
        description="Whether a forged message is tried: a rule above ours, for the probe mailbox and one"
        " subject only, sends a wrong header for as long as the check runs. Without it the filter is"
        " «not proven».",
    )
    via: JumpHostSettings | None = Field(
        None, description="A host that the probe goes through by SSH, where port 25 is shut to this machine."
    )


class SettleSettings(Model):
    """How long something may act after it was removed or changed: what it led to stays that long."""

    rule: Duration = Field(
        timedelta(minutes=60),
        description="For the outbound rule, and for the lock-down when it is opened."
        " Source: Microsoft Learn, mail flow rules.",
    )
    mx: Annotated[Duration | None, OrWord("ttl")] = Field(
        _TTL,
        description="For an MX record; ttl: the time to live of the record that went, and as long again"
        " (5 min at most) for mail that is on its way then. For a kept SPF record: its time to live.",
    )
