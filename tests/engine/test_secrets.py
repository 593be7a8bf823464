"""No password, key, token or header secret in clear: on no screen, in no state, file, report or argument.

Whole lives of a stack, with weather, and with secrets of others in what it takes over: one with the
credentials in the environment, mail that flows and everything on; one with all of them in the stack's
encrypted config. What goes wrong before anything is done is looked at in test_one_clear_line.py.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from lab.estate import Estate
from lab.gateway.commands import filters
from lab.gateway.filter_language import Filter, FilterError
from lab.tenant import errors, faults, transport_rules
from lab.tenant.session import Bound, Session
from lab.tenant.store import Record
from tests import mail_stack
from tests.engine.canaries import leaks
from tests.engine.canary_estate import OURS, WRONG, credentials, give_secrets
from tests.engine.evidence import HEADER, OTHERS, RULE, Evidence, begin, write_filter
from tests.forks import PLANTED
from tests.unit.settings_samples import sample
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(600)  # some fifteen runs of the engine each

CONFIGURED = {
    "credentials.gatewayPassword": "gateway password",
    "credentials.gatewayKeyPassphrase": "key passphrase",
    "credentials.azureClientCertificatePassword": "certificate password",
    "outbound.secret": "header secret",
}
TRACEBACK = {"M365SE_TRACEBACK": "1"}
WRONG_PASSWORDS = {
    "PROBE_IMAP_PASSWORD": WRONG["wrong IMAP password"],
    "TRACKING_PASSWORD": WRONG["wrong tracking password"],
}
LEAKY = "output of an up with a bug and no redaction"


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as context:
        yield context


def test_a_life_with_everything_on(
    tmp_path: Path, warm: Mapping[str, str], patch: pytest.MonkeyPatch
) -> None:
    with Estate(tmp_path / ".lab", trace_requests=10_000) as estate:
        keys = give_secrets(estate, patch)
        settings = mail_stack.values(estate)
        settings["gateway"]["tracking"] = {"from": "manager", "url": f"https://{estate.mail.manager}:4431"}
        found = begin(tmp_path, estate, settings, {**credentials(estate), **warm}, patch)
        found.more.update(keys)
        live_with_everything_on(found, patch)
        decrypted = the_end(found, patch)
        went_as_meant(
            found,
            {
                "a preview that refuses",
                "an up with a refused filter",
                "an up with a refused commit",
                "an up with a bug",
                "an up with a bug and no redaction",
                "an up that Exchange refuses",
                "an up that does not read back",
                "an up that is killed",
                "checks with wrong passwords",
                "a destroy that is refused",
            },
            method="secret",
        )
    found.gather()
    seeded = " ".join(leaks({LEAKY: found.places.pop(LEAKY)}, found.secrets))
    assert re.search(r": client secret in clear.*: next header secret in clear.*: token \d+ in clear", seeded)
    assert sum(place.startswith("file report-") for place in found.places) == 6
    assert_nothing_leaks(found)
    holds_encrypted(found, decrypted, {"header secret", "next header secret", *list(OTHERS)[:4]})
    journal_saw_them(found)
    what_changed_inside_a_secret_is_said(found)


def test_a_life_with_all_credentials_in_the_config(
    tmp_path: Path, warm: Mapping[str, str], patch: pytest.MonkeyPatch
) -> None:
    with Estate(tmp_path / ".lab") as estate:
        keys = give_secrets(estate, patch)
        variables = {"M365SE_CONNECT": estate.environment["M365SE_CONNECT"], **warm}
        found = begin(tmp_path, estate, take_over(sample("bce-demo-lab")), variables, patch)
        found.more.update(keys)
        configure(found.life.project)
        live_by_config(found, patch)
        decrypted = the_end(found, patch)
        went_as_meant(
            found,
            {"an up that Exchange refuses", "a destroy that is refused"},
            method="assertion",
        )
    found.gather()
    assert_nothing_leaks(found)
    holds_encrypted(found, decrypted, {"next header secret", *CONFIGURED.values()})


# --- lives --------------------------------------------------------------------------------------------------


def live_with_everything_on(found: Evidence, patch: pytest.MonkeyPatch) -> None:
    found.run("a preview that refuses", "preview", "--diff")
    stack_file = found.life.project.stack_file
    file = yaml.safe_load(stack_file.read_text(encoding="utf-8"))
    file["config"] |= take_over({}, "m365-secure-email:")
    stack_file.write_text(yaml.safe_dump(file), encoding="utf-8")
    found.run("the first preview", "preview", "--diff", "--debug")
    found.update("the first up")
    found.check_mail("checks")
    found.check_mail("checks with wrong passwords", **WRONG_PASSWORDS, **TRACEBACK)
    drift(found)
    set_secret(found.life.project, "outbound.previousSecrets[0]", OURS["header secret"])
    found.life.project.environment["OUTBOUND_SECRET"] = OURS["next header secret"]
    rotate_in_bad_weather(found, patch)


def live_by_config(found: Evidence, patch: pytest.MonkeyPatch) -> None:
    project = found.life.project
    found.update("the first up", PULUMI_PYTHON_CMD="")  # plugins of its own: their environments are looked at
    set_secret(project, "outbound.previousSecrets[0]", OURS["header secret"])
    set_secret(project, "outbound.secret", OURS["next header secret"])
    echo_from_exchange(found, patch, OURS["next header secret"], OURS["header secret"])
    found.update("an up that Exchange refuses")
    found.update("the rotation")


def take_over(settings: Mapping[str, object], namespace: str = "") -> dict[str, object]:
    """With leave to take over their rule and filter."""
    return {**settings, f"{namespace}takeOver": ["mailFlowPolicy", "outboundRule", "filter"]}


def configure(project: Project) -> None:
    """Everything into the stack's config, encrypted by the engine; values go in through stdin."""
    for key, name in CONFIGURED.items():
        set_secret(project, key, OURS[name])
    file = yaml.safe_load(project.stack_file.read_text(encoding="utf-8"))
    file["config"]["m365-secure-email:credentials"] |= {
        "gatewayKeyFile": ".lab/locked-key",
        "azureClientCertificatePath": ".lab/locked-certificate.pem",
    }
    project.stack_file.write_text(yaml.safe_dump(file), encoding="utf-8")


def set_secret(project: Project, key: str, value: str) -> None:
    subprocess.run(
        ["pulumi", "config", "set", "--secret", "--path", key, "--stack", project.stack],
        cwd=project.folder,
        env=project.environment,
        input=value,
        text=True,
        check=True,
    )


def drift(found: Evidence) -> None:
    """Someone changes both by hand."""
    estate = found.life.estate
    value = OTHERS["header value set by hand"]
    estate.tenant.invoke_by_hand(
        "Set-TransportRule", Identity=RULE, SetHeaderName=HEADER, SetHeaderValue=value
    )
    write_filter(
        estate,
        f'if (sendergroup == "RELAY_O365") {{ if (header("{HEADER}") == '
        f'"{OTHERS["filter value set by hand"]}") {{ strip-header("{HEADER}"); }} }}',
    )
    found.run("preview --refresh", "preview", "--refresh", "--json")
    found.run("refresh", "refresh", "--yes", "--skip-preview", "--diff", "--debug")
    found.update("the repair")


def rotate_in_bad_weather(found: Evidence, patch: pytest.MonkeyPatch) -> None:
    """A new secret: everybody refuses it in turn, and says it again."""
    estate = found.life.estate
    new, old = OURS["next header secret"], OURS["header secret"]
    with refused_filter():
        found.update("an up with a refused filter")
    estate.gateway.refuse_commit = f"neither {new} nor {old} will do."
    found.update("an up with a refused commit", **TRACEBACK)
    estate.gateway.refuse_commit = None
    found.update("an up with a bug and no redaction", **{PLANTED: "bug, redaction off"}, **TRACEBACK)
    found.update("an up with a bug", **{PLANTED: "bug"}, **TRACEBACK)
    echo_from_exchange(found, patch, OURS["next header secret"], OURS["header secret"])
    found.update("an up that Exchange refuses", **TRACEBACK)
    with written_otherwise(OTHERS["header value set by hand"]):
        found.update("an up that does not read back", **{PLANTED: "impatient"})
    found.kill("an up that is killed", "Set-TransportRule")
    found.update("the rotation")
    found.run("the refresh after it", "refresh", "--yes", "--skip-preview", "--diff")


@contextmanager
def refused_filter() -> Iterator[None]:
    """The gateway refuses every new filter, and says it again."""

    def refuse(_session: object, new: list[Filter]) -> None:
        raise FilterError(f"not now: {' '.join(filters.canonical(one) for one in new)}")

    with pytest.MonkeyPatch.context() as weather:
        weather.setattr(filters, "_check_unique", refuse)
        yield


@contextmanager
def written_otherwise(value: str) -> Iterator[None]:
    """Exchange says that all is well, and has another header value than it was given."""
    apply = transport_rules._apply

    def apply_otherwise(session: Session, rule: Record, bound: Bound) -> None:
        apply(session, rule, bound)
        rule["SetHeaderValue"] = value

    with pytest.MonkeyPatch.context() as weather:
        weather.setattr(transport_rules, "_apply", apply_otherwise)
        yield


def echo_from_exchange(found: Evidence, patch: pytest.MonkeyPatch, *values: str) -> None:
    """The next change of a rule is refused, and the answer says it again, as others' servers do."""
    echo = f'Set-TransportRule "{RULE}" -SetHeaderValue "{values[0]}": cannot convert {" ".join(values)}'
    patch.setitem(faults.NAMES, "echo", faults._failure(errors.makes_no_sense(echo)))
    found.life.estate.tenant.faults.add("Set-TransportRule", "echo")


def the_end(found: Evidence, patch: pytest.MonkeyPatch) -> bytes:
    """All that the engine tells of a stack, then the way back, refused once. Answers the state decrypted."""
    found.run("stack export", "stack", "export")
    found.run("stack history", "stack", "history", "--json")
    found.run("config", "config", "--json")
    decrypted = found.life.project.pulumi("stack", "export", "--show-secrets").output.encode()
    echo_from_exchange(found, patch, *list(OTHERS.values())[:2])
    found.life.free()
    found.run("a destroy that is refused", "destroy", "--yes", "--skip-preview", "--diff", **TRACEBACK)
    found.life.estate.tenant.faults.clear()
    found.run("destroy", "destroy", "--yes", "--skip-preview", "--debug", "--diff")
    found.run("stack export after destroy", "stack", "export")
    return decrypted


# --- what is asserted ---------------------------------------------------------------------------------------


def assert_nothing_leaks(found: Evidence) -> None:
    assert len(found.places) > 50, "there is too little to look at"
    assert leaks(found.places, found.secrets) == []


def went_as_meant(found: Evidence, failed: set[str], method: str) -> None:
    """Or nothing was there that could have leaked."""
    ended = {what for what, code in found.ends.items() if code}
    assert ended == failed, "\n".join(
        found.places[f"output of {what}"].decode() for what in sorted(ended ^ failed)
    )
    assert found.life.estate.dump() == found.life.before
    assert found.watch.looks > 50
    logins = found.life.estate.journal.events("gateway", "login")
    tokens = found.life.estate.journal.events("tenant", "token", ok=True)
    assert {event.detail["method"] for event in tokens} == {method}
    assert ("publickey" if method == "assertion" else "password") in {one.detail["method"] for one in logins}


def holds_encrypted(found: Evidence, decrypted: bytes, wanted: set[str]) -> None:
    """What the export must not show is in it: shown, once the engine is asked to decrypt."""
    seen = "\n".join(leaks({"state": decrypted}, found.secrets))
    assert {name for name in wanted if f"state: {name} " not in seen} == set()


def journal_saw_them(found: Evidence) -> None:
    """So the search finds them where they are."""
    journal = "\n".join(event.as_json() for event in found.life.estate.journal.events())
    seen = "\n".join(leaks({"journal": journal.encode()}, found.secrets))
    wanted = {"header secret", "next header secret", *OTHERS} - {"foreign rule's header value"}
    assert {name for name in wanted if f"journal: {name} " not in seen} == set()


def what_changed_inside_a_secret_is_said(found: Evidence) -> None:
    """The other side: an operator sees that something is not right, and where."""
    shown = found.places["output of preview --refresh"].decode()
    assert "setHeaderValue: differs" in shown
    assert "outbound filter: 1 alternative missing" in shown or "outbound filter: text: not ours" in shown
    refused = found.places["output of a preview that refuses"].decode()
    assert re.search("add (outboundRule|filter) to the setting takeOver", refused)  # the engine stops at one
