"""SMTP routes: where the gateway delivers a domain's mail (guide: «Rotas SMTP»). Row e.

For domains with a route the gateway does not enforce DANE, whatever the destination controls say (Cisco's
own note).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import pulumi
from pydantic import AfterValidator, Field

from dynamic_providers import addresses
from dynamic_providers.entries import RAW, Entries, Entry, Place, Props
from dynamic_providers.field_types import Host, Label, Port
from dynamic_providers.gateway.screen_text import NARROW
from dynamic_providers.gateway.script import Ask, Flag, Pick, Script, Step
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.tables import ROUTES, GatewayProvider, require_all, rows, unreadable
from dynamic_providers.managed_resource import ManagedResource, TableProvider
from dynamic_providers.model import Model

TABLE = "smtproutes"

# --- model --------------------------------------------------------------------------------------------------


def _route_domain(text: str) -> str:
    """A domain, or a domain with a leading dot, which stands for all its subdomains."""
    return "." + addresses.domain(text[1:]) if text.startswith(".") else addresses.domain(text)


RouteDomain = Annotated[str, AfterValidator(_route_domain)]


class RouteHost(Model):
    """A destination host. The lowest priority is tried first; equal ones take turns."""

    host: Host
    priority: Annotated[int, Field(strict=True, ge=0, le=65535)] = 0
    port: Port = 25


def _in_order(hosts: tuple[RouteHost, ...]) -> tuple[RouteHost, ...]:
    return tuple(sorted(hosts, key=lambda one: (one.priority, one.host, one.port)))


class Route(Model):
    """Where a domain's mail goes.

    The order of hosts says nothing among equal priorities, so it is made one.
    """

    hosts: Annotated[tuple[RouteHost, ...], AfterValidator(_in_order)] = Field(min_length=1)


class SmtpRoutesInputs(Model):
    """Routes of some domains of one gateway."""

    gateway: Label
    routes: dict[RouteDomain, Route]


# --- parser -------------------------------------------------------------------------------------------------

_KEY = r"ALL|\*|\.?[A-Za-z0-9_](?:[A-Za-z0-9_-]*)(?:\.[A-Za-z0-9_-]+)*\.?|\[[^\]\s]+\]|[^\s@]*@?\S+\.\S+"
_ROW = re.compile(rf"^\s*({_KEY})\s*(?:->|=>|\s:\s|\t|\s{{1,}})\s*(\S.*)$", re.IGNORECASE)
_HEADER = re.compile(
    r"^\s*(?:receiving )?domain\b.*\b(?:hosts?|destinations?)\b|^\s*smtp routes?:?\s*$", re.IGNORECASE
)
_HOST = re.compile(r"/dev/null|usedns|\[[^\]\s]+\]|[A-Za-z0-9_.:-]+", re.IGNORECASE)


def parse(text: str, where: str) -> dict[str, str]:
    """The table as printed: domain → its hosts, not taken apart, since others' routes may hold anything."""
    table: dict[str, str] = {}
    for line in _whole_rows(text):
        row = _ROW.match(line)
        if not row:
            raise unreadable(where, TABLE, line)
        table[row.group(1).lower().rstrip(".")] = row.group(2).strip()
    return table


def _whole_rows(text: str) -> list[str]:
    """Rows, whole again where a narrow terminal wrapped them: at comma, hyphen, blank, last column."""
    found: list[str] = []
    last = ""
    for line in rows(text):
        alone = len(line.split()) == 1
        if _HEADER.match(line):
            continue
        if (found and last.endswith("-")) or (alone and len(last) == NARROW and not last.endswith(",")):
            found[-1] += line.strip()
        elif found and (last.endswith(",") or len(found[-1].split()) == 1):
            found[-1] += " " + line.strip()
        else:
            found.append(line)
        last = line
    return found


def parse_hosts(text: str, where: str) -> list[dict[str, Any]]:
    """A route's hosts in normal form: sorted by priority, since the order says nothing among equals."""
    return sorted(
        (_parse_host(part, where) for part in re.split(r"[,\s]+", text) if part),
        key=lambda host: (host["priority"], host["host"], host["port"]),
    )


def _parse_host(text: str, where: str) -> dict[str, Any]:
    host, priority, port = text, 0, 25
    if found := re.search(r"/pri=(\d+)", host, re.IGNORECASE):
        priority = int(found.group(1))
        host = host.replace(found.group(), "")
    if found := re.fullmatch(r"([^:\[\]]+|\[[^\]]+\]):(\d{1,5})", host):
        host, port = found.group(1), int(found.group(2))
    if not _HOST.fullmatch(host):
        raise unreadable(where, TABLE, text)
    return {"host": host.lower().rstrip("."), "priority": priority, "port": port}


# --- dialogue -----------------------------------------------------------------------------------------------


def render_host(host: Mapping[str, Any]) -> str:
    """A host as it is typed."""
    port = f":{host['port']}" if host["port"] != 25 else ""
    priority = f"/pri={host['priority']}" if host["priority"] else ""
    return f"{host['host']}{port}{priority}"


READ = Script(TABLE, (Step("PRINT", optional=True),), what="reading the SMTP routes")
_MUST = "set the route on the page Network > SMTP Routes, and report the release (`version`)"


def _hosts(entry: Entry) -> str:
    if RAW in entry:
        return str(entry[RAW])
    return ", ".join(render_host(host) for host in entry["hosts"])


def _step(domain: str, entry: Entry | None, *, there: bool) -> Step:
    which = Ask(
        r"enter the domain|\b(?:domain|route|mapping)\b.*\b(?:edit|modify|change|delete|remove)\b",
        domain,
        must=_MUST,
    )
    if entry is None:
        return Step("DELETE", (Ask(r"\bsure\b|confirm", Flag(wanted=True)), which))
    return Step(
        "EDIT" if there else "NEW",
        (
            Ask(r"authentication|\bprofile\b", Flag(wanted=False)),
            Ask(r"authentication|\bprofile\b", Pick(r"no(?:ne)?\b.*", keep=True)),
            Ask(r"\bhosts\b.*(?:mail|deliver|route|separated)", _hosts(entry), must=_MUST),
            which,
        ),
    )


def write(changes: Mapping[str, Entry | None], there: Iterable[str]) -> Script:
    """The dialogue that makes these routes so, in one command."""
    known = set(there)
    steps = [_step(domain, changes[domain], there=domain in known) for domain in sorted(changes)]
    return Script(TABLE, tuple(steps), what="writing the SMTP routes")


# --- provider -----------------------------------------------------------------------------------------------


def _read(session: Session) -> dict[str, str]:
    head, printed = session.run(READ)
    table = parse(printed, session.name)
    require_all(session.name, TABLE, head, len(table))
    return table


class SmtpRoutesProvider(GatewayProvider, TableProvider):
    """Owns the routes of its domains; others' are never touched."""

    label = "SMTP route"
    model = SmtpRoutesInputs
    identity = ("gateway",)
    take_over_key = "smtpRoutes"
    table_field = "routes"
    table_order = ROUTES

    def notes(self, props: Props) -> Iterable[str]:
        """What Cisco's own page says of routes."""
        yield "DANE is not enforced for domains that have an SMTP route"

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        gateway = self._gateway(place)
        table = gateway.read(TABLE, _read)
        return {key: {"hosts": parse_hosts(table[key], gateway.name)} for key in keys if key in table}

    def recorded(self, place: Place, keys: Iterable[str]) -> Entries:
        """With the hosts as they stand there: the order of equal ones says nothing, but is put back."""
        table = self._gateway(place).read(TABLE, _read)
        return {key: {**entry, RAW: table[key]} for key, entry in self.live(place, keys).items()}

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        script = write(changes, live)
        self._change(place, TABLE, lambda session: _run(session, script), changes, context)


def _run(session: Session, script: Script) -> None:
    session.run(script)


# --- resource -----------------------------------------------------------------------------------------------


class SmtpRoutes(ManagedResource, module="gateway", name="SmtpRoutes"):
    """SMTP routes of some domains: `routes` is domain → {hosts: [{host, priority, port}]}."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(SmtpRoutesProvider(), name, props, opts)
