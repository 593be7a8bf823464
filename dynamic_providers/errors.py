"""The one error root. What an operator reads passes through `redact`: no credential in a terminal or log."""

import base64
import functools
import json
import os
import re
import threading
import urllib.parse
from collections.abc import Callable
from typing import ParamSpec, TypeVar

MASK = "[secret]"
_SHORTEST_SECRET = 4  # masking shorter texts would blank out ordinary words and give the secret away by that

_secrets: set[str] = set()
_lock = threading.Lock()


def register_secret(value: str | None) -> None:
    """Remember a credential or header secret: from now on `redact` masks it and its usual encodings."""
    if value is None or len(value) < _SHORTEST_SECRET:
        return
    raw = value.encode()
    forms = {
        value,
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus(value),
        json.dumps(value)[1:-1],
        repr(value)[1:-1],
    }
    forms |= {base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    with _lock:
        _secrets.update(forms)


def redact(text: str) -> str:
    """The text with every registered secret masked."""
    with _lock:
        forms = sorted(_secrets, key=len, reverse=True)  # a secret may be part of a longer one
    for form in forms:
        text = text.replace(form, MASK)
    return text


def printable(text: str) -> str:
    """One line without control characters: what a server sends must not steer the operator's terminal."""
    return re.sub(
        r"\s+", " ", re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", " ", text)
    ).strip()


class ManagedError(Exception):
    """Something an operator can act on: what happened, where, what to do; one line, without secrets.

    `what` and `fix` are whole clauses, `where` names the thing: a gateway, a tenant, a table, a setting.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = (
            redact(printable(what)),
            redact(printable(where)),
            redact(printable(fix)),
        )
        place = f"{self.where}: " if self.where else ""
        advice = f". {self.fix[0].upper()}{self.fix[1:]}" if self.fix else ""
        super().__init__(f"{place}{self.what}{advice}")


class UnexpectedError(ManagedError):
    """A fault of ours or of a library: its text is cleaned; M365SE_TRACEBACK=1 shows where it comes from."""


P = ParamSpec("P")
R = TypeVar("R")


def tracebacks_wanted() -> bool:
    """Whether M365SE_TRACEBACK asks for whole tracebacks, which may show what a call was given."""
    return os.environ.get("M365SE_TRACEBACK", "") not in ("", "0")


def clean_errors(call: Callable[P, R]) -> Callable[P, R]:
    """Let only clean errors out of a provider's method: the engine prints text and causes as they are."""

    @functools.wraps(call)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except ManagedError as error:
            if tracebacks_wanted():
                raise
            raise error.with_traceback(None) from None
        except Exception as error:
            if tracebacks_wanted():
                raise
            name = type(error).__name__
            raise UnexpectedError(
                f"unexpected {name}: {error}",
                fix="please report this; M365SE_TRACEBACK=1 shows where it comes from",
            ) from None

    return wrapper
