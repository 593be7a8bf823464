"""One client of one tenant: lists read once and cached until a write, writes that are read back."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

from dynamic_providers import connections
from dynamic_providers.connections import Endpoints, TenantConnection
from dynamic_providers.errors import register_secret
from dynamic_providers.exchange.admin_api import AdminApi, Patience, Row
from dynamic_providers.exchange.cmdlets import Kind
from dynamic_providers.exchange.errors import NotFound, NotReadBack, Unreadable
from dynamic_providers.exchange.faults import HOLDS_SECRET

Rows = Sequence[Row]
_LONGEST_LOOK: Final = 5.0  # seconds between two looks at whether a write can be read


@dataclass(frozen=True)
class Step:
    """One cmdlet of a write: `New`, `Set`, `Remove`, `Enable` or `Disable` of the kind that is written."""

    verb: str
    parameters: dict[str, Any] = field(default_factory=dict)


class ExchangeClient:
    """The one client of a tenant and process; thread-safe. Writes of one kind run one at a time, in order.

    Errors are those of `exchange.errors`.
    """

    def __init__(
        self, tenant: TenantConnection, endpoints: Endpoints, patience: Patience | None = None
    ) -> None:
        self.name = tenant.initial_domain
        self._patience = patience or Patience()
        self._api = AdminApi(tenant, endpoints, self._patience)
        self._cache: dict[str, list[Row]] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def rows(self, kind: Kind) -> Rows:
        """All objects of a kind, as last read; read anew after a write to that kind."""
        with self._lock_of(kind):
            if kind.noun not in self._cache:
                found = self._api.run(kind.cmdlet("Get"), kind.asked)
                if not kind.one and not all(isinstance(row.get("Name"), str) for row in found):
                    raise Unreadable("an object of the list has no name", where=f"{self.name}, {kind.label}")
                self._cache[kind.noun] = found
            return list(self._cache[kind.noun])

    def find(self, kind: Kind, name: str) -> Row | None:
        """The object of that name, in whatever case. Picked from the list: `-Identity` can give others."""
        return named(self.rows(kind), name)

    def ask(self, cmdlet: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Run a cmdlet that is no list of ours and changes none: a trace, a validation. Nothing is kept.

        What it gives may be cut: who asks for a list by it goes on asking for the rest.
        """
        return self._api.run(cmdlet, parameters, paged=True)

    def forget(self, kind: Kind) -> None:
        """Read that kind anew next time: something else than `write` may have changed it."""
        with self._lock_of(kind):
            self._cache.pop(kind.noun, None)

    def alone(self, kind: Kind) -> threading.RLock:
        """While it is held, no other thread writes that kind: what its list says stays true."""
        return self._lock_of(kind)

    def write(self, kind: Kind, steps: Sequence[Step], missing: Callable[[Rows], str]) -> None:
        """Run the steps, then read until `missing` says nothing more: all that was written can be read."""
        with self._lock_of(kind):
            for step in steps:
                self._cache.pop(kind.noun, None)
                self._run(kind, step)
            self._read_back(kind, missing)

    def _run(self, kind: Kind, step: Step) -> None:
        unknown = set(step.parameters) - kind.writable(step.verb)
        assert not unknown, f"{kind.cmdlet(step.verb)} is never given {sorted(unknown)}"
        for name, value in step.parameters.items():
            if HOLDS_SECRET.fullmatch(name):  # others' too, when theirs is put back
                for text in [value] if isinstance(value, str) else value or []:
                    register_secret(str(text))
        try:
            self._api.run(kind.cmdlet(step.verb), step.parameters)
        except NotFound:
            if step.verb != "Remove":  # gone already is what was wanted
                raise

    def _read_back(self, kind: Kind, missing: Callable[[Rows], str]) -> None:
        def look() -> str:
            self._cache.pop(kind.noun, None)
            return missing(self.rows(kind))

        time.sleep(self._patience.first_look)  # read at once, it would nearly always be read twice
        waiting = Retrying(
            retry=retry_if_result(bool),
            wait=wait_exponential(multiplier=self._patience.first_look, max=_LONGEST_LOOK),
            stop=stop_after_delay(self._patience.read_back),
        )
        try:
            waiting(look)
        except RetryError as error:
            self._cache.pop(kind.noun, None)
            raise NotReadBack(
                f"written, but it does not read back within {self._patience.read_back:g} s: "
                f"{error.last_attempt.result()}",
                where=f"{self.name}, {kind.label}",
                fix="look for someone else at work there, then run it again",
            ) from None

    def _lock_of(self, kind: Kind) -> threading.RLock:
        with self._lock:
            return self._locks.setdefault(kind.noun, threading.RLock())


def named(rows: Rows, name: str) -> Row | None:
    """The row of that name; names ignore case."""
    return next((row for row in rows if str(row.get("Name", "")).casefold() == name.casefold()), None)


def exchange() -> ExchangeClient:
    """The one client of the tenant of this process."""

    def make() -> ExchangeClient:
        return ExchangeClient(connections.tenant_connection(), connections.endpoints())

    return connections.only("exchange", ExchangeClient, make)
