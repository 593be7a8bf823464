"""When Microsoft 365 acts as rules and connectors say: from their last change on, after the settle time."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import ExchangeClient
from dynamic_providers.exchange.cmdlets import OUTBOUND_CONNECTOR, TRANSPORT_RULE, Kind
from dynamic_providers.exchange.message_trace import when
from dynamic_providers.settling import clock, wait_until

_NOT_KNOWN = (
    "a part of Microsoft 365 that has the rule and not yet the connector sends past the gateway, header and "
    "all. Safe to interrupt: the next run goes on waiting"
)
_WHY = (
    "Microsoft may go on acting on it until then, so what it leads to stays until then. Safe to interrupt: "
    "the next run waits again"
)


def settled_at(row: Row, where: str, settle: float, kind: Kind = TRANSPORT_RULE) -> datetime:
    """From when on all of Microsoft 365 acts as a rule or connector now says; `settle` in seconds."""
    place = f"{where}, {kind.label} «{row.get('Name')}», WhenChanged"
    return when(row.get("WhenChanged"), place) + timedelta(seconds=settle)


def _connector_known_at(client: ExchangeClient, connector: str, settle: float) -> datetime | None:
    """From when on a rule may lead to a connector; None where there is none yet."""
    row = client.find(OUTBOUND_CONNECTOR, connector)
    return None if row is None else settled_at(row, client.name, settle, OUTBOUND_CONNECTOR)


def wait_for_connector(client: ExchangeClient, rule: str, connector: str, settle: float) -> None:
    """Before a rule leads mail to a connector: wait until all of Microsoft 365 knows the connector."""
    until = _connector_known_at(client, connector, settle)
    if until is not None:
        what = f"{client.name}: the transport rule «{rule}» comes after its connector «{connector}»"
        wait_until(until, what, _NOT_KNOWN)


def told_of_connector(client: ExchangeClient, rule: str, connector: str, settle: float) -> str:
    """What a preview says of that wait; «» where there is none."""
    until = _connector_known_at(client, connector, settle)
    if until is not None and until <= datetime.now(UTC):
        return ""
    span = f"{settle / 60:.0f} min" if settle >= 60 else f"{settle:.0f} s"
    later = f"after {clock(until)}" if until is not None else f"{span} after its connector"
    return (
        f"the transport rule «{rule}» is written {later}, when all of Microsoft 365 knows «{connector}»: the "
        "run waits for that (settle.rule)"
    )


def wait_for_removed(client: ExchangeClient, props: Mapping[str, Any], was: Row | None) -> None:
    """After a rule was removed, or the one before us put back: wait until nothing acts on ours any more.

    A rule that was gone already may have gone a moment ago, in a run that was cut: then all of it is waited.
    One that is there, unchanged by this run, counts from its last change.
    """
    name, settle = str(props["name"]), float(props.get("settle") or 0)
    if settle <= 0:
        return
    now = client.find(TRANSPORT_RULE, name)
    if now is not None and now == was and now.get("WhenChanged"):
        until = settled_at(now, client.name, settle)
    else:
        until = datetime.now(UTC) + timedelta(seconds=settle)
    done = "is gone" if now is None else "is as it was before us"
    wait_until(until, f"{client.name}: the transport rule «{name}» {done}", _WHY)
