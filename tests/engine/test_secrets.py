"""No password, key, token or header secret in clear: on no screen, in no state, file or argument.

A whole life of a stack, with weather, and with secrets of others in what it takes over. Two lives: with the
credentials in the environment, and with all of them in the stack's encrypted config.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from lab.estate import Estate
from lab.gateway.commands import filters
from lab.gateway.filter_language import Filter, FilterError
from lab.tenant import errors, faults
from lab.tenant.foreign import FOREIGN_SECRET
from tests.engine.canaries import IN_CLEAR, Watch, arguments, awkward, canary, files, leaks, traces
from tests.engine.life import Life, living
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(600)  # some fifteen runs of the engine

RULE, FILTER, HEADER = "Outbound to Cisco CES", "office365_outbound", "X-OUTBOUND-AUTH"
OURS = {
    "gateway password": awkward("gateway password"),
    "key passphrase": awkward("key passphrase"),
    "client secret": awkward("client secret"),
    "certificate password": awkward("certificate password"),
    "header secret": canary("header secret"),
    "next header secret": canary("next header secret"),
}
OTHERS = {
    "header value of a rule that was taken over": canary("their header value"),
    "predicate of a rule that was taken over": canary("their predicate"),
    "value in a filter that was taken over": canary("their filter"),
    "header that a filter inserted": canary("their inserted header"),
    "header value set by hand": canary("header value set by hand"),
    "filter value set by hand": canary("filter value set by hand"),
    "foreign rule's header value": FOREIGN_SECRET,
}
CONFIGURED = {
    "credentials.gatewayPassword": "gateway password",
    "credentials.gatewayKeyPassphrase": "key passphrase",
    "credentials.azureClientCertificatePassword": "certificate password",
    "outbound.secret": "header secret",
}
TRACEBACK = {"M365SE_TRACEBACK": "1"}


@dataclass
class Evidence:
    """What a life left behind."""

    life: Life
    by_config: bool
    watch: Watch
    tokens: dict[str, str]
    places: dict[str, bytes] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)  # exit codes
    decrypted: bytes = b""

    def run(self, what: str, *arguments: str, **environment: str) -> str:
        """Run a command, whatever comes of it, and keep all that it said."""
        usual = dict(self.life.project.environment)
        self.life.project.environment.update(environment)
        try:
            run = self.life.project.pulumi(*arguments, check=False)
        finally:
            self.life.project.environment = usual
        self.places[f"output of {what}"] = run.output.encode()
        self.ends[what] = run.code
        return run.output

    def update(self, what: str, *options: str, **environment: str) -> str:
        return self.run(what, "up", "--yes", "--skip-preview", "--debug", "--diff", *options, **environment)


@pytest.mark.parametrize("by_config", [False, True], ids=["environment", "config"])
def test_a_life_leaves_no_secret_anywhere(tmp_path: Path, by_config: bool) -> None:  # noqa: FBT001 - pytest's
    evidence = collect(tmp_path, by_config=by_config)
    went_as_meant(evidence)
    assert len(evidence.places) > 50, "there is too little to look at"
    assert leaks(evidence.places, secrets(evidence)) == []
    state_holds_them_encrypted(evidence)
    journal_saw_them(evidence)
    what_changed_inside_a_secret_is_said(evidence)


def collect(folder: Path, *, by_config: bool) -> Evidence:
    """All that a life leaves behind, gathered while its lab still runs."""
    with Estate(folder / ".lab") as estate, pytest.MonkeyPatch.context() as patch:
        give_secrets(estate)
        furnish(estate)
        life = living(sandbox(folder, estate, by_config=by_config), estate)
        watch = Watch(folder / "tmp")
        found = Evidence(life, by_config, watch, tokens_of(estate, patch))
        estate.journal.when(lambda event: event.channel != "by-hand", watch.look, once=False)
        if by_config:
            configure(life.project)
        live_through(found, patch)
    found.places |= watch.places()
    found.places |= {f"file {name}": text for name, text in files(folder, [folder / ".lab"]).items()}
    return found


# --- a sandbox with canaries --------------------------------------------------------------------------------


def give_secrets(estate: Estate) -> None:
    """The lab's credentials become canaries; so do the words that open its key and its certificate."""
    estate.gateway.password = OURS["gateway password"]
    estate.tenant.client_secret = OURS["client secret"]
    organization = replace(estate.tenant.organization, client_secret=OURS["client secret"])
    estate.tenant.authority.organization = organization
    key = serialization.load_ssh_private_key(estate.gateway.private_key_path.read_bytes(), None)
    lock(key, estate.folder / "locked-key", "key passphrase", serialization.PrivateFormat.OpenSSH)
    pem = estate.tenant.certificate_path.read_bytes()
    locked = lock(
        serialization.load_pem_private_key(pem, None),
        estate.folder / "locked-certificate.pem",
        "certificate password",
        serialization.PrivateFormat.PKCS8,
    )
    locked.write_bytes(locked.read_bytes() + pem[pem.index(b"-----BEGIN CERTIFICATE") :])


def lock(key: Any, file: Path, name: str, form: serialization.PrivateFormat) -> Path:
    encryption = serialization.BestAvailableEncryption(OURS[name].encode())
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    return file


def furnish(estate: Estate) -> None:
    """A rule and a filter by our names, which another administrator made, with secrets in every corner."""
    estate.tenant.invoke_by_hand(
        "New-TransportRule",
        Name=RULE,
        FromScope="InOrganization",
        HeaderContainsMessageHeader="X-Other-Auth",
        HeaderContainsWords=[OTHERS["predicate of a rule that was taken over"]],
        SetHeaderName=HEADER,
        SetHeaderValue=OTHERS["header value of a rule that was taken over"],
    )
    write_filter(
        estate,
        f'if (sendergroup == "RELAYLIST") {{ if (header("{HEADER}") == '
        f'"^{OTHERS["value in a filter that was taken over"]}$") {{ '
        f'insert-header("X-Theirs", "{OTHERS["header that a filter inserted"]}"); }} else {{ drop(); }} }}',
    )


def write_filter(estate: Estate, text: str) -> None:
    gone = ["filters", "delete", FILTER, ""] if FILTER in estate.gateway.dump() else []
    estate.gateway.type_by_hand(
        [*gone, "filters", "new", f"{FILTER}:", text, ".", "", "commit", "by hand", "Y"]
    )


def sandbox(folder: Path, estate: Estate, *, by_config: bool) -> Project:
    """With all temporary files and the user's home inside; in `by_config` no variable holds a credential."""
    for name in ("tmp", "user"):
        (folder / name).mkdir()
    environment = {
        "M365SE_CONNECT": estate.environment["M365SE_CONNECT"],
        "TMPDIR": str(folder / "tmp"),
        "HOME": str(folder / "user"),
    }
    if not by_config:
        environment |= {
            "GATEWAY_PASSWORD": OURS["gateway password"],
            "AZURE_CLIENT_SECRET": OURS["client secret"],
            "OUTBOUND_SECRET": OURS["header secret"],
        }
    return Project(folder, "bce-demo-lab", environment)


def configure(project: Project) -> None:
    """Everything into the stack's config, encrypted by the engine; values go in through stdin."""
    for key, name in CONFIGURED.items():
        set_secret(project, key, OURS[name])
    for key, file in (
        ("gatewayKeyFile", "locked-key"),
        ("azureClientCertificatePath", "locked-certificate.pem"),
    ):
        project.pulumi("config", "set", "--path", f"credentials.{key}", f".lab/{file}")


def set_secret(project: Project, key: str, value: str) -> None:
    subprocess.run(
        ["pulumi", "config", "set", "--secret", "--path", key, "--stack", project.stack],
        cwd=project.folder,
        env=project.environment,
        input=value,
        text=True,
        check=True,
    )


def tokens_of(estate: Estate, patch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every token that the lab gives from now on."""
    given: dict[str, str] = {}
    issue = estate.tenant.tokens.issue

    def noted(audience: str) -> str:
        token = issue(audience)
        given[f"token {len(given) + 1}"] = token.rpartition(".")[2]  # its signature: the rest is no secret
        return token

    patch.setattr(estate.tenant.tokens, "issue", noted)
    return given


# --- a life -------------------------------------------------------------------------------------------------


def live_through(evidence: Evidence, patch: pytest.MonkeyPatch) -> None:
    project = evidence.life.project
    evidence.run("a preview that refuses", "preview", "--diff")
    settings = project.stack_file.read_text(encoding="utf-8")
    project.stack_file.write_text(take_over(settings), encoding="utf-8")
    evidence.run("the first preview", "preview", "--json" if evidence.by_config else "--diff", "--debug")
    evidence.update("the first up")
    if evidence.by_config:
        evidence.run("the second up", "up", "--yes", "--expect-no-changes")
    drift(evidence)
    rotate_in_bad_weather(evidence, patch)
    evidence.run("stack export", "stack", "export")
    evidence.run("stack history", "stack", "history", "--json")
    evidence.run("config", "config", "--json")
    evidence.decrypted = project.pulumi("stack", "export", "--show-secrets").output.encode()
    refuse_the_way_back(evidence, patch)
    evidence.run("a destroy that Exchange refuses", "destroy", "--yes", "--skip-preview", "--diff")
    evidence.run("destroy", "destroy", "--yes", "--skip-preview", "--debug", "--diff")
    evidence.run("stack export after destroy", "stack", "export")


def take_over(settings: str) -> str:
    """The stack file, which the engine may have rewritten, with leave to take over their rule and filter."""
    file = yaml.safe_load(settings)
    file["config"]["m365-secure-email:takeOver"] = ["mailFlowPolicy", "outboundRule", "filter"]
    return yaml.safe_dump(file)


def drift(evidence: Evidence) -> None:
    """Someone changes both by hand."""
    estate = evidence.life.estate
    value = OTHERS["header value set by hand"]
    estate.tenant.invoke_by_hand(
        "Set-TransportRule", Identity=RULE, SetHeaderName=HEADER, SetHeaderValue=value
    )
    write_filter(
        estate,
        f'if (sendergroup == "RELAY_O365") {{ if (header("{HEADER}") == '
        f'"{OTHERS["filter value set by hand"]}") {{ strip-header("{HEADER}"); }} }}',
    )
    evidence.run("preview --refresh", "preview", "--refresh", "--diff" if evidence.by_config else "--json")
    evidence.run("refresh", "refresh", "--yes", "--skip-preview", "--diff", "--debug")
    evidence.update("the repair")


def rotate_in_bad_weather(evidence: Evidence, patch: pytest.MonkeyPatch) -> None:
    """A new secret: the gateway refuses the filter, and says it again; then Exchange refuses, likewise."""
    estate, project = evidence.life.estate, evidence.life.project
    set_secret(project, "outbound.previousSecrets[0]", OURS["header secret"])
    if evidence.by_config:
        set_secret(project, "outbound.secret", OURS["next header secret"])
    else:
        project.environment["OUTBOUND_SECRET"] = OURS["next header secret"]

    def refuse(_session: object, new: list[Filter]) -> None:
        raise FilterError(f"not now: {' '.join(filters.canonical(one) for one in new)}")

    with pytest.MonkeyPatch.context() as weather:
        weather.setattr(filters, "_check_unique", refuse)
        evidence.update("an up with a refused filter", **TRACEBACK if evidence.by_config else {})
    new, old = OURS["next header secret"], OURS["header secret"]
    echo = f'Set-TransportRule "{RULE}" -SetHeaderValue "{new}": cannot convert "{new}" from {old}'
    patch.setitem(faults.NAMES, "echo", faults._failure(errors.makes_no_sense(echo)))
    estate.tenant.faults.add("Set-TransportRule", "echo")
    evidence.update("an up that Exchange refuses", **{} if evidence.by_config else TRACEBACK)
    evidence.update("the rotation")
    evidence.run("the refresh after it", "refresh", "--yes", "--skip-preview", "--diff")


def refuse_the_way_back(evidence: Evidence, patch: pytest.MonkeyPatch) -> None:
    """Putting their rule back fails, and the answer says it again, as others' servers do."""
    value = OTHERS["header value of a rule that was taken over"]
    word = OTHERS["predicate of a rule that was taken over"]
    echo = f"-SetHeaderValue '{value}' -HeaderContainsWords {word}: neither {value} nor {word} will do"
    patch.setitem(faults.NAMES, "echo", faults._failure(errors.makes_no_sense(echo)))
    evidence.life.estate.tenant.faults.add("Set-TransportRule", "echo")


# --- what is asserted ---------------------------------------------------------------------------------------


def secrets(evidence: Evidence) -> dict[str, str]:
    return {**OURS, **OTHERS, **evidence.tokens}


def went_as_meant(evidence: Evidence) -> None:
    """Or nothing was there that could have leaked."""
    failed = {what for what, code in evidence.ends.items() if code}
    assert failed == {
        "a preview that refuses",
        "an up with a refused filter",
        "an up that Exchange refuses",
        "a destroy that Exchange refuses",
    }, "\n".join(evidence.places[f"output of {what}"].decode() for what in sorted(failed))
    assert evidence.life.estate.dump() == evidence.life.before
    assert evidence.watch.looks > 100
    logins = evidence.life.estate.journal.events("gateway", "login")
    tokens = evidence.life.estate.journal.events("tenant", "token", ok=True)
    assert {event.detail["method"] for event in tokens} == {"assertion" if evidence.by_config else "secret"}
    assert ("publickey" if evidence.by_config else "password") in {event.detail["method"] for event in logins}


def state_holds_them_encrypted(evidence: Evidence) -> None:
    """What the export must not show is in it: shown, once the engine is asked to decrypt."""
    found = "\n".join(leaks({"state": evidence.decrypted}, secrets(evidence)))
    wanted = {"header secret", "next header secret", *list(OTHERS)[:4]}
    if evidence.by_config:
        wanted |= set(CONFIGURED.values())
    assert {name for name in wanted if f"state: {name} " not in found} == set()


def journal_saw_them(evidence: Evidence) -> None:
    """So the search finds them where they are."""
    journal = "\n".join(event.as_json() for event in evidence.life.estate.journal.events())
    found = "\n".join(leaks({"journal": journal.encode()}, secrets(evidence)))
    wanted = {"header secret", "next header secret", *OTHERS} - {"foreign rule's header value"}
    assert {name for name in wanted if f"journal: {name} " not in found} == set()


def what_changed_inside_a_secret_is_said(evidence: Evidence) -> None:
    """The other side: an operator sees that something is not right, and where."""
    shown = evidence.places["output of preview --refresh"].decode()
    assert "setHeaderValue: differs" in shown
    assert "outbound filter: 1 alternative missing" in shown or "outbound filter: text: not ours" in shown
    refused = evidence.places["output of a preview that refuses"].decode()
    assert re.search("add (outboundRule|filter) to the setting takeOver", refused)  # the engine stops at one


# --- would it be found? -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_a_seeded_leak_is_found_in_every_form(tmp_path: Path, name: str) -> None:
    value = OURS[name]
    for form, pieces in traces(value).items():
        for piece in pieces:
            (tmp_path / "leak").write_bytes(b"before " + piece + b" after")
            found = leaks(files(tmp_path), {name: value})
            assert len(found) == 1
            assert form in found[0] or IN_CLEAR in found[0]
    assert leaks({"clean": json.dumps(list(OTHERS)).encode()}, {name: value}) == []


@pytest.mark.parametrize("cut", [slice(0, 20), slice(5, 21), slice(-16, None)])
def test_half_of_a_secret_is_found(cut: slice) -> None:
    value = OURS["header secret"]
    assert leaks({"output": value[cut].encode()}, {"header secret": value}) == [
        "output: header secret in clear"
    ]


def test_an_argument_of_a_process_is_found() -> None:
    value = OURS["client secret"]
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()", value], stdin=subprocess.PIPE
    ) as process:
        found = leaks({"arguments": b"\n".join(arguments())}, {"client secret": value})
        process.communicate()
    assert found == ["arguments: client secret in clear"]
