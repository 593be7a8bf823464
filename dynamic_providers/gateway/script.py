"""Scripts of dialogues as data: steps through menus, and answers to questions."""

import re
from dataclasses import dataclass

from dynamic_providers.gateway.question import Question, quote

_NEGATIVE = re.compile(
    r"\b(?:default|keep|leave|inherit|without|skip|disable|unchanged|unlimited|ignore)\b", re.IGNORECASE
)
_HARMFUL = re.compile(r"\b(?:sure|reset|delete|remove|discard|overwrite|clear|lose|restore)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Pick:
    """Pick a numbered choice by its text: the first of these patterns that fits one whole choice wins.

    `keep`: where none fits, leave what is preset.
    """

    patterns: tuple[str, ...]
    keep: bool

    def __init__(self, *patterns: str, keep: bool = False) -> None:
        object.__setattr__(self, "patterns", patterns)
        object.__setattr__(self, "keep", keep)


@dataclass(frozen=True)
class Flag:
    """Yes or no to a question for something special; the other way round where it is for the default."""

    wanted: bool


@dataclass(frozen=True)
class Keep:
    """Whatever is preset, by an empty answer: where a dialogue goes through everything that an object has."""


@dataclass(frozen=True)
class Lines:
    """Lines of text, where they are taken without a prompt."""

    lines: tuple[str, ...]


Reply = str | Pick | Flag | Keep | Lines


@dataclass(frozen=True)
class Ask:
    """A question and its answer. `about`: a pattern in the question.

    An answer only fits a question of its own sort: yes or no, a choice, a value, text. Without `about`,
    a Pick fits where one of its choices is offered, and Keep fits any harmless question.
    """

    about: str
    reply: Reply
    must: str = ""  # it has to be asked; if it is not, this says what to do instead
    again: bool = False  # it may be asked more than once

    def fits(self, question: Question) -> bool:
        """Whether this question is the one."""
        if not re.search(self.about, question.text, re.IGNORECASE | re.DOTALL):
            return False
        if isinstance(self.reply, Lines):
            return question.takes_text
        if question.takes_text:
            return False
        if isinstance(self.reply, Pick):
            return bool(question.choices) and bool(self.about or picked(self.reply, question))
        if isinstance(self.reply, Keep):
            return not _HARMFUL.search(question.text)
        return question.is_yes_no is isinstance(self.reply, Flag)


@dataclass(frozen=True)
class Step:
    """A verb given in a menu, and what is asked then. `menu`: one of these verbs marks the right menu."""

    verb: str | tuple[str, ...]
    asks: tuple[Ask, ...] = ()
    menu: tuple[str, ...] = ()
    optional: bool = False  # passed over where the menu does not offer it

    @property
    def verbs(self) -> tuple[str, ...]:
        """The verbs to choose from, best first."""
        return (self.verb,) if isinstance(self.verb, str) else self.verb


@dataclass(frozen=True)
class Script:
    """A command, the steps through its menus, and answers to what may be asked at any time."""

    command: str
    steps: tuple[Step, ...] = ()
    asks: tuple[Ask, ...] = ()
    what: str = ""  # for errors: what is being done


def picked(reply: Pick, question: Question) -> str:
    """The number of the choice that is wanted; empty where it is not offered."""
    for wanted in reply.patterns:
        for number, text in question.choices:
            if re.fullmatch(wanted, text.strip(), re.IGNORECASE):
                return number
    return ""


def yes_or_no(reply: Flag, question: Question) -> str:
    """Y or N, or the number of such a choice, by what the question's last sentence asks for."""
    last = re.split(r"(?<=[.?!])\s+", question.text.strip())[-1]
    yes = reply.wanted is not bool(_NEGATIVE.search(last))
    for number, text in question.choices:
        if text.strip().lower() == ("yes" if yes else "no"):
            return number
    return "Y" if yes else "N"


def shown(reply: Reply) -> str:
    """A reply, fit for an error."""
    return f"«{quote(reply)}»" if isinstance(reply, str) else "the answer"
