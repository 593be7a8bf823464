"""What the documents say is so: links lead somewhere, commands parse, rooms are there.

The commands of README and tutorial are run: tests/estate/test_tutorial.py. Those of pulumi are asked of the
engine: tests/engine/test_documented_commands.py. Settings, objects and rights: test_documented_things.py.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from fleet.command import app
from tests.unit.document_pages import FENCE, PAGES, ROOT, SPAN, said, text_of, words

ARCHITECTURE = ROOT / "docs" / "architecture.md"
LINK = re.compile(r"\]\(([^()\s]+)\)")
FLEET = typer.main.get_command(app)


# --- links --------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The headings' anchors, as forges make them."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", one).lower() for one in headings]
    return {re.sub(r"[^\w\- ]", "", one).replace(" ", "-") for one in plain}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    here, dead = ROOT / page, []
    for link in LINK.findall(SPAN.sub("", FENCE.sub("", text_of(page)))):
        if not link.startswith(("http://", "https://")):
            path, _, anchor = link.partition("#")
            target = (here.parent / path).resolve() if path else here
            if not target.exists() or (anchor and anchor not in anchors(target)):
                dead.append(link)
    assert dead == []


# --- commands -----------------------------------------------------------------------------------------------


def wrong_in(arguments: list[str], *, whole: bool) -> str:
    """What `fleet` would refuse of a command line; in a sentence, values and names may be left out."""
    command, name, context = FLEET, "fleet", typer.Context(FLEET)
    while isinstance(command, TyperGroup):
        found = command.get_command(context, arguments[0]) if arguments else None
        if found is None:
            return f"{name} has no command {arguments[:1]}"
        command, name, arguments = found, arguments[0], arguments[1:]
    try:
        command.make_context(name, list(arguments))
    except TyperException as error:
        left_out = type(error).__name__ in ("MissingParameter", "BadOptionUsage")
        return "" if left_out and not whole else str(error) or type(error).__name__
    return ""


def test_every_fleet_command_is_one() -> None:
    there = list(said("fleet"))
    refused = {f"{page}: {line}": wrong_in(words(line), whole=whole) for page, line, whole in there}
    assert len(there) > 40
    assert {line: why for line, why in refused.items() if why} == {}


@pytest.mark.parametrize("line", ["fleet upp", "fleet up --yess", "fleet list --shard", "fleet rotate"])
def test_a_command_that_is_none_is_seen(line: str) -> None:
    assert wrong_in(words(line), whole=True)


def test_every_make_target_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = {word for _, line, _ in said("make") for word in words(line) if re.fullmatch(r"[a-z-]+", word)}
    assert {"demo", "env", "lab", "test"} <= named
    assert named - targets - {"-s"} == set()


def test_every_module_that_is_run_is_there() -> None:
    named = {one for _, line, _ in said("python") for one in re.findall(r"-m ([\w.]+)", line)}
    assert {"mail_check", "fleet"} <= named
    assert [one for one in named if importlib.util.find_spec(one) is None] == []


# --- the tree -----------------------------------------------------------------------------------------------


def rooms() -> set[str]:
    """The folders that «Rooms» names: those of the project, and most of those in them."""
    block = next(one for _, one in FENCE.findall(ARCHITECTURE.read_text("utf-8")) if "components/" in one)
    named, outer = set(), ""
    for line in block.splitlines():
        if found := re.match(r"(  )?([\w-]+/)", line):
            outer = outer if found[1] else found[2]
            named.add(outer + found[2] if found[1] else outer)
    return named


def test_the_rooms_are_those_of_the_tree() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    folders = [one.split("/")[:-1] for one in listed if (ROOT / one).exists() and not one.startswith(".")]
    there = {f"{one[0]}/" for one in folders if one} | {f"{one[0]}/{one[1]}/" for one in folders if one[1:]}
    own = {f"{one}/{inner}/" for one in ("identity", "mail_check") for inner in ("stacks", "templates")}
    assert (there - own) ^ rooms() == set()


def test_every_file_that_a_step_of_the_guide_lives_in_is_there() -> None:
    named = re.findall(r"`([a-z]+/[a-z_]+\.py)`", ARCHITECTURE.read_text(encoding="utf-8"))
    assert len(named) > 14
    assert [one for one in named if not (ROOT / "dynamic_providers" / one).exists()] == []
