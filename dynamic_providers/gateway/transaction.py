"""The one session of a process with its gateways: cached reads, and changes that are committed together.

A worker thread owns the session. Provider threads hand it reads and changes and wait. Changes are staged in
the order of their tables once four wait, or once nothing new has come for a moment, and one commit puts all
of them into force.
"""

import queue
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dynamic_providers import connections, engine
from dynamic_providers.connections import GatewayConnection
from dynamic_providers.gateway import cluster
from dynamic_providers.gateway.commit import EngineGoneError, clear, commit, refuse_foreign_changes
from dynamic_providers.gateway.dialogue import Conversation, DialogueError
from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.shell import ConnectionLostError, ScreenTimeoutError, Shell
from dynamic_providers.gateway.ssh import GatewayError, Line, open_line

FULL_BATCH = 4  # a provider process has four threads: when all of them wait, nothing more can come
QUIET_SECONDS = 0.4
REFUSED_SECONDS = 60.0  # so long a gateway that did not let us in is not asked again
FRESH_SECONDS = 20.0  # a session that was idle for longer is tried with an empty line before it is used

T = TypeVar("T")


class NotAvailableError(GatewayError):
    """Settings that this release of ours cannot serve yet."""


@dataclass
class Session:
    """A live command line on one gateway (or on a whole cluster, at the cluster's level)."""

    line: Line
    shell: Shell
    banner: str
    checked_pending: bool = False
    tables_checked: set[str] = field(default_factory=set)
    last_used: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """Whose command line this is, for errors."""
        return self.shell.name

    def run(self, script: Script) -> list[str]:
        """Go through a script. What was printed: after the command, then after each of its steps."""
        try:
            return Conversation(self.shell, script).run()
        finally:
            self.last_used = time.monotonic()

    def close(self) -> None:
        """End it; what was not committed is lost by that."""
        self.line.close()


@dataclass
class Change:
    """Something to be staged and committed. `resource` names it in the commit's comment."""

    order: int  # of the table: policy, sender group, filter, destination controls, recipients, routes
    table: str  # whose cached read ends by it
    stage: Callable[[Session], None]
    resource: str
    ticket: str = ""
    done: "Future[None]" = field(default_factory=Future)


@dataclass
class _Read:
    table: str
    reader: Callable[[Session], Any]
    done: "Future[Any]" = field(default_factory=Future)


class Gateway:
    """Reads and changes of one gateway, or of one cluster. Safe to use from several threads."""

    def __init__(self, connection: GatewayConnection) -> None:
        if len(connection.members) > 1 and not connection.cluster:
            raise NotAvailableError(
                "several gateways that are not clustered are not available yet",
                where=connection.name,
                fix="set gateway.cluster if they are, or name one member",
            )
        self.name = connection.name
        self._connection = connection
        self._requests: queue.SimpleQueue[Change | _Read] = queue.SimpleQueue()
        self._cache: dict[str, Any] = {}
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
        self, order: int, table: str, stage: Callable[[Session], None], resource: str, *, ticket: str = ""
    ) -> None:
        """Have something changed.

        Returns when it is committed; raises when it is not, and then nothing of it is left.
        """
        request = Change(order, table, stage, resource, ticket)
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
                _settle(request.done, lambda r=request: self._read(r))  # type: ignore[misc]
                continue
            if request is not None:
                batch.append(request)
            if request is None or len(batch) >= FULL_BATCH:
                self._finish(batch)
                batch = []

    def _read(self, request: _Read) -> Any:
        if request.table not in self._cache:
            self._cache[request.table] = self._guarded(request.reader)
        return self._cache[request.table]

    def _finish(self, batch: list[Change]) -> None:
        """Stage and commit a batch; every change is settled afterwards, whatever happens."""
        try:
            self._guarded(lambda session: self._stage_and_commit(session, batch))
        except BaseException as error:  # noqa: BLE001 - handed to the threads that wait, which would hang without it
            for change in batch:
                if not change.done.done():
                    change.done.set_exception(error)
        finally:
            for change in batch:
                self._cache.pop(change.table, None)

    def _stage_and_commit(self, session: Session, batch: list[Change]) -> None:
        refuse_foreign_changes(session)
        for table in sorted({change.table for change in batch}):
            cluster.refuse_overrides(session, self._connection, table)
        staged = self._stage(session, sorted(batch, key=lambda change: (change.order, change.resource)))
        if not staged:
            return
        if not engine.is_alive():
            self.close()
            raise EngineGoneError(
                "the engine is gone, so nothing is committed", where=self.name, fix="run it again"
            )
        commit(session, _comment(staged))
        for change in staged:
            change.done.set_result(None)

    def _stage(self, session: Session, batch: list[Change]) -> list[Change]:
        """Stage all that can be staged; a bad change fails alone: `clear`, and the others are staged anew."""
        left = list(batch)
        while left:
            bad = _first_that_fails(session, left)
            if bad is None:
                return left
            culprit, error = bad
            clear(session)
            culprit.done.set_exception(error)
            left.remove(culprit)
        return left

    # --- the session ----------------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[Session], T]) -> T:
        """Work with a live session; one that broke is dropped, so that the next request starts afresh."""
        session = self._live()
        try:
            return work(session)
        except DialogueError:
            raise  # left with Ctrl-C, the session is at its prompt again
        except BaseException:
            self.close()
            self._cache.clear()
            raise

    def _live(self) -> Session:
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


def _first_that_fails(session: Session, batch: list[Change]) -> tuple[Change, Exception] | None:
    for change in batch:
        try:
            change.stage(session)
        except (ConnectionLostError, ScreenTimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 - given to the thread whose change it is; the others go on
            if not isinstance(error, DialogueError):
                session.shell.interrupt()
            return change, error
    return None


def _settle(done: "Future[Any]", work: Callable[[], Any]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which would hang without it
        done.set_exception(error)


def _comment(batch: list[Change]) -> str:
    """Who and why, for the gateway's log of commits: one line, plain characters."""
    tickets = sorted({change.ticket for change in batch if change.ticket})
    resources = [change.resource for change in batch]
    text = (
        " ".join(["m365-secure-email", connections.stack_name(), *tickets]).strip()
        + ": "
        + ", ".join(resources)
    )
    plain = re.sub(r"[^A-Za-z0-9 .,:@/()_+-]", " ", text)
    plain = re.sub(r" +", " ", plain).strip()
    return plain if len(plain) <= COMMENT_LENGTH else plain[: COMMENT_LENGTH - len(" ...")] + " ..."


COMMENT_LENGTH = 240


def gateway() -> Gateway:
    """The one live connection to the gateways of this process."""
    return connections.only("gateway", Gateway, lambda: Gateway(connections.gateway_connection()))
