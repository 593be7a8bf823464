"""What a stack's processes find in their environment: theirs, and nobody else's.

`CONTOSO_PROD__OUTBOUND_SECRET` is `OUTBOUND_SECRET` for the stack contoso-prod alone: the stack's name in
capitals, what is no letter or digit as `_`, then two of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from dynamic_providers.errors import ManagedError, register_secret
from fleet.stacks import StackFile

STREAMING = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
"""A preview tells what it finds as it finds it, as the other commands do anyway."""

ONE_STACKS_OWN = "OUTBOUND_SECRET"
"""Under this name for several stacks, one tenant's mail would pass another tenant's filter."""

_SECRET = re.compile(r"(SECRET|PASSWORD|PASSPHRASE|TOKEN|ACCESS_KEY|STORAGE_KEY|CREDENTIALS)$")
_BACKEND = "PULUMI_BACKEND_URL"


class WrongVariable(ManagedError):
    """A variable would reach a stack that it is not meant for."""


def prefix(stack: str) -> str:
    """What the variables of one stack alone begin with."""
    return re.sub(r"[^A-Z0-9]", "_", stack.upper()) + "__"


@dataclass(frozen=True)
class Environments:
    """The environment of each stack's processes. `base`: what they have in common; `names`: all stacks."""

    base: Mapping[str, str]
    names: tuple[str, ...]

    def of(self, stack: str) -> dict[str, str]:
        """One stack's. Of what is meant for another one, nothing is in it."""
        prefixes = [prefix(name) for name in self.names]
        common = {name: value for name, value in self.base.items() if _owner(name, prefixes) is None}
        own = {
            name.removeprefix(prefix(stack)): value
            for name, value in self.base.items()
            if _owner(name, prefixes) == prefix(stack)
        }
        return {**common, **STREAMING, **own}

    def require_unmixed(self, chosen: Iterable[StackFile]) -> None:
        """Raises WrongVariable where two stacks would take the same variables, or one secret."""
        same = Counter(prefix(name) for name in self.names)
        twice = [
            one for one, count in same.items() if count > 1 and any(v.startswith(one) for v in self.base)
        ]
        if twice:
            names = " and ".join(name for name in self.names if prefix(name) == twice[0])
            raise WrongVariable(f"{twice[0]}… would be for {names}", fix="rename one of these stacks")
        sharing = [
            one.name
            for one in chosen
            if one.kind == "tenant" and not one.problem and prefix(one.name) + ONE_STACKS_OWN not in self.base
        ]
        if self.base.get(ONE_STACKS_OWN) and len(sharing) > 1:
            own = prefix(sharing[0]) + ONE_STACKS_OWN
            raise WrongVariable(
                f"{ONE_STACKS_OWN} in the environment would be the header's secret of {len(sharing)} stacks:"
                " mail of each tenant would pass the filter of the others",
                fix=f"name it {own} for {sharing[0]}, or keep it in the stack file as a secret",
            )

    def register_secrets(self) -> None:
        """From now on, nothing that this process says holds a credential of any stack."""
        for name, value in self.base.items():
            if _SECRET.search(name):
                register_secret(value)
            if name.endswith(_BACKEND):
                password = urlsplit(value).password
                register_secret(password)
                register_secret(unquote(password) if password else None)


def _owner(variable: str, prefixes: Iterable[str]) -> str | None:
    """Whose variable it is: the longest prefix wins, for a stack's name may be the beginning of another's."""
    return max((one for one in prefixes if variable.startswith(one)), key=len, default=None)
