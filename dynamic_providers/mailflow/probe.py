"""SMTP from this machine, as any server on the internet would speak it; each reply kept word by word."""

import contextlib
import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from dynamic_providers.connections import connect_way
from dynamic_providers.errors import clean
from dynamic_providers.mailflow.message import Probe
from dynamic_providers.mailflow.proxy_header import proxy_header
from dynamic_providers.mailflow.ssh_way import SshWay
from dynamic_providers.time_limit import Handle, TimeLimit

CONNECT_SECONDS = 20.0
REPLY_SECONDS = 120.0  # a gateway that looks our name up takes its time
TALK_SECONDS = 300.0  # for all of a message
_SMTP: Final = 25
_SOURCE_PORT: Final = 40025  # told in a PROXY header; nobody connects back to it


@dataclass(frozen=True)
class Answer:
    """How a server took a message: its last reply, at what stage, by what TLS. Code 0: nobody answered."""

    code: int
    text: str
    stage: str  # connect, greeting, EHLO, STARTTLS, MAIL FROM, RCPT TO, DATA, message
    host: str
    address: str
    tls: str = ""
    cipher: str = ""
    timed_out: bool = False
    certificate: bytes = field(default=b"", repr=False)  # the server's own, DER
    untrusted: bool = False  # its certificate was asked for, and is not vouched for
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def accepted(self) -> bool:
        """Whether the message was taken."""
        return self.stage == "message" and 200 <= self.code < 300

    @property
    def for_now(self) -> bool:
        """Whether it may go better later."""
        return 400 <= self.code < 500

    def __str__(self) -> str:
        said = f"{self.code} {self.text}" if self.code else self.text
        return f"{said} (at {self.stage})"


class _Session(smtplib.SMTP):
    """smtplib on a connection that is there already."""

    def __init__(self, wire: socket.socket, host: str, helo: str, seconds: float) -> None:
        self._wire = wire
        super().__init__(local_hostname=helo, timeout=seconds)
        self._host = host  # what STARTTLS asks the server's certificate for

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self._wire.settimeout(timeout)
        return self._wire


class Smtp:
    """Sends probes straight to an address, or through a host by SSH."""

    def __init__(
        self,
        helo: str,
        way: SshWay | None = None,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        reply_seconds: float = REPLY_SECONDS,
    ) -> None:
        self._helo, self._way = helo, way
        self._connect_seconds, self._reply_seconds = connect_seconds, reply_seconds

    def send(self, message: Probe, host: str, address: str, *, stack: str | None = None) -> Answer:
        """Send to an IPv4 address; `host` is the name it was reached by. Never raises for what it answers."""
        sent = (message.sender, message.recipient, message.content(stack))
        return self._talk(host, address, lambda talk: talk.deliver(*sent))

    def ask(self, sender: str, recipient: str, host: str, address: str) -> Answer:
        """Whether it would take mail for a recipient: nothing is sent."""
        return self._talk(host, address, lambda talk: talk.deliver(sender, recipient, None))

    def greet(self, host: str, address: str) -> Answer:
        """Whether it talks with this machine at all: greeting and EHLO, nothing else."""
        return self._talk(host, address, _Talk.greet)

    def secure(self, host: str, address: str, trusted: ssl.SSLContext | None = None) -> Answer:
        """Greeting, EHLO and STARTTLS, nothing else: the answer has the server's certificate.

        `trusted`: a client's context that says whose certificates count; without, any does.
        """
        return self._talk(host, address, lambda talk: talk.secure(trusted))

    def _talk(self, host: str, address: str, what: "Callable[[_Talk], Answer]") -> Answer:
        try:
            wire = self._connect(address)
        except OSError as error:
            timed_out = isinstance(error, TimeoutError)
            reason = f"no connection within {self._connect_seconds:g} s" if timed_out else _reason(error)
            return Answer(0, reason, "connect", host, address, timed_out=timed_out)
        with contextlib.closing(Handle(wire)) as handle, TimeLimit(TALK_SECONDS, handle.cut) as limit:
            answer = what(_Talk(_Session(wire, host, self._helo, self._reply_seconds), host, address))
        if answer.accepted or not limit.passed:
            return answer
        return replace(answer, code=0, text=f"not done within {TALK_SECONDS:g} s")

    def reaches(self, address: str) -> bool:
        """Whether anything answers on port 25 of an address."""
        try:
            self._connect(address).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """End what is open."""
        if self._way is not None:
            self._way.close()

    def _connect(self, address: str) -> socket.socket:
        if self._way is not None:
            return self._way.open(address, _SMTP)
        way = connect_way(address, _SMTP)
        wire = socket.create_connection((way.host, way.port), timeout=self._connect_seconds)
        if way.proxy:
            wire.sendall(proxy_header(way.source, _SOURCE_PORT, str(ipaddress.IPv4Address(address)), _SMTP))
        return wire


class _Talk:
    """One message over one connection."""

    def __init__(self, session: _Session, host: str, address: str) -> None:
        self._session, self._host, self._address = session, host, address
        self._stage, self._tls, self._cipher, self._certificate = "greeting", "", "", b""
        self._trusted: ssl.SSLContext | None = None
        self._untrusted = False

    def greet(self) -> Answer:
        """The first two stages."""
        session = self._session
        return self._through(
            ("greeting", lambda: session.connect(self._address, _SMTP)), ("EHLO", session.ehlo)
        )

    def secure(self, trusted: ssl.SSLContext | None) -> Answer:
        """The first three."""
        session, self._trusted = self._session, trusted
        return self._through(
            ("greeting", lambda: session.connect(self._address, _SMTP)),
            ("EHLO", session.ehlo),
            ("STARTTLS", self._start_tls),
        )

    def deliver(self, sender: str, recipient: str, content: bytes | None) -> Answer:
        """Go through all stages; the first reply that is no «yes» ends it. No content: nothing is sent."""
        session = self._session
        return self._through(
            ("greeting", lambda: session.connect(self._address, _SMTP)),
            ("EHLO", session.ehlo),
            ("STARTTLS", self._start_tls),
            ("MAIL FROM", lambda: session.mail(sender)),
            ("RCPT TO", lambda: session.rcpt(recipient)),
            ("message", lambda: session.rset() if content is None else session.data(content)),
        )

    def _through(self, *stages: tuple[str, Callable[[], tuple[int, bytes | str]]]) -> Answer:
        session, code, said = self._session, 0, ""
        try:
            for self._stage, step in stages:
                code, text = step()
                said = text.decode(errors="replace") if isinstance(text, bytes) else text
                if not 200 <= code < 300:
                    break
        except smtplib.SMTPResponseException as error:  # DATA was refused before the message
            self._stage = "DATA"
            code, said = error.smtp_code, _text(error.smtp_error)
        except ssl.SSLCertVerificationError as error:
            self._untrusted = True
            code, said = 0, error.verify_message
        except (OSError, smtplib.SMTPException) as error:
            silent = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
            within = f"no answer within {session.timeout:g} s"
            code, said = 0, within if silent else f"the connection broke: {_reason(error)}"
        finally:
            session.close()
        return Answer(
            code,
            clean(said),
            self._stage,
            self._host,
            self._address,
            tls=self._tls,
            cipher=self._cipher,
            certificate=self._certificate,
            untrusted=self._untrusted,
        )

    def _start_tls(self) -> tuple[int, bytes]:
        """As servers do it among themselves: where it is offered, with whatever certificate, if not asked."""
        session = self._session
        if not session.has_extn("starttls"):
            return 250, b""
        code, said = session.starttls(context=self._trusted or _whatever())
        if code != 220:
            return code, said
        if isinstance(session.sock, ssl.SSLSocket):
            self._tls = session.sock.version() or ""
            self._cipher = (session.sock.cipher() or ("",))[0]
            self._certificate = session.sock.getpeercert(binary_form=True) or b""
        return session.ehlo()


def _whatever() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return error.strerror if error.strerror and "lead" in error.strerror else "connection refused"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def own_name(sender: str) -> str:
    """What we call ourselves in EHLO: this machine's full name, else the domain that we send as."""
    name = socket.gethostname()
    return name if "." in name else sender.rpartition("@")[2]
