"""One whole life on three release profiles of the gateway, with the real engine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.estate import Estate
from tests.engine.life import Life, living
from tests.hands.everything import EVERYTHING, change_everything
from tests.profile_stacks import RELEASES, domain_of, stack_of
from tools.engine import ROOT
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(params=RELEASES)
def life(request: pytest.FixtureRequest, tmp_path: Path, warm: Mapping[str, str]) -> Iterator[Life]:
    """The profile's stack, made and not yet updated; ciphers are set, as every other resource is."""
    with Estate(tmp_path / ".lab", request.param) as estate:
        stack = stack_of(request.param)
        settings = (ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
        assert "ciphers: check" in settings
        settings = settings.replace("ciphers: check", "ciphers: set")
        if "settle:" not in settings:  # a customer's hour
            settings += "  m365-secure-email:settle: {rule: 2s}\n"
        # A customer's stack names no CA of its own: there the lab's comes from the environment.
        environment = {**estate.environment, **warm, "REQUESTS_CA_BUNDLE": str(estate.ca_file.resolve())}
        yield living(Project(tmp_path, stack, environment, settings=settings), estate)


def shown(output: str) -> dict[str, set[str]]:
    """What a preview would update: the logical name → the attributes that it marks as changed."""
    found: dict[str, set[str]] = {}
    name, updated = "", False
    for line in output.splitlines():
        if resource := re.match(r"    [~+-] \S+: \((\w+)\)", line):
            updated = resource.group(1) == "update"
        elif updated and (urn := re.match(r"\s+\[urn=.*::(\S+)\]", line)):
            name = urn.group(1)
            found[name] = set()
        elif updated and (changed := re.match(r" {6}[~+-] (\S+)\s*:", line)):
            found[name].add(changed.group(1))
    return found


def test_a_whole_life(life: Life) -> None:
    project, estate = life.project, life.estate
    project.preview()
    assert estate.dump() == life.before
    project.up()
    made = estate.dump()
    mark = estate.journal.mark()
    project.up("--expect-no-changes")
    assert not {"write", "commit", "effect"} & {event.kind for event in estate.journal.events(since=mark)}

    domain = domain_of(estate.gateway.profile.name)
    change_everything(estate, domain)
    changed = estate.dump()
    run = project.preview("--refresh")
    attributes = {name: {path.partition(".")[0] for path in paths} for name, paths in EVERYTHING.items()}
    assert shown(run.output) == {**attributes, "outbound-filter": set()}
    assert "outbound filter: active: not ours" in run.output  # inside a secret, which no line shows
    assert estate.dump() == changed

    project.up("--refresh")
    assert estate.dump() == made
    project.preview("--refresh", "--expect-no-changes")
    life.destroy()
    assert estate.dump() == life.before
