"""`smtproutes`: where mail for a domain is delivered, past its MX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lab.gateway.dialogue import DOMAIN, KINDS, Disliked, address
from lab.gateway.menus import clearer, exporter, importer, require_sure, run_menu
from lab.gateway.state import Configuration, Target

if TYPE_CHECKING:
    from lab.gateway.session import Session

TABLE = "smtproutes"


def parse_targets(text: str) -> list[Target]:
    """Destination hosts as typed: `host[:port][/pri=n]`, separated by commas or blanks."""
    targets = [_target(part) for part in re.split(r"[,\s]+", text) if part]
    if not targets:
        raise Disliked("At least one destination host is needed.")
    return targets


def _target(part: str) -> Target:
    if part.lower() == "/dev/null" or part.upper() == "USEDNS":
        return Target(part.lower() if part.startswith("/") else "USEDNS")
    found = re.fullmatch(r"(\[[^\]]+\]|[^\[\]/]+?)(?::(\d+))?(?:/pri=(\d+))?", part, re.IGNORECASE)
    if found is None or (found[1].count(":") == 0 and not _host(found[1])):
        raise Disliked(f"{part} is not a valid destination host.")
    host, port, priority = found[1], found[2], found[3]
    if not host.startswith("[") and part.count(":") > 1:  # an IPv6 address holds its colons
        host, port = part.split("/", maxsplit=1)[0], None
        if not address(host):
            raise Disliked(f"{part} is not a valid destination host.")
    if int(priority or 0) > 65535 or not 1 <= int(port or 25) <= 65535:
        raise Disliked("A priority is 0 to 65535, a port 1 to 65535.")
    return Target(host.lower(), int(priority or 0), int(port or 25))


def _host(text: str) -> bool:
    inner = text.strip("[]")
    return address(inner) or (DOMAIN.fullmatch(inner) is not None and not inner.startswith("."))


def render_targets(targets: list[Target], *, zero: bool = False) -> str:
    """As the appliance prints them: `/pri` unless 0, `:port` unless 25."""
    return ", ".join(
        target.host
        + (f":{target.port}" if target.port != 25 else "")
        + (f"/pri={target.priority}" if target.priority or zero else "")
        for target in targets
    )


async def smtproutes(session: Session, words: list[str]) -> None:
    """The command."""

    async def header() -> None:
        await session.console.say()
        await _count(session)

    handlers = {
        "NEW": _new,
        "EDIT": _edit,
        "DELETE": _delete,
        "PRINT": _print,
        "IMPORT": importer(TABLE, _replace),
        "EXPORT": exporter(TABLE, lambda session: session.tables.routes),
        "CLEAR": clearer(lambda session: _replace(session, {})),
    }
    await run_menu(
        session,
        TABLE,
        handlers,
        words,
        command=TABLE,
        header=header,
        filled=lambda: bool(session.tables.routes),
    )


async def _count(session: Session) -> None:
    count = len(session.tables.routes)
    if count:
        await session.console.tell("routes_many" if count > 1 else "routes_one", count=count)
    else:
        await session.console.tell("routes_none")


def _replace(session: Session, routes: object) -> None:
    assert isinstance(routes, dict)

    def mutate(tables: Configuration) -> None:
        tables.routes = dict(routes)

    session.write(TABLE, "*", "replaced", mutate)


def _is_new(session: Session, domain: str) -> str:
    domain = KINDS["domain_or_all"](domain)
    if domain in session.tables.routes:
        raise Disliked(session.profile.text("route_exists", domain=domain))
    return domain


def _is_there(session: Session, domain: str) -> str:
    domain = KINDS["domain_or_all"](domain)
    if domain not in session.tables.routes:
        raise Disliked(session.profile.text("route_missing", domain=domain))
    return domain


def _hosts(text: str) -> str:
    parse_targets(text)
    return text


def _set(session: Session, domain: str, hosts: str, what: str) -> None:
    targets = parse_targets(hosts)

    def mutate(tables: Configuration) -> None:
        tables.routes[domain] = targets

    session.write(TABLE, domain, what, mutate)


async def _new(session: Session, words: list[str]) -> None:
    if len(words) > 1:
        _set(session, _is_new(session, words[0]), " ".join(words[1:]), "added")
        return
    answers = await session.ask(
        "smtproutes.new", checks={"domain": lambda text: _is_new(session, text), "hosts": _hosts}
    )
    _set(session, answers["domain"], answers["hosts"], "added")


async def _edit(session: Session, words: list[str]) -> None:
    if len(words) > 1:
        _set(session, _is_there(session, words[0]), " ".join(words[1:]), "changed")
        return
    answers = await session.ask(
        "smtproutes.edit", checks={"domain": lambda text: _is_there(session, text), "hosts": _hosts}
    )
    _set(session, answers["domain"], answers["hosts"], "changed")


async def _delete(session: Session, words: list[str]) -> None:
    if words:
        domain = _is_there(session, words[0])
    else:
        answers = await session.ask(
            "smtproutes.delete", checks={"domain": lambda text: _is_there(session, text)}
        )
        require_sure(answers)
        domain = answers["domain"]

    def mutate(tables: Configuration) -> None:
        tables.routes.pop(domain, None)

    session.write(TABLE, domain, "removed", mutate)


async def _print(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    session.read(TABLE)
    if not session.tables.routes:
        await session.console.tell("routes_none")
        return
    form = session.profile.setting("formats.smtproutes")
    lines = list(form["heading"])
    for domain, targets in session.tables.routes.items():
        hosts = render_targets(targets, zero=session.gateway.print_priority_zero)
        lines.append(form["line"].format(domain=domain, hosts=hosts))
    await session.console.say("\n" + "\n".join(lines))
