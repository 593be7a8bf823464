"""SMTP from this machine, as any server on the internet would speak it; each reply kept word by word."""

import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from dynamic_providers.connections import connect_way
from dynamic_providers.errors import clean
from dynamic_providers.mailflow.message import Probe
from dynamic_providers.mailflow.proxy_header import proxy_header
from dynamic_providers.mailflow.ssh_way import SshWay

_CONNECT_SECONDS: Final = 20.0
_REPLY_SECONDS: Final = 120.0  # a gateway that looks our name up takes its time
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

    def __init__(self, wire: socket.socket, host: str, helo: str) -> None:
        self._wire = wire
        super().__init__(local_hostname=helo, timeout=_REPLY_SECONDS)
        self._host = host  # what STARTTLS asks the server's certificate for

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self._wire.settimeout(timeout)
        return self._wire


class Smtp:
    """Sends probes straight to an address, or through a host by SSH."""

    def __init__(self, helo: str, way: SshWay | None = None) -> None:
        self._helo, self._way = helo, way

    def send(self, message: Probe, host: str, address: str, *, stack: str | None = None) -> Answer:
        """Send to an IPv4 address; `host` is the name it was reached by. Never raises for what it answers."""
        return self._talk(message.sender, message.recipient, message.content(stack), host, address)

    def ask(self, sender: str, recipient: str, host: str, address: str) -> Answer:
        """Whether it would take mail for a recipient: nothing is sent."""
        return self._talk(sender, recipient, None, host, address)

    def _talk(self, sender: str, recipient: str, content: bytes | None, host: str, address: str) -> Answer:
        try:
            wire = self._connect(address)
        except OSError as error:
            timed_out = isinstance(error, TimeoutError)
            reason = f"no connection within {_CONNECT_SECONDS:g} s" if timed_out else _reason(error)
            return Answer(0, reason, "connect", host, address, timed_out=timed_out)
        talk = _Talk(_Session(wire, host, self._helo), host, address)
        return talk.deliver(sender, recipient, content)

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
        wire = socket.create_connection((way.host, way.port), timeout=_CONNECT_SECONDS)
        if way.proxy:
            wire.sendall(proxy_header(way.source, _SOURCE_PORT, str(ipaddress.IPv4Address(address)), _SMTP))
        return wire


class _Talk:
    """One message over one connection."""

    def __init__(self, session: _Session, host: str, address: str) -> None:
        self._session, self._host, self._address = session, host, address
        self._stage, self._tls, self._cipher = "greeting", "", ""

    def deliver(self, sender: str, recipient: str, content: bytes | None) -> Answer:
        """Go through all stages; the first reply that is no «yes» ends it. No content: nothing is sent."""
        session = self._session
        stages: tuple[tuple[str, Callable[[], tuple[int, bytes | str]]], ...] = (
            ("greeting", lambda: session.connect(self._address, _SMTP)),
            ("EHLO", session.ehlo),
            ("STARTTLS", self._start_tls),
            ("MAIL FROM", lambda: session.mail(sender)),
            ("RCPT TO", lambda: session.rcpt(recipient)),
            ("message", lambda: session.rset() if content is None else session.data(content)),
        )
        code, said = 0, ""
        try:
            for self._stage, step in stages:
                code, text = step()
                said = text.decode(errors="replace") if isinstance(text, bytes) else text
                if not 200 <= code < 300:
                    break
        except smtplib.SMTPResponseException as error:  # DATA was refused before the message
            self._stage = "DATA"
            code, said = error.smtp_code, _text(error.smtp_error)
        except (OSError, smtplib.SMTPException) as error:
            code, said = 0, f"the connection broke: {_reason(error)}"
        finally:
            session.close()
        return Answer(
            code, clean(said), self._stage, self._host, self._address, tls=self._tls, cipher=self._cipher
        )

    def _start_tls(self) -> tuple[int, bytes]:
        """As servers do it among themselves: where it is offered, with whatever certificate."""
        session = self._session
        if not session.has_extn("starttls"):
            return 250, b""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        code, said = session.starttls(context=context)
        if code != 220:
            return code, said
        if isinstance(session.sock, ssl.SSLSocket):
            self._tls = session.sock.version() or ""
            self._cipher = (session.sock.cipher() or ("",))[0]
        return session.ehlo()


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return error.strerror if error.strerror and "lead" in error.strerror else "connection refused"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def own_name(sender: str) -> str:
    """What we call ourselves in EHLO: this machine's full name, else the domain that we send as."""
    name = socket.gethostname()
    return name if "." in name else sender.rpartition("@")[2]
