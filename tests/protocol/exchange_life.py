"""One Exchange resource's life in this process: the engine's calls in order, each run with a new client."""

from typing import Any

from dynamic_providers import connections, managed_provider
from dynamic_providers.entries import Props
from dynamic_providers.exchange.cmdlets import INBOUND_CONNECTOR, OUTBOUND_CONNECTOR, TRANSPORT_RULE, Kind
from dynamic_providers.exchange.exchange_object import ExchangeObjectProvider
from dynamic_providers.exchange.inbound_connector import InboundConnectorProvider
from dynamic_providers.exchange.outbound_connector import OutboundConnectorProvider
from dynamic_providers.exchange.snapshot import ExchangeSnapshotProvider
from dynamic_providers.exchange.transport_rule import TransportRuleProvider
from tests.protocol.exchange_practice import Practice

TENANT = "bcedemo.onmicrosoft.com"
BYPASS = "Bypass spam filtering - inbound email from Cisco CES"
INBOUND = "Inbound from Cisco CES"
OUTBOUND = "Outbound to Cisco CES"

PROVIDERS: dict[str, ExchangeObjectProvider] = {
    "bypass": TransportRuleProvider(),
    "inbound": InboundConnectorProvider(),
    "outbound": OutboundConnectorProvider(),
    "rule": TransportRuleProvider(),
}
# What the component will give for the guide's rows a, b, j and k.
INPUTS: dict[str, Props] = {
    "bypass": {
        "tenant": TENANT,
        "name": BYPASS,
        "senderIpRanges": ["198.51.100.186", "192.0.2.105"],
        "setScl": -1,
        "placement": {"below": OUTBOUND},
        "setHeaderValue": "",
        "other": {},
    },
    "inbound": {
        "tenant": TENANT,
        "name": INBOUND,
        "senderIpAddresses": ["198.51.100.186", "192.0.2.105"],
        "other": {},
    },
    "outbound": {"tenant": TENANT, "name": OUTBOUND, "smartHosts": ["198.51.100.186"], "other": {}},
    "rule": {
        "tenant": TENANT,
        "name": OUTBOUND,
        "fromScope": "InOrganization",
        "sentToScope": "NotInOrganization",
        "routeMessageOutboundConnector": OUTBOUND,
        "setHeaderName": "X-OUTBOUND-AUTH",
        "setHeaderValue": "mysecretkey",
        "placement": {"top": True, "besides": [BYPASS]},
        "other": {},
    },
}


class CheckRefused(Exception):
    """`check` found failures: their lines."""


class Life:
    """The state of one resource."""

    def __init__(self, practice: Practice, row: str, **inputs: Any) -> None:
        self.practice, self.provider = practice, PROVIDERS[row]
        self.inputs: Props = {**INPUTS[row], **inputs}
        self.outs: Props = {}
        self.checked: Props = {}
        self.new_process()
        kind = self.provider.take_over_key
        name = self.inputs["name"]
        record = ExchangeSnapshotProvider().record({"tenant": TENANT}, {kind: [name]})
        self.inputs["before"] = record[kind]

    def new_process(self) -> None:
        """Forget what a process keeps."""
        connections._live["exchange"] = self.practice.client()
        managed_provider._kept.clear()

    def preview(self) -> bool:
        """Whether there is something to do; CheckRefused if `check` says no."""
        checked = self.provider.check(self.checked, dict(self.inputs))
        if checked.failures:
            raise CheckRefused("; ".join(failure.reason for failure in checked.failures))
        return not self.outs or bool(self.provider.diff(self._id, self.outs, checked.inputs).changes)

    def up(self) -> bool:
        """Whether something was done."""
        self.new_process()
        todo = self.preview()
        checked = self.provider.check(self.checked, dict(self.inputs)).inputs
        if todo and not self.outs:
            created = self.provider.create(checked)
            self._id, self.outs = created.id, created.outs or {}
        elif todo:
            self.outs = self.provider.update(self._id, self.outs, checked).outs or {}
        self.checked = checked
        return todo

    def refresh(self) -> None:
        self.new_process()
        found = self.provider.read(self._id, self.outs)
        self.outs, self.checked = dict(found.outs or {}), dict(found.inputs or {})

    def drift(self) -> dict[str, tuple[Any, Any]]:
        """After a refresh: the attributes that `diff` finds, theirs and ours."""
        self.refresh()
        checked = self.provider.check(self.checked, dict(self.inputs)).inputs
        found = self.provider._differences(self.provider.entries(self.outs), self.provider.entries(checked))
        assert bool(found) == bool(self.provider.diff(self._id, self.outs, checked).changes)
        return {one.attribute: (one.theirs, one.ours) for one in found}

    def destroy(self) -> None:
        self.new_process()
        self.provider.delete(self._id, self.outs)
        self.outs, self.checked = {}, {}


def block(dump: str, heading: str) -> str:
    """One object's lines in a dump."""
    found = [part for part in dump.split("\n\n") if part.startswith(f"{heading}\n")]
    assert len(found) <= 1
    return found[0] if found else ""


ROWS = ("bypass", "inbound", "outbound", "rule")
KINDS: dict[str, Kind] = {
    "bypass": TRANSPORT_RULE,
    "inbound": INBOUND_CONNECTOR,
    "outbound": OUTBOUND_CONNECTOR,
    "rule": TRANSPORT_RULE,
}
HEADINGS = {
    "bypass": f"transport rule {BYPASS}",
    "inbound": f"inbound connector {INBOUND}",
    "outbound": f"outbound connector {OUTBOUND}",
    "rule": f"transport rule {OUTBOUND}",
}
# As the guide's steps leave them; comment, source and validation are nobody's wish.
GOLDEN = {
    "bypass": """\
  State: Enabled
  Mode: Enforce
  RuleErrorAction: Ignore
  SenderAddressLocation: Header
  RecipientAddressType: Resolved
  RuleSubType: None
  SenderIpRanges: ["192.0.2.105", "198.51.100.186"]
  SetSCL: -1""",
    "inbound": """\
  Enabled: true
  ConnectorType: Partner
  SenderIPAddresses: ["192.0.2.105", "198.51.100.186"]
  SenderDomains: ["smtp:*;1"]
  TrustedOrganizations: []
  ClientHostNames: []
  AssociatedAcceptedDomains: []
  RequireTls: true
  RestrictDomainsToIPAddresses: false
  RestrictDomainsToCertificate: false
  CloudServicesMailEnabled: false
  TreatMessagesAsInternal: false
  TlsSenderCertificateName: null
  EFTestMode: false
  ScanAndDropRecipients: []
  EFSkipLastIP: false
  EFSkipIPs: []
  EFSkipMailGateway: []
  EFUsers: []""",
    "outbound": """\
  Enabled: true
  UseMXRecord: false
  ConnectorType: Partner
  RecipientDomains: []
  SmartHosts: ["198.51.100.186"]
  TlsDomain: null
  TlsSettings: EncryptionOnly
  IsTransportRuleScoped: true
  RouteAllMessagesViaOnPremises: false
  CloudServicesMailEnabled: false
  AllAcceptedDomains: false
  SenderRewritingEnabled: false
  MtaStsMode: Opportunistic
  SmtpDaneMode: Opportunistic
  TestMode: false
  ValidationRecipients: []
  IsValidated: false""",
    "rule": """\
  Priority: 0
  State: Enabled
  Mode: Enforce
  RuleErrorAction: Ignore
  SenderAddressLocation: Header
  RecipientAddressType: Resolved
  RuleSubType: None
  FromScope: InOrganization
  SentToScope: NotInOrganization
  SetHeaderName: X-OUTBOUND-AUTH
  SetHeaderValue: sha256:2afe16a6d630
  RouteMessageOutboundConnector: Outbound to Cisco CES""",
}
LEFT_OUT = {"bypass": ("Priority", "Comments"), "rule": ("Comments",)}
LEFT_OUT |= dict.fromkeys(("inbound", "outbound"), ("Comment", "ConnectorSource"))


def shown(practice: Practice, row: str) -> str:
    lines = block(practice.lab.dump(), HEADINGS[row]).splitlines()[1:]
    return "\n".join(line for line in lines if line.strip().partition(":")[0] not in LEFT_OUT[row])


def by_hand(practice: Practice, row: str, **parameters: Any) -> None:
    practice.lab.invoke_by_hand(
        KINDS[row].cmdlet("Set"), Identity=HEADINGS[row].split(" ", 2)[2], **parameters
    )


def life(practice: Practice, row: str, **inputs: Any) -> Life:
    if row == "rule" and OUTBOUND not in practice.lab.dump():
        Life(practice, "outbound").up()
    return Life(practice, row, **inputs)


def writes(practice: Practice) -> list[str]:
    return [cmdlet for cmdlet in practice.calls() if not cmdlet.startswith("Get-")]


def order(practice: Practice) -> list[str]:
    rows = practice.client().rows(TRANSPORT_RULE)
    return [str(row["Name"]) for row in sorted(rows, key=lambda row: int(row["Priority"]))]
