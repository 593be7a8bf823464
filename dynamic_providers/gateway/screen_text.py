"""The text of a screen: without control characters, without echo, without its default, fit for an error."""

import re

from dynamic_providers.errors import redact

NARROW = 80  # columns of a terminal that does not care what we asked for
_LAST_LINES, _LAST_LETTERS = 6, 600
_END = 65_536  # far more than the last lines can be

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+][0-9A-Za-z]|[=>78cDEHM])")
# What a filter compares with, or gives to an action; also where it is cut off.
_LITERAL = re.compile(
    r"""([=!]=\s*|[(,]\s*)(?:"(?:[^"\\]|\\[\s\S])*(?:"|\Z)|'(?:[^'\\]|\\[\s\S])*(?:'|\Z))"""
)


def clean(raw: str) -> str:
    """Text as a terminal would show it: carriage returns and backspaces done, no control characters."""
    text = re.sub(r"\r+\n", "\n", without_codes(raw))
    if "\r" in text or "\x08" in text:
        text = "\n".join(_overwritten(line) for line in text.split("\n"))
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)


def without_codes(raw: str) -> str:
    """Without the codes for colours, the cursor and the window's title."""
    return _ANSI.sub("", raw)


def _overwritten(line: str) -> str:
    letters: list[str] = []
    column = 0
    for char in line:
        if char == "\r":
            column = 0
        elif char == "\x08":
            column = max(0, column - 1)
        else:
            letters[column : column + 1] = char
            column += 1
    return "".join(letters)


def last_line(text: str) -> str:
    """What stands behind the last line end."""
    return text[text.rfind("\n") + 1 :]


def without_echo(raw: str, sent: str | None) -> str:
    """Without the echo of what we sent, however a narrow terminal wrapped it; `raw` itself without one."""
    if sent is None:
        return raw
    at = 0
    for char in flat(sent):
        while at < len(raw) and raw[at] in " \t\r\n\x08":
            at += 1
        if at == len(raw) or raw[at] != char:
            return raw
        at += 1
    end = re.compile(r"[ \t\r]*\n?").match(raw, at)
    return raw[end.end() :] if end else raw


def flat(text: str) -> str:
    """Without what a narrow terminal may have put between its letters."""
    return "".join(text.replace("\x08", " ").split())


def is_wrapped(banner: str) -> bool:
    """Whether the login's long NOTE was wrapped."""
    note = re.search(r"^NOTE:.*(?:\n(?!\s*$).+)*", banner, re.MULTILINE)
    return note is not None and all(len(line) <= NARROW for line in note.group().split("\n"))


def split_default(text: str) -> tuple[str, str]:
    """A question without its `[default]> `, and that default; it may hold brackets itself, and be wrapped."""
    asked = text.rstrip()
    if not asked.endswith("]>"):
        return asked.removesuffix(">"), ""
    depth = 0
    for at in range(len(asked) - len("]>") - 1, -1, -1):
        if asked[at] == "]":
            depth += 1
        elif asked[at] == "[":
            if not depth:
                return asked[:at], asked[at + 1 : -len("]>")].replace("\n", "")
            depth -= 1
    return asked, ""


def masked(text: str) -> str:
    """Without secrets: ours, and whatever filters compare with or insert, where others' stand in clear."""
    return redact(_LITERAL.sub(r'\1"[…]"', text))


def shown(raw: str) -> str:
    """The last lines, fit for an error: secrets masked, no control characters."""
    # Of a very long text the end, from the beginning of a line: no half of a secret shows.
    end = raw if len(raw) <= _END else raw[-_END:].partition("\n")[2]
    lines = [line.strip() for line in masked(clean(end)).split("\n") if line.strip()]
    return " / ".join(lines[-_LAST_LINES:])[-_LAST_LETTERS:]
