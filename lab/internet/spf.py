"""RFC 7208: whether an address may send for a domain, by the records as they are right now.

`ptr` never matches and `exp` is not looked at. The macros `%{i}`, `%{d}`, `%{o}`, `%{s}`, `%{l}` and `%{h}`
are filled in, without transformers, for IPv4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from lab.internet.resolver import addresses, mail_hosts
from lab.internet.zones import Zones, plain

Result = Literal["none", "neutral", "pass", "fail", "softfail", "permerror"]
RESULTS: dict[str, Result] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
MOST_LOOKUPS = 10
MOST_VOID = 2
TERM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)([:=/].*)?")
TARGETS = ("include", "a", "mx", "exists", "ptr")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


class _Broken(Exception):
    """The record, or one that it leads to, cannot be used: permerror."""


def check(zones: Zones, address: str, sender: str, helo: str = "") -> Result:
    """What the sender's domain says of this address; of an empty sender, what the greeting's name says."""
    mailbox = sender or f"postmaster@{helo}"
    domain = plain(mailbox.rpartition("@")[2])
    try:
        return _Check(zones, IPv4Address(address), mailbox, helo).of(domain)
    except _Broken:
        return "permerror"


def records(zones: Zones, domain: str) -> list[str]:
    """The texts at a domain that are SPF records, each joined from its strings."""
    found = zones.lookup(domain, "TXT").records
    texts = ["".join(TEXT.findall(value)) for one in found if one.kind == "TXT" for value in one.values]
    return [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


@dataclass
class _Check:
    """One evaluation, with the look-ups that it has cost so far."""

    zones: Zones
    address: IPv4Address
    mailbox: str
    helo: str
    lookups: int = 0
    void: int = 0

    def of(self, domain: str) -> Result:
        found = records(self.zones, domain)
        if not found:
            return "none"
        if len(found) > 1:
            raise _Broken
        redirect = ""
        for qualifier, name, value in _terms(found[0]):
            if name == "redirect" and value.startswith("="):
                redirect = self._filled(value[1:], domain)
            elif value.startswith("="):
                continue  # a modifier that nobody knows
            elif self._holds(name, value, domain):
                return RESULTS[qualifier or "+"]
        if not redirect:
            return "neutral"
        self._count()
        result = self.of(redirect)
        if result == "none":
            raise _Broken
        return result

    def _holds(self, name: str, value: str, domain: str) -> bool:
        if name == "all":
            return True
        if name == "ip4":
            return self.address in _network(value.removeprefix(":"))
        if name == "ip6":
            return False
        if name not in TARGETS:
            raise _Broken
        self._count()
        target, _, length = value.removeprefix(":").partition("/")
        if not target and name in ("include", "exists"):
            raise _Broken
        return self._leads_here(name, self._filled(target, domain) if target else domain, length or "32")

    def _leads_here(self, name: str, target: str, length: str) -> bool:
        if name == "include":
            result = self.of(target)
            if result in ("none", "permerror"):
                raise _Broken
            return result == "pass"
        if name == "ptr":
            return False
        names = (
            [host for _, host in mail_hosts(self.zones.lookup(target, "MX"))] if name == "mx" else [target]
        )
        found = [address for host in names for address in addresses(self.zones.lookup(host, "A"))]
        if not found:
            self.void += 1
            if self.void > MOST_VOID:
                raise _Broken
        return bool(found) and (
            name == "exists" or any(self.address in _network(f"{one}/{length}") for one in found)
        )

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > MOST_LOOKUPS:
            raise _Broken

    def _filled(self, text: str, domain: str) -> str:
        local, _, sender_domain = self.mailbox.rpartition("@")
        known = {
            "i": str(self.address),
            "d": domain,
            "o": sender_domain,
            "s": self.mailbox,
            "l": local,
            "h": self.helo,
        }
        filled = re.sub(r"%\{([idoslh])\}", lambda found: known[found[1]], text, flags=re.IGNORECASE)
        if re.search(r"%\{", filled):
            raise _Broken
        return plain(filled)


def _terms(record: str) -> Iterator[tuple[str, str, str]]:
    """Qualifier, name and the rest of each term after the version."""
    for word in record.split()[1:]:
        term = TERM.fullmatch(word)
        if term is None:
            raise _Broken
        yield term[1], term[2].lower(), term[3] or ""


def _network(text: str) -> IPv4Network:
    try:
        return IPv4Network(text, strict=False)
    except ValueError:
        raise _Broken from None
