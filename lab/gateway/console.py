"""Questions and answers as AsyncOS asks them, each recorded in the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lab.gateway.profile import Profile, Verb
from lab.gateway.switches import Switches
from lab.gateway.terminal import Terminal


class Console:
    """Shows lines and asks questions on a terminal; `record` gets each answer as it is given."""

    def __init__(
        self, terminal: Terminal, profile: Profile, switches: Switches, record: Callable[..., Any]
    ) -> None:
        self.terminal = terminal
        self.profile = profile
        self.switches = switches
        self._record = record

    async def say(self, text: str = "") -> None:
        """Show whole lines."""
        await self.terminal.show(text)

    async def tell(self, key: str, **values: object) -> None:
        """Show one of the release's texts, unless it is empty there."""
        text = self.profile.text(key, **values)
        if text:
            await self.say(text)

    async def ask(
        self,
        question: str,
        default: str = "",
        *,
        choices: Sequence[str] = (),
        bare: bool = False,
        same_line: bool = False,
    ) -> str:
        """Ask a question with its default in brackets; an empty answer takes the default.

        The prompt stands on a line of its own, except behind a yes/no question.
        """
        lines = [question, *(f"{number}. {words}" for number, words in enumerate(choices, 1))]
        lines = ["", *(line for line in "\n".join(lines).split("\n") if line)]
        prompt = "> " if bare else f"[{default}]> "
        if same_line:
            lines += self.terminal.wrapped(lines.pop())
            prompt = f"{lines.pop()} {prompt}"
        await self.say("\n".join(lines))
        answer = (await self.terminal.read_line(prompt)).strip()
        self._record("answer", question=question, answer=answer)
        return answer or default

    async def script(self, question: str) -> list[str]:
        """Read lines without a prompt until a single dot."""
        await self.say("\n" + question)
        lines: list[str] = []
        while True:
            line = await self.terminal.read_line()
            self._record("answer", question=question, answer=line)
            if line.strip() == ".":
                return lines
            lines.append(line)

    async def confirm(self, question: str, *, default: bool) -> bool:
        """Ask a yes/no question, again and again until the answer is one of the two."""
        while True:
            answer = (await self.ask(question, "Y" if default else "N", same_line=True)).lower()
            if answer in {"y", "yes"}:
                return True
            if answer in {"n", "no"}:
                return False
            await self.tell("not_yes_or_no", answer=answer)

    async def choose(self, question: str, choices: Sequence[str], default: int = 1) -> int:
        """Ask for a number of a list; the index from 0."""
        while True:
            answer = await self.ask(question, str(default), choices=choices)
            if answer.isdecimal() and 1 <= int(answer) <= len(choices):
                return int(answer) - 1
            await self.tell("not_a_choice", answer=answer, last=len(choices))

    async def verb(self, menu: str, *, filled: bool = True) -> str:
        """Show a menu and take a verb in upper case; nothing when the menu is left."""
        verbs = [verb for verb in self.profile.menu(menu) if filled or not verb.filled]
        lines = [f"- {verb.name} - {verb.text}" for verb in verbs]
        while True:
            answer = await self._choose_verb(lines)
            name = matched(verbs, answer)
            if name or not answer:
                return name
            await self.tell("unknown_verb", word=answer)

    async def _choose_verb(self, lines: Sequence[str]) -> str:
        question = self.profile.text("menu")
        await self.say("\n" + "\n".join([question, *lines]))
        answer = (await self.terminal.read_line("[]> ")).strip()
        self._record("answer", question=question, answer=answer)
        return answer


def matched(verbs: Sequence[Verb], word: str) -> str:
    """The verb that a word means, whatever its case; nothing if it means none."""
    return next((verb.name for verb in verbs if verb.name.lower() == word.lower()), "")
