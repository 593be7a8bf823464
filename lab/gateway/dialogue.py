"""Runs a dialogue of the profile: asks its steps in order, checks each answer, gives them back by name."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lab.gateway.profile import Step

if TYPE_CHECKING:
    from lab.gateway.console import Console

Check = Callable[[str], str]
"""Takes an answer, gives its normal form, or raises `Disliked` with the reason."""

After = Callable[[Mapping[str, str]], Awaitable[None]]
"""What a question leads to before the next one is asked; it sees the answers so far."""

LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
DOMAIN = re.compile(rf"\.?{LABEL}(\.{LABEL})*")


class Disliked(Exception):
    """An answer that the appliance does not take, with its reason."""


class Abandoned(Exception):
    """The dialogue was given up after a wrong answer; nothing was changed."""


class Dialogue:
    """One run of one dialogue."""

    def __init__(
        self,
        console: Console,
        name: str,
        *,
        values: Mapping[str, object] | None = None,
        defaults: Mapping[str, str] | None = None,
        choices: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        checks: Mapping[str, Check] | None = None,
        facts: Mapping[str, bool] | None = None,
        given: Mapping[str, str] | None = None,
        after: Mapping[str, After] | None = None,
    ) -> None:
        self._console = console
        self._name = name
        self._values: dict[str, object] = dict(values or {})
        self._defaults = dict(defaults or {})
        self._choices = dict(choices or {})
        self._checks = dict(checks or {})
        self._facts = dict(facts or {})
        self.answers: dict[str, str] = dict(given or {})
        self._after = dict(after or {})
        self._steps = console.profile.dialogue(name)

    async def run(self) -> dict[str, str]:
        """Ask what is to ask; answers by step: text as typed, `yes`/`no`, a choice's value."""
        steps = [step for step in self._steps if step.id not in self.answers]
        writes = self._name not in self._console.profile.setting("reading_dialogues")
        strange = max(1, len(steps) // 2) if writes and self._console.switches.strange_question else -1
        for number, step in enumerate(steps):
            if number == strange:
                await self._strange()
            if self._applies(step):
                self.answers[step.id] = await self._answer(step)
                if step.id in self._after:
                    await self._after[step.id](self.answers)
        if 0 < len(steps) <= strange:
            await self._strange()
        return self.answers

    def _applies(self, step: Step) -> bool:
        if not step.when:
            return True
        for condition in step.when.split(" and "):
            question, _, wanted = condition.strip().partition("=")
            if question in self._facts:
                if not self._facts[question]:
                    return False
            elif question in self.answers:
                if self.answers[question] not in (wanted or "yes").split("|"):
                    return False
            elif any(other.id == question for other in self._steps):
                return False
        return True

    async def _strange(self) -> None:
        # A question of a release that nobody has described.
        await self._console.ask(self._console.profile.text("strange"), "1")

    async def _answer(self, step: Step) -> str:
        while True:
            try:
                return await self._ask(step)
            except Disliked as disliked:
                await self._console.say(step.error or str(disliked))
                if not self._console.switches.asks_again:
                    raise Abandoned from None

    async def _ask(self, step: Step) -> str:
        question = step.text.format(**{**self._values, **self.answers})
        default = self._defaults.get(step.id, step.default)
        if step.kind == "yes":
            return await self._yes_or_no(question, default)
        if step.kind == "choice":
            return await self._choice(step, question, default)
        if step.kind == "script":
            answer = "\n".join(await self._console.script(question))
        else:
            answer = await self._console.ask(question, default, bare=step.bare)
        if not answer and not step.optional:
            raise Disliked(self._console.profile.text("empty_answer"))
        if answer and step.kind in KINDS:
            answer = KINDS[step.kind](answer)
        if step.kind == "number":
            answer = self._number(step, answer)
        return self._checks[step.id](answer) if step.id in self._checks else answer

    async def _yes_or_no(self, question: str, default: str) -> str:
        yes = default.lower() in {"y", "yes"}
        return "yes" if await self._console.confirm(question, default=yes) else "no"

    async def _choice(self, step: Step, question: str, default: str) -> str:
        places = {**self._values, **self.answers}
        own = [(value, words.format(**places)) for value, words in step.choices]
        options = list(self._choices.get(step.id, own))
        values = [value for value, _ in options]
        start = values.index(default) + 1 if default in values else 1
        chosen = await self._console.choose(question, [words for _, words in options], start)
        return values[chosen]

    def _number(self, step: Step, answer: str) -> str:
        if not answer.isdecimal() or not step.minimum <= int(answer) <= step.maximum:
            raise Disliked(
                self._console.profile.text("not_a_number", minimum=step.minimum, maximum=step.maximum)
            )
        return str(int(answer))


def _domain(answer: str) -> str:
    if not DOMAIN.fullmatch(answer):
        raise Disliked(f"{answer} is not a valid domain name.")
    return answer.lower()


def _domain_or_all(answer: str) -> str:
    return "ALL" if answer.upper() == "ALL" else _domain(answer)


def address(text: str) -> bool:
    """Whether this is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _name(answer: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", answer):
        raise Disliked("A name must begin with a letter or an underscore and hold letters, digits, _ and -.")
    return answer


def _size(answer: str) -> str:
    found = re.fullmatch(r"(\d+)([kKmM]?)", answer)
    if not found:
        raise Disliked("A size is a number, with a trailing k for kilobytes or M for megabytes.")
    return str(int(found[1])) + found[2].replace("K", "k").replace("m", "M")


KINDS: dict[str, Check] = {"domain": _domain, "domain_or_all": _domain_or_all, "name": _name, "size": _size}
