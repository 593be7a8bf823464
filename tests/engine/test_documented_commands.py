"""Every `pulumi` command in the documents is one of the engine's, with options that it has."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

from tests.unit.document_pages import said, words
from tools.engine import engine_environment

PLAIN = re.compile(r"[a-z-]+")


def test_every_pulumi_command_is_one(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    environment = engine_environment(home=tmp_path / "home")
    options: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for _page, line, _whole in said("pulumi"):
        arguments = words(line.partition(": ")[0])
        given = {one.partition("=")[0] for one in arguments if one.startswith("-")}
        plain = [one for one in arguments if PLAIN.fullmatch(one) and not one.startswith("-")]
        options[tuple(plain[: 3 if plain[:2] == ["plugin", "install"] else 2])] |= given
    assert ("config", "set") in options
    wrong = {}
    for command, given in options.items():
        shown = subprocess.run(
            ["pulumi", *command, "--help"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        told = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", shown.stdout))
        group = bool(re.search(r"^Available Commands:", shown.stdout, re.MULTILINE)) and len(command) == 2
        if shown.returncode or given - told or group:
            wrong[command] = (sorted(given - told), shown.stderr)
    assert wrong == {}
