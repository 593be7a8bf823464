"""What else receivers look at: a domain's DMARC policy, and whether Microsoft can sign for it (DKIM)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dynamic_providers.dns.resolver import Resolver

SELECTORS = ("selector1", "selector2")  # Microsoft's, for every domain (Microsoft Learn, «Set up DKIM»)

_VERSION = re.compile(r"v\s*=\s*DMARC1\s*(?:;|$)")  # case counts (RFC 7489, 6.4)


@dataclass(frozen=True)
class Dmarc:
    """A policy, and the name that holds it: the domain's own, or one above. Empty: there is none."""

    policy: str = ""
    at: str = ""

    @property
    def is_strict(self) -> bool:
        """Whether mail that fails is refused or put aside."""
        return self.policy in ("reject", "quarantine")


NO_DMARC = Dmarc()


def dmarc(resolver: Resolver, domain: str) -> Dmarc:
    """The policy that holds for a domain: its own, else that of the nearest domain above it."""
    labels = domain.split(".")
    for at in range(len(labels) - 1):
        name = ".".join(labels[at:])
        records = [text for text in resolver.texts(f"_dmarc.{name}") if _VERSION.match(text)]
        if len(records) == 1:
            tags = _tags(records[0])
            policy = tags.get("p", "") if at == 0 else tags.get("sp", tags.get("p", ""))
            return Dmarc(policy, name)
        if records:
            return NO_DMARC  # several are as none (RFC 7489, 6.6.3)
    return NO_DMARC


def dkim_selectors(resolver: Resolver, domain: str) -> tuple[str, ...]:
    """Which of Microsoft's selectors lead to a key."""
    return tuple(one for one in SELECTORS if _has_key(resolver, f"{one}._domainkey.{domain}"))


def _has_key(resolver: Resolver, name: str) -> bool:
    return any(_tags(text).get("p", "") != "" for text in resolver.texts(name))


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip().lower() for name, _, value in pairs if name.strip()}
