"""`destconfig`: limits and TLS for delivery, per destination domain."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from lab.gateway.dialogue import KINDS, Disliked
from lab.gateway.menus import clearer, exporter, importer, require_sure, run_menu
from lab.gateway.state import Configuration, Destination

if TYPE_CHECKING:
    from lab.gateway.session import Session

TABLE = "destconfig"
DEFAULT = "DEFAULT"

# question of the dialogue → (the gate before it, attribute)
NUMBERS = {
    "concurrency": ("limit_concurrency", "max_host_concurrency"),
    "messages": ("limit_messages", "max_messages_per_connection"),
    "minutes": ("limit_recipients", "recipient_minutes"),
    "recipients": ("limit_recipients", "recipient_limit"),
}
CHOICES = {
    "tls": ("specific_tls", "table_tls"),
    "dane": ("specific_dane", "dane"),
    "bounce_profile": ("specific_bounce_profile", "bounce_profile"),
    "ip_sort": ("specific_ip_sort", "ip_sort_pref"),
}


async def destconfig(session: Session, words: list[str]) -> None:
    """The command."""

    async def header() -> None:
        count = len(session.tables.destinations)
        await session.console.say()
        await session.console.tell("destinations_one" if count == 1 else "destinations_many", count=count)

    handlers = {
        "SETUP": _setup,
        "NEW": _new,
        "EDIT": _edit,
        "DELETE": _delete,
        "DEFAULT": _default,
        "LIST": _list,
        "DETAIL": _detail,
        "PRINT": _print,
        "CLEAR": clearer(_clear),
        "IMPORT": importer(TABLE, _replace),
        "EXPORT": exporter(TABLE, lambda session: session.tables.destinations),
    }
    await run_menu(
        session,
        TABLE,
        handlers,
        words,
        command=TABLE,
        header=header,
        filled=lambda: len(session.tables.destinations) > 1,
    )


def _replace(session: Session, entries: object) -> None:
    assert isinstance(entries, dict)

    def mutate(tables: Configuration) -> None:
        tables.destinations = copy.deepcopy(entries)

    session.write(TABLE, "*", "replaced", mutate)


def _clear(session: Session) -> None:
    _replace(session, {DEFAULT: session.tables.destinations[DEFAULT]})


def _is_new(session: Session, domain: str) -> str:
    domain = KINDS["domain"](domain)
    if domain in session.tables.destinations or domain.upper() == DEFAULT:
        raise Disliked(session.profile.text("destination_exists", domain=domain))
    return domain


def _is_there(session: Session, domain: str, *, default: bool = False) -> str:
    if default and domain.upper() == DEFAULT:
        return DEFAULT
    domain = KINDS["domain"](domain)
    if domain not in session.tables.destinations:
        raise Disliked(session.profile.text("destination_missing", domain=domain))
    return domain


def _put(session: Session, entry: Destination, what: str) -> None:
    def mutate(tables: Configuration) -> None:
        tables.destinations[entry.domain] = copy.deepcopy(entry)

    session.write(TABLE, entry.domain, what, mutate)


def _shown(entry: Destination, default: Destination) -> dict[str, str]:
    """Current values as the dialogue's defaults: gates and the questions behind them."""
    shown: dict[str, str] = {"limit_type": entry.limit_type, "limit_apply": entry.limit_apply}
    for question, (gate, attribute) in {**NUMBERS, **CHOICES}.items():
        value = getattr(entry, attribute)
        shown[gate] = "no" if value is None else "yes"
        effective = getattr(default, attribute) if value is None else value
        if effective is not None:
            shown[question] = str(effective)
    shown["bounce_validation"] = entry.bounce_validation or "no"
    return shown


def _from_answers(entry: Destination, answers: dict[str, str]) -> Destination:
    result = copy.deepcopy(entry)
    for question, (gate, attribute) in {**NUMBERS, **CHOICES}.items():
        if answers.get(gate) == "no":
            setattr(result, attribute, None)
        elif question in answers:
            value = answers[question]
            setattr(result, attribute, int(value) if question in NUMBERS else value)
    if "bounce_validation" in answers:
        off = "no" if entry.domain == DEFAULT else None
        result.bounce_validation = "yes" if answers["bounce_validation"] == "yes" else off
    result.limit_type = answers.get("limit_type", result.limit_type)
    result.limit_apply = answers.get("limit_apply", result.limit_apply)
    return result


async def _new(session: Session, words: list[str]) -> None:
    given = {"domain": _is_new(session, words[0])} if words else {}
    answers = await session.ask(
        "destconfig.new", checks={"domain": lambda text: _is_new(session, text)}, given=given
    )
    _put(session, _from_answers(Destination(answers["domain"]), answers), "added")
    await session.console.tell("destination_added", domain=answers["domain"])


async def _edit(session: Session, words: list[str]) -> None:
    if words:
        domain = _is_there(session, words[0])
    else:
        asked = await session.ask("destconfig.pick", checks={"domain": lambda text: _is_there(session, text)})
        domain = asked["domain"]
    await _change(session, domain, "destconfig.edit")


async def _default(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    await _change(session, DEFAULT, "destconfig.default")


async def _change(session: Session, domain: str, dialogue: str) -> None:
    entry = session.tables.destinations[domain]
    answers = await session.ask(
        dialogue,
        values={"domain": "the default" if domain == DEFAULT else domain},
        defaults=_shown(entry, session.tables.destinations[DEFAULT]),
    )
    _put(session, _from_answers(entry, answers), "changed")


async def _delete(session: Session, words: list[str]) -> None:
    if words:
        domain = _is_there(session, words[0])
    else:
        asked = await session.ask(
            "destconfig.delete", checks={"domain": lambda text: _is_there(session, text)}
        )
        require_sure(asked)
        domain = asked["domain"]

    def mutate(tables: Configuration) -> None:
        tables.destinations.pop(domain, None)

    session.write(TABLE, domain, "removed", mutate)


async def _setup(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    old = (session.tables.tls_certificate, session.tables.tls_alert)
    answers = await session.ask(
        "destconfig.setup",
        values={"certificate": old[0]},
        defaults={"alert": "yes" if old[1] else "no"},
    )
    new = (answers["certificate"] or old[0], answers["alert"] == "yes")

    def mutate(tables: Configuration) -> None:
        tables.tls_certificate, tables.tls_alert = new

    if new != old:
        session.write(TABLE, "setup", "changed", mutate)


async def _list(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    session.read(TABLE)
    form = session.profile.setting("formats.destconfig")
    lines = list(form["list_heading"])
    for entry in session.tables.destinations.values():
        words_of = _words(entry, form)
        limited = entry.max_host_concurrency is not None or entry.recipient_limit is not None
        name = "(Default)" if entry.domain == DEFAULT else entry.domain
        lines.append(
            form["list_line"].format(
                **{**words_of, "domain": name, "limited": "On" if limited else "Default"}
            )
        )
    await session.console.say("\n" + "\n".join(lines))


async def _detail(session: Session, words: list[str]) -> None:
    if words:
        which = words[0]
    else:
        asked = await session.ask("destconfig.detail")
        which = asked["domain"]
    names = list(session.tables.destinations)
    if which.upper() != "ALL":
        names = [_is_there(session, which, default=True)]
    await _show(session, names)


async def _print(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    await _show(session, list(session.tables.destinations))


async def _show(session: Session, names: list[str]) -> None:
    session.read(TABLE)
    form = session.profile.setting("formats.destconfig")
    lines: list[str] = []
    for name in names:
        entry = session.tables.destinations[name]
        shown = "Default" if name == DEFAULT else name
        lines.append("")
        lines += [line.format(**{**_words(entry, form), "domain": shown}) for line in form["detail"]]
    await session.console.say("\n".join(lines))


def _words(entry: Destination, form: dict[str, dict[str, str]]) -> dict[str, str]:
    """Each value in the release's words."""
    words = form["words"]
    unset = words["unset_in_default"] if entry.domain == DEFAULT else words["unset"]
    recipients = words["no_recipient_limit"]
    if entry.recipient_limit is not None:
        recipients = words["recipients"].format(limit=entry.recipient_limit, minutes=entry.recipient_minutes)
    elif entry.domain != DEFAULT:
        recipients = words["default_recipient_limit"]
    return {
        "domain": entry.domain,
        "concurrency": str(entry.max_host_concurrency or unset),
        "messages": str(entry.max_messages_per_connection or unset),
        "recipients": recipients,
        "limit_type": words["limit_type_" + entry.limit_type.lower()],
        "limit_apply": words["limit_apply_" + entry.limit_apply.lower()],
        "tls": words["tls_" + entry.table_tls] if entry.table_tls else unset,
        "dane": entry.dane or unset,
        "bounce_validation": {"yes": "On", "no": "Off"}.get(entry.bounce_validation or "", unset),
        "bounce_profile": entry.bounce_profile or ("Default" if entry.domain == DEFAULT else unset),
        "ip_sort": words["ip_sort_" + entry.ip_sort_pref.lower()] if entry.ip_sort_pref else unset,
    }
