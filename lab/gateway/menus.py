"""The shape that all table commands share: a header, a menu of verbs, and the same verbs on one line."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping

from lab.gateway.console import matched
from lab.gateway.dialogue import Abandoned, Disliked
from lab.gateway.session import Command, Session

Handler = Command
Header = Callable[[], Awaitable[None]]


async def run_menu(
    session: Session,
    menu: str,
    handlers: Mapping[str, Handler],
    words: list[str],
    *,
    command: str = "",
    header: Header | None = None,
    filled: Callable[[], bool] = lambda: True,
) -> None:
    """Take verbs until the menu is left; with `words`, the verb they begin with, and then leave.

    A wrong answer's reason is shown and the menu comes again. `command` is whose settings are at stake
    in a cluster: its notice may come first, or after the verb, which then has to be given again.
    """
    if command:
        await session.notice(command, "command")
    one_line = bool(words)
    while True:
        if words:
            verb = matched(session.profile.menu(menu), words[0])
            if not verb:
                await session.console.tell("unknown_verb", word=words[0])
        else:
            if header is not None:
                await header()
            verb = await session.console.verb(menu, filled=filled())
        if not verb:
            return
        rest, words = words[1:], []
        if command and await session.notice(command, "verb"):
            one_line = False
            continue
        if verb in handlers:
            await _act(session, handlers[verb], rest)
        else:
            await session.console.tell("not_emulated", word=verb)
        if one_line:
            return


async def _act(session: Session, handler: Handler, words: list[str]) -> None:
    try:
        await handler(session, words)
    except Disliked as disliked:
        await session.console.say(str(disliked))
    except Abandoned:
        await session.console.say()


async def run_settings(
    session: Session, command: str, handlers: Mapping[str, Handler], words: list[str], header: Header
) -> None:
    """The menu of a command that shows its settings before it: only to leave it at once counts as a read."""
    touched = False

    def touching(handler: Handler) -> Handler:
        async def act(session: Session, words: list[str]) -> None:
            nonlocal touched
            touched = True
            await handler(session, words)

        return act

    acting = {verb: touching(handler) for verb, handler in handlers.items()}
    try:
        await run_menu(session, command, acting, words, command=command, header=header)
    finally:
        if not touched:
            session.read(command)


async def pick(session: Session, question: str, names: list[str], words: list[str]) -> str:
    """Ask for one of the names, by name or number; from `words` first. Names keep their case."""
    while True:
        answer = words.pop(0) if words else await session.console.ask(session.profile.text(question))
        if answer in names:
            return answer
        if answer.isdecimal() and 1 <= int(answer) <= len(names):
            return names[int(answer) - 1]
        if not answer:
            raise Abandoned
        await session.console.tell("not_a_name", answer=answer)
        if not session.gateway.asks_again:
            raise Abandoned


def require_sure(answers: Mapping[str, str]) -> None:
    """Go back to the menu where a release asks whether one is sure, and one is not."""
    if answers.get("sure") == "no":
        raise Abandoned


def exporter(table: str, get: Callable[[Session], object]) -> Handler:
    """An EXPORT verb: keeps a copy of a table under a file name on this gateway."""

    async def handler(session: Session, words: list[str]) -> None:
        name = words[0] if words else await session.console.ask(session.profile.text("export_name"))
        if not name:
            raise Abandoned
        session.gateway.files[name] = (table, copy.deepcopy(get(session)))
        await session.console.tell("exported", name=name)

    return handler


def importer(table: str, put: Callable[[Session, object], None]) -> Handler:
    """An IMPORT verb: replaces a table with one that was exported."""

    async def handler(session: Session, words: list[str]) -> None:
        name = words[0] if words else await session.console.ask(session.profile.text("import_name"))
        kept, value = session.gateway.files.get(name, ("", None))
        if kept != table:
            raise Disliked(session.profile.text("no_such_file", name=name))
        put(session, copy.deepcopy(value))
        await session.console.tell("imported", name=name)

    return handler


def clearer(clear: Callable[[Session], None]) -> Handler:
    """A CLEAR verb: asks, then removes all entries."""

    async def handler(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
        if await session.console.confirm(session.profile.text("sure_to_remove_all"), default=False):
            clear(session)

    return handler
