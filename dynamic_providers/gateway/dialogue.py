"""Questions and answers. A script is data; a question is answered by what it says, a menu by the verbs that it offers.

More, fewer or reordered questions work, or stop safely: on a question that no answer is meant for, the command is left
with Ctrl-C and the error quotes it.
"""

import re
from dataclasses import dataclass, field

from dynamic_providers.errors import redact
from dynamic_providers.gateway.shell import Screen, Shell, Waits
from dynamic_providers.gateway.ssh import GatewayError

_MENU_HEAD = re.compile(r"^.*\b(?:choose|select) the operation\b.*$", re.IGNORECASE | re.MULTILINE)
_VERB = re.compile(r"^[ \t]*-?[ \t]*([A-Z][A-Z_]{2,})[ \t]+-[ \t]", re.MULTILINE)
_CHOICE = re.compile(r"^[ \t]*(\d{1,4})[.)][ \t]+(\S.*)$")
_ASKS = re.compile(
    r"\?|^\s*(?:please |now |then "
    r")?(?:enter|choose|select|do|does|would|are|is|should|specify|type|what|which|how|press|provide)\b",
    re.IGNORECASE | re.MULTILINE,
)
_NEGATIVE = re.compile(
    r"\b(?:default|keep|leave|inherit|without|skip|disable|unchanged|unlimited|ignore)\b", re.IGNORECASE
)
_NOTICE = re.compile(
    r"NOTICE:\s+This\s+configuration\s+command\s+has\s+not\s+yet\s+been\s+configured", re.IGNORECASE
)
_UNKNOWN_COMMAND = re.compile(r"unknown command", re.IGNORECASE)
_HARMFUL = re.compile(r"\b(?:sure|reset|delete|remove|discard|overwrite|clear|lose|restore)\b", re.IGNORECASE)
_LEVELS = 6  # deeper no menu lies


class DialogueError(GatewayError):
    """A dialogue did not go as it should; nothing of it is kept."""


class UnknownQuestionError(DialogueError):
    """The appliance asks what no answer is known for."""


class AnswerRefusedError(DialogueError):
    """The appliance does not take a value, and asks again."""


class NotAskedError(DialogueError):
    """A release that does not ask for what must be set."""


class NotOfferedError(DialogueError):
    """A menu or a list of choices lacks what is needed."""


class UnknownCommandError(DialogueError):
    """The appliance does not know the command, or the user may not give it."""


class OverrideError(DialogueError):
    """A group or a machine has a setting of its own: a commit at cluster level is without effect there."""


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
    """Yes or no to a question that asks for something special; the other way round where it asks for the default."""

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
    """A question and its answer. `about`: a pattern in the question; an answer only fits a question of its own sort.

    Without `about`, a Pick fits where one of its choices is offered, and Keep fits any harmless question.
    """

    about: str
    reply: Reply
    must: str = ""  # it has to be asked; if it is not, this says what to do instead
    again: bool = False  # it may be asked more than once

    def fits(self, question: "Question") -> bool:
        """Whether this question is the one."""
        if not re.search(self.about, question.text, re.IGNORECASE | re.DOTALL):
            return False
        if isinstance(self.reply, Lines):
            return question.takes_text
        if question.takes_text:
            return False
        if isinstance(self.reply, Pick):
            return bool(question.choices) and bool(self.about or _picked(self.reply, question))
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
        text = _without_brackets(screen.text)
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
            _choices(text),
            screen.waits is Waits.TEXT,
        )


@dataclass
class Conversation:
    """One run of a script."""

    shell: Shell
    script: Script
    printed: list[str] = field(default_factory=list)  # by the command, then by each step; questions left out
    _current: Step | None = None
    _next: int = 0
    _asked: dict[int, str] = field(default_factory=dict)  # number of an answer → last line of its question
    _noticed: bool = False

    def run(self) -> list[str]:
        """Go through with it, up to the main prompt.

        Gives what was printed: after the command, then after each step.
        """
        try:
            return self._run()
        except DialogueError:
            self.shell.interrupt()
            raise

    def _run(self) -> list[str]:
        self.printed = [""]
        screen = self.shell.command(self.script.command)
        ups = 0
        while screen.waits is not Waits.COMMAND:
            question = Question.of(screen)
            if _NOTICE.search(screen.text):
                screen = self._leave_notice(screen)
            elif question.verbs:
                ups = ups + 1 if self._is_up(question) else 0
                if ups > _LEVELS:
                    raise self._lacks(question)
                screen = self._at_menu(question)
            else:
                screen = self._answer(question)
        return self._ended(screen)

    # --- menus ----------------------------------------------------------------------------------------------

    def _at_menu(self, question: Question) -> Screen:
        self._note(question.printed)
        self._close_step()
        step, verb = self._step_for(question)
        if step is None:
            return self.shell.answer("")
        self._current = step
        self._next = self._index(step) + 1
        self._asked = {}
        self._noticed = False
        self.printed.extend([""] * (self._next + 1 - len(self.printed)))
        return self.shell.answer(verb)

    def _note(self, text: str) -> None:
        """Keep what was printed for the command or the step that is under way; not what menus say on the way out."""
        if self._current is not None or len(self.printed) == 1:
            self.printed[-1] += text

    def _is_up(self, question: Question) -> bool:
        return self._step_for(question)[0] is None

    def _step_for(self, question: Question) -> tuple[Step | None, str]:
        """The next step that this menu is for; none: up one level."""
        for step in self.script.steps[self._next :]:
            right_menu = not step.menu or any(verb in question.verbs for verb in step.menu)
            offered = [verb for verb in step.verbs if verb in question.verbs]
            if right_menu and offered:
                return step, offered[0]
            if not (step.optional and right_menu):
                return None, ""
        return None, ""

    def _index(self, step: Step) -> int:
        return next(n for n, one in enumerate(self.script.steps[self._next :], self._next) if one is step)

    def _close_step(self) -> None:
        step = self._current
        self._current = None
        if step is None:
            return
        for number, ask in enumerate(step.asks):
            if ask.must and number not in self._asked:
                raise NotAskedError(
                    f"{self._what()}: this release did not ask for it "
                    f"({quote(self.printed[-1]) or 'nothing was printed'})",
                    where=self.shell.name,
                    fix=ask.must,
                )

    # --- questions ------------------------------------------------------------------------------------------

    def _answer(self, question: Question) -> Screen:
        asks = (*(self._current.asks if self._current else ()), *self.script.asks)
        for number, ask in enumerate(asks):
            if not ask.fits(question):
                continue
            last_line = question.text.strip().rsplit("\n", maxsplit=1)[-1]
            if number in self._asked and not ask.again:
                if self._asked[number] != last_line:
                    continue  # it only looks like the question that was answered
                raise AnswerRefusedError(
                    f"{self._what()}: it does not take {_shown_reply(ask.reply)}: "
                    f"«{quote(question.printed) or 'no reason given'}», "
                    f"and asks again «{quote(question.text)}»",
                    where=self.shell.name,
                    fix="correct the value",
                )
            self._asked[number] = last_line
            self._note(question.printed)
            return self.shell.answer(self._typed(ask.reply, question))
        raise UnknownQuestionError(
            f"{self._what()}: it asks what no answer is known for: «{quote(question.text)}»"
            + (f" after «{quote(question.printed)}»" if quote(question.printed) else ""),
            where=self.shell.name,
            fix="nothing was changed; please report the question and the release (`version`)",
        )

    def _typed(self, reply: Reply, question: Question) -> str:
        if isinstance(reply, str):
            return reply
        if isinstance(reply, Lines):
            return "\n".join((*reply.lines, "."))
        if isinstance(reply, Flag):
            return _yes_or_no(reply, question)
        if isinstance(reply, Keep):
            return ""
        picked = _picked(reply, question)
        if picked or reply.keep:
            return picked
        offered = ", ".join(text.strip() for _, text in question.choices)
        raise NotOfferedError(
            f"{self._what()}: none of the choices is {' or '.join(reply.patterns)}: {quote(offered)}",
            where=self.shell.name,
            fix="check the name",
        )

    def _leave_notice(self, screen: Screen) -> Screen:
        """The cluster's notice that this mode has no settings of its own: switch to the cluster's, and give the verb again."""
        to_cluster = [
            number
            for number, text in _choices(screen.text)
            if re.search(r"switch.*\bcluster\b", text, re.IGNORECASE)
        ]
        if not to_cluster or self._noticed:
            raise OverrideError(
                f"{self._what()}: not set at the cluster's level: «{quote(screen.text)}»",
                where=self.shell.name,
                fix="move these settings to the cluster's level first (`clusterconfig`), or ask Cisco TAC",
            )
        self._noticed = True
        if self._current is not None:
            self._next -= 1  # the verb has to be given again, should the menu come back
            self._current = None
        return self.shell.answer(to_cluster[0], learn=True)

    # --- the end --------------------------------------------------------------------------------------------

    def _ended(self, screen: Screen) -> list[str]:
        self._note(screen.text)
        if _UNKNOWN_COMMAND.search(screen.text) and len(self.printed) == 1:
            raise UnknownCommandError(
                f"{self._what()}: «{quote(screen.text)}»",
                where=self.shell.name,
                fix="check that this user may change the configuration",
            )
        self._close_step()
        left = [step for step in self.script.steps[self._next :] if not step.optional]
        if left:
            raise NotOfferedError(
                f"{self._what()}: «{self.script.command}» ended before {left[0].verbs[0]} was "
                f"offered: «{quote(screen.text)}»",
                where=self.shell.name,
                fix="please report the release (`version`)",
            )
        self.printed.extend([""] * (len(self.script.steps) + 1 - len(self.printed)))
        return self.printed

    def _lacks(self, question: Question) -> NotOfferedError:
        return NotOfferedError(
            f"{self._what()}: the menu only offers {', '.join(question.verbs)}",
            where=self.shell.name,
            fix="please report this",
        )

    def _what(self) -> str:
        return self.script.what or self.script.command


def quote(text: str, longest: int = 400) -> str:
    """What the appliance printed, fit for an error: in one line, not too long, filters' texts masked."""
    masked = re.sub(r"([=!]=\s*)(\"[^\"]*\"|'[^']*')", r'\1"[…]"', text)
    line = " ".join(redact(masked).split())
    return line if len(line) <= longest else line[: longest // 2] + " … " + line[-longest // 2 :]


def _without_brackets(text: str) -> str:
    """Without the `[default]> ` at the end."""
    stripped = text.rstrip()
    if not stripped.endswith("]>"):
        return stripped.removesuffix(">")
    depth = 0
    for at in range(len(stripped) - len("]>") - 1, -1, -1):
        if stripped[at] == "]":
            depth += 1
        elif stripped[at] == "[":
            if not depth:
                return stripped[:at]
            depth -= 1
    return stripped


def _question_start(text: str) -> int:
    """Where the question begins: the last paragraph, and those before it until one that asks."""
    starts = [0, *(found.end() for found in re.finditer(r"\n[ \t]*\n", text))]
    for start in reversed(starts):
        lines = [line for line in text[start:].split("\n") if not _CHOICE.match(line)]
        if _ASKS.search("\n".join(lines)):
            return start
    return 0


def _choices(text: str) -> tuple[tuple[str, str], ...]:
    """The last numbered list."""
    found: list[tuple[str, str]] = []
    for line in text.split("\n"):
        choice = _CHOICE.match(line)
        if choice:
            if choice.group(1) == "1":
                found = []
            found.append((choice.group(1), choice.group(2)))
    return tuple(found)


def _picked(reply: Pick, question: Question) -> str:
    for wanted in reply.patterns:
        for number, text in question.choices:
            if re.fullmatch(wanted, text.strip(), re.IGNORECASE):
                return number
    return ""


def _yes_or_no(reply: Flag, question: Question) -> str:
    last = re.split(r"(?<=[.?!])\s+", question.text.strip())[-1]
    yes = reply.wanted is not bool(_NEGATIVE.search(last))
    for number, text in question.choices:
        if text.strip().lower() == ("yes" if yes else "no"):
            return number
    return "Y" if yes else "N"


def _shown_reply(reply: Reply) -> str:
    return f"«{quote(reply)}»" if isinstance(reply, str) else "the answer"
