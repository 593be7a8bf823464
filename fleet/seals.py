"""That a secret is still the same one, told without the secret: its HMAC under a key that the stack keeps."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dynamic_providers.errors import PROJECT, ManagedError, register_secret
from fleet.engine import Engine, Ran
from fleet.failures import failure
from fleet.stacks import StackFile

KEY = "approvalKey"
_NO_PART_OF_A_PLAN = ("credentials", KEY)
"""Who reviews and who applies log in as others."""


class NoSeal(ManagedError):
    """A stack's secrets cannot be read, or there is no key for them."""


def lacks_key(stack: StackFile) -> str:
    """What to do where a stack has no key; empty where it has one."""
    if stack.values.get(KEY):
        return ""
    command = f"openssl rand -hex 32 | pulumi config set --secret {PROJECT}:{KEY} --stack {stack.name}"
    return f"{stack.name} has no key to tell by whether a secret is still the same one. Make one: `{command}`"


async def seals(engine: Engine, stack: StackFile) -> dict[str, str]:
    """Setting → its seal, of every secret that may end up in what is written. Raises NoSeal.

    The key's own tells whether it is still the same key.
    """
    if lacking := lacks_key(stack):
        raise NoSeal(lacking)
    config, ended = await engine.config(stack.name)
    if ended.code:
        raise NoSeal(f"its secrets cannot be read: {failure(stack.name, Ran.without_events(ended))[1]}")
    secrets = _secrets(stack, config, engine.environments.of(stack.name))
    key = secrets[KEY].encode()
    sealed = {place: f"{place}\0{text}".encode() for place, text in secrets.items()}
    sealed[KEY] = KEY.encode()
    return {place: hmac.new(key, text, hashlib.sha256).hexdigest() for place, text in sealed.items()}


def _secrets(stack: StackFile, config: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Setting → secret, in clear: by what the settings are, and by what is encrypted in the file."""
    from components import secret_checks  # they load the program, which others need not wait for
    from components.mistakes import shown
    from components.model_walk import given
    from components.raw_values import texts
    from components.settings import Settings, SharedGatewaySettings, with_environment

    model = SharedGatewaySettings if stack.kind == "gateway" else Settings
    values = {
        key.partition(":")[2]: _value(one) for key, one in config.items() if key.startswith(f"{PROJECT}:")
    }
    merged, _ = with_environment(model, values, environment)
    secret_checks.remember(model, merged)
    places = [one.path for one in given(model, merged) if one.is_secret] + list(_encrypted(stack.values))
    found = {}
    for place in places:
        for inner, text in texts(_at(merged, place), place):
            register_secret(text)
            if place[0] not in _NO_PART_OF_A_PLAN or place == (KEY,):
                found[shown(inner)] = text
    return found


def _value(said: Mapping[str, Any]) -> Any:
    return said.get("objectValue", said.get("value"))


def _encrypted(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where something encrypted stands in the file: `{secure: v1:…}`."""
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            yield place
            return
        for key, inner in value.items():
            yield from _encrypted(inner, (*place, str(key)))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _encrypted(inner, (*place, at))


def _at(value: Any, place: Sequence[str | int]) -> Any:
    for step in place:
        if isinstance(value, Mapping):
            value = value.get(step)
        else:
            value = (
                value[step]
                if isinstance(value, list) and isinstance(step, int) and step < len(value)
                else None
            )
    return value
