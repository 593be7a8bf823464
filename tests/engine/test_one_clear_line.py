"""What goes wrong ends in one clear line: what happened, where, what to do. No traceback, no class, no hang.

Each is read as an operator reads it at night. One of each family runs on the real engine, all of them on the
small one, which starts the same provider processes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import yaml

from components.secure_email_integration import SecureEmailIntegration
from components.settings import Settings
from components.stack_config import NAMESPACE
from lab.estate import Estate
from lab.gateway.commands import filters
from lab.gateway.filter_language import Filter, FilterError
from tests.engine.canaries import leaks
from tests.engine.canary_estate import OURS, WRONG, credentials, give_secrets
from tests.engine.life import begin, living
from tests.engine.mishaps import CASES, ESA, MEMBER, Case, Changes, jump
from tests.mini_engine import MiniEngine, Refused, Run
from tests.nursery_engine import NurseryEngine
from tests.plugin_nursery import Nursery
from tests.unit.settings_samples import spoiled
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)

SECONDS = 30.0  # the longest that an operator waits for such a line; most come in two
LONGEST = 600  # letters of a line, an appliance's own words included
PROFILES = {"new": "bce-demo-lab", "cluster": "contoso-prod", "strange": "bce-demo-lab"}


# --- the small engine: all of them --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def estates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Estate]]:
    with ExitStack() as running, pytest.MonkeyPatch.context() as patch:
        known: dict[str, Estate] = {}

        def estate(profile: str) -> Estate:
            if profile not in known:
                folder = tmp_path_factory.mktemp(profile)
                known[profile] = running.enter_context(Estate(folder, profile))
                key = asyncssh.generate_private_key("ssh-ed25519")
                (folder / "other-key").write_bytes(key.export_private_key())
                known[profile].tenant.unregistered_certificate()
                give_secrets(known[profile], patch)
            return known[profile]

        yield estate


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


@contextmanager
def as_it_was(estate: Estate) -> Iterator[None]:
    """Whatever the weather did is over afterwards."""
    at_first = estate.snapshot()
    try:
        yield
    finally:
        estate.reset()
        estate.restore(at_first)
        if estate.gateway.jump:
            jump(estate, refuses=False, refuses_connections=False, host_key_seed="")


def small_engine(estate: Estate, nursery: Nursery, case: Case) -> MiniEngine:
    given = {
        name: value.format(folder=estate.folder) if value else None
        for name, value in case.environment.items()
    }
    environment = {name: value for name, value in {**credentials(estate), **given}.items() if value}
    place: Changes = {("endpoints", "caBundle"): str(estate.ca_file.resolve())}
    values = spoiled({**place, **case.changes}, PROFILES[case.profile])
    settings = Settings.from_config(values, environment)

    def program() -> None:
        SecureEmailIntegration("mail-flow", settings)

    return NurseryEngine(nursery, program, environment)


def refusal(engine: MiniEngine, verb: str) -> str:
    run: Callable[[], Run] = {"preview": engine.preview, "up": engine.up}[verb]
    with pytest.raises(Refused) as caught:
        run()
    return str(caught.value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_clear_line(estates: Callable[[str], Estate], nursery: Nursery, case: Case) -> None:
    estate = estates(case.profile)
    with as_it_was(estate):
        before, mark = estate.gateway.dump(), estate.journal.mark()
        case.weather(estate)
        started = time.monotonic()
        engine = small_engine(estate, nursery, case)
        line = refusal(engine, case.verb)
        assert time.monotonic() - started < SECONDS
        assert_clear(line.removesuffix("\n"), case.says)
        shown = "\n".join([line, *engine._run.lines])
        assert leaks({"output": shown.encode()}, {**OURS, **WRONG}) == []
        assert estate.journal.count("gateway", "login-failed", since=mark) <= 1, "accounts lock"
        if case.verb == "preview" or estate.journal.count("gateway", "commit", since=mark) == 0:
            assert estate.gateway.dump() == before


def assert_clear(line: str, says: str) -> None:
    assert re.fullmatch(f"{NAMESPACE}: {says}", line), line
    assert line.isprintable()
    assert len(line) <= LONGEST
    for noise in ("Traceback", 'File "', "dynamic_providers", " at 0x", "errno", "None", "{", "}"):
        assert noise.lower() not in line.lower()
    assert not re.search(r"\w(Error|Exception)\b", line), "a class's name tells an operator nothing"


def test_a_filter_that_is_refused(
    estates: Callable[[str], Estate], nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the appliance says of it, the secret in it is not shown."""
    estate = estates("new")

    def refuse(_session: object, new: list[Filter]) -> None:
        raise FilterError(f"Line 2 makes no sense: {filters.canonical(new[0])}")

    with as_it_was(estate):
        monkeypatch.setattr(filters, "_check_unique", refuse)
        before = estate.gateway.dump()
        line = refusal(small_engine(estate, nursery, Case("", "", verb="up")), "up")
        assert re.fullmatch(
            rf"{NAMESPACE}: {ESA}: the filter «office365_outbound» is refused: «Error: Line 2 makes no "
            r"sense: .*»\. Please report this with the release \(`version`\)\n",
            line,
        ), line
        assert leaks({"output": line.encode()}, OURS) == []
        assert "office365_outbound" not in estate.gateway.dump()
        assert estate.journal.count("gateway", "commit-started") == 0 or estate.gateway.dump() != before


# --- the real engine: one of each family --------------------------------------------------------------------


def stack_with(changes: Changes) -> str:
    values = spoiled(changes, "bce-demo-lab")
    config = {f"{NAMESPACE}:{key}": value for key, value in values.items()}
    return yaml.safe_dump({"config": config}, sort_keys=False)


def said(output: str, kind: str = "error") -> set[str]:
    """The lines that the engine marks as errors, without its own last word."""
    lines = re.findall(rf"\b{kind}: (.*)", output)
    return {line.strip() for line in lines} - {"update failed", "preview failed"}


REAL = (
    "changed host key",
    "policy missing",
    "changes of someone else pending",
    "AADSTS7000215",
    "401, no app role",
)


@pytest.mark.parametrize("case", [case for case in CASES if case.name in REAL], ids=lambda case: case.name)
def test_one_clear_line_of_the_real_engine(
    tmp_path: Path, estate: Estate, warm: Mapping[str, str], case: Case
) -> None:
    environment = {
        **estate.environment,
        **warm,
        **{name: value or "" for name, value in case.environment.items()},
    }
    project = Project(tmp_path, "bce-demo-lab", environment, settings=stack_with(case.changes))
    life = living(project, estate)
    case.weather(estate)
    started = time.monotonic()
    run = project.up(check=False) if case.verb == "up" else project.preview(check=False)
    assert time.monotonic() - started < SECONDS
    assert not run.ok
    lines = said(run.output)
    assert len(lines) == 1, run.output
    assert_clear(lines.pop(), case.says)
    assert "Traceback" not in run.output
    if case.verb == "preview":
        assert estate.dump() == life.before


def test_a_domain_that_the_tenant_does_not_accept_is_a_warning(
    tmp_path: Path, estate: Estate, warm: Mapping[str, str]
) -> None:
    """And the up goes on."""
    domain = {"microsoftMx": "elsewhere-example.mail.protection.outlook.com"}
    settings = stack_with({("domains", "elsewhere.example"): domain, ("outbound", "state"): "none"})
    life = living(
        Project(tmp_path, "bce-demo-lab", {**estate.environment, **warm}, settings=settings), estate
    )
    run = life.project.up()
    assert said(run.output) == set()
    warning = (
        "bcedemo.onmicrosoft.com: elsewhere.example is no accepted domain of this tenant, so Exchange "
        "refuses mail for it: add and verify it in the Microsoft 365 admin center"
    )
    assert warning in said(run.output, "warning"), run.output
    assert "elsewhere.example" in estate.gateway.dump()


def test_a_wrong_stack_file_lists_every_mistake_and_connects_nowhere(
    tmp_path: Path, estate: Estate, warm: Mapping[str, str]
) -> None:
    changes: dict[tuple[str | int, ...], Any] = {
        ("domains", "con_toso.example"): {"microsoftMx": "a.mx.microsoft"},
        ("domains", "BCE-Demo.com."): {"microsoftMx": "a.mx.microsoft"},
        (*MEMBER, "data1"): "2001:db8::1",
        (*MEMBER, "data2"): "192.0.2.0/23",
        ("inbound", "senderAddresses"): [],
        ("gateway", "inboundListener"): "Outgoing\nMail",
        ("names", "inboundRule"): "x" * 65,
        ("names", "outboundRule"): "y" * 65,
        ("outbound", "smartHosts"): None,
        ("outbond",): {},
    }
    wanted = {
        "domains.con_toso.example is not a domain name",
        " is the same domain as domains.",
        "gateway.members[0].data1 is IPv6",
        "gateway.members[0].data2 is too wide",
        "inbound.senderAddresses is empty",
        "gateway.inboundListener holds a line break",
        "names.inboundRule is longer than 64",
        "names.outboundRule is longer than 64",
        "outbound.smartHosts is missing",
        "outbond is no setting: did you mean outbound?",
        "outbound.secret (from OUTBOUND_SECRET) has characters other than letters and digits",
    }
    secret = "my.secret*key"
    environment = {**estate.environment, **warm, "OUTBOUND_SECRET": secret}
    project = Project(tmp_path, "bce-demo-lab", environment, settings=stack_with(changes))
    begin(project)
    mark = estate.journal.mark()
    run = project.preview(check=False)
    assert not run.ok
    assert f"{len(wanted)} mistakes; nothing was connected to, nothing was changed" in run.output
    assert {line for line in wanted if line not in run.output} == set()
    assert "Traceback" not in run.output
    assert secret not in run.output
    assert estate.journal.events(since=mark) == []


def test_one_listener_for_both_directions_is_a_mistake(
    tmp_path: Path, estate: Estate, warm: Mapping[str, str]
) -> None:
    settings = stack_with({("gateway", "outboundListener"): "IncomingMail"})
    project = Project(tmp_path, "bce-demo-lab", {**estate.environment, **warm}, settings=settings)
    begin(project)
    run = project.up(check=False)
    assert not run.ok
    assert "gateway.outboundListener is the same as gateway.inboundListener" in run.output
    assert estate.journal.events() == []
