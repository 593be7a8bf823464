"""An SPF record taken apart by the grammar of RFC 7208 (section 12), before anything in it is looked up."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

VERSION = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)

Qualifier = Literal["pass", "fail", "softfail", "neutral"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_QUALIFIERS: dict[str, Qualifier] = {"": "pass", "+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

_EXPAND = r"%\{[slodiphvSLODIPHV][0-9]*[rR]?[.\-+,/_=]*\}|%%|%_|%-"
_EXPAND_EXP = _EXPAND.replace("[slodiphvSLODIPHV]", "[slodiphvcrtSLODIPHVCRT]")
_LITERAL = r"[\x21-\x24\x26-\x7e]"
_TOP = r"\.(?:[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])\.?"
_DOMAIN_SPEC = re.compile(rf"(?:{_EXPAND}|{_LITERAL})*?(?:{_TOP}|{_EXPAND})")
_MACRO_STRING = re.compile(rf"(?:{_EXPAND_EXP}|{_LITERAL})*")
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_DIRECTIVE = re.compile(r"([-+?~]?)([A-Za-z][A-Za-z0-9]*)(.*)", re.DOTALL)
_CIDR4, _CIDR6 = r"(?:/(0|[1-9][0-9]?))?", r"(?://(0|[1-9][0-9]{0,2}))?"
_HOSTS = re.compile(rf"(?::(.+?))?{_CIDR4}{_CIDR6}", re.DOTALL)
_WITH_DOMAIN = frozenset({"a", "mx", "ptr", "include", "exists"})


class BrokenRecord(Exception):
    """The record breaks the grammar or a limit: every receiver answers «permerror»; the text says why."""


@dataclass(frozen=True)
class Directive:
    """A mechanism and what it means where it matches. `cidr`: prefix lengths for IPv4 and IPv6."""

    text: str
    qualifier: Qualifier
    mechanism: str
    domain: str = ""
    network: Network | None = None
    cidr: tuple[int, int] = (32, 128)


@dataclass(frozen=True)
class SpfRecord:
    """A whole record."""

    text: str
    directives: tuple[Directive, ...]
    redirect: str = ""


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record."""
    return VERSION.match(text) is not None


def parse(text: str) -> SpfRecord:
    """Take a record apart; one fault anywhere spoils it all (RFC 7208, 4.6)."""
    directives: list[Directive] = []
    modifiers: dict[str, str] = {}
    for term in text[len("v=spf1") :].split(" "):
        if not term:
            continue
        if found := _MODIFIER.fullmatch(term):
            _add_modifier(modifiers, found.group(1).lower(), found.group(2), term)
        else:
            directives.append(_directive(term))
    return SpfRecord(text, tuple(directives), modifiers.get("redirect", ""))


def _add_modifier(modifiers: dict[str, str], name: str, value: str, term: str) -> None:
    if name in ("redirect", "exp"):
        if name in modifiers:
            raise BrokenRecord(f"{name}= stands twice in it")
        if not _DOMAIN_SPEC.fullmatch(value):
            raise BrokenRecord(f"«{term}» has no valid domain")
    elif not _MACRO_STRING.fullmatch(value):
        raise BrokenRecord(f"«{term}» is not understood")
    modifiers[name] = value


def _directive(term: str) -> Directive:
    found = _DIRECTIVE.fullmatch(term)
    name = found.group(2).lower() if found else ""
    if not found or name not in {"all", "ip4", "ip6", *_WITH_DOMAIN}:
        raise BrokenRecord(f"«{term}» is not understood")
    qualifier, rest = _QUALIFIERS[found.group(1)], found.group(3)
    if name == "all":
        if rest:
            raise BrokenRecord(f"«{term}» is not understood")
        return Directive(term, qualifier, name)
    if name in ("ip4", "ip6"):
        return Directive(term, qualifier, name, network=_network(term, name, rest))
    domain, cidr = _hosts(term, name, rest)
    return Directive(term, qualifier, name, domain, cidr=cidr)


def _network(term: str, name: str, rest: str) -> Network:
    address, _, length = rest[1:].partition("/")
    most = 32 if name == "ip4" else 128
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        parsed = None
    right_kind = parsed is not None and parsed.version == (4 if name == "ip4" else 6) and "%" not in address
    right_length = "/" not in rest or (re.fullmatch(r"0|[1-9][0-9]{0,2}", length) and int(length) <= most)
    if not rest.startswith(":") or not right_kind or not right_length:
        raise BrokenRecord(f"«{term}» has no valid address")
    return ipaddress.ip_network(f"{address}/{length or most}", strict=False)


def _hosts(term: str, name: str, rest: str) -> tuple[str, tuple[int, int]]:
    found = _HOSTS.fullmatch(rest)
    if not found or (name in ("include", "exists") and not found.group(1)):
        raise BrokenRecord(f"«{term}» is not understood")
    domain, four, six = found.groups()
    if (four or six) and name not in ("a", "mx"):
        raise BrokenRecord(f"«{term}» takes no prefix length")
    if domain is not None and not _DOMAIN_SPEC.fullmatch(domain):
        raise BrokenRecord(f"«{term}» has no valid domain")
    cidr = (int(four or 32), int(six or 128))
    if cidr[0] > 32 or cidr[1] > 128:
        raise BrokenRecord(f"«{term}» has no valid prefix length")
    return domain or "", cidr
