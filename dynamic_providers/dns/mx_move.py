"""A change of a domain's MX set: what it replaces, written only over what was read; until when it is held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dynamic_providers.dns import mx_set, settling
from dynamic_providers.dns.primary import ChangedMeanwhile, primary
from dynamic_providers.dns.settling import Change
from dynamic_providers.entries import Entry, Props

_ATTEMPTS = 3


@dataclass(frozen=True)
class Move:
    """What is about to happen to a domain: what stands there, what our records say, what is wanted."""

    domain: str
    live: Entry | None
    known: Entry | None  # what the last run left; at first contact what was there before us
    wanted: Entry | None
    is_first: bool = False

    def remembered(self) -> int:
        """For how long (seconds) resolvers may hold what stands there now."""
        ttls = [int(self.live["ttl"])] if self.live else [0]
        if self.known and mx_set.same_hosts(self.known, self.live):
            ttls.append(int(self.known["ttl"]))
        return max(ttls)

    def change(self) -> Change | None:
        """The change of hosts, now that it has been made; None where there was none to make."""
        if not mx_set.same_hosts(self.live, self.wanted):
            return Change(settling.now(), self.remembered())
        if not mx_set.same_hosts(self.known, self.wanted):
            # A run that was cut off made it, nobody knows when: now is the latest.
            return Change(settling.now(), int(self.known["ttl"]) if self.known else 0)
        return None


def held(was: Entry | None, then: Entry | None) -> Props:
    """Until when resolvers may hold the same hosts under a longer TTL than they have now."""
    if not was or not then or not mx_set.same_hosts(was, then) or was["ttl"] <= then["ttl"]:
        return {}
    return {"heldUntil": settling.stamp(Change(settling.now(), int(was["ttl"])).settled())}


def until_settled(change: Change, settle: str | int, olds: Props) -> datetime:
    """When nobody uses what was replaced any more."""
    longest = settling.moment(olds, "heldUntil")
    usual = change.settled(settle)
    return max(usual, longest) if longest and settle == "ttl" else usual


def replace(domain: str, was: Entry | None, then: Entry | None) -> None:
    """Replace what was read; where it is no longer that, say what stands there now, and write nothing."""
    server = primary()
    for _ in range(_ATTEMPTS):
        try:
            server.replace(domain, was, then)
            return
        except ChangedMeanwhile:
            now = server.read(domain)
            if mx_set.same_hosts(now, then) and (now or {}).get("ttl") == (then or {}).get("ttl"):
                return
            if not mx_set.same_hosts(now, was):
                raise ChangedMeanwhile(
                    f"the MX of {domain} was changed while we were about to write it: it was "
                    f"{mx_set.shown(was)}, and is {mx_set.shown(now)}; nothing was written",
                    where=server.name,
                    fix="find out who works there, then `pulumi refresh` and run it again",
                ) from None
    raise ChangedMeanwhile(
        f"the MX of {domain} reads as it was, and the server says that it is not", where=server.name
    )
