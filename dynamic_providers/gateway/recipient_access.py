"""The recipient access table (RAT): whose mail the inbound listener accepts.

Row d. Guide: «Tabela de acesso do destinatário».
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pulumi
from pydantic import Field

from dynamic_providers.entries import Entries, Entry, Place, Props
from dynamic_providers.field_types import Label, Listener
from dynamic_providers.gateway import listeners
from dynamic_providers.gateway.script import Ask, Flag, Pick, Script, Step
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.smtp_routes import RouteDomain
from dynamic_providers.gateway.tables import RECIPIENTS, GatewayProvider, require_all, rows, unreadable
from dynamic_providers.managed_resource import ManagedResource, TableProvider
from dynamic_providers.model import Model

TABLE = "listenerconfig:rcptaccess"

# --- model --------------------------------------------------------------------------------------------------


class Recipient(Model):
    """What becomes of mail to a domain.

    A custom response and a bypass of controls are never wanted: `other` is empty.
    """

    action: Literal["Accept"] = "Accept"
    other: dict[str, str] = Field(default_factory=dict)


class RecipientAccessInputs(Model):
    """Entries of some domains in the table of one listener."""

    gateway: Label
    listener: Listener
    recipients: dict[RouteDomain, Recipient]


# --- parser -------------------------------------------------------------------------------------------------

_ROW = re.compile(r"^(\S+)\s+(?:->\s*|:\s*)?(ACCEPT|REJECT)\b[ \t]*(.*)$", re.IGNORECASE)
_HEAD = re.compile(r"^(\S+)\s*:?$")
_ACTION = re.compile(r"^\s+(ACCEPT|REJECT)\b[ \t]*(.*)$", re.IGNORECASE)
_HEADER = re.compile(r"^\s*(?:recipient|address|default access)\b.*$", re.IGNORECASE)
_FALSE = re.compile(r"\b[\w ]*(?:bypass|response)[\w ]*\s*[:=]\s*(?:no|none|off)\b,?", re.IGNORECASE)


def parse(text: str, where: str) -> dict[str, Entry]:
    """The table as printed or exported: address → {action, other}."""
    table: dict[str, Entry] = {}
    last = ""
    for line in rows(text):
        bare = re.sub(r"(?:^|\s)#.*$", "", line).rstrip()
        if not bare:
            continue
        row, action, head = _ROW.match(bare), _ACTION.match(bare), _HEAD.match(bare)
        if row:
            last = row.group(1).lower().rstrip(":")
            table[last] = _entry(row.group(2), row.group(3))
        elif action and last:
            table[last] = _entry(action.group(1), action.group(2))
        elif bare[0].isspace() and last:
            _add(table[last], bare)
        elif head and ("." in head.group(1) or "@" in head.group(1) or head.group(1).upper() == "ALL"):
            last = head.group(1).lower().rstrip(":")
            table[last] = {"action": "", "other": {}}
        elif not _HEADER.match(bare):
            raise unreadable(where, "recipient access table", line)
    for key, entry in table.items():
        if not entry["action"]:
            raise unreadable(where, "recipient access table", key)
    return table


def _entry(action: str, extra: str) -> Entry:
    entry: Entry = {"action": action.capitalize(), "other": {}}
    _add(entry, extra)
    return entry


def _add(entry: Entry, extra: str) -> None:
    text = _FALSE.sub("", extra).strip(" \t,;()")
    if not text:
        return
    bypass = re.search(r"\S*bypass[^,;\"]*", text, re.IGNORECASE)
    if bypass:
        entry["other"]["bypass"] = " ".join(
            [entry["other"].get("bypass", ""), bypass.group().strip()]
        ).strip()
        text = (text[: bypass.start()] + text[bypass.end() :]).strip(" \t,;()")
    text = text.strip("\"'")
    if text:
        entry["other"]["response"] = " ".join([entry["other"].get("response", ""), text]).strip()


# --- dialogue -----------------------------------------------------------------------------------------------

_PAGE = "set the entry on the page Mail Policies > Recipient Access Table, and report the release (`version`)"
_ADDRESS = (
    r"enter the (?:recipient |domain )?address"
    r"|\b(?:address|recipient)\b.*\b(?:entry|edit|modify|change|delete|remove|add)\b"
)


def read_script(listener: str) -> Script:
    """The dialogue that prints the table."""
    return listeners.script(listener, "RCPTACCESS", (Step("PRINT"),), "reading the recipient access table")


def _asks(address: str, entry: Entry) -> tuple[Ask, ...]:
    other = entry.get("other", {})
    response, bypass = other.get("response", ""), other.get("bypass", "").lower()
    code = re.match(r"\d{3}", response)
    return (
        Ask(r"\bLDAP\b", Flag(wanted="ldap" in bypass)),
        Ask(r"call.?ahead", Flag(wanted="call" in bypass)),
        Ask(r"bypass", Flag(wanted="receiving" in bypass or bypass == "bypass")),
        Ask(r"\bresponse\b", Flag(wanted=bool(response))),
        Ask(r"response code|SMTP code", code.group() if code else "250"),
        Ask(r"\bresponse\b", response[code.end() :].strip() if code else response),
        Ask(r"accept|reject|action", Pick(rf"{entry['action']}\b.*"), must=_PAGE),
        Ask(_ADDRESS, address, must=_PAGE),
    )


def _step(address: str, entry: Entry | None, *, there: bool) -> Step:
    if entry is None:
        return Step(
            "DELETE", (Ask(r"\bsure\b|confirm", Flag(wanted=True)), Ask(_ADDRESS, address, must=_PAGE))
        )
    return Step("EDIT" if there else "NEW", _asks(address, entry))


def _steps(address: str, entry: Entry | None, there: Entry | None) -> list[Step]:
    """What is more than an action is made anew: a release may have what its EDIT does not ask for."""
    if entry is not None and there is not None and there["other"]:
        return [_step(address, None, there=True), _step(address, entry, there=False)]
    return [_step(address, entry, there=there is not None)]


def write_script(listener: str, changes: Mapping[str, Entry | None], there: Entries) -> Script:
    """The dialogue that makes these entries so, in one command."""
    steps = [
        step for address in sorted(changes) for step in _steps(address, changes[address], there.get(address))
    ]
    return listeners.script(listener, "RCPTACCESS", tuple(steps), "writing the recipient access table")


# --- provider -----------------------------------------------------------------------------------------------


class RecipientAccessProvider(GatewayProvider, TableProvider):
    """Owns the entries of its domains; others' are never touched. Their order is not managed."""

    label = "recipient access entry"
    model = RecipientAccessInputs
    identity = ("gateway", "listener")
    take_over_key = "recipientAccess"
    table_field = "recipients"
    table_order = RECIPIENTS

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        listener = str(place["listener"])

        def read(session: Session) -> Entries:
            script = read_script(listener)
            printed = listeners.about(session, listener, lambda: session.run(script))
            table = parse(printed[-1], session.name)
            require_all(session.name, "recipient access table", printed[-2], len(table))
            return table

        table = self._gateway(place).read(f"{TABLE}:{listener}", read)
        return {key: table[key] for key in keys if key in table}

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        listener = str(place["listener"])
        script = write_script(listener, changes, live)

        def stage(session: Session) -> None:
            listeners.about(session, listener, lambda: session.run(script))

        self._change(place, f"{TABLE}:{listener}", stage, changes, context)


# --- resource -----------------------------------------------------------------------------------------------


class RecipientAccess(ManagedResource, module="gateway", name="RecipientAccess"):
    """Recipient access entries of some domains: `recipients` is domain → {action: Accept}."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(RecipientAccessProvider(), name, props, opts)
