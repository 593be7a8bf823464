"""The host access table (HAT) as `hostaccess` prints it: mail flow policies, then sender groups."""

import re
from dataclasses import dataclass, field
from itertools import pairwise

from dynamic_providers.gateway.screen_text import NARROW
from dynamic_providers.gateway.tables import rows, unreadable

NAME = "host access table"
BEHAVIOURS = ("ACCEPT", "RELAY", "REJECT", "TCPREFUSE", "CONTINUE")

_POLICY = re.compile(r"^\$([A-Za-z][\w-]*)\s*:?\s*(.*)$")
_GROUP = re.compile(
    r"^([A-Za-z][\w-]*):\s*(\$.*|(?:ACCEPT|RELAY|REJECT|TCP ?REFUSE|CONTINUE)\b.*)?$", re.IGNORECASE
)
_BEHAVIOUR = re.compile(
    r"^(\$[A-Za-z][\w-]*|(?:ACCEPT|RELAY|REJECT|TCP ?REFUSE|CONTINUE)\b)\s*(.*)$", re.IGNORECASE
)
_SETTING = re.compile(r"^([A-Za-z_][\w .-]*?)\s*[=:]\s*(.*?)\s*,?$")
_CLOSING = re.compile(r"(.*?)\}\s*(?:\((.*)\))?")
_COMMENT = re.compile(r"^\((.*)\)$", re.DOTALL)
_MEMBER = re.compile(r"^(\S+(?:\[[^\]]*\])?)\s*(?:\((.*)\))?$")


@dataclass
class Policy:
    """A mail flow policy: what becomes of a connection, and the parameters that are not as the default's."""

    behaviour: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass
class Group:
    """A sender group, or a direct entry (`direct`): who, and what becomes of them."""

    members: list[tuple[str, str]] = field(default_factory=list)  # host or condition, comment
    behaviour: str = ""  # $POLICY or a word of BEHAVIOURS
    comment: str = ""
    direct: bool = False
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass
class Hat:
    """The whole table. Groups are in the order in which they are looked at; the first match counts."""

    policies: dict[str, Policy] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)


class _Reader:
    """Goes through the lines; what belongs to a block is indented or in braces."""

    def __init__(self, where: str) -> None:
        self.hat = Hat()
        self._where = where
        self._block: Policy | Group | None = None
        self._braces = False

    def take(self, line: str) -> None:
        """One line."""
        text = line.strip()
        if self._braces:
            self._in_braces(text)
        elif line[0].isspace() and self._block is not None:
            self._in_block(text)
        elif found := _POLICY.match(text):
            self._block = self.hat.policies.setdefault(found.group(1), Policy())
            self._behave(found.group(2))
        elif found := _GROUP.match(text):
            self._block = self.hat.groups.setdefault(found.group(1), Group())
            self._behave(found.group(2) or "")
        elif found := _SETTING.match(text):
            self.hat.defaults[found.group(1).lower()] = found.group(2).strip('"')
        elif not text.startswith("(") and _MEMBER.match(text) and ("." in text or "[" in text or ":" in text):
            self._block = self.hat.groups.setdefault(text.split(" ", maxsplit=1)[0], Group(direct=True))
        elif not re.search(r"\bdefault\b|\bpolic|\bgroups?\b|\btable\b", text, re.IGNORECASE):
            raise unreadable(self._where, NAME, line)

    def _in_braces(self, text: str) -> None:
        closing = _CLOSING.fullmatch(text)
        inner = (closing.group(1) if closing else text).strip()
        found = _SETTING.match(inner)
        if inner and not found:
            raise unreadable(self._where, NAME, text)
        if found and self._block is not None:
            self._block.parameters[found.group(1).lower()] = found.group(2).strip('"')
        if closing:
            self._braces = False
            if closing.group(2) and isinstance(self._block, Group):
                self._block.comment = closing.group(2).strip()

    def _in_block(self, text: str) -> None:
        if _BEHAVIOUR.match(text) or text.startswith("{"):
            self._behave(text)
        elif isinstance(self._block, Group) and not self._block.direct:
            self._block.members += [_member(part, self._where) for part in _split(text) if part]
        elif found := _SETTING.match(text):
            assert self._block is not None
            self._block.parameters[found.group(1).lower()] = found.group(2).strip('"')
        else:
            raise unreadable(self._where, NAME, text)

    def _behave(self, text: str) -> None:
        """A behaviour, with a comment and parameters in braces behind it."""
        found = _BEHAVIOUR.match(text)
        rest = text
        if found and self._block is not None:
            self._block.behaviour = (
                found.group(1).upper() if not found.group(1).startswith("$") else found.group(1)
            )
            rest = found.group(2).strip()
        if not rest:
            return
        before, brace, inside = rest.partition("{")
        comment = _COMMENT.match(before.strip())
        if comment and isinstance(self._block, Group):
            self._block.comment = comment.group(1).strip()
        elif before.strip():
            raise unreadable(self._where, NAME, text)
        if brace:
            self._braces = True
            if inside.strip():
                self._in_braces(inside.strip())


def parse(text: str, where: str) -> Hat:
    """Take a printed host access table apart."""
    reader = _Reader(where)
    whole = last = ""
    for line, following in pairwise([*rows(text), ""]):
        whole += line if not whole else ("" if last.endswith("-") else " ") + line.strip()
        last = line
        if not _is_cut(whole, line, following):
            reader.take(whole)
            whole = ""
    return reader.hat


def _is_cut(whole: str, line: str, following: str) -> bool:
    """Whether a narrow terminal has wrapped it within a comment, whose bracket is open until its end.

    A comment may hold a bracket that nobody closes: it was not wrapped where the next word had room, or where
    an indented line follows, since what is wrapped goes on at the margin.
    """
    if whole.count("(") <= whole.count(")") or not following or following[0].isspace():
        return False
    word = following.split(maxsplit=1)[0]
    return not line.endswith(")") or len(line) + len(f" {word}") > NARROW


def _split(text: str) -> list[str]:
    """Members that stand on one line, separated by commas outside of brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    parts.append(text[start:].strip())
    whole = all(one.count("(") == one.count(")") and _MEMBER.match(one) for one in parts if one)
    return parts if whole else [text]  # else it was a comma within a comment with a stray bracket


def _member(text: str, where: str) -> tuple[str, str]:
    found = _MEMBER.match(text)
    if not found:
        raise unreadable(where, NAME, text)
    return found.group(1), (found.group(2) or "").strip()
