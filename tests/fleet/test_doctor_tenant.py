"""The doctor at the tenant, at DNS and at port 25: one thing is broken at a time, and the line says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from lab.estate import Estate
from lab.tenant.store import DOMAINS
from tests import mail_stack
from tests.fleet.doctor_kit import Practice, levels, practice
from tests.hands.acts import in_tables
from tests.protocol import estate_kit

RIGHTS = ("token", "app role", "directory role")
TENANT = (*RIGHTS, "accepted domains", "clock")
DOMAIN, GATEWAY_HOST = "bce-demo.com", "mx1.bce-demo.example"
MICROSOFT = "bce-demo-com.mail.protection.outlook.com"


@pytest.fixture(scope="module")
def running() -> Iterator[Estate]:
    with estate_kit.running("new") as estate:
        yield estate


@pytest.fixture
def at(running: Estate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    with practice(running, mail_stack.values(running), monkeypatch, running.environment) as one:
        yield one


# --- token and rights ---------------------------------------------------------------------------------------


def test_a_tenant_that_lets_us_work(at: Practice) -> None:
    found = at.look(*TENANT)
    assert levels(found) == {name: ["ok"] for name in TENANT}
    assert found[2].says == "Exchange Administrator"


def test_a_wrong_secret_and_all_that_hangs_on_the_token(at: Practice) -> None:
    at.set(AZURE_CLIENT_SECRET="Practice~Not~The~Secret")
    found = at.look(*TENANT)
    assert levels(found) == {
        "token": ["error"],
        "app role": ["not looked at"],
        "directory role": ["not looked at"],
        "accepted domains": ["not looked at"],
        "clock": ["ok"],
    }
    assert "the client secret of the app registration" in found[0].says
    assert "AADSTS7000215" in found[0].says
    assert "Not~The" not in str(found)


def test_a_tenant_that_cannot_be_reached_is_not_taken_for_right(at: Practice) -> None:
    found = at.look(*TENANT, endpoints__authority="https://127.0.0.1:9")
    said = levels(found)
    assert said.pop("token") == ["error"]
    assert set(map(tuple, said.values())) == {("not looked at",)}


@pytest.mark.parametrize(
    ("role", "directory", "says"),
    [
        (True, "admin", ("ok", "ok")),
        (True, "reader", ("ok", "warning")),
        (True, "none", ("ok", "error")),
        (False, "admin", ("error", "not looked at")),
        (False, "none", ("error", "error")),
    ],
)
def test_which_half_of_the_rights_is_missing(
    at: Practice, *, role: bool, directory: Any, says: tuple[str, str]
) -> None:
    at.estate.tenant.switches.app_role = role
    at.estate.tenant.switches.directory_role = directory
    found = levels(at.look(*RIGHTS))
    assert found == {"token": ["ok"], "app role": [says[0]], "directory role": [says[1]]}


@pytest.mark.parametrize(("role", "directory"), [(True, "admin"), (True, "none"), (False, "none")])
def test_a_token_that_cannot_be_read(at: Practice, *, role: bool, directory: Any) -> None:
    switches = at.estate.tenant.switches
    switches.token_form, switches.app_role, switches.directory_role = "opaque", role, directory
    _, app, roles = at.look(*RIGHTS)
    assert app.level == ("ok" if role else "error")
    if directory == "none" and role:
        assert roles.level == "error"
    else:
        assert "not looked at: " in roles.says


def test_a_login_certificate_that_ends_soon(at: Practice, tmp_path: Any) -> None:
    at.set(AZURE_CLIENT_SECRET="", AZURE_CLIENT_CERTIFICATE_PATH=str(at.estate.tenant.certificate_path))
    at.monkeypatch.setattr("fleet.doctor.tenant_checks.SOON", timedelta(days=0))
    assert at.one("token").level == "ok"
    at.monkeypatch.setattr("fleet.doctor.tenant_checks.SOON", timedelta(days=100_000))
    finding = at.one("token")
    assert finding.level == "warning"
    assert "for its certificate, which ends on 20" in finding.says


# --- accepted domains, clock --------------------------------------------------------------------------------


def test_a_domain_that_the_tenant_does_not_accept(at: Practice) -> None:
    found = at.look(
        "accepted domains",
        domains={DOMAIN: {"microsoftMx": MICROSOFT}, "typo.example": {"microsoftMx": MICROSOFT}},
    )
    assert [(one.level, one.says) for one in found] == [
        ("ok", "bce-demo.com: accepted, authoritative"),
        (
            "error",
            "typo.example: is no accepted domain of this tenant: Microsoft 365 would refuse its mail",
        ),
    ]


def test_a_domain_whose_other_addresses_the_tenant_hands_on(at: Practice) -> None:
    [row] = [one for one in at.estate.tenant.store.rows(DOMAINS) if one["DomainName"] == DOMAIN]
    row["DomainType"] = "InternalRelay"
    finding = at.one("accepted domains")
    assert finding.level == "warning"
    assert "internal-relay" in finding.says
    assert "authoritative" in finding.fix


def test_exchange_in_trouble_is_not_taken_for_a_domain_that_is_missing(at: Practice) -> None:
    at.estate.tenant.faults.add("Get-AcceptedDomain", "server-503", times=9, retry_after=0)
    assert levels(at.look("app role", "accepted domains")) == {
        "app role": ["ok"],
        "accepted domains": ["not looked at"],
    }


@pytest.mark.parametrize(("offset", "level"), [(0.0, "ok"), (90.0, "warning"), (-400.0, "error")])
def test_a_clock_that_is_off(at: Practice, offset: float, level: str) -> None:
    at.estate.tenant.switches.clock_offset = offset
    finding = at.one("clock")
    assert finding.level == level
    assert ("behind" in finding.says) == (offset > 0)
    assert ("ahead of" in finding.says) == (offset < 0)


# --- MX and SPF ---------------------------------------------------------------------------------------------


def mx(at: Practice, *records: str) -> None:
    """What the domain's MX is from now on, for everybody."""
    internet = at.estate.internet
    if records:
        internet.zones.set(DOMAIN, "MX", *records)
    else:
        internet.zones.remove(DOMAIN, "MX")
    for resolver in internet.resolvers.values():
        resolver.resolver.forget()


@pytest.mark.parametrize(
    ("records", "level", "says"),
    [
        ((f"0 {MICROSOFT}",), "ok", f"points to microsoft today (0 {MICROSOFT})"),
        ((f"10 {GATEWAY_HOST}",), "ok", "points to gateway today"),
        ((f"10 {GATEWAY_HOST}", f"20 {MICROSOFT}"), "warning", "name gateway and Microsoft both"),
        (("10 mx.probe.example",), "warning", "neither to the gateway nor to its own Microsoft MX"),
        ((), "warning", "has no MX"),
    ],
)
def test_where_mail_goes_today(at: Practice, records: tuple[str, ...], level: str, says: str) -> None:
    mx(at, *records)
    finding = at.one("MX")
    assert finding.level == level
    assert finding.says.startswith("bce-demo.com: ")
    assert says in finding.says


def test_nobody_answers(at: Practice) -> None:
    for one in at.estate.internet.resolvers.values():
        one.switches.servfail = True
    found = at.look("MX", "SPF")
    assert {one.level for one in found} == {"warning"}
    assert all("not looked at: " in one.says for one in found)


def test_a_microsoft_mx_that_does_not_exist(at: Practice) -> None:
    found = at.look("MX", domains={DOMAIN: {"microsoftMx": "bcedemo-com.mail.protection.outlook.com"}})
    [bad] = [one for one in found if one.level == "error"]
    assert "its microsoftMx bcedemo-com.mail.protection.outlook.com has no address" in bad.says


@pytest.mark.parametrize(("wanted", "level"), [("gateway", "error"), ("leave", "warning")])
def test_an_inbound_host_that_does_not_exist(at: Practice, wanted: str, level: str) -> None:
    found = at.look(
        "MX",
        inbound__mxHosts=[{"host": "mx9.bce-demo.example"}],
        domains={DOMAIN: {"microsoftMx": MICROSOFT, "mx": wanted}},
    )
    [bad] = [one for one in found if "inbound.mxHosts" in one.says]
    assert bad.level == level
    assert "mx9.bce-demo.example" in bad.says


def test_the_gateways_may_send_for_the_domain(at: Practice) -> None:
    assert at.one("SPF").says == "bce-demo.com: SPF passes for the gateways"


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({}, "error"),
        ({"outbound__state": "none"}, "warning"),
        ({"acknowledge": [{"what": f"spf {DOMAIN}", "until": "2999-01-01"}]}, "warning"),
    ],
)
def test_the_gateways_may_not_send_for_the_domain(at: Practice, settings: dict[str, Any], level: str) -> None:
    at.estate.internet.zones.set(DOMAIN, "TXT", "v=spf1 include:spf.protection.outlook.com -all")
    for resolver in at.estate.internet.resolvers.values():
        resolver.resolver.forget()
    finding = at.one("SPF", **settings)
    assert finding.level == level
    assert "SPF gives fail for 198.51.100.186" in finding.says


# --- DKIM and DMARC -----------------------------------------------------------------------------------------


def test_a_domain_that_microsoft_signs_for_and_one_that_it_does_not(at: Practice) -> None:
    assert "must not change what it sends out" in at.one("DKIM").says
    at.estate.tenant.invoke_by_hand("Set-DkimSigningConfig", Identity=DOMAIN, Enabled=False)
    finding = at.one("DKIM")
    assert finding.level == "warning"
    assert finding.says.startswith(f"{DOMAIN}: is not signed by Microsoft 365 (DKIM)")


def test_a_domain_that_has_a_policy_for_forged_mail_and_one_that_has_none(at: Practice) -> None:
    assert at.one("DMARC").says == f"{DOMAIN}: p=none (at _dmarc.{DOMAIN})"
    at.estate.internet.zones.remove(f"_dmarc.{DOMAIN}", "TXT")
    for resolver in at.estate.internet.resolvers.values():
        resolver.resolver.forget()
    finding = at.one("DMARC")
    assert finding.level == "warning"
    assert finding.says.startswith(f"{DOMAIN}: has no DMARC policy")


# --- certificates -------------------------------------------------------------------------------------------


def show(at: Practice, ends: datetime) -> None:
    """The gateway offers TLS to everybody, with another certificate at all its doors."""
    in_tables(lambda tables: tables.listener("IncomingMail").defaults.update(tls="on"))(at.estate)
    authority = trustme.CA()
    for door in at.estate.mail.doors.values():
        assert door.context is not None
        authority.issue_cert(GATEWAY_HOST, not_after=ends).configure_cert(door.context)


@pytest.mark.parametrize(("days", "level"), [(400, "ok"), (10, "warning"), (-3, "error")])
def test_until_when_a_listeners_certificate_counts(at: Practice, days: int, level: str) -> None:
    ends = datetime.now(UTC) + timedelta(days=days)
    show(at, ends)
    found = at.look("certificates", outbound__smartHosts=None)
    assert [one.level for one in found] == [level]
    assert f"ends on {ends:%Y-%m-%d}" in found[0].says
    assert found[0].says.startswith(GATEWAY_HOST)


def test_a_door_that_is_shut_to_this_machine(at: Practice) -> None:
    at.estate.gateway.smtp_faults = {"connect": "554 Your access to this mail system has been rejected"}
    found = at.look("certificates")
    assert {one.level for one in found} == {"warning"}
    assert all("not looked at: port 25 of " in one.says for one in found)


def test_settings_without_a_host_that_takes_mail(at: Practice) -> None:
    finding = at.one("certificates", outbound__smartHosts=None, inbound__mxHosts=None)
    assert finding.says.startswith("not looked at: the settings name no host that takes mail")
