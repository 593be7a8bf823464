"""The one session of a process with its gateways: cached reads, and changes that are committed together.

A worker thread owns the session. Provider threads hand it reads and changes and wait. Changes are staged in
the order of their tables once four wait, or once nothing new has come for a moment, and one commit puts all
of them into force.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dynamic_providers import connections, engine
from dynamic_providers.connections import GatewayConnection
from dynamic_providers.gateway import cluster
from dynamic_providers.gateway.batch import Change, put_through
from dynamic_providers.gateway.commit import (
    RUN_AGAIN,
    ConflictError,
    EngineGoneError,
    refuse_foreign_changes,
)
from dynamic_providers.gateway.dialogue import DialogueError
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.shell import ConnectionLostError, ScreenTimeoutError, Shell
from dynamic_providers.gateway.ssh import GatewayError, open_line

FULL_BATCH = 4  # a provider process has four threads: when all of them wait, nothing more can come
QUIET_SECONDS = 0.4
REFUSED_SECONDS = 60.0  # so long a gateway that did not let us in is not asked again
FRESH_SECONDS = 20.0  # a session that was idle for longer is tried with an empty line before it is used
SEEN_SECONDS = 5.0  # a table that was read longer ago is read again before something is staged upon it

T = TypeVar("T")


@dataclass
class _Read:
    table: str
    reader: Callable[[Session], Any]
    done: "Future[Any]" = field(default_factory=Future)


@dataclass
class _Seen:
    """What a table held, and how and when that was read."""

    table: Any
    reader: Callable[[Session], Any]
    at: float = field(default_factory=time.monotonic)


class Gateway:
    """Reads and changes of one gateway, or of one cluster. Safe to use from several threads."""

    def __init__(self, connection: GatewayConnection) -> None:
        self.name = connection.name
        self._connection = connection
        self._requests: queue.SimpleQueue[Change | _Read] = queue.SimpleQueue()
        self._cache: dict[str, _Seen] = {}
        self._session: Session | None = None
        self._refused: tuple[float, GatewayError] | None = None
        self._worker: threading.Thread | None = None
        self._lock = threading.Lock()
        engine.on_death(self.close)

    # --- called by provider threads -------------------------------------------------------------------------

    def read(self, table: str, reader: Callable[[Session], T]) -> T:
        """What a table holds now; read once, until something is written to it by us."""
        request = _Read(table, reader)
        self._hand_over(request)
        result: T = request.done.result()
        return result

    def change(
        self, order: int, table: str, stage: Callable[[Session], None], resource: str, *, why: str = ""
    ) -> None:
        """Have something changed.

        Returns when it is committed; raises when it is not, and then nothing of it is left.
        """
        request = Change(order, table, stage, resource, why)
        self._hand_over(request)
        request.done.result()

    def close(self) -> None:
        """End the session; what is not committed is lost by that."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _hand_over(self, request: Change | _Read) -> None:
        with self._lock:
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name=f"gateway-{self.name}", daemon=True)
                self._worker.start()
        self._requests.put(request)

    # --- the worker -----------------------------------------------------------------------------------------

    def _work(self) -> None:
        batch: list[Change] = []
        while True:
            try:
                request = self._requests.get(timeout=QUIET_SECONDS if batch else None)
            except queue.Empty:
                request = None
            if isinstance(request, _Read):
                self._answer(request)
                continue
            if request is not None:
                batch.append(request)
            if request is None or len(batch) >= FULL_BATCH:
                self._finish(batch)
                batch = []

    def _answer(self, request: _Read) -> None:
        try:
            request.done.set_result(self._read(request))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which would hang without it
            request.done.set_exception(error)

    def _read(self, request: _Read) -> Any:
        if request.table not in self._cache:
            self._cache[request.table] = _Seen(self._guarded(_whole(request.reader)), request.reader)
        return self._cache[request.table].table

    def _finish(self, batch: list[Change]) -> None:
        """Stage and commit a batch; every change is settled afterwards, whatever happens."""
        try:
            self._guarded(lambda session: self._stage_and_commit(session, batch))
        except BaseException as error:  # noqa: BLE001 - handed to the threads that wait, which would hang without it
            for change in _unsettled(batch):
                change.done.set_exception(error)
        finally:
            for change in batch:
                self._cache.pop(change.table, None)

    def _stage_and_commit(self, session: Session, batch: list[Change]) -> None:
        refuse_foreign_changes(session)
        for table in sorted({change.table for change in batch}):
            cluster.refuse_overrides(session, self._connection, table)
            if self._is_outdated(session, table):
                what = f"somebody else has changed {table} since it was read"
                error = ConflictError(what, where=session.name, fix=RUN_AGAIN)
                for change in _unsettled(batch):
                    if change.table == table:
                        change.done.set_exception(error)
        session.holds_changes = True
        put_through(session, _unsettled(batch), self._require_engine)
        session.holds_changes = False

    def _is_outdated(self, session: Session, table: str) -> bool:
        """Whether a table is not any more what our changes of it were made from."""
        seen = self._cache.get(table)
        if seen is None or time.monotonic() - seen.at < SEEN_SECONDS:
            return False
        return bool(seen.reader(session) != seen.table)

    def _require_engine(self) -> None:
        if not engine.is_alive():
            self.close()
            raise EngineGoneError(
                "the engine is gone, so nothing is committed", where=self.name, fix="run it again"
            )

    # --- the session ----------------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[Session], T], *, again: bool = False) -> T:
        """Work with a live session; one that broke is dropped, so that the next request starts afresh.

        One that had ended before anything of ours was staged in it is replaced, once, and the work goes on.
        """
        session = self._live()
        try:
            return work(session)
        except DialogueError:
            raise  # left with Ctrl-C, the session is at its prompt again
        except BaseException as error:
            self.close()
            if isinstance(error, ConnectionLostError) and not session.holds_changes and not again:
                return self._guarded(work, again=True)  # nothing was begun in it that could be done twice
            self._cache.clear()
            raise

    def _live(self) -> Session:
        if self._session is not None and not self._session.line.is_open:
            self.close()
        if self._session is not None and time.monotonic() - self._session.last_used > FRESH_SECONDS:
            try:
                self._session.shell.command("")
            except (ConnectionLostError, ScreenTimeoutError):
                self.close()  # an idle session was ended; nothing was staged in it
        if self._session is None:
            self._session = self._connect()
        return self._session

    def _connect(self) -> Session:
        """A session; the refusal of a moment ago where there was one.

        A dozen resources ask within seconds: a dozen failed logins would lock the account, a dozen time-outs
        take minutes.
        """
        if self._refused and time.monotonic() - self._refused[0] < REFUSED_SECONDS:
            raise self._refused[1]
        try:
            return self._log_in()
        except GatewayError as error:
            self._refused = (time.monotonic(), error)
            raise

    def _log_in(self) -> Session:
        member = self._connection.members[0]
        line = open_line(self._connection, member)
        try:
            shell = Shell(line.channel, member.host)
            session = Session(line, shell, shell.log_in())
            cluster.enter(session, self._connection)
        except BaseException:
            line.close()
            raise
        return session


def _unsettled(batch: list[Change]) -> list[Change]:
    return [change for change in batch if not change.done.done()]


def _whole(reader: Callable[[Session], T]) -> Callable[[Session], T]:
    """Read, and make sure that nothing was still to come: half a table is none."""

    def read(session: Session) -> T:
        found = reader(session)
        session.shell.confirm()
        return found

    return read


_member: ContextVar[str] = ContextVar("member", default="")


def members() -> tuple[str, ...]:
    """The hosts of several gateways that are not clustered; none where there is one gateway, or a cluster."""
    if connections.section("gateway") is None:
        return ()
    connection = connections.gateway_connection()
    several = len(connection.members) > 1 and not connection.cluster
    return tuple(one.host for one in connection.members) if several else ()


def first_member() -> str:
    """The host of the only gateway, or of the first of several."""
    if connections.section("gateway") is None:
        return ""
    return connections.gateway_connection().members[0].host


def member() -> str:
    """The one of several gateways that this thread works on; empty where there is one, or a cluster."""
    return _member.get()


def on_each(work: Callable[[], T]) -> dict[str, T]:
    """Work on one gateway after the other: host → result. Where there is one, or a cluster: no name."""
    found: dict[str, T] = {}
    for host in members() or ("",):
        token = _member.set(host)
        try:
            found[host] = work()
        finally:
            _member.reset(token)
    return found


def gateway() -> Gateway:
    """The one live connection to the gateway, or to the one of several that this thread works on."""
    host = _member.get()
    return connections.only(f"gateway {host}".strip(), Gateway, lambda: Gateway(_connection(host)))


def _connection(host: str) -> GatewayConnection:
    whole = connections.gateway_connection()
    assert bool(host) is bool(members()), "several gateways are worked on with `on_each`"
    chosen = tuple(one for one in whole.members if not host or one.host == host)
    return whole.model_copy(update={"members": chosen})
