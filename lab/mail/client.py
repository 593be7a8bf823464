"""An SMTP client that comes from a documentation address: smtplib, with a PROXY header sent first."""

from __future__ import annotations

import smtplib
import socket
import ssl
from functools import cache
from typing import Literal, Self

from lab.mail.certificate import Certificate, shown
from lab.mail.envelope import Envelope, Outcome
from lab.mail.network import Network
from lab.mail.proxy import header

Tls = Literal["no", "preferred", "required"]
LOST = (OSError, smtplib.SMTPServerDisconnected)


class SmtpClient:
    """One connection from `source` to `target`, made with the first message; a context manager.

    `tls`: «preferred» takes STARTTLS where it is offered, «required» sends nothing without; any certificate
    will do, as Microsoft's and Cisco's guide has it: who minds looks at `certificate`. `timeout` in seconds,
    for each answer. `identity`: a client's TLS context with the certificate to show; None shows none.
    """

    def __init__(
        self,
        network: Network,
        source: str,
        target: str,
        port: int = 25,
        *,
        helo: str = "mail.lab.example",
        tls: Tls = "preferred",
        timeout: float = 10,
        identity: ssl.SSLContext | None = None,
    ) -> None:
        self._network = network
        self._smtp = _Smtp(source, target, port, timeout, helo)
        self._target, self._port = target, port
        self._tls = tls
        self._identity = identity
        self._failed: Outcome | None = None
        self._open = False
        self.tls = ""
        self.cipher = ""
        self.certificate: Certificate | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> Outcome | None:
        """Connect and take TLS, if that has not been done; what is in the way, or None."""
        if not self._open and self._failed is None:
            try:
                self._failed = self._connect()
            except (*LOST, smtplib.SMTPException) as error:
                self._failed = Outcome(0, f"{self._target}: {_words(error)}")
            self._open = True
        return self._failed

    def send(self, e: Envelope) -> Outcome:
        """Hand over one message; after a lost connection every further one has the same outcome."""
        failed = self.connect()
        if failed is not None:
            return failed
        try:
            return self._send(e)
        except LOST as error:
            self._failed = self._outcome(0, f"{self._target}: {_words(error)}")
            return self._failed

    def close(self) -> None:
        """Say QUIT, wait for its answer, and close."""
        try:
            if self._open and self._failed is None:
                self._smtp.quit()
        except LOST:
            pass  # the other side closed first: there is nobody left to part from
        finally:
            self._smtp.close()

    def _connect(self) -> Outcome | None:
        local_port = self._network.local_port(self._target, self._port)
        if local_port is None:
            return Outcome(0, f"{self._target}:{self._port}: connection refused")
        code, text = self._smtp.connect("127.0.0.1", local_port)
        if code != 220:
            return Outcome(code, text.decode("ascii", "replace"))
        self._smtp.ehlo_or_helo_if_needed()
        return self._secure()

    def _secure(self) -> Outcome | None:
        if self._tls == "no":
            return None
        if not self._smtp.has_extn("starttls"):
            if self._tls == "required":
                return Outcome(0, f"{self._target}: TLS is required, but STARTTLS is not offered")
            return None
        self._smtp.starttls(context=self._identity or _any_certificate())
        secured = self._smtp.sock
        assert isinstance(secured, ssl.SSLSocket)
        self.tls, self.cipher = secured.version() or "", (secured.cipher() or ("",))[0]
        self.certificate = shown(secured)
        self._smtp.ehlo()
        return None

    def _send(self, e: Envelope) -> Outcome:
        code, text = self._smtp.mail(e.sender)
        if code != 250:
            return self._given_up(code, text)
        refused: dict[str, tuple[int, bytes]] = {}
        for recipient in e.recipients:
            code, text = self._smtp.rcpt(recipient)
            if code not in (250, 251):
                refused[recipient] = code, text
        if len(refused) == len(e.recipients):
            return self._given_up(*next(iter(refused.values())))
        try:
            code, text = self._smtp.data(e.content)
        except smtplib.SMTPDataError as refusal:
            return self._given_up(refusal.smtp_code, _bytes(refusal.smtp_error))
        said = {recipient: f"{code} {_text(text)}" for recipient, (code, text) in refused.items()}
        return Outcome(code, _text(text), self.tls, self.cipher, said)

    def _given_up(self, code: int, text: bytes) -> Outcome:
        if code == 421:
            self._failed = self._outcome(code, _text(text))
            return self._failed
        self._smtp.rset()
        return self._outcome(code, _text(text))

    def _outcome(self, code: int, text: str) -> Outcome:
        return Outcome(code, text, self.tls, self.cipher)


class _Smtp(smtplib.SMTP):
    """smtplib's client, whose socket begins with a PROXY header."""

    def __init__(self, source: str, target: str, port: int, timeout: float, helo: str) -> None:
        super().__init__(timeout=timeout, local_hostname=helo)
        self._source = source
        self._towards = target, port
        self._host = target  # whom smtplib asks for in the TLS handshake

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = socket.create_connection((host, port), timeout)
        try:
            made.sendall(header(self._source, made.getsockname()[1], *self._towards))
        except OSError:
            made.close()
            raise
        return made


@cache
def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _text(text: bytes) -> str:
    return text.decode("utf-8", "replace").replace("\n", " ")


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"connection lost ({error})" if isinstance(error, LOST) else str(error)
