"""The message filter language, and the `filters` command."""

from __future__ import annotations

import pytest

from lab.gateway.filter_check import parse
from lab.gateway.filter_language import FilterError, actions
from lab.gateway.filter_text import Layout, render
from lab.gateway.server import LabGateway
from tests.protocol import lab_gateway_kit as kit

LAYOUTS = [
    Layout(),
    Layout(aligned=True),
    Layout(brackets=False, inactive_mark=True),
    Layout(indent=2, quote="'", else_on_new_line=True),
]
GOOD = [
    "a: if true { drop(); }",
    "a!: if true { drop(); }",
    "_a-1: if (true) { drop(); bounce(); }",
    'a: if sendergroup == "^RELAY_O365$" { deliver(); }',
    "a: if (sendergroup == 'x' and not (mail-from == 'b' or rcpt-to != 'c')) { skip-filters(); }",
    'a: if header("X-Y") { strip-header("X-Y"); } else { insert-header("X-Y", "1"); }',
    'a: if subject == "s" { drop(); } else if body-size > 5M { bounce(); } else { no-op(); }',
    "a: if true { if valid { drop(); } else { if encrypted { bounce(); } } deliver(); }",
    'a: if remote-ip == 10.0.0.0/8 { alt-mailhost("relay.example"); }',
    "a: if (remote-ip == (10.1.1.1, 10.2.0.0/16)) { drop(); }",
    'a: if rcpt-count > 20 and random < 0.5 { bcc("a@b.example", "copy of $Subject"); }',
    'a: if body-contains("secret", 2) { quarantine("Policy"); notify("a@b.example"); }',
    "a: if attachment-filename == '\\\\.exe$' { drop-attachments-by-name(\"x\"); }",
    'a: if recv-listener == "IncomingMail" { alt-src-host("Data 2"); log-entry("x"); }',
    "a: if reputation < -7.5 { drop(); }",
    'a: if subject == "say \\"hello\\"" { drop(); }',
    "a: if subject == 'say \"hello\"' { drop(); }",
]
BAD = {
    "a: if true { drop() }": "near '}'",
    "a: if true { drop();": "",
    "a if true { drop(); }": "near 'if'",
    "a: true { drop(); }": "near 'true'",
    "a: if { drop(); }": "near '{'",
    "a: if unknown-rule { drop(); }": "unknown rule 'unknown-rule'",
    "a: if true { explode(); }": "unknown action 'explode'",
    "a: if true { strip-header(); }": "takes 1 argument, not 0",
    'a: if true { insert-header("X"); }': "takes 2 arguments, not 1",
    "a: if sendergroup { drop(); }": "needs something to compare with",
    'a: if true == "x" { drop(); }': "is not compared with anything",
    'a: if sendergroup == "(" { drop(); }': "not a valid regular expression",
    "a: if subject > 'x' { drop(); }": "compared with == or !=",
    "a: if subject == 5 { drop(); }": "must stand in quotes",
    'a: if subject == "x { drop(); }': "unexpected",
    "drop: if true { deliver(); }": "reserved word",
    "if: if true { deliver(); }": "",
    "1a: if true { deliver(); }": "near '1'",
}
release, running_gateway, gateway = kit.release, kit.running_gateway, kit.gateway


@pytest.mark.parametrize("text", GOOD)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_again_means_the_same(text: str, layout: Layout) -> None:
    one = parse(text)[0]
    again = parse("\n".join(render(one, layout)))[0]
    assert again.body == one.body
    assert render(again, layout) == render(one, layout) or not one.active


@pytest.mark.parametrize(("text", "reason"), BAD.items())
def test_a_bad_filter_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse(text)
    assert reason in str(refused.value)


def test_an_error_names_its_line() -> None:
    with pytest.raises(FilterError, match="line 3"):
        parse("a: if true {\n  drop();\n  ?\n}")


def test_comments_are_dropped() -> None:
    one = parse("# first\na: if true { # why\n  drop(); # so\n}")[0]
    assert [action.name for action in actions(one)] == ["drop"]
    assert "#" not in "\n".join(render(one, Layout()))


def test_a_script_can_hold_several_filters(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(
        ["filters new", "a: if true { no-op(); } b!: if true { no-op(); }", ".", "filters list"]
    )
    assert "2 filters added." in seen
    assert seen.splitlines()[-4:-1] == [
        "  1   Y      Y   partner_gate",
        "  2   Y      Y   a",
        "  3   N      Y   b",
    ]


def test_names_are_unique_and_a_bad_script_adds_nothing(gateway: LabGateway) -> None:
    for script, reason in [
        ("Partner_gate: if true { drop(); }", "there is a filter named 'Partner_gate' already"),
        ("a: if true { drop(); } a: if true { drop(); }", "there is a filter named 'a' already"),
        ("a: if true { drop(); } b: if nope { drop(); }", "unknown rule 'nope'"),
    ]:
        seen = gateway.type_by_hand(["filters new", script, ".", "showchanges"])
        assert f"Error: {reason}" in seen
        assert "0 filters added." in seen
        assert "There are no changes pending" in seen


def test_script_lines_have_no_prompt(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["filters", "new", "a: if true {", "  drop();", "}", ".", ""])
    assert "Enter '.' on its own line to end.\na: if true {\n  drop();\n}\n.\n1 filters added.\n" in seen


def test_filters_are_moved_set_and_deleted(gateway: LabGateway) -> None:
    names = "a: if true { no-op(); } b: if true { no-op(); } c: if true { no-op(); }"
    gateway.type_by_hand(
        [
            *["filters", "new", names, "."],
            *["move", "c", "1", "set", "a", "inactive", "move", "1-2", "last", ""],
            'commit "filters" Y',
        ]
    )
    assert [(one.name, one.active) for one in gateway.state.base.filters] == [
        ("a", False),
        ("b", True),
        ("c", True),
        ("partner_gate", True),
    ]
    seen = gateway.type_by_hand(
        ["filters delete 2-3", "filters set a active", "filters delete nope", 'commit "x" Y']
    )
    assert "2 filters deleted." in seen
    assert "There is no filter nope." in seen
    assert [(one.name, one.active) for one in gateway.state.base.filters] == [
        ("a", True),
        ("partner_gate", True),
    ]


def test_an_empty_table_offers_only_new_and_import(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["filters delete all", "filters", ""])
    menu = seen.split("Choose the operation you want to perform:\n")[1].split("[]>")[0]
    assert [line.split(" - ")[0] for line in menu.splitlines()] == ["- NEW", "- IMPORT"]


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        ('if recv-listener == "IncomingMail" { drop(); }', "listeners"),
        ('if true { alt-src-host("Data 2"); }', "interfaces"),
    ],
)
def test_a_filter_that_names_what_is_gone_is_not_valid(gateway: LabGateway, rule: str, gone: str) -> None:
    gateway.type_by_hand(["filters delete all", "filters new", f"x: {rule}", ".", 'commit "x" Y'])
    assert "  valid: yes" in gateway.dump()
    getattr(gateway.state.base, gone).clear()
    assert "  valid: no" in gateway.dump()


def test_detail_shows_the_row_and_the_text(gateway: LabGateway) -> None:
    gateway.type_by_hand(["filters new", "office: if true { drop(); }", ".", 'commit "x" Y'])
    lines = gateway.type_by_hand(["filters detail office"]).splitlines()
    start = lines.index("Num Active Valid Name")
    assert lines[start : start + 4] == [
        "Num Active Valid Name",
        "  2   Y      Y   office",
        "office: if (true) {",
        "            drop();",
    ]
