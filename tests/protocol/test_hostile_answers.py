"""Hostile answers, over real sockets: each ends in one clear line, and no secret goes where it should not.

What a gateway prints to mislead us is in tests/unit/test_hostile_screens.py; output without end is among the
tests of bad weather.
"""

from __future__ import annotations

import gc
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rrset
import pytest
import requests

from dynamic_providers import errors as our_errors
from dynamic_providers.connections import Endpoints, TenantConnection
from dynamic_providers.dns import resolver as resolvers
from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.dns.wire import BrokenAnswer, LookUpFailed, ServerSilent
from dynamic_providers.errors import ManagedError
from dynamic_providers.exchange import errors
from dynamic_providers.exchange.cmdlets import TRANSPORT_RULE
from dynamic_providers.mailflow.errors import CannotLook
from dynamic_providers.mailflow.graph import Graph
from lab.estate import Estate
from lab.tenant.errors import Reply
from tests.hands.acts import in_tables
from tests.protocol import dns_life
from tests.protocol import gateway_kit as kit
from tests.protocol.exchange_practice import Practice
from tests.protocol.gateway_life import Stack, plugin, wanted
from tests.protocol.mailflow_servers import Certificates, Connect, TrackingServer
from tests.protocol.test_mailflow_wire import certificates, connect, tracking

pytest_plugins = ["tests.protocol.exchange_fixtures"]

new, estate = kit.new, kit.new_estate
_ = (certificates, connect)  # fixtures

DEEP = 100_000
ESCAPES = "\x1b[2J\x1b]0;owned\x07\u202eevil\u200b\x9b31m\r\nsecond line"
BODIES: dict[str, bytes] = {
    "page": b"<html><script>alert(1)</script>Sign in</html>",
    "nothing": b"",
    "NUL": b"\0" * 4096,
    "half": b'{"value": [{"Name": "x"',
    "no UTF-8": b'{"value": "\xff\xfe"}',
    "deep": b"[" * DEEP + b"]" * DEEP,
    "deep inside": b'{"value": ' + b'{"a":' * DEEP + b"1" + b"}" * (DEEP + 1),
    "list": b'[{"Name": "x"}]',
    "text": b'"x"',
    "null": b"null",
    "number": b"1" * 5000,
    "rows that are none": b'{"value": [1, "x", null]}',
    "rows that are one": b'{"value": {"Name": "x"}}',
    "no names": b'{"value": [{"Identity": "x"}]}',
    "odd names": b'{"value": [{"Name": ["x"]}, {"Name": null}]}',
    "error": json.dumps({"error": {"code": ESCAPES, "message": ESCAPES, "details": 7}}).encode(),
    "error of errors": b'{"error": {"innererror": [], "details": [[]], "message": {"a": 1}}}',
    "endless error": json.dumps({"error": {"message": "x" * 1_000_000}}).encode(),
}
STATUS = (200, 400, 404)


@pytest.fixture(autouse=True)
def nobody_tidies_up_at_the_bottom() -> Iterator[None]:
    """Whatever garbage the tests before left is not collected where a nested answer has used up the stack."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def one_clear_line(error: BaseException, *secrets: str) -> str:
    text = str(error)
    assert isinstance(error, ManagedError)
    assert not isinstance(error, our_errors.UnexpectedError)
    assert text.isprintable()
    assert len(text) < 1500
    assert error.__cause__ is None
    assert not [one for one in secrets if one in text]
    return text


# --- Exchange's admin API -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUS)
@pytest.mark.parametrize("body", BODIES)
def test_the_admin_api_answers_nonsense(practice: Practice, body: str, status: int) -> None:
    headers = {"content-type": "text/html; charset=klingon", "request-id": "\u202e" * 9 + "x" * 5000}
    plain = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    practice.lab.faults.reply("Get-TransportRule", Reply(status, BODIES[body], plain))
    client = practice.client()
    with pytest.raises(errors.ExchangeError) as caught:
        client.rows(TRANSPORT_RULE)
    one_clear_line(caught.value, practice.lab.client_secret)
    assert client.rows(TRANSPORT_RULE)  # nothing of it was kept


def test_what_is_only_odd_does_no_harm(practice: Practice) -> None:
    odd = {"value": [{"Name": f"x{ESCAPES}", "Priority": "many"}], "@adminapi.warnings": 7, "more": {"a": []}}
    practice.lab.faults.reply("Get-TransportRule", Reply(200, json.dumps(odd).encode()))
    [row] = practice.client().rows(TRANSPORT_RULE)
    assert row["Priority"] == "many"


# --- the token authority ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("body", BODIES)
def test_the_token_authority_answers_nonsense(practice: Practice, body: str, status: int) -> None:
    practice.lab.faults.reply("token", Reply(status, BODIES[body]), times=9)
    with pytest.raises(errors.ExchangeError) as caught:
        practice.client().rows(TRANSPORT_RULE)
    one_clear_line(caught.value, practice.lab.client_secret)
    assert practice.calls() == []


ODD = (
    {"error": "x" * 100_000, "error_codes": "7000215", "error_description": ESCAPES * 500},
    {"error": "invalid_client", "error_codes": [None, "x", 1e99], "error_description": "AADSTS" + "9" * 9000},
    {"error": ["x"], "error_description": {"a": 1}, "correlation_id": ["x" * 5000]},
    {"access_token": ["x"], "token_type": 7},
)


@pytest.mark.parametrize("odd", range(len(ODD)))
def test_the_token_authority_s_refusal_is_odd(practice: Practice, odd: int) -> None:
    practice.lab.faults.reply("token", Reply(400, json.dumps(ODD[odd]).encode()), times=9)
    with pytest.raises(errors.ExchangeError) as caught:
        practice.client().rows(TRANSPORT_RULE)
    one_clear_line(caught.value, practice.lab.client_secret)


@pytest.mark.parametrize("what", ["token", "Get-TransportRule"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_neither_secret_nor_token_follows_a_redirect(practice: Practice, what: str, status: int) -> None:
    location = f"https://evil.example/{ESCAPES.encode().decode('latin-1')}".replace("\r\n", "")
    practice.lab.faults.reply(what, Reply(status, b"", {"location": location}), times=9)
    with pytest.raises(errors.Redirected, match=r"redirected to evil\.example") as caught:
        practice.client().rows(TRANSPORT_RULE)
    one_clear_line(caught.value, practice.lab.client_secret)
    assert practice.lab.journal.count("tenant", "stray", since=practice.since) == 0


# --- Graph and tracking -------------------------------------------------------------------------------------


class _Wire:
    """Answers one thing whatever is asked."""

    def __init__(self, status: int, body: bytes) -> None:
        self._answer = status, body

    def get(self, _url: str, **_kwargs: Any) -> Any:
        response = requests.Response()
        response.status_code, response._content = self._answer
        return response

    post = get


@pytest.mark.parametrize("status", STATUS)
@pytest.mark.parametrize("body", BODIES)
def test_graph_answers_nonsense(practice: Practice, body: str, status: int) -> None:
    lab = practice.lab
    tenant = TenantConnection(id=lab.tenant_id, initial_domain=lab.initial_domain, client_id=lab.client_id)
    graph = Graph(tenant, Endpoints(ca_bundle=str(lab.ca_file)))
    graph._https = _Wire(status, BODIES[body])  # type: ignore[assignment] # its token is a real one
    try:
        assert graph.folder("probe@contoso.example", "<x@contoso.example>") == ""
    except CannotLook as error:
        one_clear_line(error, practice.lab.client_secret)


class Liar(TrackingServer):
    """Gives a token, then nonsense; or nonsense at once."""

    def __init__(self, body: bytes, status: int, *, at_login: bool) -> None:
        super().__init__()
        self._said, self._at_login = (status, body), at_login

    def login(self, request: Any, body: dict[str, Any]) -> None:
        if self._at_login:
            self._lie(request)
        else:
            super().login(request, body)

    def read(self, request: Any) -> None:
        self._lie(request)

    def _lie(self, request: Any) -> None:
        status, body = self._said
        request.send_response(status)
        request.send_header("Content-Type", "application/x-nonsense")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@pytest.mark.parametrize("at_login", [True, False], ids=["login", "search"])
def test_tracking_answers_nonsense(certificates: Certificates, connect: Connect, *, at_login: bool) -> None:
    server = Liar(b"", 200, at_login=at_login)
    with tracking(server, certificates, connect) as client:
        for status in STATUS[:2]:
            for body in (*BODIES.values(), b'{"data": 7}', b'{"data": [[7], {"attributes": 7}]}'):
                server._said = status, body
                try:
                    found = client.find("word1", datetime.now(UTC))
                except CannotLook as error:
                    one_clear_line(error, "right")
                else:
                    assert found == []


# --- DNS ----------------------------------------------------------------------------------------------------

NAME, OTHER = "contoso.example.", "evil.example."
Lie = Callable[[dns.message.Message], bytes]


@contextmanager
def lying(lie: Lie, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """A resolver that asks one server, which answers so."""
    wire = socket.socket(type=socket.SOCK_DGRAM)
    wire.bind(("127.0.0.1", 0))

    def serve() -> None:
        while (found := wire.recvfrom(4096))[0]:
            wire.sendto(lie(dns.message.from_wire(found[0])), found[1])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    dns_life.lead(monkeypatch, tmp_path / "connect.json", {"192.0.2.1": wire.getsockname()[1]})
    monkeypatch.setattr(resolvers, "TIMEOUTS", (0.2, 0.2))
    yield Resolver(["192.0.2.1"])
    with socket.socket(type=socket.SOCK_DGRAM) as end:
        end.sendto(b"", ("127.0.0.1", wire.getsockname()[1]))
    thread.join(5)
    wire.close()


def answered(query: dns.message.Message, *records: tuple[str, str, str]) -> dns.message.Message:
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.RA
    for owner, kind, text in records:
        answer.answer.append(dns.rrset.from_text(owner, 300, "IN", kind, text))
    return answer


def of_another_question(query: dns.message.Message) -> bytes:
    other = dns.message.make_query(OTHER, "MX", id=query.id)
    return answered(other, (OTHER, "MX", "10 mx.evil.example.")).to_wire()


def of_another_id(query: dns.message.Message) -> bytes:
    answer = answered(query, (NAME, "MX", "10 mx.evil.example."))
    answer.id = query.id ^ 1
    return answer.to_wire()


IGNORED: dict[str, Lie] = {
    "another question": of_another_question,
    "another id": of_another_id,
    "garbage": lambda _query: b"\xff" * 100,
    "a question": lambda query: query.to_wire(),
    "a pointer to itself": lambda query: query.to_wire()[:2] + b"\x81\x80\0\1\0\0\0\0\0\0\xc0\x0c\0\x0f\0\1",
}


@pytest.mark.parametrize("lie", IGNORED)
def test_what_is_no_answer_to_our_question_is_ignored(
    lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lying(IGNORED[lie], tmp_path, monkeypatch) as resolver, pytest.raises(LookUpFailed) as caught:
        resolver.mx(NAME)
    assert isinstance(caught.value, ServerSilent | BrokenAnswer)
    one_clear_line(caught.value)


def test_records_of_another_name_count_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lie(query: dns.message.Message) -> bytes:
        return answered(query, (OTHER, "MX", "10 mx.evil.example."), (OTHER, "CNAME", NAME)).to_wire()

    with lying(lie, tmp_path, monkeypatch) as resolver:
        assert resolver.mx(NAME).records == ()


def test_aliases_in_a_circle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lie(query: dns.message.Message) -> bytes:
        return answered(query, (NAME, "CNAME", OTHER), (OTHER, "CNAME", NAME)).to_wire()

    with lying(lie, tmp_path, monkeypatch) as resolver, pytest.raises(BrokenAnswer, match="makes no sense"):
        resolver.mx(NAME)


def test_names_with_escapes_stay_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = dns.name.Name([b"\x1b[2J", b"evil;drop\n", b"example", b""]).to_text()

    def lie(query: dns.message.Message) -> bytes:
        return answered(query, (NAME, "MX", f"10 {host}")).to_wire()

    with lying(lie, tmp_path, monkeypatch) as resolver:
        [record] = resolver.mx(NAME).records
    assert record.isprintable()
    assert record == r"10 \027[2j.evil\;drop\010.example"


# --- the gateway --------------------------------------------------------------------------------------------

COMMENTS = (
    "esa1.bce-demo.example> ",
    "really? [Y]> y",
    f"x{ESCAPES}".replace("\r\n", " "),
    "(never closed",
    "a, b) c",
)


@pytest.mark.parametrize("comment", COMMENTS)
def test_comments_of_others_mislead_nobody(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, comment: str
) -> None:
    """On a narrow terminal, where they stand at the margin as well. What is ours comes and goes as always."""

    def spoil(tables: Any) -> None:
        for listener in tables.listeners:
            for group in listener.groups[:1]:
                group.comment = f"{'x' * 55} {comment}"

    in_tables(spoil)(estate)
    estate.gateway.columns = 80
    before, ours = estate.gateway.dump(), Stack(wanted())
    with plugin(estate, monkeypatch):
        ours.up()
    with plugin(estate, monkeypatch):
        assert ours.up() == []
        ours.destroy()
    assert estate.gateway.dump() == before
