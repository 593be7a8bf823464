"""A message filter's text: our shape recognised, whatever became of blanks, quotes and brackets."""

import re
from dataclasses import dataclass

from dynamic_providers.gateway.screen_text import NARROW

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[A-Za-z][\w-]*)|(?P<sign>==|!=|[(){};:,!]|\S)"""
)
_ENDS = frozenset(
    {"drop", "bounce", "skip-filters", "deliver", "encrypt", "smime-gateway"}
)  # final actions [Cisco's user guide]


DROP, QUARANTINE = "drop", "quarantine"
_POLICY = "Policy"  # the quarantine that every gateway has
_OTHERWISE = {DROP: ("drop();",), QUARANTINE: (f'quarantine("{_POLICY}");', "skip-filters();")}
"""What becomes of mail without a right value. A quarantine takes it only at the end of all processing, so no
later filter may deliver it before. Source: Cisco's user guide, quarantine action, skip-filters action."""


@dataclass(frozen=True)
class Ours:
    """A filter of our shape: a group's mail passes with one of these header values, and loses the header.

    `otherwise`: what becomes of the rest, DROP or QUARANTINE.
    """

    group: str  # as a name; the text's regular expression may lack its ^…$
    anchored: bool
    header: str
    values: tuple[str, ...]
    active: bool
    patterns: tuple[str, ...] = ()  # alternatives that match more than themselves: no stack writes such
    otherwise: str = DROP


_LITERAL = re.compile(r"[^.*+?\[\]{}\\]+")


class _NotOursError(Exception):
    """This text has another shape."""


def tokens(text: str) -> list[tuple[str, str]]:
    """Kinds and texts, without blanks and comments. A string comes without its quotes."""
    found: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(text.replace("-\n", "-")):
        kind = match.lastgroup
        if kind == "string":  # a narrow terminal wraps within a string, too; ours have no blanks
            found.append((kind, re.sub(r"\\([\"'])", r"\1", match.group()[1:-1].replace("\n", ""))))
        elif kind:
            found.append((kind, match.group()))
    return found


def mended(text: str) -> str:
    """The text with its strings whole again where a narrow terminal broke them, so that it can be entered.

    It breaks at a blank, which goes; within a word only where that is longer than a line.
    """
    whole, last = "", 0
    for string in (one for one in _TOKEN.finditer(text) if one.lastgroup == "string"):
        for found in re.finditer("\n", string.group()):
            at = string.start() + found.start()
            word = text[:at].rsplit(maxsplit=1)[-1] + text[at:].split(maxsplit=1)[0]
            whole += text[last:at] + ("" if len(word) > NARROW or text[at - 1] == "-" else " ")
            last = at + 1
    return whole + text[last:]


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._at = 0

    def ours(self) -> Ours:
        """Parse `name: if (…) { if (…) { strip-header("X"); } else { drop(); } }`, or with a quarantine."""
        self._word()
        active = not self._maybe("!")
        self._sign(":")
        self._named("if")
        group = self._test("sendergroup", None)
        self._sign("{")
        self._named("if")
        header, value = self._header_test()
        self._sign("{")
        stripped = self._call("strip-header")
        if stripped.lower() != header.lower():
            raise _NotOursError
        self._sign("}")
        self._named("else")
        self._sign("{")
        otherwise = self._rest()
        self._sign("}")
        self._maybe(";")
        self._sign("}")
        self._maybe(";")
        if self._at != len(self._tokens):
            raise _NotOursError
        anchored = re.fullmatch(r"\^([A-Za-z][\w-]*)\$", group)
        name = anchored.group(1) if anchored else group
        if not re.fullmatch(r"[A-Za-z][\w-]*", name):
            raise _NotOursError
        values = _values(value)
        literal = tuple(one for one in values if _LITERAL.fullmatch(one))
        patterns = tuple(one for one in values if one not in literal)
        return Ours(name, bool(anchored), header, literal, active, patterns, otherwise)

    def _test(self, word: str, argument: str | None) -> str:
        """`word == "regex"`, in any number of brackets."""
        depth = 0
        while self._maybe("("):
            depth += 1
        self._named(word)
        if argument is not None:
            self._sign("(")
            self._string()
            self._sign(")")
        self._sign("==")
        value = self._string()
        for _ in range(depth):
            self._sign(")")
        return value

    def _header_test(self) -> tuple[str, str]:
        start = self._at
        value = self._test("header", "")
        return next(text for kind, text in self._tokens[start:] if kind == "string"), value

    def _rest(self) -> str:
        """What becomes of mail without a right value."""
        if self._peek()[1].lower() != QUARANTINE:
            self._call("drop")
            return DROP
        if self._call("quarantine") != _POLICY:
            raise _NotOursError
        self._call("skip-filters")
        return QUARANTINE

    def _call(self, action: str) -> str:
        """`action("x");`, brackets of an empty one optional."""
        self._named(action)
        argument = ""
        if self._maybe("("):
            if self._peek()[0] == "string":
                argument = self._string()
            self._sign(")")
        self._maybe(";")
        return argument

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _take(self, kind: str) -> str:
        found, text = self._peek()
        if found != kind:
            raise _NotOursError
        self._at += 1
        return text

    def _word(self) -> str:
        return self._take("word")

    def _string(self) -> str:
        return self._take("string")

    def _named(self, word: str) -> None:
        if self._word().lower() != word:
            raise _NotOursError

    def _sign(self, sign: str) -> None:
        if self._take("sign") != sign:
            raise _NotOursError

    def _maybe(self, sign: str) -> bool:
        if self._peek() == ("sign", sign):
            self._at += 1
            return True
        return False


def _values(pattern: str) -> tuple[str, ...]:
    found = re.fullmatch(r"\^(?:\((?:\?:)?([^()^$]*)\)|([^()|^$]*))\$", pattern)
    if not found:
        raise _NotOursError
    return tuple((found.group(1) or found.group(2) or "").split("|"))


def recognise(text: str) -> Ours | None:
    """What our filter says, or none where the text has another shape."""
    try:
        return _Parser(text).ours()
    except _NotOursError:
        return None


def ends_processing(text: str) -> bool:
    """Whether a filter has an action after which later filters see nothing of the message."""
    found = tokens(text)
    return any(kind == "word" and text.lower() in _ENDS for kind, text in found)


def render(
    name: str, group: str, header: str, values: tuple[str, ...], otherwise: str = DROP
) -> tuple[str, ...]:
    """The filter's lines. Several values: `^(a|b)$`. The group is a regular expression, hence the anchors."""
    value = values[0] if len(values) == 1 else f"({'|'.join(values)})"
    return (
        f'{name}: if (sendergroup == "^{group}$") {{',
        f'  if (header("{header}") == "^{value}$") {{',
        f'    strip-header("{header}");',
        "  } else {",
        *(f"    {action}" for action in _OTHERWISE[otherwise]),
        "  }",
        "}",
    )
