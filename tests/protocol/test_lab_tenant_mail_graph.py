"""Graph's mail over HTTPS: sending from a mailbox, looking into one, and who may."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from lab.mail.envelope import compose
from lab.tenant.practice import FABRIKAM, GRAPH_HOSTS
from tests.protocol import lab_tenant_mail_kit as kit
from tests.protocol.lab_tenant_kit import Caller
from tests.protocol.lab_tenant_mail_kit import OUTSIDE, PROBE, World

running_world, world = kit.running_world, kit.world


def message(recipient: str = OUTSIDE, **more: Any) -> dict[str, Any]:
    text = {"contentType": "Text", "content": "A probe."}
    to = [{"emailAddress": {"address": recipient}}]
    return {"message": {"subject": "OUTBOUND EMAIL TEST", "body": text, "toRecipients": to, **more}}


def test_a_message_sent_is_out_and_in_sent_items(world: World) -> None:
    world.outbound_by_rule()
    response = world.graph("POST", f"/users/{PROBE}/sendMail", json=message())
    assert (response.status_code, response.content) == (202, b"")
    _connection, envelope = world.gateway.one()
    assert (envelope.sender, envelope.recipients) == (PROBE, (OUTSIDE,))
    assert envelope.header("X-OUTBOUND-AUTH") == kit.SECRET
    assert envelope.subject == "OUTBOUND EMAIL TEST"
    assert envelope.body.startswith(b"A probe.")
    (sent,) = world.graph("GET", f"/users/{PROBE}/mailFolders/sentitems/messages").json()["value"]
    assert sent["internetMessageId"] == envelope.message_id


def test_headers_begin_with_x_and_copies_can_be_left_out(world: World) -> None:
    own = [{"name": "x-probe", "value": "41"}]
    response = world.graph(
        "POST",
        f"/users/{PROBE}/sendMail",
        json={**message(internetMessageHeaders=own), "saveToSentItems": False},
    )
    assert response.status_code == 202
    assert world.tenant.mail.mailboxes.items(PROBE, "sentitems") == []
    kept = world.internet.sink.wait_for(lambda kept: kept.envelope.header("x-probe") == "41")
    assert kept.envelope.sender == PROBE
    wrong = message(internetMessageHeaders=[{"name": "Received", "value": "x"}])
    refused = world.graph("POST", f"/users/{PROBE}/sendMail", json=wrong)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidInternetMessageHeader")


def test_a_blind_copy_is_delivered_and_not_shown(world: World) -> None:
    blind = [{"emailAddress": {"address": "hidden@bce-demo.com"}}]
    world.graph("POST", f"/users/{PROBE}/sendMail", json=message("anna@bce-demo.com", bccRecipients=blind))
    assert b"hidden" not in world.item("hidden@bce-demo.com").envelope.content
    assert world.item("anna@bce-demo.com").folder == "inbox"


def test_a_whole_mime_message_is_taken(world: World) -> None:
    composed = compose(
        PROBE, "anna@bce-demo.com", "in MIME", headers={"X-Own": "1", "Bcc": "hidden@bce-demo.com"}
    )
    content = composed.content
    plain = {"Content-Type": "text/plain"}
    path = f"/users/{PROBE}/sendMail"
    assert world.graph("POST", path, data=base64.b64encode(content), headers=plain).status_code == 202
    assert world.item("anna@bce-demo.com").envelope.header("X-Own") == "1"
    assert b"hidden" not in world.item("hidden@bce-demo.com").envelope.content
    refused = world.graph("POST", path, data=b"not base64!", headers=plain)
    assert refused.json()["error"]["code"] == "ErrorMimeContentInvalidBase64String"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"no json", "RequestBodyRead"),
        (b"{}", "RequestBodyRead"),
        (b'{"message": {"toRecipients": [17]}}', "ErrorInvalidRequest"),
        (b'{"message": {"subject": "to nobody"}}', "ErrorInvalidRecipients"),
        (b'{"message": {"toRecipients": [{"emailAddress": {"address": "anna"}}]}}', "ErrorInvalidRecipients"),
    ],
)
def test_what_is_no_message_is_refused(world: World, body: bytes, code: str) -> None:
    json_type = {"Content-Type": "application/json"}
    refused = world.graph("POST", f"/users/{PROBE}/sendMail", data=body, headers=json_type)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
    assert world.tenant.mail.traces.entries() == []


def test_a_message_is_found_by_id_or_subject_in_inbox_or_junk(world: World) -> None:
    world.arrive(subject="token m365se-41")
    world.arrive(subject="something else", X_Lab_Spam="yes")
    path, folders = f"/users/{PROBE}/messages", f"/users/{PROBE}/mailFolders"
    (found,) = world.graph("GET", path, params={"$search": '"subject:m365se-41"'}).json()["value"]
    by_id = {
        "$filter": f"internetMessageId eq '{found['internetMessageId']}'",
        "$select": "internetMessageHeaders",
    }
    (same,) = world.graph("GET", path, params=by_id).json()["value"]
    assert set(same) == {"id", "internetMessageHeaders"}
    assert {"name": "X-MS-Exchange-Organization-SCL", "value": "1"} in same["internetMessageHeaders"]
    folder = world.graph("GET", f"{folders}/{found['parentFolderId']}").json()
    assert folder["displayName"] == "Inbox"
    (junk,) = world.graph("GET", f"{folders}/junkemail/messages").json()["value"]
    assert junk["subject"] == "[EXTERNAL] something else"
    assert world.graph("GET", path, params={"$filter": "subject eq 'not there'"}).json()["value"] == []
    assert len(world.graph("GET", path, params={"$top": "1"}).json()["value"]) == 1
    assert world.graph("GET", path, params={"$filter": "startswith(subject,'x')"}).status_code == 400
    assert world.graph("GET", f"{folders}/archive/messages").status_code == 404


@pytest.mark.parametrize(
    ("roles", "sending", "reading"),
    [
        (("Mail.Send", "Mail.Read"), 202, 200),
        (("Mail.Send",), 202, 403),
        (("Mail.ReadWrite",), 403, 200),
        ((), 403, 403),
    ],
)
def test_each_role_allows_its_own(world: World, roles: tuple[str, ...], sending: int, reading: int) -> None:
    world.tenant.switches.graph_roles = roles
    sent = world.graph("POST", f"/users/{PROBE}/sendMail", json=message())
    read = world.graph("GET", f"/users/{PROBE}/messages")
    assert (sent.status_code, read.status_code) == (sending, reading)
    for response in (sent, read):
        if response.status_code == 403:
            assert response.json()["error"]["code"] == "ErrorAccessDenied"


def test_a_new_role_needs_a_new_token(world: World) -> None:
    world.tenant.switches.graph_roles = ()
    old = world.graph_token()
    world.tenant.switches.graph_roles = ("Mail.Read",)
    assert world.graph("GET", f"/users/{PROBE}/messages", old).status_code == 403
    assert world.graph("GET", f"/users/{PROBE}/messages").status_code == 200


def test_a_policy_may_leave_few_mailboxes(world: World) -> None:
    world.tenant.switches.graph_mailboxes = (PROBE,)
    assert world.graph("GET", f"/users/{PROBE}/messages").status_code == 200
    assert world.graph("GET", "/users/anna@bce-demo.com/messages").status_code == 403


def test_tokens_of_one_resource_open_no_other(world: World) -> None:
    assert world.graph("GET", f"/users/{PROBE}/messages", world.caller.token).status_code == 401
    assert world.graph("GET", f"/users/{PROBE}/messages", "made up").status_code == 401
    headers = {"Authorization": f"Bearer {world.graph_token()}"}
    assert world.caller.invoke("Get-TransportRule", headers=headers).status_code == 401
    by_id = world.graph_token(scope="00000003-0000-0000-c000-000000000000/.default")
    assert world.graph("GET", f"/users/{PROBE}/messages", by_id).status_code == 200


def test_mailboxes_that_are_not_there(world: World) -> None:
    for user in ("nobody@bce-demo.com", "anna@elsewhere.example"):
        response = world.graph("POST", f"/users/{user}/sendMail", json=message())
        assert (response.status_code, response.json()["error"]["code"]) == (404, "ErrorInvalidUser")


def test_a_second_tenant_has_a_door_and_mailboxes_of_its_own(world: World) -> None:
    second = kit.tenant_of(world.internet, world.tenant.certificates, FABRIKAM)
    with second:
        assert second.tenant_id != world.tenant.tenant_id
        sent = world.leave("mia@fabrikam.example")
        item = second.mail.mailboxes.wait_for(lambda item: item.mailbox == "mia@fabrikam.example", 10)
        assert (item.envelope.message_id, item.peer) == (sent.message_id, "203.0.113.40")
        caller = Caller(second)
        wrong = caller.ask_token(client_id=world.tenant.client_id)
        assert wrong.status_code == 400
        assert caller.run("Get-AcceptedDomain")[0]["DomainName"] == "fabrikam.example"
        caller.session.close()
        second.mail.submit(compose("mia@fabrikam.example", PROBE, "back"))
        back = world.tenant.mail.mailboxes.wait_for(lambda item: item.envelope.sender.startswith("mia"), 10)
        assert back.peer == "203.0.113.42"


@pytest.mark.parametrize("host", GRAPH_HOSTS)
def test_each_cloud_has_a_graph_of_its_own(world: World, host: str) -> None:
    token = world.graph_token(scope=f"https://{host}/.default")
    for other in GRAPH_HOSTS:
        answer = world.graph("GET", f"/users/{PROBE}/messages", token, headers={"Host": other})
        assert answer.status_code == (200 if other == host else 401)
