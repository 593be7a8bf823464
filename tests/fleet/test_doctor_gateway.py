"""The doctor at the gateway: one thing is broken at a time, and the line about it says so, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from lab.estate import Estate
from lab.gateway.server import COMMANDS
from lab.gateway.state import Configuration
from tests import mail_stack
from tests.fleet.doctor_kit import Practice, levels, practice
from tests.protocol import estate_kit

WAY_IN = ("reachable", "host key", "login")
TABLES = ("cluster", "listeners", "mail flow policy", "recipient validation", "delivery addresses")


@pytest.fixture(scope="module")
def running() -> Iterator[Estate]:
    with estate_kit.running("new") as estate:
        yield estate


@pytest.fixture
def at(running: Estate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    values = mail_stack.values(running)
    with practice(running, values, monkeypatch, running.environment) as one:
        yield one


def tables(at: Practice) -> Configuration:
    """The gateway's committed configuration, to be broken by hand."""
    return at.estate.gateway.state.base


# --- the way in ---------------------------------------------------------------------------------------------


def test_a_gateway_that_lets_us_in(at: Practice) -> None:
    reached, key, let_in = at.look(*WAY_IN)
    pinned = at.estate.gateway.members[0].host_key
    assert (reached.level, reached.says) == ("ok", "esa1.bce-demo.example: SSH answers")
    assert (key.level, key.says) == ("ok", f"esa1.bce-demo.example: {pinned}, as pinned")
    assert let_in.level == "ok"
    assert "esa1.bce-demo.example: as admin: AsyncOS 15.0.1" in let_in.says


def test_a_gateway_that_does_not_answer_and_all_that_hangs_on_it(at: Practice) -> None:
    at.estate.gateway.refuse_connections = True
    found = at.look(*WAY_IN, *TABLES, "token")
    said = levels(found)
    assert said.pop("reachable") == ["error"]
    assert said.pop("token") == ["ok"]
    assert set(map(tuple, said.values())) == {("not looked at",)}
    assert "(see reachable)" in found[1].says
    assert "check host and port" in found[0].fix


def test_a_gateway_that_only_speaks_the_old_tongue(at: Practice) -> None:
    at.estate.gateway.sha1_only = True
    found = at.look(*WAY_IN)
    assert levels(found) == {
        "reachable": ["error"],
        "host key": ["not looked at"],
        "login": ["not looked at"],
    }
    assert "sshconfig" in found[0].fix


def test_another_host_key_is_shown_beside_the_pinned_one_and_nothing_is_sent(at: Practice) -> None:
    at.estate.gateway.host_key_seed = "somebody in between"
    since = at.estate.journal.mark()
    found = at.look(*WAY_IN, "listeners")
    assert levels(found) == {
        "reachable": ["ok"],
        "host key": ["error"],
        "login": ["not looked at"],
        "listeners": ["not looked at"],
    }
    assert at.estate.gateway.members[0].host_key in found[1].says
    assert found[1].says.count("SHA256:") == 2
    assert at.estate.journal.count("gateway", "login", since=since) == 0


def test_a_password_that_is_refused(at: Practice) -> None:
    at.set(GATEWAY_PASSWORD="not-this-one")
    found = at.look(*WAY_IN, "listeners")
    assert levels(found) == {
        "reachable": ["ok"],
        "host key": ["ok"],
        "login": ["error"],
        "listeners": ["not looked at"],
    }
    assert "user «admin» is refused" in found[2].says
    assert "not-this-one" not in str(found)


def test_nothing_to_log_in_with(at: Practice) -> None:
    at.set(GATEWAY_PASSWORD="")
    found = at.look(*WAY_IN)
    assert levels(found) == {
        "reachable": ["not looked at"],
        "host key": ["not looked at"],
        "login": ["error"],
    }
    assert "GATEWAY_PASSWORD" in found[2].fix


def test_a_passphrase_that_expires_soon(at: Practice) -> None:
    at.estate.gateway.password_days = 5
    finding = at.one("login")
    assert finding.level == "warning"
    assert "its passphrase expires in 5 days" in finding.says


def test_all_checks_log_in_once(at: Practice) -> None:
    since = at.estate.journal.mark()
    at.look(*WAY_IN, *TABLES)
    assert at.estate.journal.count("gateway", "login", since=since) == 1
    assert at.estate.journal.count("gateway", "write", since=since) == 0


def test_a_second_stack_of_the_same_gateway_uses_the_first_ones_login(at: Practice) -> None:
    since = at.estate.journal.mark()
    first = at.look("login", "listeners", "delivery addresses")
    second = at.look("login", "listeners", "delivery addresses", customer__name="Another one")
    assert second == first
    assert at.estate.journal.count("gateway", "login", since=since) == 1


def test_with_another_password_it_logs_in_again(at: Practice) -> None:
    at.one("login")
    at.set(GATEWAY_PASSWORD="not-this-one")
    assert at.one("login").level == "error"


# --- listeners ----------------------------------------------------------------------------------------------


def test_both_listeners(at: Practice) -> None:
    inbound, outbound = at.look("listeners")
    assert (inbound.level, inbound.says) == ("ok", "«IncomingMail» is there, public (inboundListener)")
    assert (outbound.level, outbound.says) == ("ok", "«OutgoingMail» is there, private (outboundListener)")


def test_a_listener_that_is_not_there_is_told_once(at: Practice) -> None:
    found = at.look(
        "listeners", "mail flow policy", "recipient validation", gateway__outboundListener="outgoingmail"
    )
    assert levels(found) == {
        "listeners": ["ok", "error"],
        "mail flow policy": ["not looked at"],
        "recipient validation": ["warning"],
    }
    assert "there are: IncomingMail, OutgoingMail" in found[1].says
    assert found[1].fix == "correct gateway.outboundListener"


def test_listeners_of_the_other_sort(at: Practice) -> None:
    inbound, outbound = tables(at).listeners
    inbound.kind, outbound.kind = "private", "public"
    found = at.look("listeners")
    assert [one.level for one in found] == ["error", "warning"]
    assert "no recipient access table" in found[0].says
    assert "other Microsoft tenants" in found[1].says


# --- the mail flow policy -----------------------------------------------------------------------------------


def relayed(at: Practice) -> Any:
    return tables(at).listener("OutgoingMail").policies["RELAYED"]


def test_a_policy_that_up_will_give_tls(at: Practice) -> None:
    relayed(at).parameters.pop("tls", None)
    assert (
        at.one("mail flow policy").says
        == "«RELAYED» is there and has no TLS of its own: `up` sets TLS Preferred"
    )


def test_a_policy_that_is_right(at: Practice) -> None:
    relayed(at).parameters["tls"] = "preferred"
    assert at.one("mail flow policy").says == "«RELAYED» is there, TLS Preferred"


def test_a_policy_that_the_preview_would_refuse(at: Practice) -> None:
    relayed(at).parameters["tls"] = "required"
    finding = at.one("mail flow policy", takeOver=[])
    assert finding.level == "warning"
    assert "has TLS Required" in finding.says
    assert finding.fix == "add mailFlowPolicy to takeOver"
    assert at.one("mail flow policy", takeOver=["mailFlowPolicy"]).level == "ok"


def test_a_policy_that_is_not_there(at: Practice) -> None:
    finding = at.one("mail flow policy", names__mailFlowPolicy="RELAYED_365")
    assert finding.level == "error"
    assert "has no mail flow policy «RELAYED_365»; it has: " in finding.says


def test_a_policy_that_accepts_instead_of_relaying(at: Practice) -> None:
    relayed(at).behaviour = "ACCEPT"
    found = at.look("mail flow policy")
    assert [one.level for one in found] == ["warning", "ok"]
    assert "says ACCEPT, not RELAY" in found[0].says


def test_a_policy_that_the_gateways_own_stack_has_not_made_yet(at: Practice) -> None:
    relayed(at).parameters["tls"] = "off"
    finding = at.one("mail flow policy", gateway__shared=True, outbound__ciphers=None, takeOver=[])
    assert finding.level == "error"
    assert "kind: gateway" in finding.fix


# --- recipient validation -----------------------------------------------------------------------------------


def test_nobody_asks_whether_a_recipient_exists(at: Practice) -> None:
    finding = at.one("recipient validation")
    assert finding.level == "warning"
    assert "«IncomingMail» has ldap off" in finding.says


def test_a_directory_is_asked(at: Practice) -> None:
    tables(at).listener("IncomingMail").ldap = "Accept (PublicLDAP.accept)"
    assert at.one("recipient validation").says == "«IncomingMail» has: ldap Accept (PublicLDAP.accept)"


# --- bounce verification ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "asked"), [("", "yes"), ("s3cr3tkey", "no")])
def test_senders_of_outgoing_mail_stay_as_they_are(at: Practice, key: str, asked: str) -> None:
    tables(at).bounce_verification.key = key
    tables(at).destinations["DEFAULT"].bounce_validation = asked
    assert at.one("bounce verification").says == "not in use"


def test_senders_of_outgoing_mail_are_tagged(at: Practice) -> None:
    tables(at).bounce_verification.key = "s3cr3tkey"
    tables(at).destinations["DEFAULT"].bounce_validation = "yes"
    outgoing, incoming = at.look("bounce verification")
    assert outgoing.level == incoming.level == "warning"
    assert "auto-forwards and journals, is not tagged" in outgoing.says
    assert "that the gateway delivers to Microsoft 365, too (bce-demo.com)" in incoming.says
    assert "s3cr3tkey" not in str(outgoing) + str(incoming)


def test_a_release_that_does_not_show_it(at: Practice) -> None:
    texts = deepcopy(at.estate.gateway.profile.data)
    shown = texts["texts"]["listener_details"]
    texts["texts"]["listener_details"] = shown.replace("LDAP: {ldap}", "Filters: None")
    at.monkeypatch.setattr(at.estate.gateway.profile, "data", texts)
    finding = at.one("recipient validation")
    assert finding.level == "warning"
    assert finding.says == "not looked at: the command line of this release does not show it"
    assert "Network > Listeners" in finding.fix


# --- delivery addresses -------------------------------------------------------------------------------------


def test_mail_leaves_from_addresses_that_microsoft_gets(at: Practice) -> None:
    finding = at.one("delivery addresses")
    assert finding.level == "ok"
    assert "mail leaves from Auto" in finding.says


def test_mail_leaves_from_an_address_that_nobody_knows(at: Practice) -> None:
    tables(at).delivery.interface = "Management"
    finding = at.one("delivery addresses")
    assert finding.level == "error"
    assert "the interface «Management» is where mail leaves from (`deliveryconfig`)" in finding.says
    assert "inbound.senderAddresses" in finding.fix
    assert at.one("delivery addresses", leave=["interface Management"]).level == "warning"


def test_some_mail_may_leave_from_another_interface(at: Practice) -> None:
    finding = at.one("delivery addresses", inbound__senderAddresses=["198.51.100.186"])
    assert finding.level == "warning"
    assert "may be where mail leaves from" in finding.says


def test_a_user_who_may_not_look(at: Practice) -> None:
    at.monkeypatch.delitem(COMMANDS, "deliveryconfig")
    finding = at.one("delivery addresses")
    assert "not looked at: " in finding.says
    assert "reading the delivery settings" in finding.says


def test_the_settings_call_a_single_gateway_a_cluster(at: Practice) -> None:
    found = at.look(*WAY_IN, "cluster", "listeners", gateway__cluster=True)
    assert levels(found) == {
        "reachable": ["ok"],
        "host key": ["ok"],
        "login": ["ok"],
        "cluster": ["error"],
        "listeners": ["not looked at"],
    }
    assert "gateway.cluster is set" in found[3].says


def test_a_gateway_on_its_own(at: Practice) -> None:
    assert at.one("cluster").says == "a gateway on its own"
