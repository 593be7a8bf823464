"""Destination controls: how fast, and with how much TLS, the gateway delivers to a domain.

Row c. Guide: «Controles de destino».
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field

from dynamic_providers.entries import Entries, Entry, Place, Props
from dynamic_providers.field_types import Label
from dynamic_providers.gateway.script import Ask, Flag, Pick, Script, Step
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.smtp_routes import RouteDomain
from dynamic_providers.gateway.tables import (
    DESTINATION_CONTROLS,
    GatewayProvider,
    require_all,
    rows,
    unreadable,
)
from dynamic_providers.managed_resource import ManagedResource, TableProvider
from dynamic_providers.model import Model

TABLE = "destconfig"

# --- model --------------------------------------------------------------------------------------------------

Tls = Literal["None", "Preferred", "Required", "Preferred - Verify", "Required - Verify"]


class DestinationControl(Model):
    """Limits of one domain; what is left out is as the gateway's default entry has it."""

    connections: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None  # at the same time
    messages_per_connection: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    tls: Tls | None = None
    other: dict[str, str] = Field(default_factory=dict)  # what else is not default; we never want any of it


class DestinationControlsInputs(Model):
    """Destination controls of some domains of one gateway."""

    gateway: Label
    controls: dict[RouteDomain, DestinationControl]


# --- parser -------------------------------------------------------------------------------------------------

_HEAD = re.compile(
    r"^\s*(?:domain\s*[:=]\s*)?(\.?[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[^\]\s]+\])\s*:?\s*$", re.IGNORECASE
)
_PAIR = re.compile(r"^\s*([^:=]+?)\s*[:=]\s*(.*?)\s*$")
_DEFAULT = re.compile(
    r"^(?:use )?default\b|^(?:-|n/?a|not (?:set|configured|specified|in use))$|^$", re.IGNORECASE
)
_NO_LIMIT = re.compile(r"^(?:no|none|off|unlimited|0|disabled)\b|^no recipient limit$", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_TLS: dict[str, Tls] = {
    "no": "None",
    "none": "None",
    "off": "None",
    "preferred": "Preferred",
    "on": "Preferred",
    "required": "Required",
    "preferredverify": "Preferred - Verify",
    "verify": "Preferred - Verify",
    "requiredverify": "Required - Verify",
    "requireverify": "Required - Verify",
}


def parse(text: str, where: str) -> dict[str, list[str]]:
    """The blocks as printed: domain (or «default») → its lines."""
    blocks: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in rows(text):
        head = _HEAD.match(line)
        if head and (not line[0].isspace() or current is None) and not _is_word(head.group(1)):
            current = blocks.setdefault(head.group(1).lower().rstrip("."), [])
        elif current is None:
            raise unreadable(where, TABLE, line)
        else:
            current.append(line)
    return blocks


def _is_word(text: str) -> bool:
    """Whether this is a heading of a part of a block rather than a domain."""
    return "." not in text and text.lower() not in {"default", "all", "localhost"}


def parse_block(lines: list[str], where: str) -> Entry:
    """One domain's entry in normal form: what is as the default is left out."""
    entry: Entry = {"other": {}}
    for name, value in _pairs(lines, where):
        _sort_in(entry, name, value, where)
    return entry


def _pairs(lines: list[str], where: str) -> Iterator[tuple[str, str]]:
    """Names and values of a block; values without a name («10 concurrent connections») are their own name."""
    for line in lines:
        pair = _PAIR.match(line)
        if pair and pair.group(2):
            parts = re.split(r",\s+", pair.group(2))
            yield from ((part if len(parts) > 1 else pair.group(1), part) for part in parts)
        elif not pair:
            stripped = line.strip()
            if not re.search(r"\blimit|connection|messages|applied|system|gateway", stripped, re.IGNORECASE):
                raise unreadable(where, TABLE, line)
            yield stripped, stripped


def _sort_in(entry: Entry, name: str, value: str, where: str) -> None:
    for about, take in _KINDS:
        if re.search(about, name, re.IGNORECASE) or (
            name == value and re.search(about, value, re.IGNORECASE)
        ):
            take(entry, value, where)
            return
    if not _DEFAULT.search(value):
        entry["other"][" ".join(name.lower().split())] = value


def _take_messages(entry: Entry, value: str, where: str) -> None:
    _take_number(entry, "messagesPerConnection", value, where)


def _take_connections(entry: Entry, value: str, where: str) -> None:
    _take_number(entry, "connections", value, where)


def _take_number(entry: Entry, key: str, value: str, where: str) -> None:
    if _DEFAULT.search(value):
        return
    number = _NUMBER.search(value)
    if not number:
        raise unreadable(where, TABLE, f"{key}: {value}")
    entry[key] = int(number.group())


def _take_tls(entry: Entry, value: str, where: str) -> None:
    if _DEFAULT.search(value):
        return
    word = re.sub(r"[^a-z]", "", re.sub(r"\(.*?\)", "", value).lower())
    if word not in _TLS:
        raise unreadable(where, TABLE, f"TLS: {value}")
    entry["tls"] = _TLS[word]


def _other(key: str, ordinary: re.Pattern[str]) -> Callable[[Entry, str, str], None]:
    def take(entry: Entry, value: str, _where: str) -> None:
        if not ordinary.search(value):
            entry["other"][key] = value

    return take


def _take_scope(entry: Entry, value: str, _where: str) -> None:
    """What the limits apply to, and at which level they are enforced: told apart by their values."""
    if re.search(r"exchanger|\bMX|\beach\b|separate|^1$", value, re.IGNORECASE):
        entry["other"]["limitType"] = value
    elif re.search(r"virtual|\bVG\b", value, re.IGNORECASE):
        entry["other"]["limitApply"] = value
    elif not re.search(rf"{_DEFAULT.pattern}|domain|^host$|system|^0$", value, re.IGNORECASE):
        entry["other"]["limits"] = value


_KINDS: tuple[tuple[str, Callable[[Entry, str, str], None]], ...] = (
    (
        r"recipient",
        _other("recipientLimit", re.compile(f"{_DEFAULT.pattern}|{_NO_LIMIT.pattern}|^no\\b", re.IGNORECASE)),
    ),
    (r"messages", _take_messages),
    (r"concurren|connections", _take_connections),
    (r"limit|appl|enforce|exchanger|virtual gateway|system.?wide", _take_scope),
    (r"\bdane\b", _other("dane", _DEFAULT)),
    (r"\btls\b", _take_tls),
    (r"bounce.*(?:verif|validat|tag)|(?:verif|tag).*bounce", _other("bounceVerification", _DEFAULT)),
    (r"bounce", _other("bounceProfile", _DEFAULT)),
    (r"\bip\b|ipv|ip_sort|sort pref", _other("ipPreference", _DEFAULT)),
)

# --- dialogue -----------------------------------------------------------------------------------------------

READ = Script(
    TABLE,
    (Step(("DETAIL", "PRINT"), (Ask(r"\bview\b|\bdetails?\b|\ball\b", "ALL"),)),),
    what="reading the destination controls",
)
_WHICH = r"enter the domain|\bdomain\b.*\b(?:limit|configure|edit|modify|change|delete|remove|add)\b"
_PAGE = "set it on the page Mail Policies > Destination Controls, then run this again"
_MESSAGES = f"this release does not ask for the messages per connection: {_PAGE}"


def _asks(domain: str, entry: Entry) -> tuple[Ask, ...]:
    """Answers to whatever NEW and EDIT ask, in whatever order.

    Special questions stand before general ones.
    """
    other = entry.get("other", {})
    limits = (entry.get("connections"), entry.get("messagesPerConnection"))
    return (
        *_number(r"messages.*\bconnection|\bconnection.*messages", limits[1], _MESSAGES),
        *_recipients(other.get("recipientLimit", "")),
        *_choice(r"\bDANE\b", other.get("dane")),
        *_choice(r"\bTLS\b.*(?:setting|support|use)|use TLS|TLS option", _tls_choice(entry.get("tls"))),
        *_choice(r"bounce.*(?:verif|tag)|(?:verif|tag).*bounce", other.get("bounceVerification")),
        *_choice(r"bounce profile", other.get("bounceProfile")),
        *_choice(r"\bIP\b.*(?:sort|prefer)|(?:sort|prefer).*\bIP\b|\bIPv[46]\b", other.get("ipPreference")),
        Ask(r"how you want to apply|appl\w+ the limits?|limits? (?:is|are) applied", _scope(other)),
        Ask(r"enforce|virtual gateway", _enforced(other)),
        *_number(
            r"concurren|\bconnections\b", limits[0], f"this release does not ask for the connections: {_PAGE}"
        ),
        Ask(_WHICH, domain, must=_PAGE),
    )


def _number(about: str, value: int | None, missing: str) -> tuple[Ask, ...]:
    if value is None:
        return (Ask(about, Flag(wanted=False)), Ask(about, ""))
    return (Ask(about, Flag(wanted=True)), Ask(about, str(value), must=missing))


def _recipients(limit: str) -> tuple[Ask, ...]:
    numbers = _NUMBER.findall(limit)
    if not numbers:
        return (Ask(r"recipient", Flag(wanted=False)), Ask(r"recipient", ""))
    return (
        Ask(r"recipient", Flag(wanted=True)),
        Ask(r"minutes used|number of minutes|how many minutes", numbers[1] if len(numbers) > 1 else "60"),
        Ask(r"recipient", numbers[0]),
    )


def _choice(about: str, value: str | None) -> tuple[Ask, ...]:
    if value is None:
        return (
            Ask(about, Flag(wanted=False)),
            Ask(about, Pick(r"(?:use )?default\b.*", keep=True)),
            Ask(about, ""),
        )
    same = re.escape(value)
    return (
        Ask(about, Flag(wanted=True)),
        Ask(about, Pick(same, rf"{same}\b.*", rf".*\b{same}\b.*")),
        Ask(about, value),
    )


def _tls_choice(tls: str | None) -> str | None:
    return "No" if tls == "None" else tls


def _scope(other: Mapping[str, str]) -> Pick:
    return (
        Pick(r".*\b(?:each|separate)\b.*")
        if "limitType" in other
        else Pick(r".*\bentire domain\b.*", r".*\bdomain\b.*")
    )


def _enforced(other: Mapping[str, str]) -> Pick:
    return (
        Pick(r".*virtual gateway.*") if "limitApply" in other else Pick(r"system.?wide.*", r".*\bsystem\b.*")
    )


def _step(domain: str, entry: Entry | None, *, there: bool) -> Step:
    if entry is None:
        return Step(
            "DELETE",
            (Ask(r"\bsure\b|confirm", Flag(wanted=True)), Ask(_WHICH, domain, must=_PAGE)),
        )
    return Step("EDIT" if there else "NEW", _asks(domain, entry))


def write(changes: Mapping[str, Entry | None], there: Iterable[str]) -> Script:
    """The dialogue that makes these entries so, in one command."""
    known = set(there)
    steps = tuple(_step(domain, changes[domain], there=domain in known) for domain in sorted(changes))
    return Script(TABLE, steps, what="writing the destination controls")


# --- provider -----------------------------------------------------------------------------------------------


def read(session: Session) -> dict[str, list[str]]:
    """The table as printed: domain (or «default») → its lines; for `Gateway.read(TABLE, read)`."""
    head, printed = session.run(READ)
    table = parse(printed, session.name)
    require_all(session.name, TABLE, head, len(table))
    return table


class DestinationControlsProvider(GatewayProvider, TableProvider):
    """Owns the entries of its domains; the default entry and others' are never touched."""

    label = "destination control"
    model = DestinationControlsInputs
    identity = ("gateway",)
    take_over_key = "destinationControls"
    table_field = "controls"
    table_order = DESTINATION_CONTROLS

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        gateway = self._gateway(place)
        table = gateway.read(TABLE, read)
        return {key: parse_block(table[key], gateway.name) for key in keys if key in table}

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        script = write(changes, live)

        def stage(session: Session) -> None:
            session.run(script)

        self._change(place, TABLE, stage, changes, context)


# --- resource -----------------------------------------------------------------------------------------------


class DestinationControls(ManagedResource, module="gateway", name="DestinationControls"):
    """`controls` is domain → {connections, messagesPerConnection, tls}; what is left out is the default."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(DestinationControlsProvider(), name, props, opts)
