"""May an address send mail for a domain? RFC 7208's check_host(), over our own resolver.

Written here, since no library does it over given resolvers: checkdmarc reads records but does not judge an
address (and leaves `exists:%{i}…` of cloud gateways aside), pyspf has had no release since 2020, and it is
led to other servers only by replacing a function for the whole process.
"""

from __future__ import annotations

import ipaddress
import re
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from dynamic_providers.dns.resolver import Answer, Kind, Resolver
from dynamic_providers.dns.spf_record import BrokenRecord, Directive, Qualifier, is_spf, parse
from dynamic_providers.dns.wire import LookUpFailed

MOST_LOOK_UPS, MOST_VOID, MOST_NAMES = 10, 2, 10  # RFC 7208, 4.6.4

Verdict = Literal["none", "permerror"] | Qualifier
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MACRO = re.compile(r"%(?:\{([A-Za-z])([0-9]*)([rR]?)([.\-+,/_=]*)\}|([%_-]))")
_LABEL = re.compile(r"[^.]{1,63}")


@dataclass(frozen=True)
class SpfResult:
    """The verdict, and what decided it: a mechanism, or what is wrong; `record` is the domain's own."""

    verdict: Verdict
    because: str
    record: str = ""
    look_ups: int = 0


@dataclass
class _Run:
    """One check: who sends, and what it has cost so far."""

    address: Address
    sender: str
    helo: str
    resolver: Resolver
    look_ups: int = 0
    void: int = 0
    names: list[str] | None = field(default=None)  # of the address, found and confirmed, for %{p} and ptr

    def count(self) -> None:
        """One more term that costs a look-up."""
        self.look_ups += 1
        if self.look_ups > MOST_LOOK_UPS:
            raise BrokenRecord(f"it needs more than {MOST_LOOK_UPS} look-ups")

    def ask(self, name: str, kind: Kind) -> Answer:
        """A look-up of a term; too many that find nothing spoil the record."""
        answer = self.resolver.ask(name, kind)
        if not answer.records:
            self.void += 1
            if self.void > MOST_VOID:
                raise BrokenRecord(f"more than {MOST_VOID} of its look-ups find nothing, the last: {name}")
        return answer


def check_host(
    resolver: Resolver, address: str, domain: str, *, sender: str = "", helo: str = ""
) -> SpfResult:
    """What a receiver makes of mail from this address for this domain. A failed look-up raises."""
    sending = ipaddress.ip_address(address)
    mapped = sending.ipv4_mapped if isinstance(sending, ipaddress.IPv6Address) else None
    run = _Run(mapped or sending, sender or f"postmaster@{domain}", helo or domain, resolver)
    record = ""
    try:
        if not _is_domain(domain):
            return SpfResult("none", "the domain is not a name")
        record = _record(resolver, domain) or ""
        verdict, because = _check(run, domain, record)
    except BrokenRecord as error:
        return SpfResult("permerror", str(error), record, run.look_ups)
    return SpfResult(verdict, because, record, run.look_ups)


def judge(resolver: Resolver, address: str, domain: str, record: str) -> SpfResult:
    """The same for a record that the domain does not have yet."""
    run = _Run(ipaddress.ip_address(address), f"postmaster@{domain}", domain, resolver)
    try:
        verdict, because = _check(run, domain, record)
    except BrokenRecord as error:
        return SpfResult("permerror", str(error), record, run.look_ups)
    return SpfResult(verdict, because, record, run.look_ups)


def _record(resolver: Resolver, domain: str) -> str | None:
    found = [text for text in resolver.texts(domain) if is_spf(text)]
    if len(found) > 1:
        raise BrokenRecord(f"{domain} has {len(found)} SPF records; there may be one only")
    return found[0] if found else None


def _check(run: _Run, domain: str, text: str | None) -> tuple[Verdict, str]:
    if not text:
        return "none", f"{domain} has no SPF record"
    record = parse(text)
    for directive in record.directives:
        if _MATCH[directive.mechanism](run, domain, directive):
            return directive.qualifier, f"«{directive.text}»"
    if not record.redirect:
        return "neutral", "nothing in it matches"
    run.count()
    target = _target(run, domain, record.redirect)
    other = _record(run.resolver, target) if _is_domain(target) else None
    if not other:
        raise BrokenRecord(f"redirect={target}: there is no SPF record")
    return _check(run, target, other)


# --- mechanisms ---------------------------------------------------------------------------------------------


def _all(_run: _Run, _domain: str, _directive: Directive) -> bool:
    return True


def _ip(run: _Run, _domain: str, directive: Directive) -> bool:
    network = directive.network
    return network is not None and network.version == run.address.version and run.address in network


def _include(run: _Run, domain: str, directive: Directive) -> bool:
    run.count()
    target = _target(run, domain, directive.domain)
    other = _record(run.resolver, target) if _is_domain(target) else None
    if not other:
        raise BrokenRecord(f"«{directive.text}»: {target} has no SPF record")
    return _check(run, target, other)[0] == "pass"


def _a(run: _Run, domain: str, directive: Directive) -> bool:
    run.count()
    return _at(run, _target(run, domain, directive.domain), directive)


def _mx(run: _Run, domain: str, directive: Directive) -> bool:
    run.count()
    target = _target(run, domain, directive.domain)
    records = run.ask(target, "MX").records if _is_domain(target) else ()
    hosts = [record.split(" ", 1)[1] for record in records]
    if len(hosts) > MOST_NAMES:
        raise BrokenRecord(f"«{directive.text}»: {target} has more than {MOST_NAMES} MX hosts")
    return any(_at(run, host, directive, counted=False) for host in hosts)


def _exists(run: _Run, domain: str, directive: Directive) -> bool:
    run.count()
    target = _target(run, domain, directive.domain)
    return _is_domain(target) and bool(run.ask(target, "A").records)


def _ptr(run: _Run, domain: str, directive: Directive) -> bool:
    run.count()
    target = _target(run, domain, directive.domain)
    return any(name == target or name.endswith(f".{target}") for name in _names(run))


_MATCH: dict[str, Callable[[_Run, str, Directive], bool]] = {
    "all": _all,
    "ip4": _ip,
    "ip6": _ip,
    "include": _include,
    "a": _a,
    "mx": _mx,
    "exists": _exists,
    "ptr": _ptr,
}


def _at(run: _Run, name: str, directive: Directive, *, counted: bool = True) -> bool:
    """Whether the sending address is one of the name's, or in the same network."""
    if not _is_domain(name):
        return False
    kind: Kind = "A" if run.address.version == 4 else "AAAA"
    found = run.ask(name, kind) if counted else run.resolver.ask(name, kind)
    length = directive.cidr[0 if run.address.version == 4 else 1]
    networks = (ipaddress.ip_network(f"{one}/{length}", strict=False) for one in found.records)
    return any(run.address in network for network in networks)


def _names(run: _Run) -> list[str]:
    """The names of the sending address that lead back to it. Here a failure means «none» (RFC 7208, 5.5)."""
    if run.names is None:
        try:
            found = run.ask(run.address.reverse_pointer, "PTR").records[:MOST_NAMES]
        except LookUpFailed:
            found = ()
        run.names = [name for name in found if _is_domain(name) and _leads_back(run, name)]
    return run.names


def _leads_back(run: _Run, name: str) -> bool:
    kind: Kind = "A" if run.address.version == 4 else "AAAA"
    try:
        found = run.resolver.ask(name, kind).records
    except LookUpFailed:
        return False
    return run.address in {ipaddress.ip_address(one) for one in found}


# --- names and macros ---------------------------------------------------------------------------------------


def _is_domain(name: str) -> bool:
    """Whether DNS could hold it, and it has two labels at least."""
    labels = name.removesuffix(".").split(".")
    return len(labels) > 1 and len(name) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def _target(run: _Run, domain: str, spec: str) -> str:
    """A domain-spec with its macros expanded, cut from the left where it is too long for DNS."""
    if not spec:
        return domain.lower()
    name = _MACRO.sub(lambda found: _expanded(run, domain, found), spec).removesuffix(".").lower()
    while len(name) > 253 and "." in name:
        name = name.split(".", 1)[1]
    return name


def _expanded(run: _Run, domain: str, found: re.Match[str]) -> str:
    letter, digits, reverse, delimiters, literal = found.groups()
    if literal:
        return {"%": "%", "_": " ", "-": "%20"}[literal]
    parts = re.split(f"[{re.escape(delimiters or '.')}]", _macro_value(run, domain, letter.lower()))
    if reverse:
        parts.reverse()
    if digits:
        if int(digits) == 0:
            raise BrokenRecord(f"the macro «{found.group()}» asks for no part at all")
        parts = parts[-int(digits) :]
    text = ".".join(parts)
    return urllib.parse.quote(text, safe="-._~") if letter.isupper() else text


def _macro_value(run: _Run, domain: str, letter: str) -> str:
    local, _, place = run.sender.rpartition("@")
    if letter == "p":
        return next(iter(sorted(_names(run), key=lambda name: name != domain)), "unknown")
    six = run.address.version == 6
    return {
        "s": f"{local or 'postmaster'}@{place}",
        "l": local or "postmaster",
        "o": place,
        "d": domain,
        "i": ".".join(run.address.exploded.replace(":", "")) if six else str(run.address),
        "v": "ip6" if six else "in-addr",
        "h": run.helo,
        "c": str(run.address),
        "r": "unknown",
        "t": str(int(time.time())),
    }[letter]
