"""Whoever follows README and tutorial gets there: their commands, read out of the files, in their order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.engine import ROOT, engine_environment

pytestmark = pytest.mark.timeout(540)

FENCE = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OWN = ("stacks", ".lab", ".git", ".demo", ".pulumi-state", ".pulumi-home")
LAB = "make lab\n"


def blocks(page: str) -> list[tuple[str, str]]:
    """Its fenced commands (sh), and what they say (text)."""
    return FENCE.findall((ROOT / page).read_text(encoding="utf-8"))


def commands(page: str) -> list[str]:
    """One a line, without the comments beside them."""
    lines = "".join(text.replace("\\\n", " ") for kind, text in blocks(page) if kind == "sh").splitlines()
    return [" ".join(line.partition("  #")[0].split()) for line in lines]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder as a newcomer has it; what is not written to is linked."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for there in ROOT.iterdir():
        if there.name not in OWN:
            (folder / there.name).symlink_to(there)
    shutil.copytree(ROOT / "stacks", folder / "stacks")
    return folder


@pytest.fixture
def environment(tmp_path: Path, warm: Mapping[str, str]) -> dict[str, str]:
    """Of a newcomer's shell; what `make env` would put into the folder of the tests is elsewhere."""
    whole = engine_environment(home=tmp_path / "home")
    (tmp_path / "home").mkdir(exist_ok=True)
    return {**whole, **warm, "PATH": os.environ["PATH"]}


@contextmanager
def first_shell(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The lab as the Makefile starts it, on ports that are free; what it said."""
    words = [str(ROOT / ".venv" / "bin" / "python"), "-m", "lab"]
    recipe = re.search(r"^lab:.*\n\t@(.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe is not None
    assert recipe[1] == "$(VENV)/python -m lab"
    with subprocess.Popen(
        [*words, "--port", "0"],
        cwd=folder,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as lab:
        assert lab.stdout is not None
        said = ""
        for line in lab.stdout:
            said += line
            if "The lab is running." in line:
                break
        try:
            yield said
        finally:
            lab.terminate()
            assert "stopped" in lab.stdout.read()


def second_shell(text: str, folder: Path, environment: Mapping[str, str]) -> str:
    """All commands in one shell, which ends at the first that fails; what they said, both streams.

    `compare` ends with 2 where something differs, and `preview` where something is to be done.
    """
    script = re.sub(r"^(fleet (?:compare|preview) .*)$", r"\1 || [ $? = 2 ]", text, flags=re.MULTILINE)
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def assert_said(expected: str, said: str) -> None:
    """Each line stands in what was said, … for anything; in any order, since checks run at once."""
    for line in expected.splitlines():
        shape = ".*".join(re.escape(part.strip(" ")) for part in line.split("…"))
        assert re.search(shape, said), f"nobody said «{line}»:\n{said}"


def test_the_tutorial_leads_to_mail_that_flows(clone: Path, environment: dict[str, str]) -> None:
    before = sorted(one.name for one in (clone / "stacks").iterdir())
    there = blocks("docs/tutorial.md")
    assert there[0] == ("sh", LAB)
    steps = [text for kind, text in there[1:] if kind == "sh"]
    mark = 'echo "--- step {number} ---"\n'
    with first_shell(clone, environment) as said:
        assert "host key SHA256:YAoJ+cPNgsQbXRw7VS3MtNMzEB/aRCVVlAwo1gNhk08" in said
        script = "".join(mark.format(number=number) + text for number, text in enumerate(steps, 1))
        parts = re.split(r"^--- step \d+ ---\n", second_shell(script, clone, environment), flags=re.MULTILINE)
    number = 0
    for kind, text in there[1:]:
        number += kind == "sh"
        if kind == "text":
            assert_said(text, parts[number])
    assert sorted(one.name for one in (clone / "stacks").iterdir()) == before


def test_the_first_screen_s_commands_are_the_tutorial_s_or_make_s() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    known = {*commands("docs/tutorial.md"), *(f"make {one}" for one in targets)}
    said = commands("README.md")
    assert {"make demo", "make test", "fleet up bce-demo-practice --yes"} <= set(said)
    assert [one for one in said if one not in known] == []
