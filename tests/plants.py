"""Defects that are planted into a plugin before it starts, so that the tests have something to find."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import requests

from dynamic_providers import engine, errors
from dynamic_providers.entries import ABSENT, Entries, Place, Props, plain
from dynamic_providers.exchange import admin_api, client
from dynamic_providers.gateway import batch, commit, filter_text, outbound_filter
from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.tables import GatewayProvider
from dynamic_providers.managed_provider import ManagedProvider


def plant(*names: str) -> None:
    """Make this process have defects."""
    for name in names:
        PLANTS[name]()


def _read_back_skipped() -> None:
    """What was written counts, whether it is there or not."""

    def write(
        self: ManagedProvider, place: Place, changes: dict[str, Any], live: Entries, props: Props
    ) -> None:
        self.apply(place, changes, live, {"change": props.get("change", {})})

    _put(ManagedProvider, "_write", write)
    _put(client.ExchangeClient, "_read_back", lambda *_: None)


def _committed_too_early() -> None:
    """Each dialogue is committed as soon as it is through, whatever still belongs to it."""
    run = outbound_filter._run

    def run_and_commit(session: Session, script: Script, name: str) -> None:
        run(session, script, name)
        commit.commit(session, "too early")

    _put(outbound_filter, "_run", run_and_commit)


def _clear_forgotten() -> None:
    """What was refused stays pending."""
    for module in (batch, commit):
        _put(module, "clear", lambda _session: None)


def _before_as_an_output() -> None:
    """What was there before us is looked at when a resource is made, not when all began."""
    create = ManagedProvider.create

    def created(self: ManagedProvider, props: Props) -> Any:
        props = plain(props)
        before, look = self._before(props), self.recorded if isinstance(self, GatewayProvider) else self.live
        there = look(self._place(props), sorted(before))
        own = {key: there[key] for key, record in before.items() if record == ABSENT and key in there}
        return create(self, {**props, "before": before | own})

    _put(ManagedProvider, "create", created)


def _death_not_noticed() -> None:
    """The engine is taken to be there for ever."""
    _put(engine, "is_alive", lambda: True)


def _another_tenants_alternative_dropped() -> None:
    """The filter is written with our own secrets only."""
    from tests.hands.others import THEIR_SECRET  # here, since it brings the whole lab with it

    render = filter_text.render

    def ours_alone(
        name: str, group: str, header: str, values: tuple[str, ...], *more: str
    ) -> tuple[str, ...]:
        return render(name, group, header, tuple(one for one in values if one != THEIR_SECRET), *more)

    _put(filter_text, "render", ours_alone)


def _shows_everything() -> None:
    """What is sent to Exchange is remembered, and thrown in the operator's face with a secret among it."""
    sent, send = list[str](), requests.Session.send

    def broken(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
        sent.append(f"{dict(request.headers)} {request.body!r}")
        if "SetHeaderValue" in sent[-1]:
            raise RuntimeError(f"who thought of this? {sent}")
        return send(self, request, **options)

    _put(requests.Session, "send", broken)


def _redaction_off() -> None:
    """Nothing is taken out of an error."""
    _put(errors, "redact", lambda text: text)


def _impatient() -> None:
    """What was written must be there within a second, not within minutes."""
    _put(client, "Patience", partial(admin_api.Patience, read_back=1.0))


def _put(owner: object, name: str, value: object) -> None:
    assert hasattr(owner, name), f"the product has no {name} any more: plant the defect elsewhere"
    setattr(owner, name, value)


PLANTS: Mapping[str, Callable[[], None]] = {
    "read-back skipped": _read_back_skipped,
    "commit too early": _committed_too_early,
    "clear forgotten": _clear_forgotten,
    "before as an output": _before_as_an_output,
    "death not noticed": _death_not_noticed,
    "another tenant's alternative dropped": _another_tenants_alternative_dropped,
    "bug": _shows_everything,
    "redaction off": _redaction_off,
    "impatient": _impatient,
}
