"""The outbound filter's text: ours recognised in whatever form, everything else left alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamic_providers.gateway import filter_text, outbound_filter
from dynamic_providers.gateway.filter_text import Ours, ends_processing, recognise, render
from dynamic_providers.gateway.tables import UnreadableError

NAME, GROUP, HEADER = "office365_outbound", "RELAY_O365", "X-OUTBOUND-AUTH"
PLACE = {"gateway": "g", "name": NAME, "group": GROUP, "header": HEADER}
RIGHT = Ours(GROUP, anchored=True, header=HEADER, values=("mysecretkey",), active=True)


def text(*values: str) -> str:
    return "\n".join(render(NAME, GROUP, HEADER, values))


def test_what_we_write() -> None:
    assert text("mysecretkey").split("\n") == [
        'office365_outbound: if (sendergroup == "^RELAY_O365$") {',
        '  if (header("X-OUTBOUND-AUTH") == "^mysecretkey$") {',
        '    strip-header("X-OUTBOUND-AUTH");',
        "  } else {",
        "    drop();",
        "  }",
        "}",
    ]
    assert '== "^(a|b)$"' in text("a", "b")


def test_what_we_write_where_mail_is_to_be_quarantined() -> None:
    lines = render(NAME, GROUP, HEADER, ("mysecretkey",), "quarantine")
    assert lines[3:] == ("  } else {", '    quarantine("Policy");', "    skip-filters();", "  }", "}")
    assert recognise("\n".join(lines)) == replace(RIGHT, otherwise="quarantine")


@given(
    st.lists(st.from_regex(r"[A-Za-z0-9]{8,40}", fullmatch=True), min_size=1, max_size=4, unique=True),
    st.sampled_from(["\n", " ", "\n\n    ", "\r\n\t"]),
    st.sampled_from(['"', "'"]),
)
def test_what_we_write_is_recognised_whatever_the_blanks_and_quotes(
    values: list[str], blank: str, quote: str
) -> None:
    rendered = text(*values).replace("\n", blank).replace("} else", "}\nelse")
    rendered = rendered.replace('"', quote)
    assert recognise(rendered) == Ours(GROUP, anchored=True, header=HEADER, values=tuple(values), active=True)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('(sendergroup == "^RELAY_O365$")', 'sendergroup == "^RELAY_O365$"', RIGHT),
        ('(sendergroup == "^RELAY_O365$")', '((sendergroup == "^RELAY_O365$"))', RIGHT),
        ("drop();", "drop;", RIGHT),
        (
            "^RELAY_O365$",
            "RELAY_O365",
            Ours(GROUP, anchored=False, header=HEADER, values=("mysecretkey",), active=True),
        ),
        (
            "RELAY_O365",
            "RELAYLIST",
            Ours("RELAYLIST", anchored=True, header=HEADER, values=("mysecretkey",), active=True),
        ),
        (
            "outbound:",
            "outbound!:",
            Ours(GROUP, anchored=True, header=HEADER, values=("mysecretkey",), active=False),
        ),
        (
            "^mysecretkey$",
            "^(?:mysecretkey|two)$",
            Ours(GROUP, anchored=True, header=HEADER, values=("mysecretkey", "two"), active=True),
        ),
        ("  if", "  # a comment\n  if", RIGHT),
        ("strip-header", "strip-\nheader", RIGHT),
        ("mysecretkey", "mysec\nretkey", RIGHT),
        ("drop();", 'quarantine("Policy"); skip-filters();', replace(RIGHT, otherwise="quarantine")),
        ("drop();", "quarantine('Policy')\n skip-filters", replace(RIGHT, otherwise="quarantine")),
    ],
)
def test_nearly_ours(old: str, new: str, expected: Ours) -> None:
    assert recognise(text("mysecretkey").replace(old, new, 1)) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("drop();", "bounce();"),
        ("drop();", 'quarantine("Policy");'),
        ("drop();", 'quarantine("Policy"); deliver();'),
        ("drop();", 'quarantine("Other"); skip-filters();'),
        ("drop();", 'quarantine("Policy"); drop();'),
        ("drop();", "log-entry('x'); drop();"),
        ('strip-header("X-OUTBOUND-AUTH");', ""),
        ('strip-header("X-OUTBOUND-AUTH")', 'strip-header("X-OTHER")'),
        ("^mysecretkey$", "mysecretkey"),
        ("^mysecretkey$", "^my.*$|x"),
        ("==", "!="),
        ('(sendergroup == "^RELAY_O365$")', '(sendergroup == "^RELAY_O365$" and true)'),
        ("} else {", "}"),
    ],
)
def test_not_ours(old: str, new: str) -> None:
    changed = text("mysecretkey").replace(old, new, 1)
    assert changed != text("mysecretkey")
    assert recognise(changed) is None


@given(st.text(max_size=200))
def test_garbage_is_not_ours_and_does_no_harm(garbage: str) -> None:
    assert recognise(garbage) is None
    assert isinstance(ends_processing(garbage), bool)


@pytest.mark.parametrize(
    ("action", "ends"),
    [
        ("drop();", True),
        ("skip-filters();", True),
        ("bounce();", True),
        ("deliver();", True),
        ('log-entry("drop");', False),
    ],
)
def test_final_actions(action: str, *, ends: bool) -> None:
    assert ends_processing(f"a: if (true) {{ {action} }}") is ends


LISTED = """
Num Active Valid Name
  1   Y      Y   partner_gate
partner_gate: if (recv-listener == "IncomingMail") {
    log-entry("x");
}
2    Y       N     office365_outbound
"""


def test_a_list_with_texts() -> None:
    found = outbound_filter.parse(LISTED + text("mysecretkey"), "gw")
    assert [(one.number, one.active, one.valid, one.name) for one in found] == [
        (1, True, True, "partner_gate"),
        (2, True, False, NAME),
    ]
    assert outbound_filter.faults(found, PLACE) == {"valid": "no"}


def test_faults_are_named() -> None:
    above = "1 Y Y closes_early\ncloses_early: if (true) {\n skip-filters();\n}\n"
    mine = f"2 N Y {NAME}\n" + text("mysecretkey").replace("^RELAY_O365$", "RELAYLIST").replace(
        "X-OUT", "X-IN"
    )
    found = outbound_filter.faults(outbound_filter.parse(above + mine, "gw"), PLACE)
    assert found == {
        "group test": "RELAYLIST",
        "header test": "X-INBOUND-AUTH",
        "active": "no",
        "filters above that end processing": "closes_early",
    }


@pytest.mark.parametrize(
    "printed", ["what is this?\n", "1 Y Y lonely\n", "1 Y Y one\ntwo: if (true) { drop(); }\n"]
)
def test_a_list_that_is_not_understood_is_an_error(printed: str) -> None:
    with pytest.raises(UnreadableError):
        outbound_filter.parse(printed, "gw")


def test_no_filters() -> None:
    assert outbound_filter.parse("\n", "gw") == []
    assert filter_text.recognise("") is None
