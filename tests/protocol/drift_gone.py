"""Drift cases of whole objects and entries: deleted by hand, or renamed, so that ours is gone."""

from __future__ import annotations

from dataclasses import dataclass

from lab.estate import Estate
from tests.hands.acts import Hand, all_of, call, type_in
from tests.hands.names import BYPASS, DOMAIN, FILTER, INBOUND, OUTBOUND
from tests.protocol.drift_bench import GONE, Bench, Case, Shown
from tests.protocol.drift_gateway import GROUP, script
from tests.protocol.drift_keys import MODELS
from tests.protocol.drift_tenant import LABELS

HAT = "listenerconfig edit OutgoingMail hostaccess"
STAY = ("tenant", "gateway", "listener", "name", "placement", "settle", "group", "header")
"""Inputs that say where, or are a setting: they stay when the object is gone."""
EMPTY = {"other": {}, "setHeaderValue": ""}
"""Secret inputs stay secret ones, and are empty."""


@dataclass(frozen=True)
class Gone:
    """What goes: the object itself, or the entry of a table under `entry`."""

    name: str
    by_hand: Hand
    resource: str
    line: str
    entry: str = ""
    after: Hand | None = None

    def case(self, bench: Bench) -> Case:
        """Each of its inputs is shown as not there any more."""
        return Case(self.name, self.by_hand, self.resource, self._shown(bench), (self.line,), self.after)

    def _shown(self, bench: Bench) -> Shown:
        ours = {
            path.removeprefix(f"{self.resource}/"): value
            for path, value in bench.desired.items()
            if path.startswith(f"{self.resource}/{self.entry}")
        }
        tenant = "tenant" in MODELS[self.resource].model_fields
        left = {path: EMPTY.get(path, GONE) if tenant else GONE for path in ours}
        return {
            path: (left[path], value)
            for path, value in ours.items()
            if path not in STAY and path.partition("/")[0] != "placement" and left[path] != value
        }


def without_outbound_connector(estate: Estate) -> None:
    estate.tenant.switches.connector_in_use = "removed"
    call("Remove-OutboundConnector", Identity=OUTBOUND)(estate)


TWO_MISSING = "outbound filter: 2 alternatives missing"

GONE_CASES = [
    Gone(
        "route deleted",
        type_in(f"smtproutes delete {DOMAIN}"),
        "smtp-routes",
        f"SMTP route «{DOMAIN}»: is gone",
        f"routes/{DOMAIN}/",
    ),
    Gone(
        "destination control deleted",
        type_in(f"destconfig delete {DOMAIN}"),
        "destination-controls",
        f"destination control «{DOMAIN}»: is gone",
        f"controls/{DOMAIN}/",
    ),
    Gone(
        "recipient deleted",
        type_in(f"listenerconfig edit IncomingMail rcptaccess delete {DOMAIN}"),
        "recipient-access",
        f"recipient access entry «{DOMAIN}»: is gone",
        f"recipients/{DOMAIN}/",
    ),
    Gone(
        "sender group deleted",
        type_in(f"{HAT} delete sendergroup RELAY_O365"),
        "sender-group",
        "sender group «RELAY_O365»: is gone",
    ),
    Gone(
        "sender group renamed",
        type_in(f"{GROUP} rename", "THEIRS"),
        "sender-group",
        "sender group «RELAY_O365»: is gone",
        after=type_in(f"{HAT} delete sendergroup THEIRS"),
    ),
    Gone(
        "filter deleted", type_in(f"filters delete {FILTER}"), "outbound-filter", TWO_MISSING, "alternatives/"
    ),
    Gone(
        "filter renamed",
        type_in(
            *(f"filters delete {FILTER}", "filters new"),
            *(line.replace(FILTER, "theirs") for line in script()),
            ".",
        ),
        "outbound-filter",
        TWO_MISSING,
        "alternatives/",
        after=type_in("filters delete theirs"),
    ),
    Gone(
        "inbound connector deleted",
        call("Remove-InboundConnector", Identity=INBOUND),
        "inbound-connector",
        f"{LABELS['inbound-connector']}: is gone",
    ),
    Gone(
        "inbound connector renamed",
        call("Set-InboundConnector", Identity=INBOUND, Name="Theirs"),
        "inbound-connector",
        f"{LABELS['inbound-connector']}: is gone",
        after=call("Remove-InboundConnector", Identity="Theirs"),
    ),
    Gone(
        "inbound rule deleted",
        call("Remove-TransportRule", Identity=BYPASS),
        "inbound-rule",
        f"{LABELS['inbound-rule']}: is gone",
    ),
    Gone(
        "outbound rule deleted",
        call("Remove-TransportRule", Identity=OUTBOUND),
        "outbound-rule",
        f"{LABELS['outbound-rule']}: is gone",
    ),
    Gone(
        "outbound rule renamed and switched off",
        all_of(
            call("Set-TransportRule", Identity=OUTBOUND, Name="Theirs"),
            call("Disable-TransportRule", Identity="Theirs"),
        ),
        "outbound-rule",
        f"{LABELS['outbound-rule']}: is gone",
        after=call("Remove-TransportRule", Identity="Theirs"),
    ),
]
