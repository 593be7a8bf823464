"""Waiting until the last resolver has forgotten an MX set that was replaced, and saying until when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from dynamic_providers import settling

_WHY = (
    "Until then resolvers may lead mail by the records before, so what takes it stays. Safe to interrupt: "
    "the next run waits again"
)

ON_ITS_WAY = 300
"""Seconds that a message may take which set out just before the TTL ended: the sender's session, and the
gateway's own queues. Where the TTL is shorter than that, as long as the TTL."""

Settle = Literal["ttl"] | Annotated[int, Field(strict=True, ge=0, le=604_800)]


@dataclass(frozen=True)
class Change:
    """When mail hosts were replaced, and for how long (seconds) resolvers may go on with those before."""

    at: datetime
    remembered: int

    def forgotten(self) -> datetime:
        """From when on no resolver knows those before any more."""
        return self.at + timedelta(seconds=self.remembered)

    def settled(self, settle: str | int = "ttl") -> datetime:
        """From when on nobody uses those before any more; `settle` in seconds overrides TTL and allowance."""
        if settle != "ttl":
            return self.at + timedelta(seconds=int(settle))
        return self.forgotten() + timedelta(seconds=min(self.remembered, ON_ITS_WAY))

    def outputs(self, settle: str | int) -> dict[str, str]:
        """As outputs of a resource."""
        return {"changedAt": stamp(self.at), "settledAt": stamp(self.settled(settle))}


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A moment as outputs and messages have it, rounded up to whole seconds so that it is never early."""
    whole = moment + timedelta(microseconds=(1_000_000 - moment.microsecond) % 1_000_000)
    return whole.isoformat(timespec="seconds")


def moment(props: Mapping[str, Any], name: str) -> datetime | None:
    """A moment from a resource's outputs."""
    text = props.get(name)
    return datetime.fromisoformat(str(text)) if text else None


def wait_until(until: datetime, what: str) -> None:
    """Return when that moment has come."""
    settling.wait_until(until, what, _WHY)
