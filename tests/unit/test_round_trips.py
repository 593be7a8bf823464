"""What is written reads back, in every release's words: rendered by the lab, which shares no code with us.

Tables of the gateway, filters and ciphers in all release profiles, wide and wrapped; Exchange's rows in all
their renderings; DNS records; a stack's settings.
"""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any

import dns.rdata
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.settings import Settings
from dynamic_providers.dns import spf_record
from dynamic_providers.dns.resolver import record_text
from dynamic_providers.exchange import forms
from dynamic_providers.gateway import (
    destination_controls,
    filter_text,
    hat,
    listeners,
    outbound_filter,
    outbound_tls,
    recipient_access,
    sender_group,
    smtp_routes,
)
from dynamic_providers.gateway.filter_text import Ours
from lab.gateway import filter_language
from lab.gateway import filter_text as lab_filter_text
from lab.gateway.commands import destconfig, hat_format, smtproutes
from lab.gateway.profile import Profile, load_profile, profile_names
from lab.gateway.state import Destination, Listener, Policy, Sender, SenderGroup, Target
from lab.tenant.rendering import row_as_sent
from lab.tenant.switches import Rendering
from tests.unit.hostile_matrix import FULL, NO_SECRETS

GW = "esa1.example.com"
FEW = settings(max_examples=40)
PROFILES = st.sampled_from([load_profile(name) for name in profile_names()])
WIDTHS = st.sampled_from([0, 80])
LABEL = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
DOMAINS = st.lists(LABEL, min_size=2, max_size=3).map(".".join)
COMMENTS = (
    st.text("abcDEF 0129.,:/()@#&-", max_size=50)
    .map(lambda text: " ".join(text.split()))
    .filter(lambda text: not re.search(r"\),.*\(", text))  # as if there were two, in a release's one line
)
NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,10}", fullmatch=True)
VALUES = st.from_regex(r"[A-Za-z0-9]{8,40}", fullmatch=True)


def shown(lines: list[str], width: int) -> str:
    """As a terminal of that width has them; 0: wide enough."""
    if width:
        lines = [
            part for line in lines for part in textwrap.wrap(line, width, break_on_hyphens=False) or [""]
        ]
    return "\n".join(["", *lines, ""])


# --- tables of the gateway ----------------------------------------------------------------------------------

TARGETS = st.lists(
    st.builds(Target, DOMAINS, st.integers(0, 65535), st.integers(1, 65535)), min_size=1, max_size=4
)


@FEW
@given(
    profile=PROFILES,
    routes=st.dictionaries(DOMAINS, TARGETS, min_size=1, max_size=4),
    width=WIDTHS,
    zero=st.booleans(),
)
def test_smtp_routes(profile: Profile, routes: dict[str, list[Target]], width: int, *, zero: bool) -> None:
    form = profile.setting("formats.smtproutes")
    rows = [
        form["line"].format(domain=domain, hosts=smtproutes.render_targets(targets, zero=zero))
        for domain, targets in routes.items()
    ]
    table = smtp_routes.parse(shown([*form["heading"], *rows], width), GW)
    assert {domain: smtp_routes.parse_hosts(text, GW) for domain, text in table.items()} == {
        domain: sorted(map(_host, targets), key=lambda one: (one["priority"], one["host"], one["port"]))
        for domain, targets in routes.items()
    }


def _host(target: Target) -> dict[str, Any]:
    return {"host": target.host, "priority": target.priority, "port": target.port}


@FEW
@given(TARGETS)
def test_hosts_as_we_type_them_are_what_the_gateway_reads(targets: list[Target]) -> None:
    typed = ", ".join(smtp_routes.render_host(_host(one)) for one in targets)
    assert smtproutes.parse_targets(typed) == targets


TLS = {
    None: None,
    "none": "None",
    "preferred": "Preferred",
    "required": "Required",
    "preferred-verify": "Preferred - Verify",
    "required-verify": "Required - Verify",
}
LIMITS = st.none() | st.integers(1, 1000)
OTHERS: dict[str, Any] = {
    "limit_type": st.sampled_from(["host", "mxip"]),
    "limit_apply": st.sampled_from(["system", "vg"]),
    "bounce_validation": st.sampled_from([None, "yes", "no"]),
    "bounce_profile": st.sampled_from([None, "slow"]),
    "ip_sort_pref": st.sampled_from([None, "PREFER_V6"]),
}


@FEW
@given(PROFILES, st.lists(DOMAINS, min_size=1, max_size=3, unique=True), WIDTHS, st.data())
def test_destination_controls(profile: Profile, domains: list[str], width: int, data: st.DataObject) -> None:
    form = profile.setting("formats.destconfig")
    asked = " ".join(form["detail"])
    usual = {**dict.fromkeys(OTHERS), "limit_type": "host", "limit_apply": "system"}
    lines, expected = [], {}
    for domain in domains:
        tls = data.draw(st.sampled_from(list(TLS)))
        connections, messages = data.draw(LIMITS), data.draw(LIMITS)
        other = data.draw(st.just({}) | st.fixed_dictionaries(OTHERS))
        entry = Destination(domain, connections, messages, table_tls=tls, **other)
        lines += ["", *(line.format(**destconfig._words(entry, form)) for line in form["detail"])]
        plain = all(
            usual[name] == said
            for name, said in other.items()
            if f"{{{name.removesuffix('_pref')}}}" in asked
        )
        expected[domain] = (connections, messages, TLS[tls], plain)
    table = destination_controls.parse(shown(lines, width), GW)
    read = {domain: destination_controls.parse_block(block, GW) for domain, block in table.items()}
    assert {
        domain: (
            one.get("connections"),
            one.get("messagesPerConnection") if "{messages}" in asked else expected[domain][1],
            one.get("tls"),
            not one["other"],
        )
        for domain, one in read.items()
    } == expected


@FEW
@given(
    PROFILES,
    st.dictionaries(
        DOMAINS | DOMAINS.map(".{}".format),
        st.tuples(st.sampled_from(["ACCEPT", "REJECT"]), st.booleans(), st.sampled_from(["", "550 no such"])),
        min_size=1,
        max_size=4,
    ),
)
def test_recipient_access(profile: Profile, recipients: dict[str, tuple[str, bool, str]]) -> None:
    form = profile.setting("formats.rcptaccess")
    lines = list(form["heading"])
    for address, (action, bypass, response) in recipients.items():
        extras = [form["response"].format(response=response)] if response else []
        extras += [form["bypass"]] if bypass else []
        lines.append(" ".join([form["line"].format(address=address, action=action), *extras]))
    read = recipient_access.parse(shown(lines, 0), GW)
    assert {
        address: (one["action"].upper(), "bypass" in one["other"], one["other"].get("response", ""))
        for address, one in read.items()
    } == recipients


MEMBERS = st.builds(Sender, DOMAINS.map(".{}".format) | st.ip_addresses(v=4).map(str), COMMENTS)
GROUPS = st.lists(
    st.builds(
        SenderGroup,
        NAMES.filter(lambda name: name != "ALL"),
        st.sampled_from(["$RELAYED", "$THROTTLED", "REJECT", "TCPREFUSE"]),
        st.lists(MEMBERS, max_size=3),
        COMMENTS,
    ),
    max_size=4,
    unique_by=lambda group: group.name,
)


@settings(max_examples=80)
@given(PROFILES, GROUPS, st.sampled_from(["Preferred", "off", "required", None]), WIDTHS)
def test_host_access(profile: Profile, groups: list[SenderGroup], tls: str | None, width: int) -> None:
    parameters = {"max_concurrency": "10"} | ({"tls": tls} if tls else {})
    policies = {
        "RELAYED": Policy("RELAYED", "RELAY", parameters),
        "THROTTLED": Policy("THROTTLED", "ACCEPT", {"max_msgs_per_session": "5"}),
    }
    listener = Listener("Out", "private", "Data 2", groups=groups, policies=policies)
    lines = hat_format.render_hat(listener, profile.setting("formats.hostaccess"))
    read = hat.parse(shown(lines, width), GW)
    assert read.policies["RELAYED"].parameters == parameters
    assert {
        name: (one.behaviour, one.comment, one.members) for name, one in read.groups.items() if name != "ALL"
    } == {
        one.name: (one.behaviour, one.comment, [(member.address, member.comment) for member in one.members])
        for one in groups
    }
    assert [sender_group.entry_of(read.groups[one.name], 1)["senders"] for one in groups] == [
        sorted(
            (
                {"host": member.address, **({"comment": member.comment} if member.comment else {})}
                for member in one.members
            ),
            key=lambda sender: sender["host"],
        )
        for one in groups
    ]


@FEW
@given(st.dictionaries(NAMES, st.sampled_from(["Public", "Private"]), min_size=1, max_size=4))
def test_listeners(known: dict[str, str]) -> None:
    lines = [
        f"{number}. {name} (on Data {number}, 192.0.2.{number}) SMTP TCP Port 25 {kind}"
        for number, (name, kind) in enumerate(known.items(), 1)
    ]
    assert listeners.parse("\n".join(lines)) == {name: kind.lower() for name, kind in known.items()}


# --- filters and ciphers ------------------------------------------------------------------------------------

HEADER = "X-OUTBOUND-AUTH"


@FEW
@given(
    profile=PROFILES,
    group=NAMES,
    values=st.lists(VALUES, min_size=1, max_size=3, unique=True),
    width=WIDTHS,
    active=st.booleans(),
)
def test_message_filters(
    profile: Profile, group: str, values: list[str], width: int, *, active: bool
) -> None:
    """What we write is taken by the gateway, and what it prints of that is ours again."""
    form = profile.setting("formats.filters")
    layout = lab_filter_text.Layout(**form["layout"])
    written = "\n".join(filter_text.render("office365_outbound", group, HEADER, tuple(values)))
    [taken] = filter_language.read(written)
    one = filter_language.Filter(taken.name, active, taken.body)
    row = form["line"].format(
        number=1, active=form["yes"] if active else form["no"], valid=form["yes"], name=one.name
    )
    lines = ["", form["heading"], row, *lab_filter_text.render(one, layout)]
    [read] = outbound_filter.parse(shown(lines, width if not layout.aligned else 0), GW)
    assert (read.name, read.active, read.valid) == (one.name, active, True)
    ours = filter_text.recognise(read.text)
    unmarked = Ours(group, anchored=True, header=HEADER, values=tuple(values), active=True)
    assert ours in (unmarked, Ours(group, anchored=True, header=HEADER, values=tuple(values), active=active))
    again = outbound_filter._to_write_back(read)
    assert [one] == filter_language.read(again)


@FEW
@given(PROFILES, st.lists(st.text("abc.,:(){}|'", min_size=1, max_size=100), max_size=30).map(" ".join))
def test_what_others_filters_say_can_be_entered_again(profile: Profile, said: str) -> None:
    """From a narrow terminal, too, which breaks their strings."""
    layout = lab_filter_text.Layout(**profile.setting("formats.filters.layout"))
    [one] = filter_language.read(f'theirs: if (true) {{ log-entry("{said}"); }}')
    lines = ["  1   Y     Y    theirs", *lab_filter_text.render(one, layout)]
    [read] = outbound_filter.parse(shown(lines, 80), GW)
    [again] = filter_language.read(outbound_filter._to_write_back(read))
    [call] = filter_language.actions(again)
    assert call.arguments[0].text.split() == said.split()


@FEW
@given(
    PROFILES,
    st.lists(st.sampled_from(["HIGH", "MEDIUM", "@STRENGTH", "!aNULL", "-SSLv2", "kEDH+AES"]), min_size=1),
)
def test_ciphers(profile: Profile, parts: list[str]) -> None:
    form = profile.setting("formats.sslconfig")
    lines = list(form["heading"])
    for service, words in form["services"].items():
        label = form["ciphers"].format(service=words)
        cipher = parts if service == "outbound" else ["RC4", "LOW"]
        lines.append(form["method"].format(service=words, method="TLS v1.2"))
        indent = " " * form["part_indent"]
        lines += (
            [label, *(indent + part for part in cipher)]
            if form["one_part_a_line"]
            else [f"{label}  {':'.join(cipher)}"]
        )
    assert outbound_tls.parse(shown(lines, 0), GW) == ":".join(parts)


# --- Exchange -----------------------------------------------------------------------------------------------

RENDERINGS = st.builds(
    Rendering,
    list_order=st.sampled_from(["as given", "reversed", "sorted"]),
    letter_case=st.sampled_from(["as given", "upper", "lower"]),
    unset_list=st.sampled_from(["facts", "null", "empty", "blank"]),
    unset_text=st.sampled_from(["facts", "null", "blank"]),
    unset_flag=st.sampled_from(["facts", "null"]),
    sender_domain=st.sampled_from(["smtp", "bare"]),
    smart_host_brackets=st.booleans(),
    address_mask=st.booleans(),
    scl=st.sampled_from(["text", "number"]),
)
ADDRESSES = st.lists(st.ip_addresses(v=4).map(str), max_size=4, unique=True)
FORMS: dict[str, tuple[forms.Form, st.SearchStrategy[Any]]] = {
    "SenderIPAddresses": (forms.addresses, ADDRESSES),
    "SenderIpRanges": (forms.addresses, ADDRESSES),
    "SmartHosts": (forms.hosts, st.lists(DOMAINS | st.ip_addresses(v=4).map(str), max_size=3, unique=True)),
    "SenderDomains": (
        forms.sender_domains,
        st.lists(DOMAINS.map("smtp:{};1".format), max_size=3, unique=True),
    ),
    "ExceptIfRecipientDomainIs": (forms.words, st.lists(DOMAINS, max_size=3, unique=True)),
    "SetSCL": (forms.number, st.none() | st.integers(-1, 9)),
    "Mode": (forms.word("Enforce", "Audit"), st.sampled_from([None, "Enforce", "Audit", "Unheard of"])),
    "SetHeaderName": (forms.text, st.none() | NAMES),
    "RequireTls": (forms.flag, st.booleans()),
}


@pytest.mark.parametrize("name", FORMS)
@given(rendering=RENDERINGS, nulls=st.booleans(), data=st.data())
def test_exchange_shows_one_thing_in_many_ways(
    name: str, rendering: Rendering, data: st.DataObject, *, nulls: bool
) -> None:
    form, values = FORMS[name]
    value = data.draw(values)
    sent = json.loads(json.dumps(row_as_sent({name: value}, rendering, nulls=nulls)))[name]
    assert form(sent) == form(value)
    assert form(form(sent)) == form(sent)


# --- DNS ----------------------------------------------------------------------------------------------------

TERMS = st.one_of(
    st.builds(
        "{}{}".format, st.sampled_from(["", "+", "-", "~", "?"]), st.sampled_from(["all", "a", "mx", "ptr"])
    ),
    st.builds("ip4:{}".format, st.ip_addresses(v=4)),
    st.builds("ip4:{}/{}".format, st.ip_addresses(v=4), st.integers(1, 32)),
    st.builds("ip6:{}/{}".format, st.ip_addresses(v=6), st.integers(1, 128)),
    st.builds("{}:{}".format, st.sampled_from(["a", "mx", "include", "exists"]), DOMAINS),
    st.builds("a:{}/{}//{}".format, DOMAINS, st.integers(1, 32), st.integers(1, 128)),
    st.builds("exists:%{{i}}.spf.{}".format, DOMAINS),
)


@FEW
@given(st.lists(TERMS, max_size=8), st.none() | DOMAINS)
def test_sender_policies(terms: list[str], redirect: str | None) -> None:
    text = " ".join(["v=spf1", *terms, *([f"redirect={redirect}"] if redirect else [])])
    read = spf_record.parse(text)
    assert [one.text for one in read.directives] == terms
    assert (read.text, read.redirect) == (text, redirect or "")
    for one in read.directives:
        if one.mechanism in ("ip4", "ip6"):
            assert one.network is not None
            again = spf_record.parse(f"v=spf1 {one.mechanism}:{one.network}").directives[0]
            assert again.network == one.network


@FEW
@given(
    DOMAINS, st.integers(0, 65535), st.lists(st.text('abc =:~%-;\\"', max_size=20), min_size=1, max_size=3)
)
def test_dns_records(domain: str, preference: int, parts: list[str]) -> None:
    def read(kind: str, text: str) -> str:
        return record_text(dns.rdata.from_text("IN", kind, text))

    assert read("MX", f"{preference} {domain.upper()}.") == f"{preference} {domain}"
    assert read("NS", f"{domain}.") == domain
    quoted = " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)
    assert read("TXT", quoted) == "".join(parts)


# --- settings -----------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    throttle=st.just("none") | st.fixed_dictionaries({"connections": st.integers(1, 1000)}),
    durations=st.tuples(*[st.builds("{}{}".format, st.integers(1, 700), st.sampled_from("smh"))] * 3),
    preference=st.integers(0, 65535),
    ttl=st.integers(0, 604_800),
    names=st.tuples(NAMES, NAMES),
    settle_mx=st.just("ttl") | st.just("90s"),
)
def test_settings_are_what_their_own_text_says(
    *,
    throttle: Any,
    durations: tuple[str, ...],
    preference: int,
    ttl: int,
    names: tuple[str, str],
    settle_mx: str,
) -> None:
    values = {
        **FULL,
        "inbound": {
            **FULL["inbound"],
            "throttle": throttle,
            "mxHosts": [{"host": "mx.a.example", "preference": preference}],
        },
        "checks": {**FULL["checks"], "deadline": durations[0]},
        "settle": {"rule": durations[1], "mx": settle_mx},
        "dns": {**FULL["dns"], "ttl": ttl},
        "names": {**FULL["names"], "senderGroup": f"G{names[0]}", "filter": f"f{names[1]}"},
    }
    first = Settings.from_config(values, NO_SECRETS)
    said = json.loads(first.model_dump_json(by_alias=True))
    said["outbound"] |= {key: values["outbound"][key] for key in ("secret", "previousSecrets")}
    said |= {key: values[key] for key in ("credentials", "approvalKey")}
    said["inbound"]["throttle"] = said["inbound"]["throttle"] or "none"
    said["settle"]["mx"] = said["settle"]["mx"] or "ttl"
    assert Settings.from_config(said, NO_SECRETS) == first
