"""Normal forms: what Exchange shows in several ways is brought to one. None means «not set»."""

import ipaddress
from collections.abc import Callable
from typing import Any

Form = Callable[[Any], Any]


def anything(value: Any) -> Any:
    """A value that we do not model: null, "", [], false and a GUID of zeros are «not set»; lists in order."""
    if value is None or value is False or value in ("", [], "00000000-0000-0000-0000-000000000000"):
        return None
    if isinstance(value, list):
        return sorted((str(one) for one in value), key=lambda one: (one.casefold(), one))
    return value


def text(value: Any) -> str | None:
    """A text or a name."""
    return str(value) if value not in (None, "") else None


def flag(value: Any) -> bool:
    """A switch; null is off."""
    return value is True


def number(value: Any) -> int | str | None:
    """A whole number, which comes as number or text; what is none is kept as it is written, and differs."""
    if value in (None, ""):
        return None
    try:
        return int(value)
    except (ValueError, TypeError, OverflowError):
        return str(value)


def word(*known: str) -> Form:
    """One of a set of words, in whatever case; another one is kept as it is."""
    right = {one.casefold(): one for one in known}

    def form(value: Any) -> str | None:
        return None if value in (None, "") else right.get(str(value).casefold(), str(value))

    return form


def addresses(value: Any) -> list[str] | None:
    """IPv4 addresses, ranges and networks, in order; a network of one is that one."""
    return sorted({_address(str(one)) for one in value}, key=_by_number) if value else None


def hosts(value: Any) -> list[str] | None:
    """Smart hosts in order: lower case, an address without the brackets that Exchange may put round it."""
    return sorted({str(one).strip("[]").rstrip(".").casefold() for one in value}) if value else None


def words(value: Any) -> list[str] | None:
    """Mail addresses or domains in order, lower case; none is «not set»."""
    return sorted({str(one).casefold().rstrip(".") for one in value}) if value else None


def as_tuple(form: Form) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """A form for lists, as a model's validator."""
    return lambda value: tuple(form(value) or ())


def sender_domains(value: Any) -> list[str] | None:
    """Sender domains in order: `*` reads back as `smtp:*;1`, where 1 is a cost that means nothing inbound."""
    return (
        sorted({str(one).casefold().removeprefix("smtp:").partition(";")[0] for one in value})
        if value
        else None
    )


def _address(one: str) -> str:
    return one.strip().removesuffix("/32")


def _by_number(one: str) -> tuple[int, str]:
    try:
        return int(ipaddress.IPv4Address(one.partition("/")[0].partition("-")[0])), one
    except ValueError:
        return 0, one
