"""What one check found, hop by hop: the evidence that the report shows and the state keeps. No secrets."""

from typing import Literal

from pydantic import Field

from dynamic_providers.model import Model

Verdict = Literal["ok", "failed", "notProven"]
CheckName = Literal["direct", "inbound", "outbound", "forged", "sideEntrance"]


class Hop(Model):
    """One step of a message: who answered, what it said, and, where it went wrong, why it usually does."""

    name: str = Field(description="From where to where, such as «probe → gateway» or «gateway: filter».")
    verdict: Verdict
    says: str = Field(description="What happened, in one line for an operator.")
    evidence: dict[str, str] = Field({}, description="Label → value: MID, time, TLS, connector, filter …")
    cause: str = Field("", description="What usually causes it.")
    advice: str = Field("", description="What to do.")


class Proof(Model):
    """One check: a message sent on purpose, and what became of it."""

    check: CheckName
    verdict: Verdict
    domain: str = Field(description="The mail domain that it was about.")
    started: str = Field(description="When, UTC, ISO 8601.")
    ended: str
    token: str = Field(description="The one-time word in the message's subject.")
    hops: tuple[Hop, ...]
    summary: str = Field(description="One line: the first hop that is not ok, or that all are.")
