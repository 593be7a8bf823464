"""What goes wrong ends in one clear line: what happened, where, what to do. No traceback, no class, no hang.

Each is read as an operator reads it at night. One of each family runs on the real engine, all of them on the
small one, which starts the same provider processes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
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
from lab.journal import Event
from tests.engine.life import living
from tests.mini_engine import MiniEngine, Refused, Run
from tests.unit.settings_samples import spoiled
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)

SECONDS = 30.0  # the longest that an operator waits for such a line; most come in two
LONGEST = 600  # letters of a line, an appliance's own words included
PROFILES = {"new": "bce-demo-lab", "cluster": "contoso-prod", "strange": "bce-demo-lab"}
MEMBER = ("gateway", "members", 0)
ESA = r"esa1\.bce-demo\.example"
JUMP = r"jump host f10-ssh\.c3s2\.iphmx\.com"
TENANT = r"bcedemo\.onmicrosoft\.com"
LOGIN = rf"login of {TENANT}: .*"
APP = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
FINGERPRINT = r"SHA256:[\w+/]{43}"

Changes = Mapping[tuple[str | int, ...], object]


def nothing(_estate: Estate) -> None:
    """The weather is in the settings."""


@dataclass(frozen=True)
class Case:
    """One mishap: how it comes about, and the whole line that it must give, but for the project's name."""

    name: str
    says: str
    weather: Callable[[Estate], None] = nothing
    verb: str = "preview"
    profile: str = "new"
    changes: Changes = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)  # None: not set; {folder}: the lab's


def switch(estate: Estate, **values: object) -> None:
    for name, value in values.items():
        setattr(
            estate.tenant.switches if hasattr(estate.tenant.switches, name) else estate.gateway, name, value
        )


def jump(estate: Estate, **values: object) -> None:
    assert estate.gateway.jump is not None
    for name, value in values.items():
        setattr(estate.gateway.jump, name, value)


def fault(estate: Estate, cmdlet: str, error: str, retry_after: int = 1) -> None:
    estate.tenant.faults.add(cmdlet, error, times=99, retry_after=retry_after)


def someone_else_at_work(estate: Estate) -> None:
    """Changes that are not ours are pending in the session that we are given."""

    def leave(_event: Event) -> None:
        (session,) = estate.gateway.sessions
        session.write("smtproutes", "theirs.example", "added", lambda _tables: None)

    estate.journal.when(is_show_changes, leave)


def is_show_changes(event: Event) -> bool:
    return event.kind == "command" and event.detail["line"] == "showchanges"


OTHER_KEY = {"GATEWAY_PASSWORD": None, "GATEWAY_KEY_FILE": "{folder}/other-key"}
STRANGER = {
    "AZURE_CLIENT_SECRET": None,
    "AZURE_CLIENT_CERTIFICATE_PATH": "{folder}/unregistered-certificate.pem",
}
CASES = [
    # --- the way to the gateway
    Case(
        "changed host key",
        rf"{ESA}: its host key is not the expected one: it shows ssh-ed25519 {FINGERPRINT}, expected "
        rf"{FINGERPRINT}\. Nothing was sent to it\. Ask its owner whether the key was changed; only then put "
        r"the new fingerprint into the setting gateway\.members\.hostKey",
        partial(switch, host_key_seed="someone in between"),
    ),
    Case(
        "wrong password",
        rf"{ESA}: user «admin» is refused \(tried: password\)\. Check the member's user and GATEWAY_PASSWORD "
        r"or GATEWAY_KEY_FILE; the account may also be locked",
        environment={"GATEWAY_PASSWORD": "not-the-password"},
    ),
    Case(
        "wrong key",
        rf"{ESA}: user «admin» is refused \(tried: key\)\. Check .*GATEWAY_KEY_FILE.*",
        environment=OTHER_KEY,
    ),
    Case(
        "no key file",
        rf"{ESA}: the key in GATEWAY_KEY_FILE cannot be used: No such file or directory\. It must be .*",
        environment={"GATEWAY_PASSWORD": None, "GATEWAY_KEY_FILE": "{folder}/no-such-key"},
    ),
    Case(
        "name unknown",
        r"esa9\.bce-demo\.example: no connection: the name is not known\. Check host and port, and .*",
        changes={(*MEMBER, "host"): "esa9.bce-demo.example"},
    ),
    Case(
        "closed port",
        r"127\.0\.0\.1:1: no connection: connection refused\. Check host and port, and .*",
        changes={(*MEMBER, "host"): "127.0.0.1", (*MEMBER, "port"): 1},
    ),
    Case(
        "hangs up",
        rf"{ESA}: something answers, but the SSH connection does not come about: it ended before it said "
        r"that it is SSH\. Check host and port",
        partial(switch, refuse_connections=True),
    ),
    Case(
        "old algorithms",
        rf"{ESA}: no common algorithm .*ssh-rsa.*`sshconfig`.*",
        partial(switch, sha1_only=True),
    ),
    Case(
        "jump host does not know our key",
        rf"{JUMP}: user «dh-user» with this key is refused\. Check GATEWAY_KEY_FILE, and that Cisco has "
        "registered its public key for your allocation",
        profile="cluster",
        environment={"GATEWAY_KEY_FILE": "{folder}/other-key"},
    ),
    Case(
        "jump host does not lead on",
        rf"{JUMP}: it does not lead on to esa1\.hc1234-56\.c3s2\.iphmx\.com: not allowed .*\. Check the "
        "member's host and port, and that they belong to your allocation",
        partial(jump, refuses=True),
        profile="cluster",
    ),
    Case(
        "jump host hangs up",
        rf"{JUMP}: something answers, but the SSH connection does not come about: .*\. Check host and port",
        partial(jump, refuses_connections=True),
        profile="cluster",
    ),
    Case(
        "changed host key of the jump host",
        rf"{JUMP}: its host key is not the expected one: it shows ssh-ed25519 {FINGERPRINT}, expected "
        rf"{FINGERPRINT}\. .* into the setting gateway\.jumpHost\.hostKey",
        partial(jump, host_key_seed="someone in between"),
        profile="cluster",
    ),
    # --- on the gateway
    Case(
        "listener missing",
        rf"{ESA}: there is no listener «outgoingmail» \(upper and lower case count\); there are: "
        r"IncomingMail, OutgoingMail\. Correct gateway\.inboundListener or gateway\.outboundListener",
        changes={("gateway", "outboundListener"): "outgoingmail"},
    ),
    Case(
        "policy missing",
        r"bce-demo: listener «OutgoingMail» has no mail flow policy «RELAYING»; it has: BLOCKED, RELAYED\. "
        r"Correct names\.mailFlowPolicy, or make the policy first",
        changes={("names", "mailFlowPolicy"): "RELAYING"},
    ),
    Case(
        "unknown question",
        rf"{ESA}: writing the .*: it asks what no answer is known for: «Select the telemetry class .*»\. "
        r"Nothing was changed; please report the question and the release \(`version`\)",
        verb="up",
        profile="strange",
    ),
    Case(
        "changes of someone else pending",
        rf"{ESA}: changes are pending that are not ours: «.*smtproutes: theirs\.example added»\. Have "
        r"whoever made them commit or clear them \(`commit`, `clear`\), then run it again",
        someone_else_at_work,
        verb="up",
    ),
    Case(
        "commit refused",
        rf"{ESA}: the commit was refused: «.*the disk is full\.»\. Our changes were taken back\. Look at "
        "what it says, then run it again",
        partial(switch, refuse_commit="the disk is full."),
        verb="up",
    ),
    # --- logging in to the tenant
    Case(
        "AADSTS7000215",
        rf"{LOGIN}client secret of the app registration {APP} is wrong \(AADSTS7000215\).*\. Give the "
        "secret's value, not its id, in AZURE_CLIENT_SECRET",
        environment={"AZURE_CLIENT_SECRET": "not-the-secret"},
    ),
    Case(
        "AADSTS7000222",
        rf"{LOGIN}client secret .* has expired \(AADSTS7000222\).*\. Make a new one in Entra and put it into "
        "AZURE_CLIENT_SECRET",
        partial(switch, secret_expired=True),
    ),
    Case(
        "AADSTS700016",
        rf"{LOGIN}no app registration .* in this tenant \(AADSTS700016\).*\. Check the setting "
        r"tenant\.clientId and AZURE_CLIENT_ID, and that the app has consent in this tenant",
        environment={"AZURE_CLIENT_ID": "aaaaaaaa-bbbb-4ccc-8ddd-000000000000"},
    ),
    Case(
        "AADSTS90002",
        rf"{LOGIN}no tenant 11111111-.* \(AADSTS90002\)\. Check the settings tenant\.id and tenant\.cloud",
        changes={("tenant", "id"): "11111111-2222-4333-8444-000000000000"},
    ),
    Case(
        "AADSTS700027",
        rf"{LOGIN}certificate is not registered with the app registration {APP} \(AADSTS700027\).*\. Upload "
        r"it in Entra, or name the registered one in AZURE_CLIENT_CERTIFICATE_PATH",
        environment=STRANGER,
    ),
    # --- rights and weather in the tenant
    Case(
        "401, no app role",
        rf"{TENANT}, Get-\w+: not allowed \(401\): the app registration {APP} lacks the app role "
        r"Exchange\.ManageAsApp.*\. Give it that application permission of Office 365 Exchange Online, with "
        "admin consent",
        partial(switch, app_role=False),
    ),
    Case(
        "401, role there",
        rf"{TENANT}, Get-\w+: not allowed \(401\): a new token was refused too.*\. Check the app role .*",
        partial(fault, cmdlet="Get-*", error="unauthorized"),
    ),
    Case(
        "403, no directory role",
        rf"{TENANT}, Get-\w+: not allowed \(403\): the app role Exchange\.ManageAsApp is there, but the "
        rf"service principal of {APP} has no directory role that allows this cmdlet.*\. Make it Exchange "
        r"Administrator in Entra \(Global Reader is enough to preview\); that can take minutes to act",
        partial(switch, directory_role="none"),
    ),
    Case(
        "403, may only read",
        rf"{TENANT}, New-\w+: not allowed \(403\): .* no directory role that allows .*\. Make it .*",
        partial(switch, directory_role="reader"),
        verb="up",
    ),
    Case(
        "throttled for too long",
        rf"{TENANT}, Get-\w+: asked to wait: too many requests .*; given up after 1 attempt in 0 s, and the "
        r"server asks to wait 3600 s more\. Run it again later; what was done so far is kept",
        partial(fault, cmdlet="Get-*", error="throttled", retry_after=3600),
    ),
    Case(
        "login throttled for too long",
        rf"{LOGIN}asks to wait: too many requests; given up .*\. Run it again later; .*",
        partial(fault, cmdlet="token", error="throttled", retry_after=3600),
    ),
]


# --- the small engine: all of them --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def estates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Estate]]:
    with ExitStack() as running:
        known: dict[str, Estate] = {}

        def estate(profile: str) -> Estate:
            if profile not in known:
                folder = tmp_path_factory.mktemp(profile)
                known[profile] = running.enter_context(Estate(folder, profile))
                key = asyncssh.generate_private_key("ssh-ed25519")
                (folder / "other-key").write_bytes(key.export_private_key())
                known[profile].tenant.unregistered_certificate()
            return known[profile]

        yield estate


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


def small_engine(estate: Estate, case: Case) -> MiniEngine:
    given = {
        name: value.format(folder=estate.folder) if value else None
        for name, value in case.environment.items()
    }
    environment = {name: value for name, value in {**estate.environment, **given}.items() if value}
    place: Changes = {("endpoints", "caBundle"): str(estate.ca_file.resolve())}
    values = spoiled({**place, **case.changes}, PROFILES[case.profile])
    settings = Settings.from_config(values, environment)

    def program() -> None:
        SecureEmailIntegration("mail-flow", settings)

    return MiniEngine(program, environment)


def refusal(engine: MiniEngine, verb: str) -> str:
    run: Callable[[], Run] = {"preview": engine.preview, "up": engine.up}[verb]
    with pytest.raises(Refused) as caught:
        run()
    return str(caught.value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_clear_line(estates: Callable[[str], Estate], case: Case) -> None:
    estate = estates(case.profile)
    with as_it_was(estate):
        before, mark = estate.gateway.dump(), estate.journal.mark()
        case.weather(estate)
        started = time.monotonic()
        line = refusal(small_engine(estate, case), case.verb)
        assert time.monotonic() - started < SECONDS
        assert_clear(line.removesuffix("\n"), case.says)
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


def test_a_filter_that_is_refused(estates: Callable[[str], Estate], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the appliance says of it, the secret in it is not shown."""
    estate = estates("new")

    def refuse(_session: object, new: list[Filter]) -> None:
        raise FilterError(f"Line 2 makes no sense: {filters.canonical(new[0])}")

    with as_it_was(estate):
        monkeypatch.setattr(filters, "_check_unique", refuse)
        before = estate.gateway.dump()
        line = refusal(small_engine(estate, Case("", "", verb="up")), "up")
        assert re.fullmatch(
            rf"{NAMESPACE}: {ESA}: the filter «office365_outbound» is refused: «Error: Line 2 makes no "
            r"sense: .*»\. Please report this with the release \(`version`\)\n",
            line,
        ), line
        assert estate.environment["OUTBOUND_SECRET"] not in line
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
def test_one_clear_line_of_the_real_engine(tmp_path: Path, estate: Estate, case: Case) -> None:
    environment = {**estate.environment, **{name: value or "" for name, value in case.environment.items()}}
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


def test_a_domain_that_the_tenant_does_not_accept_is_a_warning(tmp_path: Path, estate: Estate) -> None:
    """And the up goes on."""
    domain = {"microsoftMx": "elsewhere-example.mail.protection.outlook.com"}
    settings = stack_with({("domains", "elsewhere.example"): domain})
    life = living(Project(tmp_path, "bce-demo-lab", estate.environment, settings=settings), estate)
    run = life.project.up()
    assert said(run.output) == set()
    warning = (
        "bcedemo.onmicrosoft.com: elsewhere.example is no accepted domain of this tenant, so Exchange "
        "refuses mail for it: add and verify it in the Microsoft 365 admin center"
    )
    assert warning in said(run.output, "warning"), run.output
    assert "elsewhere.example" in estate.gateway.dump()


def test_a_wrong_stack_file_lists_every_mistake_and_connects_nowhere(tmp_path: Path, estate: Estate) -> None:
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
    environment = {**estate.environment, "OUTBOUND_SECRET": secret}
    project = Project(tmp_path, "bce-demo-lab", environment, settings=stack_with(changes))
    project.init()
    mark = estate.journal.mark()
    run = project.preview(check=False)
    assert not run.ok
    assert f"{len(wanted)} mistakes; nothing was connected to, nothing was changed" in run.output
    assert {line for line in wanted if line not in run.output} == set()
    assert "Traceback" not in run.output
    assert secret not in run.output
    assert estate.journal.events(since=mark) == []


def test_one_listener_for_both_directions_is_a_mistake(tmp_path: Path, estate: Estate) -> None:
    settings = stack_with({("gateway", "outboundListener"): "IncomingMail"})
    project = Project(tmp_path, "bce-demo-lab", estate.environment, settings=settings)
    project.init()
    run = project.up(check=False)
    assert not run.ok
    assert "gateway.outboundListener is the same as gateway.inboundListener" in run.output
    assert estate.journal.events() == []
