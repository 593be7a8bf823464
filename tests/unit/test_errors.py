"""What an operator may read: one line, without a secret, whatever it was encoded as or wrapped by."""

import base64
import importlib
import inspect
import json
import pickle
import pkgutil
import re
import traceback
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic import ResourceProvider

import dynamic_providers
from dynamic_providers import errors
from dynamic_providers.errors import ManagedError, UnexpectedError, clean_errors, printable, redact

SECRET = 'Canary/+"7 pass\\word&ä'
ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after one byte": lambda text: base64.b64encode(f"u{text}".encode()).decode(),
    "base64 between others": lambda text: base64.b64encode(f"us{text}:x".encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"user:{text}".encode()).decode(),
    "URL": lambda text: urllib.parse.quote(text, safe=""),
    "URL in lower case": lambda text: re.sub(
        "%..", lambda found: found.group().lower(), urllib.parse.quote(text, safe="")
    ),
    "form": urllib.parse.quote_plus,
    "JSON": json.dumps,
    "Python": repr,
    "hexadecimal": lambda text: text.encode().hex(),
    "wrapped": lambda text: f"{text[:5]}\r\n{text[5:9]}\n{text[9:]}",
}


class Broken(ManagedError):
    """A failure of a part."""


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_secrets", set())
    errors.register_secret(SECRET)


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_a_secret_is_masked_in_every_form(encode: Callable[[str], str]) -> None:
    shown = redact(f"before {encode(SECRET)} after")
    rest = shown.removeprefix("before ").removesuffix(" after")
    assert errors.MASK in rest
    assert len(rest.replace(errors.MASK, "")) <= 12, shown  # quotes, and what base64 makes of its neighbours


def test_overlapping_secrets_leave_nothing_of_either() -> None:
    errors.register_secret("canary-one-two")
    errors.register_secret("two-three-canary")
    assert redact("x canary-one-two-three-canary x") == f"x {errors.MASK} x"


def test_a_private_key_is_masked_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nAAAABBBBCCCC\nDDDDEEEEFFFF\n-----END KEY-----\n"
    errors.register_secret(key)
    assert redact(f"is {key}").strip() == f"is {errors.MASK}"


def test_words_are_not_masked_for_a_short_secret() -> None:
    errors.register_secret("the")
    assert redact("the gateway") == "the gateway"


def test_an_error_is_one_printable_line() -> None:
    error = ManagedError("it\x1b[31m says\r\n«half \ud800»", where="esa1", fix="look")
    assert str(error) == "esa1: it [31m says «half \\ud800». Look"
    assert printable(str(error)).encode() == str(error).encode()


def raised(error: Exception) -> ManagedError:
    @clean_errors
    def call() -> None:
        raise error

    with pytest.raises(ManagedError) as caught:
        call()
    return caught.value


def test_the_engine_prints_a_sentence_and_no_class() -> None:
    error = raised(Broken("it broke", where="esa1", fix="mend it"))
    assert isinstance(error, Broken)
    printed = traceback.format_exception(error, limit=0)
    assert printed == ["m365-secure-email: esa1: it broke. Mend it\n"]


def test_a_foreign_error_is_cleaned_and_its_causes_stay_inside() -> None:
    error = KeyError(f"{SECRET}\nsecond line")
    error.__cause__ = ValueError(SECRET)
    shown = raised(error)
    assert isinstance(shown, UnexpectedError)
    printed = "".join(traceback.format_exception(shown, limit=0))
    assert printed.count("\n") == 1
    assert "Canary" not in printed
    assert "KeyError" in printed
    assert "M365SE_TRACEBACK=1" in printed


def test_a_traceback_shows_where_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M365SE_TRACEBACK", "1")
    monkeypatch.setattr("sys.tracebacklimit", 0, raising=False)
    printed = "".join(traceback.format_exception(raised(ValueError(SECRET))))
    assert "test_errors.py" in printed
    assert "in call" in printed
    assert f"ValueError: {errors.MASK}" in printed
    assert "Canary" not in printed


def test_classes_keep_their_names_for_pickle() -> None:
    raised(Broken("it broke"))
    assert pickle.loads(pickle.dumps(Broken)) is Broken  # noqa: S301 - our own
    assert Broken.__qualname__ == "Broken"


def test_every_call_of_the_engine_lets_only_clean_errors_out() -> None:
    calls = ("check", "diff", "create", "read", "update", "delete")
    for module in pkgutil.walk_packages(dynamic_providers.__path__, "dynamic_providers."):
        importlib.import_module(module.name)
    found = [one for one in subclasses(ResourceProvider) if one.__module__.startswith("dynamic_providers.")]
    assert len(found) > 10
    whole = [one for one in found if not inspect.isabstract(one)]  # a base leaves some to those below
    unclean = [f"{one.__qualname__}.{call}" for one in whole for call in calls if not is_clean(one, call)]
    assert unclean == [], "let these be decorated with clean_errors"


def subclasses(base: type[Any]) -> Iterator[type[Any]]:
    for one in base.__subclasses__():
        yield one
        yield from subclasses(one)


def is_clean(provider: type[Any], call: str) -> bool:
    return hasattr(getattr(provider, call), "__wrapped__")


REVEALING = re.compile(r"--logtostderr|--logflow|--verbose\b|(?<![\w-])-v(?:=?\d+)?(?![\w-])")
"""What makes the engine print every call in clear."""
ENGINE = re.compile(r"pulumi|\.(?:up|preview|refresh|destroy|update|run)\(")


def revealing(text: str) -> list[str]:
    return [line for line in text.splitlines() if ENGINE.search(line) and REVEALING.search(line)]


@pytest.mark.parametrize(
    "line", ["pulumi up -v=9", "pulumi --logtostderr up", 'project.up("-v", "11")', "pulumi up --verbose 9"]
)
def test_a_revealing_command_is_seen(line: str) -> None:
    assert revealing(line) == [line]
    assert revealing("pulumi up --yes # --vault") == []


def test_nothing_of_ours_lets_the_engine_tell_all() -> None:
    """docs/architecture.md tells why. What people read may name it, so that they do not do it."""
    root = Path(dynamic_providers.__file__).parent.parent
    rooms = ("components", "dynamic_providers", "lab", "mail_check", "tests", "tools", "pipelines", "fleet")
    kinds = (".py", ".sh", ".yml", ".yaml", ".toml", "")
    files = [file for room in rooms for file in (root / room).rglob("*") if file.suffix in kinds]
    texts = {
        file: file.read_text(encoding="utf-8", errors="replace")
        for file in (*files, root / "Makefile", root / "__main__.py")
        if file.is_file() and file.name != Path(__file__).name
    }
    assert len(texts) > 300
    assert {str(file): seen for file, text in texts.items() if (seen := revealing(text))} == {}
