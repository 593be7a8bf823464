"""What the appliance prints, taken apart: every known rendering; never «absent»."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamic_providers.gateway import (
    destination_controls,
    hat,
    listeners,
    mail_flow_policy,
    outbound_tls,
    recipient_access,
    sender_group,
    smtp_routes,
)
from dynamic_providers.gateway.tables import UnreadableError, require_all, rows

GW = "esa1.example.com"
MX = "contoso-example.mail.protection.outlook.com"
ONE = [{"host": MX, "priority": 0, "port": 25}]


def test_counts_rules_and_blank_lines_are_no_rows() -> None:
    text = "\nThere are currently 2 routes configured.\n=====\n- - -\n a.example  b\nNo routes configured.\n"
    assert list(rows(text)) == [" a.example  b"]


def test_fewer_rows_than_announced_are_an_error() -> None:
    require_all(GW, "smtproutes", "There are currently 2 routes configured.", 2)
    require_all(GW, "smtproutes", "There are no routes configured.", 0)
    for head in ("There are currently 3 routes configured.", "There are currently 3 recipients."):
        with pytest.raises(UnreadableError, match="3 entries are announced, 2 were read"):
            require_all(GW, "smtproutes", head, 2)


# --- SMTP routes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        f"contoso.example   {MX}",
        f"contoso.example -> {MX}",
        f"  contoso.example\t{MX}/pri=0",
        f"Contoso.Example.  {MX.upper()}.",
        f"contoso.example => {MX}:25/pri=0",
    ],
)
def test_a_route_in_every_rendering(line: str) -> None:
    table = smtp_routes.parse(
        f"There are currently 1 routes configured.\n\nDomain   Hosts\n------\n{line}\n", GW
    )
    assert smtp_routes.parse_hosts(table["contoso.example"], GW) == ONE


def test_routes_of_others_may_hold_anything() -> None:
    hosts = "192.0.2.1, [mx.example.com]:2525/pri=5,\n    2001:db8::1"
    text = f"ALL  /dev/null\n.example.com  {hosts}\nx.example USEDNS\n"
    table = smtp_routes.parse(text, GW)
    assert set(table) == {"all", ".example.com", "x.example"}
    assert smtp_routes.parse_hosts(table[".example.com"], GW) == [
        {"host": "192.0.2.1", "priority": 0, "port": 25},
        {"host": "2001:db8::1", "priority": 0, "port": 25},
        {"host": "[mx.example.com]", "priority": 5, "port": 2525},
    ]


def test_a_route_that_is_not_understood_is_an_error() -> None:
    with pytest.raises(UnreadableError, match="gibberish"):
        smtp_routes.parse("a.example  b.example\n%%% gibberish %%%\n", GW)
    with pytest.raises(UnreadableError):
        smtp_routes.parse_hosts("mx.example;drop", GW)


@given(
    st.lists(
        st.builds(
            lambda host, priority, port: {"host": host, "priority": priority, "port": port},
            st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z]{2,5}){1,2}", fullmatch=True),
            st.integers(0, 65535),
            st.integers(1, 65535),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda host: (host["host"], host["port"]),
    )
)
def test_hosts_as_typed_read_back_the_same(hosts: list[dict[str, object]]) -> None:
    typed = ", ".join(smtp_routes.render_host(host) for host in hosts)
    read = smtp_routes.parse_hosts(typed, GW)
    assert sorted(map(str, read)) == sorted(map(str, hosts))


def test_hosts_of_equal_priority_have_no_order() -> None:
    inputs = smtp_routes.Route.model_validate({"hosts": [{"host": "b.example"}, {"host": "a.example"}]})
    assert inputs.model_dump()["hosts"][0]["host"] == "a.example"


# --- destination controls -----------------------------------------------------------------------------------

RIGHT = {"connections": 10, "messagesPerConnection": 20, "tls": "Preferred", "other": {}}
BLOCKS = [
    """contoso.example
  IP sort preference: Default
  Maximum messages per connection: 20
  Maximum concurrent connections: 10
  Recipient limit: Default
  Limits apply to: Entire domain
  Limits enforced: System Wide
  TLS: Preferred
  DANE: Default
  Bounce verification: Default
  Bounce profile: Default""",
    """Domain: contoso.example
    Concurrency: 10
    Recipient limit: None
    Limit type: host
    Limit apply: system
    Maximum Messages Per Connection: 20
    TLS support: preferred
    Bounce Verification: Default (Off)
    Bounce Profile: default""",
    """contoso.example
  Rate limiting: 10 concurrent connections, 20 messages per connection, Default recipient limit
  Limits applied to entire domain, across all virtual gateways
  TLS: On""",
    "contoso.example\n  concurrency = 10\n  messages per connection = 20\n  tls = Preferred",
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_destination_control_in_every_rendering(block: str) -> None:
    default = "There are currently 2 entries configured.\n=====\nDefault\n  Concurrency: 500\n  TLS: Off\n"
    text = f"{default}\n{block}\n"
    table = destination_controls.parse(text, GW)
    assert set(table) == {"default", "contoso.example"}
    entry = destination_controls.parse_block(table["contoso.example"], GW)
    entry["other"].pop("limitApply", None)  # «across all virtual gateways» is said of every entry there
    assert entry == RIGHT


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("Recipient limit: 200 recipients per 60 minutes", "recipientLimit", "200 recipients per 60 minutes"),
        ("Limits apply to: Each mail exchanger", "limitType", "Each mail exchanger"),
        ("Limit type: MXIP", "limitType", "MXIP"),
        ("Limits enforced: Per Virtual Gateway(tm)", "limitApply", "Per Virtual Gateway(tm)"),
        ("DANE: Mandatory", "dane", "Mandatory"),
        ("Bounce verification: Yes", "bounceVerification", "Yes"),
        ("Bounce profile: slow", "bounceProfile", "slow"),
        ("IP sort preference: IPv6 Required", "ipPreference", "IPv6 Required"),
        ("Something quite new: 7", "something quite new", "7"),
    ],
)
def test_what_is_not_default_is_other(line: str, key: str, value: str) -> None:
    assert destination_controls.parse_block([line], GW) == {"other": {key: value}}


@pytest.mark.parametrize(
    ("printed", "tls"),
    [("No", "None"), ("Required", "Required"), ("Preferred - Verify", "Preferred - Verify")],
)
def test_tls_words(printed: str, tls: str) -> None:
    assert destination_controls.parse_block([f"TLS: {printed}"], GW)["tls"] == tls


@pytest.mark.parametrize("line", ["TLS: Perhaps", "Concurrency: many", "utter nonsense"])
def test_a_control_that_is_not_understood_is_an_error(line: str) -> None:
    with pytest.raises(UnreadableError):
        destination_controls.parse_block([line], GW)


def test_a_table_that_does_not_start_with_a_domain_is_an_error() -> None:
    with pytest.raises(UnreadableError):
        destination_controls.parse("  TLS: Preferred\n", GW)


# --- recipient access ---------------------------------------------------------------------------------------


def test_recipients_printed_or_exported() -> None:
    head = "# a comment\nThere are currently 3 recipients.\n"
    text = f"{head}contoso.example ACCEPT\n.example.com accept # ours\nALL REJECT\n"
    assert recipient_access.parse(text, GW) == {
        "contoso.example": {"action": "Accept", "other": {}},
        ".example.com": {"action": "Accept", "other": {}},
        "all": {"action": "Reject", "other": {}},
    }


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("a.example ACCEPT bypass_receiving_control", {"bypass": "bypass_receiving_control"}),
        ("a.example ACCEPT (bypass receiving control)", {"bypass": "bypass receiving control"}),
        ('a.example ACCEPT "250 come in"', {"response": "250 come in"}),
        ("a.example\n    ACCEPT\n    250 come in", {"response": "250 come in"}),
        ("a.example ACCEPT bypass: no, response: none", {}),
    ],
)
def test_extras_of_a_recipient(line: str, other: dict[str, str]) -> None:
    assert recipient_access.parse(line, GW) == {"a.example": {"action": "Accept", "other": other}}


@pytest.mark.parametrize("line", ["a.example PERHAPS", "a.example", "!!"])
def test_a_recipient_that_is_not_understood_is_an_error(line: str) -> None:
    with pytest.raises(UnreadableError):
        recipient_access.parse(f"ALL REJECT\n{line}\n", GW)


# --- host access table --------------------------------------------------------------------------------------

PRINTED = """
Default Policy Parameters
==========================
Allow TLS Connections: No
Max. Number Of Concurrent Connections From A Single IP: 10

$BLOCKED
    REJECT {}
$RELAYED
    RELAY {
        tls = "Preferred"
        max_concurrency = 10
    }
$THROTTLED
    ACCEPT {
        tls = "off" }
RELAY_O365:
    .protection.outlook.com (From Microsoft 365 mail to Cisco Secure Email)
    $RELAYED (From Microsoft 365 mail to Cisco Secure Email)
WHITELIST:      $THROTTLED (friends)
    192.0.2.0/24, .friend.example
    SBRS[6.0:10.0]
spamdomain.com
    REJECT (a spammer)
ALL:
    $BLOCKED
"""


def test_a_host_access_table() -> None:
    table = hat.parse(PRINTED, GW)
    assert list(table.policies) == ["BLOCKED", "RELAYED", "THROTTLED"]
    assert table.policies["RELAYED"].parameters == {"tls": "Preferred", "max_concurrency": "10"}
    assert list(table.groups) == ["RELAY_O365", "WHITELIST", "spamdomain.com", "ALL"]
    assert table.defaults["allow tls connections"] == "No"
    assert sender_group.entry_of(table.groups["RELAY_O365"], 1) == {
        "policy": "RELAYED",
        "order": 1,
        "comment": "From Microsoft 365 mail to Cisco Secure Email",
        "senders": [
            {"host": ".protection.outlook.com", "comment": "From Microsoft 365 mail to Cisco Secure Email"}
        ],
        "other": {},
    }
    friends = sender_group.entry_of(table.groups["WHITELIST"], 2)
    assert [one["host"] for one in friends["senders"]] == [".friend.example", "192.0.2.0/24"]
    assert friends["other"] == {"SBRS[6.0:10.0]": "in use"}


def test_a_comment_that_a_narrow_terminal_wrapped() -> None:
    member = ".a.example (a comment\nover two lines with a hyphen-\nated word)"
    text = f"$RELAYED\n    RELAY\nG:\n    {member}\n    $RELAYED\nALL:\n    $RELAYED\n"
    assert hat.parse(text, GW).groups["G"].members == [
        (".a.example", "a comment over two lines with a hyphen-ated word")
    ]


@pytest.mark.parametrize(
    "line", ["    %%%", "???", "$RELAYED\n    RELAY {\n  what is this\n}", "G:\n  a b c d"]
)
def test_a_line_of_the_host_access_table_that_is_not_understood_is_an_error(line: str) -> None:
    with pytest.raises(UnreadableError):
        hat.parse(line, GW)


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        ('"Preferred"', {"tls": "Preferred"}),
        ('"off"', {"tls": "Off"}),
        ('"required"', {"tls": "Required"}),
        ('"default"', None),
    ],
)
def test_tls_of_a_policy(value: str, entry: dict[str, str] | None) -> None:
    table = hat.parse(
        f"$RELAYED\n    RELAY {{\n        tls = {value}\n        tls_mandatory_list = x\n    }}\n", GW
    )
    assert mail_flow_policy.entry_of(table, "RELAYED", GW) == entry


def test_tls_of_a_policy_that_uses_the_default() -> None:
    assert mail_flow_policy.entry_of(hat.parse("$RELAYED\n    RELAY\n", GW), "RELAYED", GW) is None


# --- listeners, ciphers -------------------------------------------------------------------------------------


def test_listeners() -> None:
    text = (
        "Currently configured listeners:\n"
        "1. InboundMail (on Data 1, 192.0.2.1) SMTP TCP Port 25 Public\n"
        "2. My Out (on PrivateNet, 192.0.2.2) SMTP TCP Port 25 Private\n"
    )
    assert listeners.parse(text) == {"InboundMail": "public", "My Out": "private"}


@pytest.mark.parametrize(
    "text",
    [
        "  Outbound SMTP method:  TLS v1.2\n  Outbound SMTP ciphers:  HIGH:MEDIUM:!aNULL\n",
        "Outbound SMTP Ciphers:\n    HIGH\n    MEDIUM\n    !aNULL\n\nOther settings:\n",
        "outbound smtp ciphers:\n  HIGH:\n  MEDIUM:\n  !aNULL\nGUI HTTPS method: tlsv1\n",
        "Outbound SMTP ciphers: HIGH:MEDI\nUM:!aNULL\n",
    ],
)
def test_outbound_ciphers_on_one_line_or_many(text: str) -> None:
    assert (
        outbound_tls.parse(f"GUI HTTPS ciphers: RC4\nInbound SMTP ciphers:\n  LOW\n{text}", GW)
        == "HIGH:MEDIUM:!aNULL"
    )


def test_settings_without_outbound_ciphers_are_an_error() -> None:
    with pytest.raises(UnreadableError):
        outbound_tls.parse("Inbound SMTP ciphers: HIGH\n", GW)
