"""The one error root. What an operator reads passes through `redact`: no credential in a terminal or log."""

import base64
import functools
import json
import os
import re
import threading
import traceback
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, TypeVar

PROJECT = "m365-secure-email"
MASK = "[secret]"
_SHORTEST_SECRET = 4  # masking shorter texts would blank out ordinary words and give the secret away by that
_SHORTEST_ENCODED = 8  # the same for a part of something encoded
_FRAMES = 100

_secrets: set[str] = set()
_lock = threading.Lock()


def register_secret(value: str | None) -> None:
    """Remember a credential or header secret: from now on `redact` masks it and its usual encodings."""
    if value is None or len(value) < _SHORTEST_SECRET:
        return
    raw = value.encode(errors="surrogatepass")
    quoted = (urllib.parse.quote(raw, safe=""), urllib.parse.quote_plus(raw))
    forms = {
        value,
        *quoted,
        *(re.sub("%..", lambda found: found.group().lower(), one) for one in quoted),
        json.dumps(value)[1:-1],
        repr(value)[1:-1],
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        *(one for one in _within_base64(raw) if len(one) >= _SHORTEST_ENCODED),
    }
    forms |= {one.translate(_URL_SAFE) for one in forms}
    with _lock:
        _secrets.update(_flat(form) for form in forms)


_URL_SAFE = str.maketrans("+/", "-_")


def _within_base64(raw: bytes) -> Iterator[str]:
    """What of it can be told apart where it was encoded with something around it, `user:password` say."""
    for before in range(3):
        bits = 8 * (before + len(raw))
        yield base64.b64encode(bytes(before) + raw).decode()[-(-8 * before // 6) : bits // 6]


def redact(text: str) -> str:
    """The text with every registered secret masked, also one that a narrow terminal broke into lines."""
    with _lock:
        forms = tuple(_secrets)
    places = [at for at, letter in enumerate(text) if letter not in "\r\n"]
    flat, shown, end = _flat(text), "", 0
    for first, last in _joined(_found(flat, form) for form in forms):
        shown += text[end : places[first]] + MASK
        end = places[last] + 1
    return shown + text[end:]


def _flat(text: str) -> str:
    return text.translate({ord("\r"): None, ord("\n"): None})


def _found(text: str, form: str) -> Iterator[tuple[int, int]]:
    """Where it stands: first and last letter."""
    at = text.find(form)
    while at >= 0:
        yield at, at + len(form) - 1
        at = text.find(form, at + 1)


def _joined(found: Iterable[Iterable[tuple[int, int]]]) -> list[tuple[int, int]]:
    """In order, those that overlap made one: a secret may be part of a longer one."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(place for places in found for place in places):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def printable(text: str) -> str:
    """One line of what can be seen: what a server sends must not steer the operator's terminal."""
    # Half a character, from a server's JSON, is no text that the engine could be sent.
    text = text.encode(errors="backslashreplace").decode()
    seen = text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)
    return re.sub(r"\s+", " ", seen).strip()


def clean(text: str) -> str:
    """One line for an operator, without a secret, also one with blanks, or with control characters in it."""
    return redact(printable(redact(text)))


class ManagedError(Exception):
    """Something an operator can act on: what happened, where, what to do; one line, without secrets.

    `what` and `fix` are whole clauses, `where` names the thing: a gateway, a tenant, a table, a setting.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = clean(what), clean(where), clean(fix)
        place = f"{self.where}: " if self.where else ""
        advice = f". {self.fix[0].upper()}{self.fix[1:]}" if self.fix else ""
        super().__init__(f"{place}{self.what}{advice}")


class UnexpectedError(ManagedError):
    """A fault of ours or of a library: its text is cleaned; M365SE_TRACEBACK=1 shows where it comes from."""


P = ParamSpec("P")
R = TypeVar("R")


def tracebacks_wanted() -> bool:
    """Whether M365SE_TRACEBACK asks for whole tracebacks: lines of code, and what went wrong, redacted."""
    return os.environ.get("M365SE_TRACEBACK", "") not in ("", "0")


def clean_errors(call: Callable[P, R]) -> Callable[P, R]:
    """Let only clean errors out of a provider's method: the engine prints text and causes as they are."""

    @functools.wraps(call)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            if type(error).__qualname__ == PROJECT:
                raise  # by a method of a base class: ready to be printed
            # With a limit of its own, since `connections` sets the one of the whole process to nothing.
            lines = traceback.format_exception(error, limit=_FRAMES) if tracebacks_wanted() else []
            raise _as_printed(_ours(error), redact("".join(lines))) from None

    return wrapper


def _ours(error: Exception) -> ManagedError:
    if isinstance(error, ManagedError):
        return error
    return UnexpectedError(
        f"unexpected {type(error).__name__}: {error}",
        fix="please report this; M365SE_TRACEBACK=1 shows where it comes from",
    )


def _as_printed(error: ManagedError, text: str) -> ManagedError:
    """The same error, to be printed as our project's sentence, or as `text`.

    The plugin host prints `package.module.Class: sentence`, which tells an operator nothing; it takes these
    names from the error's class, and leaves out the module of a builtin one. So an error on its way out gets
    a subclass of its own class that is called so. The classes themselves keep their names: `except`, `pickle`
    and mypy see no difference.
    """
    names: dict[str, Any] = {"__module__": "builtins", "__qualname__": PROJECT}
    if text:
        names["__str__"] = lambda _self: text
    error.__class__ = type(type(error).__name__, (type(error),), names)
    return error.with_traceback(None)
