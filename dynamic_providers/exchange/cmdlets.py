"""The cmdlets that we use, as data: which parameters each may be given. What is read is never echoed back.

Source: Microsoft Learn, the pages of New- and Set-TransportRule, -InboundConnector and -OutboundConnector, of
Set-HostedConnectionFilterPolicy and Set-OrganizationConfig.
What reads and cannot be written, or not by that cmdlet, is not here: UseLegacyRegex, ConnectorSource, Enabled
of Set-TransportRule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dynamic_providers.exchange.rule_parameters import RULE_PARAMETERS


@dataclass(frozen=True)
class Kind:
    """One kind of object of the tenant: `noun` as in its cmdlets, and what New- and Set- may be given."""

    noun: str
    label: str
    new: frozenset[str] = frozenset()
    set: frozenset[str] = frozenset()
    get: Mapping[str, Any] = field(default_factory=dict)  # what Get- is asked besides
    one: bool = False  # whether there is only one: it has no identity, and its Get- is no list
    whole: bool = False  # whether its Get- gives all there is, and takes no ResultSize

    def cmdlet(self, verb: str) -> str:
        """A cmdlet's name, e.g. `New-TransportRule`."""
        return f"{verb}-{self.noun}"

    def writable(self, verb: str) -> frozenset[str]:
        """The parameters that a cmdlet of this kind may be given."""
        identity = frozenset[str]() if self.one else frozenset({"Identity"})
        return {"New": self.new | {"Name"}, "Set": self.set | identity}.get(verb, identity)

    @property
    def asked(self) -> dict[str, Any]:
        """What its Get- is given, so that all of it comes."""
        return {**({} if self.one or self.whole else {"ResultSize": "Unlimited"}), **self.get}


_INBOUND: Final = frozenset({
    "AssociatedAcceptedDomains", "ClientHostNames", "Comment", "ConnectorType", "EFSkipIPs",
    "EFSkipLastIP", "EFSkipMailGateway", "EFTestMode", "EFUsers", "Enabled", "RequireTls",
    "RestrictDomainsToCertificate", "RestrictDomainsToIPAddresses", "ScanAndDropRecipients",
    "SenderDomains", "SenderIPAddresses", "TlsSenderCertificateName", "TrustedOrganizations",
})  # fmt: skip
_OUTBOUND: Final = frozenset({
    "Comment", "ConnectorType", "Enabled", "IsTransportRuleScoped", "RecipientDomains", "SmartHosts",
    "MtaStsMode", "SmtpDaneMode", "TestMode", "TlsDomain", "TlsSettings", "UseMXRecord",
})  # fmt: skip
VALIDATION: Final = frozenset({"IsValidated", "LastValidationTimestamp", "ValidationRecipients"})

# A Partner connector refuses these, even as `false`.
INBOUND_ON_PREMISES: Final = frozenset({"CloudServicesMailEnabled", "TreatMessagesAsInternal"})
OUTBOUND_ON_PREMISES: Final = frozenset({
    "AllAcceptedDomains", "CloudServicesMailEnabled", "RouteAllMessagesViaOnPremises",
    "SenderRewritingEnabled",
})  # fmt: skip

TRANSPORT_RULE: Final = Kind(
    "TransportRule",
    "transport rule",
    new=RULE_PARAMETERS | {"Enabled", "Priority"},
    set=RULE_PARAMETERS | {"Priority"},
)
INBOUND_CONNECTOR: Final = Kind(
    "InboundConnector",
    "inbound connector",
    new=_INBOUND | INBOUND_ON_PREMISES,
    set=_INBOUND | INBOUND_ON_PREMISES,
)
OUTBOUND_CONNECTOR: Final = Kind(
    "OutboundConnector",
    "outbound connector",
    new=_OUTBOUND | OUTBOUND_ON_PREMISES,
    set=_OUTBOUND | OUTBOUND_ON_PREMISES | VALIDATION,
    get={"IncludeTestModeConnectors": True},  # else one that was put into test mode looks gone
)
ACCEPTED_DOMAIN: Final = Kind("AcceptedDomain", "accepted domain")
CONNECTION_FILTER: Final = Kind(
    "HostedConnectionFilterPolicy",
    "connection filter policy",
    set=frozenset({"IPAllowList"}),
    whole=True,
)
DKIM: Final = Kind("DkimSigningConfig", "DKIM signing", whole=True)
ORGANIZATION: Final = Kind(
    "OrganizationConfig", "organization", set=frozenset({"RejectDirectSend"}), one=True
)
