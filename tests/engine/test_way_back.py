"""`up` then `destroy` on the real engine: what the small one (tests/protocol/test_way_back.py) cannot show.

Aliases and parents, the engine's own stop at the first refusal, its plan for replacements, its refresh.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
import yaml

from components.stack_config import NAMESPACE
from lab.estate import Estate
from tests.engine.life import Life, Saved, living
from tests.hands.names import FILTER, OUTBOUND, SHOP
from tests.hands.others import crowd, fill_domain_with_others, fill_with_others
from tests.hands.things import TAKE_OVER, THINGS
from tools.engine import ROOT
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)

RENAMING = """
from components import inbound_mail_flow, outbound_mail_flow
from dynamic_providers.managed_resource import ManagedResource
import pulumi

def renaming(made):
    def make(name, /, *arguments, **named):
        opts = named.pop("opts", None) or arguments[-1]
        rest = [one for one in arguments if one is not opts]
        known = pulumi.ResourceOptions(aliases=[pulumi.Alias(name=name)] if ALIASES else [])
        return made(f"{name}-renamed", *rest, **named, opts=pulumi.ResourceOptions.merge(opts, known))
    return make

for module in (inbound_mail_flow, outbound_mail_flow):
    for name, made in vars(module).copy().items():
        if isinstance(made, type) and issubclass(made, ManagedResource):
            setattr(module, name, renaming(made))
"""


def configure(life: Life, **changes: object) -> None:
    """Write settings into the stack file, whole sections."""
    stack = yaml.safe_load(life.project.stack_file.read_text(encoding="utf-8"))
    stack["config"] |= {f"{NAMESPACE}:{key}": value for key, value in changes.items()}
    life.project.stack_file.write_text(yaml.safe_dump(stack, sort_keys=False), encoding="utf-8")


@contextmanager
def renamed_resources(life: Life, *, aliases: bool) -> Iterator[None]:
    """A program in the sandbox that gives every managed resource another logical name."""
    program = life.project.folder / "__main__.py"
    program.unlink()
    text = (ROOT / "__main__.py").read_text(encoding="utf-8")
    program.write_text(f"ALIASES = {aliases}\n{RENAMING}\n{text}", encoding="utf-8")
    yield
    program.unlink()
    program.symlink_to(ROOT / "__main__.py")


Moments = tuple[Life, Saved, Saved]


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory, warm: Mapping[str, str]) -> Iterator[Moments]:
    """One life; its beginning, and its first update."""
    folder = tmp_path_factory.mktemp("life")
    with Estate(folder / ".lab") as estate:
        life = living(Project(folder, "bce-demo-lab", {**estate.environment, **warm}), estate)
        new = life.saved()
        life.project.up()
        yield life, new, life.saved()


@pytest.fixture
def life(moments: Moments) -> Life:
    """The guide's stack, made and not yet updated."""
    life, new, _ = moments
    life.restore(new)
    return life


@pytest.fixture
def updated(moments: Moments) -> Life:
    """The same after its first update."""
    life, _, made = moments
    life.restore(made)
    return life


def test_everything_was_there_and_different(life: Life) -> None:
    crowd(life.estate)
    fill_with_others(life.estate)
    fill_domain_with_others(life.estate, SHOP)
    before = life.estate.dump()
    configure(life, takeOver=[])
    refused = life.project.preview(check=False)
    assert not refused.ok
    assert re.search(
        r"exists and differs: .*theirs .*, ours .* add \w+ to the setting takeOver", refused.output
    )
    assert life.estate.dump() == before

    configure(life, takeOver=list(TAKE_OVER))
    life.project.up()
    life.project.up("--expect-no-changes")
    removed = THINGS["inbound rule"].remove
    assert removed is not None
    removed(life.estate)
    life.project.refresh()
    life.destroy()
    assert life.estate.dump() == before


def test_what_was_there_and_right_stays(updated: Life, moments: Moments) -> None:
    there = updated.estate.dump()
    updated.state_file.write_bytes(moments[1].state)  # the state is forgotten, not the estate
    updated.project.up()
    updated.destroy()
    assert updated.estate.dump() == there


def test_changed_by_hand_and_not_refreshed(updated: Life) -> None:
    THINGS["route"].change(updated.estate)
    stopped = updated.destroy(check=False)
    assert not stopped.ok
    assert re.search(r"SMTP route changed since the last run.*pulumi refresh", stopped.output)
    assert "by-hand.example" in updated.estate.dump()
    updated.project.refresh()
    updated.project.destroy()
    assert updated.estate.dump() == updated.before


def test_renamed_resources(updated: Life, moments: Moments) -> None:
    up = updated.estate.dump()
    with renamed_resources(updated, aliases=False):
        refused = updated.project.up(check=False)
    assert not refused.ok
    assert "under another logical name" in refused.output
    assert updated.estate.dump() == up

    updated.restore(moments[2])
    with renamed_resources(updated, aliases=True):
        updated.project.up("--expect-no-changes")
        assert updated.estate.dump() == up
        updated.destroy()
    assert updated.estate.dump() == updated.before


def test_a_domain_and_other_names_come_and_go(life: Life) -> None:
    fill_domain_with_others(life.estate, SHOP)
    before = life.estate.dump()
    renamed = ("replace names.senderGroup", "replace names.filter")
    days = ("2999-12-30", "2999-12-31")  # once there, once back
    configure(life, acknowledge=[{"what": what, "until": day} for what in renamed for day in days])
    life.project.up()
    first = life.project.stack_file.read_text(encoding="utf-8")
    domains = yaml.safe_load(first)["config"][f"{NAMESPACE}:domains"]
    configure(
        life,
        domains={**domains, SHOP: {"microsoftMx": "shop-bce-demo-com.mail.protection.outlook.com"}},
        names={"outboundConnector": "To IronPort", "senderGroup": "FROM_M365", "filter": "m365_only"},
        takeOver=[*TAKE_OVER],
    )
    life.project.up()
    now = life.estate.dump()
    assert "outbound connector To IronPort" in now
    assert f"outbound connector {OUTBOUND}" not in now
    assert f"filter {FILTER}" not in now
    life.project.stack_file.write_text(first, encoding="utf-8")
    life.project.up()
    configure(life, outbound={"state": "none", "smartHosts": ["198.51.100.186"], "ciphers": "check"})
    steps = life.project.steps()
    assert steps == {"guard": "update", "outbound-rule": "delete", "sender-policy": "delete"}
    life.destroy()
    assert life.estate.dump() == before
