"""What the engine hands over of a stack file.

`pulumi.Config` only answers for keys that one knows to ask for; a mistyped key would be ignored silently. So
all keys are read from where the SDK itself keeps them: `pulumi.runtime.config.CONFIG`, which the language
host fills from PULUMI_CONFIG and PULUMI_CONFIG_SECRET_KEYS, and those variables where it has not.
"""

import difflib
import json

from pulumi.runtime import config as runtime_config

NAMESPACE = "m365-secure-email"


def read_config(own: str = NAMESPACE) -> dict[str, object]:
    """All settings of this stack by their keys, objects and lists parsed.

    A key of a namespace that is nearly ours is a slip of the pen: it comes along under its whole name, and is
    then refused as unknown.
    """
    values: dict[str, object] = {}
    for whole, text in _all().items():
        namespace, _, key = whole.partition(":")
        if namespace == own:
            values[key] = _parsed(text)
        elif difflib.SequenceMatcher(None, namespace.lower(), own).ratio() > 0.8:
            values[whole] = _parsed(text)
    return values


def secret_keys() -> frozenset[str]:
    """The keys of which the engine knows that they hold a secret."""
    keys = runtime_config.get_config_secret_keys_env()
    return frozenset(
        whole.partition(":")[2]
        for whole in {*keys, *(key for key in _all() if runtime_config.is_config_secret(key))}
        if whole.startswith(f"{NAMESPACE}:")
    )


def _all() -> dict[str, object]:
    return {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}


def _parsed(text: object) -> object:
    """Objects and lists come as JSON text, plain values as they are."""
    if not isinstance(text, str) or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        parsed: object = json.loads(text)
    except ValueError:
        return text
    return parsed
