"""The mailbox outside, by IMAP: did the message arrive, from which address, and is the header gone?"""

import email
import email.policy
import imaplib
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final

from dynamic_providers.connections import connect_address
from dynamic_providers.errors import clean
from dynamic_providers.mailflow.errors import CannotLook
from dynamic_providers.mailflow.mailflow_settings import OutsideImap
from dynamic_providers.time_limit import Handle, TimeLimit

ANSWER_SECONDS = 30.0  # without a byte
LOOK_SECONDS = 120.0  # for all of a look
_ADDRESS: Final = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]|\((?:[^()\s]* )?([0-9]+(?:\.[0-9]+){3})\)")
_TLS: Final = re.compile(r"\bTLS ?v?(\d[\d._]*)|^.*\bwith (ESMTPS)A?\b(?!.*\bTLS ?v?\d)", re.IGNORECASE)


@dataclass(frozen=True)
class Step:
    """One `Received` line: from which address, by what TLS, word by word."""

    address: str
    tls: str
    text: str


@dataclass(frozen=True)
class Arrived:
    """A message as it lies outside; its way from the last step to the first."""

    subject: str
    message_id: str
    way: tuple[Step, ...]
    header: bool  # whether the header of ours is still there: its value is looked at by nobody

    def last(self, ours: Callable[[str], bool]) -> Step | None:
        """The step from one of our addresses; else the last one."""
        last = self.way[0] if self.way else None
        return next((one for one in self.way if one.address and ours(one.address)), last)


class _Imap(imaplib.IMAP4_SSL):
    """Connects where the lab's file leads; name and certificate stay those of the host."""

    def __init__(self, there: OutsideImap, context: ssl.SSLContext, wires: list[Handle]) -> None:
        self._wires = wires
        super().__init__(there.host, there.port, ssl_context=context, timeout=ANSWER_SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        wire = socket.create_connection(connect_address(self.host, self.port), timeout=timeout)
        self._wires.append(Handle(wire))
        context: ssl.SSLContext = self.ssl_context
        return context.wrap_socket(wire, server_hostname=self.host)


class OutsideMailbox:
    """Looks into one mailbox, read only. Raises CannotLook with one clear line."""

    def __init__(self, imap: OutsideImap, password: str, ca_bundle: str | None, header: str) -> None:
        self._imap, self._password, self._header = imap, password, header
        self._ca_bundle = ca_bundle
        self._where = f"outside mailbox {imap.user} at {imap.host}"

    def find(self, word: str) -> Arrived | None:
        """The message with this word in its subject."""
        with self._open() as imap:
            imap.select("INBOX", readonly=True)
            _, found = imap.search(None, "SUBJECT", f'"{word}"')
            numbers = (found[0] or b"").split() if found else []
            if not numbers:
                return None
            _, parts = imap.fetch(numbers[-1].decode(), "(BODY.PEEK[HEADER])")
        raw = next((part[1] for part in parts if isinstance(part, tuple)), b"")
        return self._arrived(email.message_from_bytes(raw, policy=email.policy.default))

    def _arrived(self, message: EmailMessage) -> Arrived:
        return Arrived(
            subject=str(message.get("Subject", "")),
            message_id=str(message.get("Message-ID", "")).strip(),
            way=tuple(_step(str(line)) for line in message.get_all("Received", [])),
            header=self._header in message,
        )

    @contextmanager
    def _open(self) -> Iterator[_Imap]:
        what, fix, wires = "no connection", "check checks.imap: host and port", list[Handle]()
        with TimeLimit(LOOK_SECONDS, lambda: _cut(wires)) as limit:
            try:
                imap = _Imap(self._imap, self._context(), wires)
                what, fix = "the connection broke", "try again later"
                with closing(imap.file), closing(imap.sock):
                    self._log_in(imap)
                    yield imap
                    imap.logout()
            except (OSError, imaplib.IMAP4.error) as error:
                says = f"not done within {LOOK_SECONDS:g} s" if limit.passed else f"{what}: {_said(error)}"
                raise CannotLook(says, where=self._where, fix=fix) from None
            finally:
                for wire in wires:
                    wire.close()

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_bundle:  # besides the public authorities: a mailbox outside has one of theirs
            context.load_verify_locations(self._ca_bundle)
        return context

    def _log_in(self, imap: _Imap) -> None:
        try:
            imap.login(self._imap.user, self._password)
        except imaplib.IMAP4.abort:
            raise  # no refusal: the connection broke
        except UnicodeEncodeError:
            raise CannotLook(
                "its user or password holds letters outside ASCII, which IMAP's LOGIN cannot carry",
                where=self._where,
                fix="give PROBE_IMAP_PASSWORD another password, e.g. an app password",
            ) from None
        except imaplib.IMAP4.error as error:
            raise CannotLook(
                f"the login is refused: {error}",
                where=self._where,
                fix="check checks.imap.user and PROBE_IMAP_PASSWORD (an app password, where the provider "
                "has such)",
            ) from None


def _cut(wires: Iterable[Handle]) -> None:
    for wire in wires:
        wire.cut()


def _said(error: Exception) -> str:
    return f"no answer within {ANSWER_SECONDS:g} s" if isinstance(error, TimeoutError) else str(error)


def _step(line: str) -> Step:
    text = clean(line)
    address, tls = _ADDRESS.search(text), _TLS.search(text)
    return Step(
        address=(address[1] or address[2]) if address else "",
        tls=(tls[1] or tls[2]) if tls else "",
        text=text,
    )
