"""What leaves this machine of a stack's settings: typed at gateways, sent to Microsoft, shown on pages.

`leaves_this_machine` raises NotLiteral where a value could be read as anything but itself.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from components.context import HEADER
from components.relay import COMMENT
from components.settings import Settings
from dynamic_providers.connections import Endpoints, TenantConnection
from dynamic_providers.exchange.admin_api import AdminApi, Patience
from dynamic_providers.exchange.authority import Token
from dynamic_providers.gateway import (
    batch,
    destination_controls,
    filter_text,
    mail_flow_policy,
    outbound_filter,
    recipient_access,
    sender_group,
    smtp_routes,
)
from dynamic_providers.gateway.script import Lines, Script
from dynamic_providers.mailflow.graph import Graph
from dynamic_providers.mailflow.message import probe
from lab.gateway import filter_language
from mail_check import markdown, page, words


class NotLiteral(AssertionError):
    """A value could be read as something else where it goes."""


def leaves_this_machine(settings: Settings) -> None:
    """Judge all of it."""
    for script in _scripts(settings):
        _typed_plainly(script)
    _commented(settings.change.ticket or "")
    names = settings.names
    _filter(names.filter, names.sender_group, settings.outbound.accepted_secrets())
    for name in (names.inbound_connector, names.outbound_connector, names.inbound_rule, names.outbound_rule):
        _commanded(name)
        _shown(name)
    _shown(settings.customer.name)
    for group in (settings.outbound.pilot_group, settings.outbound.validation_recipient):
        _commanded(group or "")
    if settings.checks:
        _asked_of_graph(settings.checks.mailbox)
    endpoints, tracking = settings.endpoints, settings.gateway.tracking
    for url in (endpoints.exchange, endpoints.authority, endpoints.graph, tracking.url if tracking else None):
        _addressed(url)


# --- typed at a gateway -------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z0-9 .,:/@_()+-]*")
"""What no question of a gateway, no chain of commands and no shell reads as anything but itself."""


def _scripts(settings: Settings) -> Iterator[Script]:
    gateway, names = settings.gateway, settings.names
    entries = settings.table_entries
    routes = {
        key: {"hosts": [{"host": one.microsoft_mx, "priority": 0, "port": 25}]}
        for key, one in entries.items()
    }
    group = {
        "policy": names.mail_flow_policy,
        "order": 1,
        "comment": COMMENT,
        "senders": [{"host": ".protection.outlook.com", "comment": COMMENT}],
        "other": {},
    }
    inbound, outbound = gateway.inbound_listener, gateway.outbound_listener
    yield smtp_routes.write(routes, ())
    yield destination_controls.write({key: {"tls": "Preferred", "other": {}} for key in entries}, ())
    yield recipient_access.write_script(
        inbound, {key: {"action": "Accept", "other": {}} for key in entries}, {}
    )
    yield sender_group.write_script(outbound, names.sender_group, group, None)
    yield mail_flow_policy.write_script(outbound, names.mail_flow_policy, {"tls": "Preferred"}, "Off")
    yield from outbound_filter.write_scripts(names.filter, (), there=True, position=0)


def _typed_plainly(script: Script) -> None:
    asks = (*script.asks, *(ask for step in script.steps for ask in step.asks))
    typed = [ask.reply for ask in asks if isinstance(ask.reply, str)]
    assert not any(isinstance(ask.reply, Lines) for ask in asks), "the filter's text has a judge of its own"
    for line in (script.command, *typed):
        _require(_PLAIN.fullmatch(line) is not None and line.strip() == line, f"typed: {line!r:.80}")
        _require(line not in (".", ".."), "typed: a lone dot")


@functools.cache
def _commented(ticket: str) -> None:
    change = batch.Change(0, "table", lambda _: None, "SMTP route contoso.example", ticket)
    comment = batch.comment([change])
    plain = _PLAIN.fullmatch(comment) is not None and len(comment) <= batch.COMMENT_LENGTH
    _require(plain, f"in the commit's comment: {comment!r:.80}")


@functools.cache
def _filter(name: str, group: str, secrets: tuple[str, ...]) -> None:
    """Read by another's eyes: one filter, whose two regular expressions match these words and no others."""
    lines = filter_text.render(name, group, HEADER, secrets)
    _require(all(line.isprintable() and line.strip() != "." for line in lines), "a line of the filter's text")
    try:
        [one] = filter_language.read("\n".join(lines))
    except (filter_language.FilterError, ValueError) as error:
        raise NotLiteral(f"the filter's text: {error}") from None
    patterns = [value.text for test in filter_language.tests(one) for value in test.values]
    by_group, by_secret = patterns[0], patterns[-1]
    for pattern, right in ((by_group, (group,)), (by_secret, secrets)):
        wrong = [f"x{right[0]}", f"{right[0]}x", "x" * len(right[0]), right[0].swapcase() + "x"]
        _require(all(re.search(pattern, each) for each in right), f"the filter's pattern {pattern!r:.60}")
        _require(not any(re.search(pattern, each) for each in wrong), f"the filter's pattern {pattern!r:.60}")
    _require(one.name == name, "the filter's name")


# --- sent to Microsoft --------------------------------------------------------------------------------------

TENANT = TenantConnection(
    id="11111111-2222-4333-8444-555555555555",
    initial_domain="contoso.onmicrosoft.com",
    client_id="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
)


class _Wire:
    """Keeps what would have been sent."""

    def post(self, url: str, **kwargs: Any) -> Any:
        body = {key: kwargs[key] for key in ("data", "json", "headers") if key in kwargs}
        self.sent = requests.Request("POST", url, **body).prepare()
        return SimpleNamespace(status_code=202)


@functools.cache
def _api() -> tuple[AdminApi, _Wire]:
    api, wire = AdminApi(TENANT, Endpoints(), Patience()), _Wire()
    api._https = wire  # type: ignore[assignment] # all that is asked of it here
    return api, wire


@functools.cache
def _commanded(value: str) -> None:
    """A command of Exchange is one JSON document, in which the value is one string."""
    api, wire = _api()
    parameters: Mapping[str, Any] = {
        "Identity": value,
        "FromMemberOf": [value],
        "Comments": f"x, change {value}",
    }
    api._post("Set-TransportRule", parameters, Token("t"))
    body = wire.sent.body
    assert isinstance(body, bytes)
    command = {"CmdletInput": {"CmdletName": "Set-TransportRule", "Parameters": parameters}}
    _require(json.loads(body) == command, "in the command's JSON")
    _require(not re.search(rb"[\x00-\x1f]", body), "a control character in the command's JSON")


@functools.cache
def _graph() -> tuple[Graph, _Wire]:
    graph, wire = Graph(TENANT, Endpoints()), _Wire()
    graph._https = wire  # type: ignore[assignment] # likewise
    graph._authority = SimpleNamespace(token=lambda: Token("t"))  # type: ignore[assignment]
    return graph, wire


@functools.cache
def _asked_of_graph(mailbox: str) -> None:
    """The mailbox is one part of the path, and nothing comes behind it but what we ask."""
    graph, wire = _graph()
    graph.send(probe(mailbox, "probe@probe.example", "m365se0", 1))
    parts = urlsplit(wire.sent.url or "")
    path = [unquote(one) for one in parts.path.split("/")]
    _require(path == ["", "v1.0", "users", mailbox, "sendMail"], f"Graph is asked for {wire.sent.url}")
    _require(not parts.query and not parts.fragment, f"Graph is asked for {wire.sent.url}")


_URL = re.compile(r"https://[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?")


@functools.cache
def _addressed(url: str | None) -> None:
    _require(url is None or _URL.fullmatch(url) is not None, f"an address: {url!r:.80}")
    prepared = requests.Request("GET", f"{url or 'https://x.example'}/end").prepare()
    _require(prepared.url == f"{url or 'https://x.example'}/end", f"asked for {prepared.url}")


# --- shown on pages -----------------------------------------------------------------------------------------


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")

    def handle_data(self, data: str) -> None:
        self.data += data


@functools.cache
def _shown(text: str) -> None:
    """In the report, as page and as Markdown, nothing of it is markup."""
    template = page._environment().from_string('<p title="{{ x }}">{{ x }}</p>')
    read = _Page(template.render(x=text))
    _require((read.tags, read.data) == (["p"], words.seen(text)), "on the report's page")
    _require(not re.search(r"(?<!\\)[<>\[\]|`*_{}]", markdown.text(text)), "in the report's Markdown")


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - read as a sentence
    if not holds:
        raise NotLiteral(what)
