"""Each table of the lab's gateway: verbs, one-line forms, refusals, and what stays untouched."""

from __future__ import annotations

import pytest

from lab.gateway.server import LabGateway
from tests.protocol import lab_gateway_kit as kit

HAT = "listenerconfig edit OutgoingMail hostaccess"
RAT = "listenerconfig edit IncomingMail rcptaccess"
release, running_gateway, gateway = kit.release, kit.running_gateway, kit.gateway


def commit(gateway: LabGateway, *lines: str) -> str:
    return gateway.type_by_hand([*lines, 'commit "a test" Y'])


# smtproutes


def test_routes_take_what_the_appliance_takes(gateway: LabGateway) -> None:
    commit(
        gateway,
        "smtproutes new .Sub.example a.example:2525/pri=10,b.example/pri=65535 192.0.2.1",
        "smtproutes new v6.example 2001:db8::1/pri=5",
        "smtproutes new void.example /dev/null",
        "smtproutes new dns.example usedns",
        "smtproutes new address.example [host.example]",
        "smtproutes new ALL relay.example",
    )
    routes = {
        domain: [(target.host, target.port, target.priority) for target in targets]
        for domain, targets in gateway.state.base.routes.items()
    }
    assert routes[".sub.example"] == [("a.example", 2525, 10), ("b.example", 25, 65535), ("192.0.2.1", 25, 0)]
    assert routes["v6.example"] == [("2001:db8::1", 25, 5)]
    assert routes["void.example"] == [("/dev/null", 25, 0)]
    assert routes["dns.example"] == [("USEDNS", 25, 0)]
    assert routes["address.example"] == [("[host.example]", 25, 0)]
    assert routes["ALL"] == [("relay.example", 25, 0)]


@pytest.mark.parametrize(
    "hosts", ["not/a/host", "a.example/pri=65536", "a.example:0", "a.example:70000", "-x", "::zz"]
)
def test_routes_refuse_what_is_no_host(gateway: LabGateway, hosts: str) -> None:
    before = gateway.dump()
    commit(gateway, f"smtproutes new a.example {hosts}")
    assert gateway.dump() == before


def test_a_route_is_changed_and_removed_by_its_domain(gateway: LabGateway) -> None:
    seen = commit(
        gateway,
        *["smtproutes", "new", "FABRIKAM.example", "edit", "fabrikam.example", "new.example", "", ""],
        "smtproutes delete .tailspin.example",
    )
    # An existing domain is refused and asked again: «edit» is taken for a domain there.
    assert "A route for fabrikam.example exists already." in seen
    assert "fabrikam.example" in gateway.state.base.routes
    commit(gateway, "smtproutes edit fabrikam.example new.example")
    assert gateway.state.base.routes["fabrikam.example"][0].host == "new.example"
    assert ".tailspin.example" not in gateway.state.base.routes


def test_an_empty_table_offers_only_what_makes_sense(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["smtproutes", "clear", "n", "clear", "y", "", "clear"])
    _, _, empty = seen.partition("There are no routes configured.")
    assert "- NEW" in empty
    assert "- IMPORT" in empty
    assert "- PRINT" not in empty
    assert "- DELETE" not in empty


def test_empty_tables_are_said_to_be_empty(gateway: LabGateway) -> None:
    mark = gateway.journal.mark()
    seen = gateway.type_by_hand(
        [
            "smtproutes clear",
            "y",
            "smtproutes print",
            "filters delete all",
            "filters detail all",
            "filters list",
        ]
    )
    assert "> smtproutes print\nThere are no routes configured.\n" in seen
    assert "> filters detail all\nThere are no filters configured.\n" in seen
    assert seen.endswith("> filters list\n\nNum Active Valid Name\nesa1.bce-demo.example> ")
    assert gateway.journal.count("gateway", "read", since=mark) == 3


def test_priorities_of_zero_are_shown_by_a_switch(gateway: LabGateway) -> None:
    assert "mail.fabrikam.example/pri" not in gateway.type_by_hand(["smtproutes print"])
    gateway.print_priority_zero = True
    assert "mail.fabrikam.example/pri=0" in gateway.type_by_hand(["smtproutes print"])


def test_an_exported_table_can_be_imported(gateway: LabGateway) -> None:
    before = gateway.dump()
    commit(gateway, "smtproutes export saved", "smtproutes clear", "y")
    assert gateway.state.base.routes == {}
    assert "There is no file saved with entries" in gateway.type_by_hand(["filters import saved"])
    commit(gateway, "smtproutes import saved")
    assert gateway.dump() == before


# destconfig


def test_editing_a_destination_keeps_what_is_not_answered(gateway: LabGateway) -> None:
    before = gateway.dump()
    seen = commit(gateway, "destconfig edit slow.tailspin.example", *[""] * 13)
    assert gateway.dump() == before
    assert "[10]> " in seen
    assert "[200]> " in seen


def test_the_default_entry_is_edited_not_removed(gateway: LabGateway) -> None:
    seen = commit(gateway, "destconfig delete DEFAULT", "destconfig default", "400", "", "", "", "", "")
    assert "There is no entry for default." in seen
    default = gateway.state.base.destinations["DEFAULT"]
    assert (default.max_host_concurrency, default.max_messages_per_connection) == (400, 50)
    assert default.table_tls is None or default.table_tls == "none"


def test_detail_shows_one_the_default_or_all(gateway: LabGateway) -> None:
    one = gateway.type_by_hand(["destconfig detail Fabrikam.example"])
    assert "TLS: Required" in one
    assert "slow.tailspin.example" not in one
    default = gateway.type_by_hand(["destconfig", "detail", "default", ""])
    assert "Maximum messages per connection: 50" in default
    assert "Maximum concurrent connections: 500" in default
    every = gateway.type_by_hand(["destconfig detail all"])
    assert every.count("Maximum messages per connection") == 3


def test_one_question_ends_in_a_bare_prompt(gateway: LabGateway) -> None:
    question = "nothing to keep Demo.\n> House"
    seen = commit(gateway, "destconfig", "setup", "House", "y", "")
    assert question in seen
    assert "  certificate: House\n  TLS alert: yes\n" in gateway.dump()


def test_list_shows_no_messages_limit(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["destconfig list"])
    assert "(Default)" in seen
    assert "essages" not in seen


# hostaccess


def test_a_new_group_lands_before_all_or_first(gateway: LabGateway) -> None:
    new = [HAT, "new", "1", "FRESH", "192.0.2.9", "", "7", "", "", "", "", ""]
    commit(gateway, *new)
    assert [group.label for group in gateway.state.base.listener("OutgoingMail").groups][-2:] == [
        "FRESH",
        "ALL",
    ]
    gateway.new_group_lands = "first"
    commit(gateway, *[line.replace("FRESH", "FIRST") for line in new])
    assert gateway.state.base.listener("OutgoingMail").groups[0].name == "FIRST"


def test_the_one_line_form_adds_a_sender_in_silence(gateway: LabGateway) -> None:
    line = 'listenerconfig edit "OutgoingMail" hostaccess edit sendergroup RELAYLIST new 10.9.8.0/24'
    seen = gateway.type_by_hand([line, "version"])
    assert f"> {line}\nesa1.bce-demo.example> version" in seen
    commit(gateway, line)
    members = gateway.state.base.listener("OutgoingMail").group("RELAYLIST").members
    assert [member.address for member in members] == ["10.20.30.40", ".relay.fabrikam.example", "10.9.8.0/24"]


def test_a_group_is_edited(gateway: LabGateway) -> None:
    commit(
        gateway,
        *[HAT, "edit", "1", "RELAYLIST", "new", "192.0.2.50, sbrs[-1.0:2.0], nx.domain", "by hand"],
        *["delete", "10.20.30.40", "policy", "6", "", "-", "rename", "RENAMED", "print", "", "", "", ""],
    )
    group = gateway.state.base.listener("OutgoingMail").groups[0]
    assert (group.name, group.behaviour, group.comment) == ("RENAMED", "$BLOCKED", "")
    assert [(one.address, one.comment) for one in group.members] == [
        (".relay.fabrikam.example", ""),
        ("192.0.2.50", "by hand"),
    ]
    assert (group.sbrs, group.host_dns) == ("-1.0:2.0", ["nx.domain"])


def test_a_sender_that_is_not_there_cannot_be_removed(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand([f"{HAT} edit sendergroup RELAYLIST delete 192.0.2.77"])
    assert "192.0.2.77 is not in this sender group." in seen


def test_groups_move_before_a_position(gateway: LabGateway) -> None:
    listener = "listenerconfig edit IncomingMail hostaccess"
    commit(gateway, listener, "move", "UNKNOWNLIST", "1", "move", "1", "3", "", "", "")
    names = [group.label for group in gateway.state.base.listener("IncomingMail").groups]
    assert names == [
        "ALLOWED_LIST",
        "UNKNOWNLIST",
        "BLOCKED_LIST",
        "SUSPECTLIST",
        "spamdomain.example",
        "ALL",
    ]


def test_all_and_policies_in_use_stay(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand([f"{HAT} delete sendergroup ALL", f"{HAT} delete policy RELAYED"])
    assert "The entry ALL can be neither removed nor moved." in seen
    assert "The policy RELAYED is used by RELAYLIST." in seen


def test_a_policy_left_as_it_is_stays_as_it_is(gateway: LabGateway) -> None:
    before = gateway.dump()
    commit(gateway, HAT, "edit", "2", "RELAYED", *[""] * 17, "", "", "")
    assert gateway.dump() == before


def test_a_new_policy_holds_only_what_differs(gateway: LabGateway) -> None:
    commit(gateway, HAT, "new", "2", "HOUSE", "2", "", "77", *[""] * 7, "3", *[""] * 8, "", "", "")
    policy = gateway.state.base.listener("OutgoingMail").policies["HOUSE"]
    assert (policy.behaviour, policy.parameters) == ("RELAY", {"max_concurrency": "77", "tls": "required"})


def test_a_group_can_have_a_behaviour_of_its_own(gateway: LabGateway) -> None:
    commit(
        gateway,
        *[HAT, "new", "1", "OWN", "192.0.2.9", "", "2", "y", "5M", *[""] * 10, "house", "", "", ""],
    )
    group = gateway.state.base.listener("OutgoingMail").group("OWN")
    assert (group.behaviour, group.parameters, group.comment) == (
        "RELAY",
        {"max_message_size": "5M"},
        "house",
    )
    printed = gateway.type_by_hand([f"{HAT} print"])
    assert 'OWN:\n    192.0.2.9\n    RELAY {\n        max_message_size = "5M"\n    } (house)\n' in printed


def test_the_table_is_printed_as_published(gateway: LabGateway) -> None:
    printed = gateway.type_by_hand(["listenerconfig edit IncomingMail hostaccess print"])
    assert "$TRUSTED\n    ACCEPT {\n" in printed
    assert "        max_concurrency = 300\n" in printed
    assert '        spam_check = "off"\n' in printed
    assert "SUSPECTLIST:\n    sbrs[-3.0:-1.0]\n" in printed
    assert "\nspamdomain.example\n    REJECT (told us so)\nALL:\n    $ACCEPTED (Everyone else)\n" in printed


# rcptaccess


def test_a_private_listener_has_no_recipient_access_table(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["listenerconfig", "edit", "OutgoingMail", "rcptaccess", "^C"])
    assert "- RCPTACCESS" not in seen
    assert "Unknown option: rcptaccess" in seen


def test_recipients_of_all_forms(gateway: LabGateway) -> None:
    addresses = "Contoso.example, .sub.example, user@contoso.example, postmaster@, [192.0.2.1]"
    commit(gateway, RAT, "new", addresses, "", "", "y", "", "", "")
    rows = gateway.state.base.listener("IncomingMail").recipients
    added = ["contoso.example", ".sub.example", "user@contoso.example", "postmaster@", "[192.0.2.1]"]
    assert [row.address for row in rows][-6:] == [*added, "ALL"]
    assert all(row.bypass_receiving for row in rows if row.address in added)


def test_a_custom_response_is_kept_and_shown(gateway: LabGateway) -> None:
    seen = commit(gateway, RAT, "new", "gone.example", "2", "y", "551", "moved away", "", "print", "", "", "")
    assert "gone.example REJECT (551 moved away)" in seen


def test_a_recipient_is_edited_and_removed_but_all_stays(gateway: LabGateway) -> None:
    seen = commit(gateway, RAT, "edit", "old@fabrikam.example", "1", "n", "", "delete", "ALL", "", "", "")
    assert "The default entry ALL cannot be deleted." in seen
    entry = gateway.state.base.listener("IncomingMail").recipient("OLD@fabrikam.example")
    assert (entry.action, entry.response) == ("ACCEPT", "")
    commit(gateway, f"{RAT} delete fabrikam.example")
    assert "recipient fabrikam.example" not in gateway.dump()


def test_the_table_of_recipients_is_printed_as_published(gateway: LabGateway) -> None:
    lines = gateway.type_by_hand([f"{RAT} print"]).splitlines()
    assert "fabrikam.example ACCEPT" in lines
    assert "ALL REJECT" in lines


# sslconfig, deliveryconfig, altsrchost


def test_ciphers_are_changed_and_an_empty_line_keeps_the_method(gateway: LabGateway) -> None:
    before = gateway.state.base.ssl["outbound"].method
    seen = commit(gateway, "sslconfig", "OUTBOUND", "", "not a list!", "HIGH:!aNULL", "")
    assert "A cipher list holds OpenSSL's words" in seen
    tls = gateway.state.base.ssl["outbound"]
    assert (tls.method, tls.cipher) == (before, "HIGH:!aNULL")
    assert "Outbound SMTP ciphers:\n        HIGH\n        !aNULL\n\nChoose" in seen


def test_a_cipher_list_that_is_none_can_end_the_dialogue(gateway: LabGateway) -> None:
    gateway.asks_again = False
    seen = gateway.type_by_hand(["sslconfig", "outbound", "", "not a list!", ""])
    assert seen.count("Choose the operation") == 2


def test_looking_at_settings_is_a_read_and_writing_is_none(gateway: LabGateway) -> None:
    mark = gateway.journal.mark()
    gateway.type_by_hand(["sslconfig", "", "deliveryconfig", "", "sslconfig", "outbound", "", "HIGH", ""])
    tables = [event.detail["table"] for event in gateway.journal.events("gateway", "read", since=mark)]
    assert tables == ["sslconfig", "deliveryconfig"]


def test_the_interface_of_delivery_is_shown_and_changed(gateway: LabGateway) -> None:
    assert "Default interface to deliver mail: Auto" in gateway.type_by_hand(["deliveryconfig", ""])
    commit(gateway, "deliveryconfig", "setup", "3", "n", "")
    assert (
        gateway.dump().split("\ndelivery\n")[1].startswith("  interface: Data 2\n  possible delivery: no\n")
    )


def test_alternative_sources(gateway: LabGateway) -> None:
    assert "There are currently no sources configured." in gateway.type_by_hand(["altsrchost", ""])
    commit(gateway, "altsrchost", "new", "@contoso.example", "1", "")
    assert "source @contoso.example: Data 1" in gateway.dump()
    commit(gateway, "altsrchost", "delete", "@contoso.example", "")
    assert "source" not in gateway.dump()


# The strange release


def test_a_question_that_nobody_knows_comes_in_the_middle(gateway: LabGateway) -> None:
    gateway.strange_question = True
    seen = gateway.type_by_hand(["smtproutes", "new", "a.example", "^C", "showchanges"])
    assert "Select the telemetry class for this entry (1-4):\n[1]> ^C" in seen
    assert "There are no changes pending" in seen
    for line in ["destconfig detail all", "filters detail all", f"{RAT} print"]:
        assert "telemetry" not in gateway.type_by_hand([line])


# Snapshots


def test_the_configuration_goes_back_to_a_snapshot(gateway: LabGateway) -> None:
    before, dump = gateway.snapshot(), gateway.dump()
    commit(gateway, "smtproutes clear", "y", f"{HAT} delete sendergroup RELAYLIST", "filters delete all")
    assert gateway.dump() != dump
    gateway.restore(before)
    assert gateway.dump() == dump


def test_the_dump_shows_no_secret(gateway: LabGateway) -> None:
    assert "Foreign-Secret-7731" in gateway.type_by_hand(["filters detail partner_gate"])
    assert "Foreign-Secret-7731" not in gateway.dump()
    assert 'header("X-Partner-Token") == "sha256:' in gateway.dump()
