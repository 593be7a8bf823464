"""What the `pulumi` command says when it is asked something; nothing is changed by it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dynamic_providers.errors import ManagedError

_SECONDS = 120.0

Explained = Callable[[subprocess.CompletedProcess[str]], ManagedError]


class PulumiFailed(ManagedError):
    """The command is not there, says nothing, or fails."""


def ask(words: tuple[str, ...], folder: Path, environment: Mapping[str, str], explained: Explained) -> str:
    """What it prints. `explained`: the error to raise where it fails."""
    try:
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive", "--color", "never"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise PulumiFailed("there is no `pulumi` on PATH", fix="run `make setup`") from None
    except subprocess.TimeoutExpired:
        raise PulumiFailed(
            f"`pulumi {words[0]}` said nothing for {_SECONDS:.0f} s", fix="look at its backend"
        ) from None
    if done.returncode:
        raise explained(done)
    return done.stdout


def ask_json(
    words: tuple[str, ...], folder: Path, environment: Mapping[str, str], explained: Explained
) -> Any:
    """The same, loaded."""
    said = ask(words, folder, environment, explained)
    try:
        return json.loads(said)
    except ValueError:
        # It may hold a secret: neither it nor the error's own excerpt is shown.
        raise PulumiFailed(f"`pulumi {words[0]}` gave no JSON", fix="please report it") from None
