"""What the appliance asks, taken apart: the question itself, its default, its choices, its verbs."""

import re
from dataclasses import dataclass

from dynamic_providers.gateway.screen_text import masked, split_default
from dynamic_providers.gateway.shell import Screen, Waits

_MENU_HEAD = re.compile(r"^.*\b(?:choose|select) the operation\b.*$", re.IGNORECASE | re.MULTILINE)
_VERB = re.compile(r"^[ \t]*-?[ \t]*([A-Z][A-Z_]{2,})[ \t]+-[ \t]", re.MULTILINE)
_CHOICE = re.compile(r"^[ \t]*(\d{1,4})[.)][ \t]+(\S.*)$")
_ASKS = re.compile(
    r"\?|^\s*(?:please |now |then "
    r")?(?:enter|choose|select|do|does|would|are|is|should|specify|type|what|which|how|press|provide)\b",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True)
class Question:
    """What is asked, apart from what was printed before it."""

    text: str
    printed: str
    default: str
    verbs: tuple[str, ...]
    choices: tuple[tuple[str, str], ...]
    takes_text: bool = False

    @property
    def is_yes_no(self) -> bool:
        """Whether it is answered with yes or no."""
        if {text.strip().lower() for _, text in self.choices} == {"yes", "no"}:
            return True
        return not self.choices and self.default.strip().lower() in {"y", "n", "yes", "no"}

    @classmethod
    def of(cls, screen: Screen) -> "Question":
        """Take a screen apart."""
        text, _ = split_default(screen.text)
        heads = list(_MENU_HEAD.finditer(text))
        if heads and (verbs := tuple(_VERB.findall(text, heads[-1].end()))):
            return cls(text[heads[-1].start() :], text[: heads[-1].start()], screen.default, verbs, ())
        at = _question_start(text)
        asked = text[at:]
        verbs = tuple(_VERB.findall(asked))
        return cls(
            asked.strip(),
            text[:at],
            screen.default,
            () if screen.waits is Waits.TEXT else verbs,
            choices_in(text),
            screen.waits is Waits.TEXT,
        )


def quote(text: str, longest: int = 400) -> str:
    """What the appliance printed, fit for an error: in one line, not too long, filters' texts masked."""
    line = " ".join(masked(text).split())
    return line if len(line) <= longest else line[: longest // 2] + " … " + line[-longest // 2 :]


def _question_start(text: str) -> int:
    """Where the question begins: the last paragraph, and those before it until one that asks."""
    starts = [0, *(found.end() for found in re.finditer(r"\n[ \t]*\n", text))]
    for start in reversed(starts):
        lines = [line for line in text[start:].split("\n") if not _CHOICE.match(line)]
        if _ASKS.search("\n".join(lines)):
            return start
    return 0


def choices_in(text: str) -> tuple[tuple[str, str], ...]:
    """The last numbered list."""
    found: list[tuple[str, str]] = []
    for line in text.split("\n"):
        choice = _CHOICE.match(line)
        if choice:
            if choice.group(1) == "1":
                found = []
            found.append((choice.group(1), choice.group(2)))
    return tuple(found)
