"""`fleet offboard`: which step is due by what is on record, what stops it, and what is asked before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from components.safety import mail_flows
from components.settings import Settings
from components.stack_config import NAMESPACE
from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.dns.wire import LookUpFailed
from dynamic_providers.exchange import lock_down as program
from dynamic_providers.gateway.recipient_access import RecipientAccess
from dynamic_providers.gateway.smtp_routes import SmtpRoutes
from dynamic_providers.safety.guard import Guard
from dynamic_providers.safety.sentinel import NAME, Sentinel
from fleet import record
from fleet.offboarding import WrongSection, led_away
from tests.fleet.fake_engine import said, step
from tests.fleet.fleet_kit import Fleet, gateway, write
from tests.unit.settings_samples import ENVIRONMENT, STACKS, sample
from tools.engine import ROOT

NO_STACK = "error: no stack named 'alpha' found\n"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
NOTHING = {"absent": True}


def resource(kind: str, name: str, **properties: Any) -> dict[str, Any]:
    """One of ours as `pulumi stack export` has it."""
    kind = f"pulumi-python:dynamic/{kind}"
    return {
        "urn": f"urn:pulumi:x::m365-secure-email::{kind}::{name}",
        "type": kind,
        "inputs": properties,
        "outputs": properties,
    }


def sentinel(*, protect: bool) -> dict[str, Any]:
    return {**resource("safety:Sentinel", NAME), "protect": protect}


def lock_down(*, closed: bool) -> dict[str, Any]:
    on = {"restrictDomainsToIpAddresses": closed, "rejectDirectSend": False}
    return resource("exchange:LockDown", "lock-down", **on)


def guard(**mx: str) -> dict[str, Any]:
    """The facts of the last run: of each domain, where its MX is to be."""
    domains = {f"{name}.example": {"mx": where, "subdomains": False} for name, where in mx.items()}
    hosts = {"mxHosts": ["mx1.of-alpha.example"], "inboundAddresses": ["192.0.2.105"]}
    return resource("safety:Guard", "guard", domains=domains, **hosts)


def routes(before: Mapping[str, Any]) -> dict[str, Any]:
    """The SMTP routes; what was there before us as `--show-secrets` has it."""
    return resource("gateway:SmtpRoutes", "smtp-routes", before={**SECRET, "plaintext": json.dumps(before)})


OTHER = resource("gateway:RecipientAccess", "recipient-access")


def on_record(fleet: Fleet, stack: str, *resources: Mapping[str, Any], pending: str = "") -> None:
    operations = [{"resource": {"urn": f"urn:x::{pending}"}, "type": "creating"}] if pending else []
    state = {"version": 3, "deployment": {"resources": resources, "pending_operations": operations}}
    fleet.engine.answer(stack, "export", json.dumps(state, indent=2))


def asked(fleet: Fleet) -> list[str]:
    """What the engine was asked for, without options."""
    lines = (line.partition(" --")[0] for line in fleet.engine.asked())
    return [line for line in lines if line]


def one(fleet: Fleet, *words: str) -> dict[str, Any]:
    """The outcome of alpha alone."""
    found: dict[str, Any] = fleet.json("offboard", "alpha", "--yes", *words)["stacks"][0]
    return found


# --- the steps ----------------------------------------------------------------------------------------------


def test_mail_is_led_away_first_by_a_copy_of_the_file(fleet: Fleet) -> None:
    mail = {
        "outbound": {"state": "all", "validationRecipient": "a@b.example", "smartHosts": ["192.0.2.1"]},
        "domains": {
            "a.example": {"mx": "gateway", "microsoftMx": "a-example.mail.protection.outlook.com"},
            "b.example": {"mx": "leave", "microsoftMx": "b-example.mail.protection.outlook.com"},
        },
        "checks": {"mailbox": "probe@a.example"},
        "lockdown": "closed",
        "change": {"ticket": "1e3"},
    }
    path = write(fleet.folder, "alpha", **mail).path
    there = path.read_text(encoding="utf-8")
    on_record(fleet, "alpha", sentinel(protect=True), OTHER)
    copies = 'file=${words##*--config-file }; cp "${file%% *}" given'
    fleet.engine.answer("alpha", "up", step("delete", "outbound-rule"), script=copies)
    back = step("delete", "smtp-routes", old={"inputs": {"before": {}}})
    fleet.engine.answer("alpha", "destroy", back, step("delete", "guard"))
    found = one(fleet)
    assert (found["state"], found["counts"]) == ("done", {"delete": 3})
    assert "Remove stacks/Pulumi.alpha.yaml by a request" in found["says"]
    assert found["lines"] == [{"severity": "info", "text": "as before: smtp-routes", "resource": ""}]
    assert asked(fleet) == ["stack export", "up", "destroy", "stack rm"]
    assert "--yes --preserve-config --stack alpha" in fleet.engine.asked()[-1]
    assert path.read_text(encoding="utf-8") == there
    given = yaml.safe_load((fleet.engine.folder / "given").read_text(encoding="utf-8"))["config"]
    settings = {key.removeprefix(f"{NAMESPACE}:"): value for key, value in given.items()}
    assert settings["outbound"] == {"state": "none", "smartHosts": ["192.0.2.1"]}
    assert {name: domain["mx"] for name, domain in settings["domains"].items()} == {
        "a.example": "microsoft",
        "b.example": "leave",
    }
    assert (settings["lockdown"], settings["change"]) == ("open", {"ticket": "1e3"})
    assert "checks" not in settings


@pytest.mark.parametrize(
    ("resources", "steps"),
    [
        ([sentinel(protect=True), OTHER], ["up", "destroy", "stack rm"]),
        ([sentinel(protect=False), lock_down(closed=True)], ["up", "destroy", "stack rm"]),
        ([sentinel(protect=False), lock_down(closed=False)], ["destroy", "stack rm"]),
        ([OTHER, lock_down(closed=True)], ["destroy", "stack rm"]),
        ([], ["stack rm"]),
    ],
    ids=["mail flows", "the side entrance is shut", "led away", "half destroyed", "destroyed"],
)
def test_it_goes_on_from_what_is_on_record(
    fleet: Fleet, resources: list[Mapping[str, Any]], steps: list[str]
) -> None:
    on_record(fleet, "alpha", *resources)
    assert one(fleet)["state"] == "done"
    assert asked(fleet) == ["stack export", *steps]


def test_the_record_knows_what_the_program_calls_them() -> None:
    assert set(record.SWITCHES) == set(program.SWITCHES)
    ours = (Sentinel, program.LockDown, Guard, SmtpRoutes, RecipientAccess)
    types = {str(vars(one)["_resource_type_name"]).removeprefix("dynamic/") for one in ours}
    assert types == {record.SENTINEL, record.LOCK_DOWN, record.GUARD, *record.TABLES}


def test_what_a_killed_run_has_left_is_cleared_first(fleet: Fleet) -> None:
    on_record(fleet, "alpha", OTHER, pending="outbound-rule")
    assert one(fleet)["state"] == "done"
    assert asked(fleet) == ["stack export", "refresh", "destroy", "stack rm"]


def test_a_stack_that_has_left_is_no_error(fleet: Fleet) -> None:
    fleet.engine.answer("alpha", "export", code=255, errors=NO_STACK)
    found = one(fleet)
    assert found["state"] == "same"
    assert "has left already, or PULUMI_BACKEND_URL is another one's" in found["says"]
    assert asked(fleet) == ["stack export"]


@pytest.mark.parametrize(
    ("fails", "verb", "state", "says"),
    [
        ("export", "export", "error", "PULUMI_CONFIG_PASSPHRASE"),
        ("up", "up", "error", "esa1: gone. Then run this again: it goes on from there"),
        ("destroy", "destroy", "error", "esa1: gone. Then run this again"),
        ("stack rm", "stack", "error", "esa1: gone. Then run this again"),
    ],
)
def test_a_step_that_fails_is_the_last_one(
    fleet: Fleet, fails: str, verb: str, state: str, says: str
) -> None:
    on_record(fleet, "alpha", sentinel(protect=True), OTHER)
    if fails == "export":
        fleet.engine.answer("alpha", "export", code=255, errors="error: passphrase must be set\n")
    elif fails == "stack rm":
        fleet.engine.answer("alpha", verb, code=255, errors="error: esa1: gone\n")
    else:
        fleet.engine.answer("alpha", verb, said("error", "m365-secure-email: esa1: gone"), code=255)
    found = one(fleet)
    assert (found["state"], says in found["says"]) == (state, True), found
    assert asked(fleet)[-1] in (fails, "stack export")


def test_refused_before_anything_is_done(fleet: Fleet) -> None:
    on_record(fleet, "alpha", sentinel(protect=True), OTHER)
    refusal = "x resource 'guard': property tenant value {x} has a problem: you are removing a.example"
    fleet.engine.answer("alpha", "up", said("error", refusal), code=255)
    assert one(fleet)["state"] == "refused"
    assert asked(fleet) == ["stack export", "up"]


# --- what still needs it ------------------------------------------------------------------------------------


@pytest.fixture
def shared(fleet: Fleet) -> Fleet:
    """A gateway's stack, a tenant of it that is there, one that has left, one that only looks; a stranger."""
    at = {"gateway": gateway("shared")}
    write(fleet.folder, "alpha", kind="gateway", **at)
    for name, more in {"beta": {}, "gamma": {}, "looker": {"mode": "observe"}}.items():
        write(fleet.folder, name, **at, **more)
    write(fleet.folder, "stranger")
    for name in ("alpha", "beta", "looker", "stranger"):
        on_record(fleet, name, OTHER)
    fleet.engine.answer("gamma", "export", code=255, errors=NO_STACK)
    return fleet


def test_a_gateway_stays_while_a_tenant_is_there(shared: Fleet) -> None:
    found = one(shared)
    assert found["state"] == "refused"
    assert "gateway shared: beta still uses it, and nothing was changed" in found["says"]
    assert "`fleet offboard beta alpha`" in found["says"]
    assert set(asked(shared)) == {"stack export"}


def test_tenants_go_before_their_gateway(shared: Fleet) -> None:
    nothing = json.dumps({"version": 3, "deployment": None})
    shared.engine.answer("beta", "stack", script=f"echo '{nothing}' > beta.export")
    result = shared.json("offboard", "alpha", "beta", "--yes", "--parallel", "8")
    assert {found["stack"]: found["state"] for found in result["stacks"]} == {"alpha": "done", "beta": "done"}
    order = [line for line in shared.engine.order() if line.startswith("begin") and "export" not in line]
    assert order == ["begin beta destroy", "begin beta stack", "begin alpha destroy", "begin alpha stack"]


def test_a_gateway_stays_where_its_tenant_could_not_go(shared: Fleet) -> None:
    shared.engine.answer("beta", "destroy", said("error", "m365-secure-email: esa1: gone"), code=255)
    result = shared.json("offboard", "alpha", "beta", "--yes")
    assert {found["stack"]: found["state"] for found in result["stacks"]} == {
        "alpha": "refused",
        "beta": "error",
    }


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where the world leads mail, by domain; what is not in it cannot be looked up."""
    mx: dict[str, str] = {}

    def mail_hosts(asked: Resolver, domain: str) -> list[tuple[int, str]]:
        if asked.servers != ("203.0.113.54",) or domain not in mx:
            raise LookUpFailed("no answer")
        return [(10, mx[domain])]

    def ipv4(_asked: Resolver, host: str) -> tuple[str, ...]:
        return ("192.0.2.105",) if host == "another-name.example" else ("203.0.113.1",)

    monkeypatch.setattr(Resolver, "mail_hosts", mail_hosts)
    monkeypatch.setattr(Resolver, "ipv4", ipv4)
    return mx


@pytest.mark.parametrize("host", ["mx1.of-alpha.example", "another-name.example", ""])
def test_an_mx_that_is_not_ours_and_leads_to_what_we_made(
    fleet: Fleet, world: dict[str, str], host: str
) -> None:
    write(fleet.folder, "alpha", dns={"resolvers": ["203.0.113.54"]})
    if host:
        world["a.example"] = host
    on_record(fleet, "alpha", guard(a="leave"), routes({"a.example": NOTHING}))
    found = one(fleet)
    assert found["state"] == "refused"
    assert ("the MX of a.example leads to the gateway" in found["says"]) == bool(host), found["says"]
    assert "Lead it elsewhere: set mx of a.example to microsoft and run `fleet up alpha`" in found["says"]
    assert asked(fleet) == ["stack export", "stack export"]


@pytest.mark.parametrize(
    ("before", "state"),
    [
        ({"a.example": {"hosts": []}, "b.example": NOTHING, "c.example": NOTHING}, "done"),
        ({"a.example": {"members": {"esa1": {"hosts": []}, "esa2": NOTHING}}}, "refused"),
    ],
    ids=["was there before us", "not on one of two gateways"],
)
def test_what_was_there_before_us_stays_with_its_mail(
    fleet: Fleet, world: dict[str, str], before: Mapping[str, Any], state: str
) -> None:
    """As in an estate that was set up by hand, and read with `onboard --from-live`."""
    write(fleet.folder, "alpha", dns={"resolvers": ["203.0.113.54"]})
    world |= {"a.example": "mx1.of-alpha.example", "b.example": "elsewhere.example"}
    on_record(fleet, "alpha", guard(a="leave", b="leave", c="microsoft"), routes(before))
    assert one(fleet)["state"] == state


def test_the_change_window_counts(fleet: Fleet) -> None:
    write(fleet.folder, "alpha", change={"window": "2024-11-23 20:00-2024-11-24 02:00 UTC"})
    on_record(fleet, "alpha", OTHER)
    found = one(fleet)
    assert found["state"] == "refused"
    assert "the change window is shut" in found["says"]
    assert not (fleet.engine.folder / "asked").exists()
    found = one(fleet, "--outside-window")
    assert (found["state"], [line["severity"] for line in found["lines"]]) == ("done", ["warning"])
    assert one(fleet, "--leave")["state"] == "done"


# --- leaving everything as it is ----------------------------------------------------------------------------


def test_leave_forgets_the_stack_and_touches_nothing(shared: Fleet) -> None:
    on_record(shared, "alpha", sentinel(protect=True), OTHER, pending="outbound-rule")
    result = shared.json("offboard", "alpha", "--yes", "--leave")
    assert result["command"] == "offboard --leave"
    [found] = result["stacks"]
    assert found["state"] == "done"
    assert "all is as it was on both sides. Remove stacks/Pulumi.alpha.yaml" in found["says"]
    assert asked(shared) == ["stack export", "stack rm"]
    assert "--yes --preserve-config --force --stack alpha" in shared.engine.asked()[-1]


# --- what is asked before -----------------------------------------------------------------------------------


ITSELF = "outbound mail leaves Microsoft 365 by itself"
BY_HAND = "MX of a.example back to Microsoft 365 (by hand, while it waits)"


@pytest.mark.parametrize("words", [(), ("--leave",)])
def test_nobody_to_be_asked(fleet: Fleet, words: tuple[str, ...]) -> None:
    assert fleet.run("offboard", "alpha", *words) == 1
    assert "nobody is there to be asked. Add --yes" in fleet.err
    assert not (fleet.engine.folder / "asked").exists()
    assert fleet.run("offboard", "--yes") == 1
    assert "no stack is named" in fleet.err


@pytest.mark.parametrize(
    ("settings", "words", "told"),
    [
        (
            {
                "outbound": {"state": "pilot"},
                "domains": {"a.example": {"mx": "gateway"}},
                "lockdown": "closed",
            },
            (),
            f"alpha: {ITSELF}; {BY_HAND}; mail past the gateway is taken again|    it waits until nobody",
        ),
        (
            {"domains": {"a.example": {"mx": "gateway"}}, "dns": {"server": "192.0.2.53"}},
            (),
            "alpha: MX of a.example back to Microsoft 365|    it waits",
        ),
        ({"domains": {"a.example": {}}}, (), "alpha: by its settings no mail goes over the gateway|    it"),
        ({"mode": "observe"}, (), "alpha: it only looks, so there is nothing to be put back|    its record"),
        ({"kind": "gateway"}, (), "alpha: sender group, policy and ciphers of of-alpha become|    refused"),
        ({}, ("--leave",), "alpha: nothing changes on either side, and|    its record goes, and with it"),
    ],
)
def test_what_will_happen_is_told_in_two_lines(
    fleet: Fleet,
    monkeypatch: pytest.MonkeyPatch,
    settings: Mapping[str, Any],
    words: tuple[str, ...],
    told: str,
) -> None:
    write(fleet.folder, "alpha", **settings)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    questions: list[str] = []
    monkeypatch.setattr("typer.confirm", lambda question, **_: questions.append(question))
    assert fleet.run("offboard", "alpha", *words) == 1
    lines = [line for line in fleet.err.splitlines() if line]
    assert len(lines) == 2, fleet.err
    for line, begins in zip(lines, told.split("|"), strict=True):
        assert line.startswith(begins)
    assert questions == ["Forget them, and leave everything as it is?" if words else "Let them go?"]
    assert not (fleet.engine.folder / "asked").exists()


@pytest.mark.parametrize("name", ["outbound", "domains"])
@pytest.mark.parametrize("value", ["{}", {"secure": "v1:x"}])
def test_a_section_that_cannot_be_changed_is_refused(name: str, value: object) -> None:
    text = json.dumps({"config": {f"{NAMESPACE}:{name}": value}})
    with pytest.raises(WrongSection, match=f"{name}: the section is one text"):
        led_away(text)


@pytest.mark.parametrize("name", STACKS)
def test_what_is_led_away_is_right(name: str) -> None:
    given = yaml.safe_load(led_away((ROOT / "stacks" / f"Pulumi.{name}.yaml").read_text(encoding="utf-8")))
    values = {key.removeprefix(f"{NAMESPACE}:"): value for key, value in given["config"].items()}
    settings = Settings.from_config(values, ENVIRONMENT)
    assert not mail_flows(settings)
    assert settings.sender_addresses == Settings.from_config(sample(name), ENVIRONMENT).sender_addresses
