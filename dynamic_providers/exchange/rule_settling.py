"""When Microsoft 365 acts as a rule says: from its last change on, after the settle time."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import ExchangeClient
from dynamic_providers.exchange.cmdlets import TRANSPORT_RULE
from dynamic_providers.exchange.message_trace import when
from dynamic_providers.settling import wait_until

_WHY = (
    "Microsoft may go on acting on it until then, so what it leads to stays until then. Safe to interrupt: "
    "the next run waits again"
)


def settled_at(rule: Row, where: str, settle: float) -> datetime:
    """From when on all of Microsoft 365 acts as the rule now says; `settle` in seconds."""
    place = f"{where}, transport rule «{rule.get('Name')}», WhenChanged"
    return when(rule.get("WhenChanged"), place) + timedelta(seconds=settle)


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
