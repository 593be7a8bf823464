"""Terms of ours put into an SPF record, and taken out again so that what stays is what was there before.

They go in front: what stands first decides first, and an address costs no look-up. A TXT record is a list of
strings of at most 255 bytes, which receivers join (RFC 7208, 3.3): where ours do not fit into the only one,
they get one of their own, and that goes with them.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from dynamic_providers.dns.spf_record import BrokenRecord, Directive, parse
from dynamic_providers.refusal import refuse

Strings = tuple[str, ...]

LONGEST_STRING: Final = 255
_VERSION: Final = "v=spf1"
_USELESS: Final = frozenset({"all", "ptr"})


def _term(text: str) -> str:
    try:
        [directive] = parse(f"{_VERSION} {text}").directives if text == text.strip() else ()
    except (BrokenRecord, ValueError):
        refuse("is no SPF mechanism: write one, such as ip4:192.0.2.1 or include:spf.contoso.example")
    if directive.qualifier != "pass" or directive.mechanism in _USELESS or not text.isascii():
        refuse("lets no gateway send: write a mechanism that passes, such as ip4:192.0.2.1")
    return text.removeprefix("+")


SpfTerm = Annotated[
    str, AfterValidator(_term), Field(json_schema_extra={"pattern": r"^[A-Za-z0-9]+([:/]\S+)?$"})
]
"""A mechanism that passes: `ip4:192.0.2.1`, `include:spf.contoso.example`."""


def has(strings: Strings, term: str) -> bool:
    """Whether a term stands in a record, in whatever way it is written."""
    return any(_same(one, term) for one in _words("".join(strings)))


def added(strings: Strings, terms: Sequence[str]) -> Strings:
    """The record with these terms, those before the others; what is there already is not put in again."""
    missing = [one for one in terms if not has(strings, one)]
    if not missing:
        return strings
    version, rest = strings[0][: len(_VERSION)], strings[0][len(_VERSION) :]
    ours = " ".join([version, *missing])
    if len(strings) == 1 and len(ours) + len(rest) <= LONGEST_STRING:
        return (ours + rest,)
    return (*_cut(ours), *([rest] if rest else []), *strings[1:])


def removed(strings: Strings, terms: Iterable[str]) -> Strings:
    """The record without these terms."""
    gone = list(terms)
    left = [_without(one, gone) for one in strings]
    if len(left) > 1 and left[0].lower() == _VERSION and left[1].startswith(" "):
        left = [left[0] + left[1], *left[2:]]  # ours had a string of their own
    return tuple(one for one in left if one)


def _without(string: str, terms: Sequence[str]) -> str:
    """A blank goes with each, the one before it."""
    kept = [one for one in re.findall(r" *[^ ]+| +", string) if not _is_one_of(one.strip(), terms)]
    return "".join(kept)


def _is_one_of(word: str, terms: Sequence[str]) -> bool:
    return any(_same(word, one) for one in terms)


def _words(text: str) -> list[str]:
    return text[len(_VERSION) :].split()


def _same(word: str, term: str) -> bool:
    found, wanted = _directive(word), _directive(term)
    if found is None or wanted is None or found.qualifier != "pass":
        return False
    if found.network is not None:
        return found.network == wanted.network
    return found.text.removeprefix("+").casefold() == wanted.text.casefold()


def _directive(word: str) -> Directive | None:
    try:
        directives = parse(f"{_VERSION} {word}").directives
    except BrokenRecord:
        return None
    return directives[0] if directives else None


def _cut(text: str) -> list[str]:
    """Into strings that are not too long, each but the first with its blank in front."""
    parts = [""]
    for word in re.findall(r" *[^ ]+", text):
        if len(parts[-1]) + len(word) > LONGEST_STRING:
            parts.append("")
        parts[-1] += word
    return parts
