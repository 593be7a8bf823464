"""Bad weather on the way to Exchange: what happens, and after how long it is over. See docs/weather.md.

The policy is the real one; only its time is a clock that nobody waits for, but where a socket has to fall
silent: there the limit is shorter.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dynamic_providers import report
from dynamic_providers.exchange import authority as logins
from dynamic_providers.exchange import errors, transport
from dynamic_providers.exchange.admin_api import Patience
from dynamic_providers.exchange.authority import Authority
from dynamic_providers.exchange.client import Rows, Step, named
from dynamic_providers.exchange.cmdlets import INBOUND_CONNECTOR, TRANSPORT_RULE
from dynamic_providers.exchange.transport import Https
from tests.protocol.bad_weather import Clock, FallsSilent
from tests.protocol.exchange_practice import Practice
from tests.protocol.mailflow_servers import Certificates, Connect

pytest_plugins = ["tests.protocol.exchange_fixtures"]

REAL = Patience()
NEW = Step("New", {"Name": "Ours", "SetSCL": -1, "SenderIpRanges": ["192.0.2.10"], "Enabled": True})
SET = Step("Set", {"Identity": "Ours", "SetSCL": 5})
HOST = "exchange.example"


@pytest.fixture
def clock(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> Clock:
    practice.lab.switches.lag_seconds = 0.0
    clock, exchange = Clock(), "dynamic_providers.exchange"
    clock.rules(monkeypatch, f"{exchange}.admin_api", f"{exchange}.client", "tenacity", "tenacity.nap")
    return clock


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(report, "warning", said.append)
    return said


def there(rows: Rows) -> str:
    return "" if named(rows, "Ours") else "«Ours» is not there"


# --- too many requests, trouble, no connection --------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [("throttled", 7.0, 7.0), ("throttled-bare", 1.6, 2.4), ("throttled-text", 1.6, 2.4)],
)
def test_too_many_requests_wait_as_asked_else_as_usual(
    practice: Practice, clock: Clock, fault: str, least: float, most: float
) -> None:
    practice.lab.faults.add("Get-TransportRule", fault, retry_after=7)
    assert practice.client(REAL).rows(TRANSPORT_RULE)
    assert [least <= wait <= most for wait in clock.waits] == [True]


def test_too_many_requests_for_ever_end_at_the_deadline(
    practice: Practice, clock: Clock, said: list[str]
) -> None:
    practice.lab.faults.add("Get-TransportRule", "throttled", times=10_000, retry_after=45)
    with pytest.raises(
        errors.Throttled, match=r"given up after 7 attempts .*asks to wait 45 s more.* Run it"
    ):
        practice.client(REAL).rows(TRANSPORT_RULE)
    assert clock.now <= REAL.deadline
    assert len(said) == 6  # at most one line in half a minute
    assert "Get-TransportRule: asked to wait: too many requests" in said[0]
    assert said[0].endswith("; trying again, attempt 2, for at most 300 s in all")


def test_a_server_that_asks_for_no_wait_at_all_is_not_hammered(practice: Practice, clock: Clock) -> None:
    practice.lab.faults.add("Get-TransportRule", "throttled", times=10_000, retry_after=0)
    with pytest.raises(errors.Throttled):
        practice.client(replace(REAL, deadline=12.0)).rows(TRANSPORT_RULE)
    assert clock.waits == [REAL.shortest_wait] * 12


@pytest.mark.parametrize("fault", ["server-500", "server-503", "server-504", "transient-busy", "reset"])
def test_trouble_for_ever_ends_after_six_attempts(
    practice: Practice, clock: Clock, said: list[str], fault: str
) -> None:
    practice.lab.faults.add("Get-TransportRule", fault, times=10_000)
    client = practice.client(REAL)
    with pytest.raises(errors.Transient, match=rf"given up after {REAL.attempts} attempts") as caught:
        client.rows(TRANSPORT_RULE)
    assert "\n" not in str(caught.value)
    assert len(practice.calls()) == REAL.attempts
    assert 62 * 0.8 <= clock.now <= 62 * 1.2
    assert 1 <= len(said) <= 3
    with pytest.raises(type(caught.value)):  # whoever asks next hears it at once
        client.rows(TRANSPORT_RULE)
    assert len(practice.calls()) == REAL.attempts
    clock.now += REAL.rest + 1
    practice.lab.faults.clear()
    assert client.rows(TRANSPORT_RULE)


def test_a_tenant_that_cannot_be_reached(
    practice: Practice, clock: Clock, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = Connect(tmp_path, monkeypatch)
    for host in practice.lab.hosts:
        connect.lead(f"{host}:443", 1)  # nothing listens there
    client = practice.client(REAL)
    with pytest.raises(errors.Unreachable, match=r"connection refused; given up after 6 attempts"):
        client.rows(TRANSPORT_RULE)
    first = clock.now
    with pytest.raises(errors.Unreachable):
        client.rows(INBOUND_CONNECTOR)  # another cmdlet, the same sky
    assert clock.now == first <= 62 * 1.2
    assert said
    assert all("trying again" in line for line in said)


# --- the effect is there, the answer is not -----------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", ["server-503", "reset", "throttled-text"])
@pytest.mark.parametrize("verb", ["New", "Set", "Disable", "Remove"])
def test_each_write_has_its_effect_once(
    practice: Practice, clock: Clock, fault: str, when: str, verb: str
) -> None:
    client = practice.client(REAL)
    if verb != "New":
        client.write(TRANSPORT_RULE, [NEW], there)
    steps = {"New": NEW, "Set": SET}.get(verb, Step(verb, {"Identity": "Ours"}))
    practice.lab.faults.add(f"{verb}-TransportRule", fault, when=when)  # type: ignore[arg-type]
    client.write(TRANSPORT_RULE, [steps], lambda rows: "")
    rule = client.find(TRANSPORT_RULE, "Ours")
    seen = None if rule is None else (str(rule["SetSCL"]), rule["State"])
    expected = {"Set": ("5", "Enabled"), "Disable": ("-1", "Disabled"), "Remove": None}
    assert seen == expected.get(verb, ("-1", "Enabled"))
    assert practice.lab.dump().count("transport rule Ours") == (verb != "Remove")


def test_a_token_that_is_refused_in_mid_run_is_renewed_once(practice: Practice, clock: Clock) -> None:
    client = practice.client(REAL)
    client.rows(TRANSPORT_RULE)
    practice.lab.faults.add("New-TransportRule", "unauthorized")
    client.write(TRANSPORT_RULE, [NEW], there)
    assert practice.tokens() == 2
    assert clock.now <= REAL.first_look
    assert practice.lab.dump().count("transport rule Ours") == 1


@pytest.mark.parametrize("fault", ["forbidden-nul", "truncated"])
def test_what_does_not_pass_ends_at_once(practice: Practice, clock: Clock, fault: str) -> None:
    practice.lab.faults.add("Get-TransportRule", fault, times=10_000)
    with pytest.raises(errors.ExchangeError) as caught:
        practice.client(REAL).rows(TRANSPORT_RULE)
    assert "\0" not in str(caught.value)
    assert (clock.now, len(practice.calls())) == (0.0, 1)


# --- other servers know later -------------------------------------------------------------------------------


def test_a_write_that_others_show_a_minute_later(
    practice: Practice, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.rules(monkeypatch, "lab.tenant.store")
    practice.lab.switches.lag_seconds = 60.0
    practice.client(REAL).write(TRANSPORT_RULE, [NEW], there)
    assert 60.0 <= clock.now <= 66.0


def test_a_write_that_others_never_show_is_told_in_time(
    practice: Practice, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.rules(monkeypatch, "lab.tenant.store")
    practice.lab.switches.lag_seconds = 10_000.0
    with pytest.raises(errors.NotReadBack, match=f"does not read back within {REAL.read_back:g} s"):
        practice.client(REAL).write(TRANSPORT_RULE, [NEW], there)
    assert clock.now <= REAL.read_back + 5.1


# --- half-open connections ----------------------------------------------------------------------------------


@contextmanager
def exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *says: bytes, drips: bytes = b"", tls: bool = True
) -> Iterator[Https]:
    certificates, connect = Certificates(tmp_path), Connect(tmp_path, monkeypatch)
    peer = FallsSilent(says and (b"", *says), drips, certificates.context(HOST) if tls else None)
    with peer.running() as port:
        connect.lead(f"{HOST}:443", port)
        https = Https(certificates.file)
        yield https
        https.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n"


def test_it_takes_the_connection_and_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.2)
    with (
        exchange(tmp_path, monkeypatch, tls=False) as https,
        pytest.raises(errors.Unreachable, match=r"exchange\.example: no (connection|answer) within"),
    ):
        https.post(f"https://{HOST}/", data=b"{}")


@pytest.mark.parametrize("says", [(), (HEAD[:40],), (HEAD + b"{",)], ids=["nothing", "half a head", "half"])
def test_it_stops_in_mid_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(transport, "READ_SECONDS", 0.2)
    with (
        exchange(tmp_path, monkeypatch, *says) as https,
        pytest.raises(errors.Unreachable, match=r"no answer within 0\.2 s"),
    ):
        https.post(f"https://{HOST}/", data=b"{}")


def test_it_drips_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ANSWER_SECONDS", 0.4)
    with (
        exchange(tmp_path, monkeypatch, HEAD, drips=b" ") as https,
        pytest.raises(errors.Unreachable, match=r"no whole answer within 0\.4 s"),
    ):
        https.post(f"https://{HOST}/", data=b"{}")


def test_an_answer_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ANSWER_BYTES", 1_000_000)
    with (
        exchange(tmp_path, monkeypatch, HEAD + b" " * 1_200_000) as https,
        pytest.raises(errors.Unreadable, match="the answer is longer than 1 MB"),
    ):
        https.post(f"https://{HOST}/", data=b"{}")


def test_threads_that_wait_for_the_same_login_do_not_each_wait_for_their_own(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else four of them would wait four times as long as one."""
    tried, told, waiting = list[str](), list[str](), threading.Semaphore(0)

    class Counting(Clock):
        def monotonic(self) -> float:
            waiting.release()
            self.now += 1.0
            return self.now

    monkeypatch.setattr(logins, "time", Counting())
    client = practice.client()
    login: Authority = client._api._authority

    def in_trouble() -> None:
        tried.append("")
        for _ in range(4):  # until all of them have asked
            assert waiting.acquire(timeout=20)
        raise errors.Unreachable("no answer", where="login")

    def ask() -> None:
        with pytest.raises(errors.Unreachable) as caught:
            login.token()
        told.append(str(caught.value))

    monkeypatch.setattr(login, "_acquire", in_trouble)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(tried), told) == (1, ["login: no answer"] * 4)
