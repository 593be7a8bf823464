"""Parameter values as the cmdlets take them: one small reader per type, names and words ignoring case."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from lab.tenant.errors import bad_value, makes_no_sense, unknown_parameter

Reader = Callable[[str, Any], Any]
HOST = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\Z")
HASH_TABLE = "#Exchange.GenericHashTable"
COMMON = ("Confirm", "WhatIf", "ErrorAction", "WarningAction", "Verbose", "Debug")


@dataclass(frozen=True)
class Change:
    """`@{Add=…; Remove=…}` for a multi-valued property."""

    add: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)

    def of(self, present: list[str]) -> list[str]:
        """The list after the change; adding what is there or removing what is not is no error."""
        gone = {item.lower() for item in self.remove}
        kept = [item for item in present if item.lower() not in gone]
        there = {item.lower() for item in kept}
        return kept + [item for item in self.add if item.lower() not in there]


def text(parameter: str, value: Any) -> str | None:
    """A string; null and "" both mean: unset."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise bad_value(parameter, type_of(value), "System.String", "Cannot convert the value to a string.")
    return str(value)


def flag(parameter: str, value: Any) -> bool:
    """A boolean or switch; text is not taken for one."""
    if not isinstance(value, bool):
        raise bad_value(
            parameter, value, "System.Boolean", "Boolean parameters accept only Boolean values and numbers."
        )
    return value


def optional_flag(parameter: str, value: Any) -> bool:
    """A boolean condition or action, which null unsets."""
    return False if value is None else flag(parameter, value)


def number(low: int, high: int) -> Reader:
    """A whole number within bounds, or null."""

    def read(parameter: str, value: Any) -> int | None:
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
            raise bad_value(parameter, value, "System.Int32", "Input string was not in a correct format.")
        if not low <= int(value) <= high:
            raise bad_value(parameter, value, "System.Int32", f"The value must be between {low} and {high}.")
        return int(value)

    return read


def choice(type_name: str, *names: str, optional: bool = True) -> Reader:
    """One of an enumeration's names, ignoring case."""

    def read(parameter: str, value: Any) -> str | None:
        if optional and (value is None or value == ""):
            return None
        for name in names:
            if isinstance(value, str) and value.lower() == name.lower():
                return name
        valid = ", ".join(names)
        why = (
            f"Unable to match the identifier name {value} to a valid enumerator name. "
            f"Specify one of the following enumerator names and try again: {valid}"
        )
        raise bad_value(parameter, value, type_name, why)

    return read


def words(parameter: str, value: Any) -> list[str]:
    """An array of strings; one string is an array of one, null an empty one."""
    if value is None or value == "":
        return []
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, (str, int, float)) and not isinstance(item, bool) for item in items):
        raise bad_value(
            parameter, type_of(value), "System.String[]", "Cannot convert the value to an array of strings."
        )
    return [str(item) for item in items]


def multi_valued(parameter: str, value: Any) -> list[str] | Change:
    """A multi-valued property: an array that replaces, or a hash table that adds and removes."""
    if isinstance(value, dict):
        if value.get("@odata.type") != HASH_TABLE or set(value) - {"@odata.type", "Add", "Remove"}:
            raise bad_value(
                parameter,
                type_of(value),
                "Microsoft.Exchange.Data.MultiValuedProperty",
                "Unknown hash table.",
            )
        return Change(words(parameter, value.get("Add")), words(parameter, value.get("Remove")))
    return words(parameter, value)


def anything(_parameter: str, value: Any) -> Any:
    """Kept as it came (hash tables of data classifications, preferences that do nothing here)."""
    return value


def merged(present: list[str], given: list[str] | Change) -> list[str]:
    """A multi-valued property after a Set-."""
    return given.of(present) if isinstance(given, Change) else given


def bind(readers: Mapping[str, Reader], given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters under their proper names, each read by its type; an unknown or doubled one is refused."""
    proper = {name.lower(): name for name in (*readers, *COMMON)}
    bound: dict[str, Any] = {}
    for name, value in given.items():
        if name.lower() not in proper:
            raise unknown_parameter(name)
        known = proper[name.lower()]
        if known in bound:
            raise unknown_parameter(name)
        bound[known] = readers.get(known, anything)(known, value)
    return bound


def sender_ip(parameter: str, value: str, *, widest: int) -> str:
    """An IPv4 address, or a block no wider than `widest`: no range, no IPv6."""
    try:
        network = ipaddress.IPv4Network(value, strict=False)
    except ValueError:
        raise makes_no_sense(
            f"The {parameter} value '{value}' is invalid. Use an IPv4 address or a /{widest} to /32 block."
        ) from None
    if network.prefixlen < widest:
        raise makes_no_sense(
            f"The {parameter} value '{value}' is invalid. The prefix must be between /{widest} and /32."
        )
    return value


def ip_range(parameter: str, value: str) -> str:
    """What a rule's IP condition takes: one address, first-last, or a block; IPv4 or IPv6."""
    first, dash, last = value.partition("-")
    try:
        if dash:
            _range(ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip()))
        else:
            ipaddress.ip_network(value, strict=False)
    except (ValueError, TypeError):
        raise bad_value(
            parameter, value, "Microsoft.Exchange.Data.IPRange", "Not a valid IP range."
        ) from None
    return value


def _range(first: ipaddress.IPv4Address | ipaddress.IPv6Address, last: object) -> None:
    if type(first) is not type(last) or int(first) > int(cast("ipaddress.IPv4Address", last)):
        raise ValueError


def type_of(value: Any) -> str:
    """The .NET name that an error shows for a JSON value."""
    names = {
        dict: "System.Collections.Hashtable",
        list: "System.Object[]",
        bool: "System.Boolean",
        str: "System.String",
    }
    return names.get(type(value), "System.Object")
