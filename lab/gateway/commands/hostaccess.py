"""`listenerconfig` → EDIT → HOSTACCESS: how a listener treats who connects; the first match counts."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from lab.gateway.commands.hat_format import render_hat
from lab.gateway.commands.mail_flow_policies import delete_policy, edit_defaults, edit_policy, new_policy
from lab.gateway.commands.sender_groups import SenderGroups
from lab.gateway.dialogue import Disliked
from lab.gateway.menus import clearer, exporter, importer, pick, run_menu
from lab.gateway.state import Configuration

if TYPE_CHECKING:
    from lab.gateway.session import Session

KINDS = ("sendergroup", "policy")


async def hostaccess(session: Session, listener: str, words: list[str]) -> None:
    """The menu of one listener's table."""
    await HostAccess(session, listener).run(words)


class HostAccess:
    """The host access table of one listener, at the command line."""

    def __init__(self, session: Session, listener: str) -> None:
        self.session = session
        self.listener = listener
        self.groups = SenderGroups(session, listener)
        self.table = self.groups.table

    async def run(self, words: list[str]) -> None:
        """Take verbs until the menu is left."""
        handlers = {
            "NEW": self._new,
            "EDIT": self._edit,
            "DELETE": self._delete,
            "MOVE": self._move,
            "DEFAULT": self._default,
            "PRINT": self._print,
            "IMPORT": importer(self.table, lambda _, value: self._replace(value)),
            "EXPORT": exporter(self.table, lambda session: session.tables.listener(self.listener)),
            "CLEAR": clearer(lambda _: self._clear()),
            "RESET": clearer(lambda _: self._clear()),
        }
        await run_menu(self.session, "hostaccess", handlers, words, header=self._header)

    async def _header(self) -> None:
        listener = self.session.tables.listener(self.listener)
        await self.session.console.say()
        await self.session.console.tell(
            "hat_counts", policies=len(listener.policies), groups=len(listener.groups)
        )

    async def _kind(self, verb: str, words: list[str]) -> bool:
        """Sender group or policy; True for a policy."""
        if words:
            kind = words.pop(0).lower()
            if kind not in KINDS:
                raise Disliked(self.session.profile.text("not_a_hat_kind"))
            return kind == "policy"
        choices = [f"{verb} Sender Group", f"{verb} Policy"]
        if self.session.gateway.policies_first:
            choices.reverse()
        question = self.session.profile.text("hat_kind", verb=verb.lower())
        return choices[await self.session.console.choose(question, choices)].endswith("Policy")

    async def _new(self, session: Session, words: list[str]) -> None:
        if await self._kind("New", words):
            await new_policy(session, self.listener)
        else:
            await self.groups.new()

    async def _pick(self, words: list[str], *, policy: bool, verb: str) -> str:
        names = list(self.session.tables.listener(self.listener).policies) if policy else self.groups.names
        if not words:
            await self._show_names(names, policy=policy)
        return await pick(self.session, f"which_{'policy' if policy else 'group'}_{verb}", names, words)

    async def _show_names(self, names: list[str], *, policy: bool) -> None:
        heading = self.session.profile.text("hat_policies" if policy else "hat_groups")
        lines = [heading]
        for number, name in enumerate(names, 1):
            comment = "" if policy else self.groups.rows[number - 1].comment
            lines.append(f"{number}. {name}" + (f" ({comment})" if comment else ""))
        await self.session.console.say("\n" + "\n".join(lines))

    async def _edit(self, session: Session, words: list[str]) -> None:
        policy = await self._kind("Edit", words)
        name = await self._pick(words, policy=policy, verb="edit")
        if policy:
            await edit_policy(session, self.listener, name)
        else:
            await self.groups.edit(name, words)

    async def _delete(self, session: Session, words: list[str]) -> None:
        policy = await self._kind("Delete", words)
        name = await self._pick(words, policy=policy, verb="delete")
        if policy:
            delete_policy(session, self.listener, name)
        else:
            self.groups.delete(name)

    async def _move(self, session: Session, words: list[str]) -> None:  # noqa: ARG002 - a verb's signature
        names = self.groups.names
        await self._show_names(names, policy=False)

        def existing(answer: str) -> str:
            if answer in names:
                return answer
            if answer.isdecimal() and 1 <= int(answer) <= len(names):
                return names[int(answer) - 1]
            raise Disliked(session.profile.text("not_a_name", answer=answer))

        answers = await session.ask("hostaccess.move", checks={"what": existing, "before": self._position})
        self.groups.move(answers["what"], int(answers["before"]))

    def _position(self, answer: str) -> str:
        if answer.isdecimal() and 1 <= int(answer) <= len(self.groups.names):
            return answer
        raise Disliked(self.session.profile.text("not_a_number", minimum=1, maximum=len(self.groups.names)))

    async def _default(self, session: Session, words: list[str]) -> None:  # noqa: ARG002 - a verb's signature
        await edit_defaults(session, self.listener)

    async def _print(self, session: Session, words: list[str]) -> None:  # noqa: ARG002 - a verb's signature
        session.read(self.table)
        form = session.profile.setting("formats.hostaccess")
        await session.console.say("\n" + "\n".join(render_hat(session.tables.listener(self.listener), form)))

    def _replace(self, value: object) -> None:
        def mutate(tables: Configuration) -> None:
            listener = tables.listener(self.listener)
            for attribute in ("groups", "policies", "defaults"):
                setattr(listener, attribute, copy.deepcopy(getattr(value, attribute)))

        self.session.write(self.table, "*", "replaced", mutate)

    def _clear(self) -> None:
        def mutate(tables: Configuration) -> None:
            listener = tables.listener(self.listener)
            listener.groups = listener.groups[-1:]

        self.session.write(self.table, "*", "cleared", mutate)
