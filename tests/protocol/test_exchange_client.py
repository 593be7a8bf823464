"""The client against the practice tenant: lists, failures, and writes that are read back."""

import threading
from dataclasses import replace

import pytest

from dynamic_providers import engine
from dynamic_providers.errors import ManagedError
from dynamic_providers.exchange import errors
from dynamic_providers.exchange.client import Rows, Step, named
from dynamic_providers.exchange.cmdlets import (
    ACCEPTED_DOMAIN,
    INBOUND_CONNECTOR,
    OUTBOUND_CONNECTOR,
    TRANSPORT_RULE,
    Kind,
)
from lab.tenant import faults
from tests.protocol.exchange_practice import QUICK, Practice

pytest_plugins = ["tests.protocol.exchange_fixtures"]

NEW_RULE = Step("New", {"Name": "Ours", "SetSCL": -1, "SenderIpRanges": ["192.0.2.10"], "Enabled": True})


def there(rows: Rows) -> str:
    return "" if named(rows, "Ours") else "«Ours» is not there"


def gone(rows: Rows) -> str:
    return "«Ours» is still there" if named(rows, "Ours") else ""


def test_one_token_and_each_list_once(practice: Practice) -> None:
    client = practice.client()
    for kind in (TRANSPORT_RULE, INBOUND_CONNECTOR, OUTBOUND_CONNECTOR, ACCEPTED_DOMAIN) * 2:
        assert client.rows(kind)
    assert practice.tokens() == 1
    assert sorted(practice.calls()) == [
        "Get-AcceptedDomain",
        "Get-InboundConnector",
        "Get-OutboundConnector",
        "Get-TransportRule",
    ]


def test_a_list_is_read_once_however_many_threads_ask(practice: Practice) -> None:
    client = practice.client()
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(client.rows(TRANSPORT_RULE)))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert (practice.calls(), practice.tokens()) == (["Get-TransportRule"], 1)


# --- failures of a cmdlet -----------------------------------------------------------------------------------

PASSING = {
    "reset",
    "server-500",
    "server-503",
    "server-504",
    "throttled",
    "throttled-bare",
    "throttled-text",
    "transient",
    "transient-backend",
    "transient-busy",
    "transient-proxy",
    "unauthorized",
}
LASTING: dict[str, type[ManagedError]] = {
    "bad-priority": errors.NotSensible,
    "bad-value": errors.BadValue,
    "exists": errors.AlreadyExists,
    "expired-page": errors.CmdletRefused,
    "forbidden": errors.DirectoryRoleMissing,
    "forbidden-nul": errors.DirectoryRoleMissing,
    "no-sense": errors.NotSensible,
    "not-found": errors.NotFound,
    "not-found-400": errors.NotFound,
    "not-found-500": errors.NotFound,
    "not-json": errors.Unreadable,
    "redirect": errors.Redirected,
    "truncated": errors.Truncated,
    "unknown-parameter": errors.UnknownParameter,
}


def test_every_failure_of_the_lab_has_a_case() -> None:
    assert set(faults.NAMES) == PASSING | set(LASTING)


@pytest.mark.parametrize("fault", sorted(PASSING))
def test_what_passes_by_itself_is_tried_again(practice: Practice, fault: str) -> None:
    practice.lab.faults.add("Get-TransportRule", fault, retry_after=0)
    assert practice.client().rows(TRANSPORT_RULE)
    assert len(practice.calls()) == 2


@pytest.mark.parametrize("fault", sorted(LASTING))
def test_what_does_not_pass_is_told_at_once(practice: Practice, fault: str) -> None:
    practice.lab.faults.add("Get-TransportRule", fault)
    client = practice.client()
    with pytest.raises(LASTING[fault]) as caught:
        client.rows(TRANSPORT_RULE)
    assert type(caught.value) is LASTING[fault]
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)
    assert len(practice.calls()) == 1
    assert client.rows(TRANSPORT_RULE)  # nothing of the failure was kept


FORMS = [(text, place) for text in ("hash", "no hash", "json") for place in ("details", "innererror")]


@pytest.mark.parametrize(("text", "place"), FORMS)
@pytest.mark.parametrize("fault", ["exists", "not-found", "bad-value", "no-sense"])
def test_the_same_failure_in_every_form(practice: Practice, fault: str, text: str, place: str) -> None:
    practice.lab.switches.rendering = replace(
        practice.lab.switches.rendering,
        error_message=text,  # type: ignore[arg-type]
        error_place=place,  # type: ignore[arg-type]
    )
    practice.lab.faults.add("Get-TransportRule", fault)
    with pytest.raises(LASTING[fault]) as caught:
        practice.client().rows(TRANSPORT_RULE)
    assert "Exception|" not in str(caught.value)
    assert "StackTrace" not in str(caught.value)


def test_throttled_for_too_long(practice: Practice) -> None:
    practice.lab.faults.add("Get-TransportRule", "throttled", times=99, retry_after=60)
    with pytest.raises(errors.Throttled, match=r"given up after 1 attempt .* asks to wait 60 s more"):
        practice.client().rows(TRANSPORT_RULE)


def test_trouble_for_too_long(practice: Practice) -> None:
    practice.lab.faults.add("Get-TransportRule", "server-503", times=99)
    with pytest.raises(errors.ServerTrouble, match="given up after 4 attempts"):
        practice.client().rows(TRANSPORT_RULE)
    assert len(practice.calls()) == 4


def test_a_redirect_is_not_followed(practice: Practice) -> None:
    practice.lab.faults.add("Get-TransportRule", "redirect")
    with pytest.raises(errors.Redirected, match=r"redirected to outlook\.redirected\.example"):
        practice.client().rows(TRANSPORT_RULE)
    assert practice.calls() == ["Get-TransportRule"]


def test_a_list_that_comes_in_pages_is_not_taken_for_the_whole(practice: Practice) -> None:
    practice.lab.switches.page_rows = 2
    with pytest.raises(errors.Truncated, match="came back cut, although all of it was asked for"):
        practice.client().find(TRANSPORT_RULE, "No executables")


@pytest.mark.parametrize("form", ["empty", "null", "absent", "204"])
def test_no_rows_in_every_form(practice: Practice, form: str) -> None:
    practice.lab.invoke_by_hand("Remove-InboundConnector", Identity="From payroll service")
    practice.lab.switches.rendering = replace(practice.lab.switches.rendering, no_rows=form)  # type: ignore[arg-type]
    assert practice.client().rows(INBOUND_CONNECTOR) == []


# --- writes -------------------------------------------------------------------------------------------------


def test_a_write_returns_when_it_reads_back(practice: Practice) -> None:
    practice.lab.switches.lag_reads = 3
    client = practice.client()
    client.rows(TRANSPORT_RULE)
    client.write(TRANSPORT_RULE, [NEW_RULE], there)
    assert practice.calls() == ["Get-TransportRule", "New-TransportRule", *["Get-TransportRule"] * 4]
    assert named(client.rows(TRANSPORT_RULE), "ours") is not None
    assert len(practice.calls("Get-")) == 5  # the last look serves the next reader


def test_a_write_that_never_reads_back(practice: Practice) -> None:
    practice.lab.switches.lag_reads = 10_000
    client = practice.client(replace(QUICK, read_back=0.2))
    with pytest.raises(errors.NotReadBack, match=r"does not read back within 0\.2 s: «Ours» is not there"):
        client.write(TRANSPORT_RULE, [NEW_RULE], there)


@pytest.mark.parametrize("fault", ["reset", "server-504", "throttled"])
def test_a_new_whose_answer_was_lost_is_found(practice: Practice, fault: str) -> None:
    practice.lab.faults.add("New-TransportRule", fault, when="after", retry_after=0)
    practice.client().write(TRANSPORT_RULE, [NEW_RULE], there)
    assert practice.calls() == ["New-TransportRule", "New-TransportRule", "Get-TransportRule"]
    assert practice.lab.dump().count("transport rule Ours") == 1


def test_a_remove_whose_answer_was_lost_is_gone(practice: Practice) -> None:
    client = practice.client()
    client.write(TRANSPORT_RULE, [NEW_RULE], there)
    practice.lab.faults.add("Remove-TransportRule", "reset", when="after")
    client.write(TRANSPORT_RULE, [Step("Remove", {"Identity": "Ours"})], gone)
    assert "transport rule Ours" not in practice.lab.dump()


def test_what_exists_already_at_the_first_try_is_an_error(practice: Practice) -> None:
    practice.lab.invoke_by_hand("New-TransportRule", Name="Ours", SetSCL=5)
    with pytest.raises(errors.AlreadyExists):
        practice.client().write(TRANSPORT_RULE, [NEW_RULE], there)


def test_nothing_is_written_once_the_engine_is_gone(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    class EngineGone(Exception):
        pass

    def gone_away() -> None:
        raise EngineGone

    client = practice.client()
    client.rows(TRANSPORT_RULE)
    monkeypatch.setattr(engine, "require_alive", gone_away)
    with pytest.raises(EngineGone):
        client.write(TRANSPORT_RULE, [NEW_RULE], there)
    assert practice.calls() == ["Get-TransportRule"]


def test_only_what_may_be_written_is_sent(practice: Practice) -> None:
    client = practice.client()
    for kind, name in (
        (TRANSPORT_RULE, "UseLegacyRegex"),
        (TRANSPORT_RULE, "Enabled"),
        (INBOUND_CONNECTOR, "ConnectorSource"),
    ):
        with pytest.raises(AssertionError, match=name):
            client.write(kind, [Step("Set", {"Identity": "Ours", name: True})], there)
    assert practice.calls("Set-") == []


@pytest.mark.parametrize("kind", [TRANSPORT_RULE, INBOUND_CONNECTOR, OUTBOUND_CONNECTOR])
def test_names_are_found_in_any_case_and_others_never(practice: Practice, kind: Kind) -> None:
    client = practice.client()
    name = str(client.rows(kind)[0]["Name"])
    found = client.find(kind, name.upper())
    assert found is not None
    assert found["Name"] == name
    assert client.find(kind, "Not there") is None
    assert client.find(kind, "") is None
