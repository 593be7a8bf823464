"""Going through a script: a question is answered by what it says, a menu by the verbs that it offers.

More, fewer or reordered questions work, or stop safely: on a question that no answer is meant for, the
command is left with Ctrl-C and the error quotes it.
"""

import re
from dataclasses import dataclass, field

from dynamic_providers.gateway.question import Question, choices_in, quote
from dynamic_providers.gateway.script import Flag, Keep, Lines, Reply, Script, Step, picked, shown, yes_or_no
from dynamic_providers.gateway.shell import Screen, Shell, Waits
from dynamic_providers.gateway.ssh import GatewayError

_NOTICE = re.compile(
    r"NOTICE:\s+This\s+configuration\s+command\s+has\s+not\s+yet\s+been\s+configured", re.IGNORECASE
)
_UNKNOWN_COMMAND = re.compile(r"unknown command", re.IGNORECASE)
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
        """Keep what was printed for what is under way; not what menus say on the way out."""
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
                    f"{self._what()}: it does not take {shown(ask.reply)}: "
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
            return yes_or_no(reply, question)
        if isinstance(reply, Keep):
            return ""
        number = picked(reply, question)
        if number or reply.keep:
            return number
        offered = ", ".join(text.strip() for _, text in question.choices)
        raise NotOfferedError(
            f"{self._what()}: none of the choices is {' or '.join(reply.patterns)}: {quote(offered)}",
            where=self.shell.name,
            fix="check the name",
        )

    def _leave_notice(self, screen: Screen) -> Screen:
        """The notice that this mode has no settings: switch to the cluster's, and give the verb again."""
        to_cluster = [
            number
            for number, text in choices_in(screen.text)
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
