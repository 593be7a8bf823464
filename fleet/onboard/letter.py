"""Cisco's welcome letter: hosts and addresses of the gateways, out of a text whose layout nobody promises.

It may be a table, blocks, lists or sentences. Only what it says in so many words is taken: an address without
its interface is nobody's, two addresses for one interface are none. What is not taken is noted and asked for.
Nothing of the letter is ever shown or written but names and addresses that pass the settings' own checks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from components.raw_values import normal
from dynamic_providers import addresses
from dynamic_providers.errors import ManagedError
from fleet.onboard.letter_gateways import Gateways, LetterGateway

LONGEST = 200_000  # characters: a letter has a few thousand
_PROSE = 60  # characters: a longer line without columns is a paragraph's, and goes on in the next

_NAME = re.compile(
    r"(?<![\w@.-])(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,9}[A-Za-z][A-Za-z0-9-]{1,62}(?![\w@-])"
)
_OWN_LINE = re.compile(
    r"[\t|:]|\S {2,}\S|^\s*[-*•]"
)  # columns, a label, an item of a list: no part of a paragraph
_BLANKS = re.compile(r"\s{9,}")
_DOMAINS = re.compile(r"\b(?:domains?|dom[ií]nios?)\b[^:]{0,40}:(.*)$", re.IGNORECASE)
_KINDS = {
    "jump": re.compile(r"(?:.*-)?ssh\d*"),
    "manager": re.compile(r"(?:.*-)?sma\d*"),
    "gateway": re.compile(r"(?:.*-)?esa\d*"),
    "mx": re.compile(r"(?:.*-)?mx\d*"),
}
"""What a host is, by its first label, as Cisco names those of its cloud."""
_NOT_THEIRS = re.compile(r"(?:^|\.)(?:cisco|microsoft|outlook|office365|office|windows)\.(?:com|net)$")
_CLOUD = re.compile(r"(?:^|\.)iphmx\.com$")


class UnreadableLetter(ManagedError):
    """What was given as the letter is no text."""


@dataclass(frozen=True)
class Letter:
    """What the letter says. `notes`: what of it could not be used, a clause each."""

    gateways: tuple[LetterGateway, ...] = ()
    jump_host: str = ""
    manager: str = ""
    mx_hosts: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read(file: Path) -> Letter:
    """The letter in a file. Raises UnreadableLetter."""
    try:
        return decoded(file.read_bytes(), str(file))
    except OSError as error:
        raise UnreadableLetter(f"the letter cannot be read: {error.strerror}", where=str(file)) from None


def decoded(raw: bytes, where: str) -> Letter:
    """The letter as it lies in a file or comes from stdin: UTF-8, UTF-16 with its mark, or cp1252."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return parse(raw.decode("utf-16", errors="replace"))
    if b"\0" in raw or raw.startswith((b"%PDF", b"PK\x03\x04")):
        raise UnreadableLetter(
            "this is no text", where=where, fix="open the letter, copy its text into a file, and give that"
        )
    try:
        return parse(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return parse(raw.decode("cp1252", errors="replace"))


def parse(text: str) -> Letter:
    """The letter's facts."""
    if len(text) > LONGEST:
        raise UnreadableLetter(
            f"the letter has {len(text)} characters", fix="give the text of the welcome letter only"
        )
    gateways, hosts = Gateways(), _Hosts()
    for line in _lines(text):
        names = hosts.take(line)
        gateways.take(line, [name for name in names if kind_of(name) == "gateway"])
    return hosts.letter(gateways)


def kind_of(host: str) -> str:
    """What a host is by its name; «» where the name does not say."""
    first = host.split(".", maxsplit=1)[0]
    return next((kind for kind, shape in _KINDS.items() if shape.fullmatch(first)), "")


def is_cloud(host: str) -> bool:
    """Whether a host is one of Cisco's cloud."""
    return bool(_CLOUD.search(host))


def _lines(text: str) -> Iterator[str]:
    """Its lines, those of a paragraph joined; what cannot be seen (other than blanks) is gone."""
    plain = [_seen(line) for line in unicodedata.normalize("NFKC", text).splitlines()]
    whole = ""
    for line, following in pairwise([*plain, ""]):
        whole = f"{whole} {line}" if whole else line
        goes_on = len(line) > _PROSE and following.strip() and not line.rstrip().endswith((".", ":"))
        if not goes_on or _OWN_LINE.search(line) or _OWN_LINE.search(following):
            yield whole
            whole = ""


def _seen(line: str) -> str:
    seen = "".join(one for one in line if one == "\t" or not unicodedata.category(one).startswith("C"))
    return _BLANKS.sub(" " * 8, seen)


class _Hosts:
    """The names in the letter, by what they are."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {kind: [] for kind in _KINDS}
        self._domains: list[str] = []
        self._in_domains = False

    def take(self, line: str) -> list[str]:
        """One line; the hosts in it."""
        names = [name for one in _NAME.findall(line) if (name := normal(addresses.host_name, one))]
        theirs = [name for name in names if not _NOT_THEIRS.search(name)]
        heading = _DOMAINS.search(line)
        if heading or (self._in_domains and names and not any(map(kind_of, theirs))):
            listed = heading[1].lower() if heading else line.lower()
            self._domains += [one for one in theirs if one in listed and not is_cloud(one)]
            self._in_domains = True
            return []
        self._in_domains = self._in_domains and not names and not line.strip()
        for name in theirs:
            if kind_of(name):
                self._found[kind_of(name)].append(name)
        return theirs

    def letter(self, gateways: Gateways) -> Letter:
        """All facts together."""
        found = {kind: list(dict.fromkeys(names)) for kind, names in self._found.items()}
        several = [
            f"it names several {what}: {', '.join(found[kind])}"
            for kind, what in (("jump", "hosts for SSH"), ("manager", "Email and Web Managers"))
            if len(found[kind]) > 1
        ]
        return Letter(
            gateways=gateways.found(),
            jump_host=_only(found["jump"]),
            manager=_only(found["manager"]),
            mx_hosts=tuple(found["mx"]),
            domains=tuple(dict.fromkeys(self._domains)),
            notes=(*gateways.notes(), *several),
        )


def _only(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ""
