"""What tests of the gateway driver ask a live session."""

from typing import Any

import pytest

from dynamic_providers.connections import GatewayConnection
from dynamic_providers.gateway import smtp_routes
from dynamic_providers.gateway.session import Session
from lab.estate import Estate
from tests.protocol.gateway_life import connection, plugin


def read_routes(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, gateway: GatewayConnection | None = None
) -> Any:
    with plugin(estate, monkeypatch, gateway) as live:
        return live.read(smtp_routes.TABLE, smtp_routes._read)


def member(estate: Estate, **changes: Any) -> GatewayConnection:
    there = connection(estate)
    first = there.members[0].model_copy(update=changes)
    return there.model_copy(update={"members": (first, *there.members[1:])})


def show_changes(session: Session) -> str:
    return session.shell.command("showchanges").text


def pending(text: str) -> bool:
    return "no changes" not in text.lower()
