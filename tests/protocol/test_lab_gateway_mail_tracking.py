"""The tracking API of gateway and Email and Web Manager: login, searches, details, refusals."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from lab.mail.envelope import compose
from tests.protocol.gateway_mail_kit import DATA1, MICROSOFT_OUT, PROBE, World, stamped, world

GATEWAY, MANAGER = "esa1.bce-demo.example", "sma1.bce-demo.example"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("mail")) as made:
        made.send(stamped(("alice@probe.example", "carol@bank.example")))
        made.send(stamped(secret="wrong"))
        made.send(compose("a@probe.example", "bob@bce-demo.com", "Inbound test"), PROBE, DATA1)
        made.send(compose("a@probe.example", "x@nowhere.example", "Refused"), PROBE, DATA1)
        made.settled()
        yield made


@pytest.fixture
def lab(shared: World) -> Iterator[World]:
    yield shared
    shared.gateway.reset()


class Api:
    """The API as a client uses it: by host name, over TLS that is verified."""

    def __init__(self, lab: World, host: str = MANAGER) -> None:
        self.host = host
        self.lab = lab
        self.base = (
            f"https://127.0.0.1:{lab.mail.tracking_port}/{'sma' if host == MANAGER else 'esa'}/api/v2.0"
        )
        self.headers = {"Host": f"{host}:4431"}
        self.auth: tuple[str, str] | None = ("admin", lab.gateway.password)

    def get(self, path: str, **query: Any) -> requests.Response:
        return requests.get(
            f"{self.base}/{path}",
            params=query,
            headers=self.headers,
            auth=self.auth,
            verify=str(self.lab.ca_file),
            timeout=10,
        )

    def login(self, user: str, password: str) -> requests.Response:
        data = {
            "userName": base64.b64encode(user.encode()).decode(),
            "passphrase": base64.b64encode(password.encode()).decode(),
        }
        return requests.post(
            f"{self.base}/login",
            json={"data": data},
            headers=self.headers,
            verify=str(self.lab.ca_file),
            timeout=10,
        )

    def search(self, **query: Any) -> list[Json]:
        answer = self.get("message-tracking/messages", **times(), searchOption="messages", **query)
        assert answer.status_code == 200, answer.text
        return [row["attributes"] for row in answer.json()["data"]]

    def details(self, **query: Any) -> Json:
        answer = self.get("message-tracking/details", **query)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()["data"]["messages"]
        return found


def times(form: str = "%Y-%m-%dT%H:%M:00.000Z") -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "startDate": (now - timedelta(hours=1)).strftime(form),
        "endDate": (now + timedelta(minutes=2)).strftime(form),
    }


@pytest.mark.parametrize("host", [GATEWAY, MANAGER])
def test_a_search_finds_all_messages_newest_first(lab: World, host: str) -> None:
    found = Api(lab, host).search()
    assert [row["subject"] for row in found] == ["", "Inbound test", "Outbound test", "Outbound test"]
    assert [row["direction"] for row in found] == ["incoming", "incoming", "outgoing", "outgoing"]
    assert [list(row["messageStatus"].values()) for row in found] == [
        ["Aborted"],
        ["Delivered"],
        ["Dropped By Message Filters"],
        ["Delivered", "Delivered"],
    ]


def test_an_item_carries_what_integrations_have_seen(lab: World) -> None:
    [row] = Api(lab).search(
        envelopeRecipientfilterOperator="is", envelopeRecipientfilterValue="carol@bank.example"
    )
    first, second = row["mid"]
    assert row["messageStatus"] == {str(first): "Delivered", str(second): "Delivered"}
    assert row["recipientMap"] == {str(first): ["alice@probe.example"], str(second): ["carol@bank.example"]}
    assert row["recipient"] == ["alice@probe.example", "carol@bank.example"]
    assert (row["senderGroup"], row["senderIp"], row["sbrs"]) == ("RELAY_O365", MICROSOFT_OUT, "None")
    assert (row["sender"], row["hostName"]) == ("bob@bce-demo.com", GATEWAY)
    assert row["serialNumber"] == lab.gateway.members[0].serial
    assert row["allIcid"] == [row["icid"]]
    assert len(row["dcid"]) == 2
    assert row["timestamp"].endswith("(GMT)")
    datetime.strptime(row["timestamp"], "%d %b %Y %H:%M:%S (GMT)").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"subjectfilterOperator": "contains", "subjectfilterValue": "test"}, 3),
        ({"subjectfilterOperator": "begins_with", "subjectfilterValue": "in"}, 1),
        ({"subjectfilterOperator": "is", "subjectfilterValue": "outbound"}, 0),
        ({"envelopeSenderfilterOperator": "is", "envelopeSenderfilterValue": "a@probe.example"}, 2),
        ({"envelopeSenderfilterOperator": "ends_with", "envelopeSenderfilterValue": "@bce-demo.com"}, 2),
        ({"envelopeRecipientfilterOperator": "is", "envelopeRecipientfilterValue": "x@nowhere.example"}, 1),
        ({"messageDirection": "incoming"}, 2),
        ({"deliveryStatus": "DROPPED_BY_MESSAGE_FILTERS"}, 1),
        ({"deliveryStatus": "DELIVERED"}, 2),
        ({"senderIp": PROBE}, 2),
        ({"ciscoHost": "All_Hosts"}, 4),
        ({"ciscoHost": "esa9.bce-demo.example"}, 0),
        ({"limit": 2}, 2),
        ({"offset": 3, "limit": 5}, 1),
    ],
)
def test_filters_narrow_a_search(lab: World, query: Json, count: int) -> None:
    assert len(Api(lab).search(**query)) == count


def test_a_search_by_number_and_by_message_id(lab: World) -> None:
    api = Api(lab)
    wanted = api.search(messageDirection="outgoing")[0]
    mid = str(wanted["mid"][0])
    assert api.search(ciscoMid=mid) == [wanted]
    assert api.search(messageIdHeader=wanted["messageID"][mid]) == [wanted]


def test_details_have_the_processing_lines(lab: World) -> None:
    api = Api(lab)
    [row] = api.search(deliveryStatus="DROPPED_BY_MESSAGE_FILTERS")
    found = api.details(mid=row["mid"][0], icid=row["icid"], serialNumber=row["serialNumber"])
    lines = [line["description"] for line in found["summary"]]
    assert f"Message {row['mid'][0]} aborted: Dropped by filter 'office365_outbound'" in lines
    assert [line["lastEvent"] for line in found["summary"]].count(True) == 1
    assert found["summary"][-1]["lastEvent"]
    assert (found["messageStatus"], found["mailPolicy"]) == ("Dropped By Message Filters", ["N/A"])
    assert found["sendingHostSummary"] == {
        "reverseDnsHostname": "mail-am6eur05on2040.outbound.protection.outlook.com (verified)",
        "ipAddress": MICROSOFT_OUT,
        "sbrsScore": "None",
    }


def test_details_need_the_right_numbers(lab: World) -> None:
    api = Api(lab)
    row = api.search()[1]
    for wrong in ({"mid": 1}, {"mid": row["mid"][0], "icid": 1}, {"mid": row["mid"][0], "serialNumber": "x"}):
        assert api.get("message-tracking/details", **wrong).status_code == 404


def test_older_releases_have_one_status_and_zones_may_differ(lab: World) -> None:
    lab.gateway.tracking_status = "text"
    lab.gateway.tracking_utc_offset = -4
    row = Api(lab).search(messageDirection="outgoing")[0]
    assert row["messageStatus"] == "Dropped By Message Filters"
    assert row["timestamp"].endswith("(GMT -04:00)")


@pytest.mark.parametrize(
    "bad",
    [
        times("%Y-%m-%dT%H:%M:01.000Z"),
        times("%Y-%m-%dT%H:%M:00.001Z"),
        times("%Y-%m-%dT%H:%M:00Z"),
        {},
    ],
)
def test_times_need_whole_minutes(lab: World, bad: dict[str, str]) -> None:
    answer = Api(lab).get("message-tracking/messages", searchOption="messages", **bad)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "404"
    assert "whole minutes" in answer.json()["error"]["explanation"]


@pytest.mark.parametrize(
    "query",
    [
        {"searchOption": "everything"},
        {"searchOption": "messages", "subject": "x"},
        {"searchOption": "messages", "limit": "many"},
        {"searchOption": "messages", "subjectfilterOperator": "sounds_like", "subjectfilterValue": "x"},
    ],
)
def test_a_search_that_makes_no_sense_is_refused(lab: World, query: Json) -> None:
    assert Api(lab).get("message-tracking/messages", **times(), **query).status_code == 400


@pytest.mark.parametrize("host", [GATEWAY, MANAGER])
@pytest.mark.parametrize("path", ["message-tracking/messages", "message-tracking/details"])
def test_without_credentials_nothing_is_told(lab: World, host: str, path: str) -> None:
    api = Api(lab, host)
    for auth in (None, ("admin", "wrong"), ("nobody", lab.gateway.password)):
        api.auth = auth
        answer = api.get(path, **times(), searchOption="messages")
        assert answer.status_code == 401
        assert answer.json() == {
            "error": {
                "message": "Unauthorized.",
                "code": "401",
                "explanation": "401 = No permission -- see authorization schemes.",
            }
        }


def test_a_token_from_login_opens_until_it_is_too_old(lab: World) -> None:
    api = Api(lab)
    assert api.login("admin", "wrong").status_code == 401
    answer = api.login(lab.mail.tracking_user, lab.mail.tracking_password)
    assert answer.status_code == 200
    api.auth = None
    api.headers["jwtToken"] = answer.json()["data"]["jwtToken"]
    assert len(api.search()) == 4
    lab.gateway.tracking_token_seconds = 0
    api.headers["jwtToken"] = api.login("admin", lab.gateway.password).json()["data"]["jwtToken"]
    assert api.get("message-tracking/messages", **times(), searchOption="messages").status_code == 401


def test_a_login_in_another_form_is_no_login(lab: World) -> None:
    api = Api(lab)
    for body in (b"", b"[]", b'{"data": {"userName": "admin", "passphrase": "x"}}'):
        answer = requests.post(
            f"{api.base}/login", data=body, headers=api.headers, verify=str(lab.ca_file), timeout=10
        )
        assert answer.status_code == 401


def test_each_host_has_its_own_paths(lab: World) -> None:
    gateway, manager = Api(lab, GATEWAY), Api(lab, MANAGER)
    gateway.headers, manager.headers = manager.headers, gateway.headers
    for api in (gateway, manager):
        assert api.get("message-tracking/messages", **times(), searchOption="messages").status_code == 404
    manager.headers["Host"] = "stranger.example:4431"
    assert manager.login("admin", lab.gateway.password).status_code == 404


def test_the_manager_knows_later_than_the_gateway(lab: World) -> None:
    lab.gateway.tracking_delay = 3600
    assert Api(lab).search() == []
    assert len(Api(lab, GATEWAY).search()) == 4
    lab.gateway.tracking_delay = 0
    assert len(Api(lab).search()) == 4


def test_what_was_known_at_a_moment_is_what_had_happened_by_then(lab: World) -> None:
    message = next(one for one in lab.mail.tracking().messages if one.subject == "Inbound test")
    begun, ended = message.states[0][0], message.states[-1][0]
    assert ended > begun
    assert message.statuses(begun - 1) == {}
    assert list(message.statuses(begun).values()) == [message.status(begun)] == ["Processing"]
    assert list(message.statuses(ended).values()) == [message.status(ended)] == ["Delivered"]
    assert 0 < len(message.lines_until(begun)) < len(message.lines_until(time.time()))


def test_tracking_can_be_down_and_is_journalled(lab: World) -> None:
    mark = lab.journal.mark()
    assert Api(lab).search(limit=1)
    [event] = lab.journal.events("gateway", "tracking", since=mark)
    assert (event.channel, event.detail["path"]) == (
        f"gateway:{MANAGER}",
        "/sma/api/v2.0/message-tracking/messages",
    )
    lab.gateway.tracking_down = True
    assert Api(lab).get("message-tracking/details", mid=1).status_code == 503
    assert Api(lab).login("admin", lab.gateway.password).status_code == 503
