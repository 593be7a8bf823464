"""`deliveryconfig` and `altsrchost`: which interface mail leaves from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.gateway.dialogue import Disliked
from lab.gateway.menus import clearer, run_menu, run_settings
from lab.gateway.state import Configuration, Delivery

if TYPE_CHECKING:
    from lab.gateway.session import Session

DELIVERY, SOURCES = "deliveryconfig", "altsrchost"


async def deliveryconfig(session: Session, words: list[str]) -> None:
    """The command: shows the settings, then its menu."""

    async def header() -> None:
        delivery = session.tables.delivery
        state = "Enabled" if delivery.possible_delivery else "Disabled"
        await session.console.say()
        await session.console.tell("delivery_settings", interface=delivery.interface, possible=state)

    await run_settings(session, DELIVERY, {"SETUP": _setup}, words, header)


async def _setup(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    delivery = session.tables.delivery
    names = ["Auto", *session.tables.interfaces]
    answers = await session.ask(
        "deliveryconfig.setup",
        choices={"interface": [(name, name) for name in names]},
        defaults={
            "interface": delivery.interface,
            "possible": "yes" if delivery.possible_delivery else "no",
            "concurrency": str(delivery.concurrency),
            "tls_concurrency": str(delivery.tls_concurrency),
        },
    )
    new = Delivery(
        answers["interface"],
        answers["possible"] == "yes",
        int(answers.get("concurrency", delivery.concurrency)),
        int(answers.get("tls_concurrency", delivery.tls_concurrency)),
    )

    def mutate(tables: Configuration) -> None:
        tables.delivery = new

    if new != delivery:
        session.write(DELIVERY, "setup", "changed", mutate)


async def altsrchost(session: Session, words: list[str]) -> None:
    """The command: senders and clients whose mail leaves from another interface."""

    async def header() -> None:
        count = len(session.tables.alt_sources)
        await session.console.say()
        await session.console.tell("sources_many" if count else "sources_none", count=count)

    def clear(session: Session) -> None:
        session.write(SOURCES, "*", "cleared", lambda tables: tables.alt_sources.clear())

    handlers = {"NEW": _new_source, "DELETE": _delete_source, "PRINT": _print, "CLEAR": clearer(clear)}
    await run_menu(
        session,
        SOURCES,
        handlers,
        words,
        command=SOURCES,
        header=header,
        filled=lambda: bool(session.tables.alt_sources),
    )


async def _new_source(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    names = session.tables.interfaces
    answers = await session.ask("altsrchost.new", choices={"interface": [(name, name) for name in names]})

    def mutate(tables: Configuration) -> None:
        tables.alt_sources[answers["source"]] = answers["interface"]

    session.write(SOURCES, answers["source"], "added", mutate)


async def _delete_source(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    source = (await session.ask("altsrchost.delete"))["source"]
    if source not in session.tables.alt_sources:
        raise Disliked(session.profile.text("source_missing", source=source))

    def mutate(tables: Configuration) -> None:
        tables.alt_sources.pop(source, None)

    session.write(SOURCES, source, "removed", mutate)


async def _print(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    session.read(SOURCES)
    lines = [f"{source} -> {interface}" for source, interface in session.tables.alt_sources.items()]
    await session.console.say("\n" + "\n".join(lines))
