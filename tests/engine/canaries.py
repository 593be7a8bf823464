"""Secrets that nobody would write by chance, and the search for them: in every place, in every form."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.parse
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.journal import Event

_PIECE = 8  # letters; whatever is twice as long holds one of a value's pieces whole
_LETTERS = 32
IN_CLEAR = "in clear"


def canary(name: str) -> str:
    """Letters and digits, always the same for a name, like nothing else."""
    return base64.b32encode(hashlib.sha256(f"canary {name}".encode()).digest()).decode().lower()[:_LETTERS]


def awkward(name: str) -> str:
    """The same among what URLs, JSON, shells and command lines write otherwise."""
    value = canary(name)
    middle = "".join(sign + value[8 + 2 * at : 10 + 2 * at] for at, sign in enumerate("/+\"'\\&% ü"))
    return f"{value[:8]}{middle}{value[26:]}"


def traces(value: str) -> dict[str, set[bytes]]:
    """What to look for: the forms that a value may have been written in, and the pieces of each."""
    raw = value.encode()
    forms = {
        IN_CLEAR: [raw],
        "as a URL": [urllib.parse.quote(value, safe="").encode(), urllib.parse.quote_plus(value).encode()],
        "as JSON": [json.dumps(value)[1:-1].encode(), json.dumps(json.dumps(value)[1:-1])[1:-1].encode()],
        "in hexadecimal": [raw.hex().encode(), raw.hex().upper().encode()],
        "in base64": list(_base64(raw)),
        "as a hash": [hashlib.new(kind, raw).hexdigest().encode() for kind in ("md5", "sha1", "sha256")],
    }
    return {form: {piece for text in texts for piece in _pieces(text)} for form, texts in forms.items()}


def _base64(raw: bytes) -> Iterator[bytes]:
    """At each of the three places where it may begin, without the letters that its neighbours share."""
    for before in range(3):
        whole = 8 * (before + len(raw)) // 6
        text = base64.b64encode(bytes(before) + raw)[before and before + 1 : whole]
        yield from (text, text.translate(bytes.maketrans(b"+/", b"-_")))


def _pieces(text: bytes) -> Iterator[bytes]:
    return (text[at : at + _PIECE] for at in range(0, len(text) - _PIECE + 1, _PIECE))


def leaks(places: Mapping[str, bytes], canaries: Mapping[str, str]) -> list[str]:
    """Every place that holds a canary or a part of it: «place: canary, in which form»."""
    wanted: dict[bytes, list[tuple[str, str]]] = {}
    for name, value in canaries.items():
        for form, pieces in traces(value).items():
            for piece in pieces:
                wanted.setdefault(piece, []).append((name, form))
    found = []
    for place, content in places.items():
        pieces = {content[at : at + _PIECE] for at in range(len(content) - _PIECE + 1)} & wanted.keys()
        seen: dict[str, set[str]] = {}
        for name, form in (one for piece in pieces for one in wanted[piece]):
            seen.setdefault(name, set()).add(form)
        for name in (name for name in canaries if name in seen):
            forms = [form for form in traces(canaries[name]) if form in seen[name]]
            found.append(f"{place}: {name} {IN_CLEAR if IN_CLEAR in forms else ', '.join(forms)}")
    return found


def files(folder: Path, leave_out: Iterable[Path] = ()) -> dict[str, bytes]:
    """What every file under a folder holds; links are not followed, compressed ones are opened."""
    left_out, found = tuple(leave_out), {}
    for path in folder.rglob("*"):
        if any(path.is_relative_to(one) for one in left_out) or not path.is_file() or path.is_symlink():
            continue
        if any(parent.is_symlink() for parent in path.relative_to(folder).parents):
            continue
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue  # a temporary file that has gone while we looked
        name = str(path.relative_to(folder))
        found[name] = content
        if content.startswith(b"\x1f\x8b"):
            found[f"{name} unpacked"] = _unpacked(content)
    return found


def _unpacked(content: bytes) -> bytes:
    """All that a gzip file holds, also one whose end is missing: the engine's log of a killed run, say."""
    whole = b""
    while content:
        member = zlib.decompressobj(wbits=31)
        whole += member.decompress(content)
        content = member.unused_data
    return whole


def arguments() -> Iterator[bytes]:
    """The command lines of all processes that we may see."""
    return (command for _, command in _processes())


def environments(may_know: Callable[[Path, bytes], bool]) -> Iterator[tuple[str, bytes]]:
    """Command and environment of every process that we may see, but for those that may know our secrets."""
    for folder, command in _processes():
        try:
            environment = (folder / "environ").read_bytes()
            if not may_know((folder / "cwd").readlink(), command):
                yield command.replace(bytes(1), b" ").decode(errors="replace").strip(), environment
        except OSError:
            continue  # ended while we looked, or not ours to see


def _processes() -> Iterator[tuple[Path, bytes]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield folder, (folder / "cmdline").read_bytes()
        except OSError:
            continue  # ended while we looked


@dataclass
class Watch:
    """Looks, whenever something happens in the lab, at what leaves no trace.

    Arguments of all processes, environments of those that need not know, temporary files.
    """

    temporary: Path
    may_know: Callable[[Path, bytes], bool]
    commands: set[bytes] = field(default_factory=set)
    contents: dict[str, bytes] = field(default_factory=dict)
    looks: int = 0

    def look(self, event: Event) -> None:
        self.looks += 1
        self.commands.update(arguments())
        for command, content in environments(self.may_know):
            self.contents[f"environment of {command}"] = content
        for name, content in files(self.temporary).items():
            self.contents[f"temporary file {name} at {event.kind}"] = content

    def places(self) -> dict[str, bytes]:
        """What was seen."""
        return {"arguments of processes": b"\n".join(sorted(self.commands)), **self.contents}
