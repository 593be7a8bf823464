"""The doctor's own ways: how findings are put together, what mistakes hide, what `pulumi` says."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dynamic_providers import connections, errors
from dynamic_providers.errors import ManagedError
from fleet.children import Children, Ended
from fleet.doctor.checks import CHECKS, Check, examine
from fleet.doctor.command import Doctors
from fleet.doctor.finding import Finding, NotLookedAt, error, ok, together, warning, worst
from fleet.doctor.logins import Logins
from fleet.doctor.right_sections import encrypted_keys, right_sections, without_encrypted
from fleet.doctor.subject import Subject
from fleet.engine import Engine
from fleet.environment import Environments
from fleet.stacks import StackFile
from tests.unit.settings_samples import ENVIRONMENT, sample, spoiled
from tools.engine import pinned_version


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_arguments", {})
    monkeypatch.setattr(errors, "_secrets", set())


def subject(values: dict[str, Any], environment: dict[str, str] | None = None) -> Subject:
    stack = StackFile("contoso-prod", Path("stacks/Pulumi.contoso-prod.yaml"), values)
    return Subject(stack, Path.cwd(), {**ENVIRONMENT, **(environment or {})}, Logins())


# --- findings -----------------------------------------------------------------------------------------------


def test_what_is_true_of_several_things_is_one_line() -> None:
    said = together([("a", ok("is there")), ("b", error("is gone", "bring it back")), ("c", ok("is there"))])
    assert [(one.level, one.says) for one in said] == [("ok", "a, c: is there"), ("error", "b: is gone")]


def test_the_worst_level_counts() -> None:
    assert worst([ok("x"), warning("y", "z")]) == "warning"
    assert worst([error("x", "y"), warning("y", "z")]) == "error"
    assert worst([]) == "ok"


def test_a_line_says_what_to_do_and_steers_no_terminal() -> None:
    found = Finding("login", "error", "it said \x1b[31mno\nway", "ask its owner")
    assert str(found) == "error   | login | it said [31mno way. Ask its owner"


class _Dawdling(Children):
    """A child that goes on for a while after its last line."""

    ended = False

    async def run(self, *_: Any, on_line: Callable[[str], None], **__: Any) -> Ended:
        on_line(json.dumps({"stack": "contoso-prod", "findings": []}))
        for _turn in range(10):
            await asyncio.sleep(0)
        self.ended = True
        return Ended(0, ())


def test_a_run_ends_after_its_child() -> None:
    """Else the loop is closed under it, and Python says so in a traceback."""
    stack, children = subject(sample()).stack, _Dawdling()
    doctors = Doctors([stack], Engine(Path.cwd(), Environments({}, ("contoso-prod",)), children))
    assert asyncio.run(doctors(stack, lambda _text: None)).says == "all is well"
    assert children.ended


# --- each check by itself -----------------------------------------------------------------------------------


def test_a_check_that_fails_hides_no_other_and_not_what_it_had_found() -> None:
    def managed(_: Subject) -> Iterator[Finding]:
        yield ok("the first half")
        raise ManagedError("is broken", where="the second", fix="mend it")

    def unexpected(_: Subject) -> Iterator[Finding]:
        raise KeyError("policies")

    def closed(_: Subject) -> Iterator[Finding]:
        raise NotLookedAt("it is dark in there", "bring a lamp")

    made = [
        Check("one", "gateway", (), managed),
        Check("two", "gateway", (), unexpected),
        Check("three", "tenant", (), closed),
        Check("four", "names", (), lambda _: [ok("fine")]),
    ]
    found = [(one.check, one.level, one.says) for one in examine(subject(sample()), made)]
    assert found == [
        ("one", "ok", "the first half"),
        ("one", "error", "the second: is broken"),
        ("two", "error", "unexpected KeyError: 'policies'"),
        ("three", "warning", "not looked at: it is dark in there"),
        ("four", "ok", "fine"),
    ]


def test_a_mistake_in_one_section_only_stops_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    values = spoiled({("gateway", "members", 0, "hostKey"): "no fingerprint", ("lockdown",): "perhaps"})
    made = [
        Check(one.name, one.side, one.needs, lambda _: [ok("was asked")])
        for one in CHECKS
        if one.name in ("listeners", "token", "MX")
    ]
    found = {one.check: one.says for one in examine(subject(values), made)}
    assert found == {
        "listeners": "not looked at: there are mistakes in gateway (see settings)",
        "token": "was asked",
        "MX": "not looked at: there are mistakes in gateway (see settings)",
    }


def test_every_check_needs_only_sections_that_there_are() -> None:
    one = subject(sample())
    assert [check.name for check in CHECKS if not all(one.has(name) for name in check.needs)] == []


def test_a_shared_gateways_own_stack_is_asked_nothing_about_a_tenant() -> None:
    shared = {key: sample()[key] for key in ("customer", "gateway")} | {"kind": "gateway"}
    one = subject(shared)
    names = {check.name for check in CHECKS if all(one.has(name) for name in check.needs)}
    assert {"settings", "engine", "reachable", "host key", "login", "cluster", "mail flow policy"} <= names
    assert not names & {"token", "MX", "SPF", "accepted domains", "certificates"}
    assert one.right.mistakes == ()


# --- settings -----------------------------------------------------------------------------------------------


def found_by(look: str, one: Subject) -> list[Finding]:
    return examine(one, [check for check in CHECKS if check.name == look])


def test_settings_without_a_mistake() -> None:
    [finding] = found_by("settings", subject(sample()))
    assert finding == Finding("settings", "ok", "Pulumi.contoso-prod.yaml has no mistakes")


def test_every_mistake_is_a_line() -> None:
    values = spoiled({("lockdown",): "perhaps", ("outbound", "state"): "some"})
    found = found_by("settings", subject(values))
    assert [one.level for one in found] == ["error", "error"]
    assert "lockdown is none of its words" in found[0].says + found[1].says


def test_the_sections_that_are_right_can_be_used() -> None:
    values = spoiled({("lockdown",): "perhaps", ("customer",): None})
    right = right_sections(values, ENVIRONMENT, ())
    assert right.wrong == {"lockdown", "customer"}
    assert right.settings.gateway.name == "hc1234"
    assert right.settings.names.sender_group == "RELAY_O365"


def test_a_header_secret_that_is_encrypted_is_there_and_other_secrets_are_not() -> None:
    cipher = {"secure": "v1:abc:def"}
    values = spoiled({("outbound", "secret"): cipher, ("credentials",): {"gatewayPassword": cipher}})
    assert encrypted_keys(values) == {"outbound", "credentials"}
    plain = without_encrypted(values)
    assert plain["credentials"] == {}
    no_secret = {name: value for name, value in ENVIRONMENT.items() if name != "OUTBOUND_SECRET"}
    assert right_sections(plain, no_secret, encrypted_keys(values)).mistakes == ()


def test_a_secret_in_clear_is_a_mistake() -> None:
    values = spoiled({("credentials",): {"gatewayPassword": "Practice-Gateway-7!"}})
    [finding] = found_by("settings", subject(values))
    assert "stands in the stack file in clear" in finding.says
    assert "Practice-Gateway" not in str(finding)


# --- the `pulumi` command -----------------------------------------------------------------------------------


@pytest.fixture
def pulumi(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """A `pulumi` that says what it is told to: by its first words, an exit code and a text."""

    def make(**answers: tuple[int, str]) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for word, (code, text) in answers.items():
            (folder / f"{word}.txt").write_text(text)
            (folder / f"{word}.code").write_text(str(code))
        script = '#!/bin/sh\nhere=$(dirname "$0")\ncat "$here/$1.txt" >&$(( $(cat "$here/$1.code") + 1 ))\n'
        for name, text in (
            ("pulumi", script + 'exit $(cat "$here/$1.code")\n'),
            ("pulumi-language-python", ""),
        ):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        return {"PATH": f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"}

    return make


def test_an_engine_that_is_as_it_should_be(pulumi: Callable[..., dict[str, str]]) -> None:
    path = pulumi(version=(0, f"v{pinned_version()}\n"))
    assert found_by("engine", subject(sample(), path)) == [
        Finding("engine", "ok", f"pulumi {pinned_version()}")
    ]


def test_an_engine_that_is_older_than_what_was_tested(pulumi: Callable[..., dict[str, str]]) -> None:
    [finding] = found_by("engine", subject(sample(), pulumi(version=(0, "v3.99.1"))))
    assert finding.level == "warning"
    assert "3.99.1 is older than" in finding.says


def test_an_engine_that_is_not_there(tmp_path: Path) -> None:
    [finding] = found_by("engine", subject(sample(), {"PATH": str(tmp_path)}))
    assert finding.level == "error"
    assert finding.says.startswith("not found: pulumi, pulumi-language-python")
    assert finding.fix == "run `make setup`"


LISTED = [{"name": "contoso-prod", "current": False, "lastUpdate": "2026-07-01T10:00:00.000Z"}]


@pytest.mark.parametrize(
    ("stacks", "level", "says"),
    [
        (LISTED, "ok", "has the stack contoso-prod, last changed 2026-07-01T10:00:00.000Z"),
        ([{**LISTED[0], "name": "organization/m365/contoso-prod"}], "ok", "has the stack contoso-prod"),
        ([{"name": "contoso-prod"}], "ok", "without an update yet"),
        ([], "warning", "it has no stack contoso-prod"),
        ([{**LISTED[0], "updateInProgress": True}], "warning", "a run holds the stack"),
    ],
)
def test_what_the_backend_has(
    pulumi: Callable[..., dict[str, str]], stacks: list[dict[str, Any]], level: str, says: str
) -> None:
    path = pulumi(stack=(0, json.dumps(stacks)))
    [finding] = found_by("backend", subject(sample(), path))
    assert finding.level == level
    assert says in finding.says


def test_a_backend_that_does_not_answer(pulumi: Callable[..., dict[str, str]]) -> None:
    path = pulumi(stack=(1, "error: could not open bucket s3://states: no such host\n"))
    [finding] = found_by("backend", subject(sample(), path))
    assert finding.level == "error"
    assert "could not open bucket s3://states" in finding.says
    assert "PULUMI_BACKEND_URL" in finding.fix


def test_what_is_encrypted_is_asked_of_the_engine(pulumi: Callable[..., dict[str, str]]) -> None:
    values = spoiled({("credentials",): {"gatewayPassword": {"secure": "v1:abc"}}})
    config = {f"m365-secure-email:{key}": {"value": "", "objectValue": one} for key, one in sample().items()}
    config["m365-secure-email:credentials"] = {"objectValue": {"gatewayPassword": "from-the-engine"}}
    with closing(subject(values, pulumi(config=(0, json.dumps(config))))) as one:
        assert one.settings.credentials.in_clear() == {"gatewayPassword": "from-the-engine"}
        [finding] = found_by("settings", one)
    assert finding.level == "ok"


def test_what_cannot_be_decrypted_is_told_and_the_rest_is_read(
    pulumi: Callable[..., dict[str, str]],
) -> None:
    values = spoiled({("outbound", "secret"): {"secure": "v1:abc"}})
    path = pulumi(config=(1, "error: incorrect passphrase\n"))
    with closing(subject(values, path)) as one:
        [finding] = found_by("settings", one)
        assert one.tenant_settings.outbound.state == "all"
    assert finding.level == "error"
    assert "the passphrase is not the one of this stack" in finding.says


def test_sides_are_asked_at_the_same_time() -> None:
    """Or a gateway that is silent would keep the tenant waiting."""
    both = threading.Barrier(2, timeout=20)

    def meet(_: Subject) -> list[Finding]:
        both.wait()
        return [ok("met")]

    made = [Check("one", "gateway", (), meet), Check("two", "tenant", (), meet)]
    assert [one.says for one in examine(subject(sample()), made)] == ["met", "met"]
