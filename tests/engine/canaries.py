"""Secrets that nobody would write by chance, and the search for them: in every place, in every form."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
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
    """The same with what URLs, JSON, shells and command lines write otherwise."""
    value = canary(name)
    return f"{value[:16]}/+\"'\\&% ü{value[16:]}"


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
    wanted = {name: traces(value) for name, value in canaries.items()}
    found = []
    for place, content in places.items():
        for name, forms in wanted.items():
            seen = [form for form, pieces in forms.items() if any(piece in content for piece in pieces)]
            if seen:  # what is there in clear has the same pieces as its other forms
                found.append(f"{place}: {name} {seen[0] if IN_CLEAR in seen else ', '.join(seen)}")
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
            found[f"{name} unpacked"] = gzip.decompress(content)
    return found


def arguments() -> Iterator[bytes]:
    """The command lines of all processes that we may see."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue  # ended while we looked


@dataclass
class Watch:
    """Looks, whenever something happens in the lab, at what leaves no trace: arguments, temporary files."""

    temporary: Path
    commands: set[bytes] = field(default_factory=set)
    contents: dict[str, bytes] = field(default_factory=dict)
    looks: int = 0

    def look(self, event: Event) -> None:
        self.looks += 1
        self.commands.update(arguments())
        for name, content in files(self.temporary).items():
            self.contents[f"temporary file {name} at {event.kind}"] = content

    def places(self) -> dict[str, bytes]:
        """What was seen."""
        return {"arguments of processes": b"\n".join(sorted(self.commands)), **self.contents}
