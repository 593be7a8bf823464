"""`sslconfig`: methods and ciphers that the appliance uses for its services."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from lab.gateway.dialogue import Disliked
from lab.gateway.menus import Handler, run_settings
from lab.gateway.state import Configuration, Tls

if TYPE_CHECKING:
    from lab.gateway.session import Session

TABLE = "sslconfig"
SERVICES = {"GUI": "gui", "INBOUND": "inbound", "OUTBOUND": "outbound"}
CIPHER = re.compile(r"[A-Za-z0-9_!+@:,.=-]+")


async def sslconfig(session: Session, words: list[str]) -> None:
    """The command. Its settings stand before each menu."""
    handlers: dict[str, Handler] = {verb: partial(_change, service) for verb, service in SERVICES.items()}
    handlers["VERIFY"] = _verify
    await run_settings(session, TABLE, handlers, words, partial(_show, session))


async def _show(session: Session) -> None:
    form = session.profile.setting("formats.sslconfig")
    lines = list(form["heading"])
    for service, words in form["services"].items():
        tls = session.tables.ssl[service]
        lines.append(form["method"].format(service=words, method=tls.method))
        label = form["ciphers"].format(service=words)
        if form["one_part_a_line"]:
            lines += [label, *(form["part_indent"] * " " + part for part in tls.cipher.split(":"))]
        else:
            lines.append(f"{label}  {tls.cipher}")
    await session.console.say("\n" + "\n".join(lines))


def _cipher(text: str) -> str:
    if not CIPHER.fullmatch(text):
        raise Disliked("A cipher list holds OpenSSL's words, separated by colons.")
    return text


async def _change(service: str, session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    tls = session.tables.ssl[service]
    methods = session.profile.setting("formats.sslconfig.methods")
    options = [(method, method) for method in methods]
    answers = await session.ask(
        f"sslconfig.{service}",
        defaults={"method": tls.method, "cipher": tls.cipher},
        choices={"method": options},
        checks={"cipher": _cipher},
    )
    new = Tls(answers.get("method", tls.method), answers.get("cipher", tls.cipher))
    if new == tls:
        return

    def mutate(tables: Configuration) -> None:
        tables.ssl[service] = new

    session.write(TABLE, service, "changed", mutate)


async def _verify(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    cipher = await session.console.ask(
        session.profile.text("ssl_verify"), session.tables.ssl["outbound"].cipher
    )
    parts = [part for part in _cipher(cipher).split(":") if not part.startswith(("!", "-", "@"))]
    await session.console.say("\n" + "\n".join(parts))
