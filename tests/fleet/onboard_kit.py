"""`fleet onboard` in front of an estate, with an engine that keeps what it is asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import Settings
from components.stack_config import NAMESPACE
from dynamic_providers import connections, errors
from fleet.command import main
from lab.estate import Estate
from lab.gateway.keys import fingerprint
from tests.estate.test_the_guide import Step, hand_transcript
from tests.fleet.fleet_kit import project
from tests.hands.names import BYPASS, FILTER, GROUP, INBOUND, OUTBOUND

STACK = "bce-demo-lab"
LETTER = """
Domain name in service: bce-demo.com
Cloud Gateway 1: esa1.bce-demo.example
   Data 1 IP address: 192.0.2.105
   Data 2 IP address: 198.51.100.186
MX record: mx1.bce-demo.example
"""
OTHER_NAMES = {
    INBOUND: "From IronPort",
    OUTBOUND: "Through IronPort",
    BYPASS: "No filter for IronPort",
    GROUP: "FROM_M365",
    FILTER: "m365_gate",
}
"""What another administrator called the guide's objects; connector and rule have one name there, too."""

_PULUMI = """#!/bin/sh
cd {folder}
echo "$*" >> asked
case "$*" in
  "stack init"*)
    [ -e "$3" ] && echo "error: stack 'organization/m365-secure-email/$3' already exists" >&2 && exit 255
    [ -e refusing ] && cat refusing >&2 && exit 255
    touch "$3"; echo "encryptionsalt: v1:c2FsdA==" >> "{stacks}/Pulumi.$3.yaml" ;;
  "config set --secret --path m365-secure-email:outbound.secret --stack $7 --non-interactive"*)
    cat > "$7.secret"
    section="^  m365-secure-email:outbound:$"
    sed -i "s/$section/&\\n    secret: {{secure: encrypted}}/" "{stacks}/Pulumi.$7.yaml" ;;
  "config set --secret --path m365-secure-email:approvalKey --stack $7 --non-interactive"*)
    cat > "$7.key"
    key="  m365-secure-email:approvalKey: {{secure: encrypted}}"
    sed -i "s/^config:$/&\\n$key/" "{stacks}/Pulumi.$7.yaml" ;;
  *) exit 1 ;;
esac
"""


@dataclass
class Desk:
    """Where somebody types `fleet onboard`."""

    estate: Estate
    folder: Path
    capsys: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def run(self, *words: str, ca: bool = True) -> int:
        """The command with the options that are always given; its exit code."""
        trusted = ["--set", f"endpoints.caBundle={self.estate.ca_file.resolve()}"] if ca else []
        sys.argv = ["fleet", "onboard", *trusted, *words]
        connections.forget_arguments()
        connections._live.clear()
        code = main()
        self.out, self.err = self.capsys.readouterr()
        return code

    def onboard(self, *words: str, **instead: str) -> int:
        """With the guide's letter, and all that it does not say."""
        (self.folder / "letter.txt").write_text(LETTER, encoding="utf-8")
        given = {"letter": "letter.txt", "accept_host_key": self.host_key, **instead}
        return self.run(*self.usual(**given), *words)

    def usual(self, **more: str) -> Iterator[str]:
        """Options: those of this customer, and more; an empty one is left out."""
        lab = self.estate.tenant
        usual = {
            "customer": "BCE Demo",
            "environment": "lab",
            "tenant": lab.initial_domain,
            "client_id": lab.client_id,
        }
        for name, value in {**usual, **more}.items():
            yield from (f"--{name.replace('_', '-')}", value) if value else ()

    @property
    def host_key(self) -> str:
        """The fingerprint of the gateway's key, as its owner says it."""
        return fingerprint(self.estate.gateway.members[0].host)

    @property
    def path(self) -> Path:
        return self.folder / "stacks" / f"Pulumi.{STACK}.yaml"

    @property
    def values(self) -> dict[str, Any]:
        """What the stack file says."""
        config = yaml.safe_load(self.path.read_text(encoding="utf-8"))["config"]
        return {key.removeprefix(f"{NAMESPACE}:"): value for key, value in config.items()}

    @property
    def secret(self) -> str:
        """What the engine was given to encrypt."""
        return (self.folder / "engine" / f"{STACK}.secret").read_text(encoding="utf-8")

    def settings(self) -> Settings:
        """What the program reads; the secret as the engine would decrypt it."""
        values, environment = self.values, self.estate.environment
        values.pop("approvalKey", None)
        del environment["OUTBOUND_SECRET"]
        decrypted = {"secret": self.secret} if "secret" in values["outbound"] else {}
        return Settings.from_config({**values, "outbound": {**values["outbound"], **decrypted}}, environment)

    def asked(self) -> list[str]:
        """What the engine was asked, command lines."""
        file = self.folder / "engine" / "asked"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


@contextmanager
def desk(
    estate: Estate,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    without: Iterable[str] = (),
) -> Iterator[Desk]:
    """In a project of its own; the lab's credentials, but for some, are in the environment."""
    project(folder)
    engine = folder / "engine"
    engine.mkdir()
    command = engine / "pulumi"
    command.write_text(_PULUMI.format(folder=engine, stacks=folder / "stacks"), encoding="utf-8")
    command.chmod(0o755)
    for name in [one for one in os.environ if one.startswith(("AZURE_", "GATEWAY_", "OUTBOUND_", "PULUMI_"))]:
        monkeypatch.delenv(name)
    for name, value in estate.environment.items():
        if name not in without:
            monkeypatch.setenv(name, value)
    path = f"{engine}:{os.environ['PATH']}"
    monkeypatch.setattr("fleet.onboard.steps.engine_environment", lambda: {**os.environ, "PATH": path})
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(connections, "_live", {})
    monkeypatch.setattr(connections, "_arguments", {})
    monkeypatch.setattr(sys, "argv", ["fleet"])
    monkeypatch.chdir(folder)
    yield Desk(estate, folder, capsys)


def under_other_names(names: Mapping[str, str] = OTHER_NAMES) -> list[Step]:
    """The guide's steps, as somebody typed them who liked other names better."""
    return [
        Step(step.side, step.title, [_renamed(line, names) for line in step.lines])
        for step in hand_transcript()
    ]


def _renamed(line: str, names: Mapping[str, str]) -> str:
    for name, other in names.items():
        line = line.replace(name, other)
    return line
