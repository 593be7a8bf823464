"""An SMTP server as its owner sees it: who connects, from where, over which TLS, and with which message."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from lab.mail.certificate import Certificate
from lab.mail.envelope import Envelope

Fault = Literal["refuse", "busy", "no_starttls", "cut_untaken", "cut_taken"]
"""`refuse`: connections are reset at once; `busy`: 421 instead of the greeting; `cut_untaken` and
`cut_taken`: the connection is cut after the message came in, before or after the owner has taken it."""


@dataclass
class Connection:
    """One connection to a door. Addresses are the emulated ones, as the PROXY header names them.

    `tls` is "" or a version such as «TLSv1.3», of the handshake that really took place; `certificate` is what
    the client showed in it, where the door's context asks. `messages` counts what came in whole, the one that
    is being judged included. `data` is the owner's own.
    """

    peer: str
    peer_port: int
    local: str
    local_port: int
    opened: float
    helo: str = ""
    tls: str = ""
    cipher: str = ""
    certificate: Certificate | None = None
    messages: int = 0
    data: dict[str, Any] = field(default_factory=dict)


class DoorOwner(Protocol):
    """Who decides at a door. Replies are one line with its code.

    All methods run in worker threads and may wait; one connection never asks two things at a time.
    """

    def connected(self, c: Connection, /) -> str | None:
        """A new connection: a reply instead of the greeting (it is then closed), or None to go on."""

    def tls_offered(self, c: Connection, /) -> bool:
        """Whether STARTTLS is offered; asked once, after `connected`."""

    def tls_required(self, c: Connection, /) -> bool:
        """Whether MAIL without TLS is refused with 530."""

    def mail(self, c: Connection, sender: str, /) -> str | None:
        """A refusal of the sender ("" for a bounce), or None."""

    def recipient(self, c: Connection, recipient: str, /) -> str | None:
        """A refusal of one recipient, or None."""

    def message(self, c: Connection, e: Envelope, /) -> str:
        """The whole message: the final reply, such as «250 2.0.0 ok: Message 123 accepted»."""

    def closed(self, c: Connection, /) -> None:
        """The end of a connection that `connected` saw, a refused one included.

        Said before the answer to QUIT: whoever waits for that and connects again is never counted twice.
        """


@dataclass(eq=False)
class Door:
    """What a connection knows of the server that took it; `name` is what it greets with.

    `faults` may be changed at any time.
    """

    owner: DoorOwner
    name: str
    context: ssl.SSLContext | None
    size_limit: int
    faults: set[Fault] = field(default_factory=set)
    errors: list[Exception] = field(default_factory=list)
