"""What a stack has on record, as `pulumi stack export` gives it: how far it is on its way out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mail_check.state import Recorded, recorded

SENTINEL, LOCK_DOWN, GUARD = "safety:Sentinel", "exchange:LockDown", "safety:Guard"
TABLES = ("gateway:RecipientAccess", "gateway:SmtpRoutes")
"""Without a domain's entries there, the gateway answers its mail with 550."""
SWITCHES = ("restrictDomainsToIpAddresses", "restrictDomainsToCertificate", "rejectDirectSend")
"""Of the lock-down: what shuts the side entrance."""
_ABSENT = {"absent": True}


@dataclass(frozen=True)
class Record:
    """One stack's. `left`: how many resources; `held`: whether any is protected; `pending`: names."""

    ours: tuple[Recorded, ...]
    left: int
    held: bool
    pending: tuple[str, ...]

    @classmethod
    def of(cls, export: Mapping[str, Any]) -> Record:
        """From an export. What is secret in it is left out."""
        state = export.get("deployment") or {}
        resources = state.get("resources") or ()
        return cls(
            ours=recorded(export),
            left=len(resources),
            held=any(one.get("protect") for one in resources),
            pending=tuple(
                one["resource"]["urn"].rpartition("::")[2] for one in state.get("pending_operations") or ()
            ),
        )

    @property
    def leads_mail(self) -> bool:
        """Whether an `up` has to lead mail away before anything may go.

        What holds a `destroy` goes first of all: where it is gone, that has begun, and an `up` would make
        anew what went. It is freed by the run that leads mail away.
        """
        shut = any(one.properties.get(name) is True for one in self._of(LOCK_DOWN) for name in SWITCHES)
        return any(self._of(SENTINEL)) and (self.held or shut)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the last run's settings said that mail hangs on; nothing where no domain's entry is left."""
        tables = any(True for kind in TABLES for _ in self._of(kind))
        return next((one.properties for one in self._of(GUARD) if tables), {})

    def _of(self, kind: str) -> Iterator[Recorded]:
        return (one for one in self.ours if one.kind == kind)


def made_by_us(decrypted: Mapping[str, Any], domain: str) -> bool:
    """Whether a domain's mail would be refused without what we made. `decrypted`: an export, in clear."""
    resources = (decrypted.get("deployment") or {}).get("resources") or ()
    tables = [one for one in resources if str(one["type"]).endswith(TABLES)]
    return any(_absent(_plain(one["inputs"].get("before")).get(domain)) for one in tables)


def _plain(secret: Any) -> Mapping[str, Any]:
    """The record of before, which the engine keeps as a secret: JSON in a text."""
    found: Mapping[str, Any] = json.loads((secret or {}).get("plaintext", "{}"))
    return found


def _absent(record: Any) -> bool:
    """Of several gateways, each has a record of its own."""
    if not isinstance(record, Mapping):
        return False
    return record == _ABSENT or any(_absent(one) for one in record.values())
