"""IMAP over TLS on the sink's mailboxes: as much of RFC 3501 as finding and reading a message takes."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable

from lab.internet.outside import Kept, Sink
from lab.internet.practice import IMAP_HOST, PROBE_PASSWORD
from lab.mail.envelope import CRLF
from lab.mail.loop import MailLoop, borrow, close_server, give_back

PORT = 993
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\([^)]*\))|([^\s"()]+(?:\[[^\]]*\])?)')
CAPABILITY = "IMAP4rev1 AUTH=PLAIN"


class ImapDoor:
    """One listening TLS socket; every mailbox has the practice password. `stop` raises defects of the lab."""

    def __init__(self, sink: Sink, context: ssl.SSLContext) -> None:
        self.sink = sink
        self.port = 0
        self.errors: list[Exception] = []
        self._context = context
        self._loop: MailLoop | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def start(self) -> int:
        """Listen; returns the local port, which stays the same when it is started again."""
        self._loop = borrow()
        self._server = self._loop.run(
            asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._context)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    def stop(self) -> None:
        """Stop listening and cut what is open."""
        if self._loop is None:
            return
        self._loop.run(self._close())
        self._loop = None
        give_back()
        if self.errors:
            raise ExceptionGroup("the lab's IMAP server is broken", self.errors)

    async def _close(self) -> None:
        assert self._server is not None
        await close_server(self._server)
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        session = _Session(self.sink)
        writer.write(f"* OK [CAPABILITY {CAPABILITY}] {IMAP_HOST} is ready\r\n".encode())
        try:
            while not session.over:
                line = await reader.readline()
                if not line:
                    return
                writer.write(session.answer(line.decode("utf-8", "replace").strip()))
                await writer.drain()
        except ConnectionError:
            return  # the reader has hung up
        except Exception as broken:  # noqa: BLE001 - a defect of the lab, which `stop` raises
            self.errors.append(broken)
        finally:
            self._writers.discard(writer)
            writer.close()


class _Refused(Exception):
    """A command is not carried out: «NO …» or «BAD …»."""


class _Session:
    """One connection: who is logged in, and the messages as they were when the mailbox was chosen last."""

    def __init__(self, sink: Sink) -> None:
        self.over = False
        self._sink = sink
        self._user = ""
        self._messages: list[Kept] = []
        self._selected = False

    def answer(self, line: str) -> bytes:
        """The reply to one command, tagged line included."""
        tag, _, rest = line.partition(" ")
        name, _, arguments = rest.partition(" ")
        commands: dict[str, Callable[[list[str]], list[bytes]]] = {
            "CAPABILITY": lambda _: [f"* CAPABILITY {CAPABILITY}".encode()],
            "NOOP": self._noop,
            "LOGIN": self._login,
            "SELECT": self._select,
            "EXAMINE": self._select,
            "SEARCH": self._search,
            "FETCH": self._fetch,
            "UID": self._by_uid,
            "CLOSE": self._close,
            "LOGOUT": self._logout,
        }
        command = commands.get(name.upper(), self._unknown)
        try:
            lines = command(_words(arguments))
        except _Refused as refusal:
            return f"{tag} {refusal}\r\n".encode()
        return b"".join(line + CRLF for line in (*lines, f"{tag} OK {name.upper()} completed".encode()))

    def _unknown(self, _words: list[str]) -> list[bytes]:
        raise _Refused("BAD unknown command")

    def _login(self, words: list[str]) -> list[bytes]:
        if len(words) != 2 or words[1] != PROBE_PASSWORD:
            raise _Refused("NO [AUTHENTICATIONFAILED] wrong user or password")
        self._user = words[0]
        return []

    def _select(self, words: list[str]) -> list[bytes]:
        if not self._user:
            raise _Refused("BAD log in first")
        if [word.upper() for word in words] != ["INBOX"]:
            raise _Refused("NO [NONEXISTENT] there is an INBOX only")
        self._selected = True
        self._messages = self._sink.mailbox(self._user)
        count = len(self._messages)
        flags = rb"* FLAGS (\Seen)"
        return [
            flags,
            f"* {count} EXISTS".encode(),
            b"* 0 RECENT",
            b"* OK [UIDVALIDITY 1]",
            f"* OK [UIDNEXT {count + 1}]".encode(),
        ]

    def _noop(self, _words: list[str]) -> list[bytes]:
        """Says how many there are now, as a mailbox that is watched does."""
        if not self._selected:
            return []
        self._messages = self._sink.mailbox(self._user)
        return [f"* {len(self._messages)} EXISTS".encode()]

    def _search(self, words: list[str]) -> list[bytes]:
        """ALL, SUBJECT, FROM, TO, HEADER and CHARSET; all conditions have to hold."""
        self._need_mailbox()
        wanted = [word for word in words if word.upper() not in ("ALL", "UNSEEN")]
        conditions: list[tuple[str, str]] = []
        while wanted:
            key = wanted.pop(0).upper()
            if key == "CHARSET" and wanted:
                wanted.pop(0)
            elif key == "HEADER" and len(wanted) >= 2:
                conditions.append((wanted.pop(0), wanted.pop(0)))
            elif key in ("SUBJECT", "FROM", "TO") and wanted:
                conditions.append((key, wanted.pop(0)))
            else:
                raise _Refused(f"BAD cannot search by {key}")
        found = [
            str(number)
            for number, kept in enumerate(self._messages, start=1)
            if all(_holds(kept, *condition) for condition in conditions)
        ]
        return [" ".join(["* SEARCH", *found]).encode()]

    def _fetch(self, words: list[str], *, by_uid: bool = False) -> list[bytes]:
        """RFC822, BODY[], BODY.PEEK[], …[HEADER], RFC822.SIZE, UID, FLAGS. A UID is a message's number."""
        self._need_mailbox()
        if len(words) < 2:
            raise _Refused("BAD fetch what?")
        items = " ".join(words[1:]).strip("()").upper().split()
        lines = []
        for number in _numbers(words[0], len(self._messages)):
            kept = self._messages[number - 1]
            wanted = items if "UID" in items or not by_uid else ["UID", *items]
            parts = b" ".join(_item(item, number, kept) for item in wanted)
            lines.append(f"* {number} FETCH (".encode() + parts + b")")
        return lines

    def _by_uid(self, words: list[str]) -> list[bytes]:
        name, rest = words[0].upper() if words else "", words[1:]
        if name == "SEARCH":
            return self._search(rest)
        if name == "FETCH":
            return self._fetch(rest, by_uid=True)
        raise _Refused("BAD unknown command")

    def _close(self, _words: list[str]) -> list[bytes]:
        self._selected = False
        return []

    def _logout(self, _words: list[str]) -> list[bytes]:
        self.over = True
        return [b"* BYE see you"]

    def _need_mailbox(self) -> None:
        if not self._selected:
            raise _Refused("BAD select a mailbox first")


def _words(text: str) -> list[str]:
    """Words, quoted texts without their quotes, and lists in brackets as they are."""
    found = []
    for quoted, group, bare in WORD.findall(text):
        found.append(group or bare or re.sub(r"\\(.)", r"\1", quoted))
    return found


def _holds(kept: Kept, header: str, wanted: str) -> bool:
    envelope = kept.envelope
    values = [envelope.subject] if header.upper() == "SUBJECT" else envelope.headers(header)
    return any(wanted.lower() in value.lower() for value in values)


def _numbers(text: str, last: int) -> list[int]:
    """The messages in a sequence set such as «1,3:5» or «2:*»."""
    found: list[int] = []
    for part in text.split(","):
        ends = [last if end == "*" else int(end) for end in part.split(":") if end == "*" or end.isdigit()]
        if not ends:
            raise _Refused(f"BAD no message numbers: {text}")
        found += range(min(ends), max(ends) + 1)
    return [number for number in found if 1 <= number <= last]


def _item(item: str, number: int, kept: Kept) -> bytes:
    content = kept.envelope.content
    head = content[: len(content) - len(kept.envelope.body)]
    texts = {"RFC822": content, "BODY[]": content, "BODY[HEADER]": head, "RFC822.HEADER": head}
    texts["BODY[TEXT]"] = kept.envelope.body
    small = {"UID": str(number), "FLAGS": "()", "RFC822.SIZE": str(len(content))}
    if item in small:
        return f"{item} {small[item]}".encode()
    plain = item.replace(".PEEK", "")
    if plain not in texts:
        raise _Refused(f"BAD cannot fetch {item}")
    text = texts[plain]
    return f"{plain} {{{len(text)}}}".encode() + CRLF + text
