"""`fleet report`: what is gathered, how a stack stands, and the page, where nothing of others is markup."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fleet.outcome import Outcome, State
from fleet.report.facts import Asked, Facts, MailSeen, Mx, facts
from fleet.report.page import html
from fleet.report.standing import Standing, headline, ordered, row
from fleet.stacks import StackFile
from tests.chromium import browser
from tests.fleet.fake_engine import said, step
from tests.fleet.fleet_kit import Fleet, write
from tests.fleet.report_kit import EVIL, MX, drifted, fleet_of, hostile, kept, of_steps, policy, right

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
QUESTIONS = (Path(__file__).parents[1] / "estate" / "report_page.js").read_text(encoding="utf-8")
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:hidden"}
MICROSOFT = "a-example.mail.protection.outlook.com"


def resource(name: str, kind: str, modified: str = "2026-09-10T08:00:00Z", **outputs: Any) -> dict[str, Any]:
    return {
        "urn": f"urn:pulumi:x::m365-secure-email::pulumi-python:dynamic/{kind}::{name}",
        "type": f"pulumi-python:dynamic/{kind}",
        "outputs": outputs,
        "created": "2026-09-01T08:00:00Z",
        "modified": modified,
    }


def export(*resources: Mapping[str, Any], pending: tuple[str, ...] = ()) -> dict[str, Any]:
    operations = [{"resource": {"urn": f"urn:x::{name}"}, "type": "creating"} for name in pending]
    manifest = {"time": "2026-09-12T10:00:00Z"}
    return {"deployment": {"manifest": manifest, "resources": resources, "pending_operations": operations}}


def proof(verdict: str, check: str = "inbound") -> dict[str, str]:
    return {"check": check, "verdict": verdict, "domain": "a.example", "ended": "2026-09-12T09:58:00Z"}


ROTATION = resource("secret-rotation", "exchange:SecretRotation", accepted=SECRET)
RECORD = (
    resource(
        "mx", "dns:MxRecords", domain="a.example", hosts=[{"host": "MX1.gw.example.", "preference": 10}]
    ),
    resource("mx-2", "dns:MxCheck", domain="b.example", hosts=[{"host": MICROSOFT, "preference": 0}]),
    resource("lock-down", "exchange:LockDown", restrictDomainsToIpAddresses=True),
    resource("inbound-check", "mailflow:InboundCheck", evidence=[proof("ok"), proof("ok", "direct")]),
    ROTATION,
)
SETTINGS: dict[str, Any] = {
    "domains": {
        "a.example": {"microsoftMx": "x", "mx": "gateway"},
        "b.example": {"microsoftMx": MICROSOFT, "mx": "microsoft"},
        "c.example": {"microsoftMx": "y"},
    },
    "inbound": {"mxHosts": [{"host": "mx1.gw.example", "preference": 10}]},
    "outbound": {"state": "pilot", "previousSecrets": [{"secure": "v1:one"}]},
    "lockdown": "closed",
}


@pytest.fixture
def stack(tmp_path: Path) -> StackFile:
    (tmp_path / "stacks").mkdir()
    return write(tmp_path, "alpha", **SETTINGS)


class TestFacts:
    def test_what_file_and_record_say(self, stack: StackFile) -> None:
        history = [
            {"kind": "refresh", "result": "succeeded", "endTime": "2026-11-23T00:00:00Z"},
            {"kind": "update", "result": "failed", "endTime": "2026-11-20T00:00:00Z"},
            {"kind": "update", "result": "succeeded", "endTime": "2026-11-10T00:00:00Z"},
        ]
        found = facts(stack, Asked(export(*RECORD, pending=("outbound-rule",)), history), NOW)
        assert (found.customer, found.gateway, found.outbound, found.lockdown, found.shut) == (
            "Alpha",
            "of-alpha",
            "pilot",
            "closed",
            True,
        )
        assert [(one.domain, one.points_at, one.hosts) for one in found.mx] == [
            ("a.example", "gateway", ("10 MX1.gw.example.",)),
            ("b.example", "microsoft", (f"0 {MICROSOFT}",)),
            ("c.example", "unknown", ()),
        ]
        assert found.last_up is not None
        assert (found.last_up.when, found.last_up.failed) == ("2026-11-20T00:00:00Z", True)
        assert found.mail is not None
        assert (found.mail.verdict, found.mail.says, found.mail.when) == (
            "ok",
            "inbound, direct",
            "2026-09-12T09:58:00Z",
        )
        assert found.pending == ("outbound-rule",)
        assert found.rotation.startswith("1 old secret still accepted")
        assert "hidden" not in json.dumps(found.as_json())

    def test_the_secrets_age_is_what_the_record_knows_and_no_more(self, stack: StackFile) -> None:
        def age(rotation: Mapping[str, Any]) -> tuple[str, bool]:
            found = facts(stack, Asked(export(rotation)), NOW)
            return found.secret, found.secret_is_old

        assert age(ROTATION) == ("set before 10 September 2026, the oldest record of it", False)
        known = resource("r", "exchange:SecretRotation", since="2026-10-14T21:00:00Z")
        assert age(known) == ("40 days, since 14 October 2026", False)
        old = resource("r", "exchange:SecretRotation", since="2025-10-14T21:00:00Z")
        assert age(old) == ("405 days, since 14 October 2025", True)
        assert age(resource("r", "gateway:SmtpRoutes")) == ("", False)

    def test_without_a_list_of_runs_the_records_own_time_counts(self, stack: StackFile) -> None:
        found = facts(stack, Asked(export(*RECORD)), NOW)
        assert found.last_up is not None
        assert (found.last_up.when, found.last_up.failed) == ("2026-09-12T10:00:00Z", False)
        assert facts(stack, Asked(), NOW).last_up is None

    def test_the_newest_check_counts_and_what_could_not_be_run_is_newest(self, stack: StackFile) -> None:
        def verdict(when: str) -> str:
            seen = MailSeen(verdict="failed", says="", when=when, where="")
            mail = facts(stack, Asked(export(*RECORD), checked=seen), NOW).mail
            return mail.verdict if mail else ""

        assert [verdict(one) for one in ("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z", "")] == [
            "ok",
            "failed",
            "failed",
        ]

    def test_a_broken_file_and_a_strange_record_are_no_crash(self, tmp_path: Path) -> None:
        (tmp_path / "stacks").mkdir()
        odd = write(tmp_path, "x", domains={"a": "b"}, outbound={"secure": "v1"}, inbound="?", lockdown=[])
        strange = resource("check", "mailflow:OutboundCheck", evidence=[{"verdict": "?"}, 7])
        found = facts(odd, Asked(export(strange)), NOW)
        assert (found.outbound, found.lockdown, [one.domain for one in found.mx]) == ("none", "open", ["a"])
        assert found.mail is not None
        assert found.mail.verdict == "notProven"


class TestStanding:
    def test_the_worst_comes_first_and_the_headline_counts_each_once(self) -> None:
        rows = ordered([row(one, Facts.model_validate(one.more["facts"])) for one in fleet_of(100)])
        assert [one.standing for one in rows][:8] == [
            Standing.STOPS,
            Standing.UNREAD,
            Standing.FAILED,
            Standing.TREATMENT,
            Standing.UNFINISHED,
            Standing.NEW,
            Standing.RIGHT,
            Standing.RIGHT,
        ]
        assert rows[6].remarks
        assert headline(rows) == (
            "94 of 100 as they should be; 2 drifted, one of them stops mail; 1 could not be read;"
            " 1 whose mail check failed; 1 left unfinished by a run; 1 not set up yet"
        )

    @pytest.mark.parametrize(
        ("outcomes", "says"),
        [
            ([], "No stack is chosen"),
            ([right("a")], "It is as it should be"),
            ([right("a"), right("b")], "All 2 as they should be"),
            ([right("a"), drifted("b", "x.example")], "1 of 2 as they should be; 1 drifted and stops mail"),
            ([kept(of_steps("b", policy("Required")))], "0 of 1 as they should be; 1 drifted"),
            (
                [drifted(name, "x.example") for name in "ab"] + [kept(of_steps("c", policy("Required")))],
                "0 of 3 as they should be; 3 drifted, 2 of them stop mail",
            ),
        ],
    )
    def test_the_headline(self, outcomes: list[Outcome], says: str) -> None:
        assert headline([row(one, Facts.model_validate(one.more["facts"])) for one in outcomes]) == says

    def test_a_run_that_was_cut_is_no_standing_of_its_stack(self) -> None:
        for state in (State.NOT_STARTED, State.REFUSED, State.ERROR):
            assert row(Outcome("a", state, "why"), Facts()).standing is Standing.UNREAD


class Tags(HTMLParser):
    """The tags of a page, and all its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.text += " " if tag in ("dd", "dt", "p", "li") else ""
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("style", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


class TestPage:
    def test_what_others_wrote_is_text_and_all_of_it_can_be_seen(self) -> None:
        page = html(hostile(), NOW)
        found = Tags(page)
        assert found.tags.count("script") == 1
        assert not {"img", "base", "iframe", "a", "form"} & {*found.tags}
        assert found.text.count(EVIL[0]) > 10
        assert "49" not in found.text  # a template in a template
        assert not [one for one in page if one != "\n" and not one.isprintable()]
        assert "\\u202egpj.exe\\u202c" in found.text

    def test_two_hundred_stacks_fit(self) -> None:
        domains = tuple(
            Mx(domain=f"brand-{n}.contoso.example", wanted="gateway", points_at="gateway", hosts=MX)
            for n in range(100)
        )
        page = html([*fleet_of(180), *(right(f"wide-{n}", mx=domains) for n in range(20))], NOW)
        assert page.count("<details") == 200
        assert "and 60 more at the gateway" in page
        assert len(page.encode()) < 1_000_000
        assert "https:" not in page
        assert "http:" not in page.replace("http://www.w3.org/2000/svg", "")

    def test_each_fact_is_on_it(self) -> None:
        text = " ".join(Tags(html(fleet_of(8), NOW)).text.split())
        for says in (
            "SMTP route «fabrikam.example»: hosts the domain's mail goes to another host than its Microsoft",
            "theirs mx.elsewhere.example; ours contoso-example.mail.protection.outlook.com",
            "Last up 20 November 2026, 20:14 UTC, succeeded",
            f"contoso.example, shop.contoso.example at the gateway ({', '.join(MX)})",
            "old.contoso.example left as it is",
            "Lock-down closed, the side entrance shut on record",
            "ok: direct, inbound (20 November 2026, 20:22 UTC, of an up)",
            "Header's secret 41 days, since 14 October 2026",
            "set before 3 July 2025, the oldest record of it: rotate it",
            "Rotation 1 old secret still accepted: begun, and not finished",
            "A killed run left outbound-rule",
        ):
            assert says in text


@pytest.mark.timeout(900)  # Chromium may have to be installed first
def test_in_a_real_browser(tmp_path: Path) -> None:
    """Readable on a phone and in the dark, no request, and the filter works though scripts are barred."""
    addresses = {}
    for name, outcomes in (("fleet", fleet_of(12)), ("evil", hostile())):
        (tmp_path / f"{name}.html").write_text(html(outcomes, NOW), encoding="utf-8")
        addresses[name] = (tmp_path / f"{name}.html").as_uri()
    with browser(tmp_path / "profile") as chromium:
        for name, width, scheme, medium in (
            ("fleet", 390, "dark", "screen"),
            ("evil", 390, "light", "screen"),
            ("fleet", 1280, "dark", "print"),
            ("evil", 1280, "dark", "screen"),
        ):
            page = chromium.open(addresses[name], width=width, scheme=scheme, media=medium)
            page.look(QUESTIONS)
            page.look("look.unfold()")
            requested = [one["request"]["url"] for one in page.events("Network.requestWillBeSent")]
            assert requested == [addresses[name]]
            assert page.events("Log.entryAdded") == []
            assert page.events("Runtime.exceptionThrown") == []
            assert page.look("document.documentElement.scrollWidth") <= width
            assert page.look(f"look.tooWide({width})") == []
            texts = page.look("look.texts()")
            assert texts
            assert [one for one in texts if one["contrast"] < 4.5 or one["size"] < 14] == []
            assert page.look("look.overlaps()") == []
        page = chromium.open(addresses["fleet"], width=1280)
        page.look("box = document.querySelector('#filter'); box.value = 'PROD changes'")
        page.look("box.dispatchEvent(new Event('input'))")
        assert (
            page.look(
                "[...document.querySelectorAll('.stack')].filter((one) => one.checkVisibility()).length"
            )
            == 1
        )
        assert page.look("document.querySelector('#shown').textContent") == "1 of 12"


class TestCommand:
    def test_both_sides_are_read_and_nothing_is_changed(self, fleet: Fleet, tmp_path: Path) -> None:
        write(fleet.folder, "alpha", **SETTINGS)
        fleet.engine.answer("alpha", "export", json.dumps(export(*RECORD)))
        runs = [{"kind": "update", "result": "succeeded", "endTime": "2026-11-20T20:14:09Z"}]
        fleet.engine.answer("alpha", "stack", json.dumps(runs))
        found = step("update", "it", kind="resOutputsEvent", old={"inputs": {"name": "Out"}})
        fleet.engine.answer("alpha", "refresh", found)
        fleet.engine.answer("beta", "refresh", said("error", "m365-secure-email: esa1: gone"), code=255)
        fleet.engine.answer("gamma", "export", code=255, errors="error: no stack named 'gamma' found\n")
        page = tmp_path / "page.html"
        result = fleet.json("report", "--html", str(page), "--parallel", "1")
        alpha, beta, gamma = result["stacks"]
        assert result["exitCode"] == 1
        assert (alpha["state"], alpha["facts"]["lastUp"]["result"]) == ("drift", "succeeded")
        assert alpha["facts"]["mx"][0]["pointsAt"] == "gateway"
        assert alpha["drift"][0]["resource"] == "it"
        assert beta["says"] == "esa1: gone"
        assert "pulumi stack init gamma" in gamma["says"]
        asked = [line.split(" --", 1)[0] for line in fleet.engine.asked()]
        assert asked == ["stack export", "stack history", "refresh"] * 2 + ["stack export"]
        assert all("--preview-only" in line for line in fleet.engine.asked() if line.startswith("refresh"))
        text = Tags(page.read_text(encoding="utf-8")).text
        assert "0 of 3 as they should be; 1 drifted; 2 could not be read" in text

    def test_no_secret_is_on_the_page(
        self, fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        canary = "canary7secret"
        monkeypatch.setenv("ALPHA__OUTBOUND_SECRET", canary)
        write(fleet.folder, "alpha", customer={"name": f"C {canary}", "environment": "prod"})
        fleet.engine.answer("alpha", "export", json.dumps(export(*RECORD, pending=(f"rule-{canary}",))))
        rule = {"inputs": {"name": canary, "state": "Enabled"}}
        found = step("update", "it", kind="resOutputsEvent", old=rule, new={"inputs": {"name": canary}})
        fleet.engine.answer("alpha", "refresh", found, said("warning", f"echo of {canary}"))
        results = tmp_path / "check.json"
        check = {"stack": "alpha", "state": "error", "says": f"login as {canary}", "seconds": 1}
        results.write_text(json.dumps({"command": "check", "exitCode": 1, "seconds": 1, "stacks": [check]}))
        page = tmp_path / "page.html"
        for words in ((), ("--json",)):
            assert fleet.run("report", "alpha", "--html", str(page), "--results", str(results), *words) == 2
            assert "[secret]" in page.read_text(encoding="utf-8")
            assert canary not in fleet.out + fleet.err + page.read_text(encoding="utf-8")

    def test_results_of_checks_are_told_and_others_refused(self, fleet: Fleet, tmp_path: Path) -> None:
        file = tmp_path / "check.json"
        report = {"verdict": "failed", "when": "2026-11-23T06:02:00Z"}
        rows = [
            {"stack": "alpha", "state": "error", "says": "The way in is broken.", "report": report},
            {"stack": "beta", "state": "same", "says": "a shared gateway has no mail of its own"},
        ]
        file.write_text(json.dumps({"command": "check", "exitCode": 1, "seconds": 9, "stacks": rows}))
        alpha, beta, _ = fleet.json("report", "--results", str(file))["stacks"]
        assert alpha["facts"]["mail"]["says"] == "The way in is broken."
        assert beta["facts"]["mail"] is None
        file.write_text(json.dumps({"command": "drift", "exitCode": 0, "seconds": 9, "stacks": rows}))
        for words, says in (
            (("--results", str(file)), "holds results of `fleet drift`"),
            (("--results", str(tmp_path / "none.json")), "there is no such file"),
            (("--html", str(tmp_path / "none" / "x.html")), "cannot be written"),
        ):
            (fleet.engine.folder / "asked").unlink(missing_ok=True)
            assert fleet.run("report", *words) == 1
            assert says in fleet.err
            assert not (fleet.engine.folder / "asked").exists()
