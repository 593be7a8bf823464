"""The tenant's mailboxes: what lies in whose inbox, junk folder or sent items."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from lab.mail.envelope import Envelope

Folder = Literal["inbox", "junkemail", "sentitems"]
FOLDERS: dict[Folder, str] = {"inbox": "Inbox", "junkemail": "Junk Email", "sentitems": "Sent Items"}


@dataclass(frozen=True)
class Item:
    """One message in a folder, with how it came: peer, TLS and connector are "" for what stayed inside."""

    mailbox: str
    folder: Folder
    envelope: Envelope
    scl: int = -1
    peer: str = ""
    tls: str = ""
    connector: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = field(default_factory=lambda: f"AAMkA{uuid.uuid4().hex}=")


class Mailboxes:
    """All mailboxes of one tenant; thread-safe. A mailbox is there as soon as its address is accepted."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._grown = threading.Condition()

    def put(self, item: Item) -> None:
        """Lay a message into a folder."""
        with self._grown:
            self._items.append(item)
            self._grown.notify_all()

    def items(self, mailbox: str | None = None, folder: str | None = None) -> list[Item]:
        """What is there, the oldest first; of one mailbox or folder only, if named."""
        with self._grown:
            kept = list(self._items)
        return [
            item
            for item in kept
            if (mailbox is None or item.mailbox == mailbox.lower()) and folder in (None, item.folder)
        ]

    def wait_for(self, match: Callable[[Item], bool], timeout: float) -> Item:
        """The first message that meets `match`, there or to come; TimeoutError after so many seconds."""
        with self._grown:
            found: list[Item] = []

            def there() -> bool:
                found[:] = [item for item in self._items if match(item)][:1]
                return bool(found)

            if not self._grown.wait_for(there, timeout):
                raise TimeoutError(f"no such message in any mailbox within {timeout:g} s")
            return found[0]

    def clear(self) -> None:
        """Empty all folders."""
        with self._grown:
            self._items.clear()
