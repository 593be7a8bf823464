"""The header's secrets in the text of a stack file, changed where they stand: all else stays as it is.

The engine's own `config set` writes the whole file anew, and a request shows all that differs. What is
encrypted does not depend on its place, so it is moved as it is.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from dynamic_providers.errors import PROJECT, ManagedError

OUTBOUND = f"{PROJECT}:outbound"
_ENCRYPTED, _BEFORE = "secure", "previousSecrets"
_Entry = tuple[yaml.Node, yaml.Node]
_Edit = tuple[int, int, str]


class WrongText(ManagedError):
    """The secrets do not stand in the file as they have to."""


@dataclass(frozen=True)
class SecretText:
    """A stack file's text. Raises WrongText where the secrets in it are not each encrypted by itself."""

    text: str
    where: str

    @property
    def is_begun(self) -> bool:
        """Whether there are secrets from before."""
        return bool(self._outbound(self._loaded()).get(_BEFORE))

    @property
    def encrypted(self) -> str:
        """The secret, as the engine encrypted it."""
        return str(self._entry(self._entry(self._section(), "secret")[1], _ENCRYPTED)[1].value)

    def with_secret(self, encrypted: str) -> str:
        """With another secret; the one that was there is the one before it."""
        section = self._section()
        name, secret = self._entry(section, "secret")
        inner = self._entry(secret, _ENCRYPTED)[1]
        before = f"[{{{_ENCRYPTED}: {json.dumps(inner.value)}}}]"

        def change(outbound: dict[str, Any]) -> None:
            outbound |= {_BEFORE: [outbound["secret"]], "secret": {_ENCRYPTED: encrypted}}

        new = (*_span(inner), json.dumps(encrypted))
        if self._has(section, _BEFORE):
            return self._edited([new, self._emptied(section, before)], change)
        end = _end(secret)
        if isinstance(section, yaml.CollectionNode) and section.flow_style:
            return self._edited([new, (end, end, f", {_BEFORE}: {before}")], change)
        line = self.text.find("\n", end)
        end = len(self.text) if line < 0 else line
        ending = "\r\n" if "\r\n" in self.text else "\n"
        more = f"{ending}{' ' * name.start_mark.column}{_BEFORE}: {before}"
        end -= self.text[:end].endswith("\r")
        return self._edited([new, (end, end, more)], change)

    def without_previous(self) -> str:
        """Without those from before."""
        return self._edited(
            [self._emptied(self._section(), "[]")], lambda outbound: outbound.update({_BEFORE: []})
        )

    # --- places in the text ---------------------------------------------------------------------------------

    def _section(self) -> yaml.Node:
        root = yaml.compose(self.text, Loader=yaml.SafeLoader)
        return self._entry(self._entry(root, "config")[1], OUTBOUND)[1]

    def _entry(self, node: yaml.Node | None, key: str) -> _Entry:
        entries: list[_Entry] = node.value if isinstance(node, yaml.MappingNode) else []
        for entry in entries:
            if entry[0].value == key:
                return entry
        raise self._wrong()

    def _has(self, node: yaml.Node, key: str) -> bool:
        return any(entry[0].value == key for entry in node.value)

    def _emptied(self, section: yaml.Node, value: str) -> _Edit:
        """What stands behind the key of those from before becomes this value; the key stays in its place."""
        name, there = self._entry(section, _BEFORE)
        return _end(name), _end(there), f": {value}"

    def _edited(self, edits: list[_Edit], change: Callable[[dict[str, Any]], None]) -> str:
        """The text with these changes, which has to read as the settings with that change, and no other."""
        text = self.text
        for start, end, instead in sorted(edits, reverse=True):
            text = text[:start] + instead + text[end:]
        wanted = copy.deepcopy(self._loaded())
        change(wanted["config"][OUTBOUND])
        try:
            is_so = yaml.safe_load(text) == wanted
        except yaml.YAMLError:
            is_so = False  # what it says of the text may hold a part of it
        if not is_so:
            raise self._wrong()
        return text

    def _loaded(self) -> Any:
        return yaml.safe_load(self.text)

    def _outbound(self, loaded: Mapping[str, Any]) -> Mapping[str, Any]:
        outbound = loaded["config"].get(OUTBOUND)
        return outbound if isinstance(outbound, Mapping) else {}

    def _wrong(self) -> WrongText:
        return WrongText(
            "outbound.secret does not stand there encrypted by itself, so it cannot be changed in its place",
            where=self.where,
            fix="write the section outbound as YAML of its own, and set its secret with `pulumi config set"
            f" --secret --path {OUTBOUND}.secret`, which asks for the value",
        )


def _span(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.index, node.end_mark.index


def _end(node: yaml.Node) -> int:
    """Where a value ends. That of a block is said to be where the next thing begins, comments and all."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)
