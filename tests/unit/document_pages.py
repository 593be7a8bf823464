"""The documents as tests read them: pages, fenced blocks, and the command lines in both."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    one.relative_to(ROOT).as_posix()
    for one in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("pipelines/*.md"))
)
FENCE = re.compile(r"^ *```([a-z]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def said(program: str) -> Iterator[tuple[str, str, bool]]:
    """Each command line of a program: page, line, and whether it is whole, or only named in a sentence."""
    begins = re.compile(rf"(?:[\w-]+=\S+ )*{program}(?= )")
    for page in PAGES:
        fences = FENCE.findall(text_of(page))
        for _language, block in fences:
            for line in block.replace("\\\n", " ").splitlines():
                if begins.match(line.strip()):
                    yield page, line.strip(), True
        for line in SPAN.findall(FENCE.sub("", text_of(page))):
            if begins.match(line):
                yield page, line, False


def words(line: str) -> list[str]:
    """Its words, without the program, a comment, and variables before it."""
    return [one for one in shlex.split(line, comments=True) if not re.match(r"[A-Z\d_]+=", one)][1:]
