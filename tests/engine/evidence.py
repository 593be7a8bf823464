"""What a life with canaries leaves behind, and what others had there before it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack_config import NAMESPACE
from lab.estate import Estate
from lab.tenant.foreign import FOREIGN_SECRET
from tests.engine.canaries import Watch, canary, files
from tests.engine.canary_estate import OURS, WRONG
from tests.engine.life import Life, living
from tools.engine import ROOT
from tools.pulumi_cli import Project

RULE, FILTER, HEADER = "Outbound to Cisco CES", "office365_outbound", "X-OUTBOUND-AUTH"
PROGRAM = b"pulumi-language-python-exec"
SEEN = ("token", "login", "call", "effect", "write", "commit")
"""What happens in the lab when it is worth looking around."""
OTHERS = {
    "header value of a rule that was taken over": canary("their header value"),
    "predicate of a rule that was taken over": canary("their predicate"),
    "value in a filter that was taken over": canary("their filter"),
    "header that a filter inserted": canary("their inserted header"),
    "header value set by hand": canary("header value set by hand"),
    "filter value set by hand": canary("filter value set by hand"),
    "foreign rule's header value": FOREIGN_SECRET,
}


@dataclass
class Evidence:
    """A life, and all that it said."""

    life: Life
    watch: Watch
    more: dict[str, str]  # secrets that are known only now: tokens, keys
    places: dict[str, bytes] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)  # exit codes

    def run(self, what: str, *arguments: str, **environment: str) -> str:
        """Run a command, whatever comes of it, and keep all that it said."""
        with changed(self.life.project.environment, environment):
            run = self.life.project.pulumi(*arguments, check=False)
        return self._keep(what, run.output, run.code)

    def update(self, what: str, *options: str, **environment: str) -> str:
        return self.run(what, "up", "--yes", "--skip-preview", "--debug", "--diff", *options, **environment)

    def kill(self, what: str, cmdlet: str) -> None:
        """An update whose engine is killed when Exchange has done what a cmdlet says."""
        said = self.life.kill_engine_at(
            lambda event: event.kind == "effect" and event.detail["cmdlet"] == cmdlet,
            *("up", "--yes", "--skip-preview", "--debug", "--diff"),
        )
        self._keep(what, said, -signal.SIGKILL)
        self.life.unlock()

    def check_mail(self, what: str, **environment: str) -> None:
        """The checks as pipelines run them, with their reports."""
        project = self.life.project
        reports = [f"--{kind}=report-{len(self.ends)}.{kind}" for kind in ("html", "markdown", "json")]
        done = subprocess.run(
            [sys.executable, "-m", "mail_check", project.stack, *reports],
            cwd=project.folder,
            env={**project.environment, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self._keep(what, done.stdout, done.returncode)

    def _keep(self, what: str, output: str, code: int) -> str:
        self.places[f"output of {what}"] = output.encode()
        self.ends[what] = code
        return output

    @property
    def secrets(self) -> dict[str, str]:
        """All that must not be found."""
        return {**OURS, **WRONG, **OTHERS, **self.more}

    def gather(self) -> None:
        """What lies about at the end."""
        folder = self.life.project.folder
        self.places |= self.watch.places()
        self.places |= {f"file {name}": text for name, text in files(folder, [folder / ".lab"]).items()}


@contextmanager
def changed(environment: dict[str, str], values: Mapping[str, str]) -> Iterator[None]:
    """An environment with other values for a while."""
    usual = dict(environment)
    environment.update(values)
    try:
        yield
    finally:
        environment.clear()
        environment.update(usual)


def begin(
    folder: Path,
    estate: Estate,
    settings: Mapping[str, Any],
    variables: Mapping[str, str],
    patch: pytest.MonkeyPatch,
) -> Evidence:
    """A life in a sandbox that has all temporary files and the user's home inside."""
    furnish(estate)
    for name in ("tmp", "user"):
        (folder / name).mkdir()
    environment = {**variables, "TMPDIR": str(folder / "tmp"), "HOME": str(folder / "user")}
    text = yaml.safe_dump({"config": {f"{NAMESPACE}:{key}": value for key, value in settings.items()}})
    project = Project(folder, "bce-demo-lab", environment, settings=text)
    by_config = "OUTBOUND_SECRET" not in variables

    def may_know(cwd: Path, command: bytes) -> bool:
        """The engine hands the config to the program in its environment, and to nobody else."""
        return cwd == folder and (PROGRAM in command or not by_config)

    watch = Watch(folder / "tmp", may_know)
    estate.journal.when(lambda event: event.kind in SEEN, watch.look, once=False)
    return Evidence(living(project, estate), watch, tokens_of(estate, patch))


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
