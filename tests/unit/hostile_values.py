"""Hostile values by class, made from a value that is right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

MARK = "Zq7Mark"
"""In hostile texts that are long enough: what no message about a secret may show."""

LOOK_ALIKES = str.maketrans("aceopxyAEOX", "асеорхуАЕОХ")  # noqa: RUF001 - Cyrillic on purpose
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}

_INSIDE: Mapping[str, tuple[str, ...]] = {
    "line breaks": ("\n", "\r", "\r\n", "\n\n", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"),
    "control characters": ("\x00", "\x03", "\x04", "\x07", "\x08", "\x1a", "\x7f", "\t", "\x80", "\x9b31m"),
    "escape sequences": ("\x1b[2J", "\x1b]0;title\x07", "\x1b[1A", "\x1bc"),
    "bidi controls": ("\u202e", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c"),
    "zero width": ("\u200b", "\u200c", "\u200d", "\ufeff", "\u2060", "\u00ad", "\u180e"),
    "tags and halves": ("\U000e0041", "\ud800", "\ue000", "\ufffe"),
}
"""What is put into the middle of what is right."""

_BEHIND: Mapping[str, tuple[str, ...]] = {
    "quotes": ('"', "'", "`", '\\"', "\\", '"; reboot; "', "\u201c", "' or '1'='1"),
    "regex characters": (".*", "|x", "(x", "[a-z]+", "$", "^", "?", "+", "{9}"),
    "chains": (
        "; commit",
        ";",
        "&& reboot",
        "| cat",
        "$(reboot)",
        "`reboot`",
        "%0acommit",
        "\\ncommit",
        "#x",
    ),
    "prompts": ("]> ", "> ", "esa1.example.com> ", "[]> "),
    "lines": ("\n.\n", "\n.", "\r\n.\r\n", "\ncommit\n\nY"),
    "markup": ("<script>alert(1)</script>", "[x](https://evil.example)", "{{7*7}}", "${x}", "%s%n", "<!--"),
    "paths": ("/../../x", "?x=y", "#", "@evil.example", ":x@evil.example", "\\@evil.example"),
    "blanks": (" ", "\u00a0", "\u3000", "  "),
}
"""What is put behind it."""

ODDITIES: tuple[object, ...] = (
    True,
    False,
    0,
    -1,
    12,
    1_790_812_800,
    10**30,
    1e3,
    float("nan"),
    float("inf"),
    dt.date(2026, 10, 1),
    dt.datetime(2026, 10, 1, tzinfo=dt.UTC),
    (),
    [],
    {},
    [[]],
    ["x", MARK],
    {MARK: MARK},
    {"secure": MARK},
    *(
        "yes",
        "no",
        "on",
        "off",
        "~",
        "null",
        "true",
        "0x1f",
        "0o17",
        "1e3",
        "1_000",
        "12:30:00",
        "NaN",
        "<<",
        "!!x",
    ),
)
"""What YAML makes of texts without quotes, and texts that it would make something else of."""


def hostile(right: str) -> Iterator[tuple[str, object]]:
    """All hostile values made from one that is right, each with its class."""
    middle = len(right) // 2
    for name, parts in _INSIDE.items():
        yield from ((name, right[:middle] + part + right[middle:]) for part in parts)
    for part in ("\n", "\r", "\x00", "\x85", "\u2028", "\u202e", "\ufeff"):
        yield from (("at an end", one) for one in (part + right, right + part))
    for name, parts in _BEHIND.items():
        yield from ((name, right + part) for part in parts)
    if "@" in right:  # what stands before it is left as it is by many
        before, _, behind = right.partition("@")
        yield from ((name, f"{before}{part}@{behind}") for name, parts in _BEHIND.items() for part in parts)
    yield from (("marked", f"{MARK}{part}{right}") for part in ("\n", '"', " ", "\x1b[2J"))
    yield "blanks", f" {right}"
    yield "lines", "."
    yield "lines", ".."
    yield "look-alikes", right.translate(LOOK_ALIKES)
    yield "full width", right.translate(FULL_WIDTH)
    yield "full width", right[:1].translate(FULL_WIDTH) + right[1:]
    yield from (("huge", one) for one in ("x" * 100_000, f"{right}.{'a.' * 50_000}", "\u0430" * 100_000))
    yield from (("empty", one) for one in ("", " ", "\t", "\n", "\u200b", "\u3164", None))
    yield from (("oddities", one) for one in ODDITIES)
