"""Others' transport rules that touch mail on its way to or from the gateways. Rows in, findings out."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dynamic_providers.address_spans import overlapping
from dynamic_providers.entries import some
from dynamic_providers.equivalents import Finding
from dynamic_providers.exchange import forms
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import Rows
from dynamic_providers.exchange.foreign_connectors import name_of, others, same_hosts
from dynamic_providers.exchange.rule_order import in_order, state_of

Part = Mapping[str, Any]


def acting(rows: Rows, ours: Collection[str]) -> list[Row]:
    """Rules of other names that do something: switched on, and no trial."""
    names = {name.casefold() for name in ours}
    active = (row for row in in_order(rows) if state_of(row) == "Enabled")
    enforced = (row for row in active if str(row.get("Mode") or "Enforce").casefold() == "enforce")
    return [row for row in enforced if name_of(row).casefold() not in names]


# --- inbound ------------------------------------------------------------------------------------------------


def inbound(rows: Rows, part: Part, ours: Collection[str]) -> Iterator[Finding]:
    """Rules that spare the gateways' mail the spam filter already."""
    for row in acting(rows, ours):
        shared = overlapping(forms.addresses(row.get("SenderIpRanges")) or [], part["addresses"])
        if shared and forms.number(row.get("SetSCL")) == -1:
            says = f"switches the spam filter off for mail from the gateways ({some(shared)})"
            if part.get("filtered"):
                says += ", so Microsoft does not filter it, whatever inbound.spamBypass says"
                fix = "remove it, or exempt those addresses from it"
                yield Finding("transport rule", name_of(row), says, fix=fix, harmful=False)
            else:
                says += ", as ours does: that stays so when ours goes"
                yield Finding("transport rule", name_of(row), says, "inboundRule", harmful=False)


# --- outbound -----------------------------------------------------------------------------------------------


def outbound(rows: Rows, part: Part, ours: Collection[str], connectors: Rows) -> Iterator[Finding]:
    """Rules that set our header, or send mail to the outside through a connector."""
    working = others(connectors, ())
    leading = {name_of(row).casefold() for row in working if same_hosts(row, part["smartHosts"])}
    leading.add(str(part["connector"]).casefold())
    elsewhere = {name_of(row).casefold() for row in working}
    for row in acting(rows, ours):
        finding = _stamping(row, part) or _routing(row, part, leading, elsewhere)
        if finding is not None and _to_the_outside(row):
            yield finding


def _stamping(row: Row, part: Part) -> Finding | None:
    """Of a rule that sets or takes off the header by which the gateway knows this tenant's mail."""
    header, through = part["header"], _connector(row)
    if _is(row.get("SetHeaderName"), header):
        sends = f", and sends mail through the connector «{through}»" if through else ""
        says = (
            f"sets the header {header}, too{sends}: where it acts after ours, the gateway gets its value, "
            "and drops the mail"
        )
        return Finding("transport rule", name_of(row), says, "outboundRule")
    if _is(row.get("RemoveHeader"), header):
        says = f"takes the header {header} off, so the gateway drops the mail that it acts on"
        return Finding("transport rule", name_of(row), says)
    return None


def _routing(row: Row, part: Part, leading: Collection[str], elsewhere: Collection[str]) -> Finding | None:
    """Of a rule that routes mail by a connector: one that leads to the gateways, or past them."""
    through, rule = _connector(row), part["rule"]
    if through.casefold() in leading:
        says = (
            f"sends mail to the gateway through the connector «{through}» without our header: our filter "
            f"drops what the rule «{rule}» has not stamped"
        )
        return Finding("transport rule", name_of(row), says, "outboundRule")
    if through.casefold() in elsewhere:
        says = (
            f"sends mail through the connector «{through}», past the gateway: what the rule «{rule}» has "
            "stamped leaves with our secret in it"
        )
        return Finding("transport rule", name_of(row), says)
    return None


def _connector(row: Row) -> str:
    return str(row.get("RouteMessageOutboundConnector") or "")


def _to_the_outside(row: Row) -> bool:
    """Whether it may act on what our rule acts on: mail from inside to the outside."""
    inward = _is(row.get("SentToScope"), "InOrganization") or _is(row.get("FromScope"), "NotInOrganization")
    return not inward


def _is(value: object, word: str) -> bool:
    return str(value or "").casefold() == word.casefold()
