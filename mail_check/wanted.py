"""One object as the settings want it, in the words of the user interface that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mail_check.report import Side

CONNECTORS = "Exchange admin center > Mail flow > Connectors"
RULES = "Exchange admin center > Mail flow > Rules"
BY_SHARED_GATEWAY = "by the shared gateway's own stack"


@dataclass(frozen=True)
class WantedObject:
    """One object as the settings want it, and how to find it on record.

    `kind_on_record` and `key` name the resource, `entry` a path to the object inside it: table and key.
    `wanted` is compared with what is on record there.
    """

    row: str
    side: Side
    place: str
    kind: str
    name: str
    attributes: Mapping[str, str]
    kind_on_record: tuple[str, ...]
    wanted: Mapping[str, Any]
    key: tuple[str, str] | None = None
    entry: tuple[str, ...] = ()
    elsewhere: str = ""
