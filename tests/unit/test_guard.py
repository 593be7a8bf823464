"""The guard: what it refuses, what lets it pass, once, and what it never refuses."""

from __future__ import annotations

import copy
import re
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from components.safety import mail_flows
from components.settings import Settings
from dynamic_providers.dns.wire import LookUpFailed
from dynamic_providers.entries import Props
from dynamic_providers.mailflow.probe import Answer, Smtp
from dynamic_providers.safety import flowing
from dynamic_providers.safety.acknowledgements import Ledger, is_known
from dynamic_providers.safety.guard import USED, GuardProvider
from dynamic_providers.safety.replaced import REPLACED
from dynamic_providers.safety.sentinel import SentinelProvider
from tests.unit.settings_samples import ENVIRONMENT, sample

pytestmark = pytest.mark.usefixtures("said")

GUARD = GuardProvider()
TODAY = datetime.now(UTC).date()
TOMORROW = (TODAY + timedelta(days=1)).isoformat()
GATEWAY_MX, MICROSOFT_MX = "mx1.hc1234.iphmx.com", "contoso-example.mail.protection.outlook.com"
CONNECTOR = "Outbound to Cisco CES"
FACTS: Props = {
    "tenant": "contoso.onmicrosoft.com",
    "domains": {
        "contoso.example": {"mx": "gateway", "subdomains": True},
        "shop.example": {"mx": "leave", "subdomains": False},
    },
    "mxHosts": [GATEWAY_MX],
    "inboundAddresses": ["192.0.2.10"],
    "outboundAddresses": ["198.51.100.10"],
    "outbound": "all",
    "smartHosts": ["198.51.100.10"],
    "places": {**dict.fromkeys(REPLACED, "before"), "names.outboundConnector": CONNECTOR},
    "scopes": {
        "inboundRule": {"senderIpRanges": ["192.0.2.10", "198.51.100.10"]},
        "outboundRule": {"fromScope": ["InOrganization"], "exceptIfRecipientDomainIs": ["bank.example"]},
    },
    "acknowledged": [],
}


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What there is to look at: mail hosts of domains, addresses of hosts, rules, greetings."""
    seen = SimpleNamespace(mx={}, a={GATEWAY_MX: ["192.0.2.10"]}, rules=[], greetings={}, certificates={})

    def mail_hosts(_resolver: object, domain: str) -> set[str]:
        if isinstance(seen.mx.get(domain), LookUpFailed):
            raise seen.mx[domain]
        return set(seen.mx.get(domain, [MICROSOFT_MX]))

    def greet(_self: object, host: str, address: str) -> Answer:
        code, text = seen.greetings.get(address, (220, "ready"))
        return Answer(code, text, "greeting" if code else "connect", host, address)

    def secure(_self: object, host: str, address: str, _trusted: object) -> Answer:
        shown = seen.certificates.get(address, {"code": 554, "text": "no service", "stage": "greeting"})
        return Answer(
            **{"code": 220, "text": "go ahead", "stage": "STARTTLS", **shown}, host=host, address=address
        )

    monkeypatch.setattr(flowing, "named_by_any", mail_hosts)
    monkeypatch.setattr(flowing, "resolver", lambda: SimpleNamespace(ipv4=lambda host: seen.a.get(host, [])))
    monkeypatch.setattr(flowing, "exchange", lambda: SimpleNamespace(rows=lambda _kind: seen.rules))
    monkeypatch.setattr(Smtp, "greet", greet)
    monkeypatch.setattr(Smtp, "secure", secure)
    return seen


def facts(**changed: Any) -> Props:
    """The stack as it is, some of its facts changed; those of a domain, a place or a scope by its name."""
    found = copy.deepcopy(FACTS)
    for name, value in changed.items():
        found[name] = {**found[name], **value} if isinstance(value, dict) else value
        if isinstance(value, dict):
            found[name] = {key: one for key, one in found[name].items() if one is not None}
    return found


def known(**changed: Any) -> Props:
    """The same, as the state has it after a run."""
    return dict(GUARD.check({}, facts(**changed)).inputs)


def refused(olds: Props, news: Props) -> list[str]:
    return [one.reason for one in GUARD.check(olds, news).failures]


def acknowledging(olds: Props, **changed: Any) -> tuple[list[str], Props]:
    """The words that its refusal gives to let a plan pass; and its facts with these in the stack file."""
    line = refused(olds, facts(**changed))[-1]
    rows = re.findall(r'\{what: ([^,]+), until: "([^"]+)"\}', line)
    return [what for what, _ in rows], facts(
        **changed, acknowledged=[{"what": what, "until": until} for what, until in rows]
    )


# --- each line of the guard ---------------------------------------------------------------------------------

LINES: dict[str, tuple[Props, list[str], str]] = {
    "a domain whose MX is ours": (
        {"domains": {"contoso.example": None}},
        ["remove contoso.example"],
        r"you are removing contoso.example from the stack while .* leads to the gateway: .* with 550: ",
    ),
    "its subdomains": (
        {"domains": {"contoso.example": {"mx": "gateway", "subdomains": False}}},
        ["remove .contoso.example"],
        r"taking the subdomains of contoso.example out .* answer mail for its subdomains with 550",
    ),
    "the smart hosts": (
        {"smartHosts": [], "outbound": "none", "scopes": {"outboundRule": None}},
        ["remove outbound connector"],
        r"taking outbound.smartHosts away, .* \(outbound.state is all\): what Microsoft 365 still sends",
    ),
    **{
        f"another {setting}": (
            {"places": {setting: "after"}},
            [f"replace {setting}"],
            rf"{setting} changes from «before» to «after» while .* between {re.escape(replaced.harm)}. Set ",
        )
        for setting, replaced in REPLACED.items()
    },
    "an exception of rule k": (
        {"scopes": {"outboundRule": {"fromScope": ["InOrganization"]}}},
        ["clear outboundRule"],
        r"names.outboundRule loses part of its scope: it would act on «bank.example», too",
    ),
    "the condition of rule a": (
        {"scopes": {"inboundRule": {}}},
        ["clear inboundRule"],
        r"names.inboundRule loses .* without its condition senderIpRanges .*, so on everybody's mail",
    ),
    "a smart host without an address": (
        {"smartHosts": ["gone.example"]},
        ["smart host gone.example"],
        r"the smart host gone.example has no address, so Microsoft 365 could not deliver to it",
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_it_is_refused_and_the_words_that_it_gives_let_it_pass(name: str, said: list[str]) -> None:
    changed, words, reason = LINES[name]
    olds = known()
    given, acknowledged = acknowledging(olds, **changed)
    assert given == words
    assert any(re.search(reason, line) for line in refused(olds, facts(**changed)))
    assert refused(olds, acknowledged) == []
    assert [line for line in said if line.startswith("acknowledged, this once: ")]
    assert all(is_known(one) for one in given)


def test_nothing_is_refused_at_first_contact_or_where_nothing_changes() -> None:
    assert refused({}, facts()) == []
    assert refused(known(), facts()) == []


BACK: Props = {
    "outbound": "none",
    "scopes": {"outboundRule": None},
    "domains": {"contoso.example": {"mx": "microsoft", "subdomains": True}},
}


def test_the_way_back_is_never_refused_and_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("named_by_any", "resolver", "exchange"):
        monkeypatch.setattr(flowing, name, None)
    assert refused(known(), facts(**BACK)) == []
    many = {f"d{number}.example": {"mx": "gateway", "subdomains": False} for number in range(20)}
    back = {name: {**fact, "mx": "microsoft"} for name, fact in many.items()}
    assert refused(known(domains=many), facts(domains=back)) == []


# --- where no mail flows ------------------------------------------------------------------------------------

NO_MAIL: Props = {
    "outbound": "none",
    "scopes": {"outboundRule": None},
    "domains": {"contoso.example": {"mx": "microsoft", "subdomains": True}},
}


@pytest.mark.parametrize("setting", REPLACED)
def test_without_mail_anything_may_be_made_anew(setting: str) -> None:
    assert refused(known(**NO_MAIL), facts(**NO_MAIL, places={setting: "after"})) == []


def test_without_mail_domains_and_connector_may_go() -> None:
    gone = {
        **NO_MAIL,
        "domains": {"contoso.example": None, "shop.example": {"mx": "leave"}},
        "smartHosts": [],
    }
    assert refused(known(**NO_MAIL), facts(**gone)) == []


def test_each_direction_holds_only_what_it_needs() -> None:
    inbound_only = {**NO_MAIL, "domains": {"contoso.example": {"mx": "gateway"}}}
    for setting, replaced in REPLACED.items():
        lines = refused(known(**inbound_only), facts(**inbound_only, places={setting: "after"}))
        assert bool(lines) == replaced.inbound


@pytest.mark.parametrize("where", [{"mx": [GATEWAY_MX]}, {"mx": ["mail.example"], "a": ["192.0.2.10"]}])
def test_an_mx_that_somebody_else_set_is_seen_by_name_or_address(
    world: SimpleNamespace, where: dict[str, Any]
) -> None:
    world.mx["shop.example"] = where["mx"]
    world.a["mail.example"] = where.get("a", [])
    lines = refused(known(), facts(domains={"shop.example": None}))
    assert f"the MX of shop.example leads to the gateway ({where['mx'][0]})" in lines[0]


def test_a_domain_of_which_nobody_knows_where_its_mail_goes_stays(world: SimpleNamespace) -> None:
    world.mx["shop.example"] = LookUpFailed("no answer within 3 s", where="MX of shop.example")
    [line, _] = refused(known(), facts(domains={"shop.example": None}))
    assert (
        "nobody can say where mail for shop.example goes (MX of shop.example: no answer within 3 s)" in line
    )


def test_a_rule_that_still_routes_is_seen(world: SimpleNamespace) -> None:
    quiet = known(**NO_MAIL)
    gone = facts(**{**NO_MAIL, "smartHosts": []})
    rule = {"Name": "By hand", "State": "Enabled", "RouteMessageOutboundConnector": CONNECTOR.upper()}
    world.rules = [{**rule, "State": "Disabled"}, {**rule, "RouteMessageOutboundConnector": "Other"}]
    assert refused(quiet, gone) == []
    world.rules.append(rule)
    assert f"the transport rule «By hand» still routes mail by «{CONNECTOR}»" in refused(quiet, gone)[0]


# --- scopes -------------------------------------------------------------------------------------------------


def test_from_a_pilot_to_all_is_asked_for_by_its_own_setting() -> None:
    scope = {"fromScope": ["InOrganization"], "exceptIfRecipientDomainIs": ["bank.example"]}
    pilot = known(outbound="pilot", scopes={"outboundRule": {**scope, "fromMemberOf": ["pilot@c.example"]}})
    assert refused(pilot, facts(outbound="all", scopes={"outboundRule": scope})) == []
    lines = refused(pilot, facts(outbound="pilot", scopes={"outboundRule": scope}))
    assert "without its condition fromMemberOf («pilot@c.example»), so on everybody's mail" in lines[0]


def test_a_scope_may_narrow_and_its_values_may_change() -> None:
    more = {"fromScope": ["InOrganization"], "exceptIfRecipientDomainIs": ["bank.example", "x.example"]}
    assert refused(known(), facts(scopes={"outboundRule": more})) == []
    assert refused(known(), facts(scopes={"inboundRule": {"senderIpRanges": ["192.0.2.99"]}})) == []


# --- many domains -------------------------------------------------------------------------------------------


def ten(mx: str, count: int = 10) -> Props:
    return {f"d{number}.example": {"mx": mx, "subdomains": False} for number in range(count)}


def test_three_of_ten_pass_and_four_do_not() -> None:
    olds = {**known(), "domains": ten("leave")}
    assert refused(olds, {**facts(), "domains": {**ten("leave"), **ten("gateway", 3)}}) == []
    lines = refused(olds, {**facts(), "domains": {**ten("leave"), **ten("gateway", 4)}})
    assert "4 of 10 domains would be removed or get another mx in one run (d0.example, d1.example" in lines[0]
    assert "{what: change 4 of 10 domains, " in lines[-1]
    assert refused(olds, {**facts(), "domains": dict(list(ten("leave").items())[:6])})[0] == lines[0].replace(
        "d0.example, d1.example, d2.example, d3.example", "d6.example, d7.example, d8.example, d9.example"
    )


def test_all_of_nine_pass() -> None:
    olds = {**known(), "domains": ten("leave", 9)}
    assert refused(olds, {**facts(), "domains": ten("gateway", 9)}) == []


# --- smart hosts --------------------------------------------------------------------------------------------


def test_a_smart_host_that_answers_5xx_is_refused_and_an_own_one_is_not_asked(world: SimpleNamespace) -> None:
    world.greetings = dict.fromkeys(["203.0.113.7", "198.51.100.10"], (554, "no service"))
    olds = known(smartHosts=["198.51.100.11"])
    assert refused(olds, facts(smartHosts=["198.51.100.10"])) == []
    [line, _] = refused(olds, facts(smartHosts=["203.0.113.7"]))
    assert "the smart host 203.0.113.7 answers «554 no service (at greeting)»" in line
    assert refused(olds, facts(smartHosts=["203.0.113.7"], outbound="none")) == []


@pytest.mark.parametrize("answer", [(0, "no connection within 10 s"), (421, "too busy")])
def test_one_that_does_not_answer_is_only_warned_of(
    world: SimpleNamespace, said: list[str], answer: tuple[int, str]
) -> None:
    world.greetings = {"203.0.113.7": answer}
    assert refused(known(), facts(smartHosts=["203.0.113.7"])) == []
    assert any("could not be seen from here" in line and answer[1] in line for line in said)


def certified(*names: str) -> bytes:
    """A certificate (DER) for these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
    )
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    ("wanted", "names", "line"),
    [
        ("esa.contoso.example", ["mx.contoso.example", "esa.contoso.example"], ""),
        ("*.contoso.example", ["esa.contoso.example"], ""),
        ("esa.contoso.example", ["*.contoso.example"], ""),
        ("", ["anything.example"], ""),
        ("esa.contoso.example", ["mx.contoso.example"], "for «mx.contoso.example», not for esa.contoso.exa"),
        (
            "*.contoso.example",
            ["contoso.example.net"],
            "for «contoso.example.net», not for *.contoso.example",
        ),
        (
            "a.b.contoso.example",
            ["*.contoso.example"],
            "for «*.contoso.example», not for a.b.contoso.example",
        ),
    ],
)
def test_a_smart_host_shows_a_certificate_of_the_name_that_counts(
    world: SimpleNamespace, wanted: str, names: list[str], line: str
) -> None:
    world.certificates["198.51.100.10"] = {"certificate": certified(*names)}
    found = refused(known(), facts(tls="DomainValidation", tlsDomain=wanted or None))
    assert bool(found) == bool(line), found
    assert not line or line in found[0]


def test_one_that_nobody_vouches_for_is_refused_whatever_its_name(world: SimpleNamespace) -> None:
    world.certificates["198.51.100.10"] = {"untrusted": True, "text": "self-signed certificate"}
    changed = {"tls": "CertificateValidation"}
    [line, _] = refused(known(), facts(**changed))
    assert "no public authority vouches for (self-signed certificate): Microsoft 365 would not deliv" in line
    words, news = acknowledging(known(), **changed)
    assert words == ["smart host 198.51.100.10"]
    assert refused(known(), news) == []
    assert refused(known(**changed), facts(**changed)) == []  # it counts already: nothing begins
    assert refused(known(), facts(**changed, outbound="none")) == []
    assert refused(known(), facts()) == []  # encryption alone asks for no certificate


@pytest.mark.parametrize("stage", ["greeting", "EHLO", "STARTTLS"])
def test_a_certificate_that_is_not_shown_here_is_only_warned_of(
    world: SimpleNamespace, said: list[str], stage: str
) -> None:
    world.certificates["198.51.100.10"] = {"stage": stage}
    assert refused(known(), facts(tls="CertificateValidation")) == []
    assert any("its certificate could not be seen from here" in line for line in said)


# --- acknowledgements ---------------------------------------------------------------------------------------

GONE: Props = {"domains": {"contoso.example": None, "shop.example": {"mx": "leave", "subdomains": False}}}


def test_an_acknowledgement_counts_to_its_day_and_not_after() -> None:
    for day, passes in ((TODAY, True), (TODAY - timedelta(days=1), False)):
        rows = [{"what": what, "until": day.isoformat()} for what in acknowledging(known(), **GONE)[0]]
        lines = refused(known(), facts(**GONE, acknowledged=rows))
        assert (lines == []) == passes
        assert passes or f"Note that your acknowledgement ended on {day}" in lines[0]


def test_it_is_used_up_by_the_run_that_it_allows() -> None:
    _, acknowledged = acknowledging(known(), **GONE)
    after = dict(GUARD.check(known(), acknowledged).inputs)
    assert after[USED] == [{"what": "remove contoso.example", "until": TOMORROW, "on": TODAY.isoformat()}]
    assert refused(after, acknowledged) == []  # the run again, with the line still in the stack file
    back = dict(GUARD.check(after, facts(acknowledged=acknowledged["acknowledged"])).inputs)
    lines = refused(back, acknowledged)
    assert f"Note that your acknowledgement until {TOMORROW} was used up on {TODAY}" in lines[0]
    assert f'{{what: remove contoso.example, until: "{TODAY + timedelta(days=2)}"}}' in lines[-1]
    assert TOMORROW not in lines[-1]
    assert refused(back, acknowledging(back, **GONE)[1]) == []


def test_it_allows_no_other_removal() -> None:
    _, acknowledged = acknowledging(known(), **GONE)
    both = {**acknowledged, "domains": {"other.example": {"mx": "leave", "subdomains": False}}}
    olds = known(domains={"shop.example": {"mx": "gateway", "subdomains": False}})
    assert [line for line in refused(olds, both) if "removing shop.example" in line]


def test_what_else_is_acknowledged_stays_in_the_line() -> None:
    spf = {"what": "spf shop.example", "until": "2999-12-31"}
    line = refused(known(), facts(**GONE, acknowledged=[spf]))[-1]
    assert "put into the stack file: m365-secure-email:acknowledge: [{what: spf shop.example, until: " in line


def test_what_is_used_up_is_forgotten_when_its_day_has_passed() -> None:
    used = [{"what": "remove a.example", "until": "2026-01-01", "on": "2025-12-30"}]
    assert Ledger([], used, date(2026, 1, 1)).after([]) == used
    assert Ledger([], used, date(2026, 1, 2)).after([]) == []


@pytest.mark.parametrize(
    "what",
    ["remove", "remove nothing", "replace names.nothing", "change many of 12 domains", "smart host a b"],
)
def test_words_that_it_never_gives_are_unknown(what: str) -> None:
    assert not is_known(what)


# --- the shape ----------------------------------------------------------------------------------------------


def test_acknowledgements_alone_are_no_difference_and_nothing_replaces() -> None:
    state = GUARD.create(known()).outs or {}
    more = known(acknowledged=[{"what": "remove a.example", "until": "2999-12-31"}])
    assert not GUARD.diff("", state, more).changes
    other = GUARD.diff("", state, known(tenant="fabrikam.onmicrosoft.com"))
    assert other.changes
    assert not other.replaces
    read = GUARD.read("guard", state)
    assert read.inputs == state


def test_the_sentinel_never_changes() -> None:
    sentinel = SentinelProvider()
    made = sentinel.create(sentinel.check({}, {}).inputs)
    assert not sentinel.diff(made.id or "", made.outs or {}, {}).changes
    assert made.id


@pytest.mark.parametrize(
    ("mx", "state", "flows"),
    [
        ("leave", "none", False),
        ("microsoft", "none", False),
        ("gateway", "none", True),
        ("leave", "all", True),
    ],
)
def test_mail_flows_while_one_way_leads_over_the_gateway(mx: str, state: str, flows: bool) -> None:  # noqa: FBT001
    given = sample("bce-demo-lab")
    given["domains"]["bce-demo.com"]["mx"] = mx
    given["outbound"]["state"] = state
    given["checks"] = {"mailbox": "probe@bce-demo.com", "outside": "probe@probe.example"}
    assert mail_flows(Settings.from_config(given, ENVIRONMENT)) == flows
