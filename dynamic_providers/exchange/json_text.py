"""JSON that somebody else sent: whatever it is, it is read, or refused as a ValueError."""

import json
from typing import Any


def parsed(text: str | bytes) -> Any:
    """What it says. ValueError where it is no JSON, or lies deeper in itself than anybody means."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
