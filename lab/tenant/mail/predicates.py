"""The conditions of transport rules, each as a question about one message for one recipient.

Words match as whole words and patterns anywhere, both ignoring case; a domain stands for its subdomains
too, as Microsoft describes `SenderDomainIs` and `RecipientDomainIs`. What a rule asks that is not in
`PREDICATES` cannot be answered here: see `rule_run.py`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.tenant.mail.configuration import domain_of
from lab.tenant.mail.facts import Facts
from lab.tenant.store import Record


@dataclass(frozen=True)
class Question:
    """One condition: its value, the rule it stands in (without the prefix of an exception), the message."""

    value: Any
    rule: Callable[[str], Any]
    facts: Facts
    groups: Mapping[str, frozenset[str]]
    location: str

    @property
    def senders(self) -> list[str]:
        """The sender's addresses, from where the rule looks for them."""
        return self.facts.senders(self.location)


Predicate = Callable[[Question], bool]


def asked(rule: Record, name: str, facts: Facts, groups: Mapping[str, frozenset[str]]) -> bool | None:
    """Whether a condition or exception holds; None: the lab has no answer to it."""
    prefix = "ExceptIf" if name.startswith("ExceptIf") else ""
    predicate = PREDICATES.get(name.removeprefix(prefix))
    if predicate is None:
        return None
    location = str(rule.get("SenderAddressLocation", "Header"))
    return predicate(Question(rule[name], lambda other: rule.get(prefix + other), facts, groups, location))


def has_word(words: Iterable[str], texts: Iterable[str]) -> bool:
    """Whether any of the words or phrases stands in any of the texts."""
    patterns = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE) for word in words]
    return any(pattern.search(text) for text in texts for pattern in patterns)


def has_pattern(patterns: Iterable[str], texts: Iterable[str]) -> bool:
    """Whether any of the regular expressions is found in any of the texts."""
    found = [re.compile(pattern, re.IGNORECASE) for pattern in patterns]
    return any(pattern.search(text) for text in texts for pattern in found)


def in_ranges(ranges: Iterable[str], address: str) -> bool:
    """Whether an address is in one of these: single, first-last, or a block."""
    return bool(address) and any(_in_range(item, ipaddress.ip_address(address)) for item in ranges)


def _in_range(item: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    first, dash, last = item.partition("-")
    if not dash:
        return address in ipaddress.ip_network(item.strip(), strict=False)
    low, high = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
    return low.version == address.version and int(low) <= int(address) <= int(high)


def under(domains: Iterable[str], domain: str) -> bool:
    """Whether a domain is one of these, or below one."""
    wanted = domain.lower()
    return any(wanted == name.lower() or wanted.endswith(f".{name.lower()}") for name in domains)


def _is_one(values: Iterable[str], addresses: Iterable[str]) -> bool:
    return bool({value.lower() for value in values} & {address.lower() for address in addresses})


def _member(question: Question, group_addresses: Iterable[str], addresses: Iterable[str]) -> bool:
    people = [question.groups.get(group.lower(), frozenset()) for group in group_addresses]
    return any(address.lower() in members for members in people for address in addresses)


def _between(question: Question) -> bool:
    """A sender in one group and a recipient in the other, either way."""
    one, other = question.rule("BetweenMemberOf1") or [], question.rule("BetweenMemberOf2") or []
    here, there = question.senders, [question.facts.recipient]
    return any(
        _member(question, first, here) and _member(question, second, there)
        for first, second in ((one, other), (other, one))
    )


def _header_contains(question: Question) -> bool:
    """Two parameters that make up one condition: each of them asks the whole."""
    values = question.facts.header(str(question.rule("HeaderContainsMessageHeader") or ""))
    return has_word(question.rule("HeaderContainsWords") or [], values)


def _header_matches(question: Question) -> bool:
    values = question.facts.header(str(question.rule("HeaderMatchesMessageHeader") or ""))
    return has_pattern(question.rule("HeaderMatchesPatterns") or [], values)


def _megabytes(text: str) -> float:
    """A size such as `10MB` or `10 MB (10,485,760 bytes)`, in bytes."""
    match = re.match(r"\s*([\d.]+)\s*(B|KB|MB|GB)?", text, re.IGNORECASE)
    if match is None:
        return float("inf")
    return float(match[1]) * 1024.0 ** ["B", "KB", "MB", "GB"].index((match[2] or "B").upper())


PREDICATES: dict[str, Predicate] = {
    "SenderIpRanges": lambda q: in_ranges(q.value, q.facts.peer),
    "FromScope": lambda q: q.facts.internal == (q.value == "InOrganization"),
    "SentToScope": lambda q: q.facts.accepted == (q.value == "InOrganization"),
    "From": lambda q: _is_one(q.value, q.senders),
    "FromMemberOf": lambda q: _member(q, q.value, q.senders),
    "SentTo": lambda q: _is_one(q.value, [q.facts.recipient]),
    "SentToMemberOf": lambda q: _member(q, q.value, [q.facts.recipient]),
    "BetweenMemberOf1": _between,
    "BetweenMemberOf2": _between,
    "SenderDomainIs": lambda q: any(under(q.value, domain_of(sender)) for sender in q.senders),
    "RecipientDomainIs": lambda q: under(q.value, q.facts.recipient_domain),
    "FromAddressContainsWords": lambda q: has_word(q.value, q.senders),
    "FromAddressMatchesPatterns": lambda q: has_pattern(q.value, q.senders),
    "RecipientAddressContainsWords": lambda q: has_word(q.value, [q.facts.recipient]),
    "RecipientAddressMatchesPatterns": lambda q: has_pattern(q.value, [q.facts.recipient]),
    "AnyOfRecipientAddressContainsWords": lambda q: has_word(q.value, [q.facts.recipient]),
    "AnyOfRecipientAddressMatchesPatterns": lambda q: has_pattern(q.value, [q.facts.recipient]),
    "AnyOfToHeader": lambda q: _is_one(q.value, q.facts.addresses("To")),
    "AnyOfCcHeader": lambda q: _is_one(q.value, q.facts.addresses("Cc")),
    "AnyOfToCcHeader": lambda q: _is_one(q.value, q.facts.addresses("To", "Cc")),
    "AnyOfToHeaderMemberOf": lambda q: _member(q, q.value, q.facts.addresses("To")),
    "AnyOfCcHeaderMemberOf": lambda q: _member(q, q.value, q.facts.addresses("Cc")),
    "AnyOfToCcHeaderMemberOf": lambda q: _member(q, q.value, q.facts.addresses("To", "Cc")),
    "SubjectContainsWords": lambda q: has_word(q.value, [q.facts.subject]),
    "SubjectMatchesPatterns": lambda q: has_pattern(q.value, [q.facts.subject]),
    "SubjectOrBodyContainsWords": lambda q: has_word(q.value, [q.facts.subject, q.facts.body]),
    "SubjectOrBodyMatchesPatterns": lambda q: has_pattern(q.value, [q.facts.subject, q.facts.body]),
    "HeaderContainsMessageHeader": _header_contains,
    "HeaderContainsWords": _header_contains,
    "HeaderMatchesMessageHeader": _header_matches,
    "HeaderMatchesPatterns": _header_matches,
    "SCLOver": lambda q: q.facts.scl >= int(q.value),
    "MessageSizeOver": lambda q: q.facts.size >= _megabytes(q.value),
}
"""Every condition that the lab can answer."""
