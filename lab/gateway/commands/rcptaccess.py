"""`listenerconfig` → EDIT → RCPTACCESS: for whom a public listener takes mail."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

from lab.gateway.dialogue import DOMAIN, Disliked, address
from lab.gateway.menus import clearer, exporter, importer, require_sure, run_menu
from lab.gateway.state import Configuration, Recipient

if TYPE_CHECKING:
    from lab.gateway.session import Session

ALL = "ALL"
BYPASSES = {
    "bypass": "bypass_receiving",
    "bypass_ldap": "bypass_ldap",
    "bypass_call_ahead": "bypass_call_ahead",
}
"""Question → attribute."""


def parse_address(text: str) -> str:
    """A recipient entry's address: domain, .domain, user@, user@domain, [ip] or ALL."""
    if text.upper() == ALL:
        return ALL
    if text.startswith("[") and text.endswith("]") and address(text):
        return text.lower()
    user, at, domain = text.rpartition("@")
    if at and re.fullmatch(r"[^\s@,]+", user) and (not domain or DOMAIN.fullmatch(domain)):
        return f"{user}@{domain.lower()}"
    if not at and DOMAIN.fullmatch(text):
        return text.lower()
    raise Disliked(f"{text} is not a valid recipient address.")


async def rcptaccess(session: Session, listener: str, words: list[str]) -> None:
    """The menu of one public listener's table."""
    await RecipientAccess(session, listener).run(words)


class RecipientAccess:
    """The recipient access table of one listener, at the command line."""

    def __init__(self, session: Session, listener: str) -> None:
        self.session = session
        self.listener = listener
        self.table = f"rcptaccess:{listener}"

    @property
    def entries(self) -> list[Recipient]:
        """The rows, the last being ALL."""
        return self.session.tables.listener(self.listener).recipients

    async def run(self, words: list[str]) -> None:
        """Take verbs until the menu is left."""
        handlers = {
            "NEW": self._new,
            "EDIT": self._edit,
            "DELETE": self._delete,
            "PRINT": self._print,
            "IMPORT": importer(self.table, lambda _, rows: self._replace(rows)),
            "EXPORT": exporter(self.table, lambda _: self.entries),
            "CLEAR": clearer(lambda _: self._replace(self.entries[-1:])),
        }
        await run_menu(self.session, "rcptaccess", handlers, words, header=self._header)

    async def _header(self) -> None:
        count = len(self.entries)
        await self.session.console.say()
        await self.session.console.tell("recipients_one" if count == 1 else "recipients_many", count=count)

    def _replace(self, rows: object) -> None:
        assert isinstance(rows, list)

        def mutate(tables: Configuration) -> None:
            tables.listener(self.listener).recipients = copy.deepcopy(rows)

        self.session.write(self.table, "*", "replaced", mutate)

    def _new_addresses(self, text: str) -> str:
        addresses = [parse_address(part) for part in re.split(r"[,\s]+", text) if part]
        for one in addresses:
            if any(entry.address.lower() == one.lower() for entry in self.entries):
                raise Disliked(self.session.profile.text("recipient_exists", address=one))
        return ", ".join(addresses)

    def _existing(self, text: str) -> str:
        wanted = parse_address(text)
        for entry in self.entries:
            if entry.address.lower() == wanted.lower():
                return entry.address
        raise Disliked(self.session.profile.text("recipient_missing", address=text))

    async def _new(self, session: Session, words: list[str]) -> None:
        given: dict[str, str] = {}
        if words:
            given["address"] = self._new_addresses(words[0])
        answers = await session.ask("rcptaccess.new", checks={"address": self._new_addresses}, given=given)
        for one in answers["address"].split(", "):
            self._put(_from_answers(Recipient(one), answers), "added")

    async def _edit(self, session: Session, words: list[str]) -> None:
        given = {"address": self._existing(words[0])} if words else {}
        if not given:
            given = await session.ask("rcptaccess.pick", checks={"address": self._existing})
        entry = session.tables.listener(self.listener).recipient(given["address"])
        code, _, reply = entry.response.partition(" ")
        answers = await session.ask(
            "rcptaccess.edit",
            values={"address": entry.address},
            defaults={
                "action": entry.action,
                "custom": "yes" if entry.response else "no",
                "code": code or ("250" if entry.action == "ACCEPT" else "550"),
                "reply": reply,
                "bypass": "yes" if entry.bypass_receiving else "no",
                "bypass_ldap": "yes" if entry.bypass_ldap else "no",
                "bypass_call_ahead": "yes" if entry.bypass_call_ahead else "no",
            },
        )
        self._put(_from_answers(entry, answers), "changed")

    def _put(self, entry: Recipient, what: str) -> None:
        def mutate(tables: Configuration) -> None:
            rows = tables.listener(self.listener).recipients
            for index, row in enumerate(rows):
                if row.address.lower() == entry.address.lower():
                    rows[index] = copy.deepcopy(entry)
                    return
            rows.insert(len(rows) - 1, copy.deepcopy(entry))

        self.session.write(self.table, entry.address, what, mutate)

    async def _delete(self, session: Session, words: list[str]) -> None:
        if words:
            gone = self._existing(words[0])
        else:
            answers = await session.ask("rcptaccess.delete", checks={"address": self._existing})
            require_sure(answers)
            gone = answers["address"]
        if gone == ALL:
            raise Disliked(session.profile.text("recipient_all_stays"))

        def mutate(tables: Configuration) -> None:
            rows = tables.listener(self.listener).recipients
            rows[:] = [row for row in rows if row.address != gone]

        session.write(self.table, gone, "removed", mutate)

    async def _print(self, session: Session, words: list[str]) -> None:  # noqa: ARG002 - a verb's signature
        session.read(self.table)
        form = session.profile.setting("formats.rcptaccess")
        lines = list(form["heading"])
        for entry in self.entries:
            extras = [
                form["response"].format(response=entry.response) if entry.response else "",
                form["bypass"] if entry.bypass_receiving else "",
                form["bypass_ldap"] if entry.bypass_ldap else "",
                form["bypass_call_ahead"] if entry.bypass_call_ahead else "",
            ]
            shown = form["line"].format(address=entry.address, action=entry.action)
            lines.append(" ".join([shown, *(extra for extra in extras if extra)]))
        await session.console.say("\n" + "\n".join(lines))


def _from_answers(entry: Recipient, answers: dict[str, str]) -> Recipient:
    result = copy.deepcopy(entry)
    result.action = answers.get("action", result.action)
    if answers.get("custom") == "no":
        result.response = ""
    elif "reply" in answers:
        result.response = f"{answers.get('code', '250')} {answers['reply']}"
    for question, attribute in BYPASSES.items():
        if question in answers:
            setattr(result, attribute, answers[question] == "yes")
    return result
