"""docs/weather.md tells operators of limits: they are those of the code, and none is left out."""

import importlib
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dynamic_providers.exchange.admin_api import Patience

PAGE = (Path(__file__).parents[2] / "docs" / "weather.md").read_text()
ROWS = dict(re.findall(r"^\| `([\w.]+)` \| ([\d, .]+) \|$", PAGE, re.MULTILINE))
CODE = Path(__file__).parents[2] / "dynamic_providers"


def value(place: str) -> Any:
    module, name = place.rsplit(".", 1)
    if module.endswith(".Patience"):
        return getattr(Patience(), name)
    return getattr(importlib.import_module(f"dynamic_providers.{module}"), name)


@pytest.mark.parametrize("place", ROWS)
def test_each_limit_is_that_of_the_code(place: str) -> None:
    there = value(place)
    assert tuple(float(one) for one in ROWS[place].split(",")) == (
        there if isinstance(there, tuple) else (float(there),)
    )


def test_no_limit_of_these_modules_is_left_out() -> None:
    modules = sorted({row.rsplit(".", 1)[0] for row in ROWS if ".Patience" not in row})
    named = {
        f"{module}.{name}"
        for module in modules
        for name in re.findall(
            r"^([A-Z]+_SECONDS)\b", (CODE / f"{module.replace('.', '/')}.py").read_text(), re.MULTILINE
        )
    }
    seconds = {one.name for one in fields(Patience)} - {"attempts", "first_look"}
    wanted = named | {f"exchange.admin_api.Patience.{name}" for name in seconds}
    assert wanted - set(ROWS) <= {"gateway.transaction.QUIET_SECONDS", "gateway.transaction.SEEN_SECONDS"}
