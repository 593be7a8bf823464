"""Answers of the admin API that are no success, in every form in which they come."""

import json
from typing import Any

import pytest
import requests

from dynamic_providers.errors import register_secret
from dynamic_providers.exchange import errors
from dynamic_providers.exchange.faults import read_fault, reason_headers

NOT_FOUND = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
GONE = "The operation couldn't be performed because object 'X' couldn't be found on 'DB9PR01A002'."


def answer(status: int, body: bytes | str | dict[str, Any] = b"", **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    content = json.dumps(body) if isinstance(body, dict) else body
    response._content = content.encode() if isinstance(content, str) else content
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def error_body(details: Any = None, **inner: Any) -> dict[str, Any]:
    error: dict[str, Any] = {"code": "BadRequest", "message": "Error executing cmdlet", "innererror": inner}
    if details is not None:
        error["details"] = [{"code": "Context", "target": "", "message": details}]
    return {"error": error}


def error_of(status: int, body: bytes | str | dict[str, Any] = b"", **headers: str) -> errors.ExchangeError:
    return read_fault(answer(status, body, **headers)).error("tenant, Get-X")


FORMS: list[dict[str, Any]] = [
    error_body(f"Ex6F9304|{NOT_FOUND}|{GONE}"),
    error_body(f"Ex|{NOT_FOUND}|{GONE}"),
    error_body(f"|{NOT_FOUND}|{GONE}"),
    error_body(
        json.dumps({"Message": GONE, "TypeName": NOT_FOUND, "StackTrace": "at X", "InnerError": None})
    ),
    error_body(GONE),
    error_body(None, internalexception={"message": GONE, "type": NOT_FOUND, "stacktrace": "at X"}),
    error_body("", internalexception={"message": f"|{NOT_FOUND}|{GONE}", "type": "System.Exception"}),
]


@pytest.mark.parametrize("body", FORMS)
@pytest.mark.parametrize("status", [400, 404, 500])
def test_not_found_in_every_form_and_status(status: int, body: dict[str, Any]) -> None:
    error = error_of(status, body, Request_Id="4711")
    assert type(error) is errors.NotFound
    assert str(error) == f"tenant, Get-X: {GONE} (request 4711)"
    assert error.request_id == "4711"


def test_an_inner_message_that_says_nothing_is_passed_over() -> None:
    body = error_body(
        None, internalexception={"message": "Exception of type 'A.B' was thrown.", "type": "A.B"}
    )
    assert "Error executing cmdlet" in str(error_of(400, body))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException", errors.AlreadyExists),
        ("X.CommandInvocation.ParameterTransformationException", errors.BadValue),
        ("X.CommandInvocation.AmbiguousParameterSetException", errors.UnknownParameter),
        ("System.ArgumentException", errors.NotSensible),
        ("System.InvalidOperationException", errors.CmdletRefused),
    ],
)
def test_the_type_tells_the_failure(kind: str, error: type[errors.ExchangeError]) -> None:
    assert type(error_of(400, error_body(f"ExABCDEF|{kind}|What it says."))) is error


@pytest.mark.parametrize(
    "word",
    [
        "CmdletProxyNotAvailableFailure",
        "ServerBusyException",
        "ADTransientException",
        "BackendCommunicationException",
    ],
)
def test_what_passes_by_itself_may_look_like_a_bad_request(word: str) -> None:
    assert isinstance(
        error_of(400, error_body(f"Ex1|Microsoft.Exchange.{word}|Try again")), errors.ServerTrouble
    )


def test_a_known_failure_is_not_tried_again_though_its_trace_names_a_passing_one() -> None:
    body = error_body(f"Ex1|{NOT_FOUND}|{GONE}", stacktrace="at TransientException.Throw()")
    assert not isinstance(error_of(400, body), errors.Transient)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_trouble_of_the_server(status: int) -> None:
    error = error_of(status, "<html>Bad gateway</html>", Retry_After="7")
    assert isinstance(error, errors.ServerTrouble)
    assert error.retry_after == 7.0
    assert "html" not in str(error)


@pytest.mark.parametrize("status", [429, 400, 503])
def test_too_many_requests_in_plain_words(status: int) -> None:
    said = "You have reached the maximum number of concurrent requests per tenant. Please wait and try again"
    assert isinstance(error_of(status, said), errors.Throttled)


@pytest.mark.parametrize(
    ("header", "seconds"), [("30", 30.0), ("0", 0.0), ("", None), ("Wed, 21 Oct", None), ("-3", 0.0)]
)
def test_how_long_to_wait(header: str, seconds: float | None) -> None:
    error = error_of(429, "", Retry_After=header)
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == seconds


@pytest.mark.parametrize("status", [404, 405, 302, 418])
def test_an_answer_of_another_kind_is_never_absent(status: int) -> None:
    error = error_of(status, "nothing here")
    assert type(error) is errors.Unreadable
    assert f"answered {status}" in str(error)


@pytest.mark.parametrize(
    "body", [b"", b"\0" * 4096, b"\xff\xfe", b"[]", b"null", b'{"error": null}', b'{"error": "x"}']
)
def test_bodies_that_say_nothing_still_make_an_error(body: bytes) -> None:
    text = str(error_of(400, body))
    assert text.startswith("tenant, Get-X: ")
    assert "\0" not in text


def test_the_reason_of_a_403_is_in_its_headers() -> None:
    headers = {
        "X_Ms_Diagnostics": "2000008;reason='no role';error_category='app'",
        "WWW_Authenticate": 'Bearer client_id="0002", error="invalid_token"',
    }
    assert reason_headers(answer(403, b"\0" * 4096, **headers)) == "no role; invalid_token"
    assert reason_headers(answer(403, b"", X_Ms_Diagnostics="4001 busy")) == "4001 busy"
    assert reason_headers(answer(403, b"", WWW_Authenticate="Bearer")) == ""


ECHOES = [
    'New-TransportRule -Name "X" -SetHeaderValue "topsecretkey" -Mode Enforce',
    "Cannot process 'SetHeaderValue':'topsecretkey', 'Mode'",
    'Parameters: {"SetHeaderValue": "topsecretkey"}',
    "-SetHeaderValue topsecretkey",
    'Cut short: -SetHeaderValue "topsecret',
    'Set-TransportRule -HeaderContainsWords "topsecretkey" -Mode Enforce',
    'Set-TransportRule -ExceptIfHeaderMatchesPatterns @("topsecretkey")',
]


@pytest.mark.parametrize("echo", ECHOES)
def test_a_command_that_is_echoed_does_not_show_the_header_secret(echo: str) -> None:
    assert "topsecret" not in str(error_of(400, error_body(f"Ex1|System.ArgumentException|{echo}")))


def test_a_registered_secret_is_masked_wherever_it_stands() -> None:
    register_secret("aVeryOwnSecret42")
    assert "aVeryOwnSecret42" not in str(error_of(400, error_body("Description: value 'aVeryOwnSecret42'.")))


def test_a_long_text_is_cut_and_on_one_line() -> None:
    text = str(error_of(400, error_body("line\r\n\tline " * 500)))
    assert len(text) < 800
    assert "\n" not in text
