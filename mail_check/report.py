"""What a report says: the one model behind page, Markdown and JSON. Holds no secret."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, cast

from pydantic import Field

from dynamic_providers.errors import redact
from dynamic_providers.mailflow.proof import CheckName, Proof, Verdict
from dynamic_providers.model import Model
from mail_check.words import counted

FORMAT = 1
"""Version of the JSON; counted up when a reader of the old one would go wrong."""

SECRET_DAYS = 365
"""How old a header secret may grow before the report warns, unless told otherwise."""

State = Literal["right", "drift", "missing", "managed", "unknown"]
Side = Literal["gateway", "tenant", "dns"]
PointsAt = Literal["gateway", "microsoft", "mixed", "elsewhere", "nothing", "unknown"]

WORDS: dict[Verdict, str] = {"ok": "ok", "failed": "failed", "notProven": "not proven"}
CHECKS = {
    "direct": "Direct",
    "inbound": "Inbound",
    "outbound": "Outbound",
    "forged": "Forged",
    "sideEntrance": "Side entrance",
}
"""The checks by their names, in the order in which they are run and shown."""

STATES: dict[State, str] = {
    "right": "right",
    "drift": "differs",
    "missing": "not there",
    "managed": "managed",
    "unknown": "not compared",
}
POINTS_AT: dict[PointsAt, str] = {
    "gateway": "at the gateway",
    "microsoft": "at Microsoft 365",
    "mixed": "half here, half there",
    "elsewhere": "elsewhere",
    "nothing": "at nothing",
    "unknown": "where nobody looked",
}
SIDES: dict[Side, str] = {"gateway": "Cisco Secure Email", "tenant": "Microsoft 365", "dns": "DNS"}


class MadeObject(Model):
    """One thing that we made or keep right, in the words of the user interface that shows it."""

    row: str = Field(description="Its row in the guide's steps, a to n.")
    side: Side
    place: str = Field(description="Where to find it: «Mail Policies > HAT Overview».")
    kind: str
    name: str
    attributes: dict[str, str] = Field({}, description="Label of the user interface → value; never a secret.")
    state: State = Field("unknown", description="How what the stack recorded compares with the settings.")
    note: str = ""


class MxSeen(Model):
    """What one name server answers for a domain's MX."""

    by: str
    hosts: tuple[str, ...] = Field(description="«preference host», lowest first; empty where there is none.")
    error: str = ""


class MxView(Model):
    """A domain's MX as the world sees it."""

    domain: str
    wanted: Literal["leave", "microsoft", "gateway"]
    points_at: PointsAt = "unknown"
    seen: tuple[MxSeen, ...] = ()


class SecretAge(Model):
    """How long the header's secret has been in use, in days, as far as the stack's records tell."""

    at_least: int
    at_most: int | None = None
    limit: int = SECRET_DAYS

    @property
    def old(self) -> bool:
        """Over the limit for certain."""
        return self.at_least > self.limit

    @property
    def span(self) -> str:
        """`41 days`, `12 to 41 days`, `at least 41 days` or `less than a day`."""
        if self.at_most == 0:
            return "less than a day"
        if self.at_most is None:
            return f"at least {counted(self.at_least, 'day')}"
        if self.at_most == self.at_least:
            return counted(self.at_least, "day")
        return f"{self.at_least} to {counted(self.at_most, 'day')}"

    @property
    def in_words(self) -> str:
        """The same, and whether that is too long."""
        return f"{self.span}, older than {counted(self.limit, 'day')}: rotate it" if self.old else self.span

    @property
    def maybe_old(self) -> bool:
        """Perhaps over it: the records do not say when it was changed last."""
        return not self.old and self.at_most is not None and self.at_most > self.limit


class Passer(Model):
    """Somebody whose mail came to the tenant past the gateway."""

    sender: str
    address: str = Field(description="The host that delivered it.")
    messages: int
    last: str = Field("", description="When the last one came, UTC, ISO 8601.")
    allowed: bool = Field(default=False, description="Whether the settings allow or acknowledge it.")


class LockDownView(Model):
    """Whether Microsoft 365 refuses mail that comes past the gateway, and who still sends so."""

    wanted: Literal["open", "report", "closed"]
    state: State = "unknown"
    passers: tuple[Passer, ...] | None = Field(None, description="None: nobody looked.")
    days: int = 10


class Report(Model):
    """Everything that is known of one stack's mail flow at one moment."""

    customer: str
    environment: str
    stack: str
    when: str = Field(description="UTC, ISO 8601.")
    proofs: tuple[Proof, ...] = ()
    objects: tuple[MadeObject, ...] = ()
    mx: tuple[MxView, ...] = ()
    secret_age: SecretAge | None = None
    lock_down: LockDownView = LockDownView(wanted="open")
    outbound: Literal["none", "pilot", "all"] = "none"
    untried: tuple[str, ...] = Field((), description="Domains of the stack that no check was about.")
    places: dict[str, tuple[str, ...]] = Field(
        {}, description="Station of the drawn path, «inbound.gateway» → what is set there, in short."
    )

    @property
    def verdict(self) -> Verdict:
        """Of all checks together: no check at all proves nothing."""
        return worst(proof.verdict for proof in self.proofs)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that a check was about, each once."""
        return tuple(dict.fromkeys(proof.domain for proof in self.proofs))

    def proofs_of(self, *checks: str) -> tuple[Proof, ...]:
        """The proofs of some checks, in the order in which they were run."""
        return tuple(proof for proof in self.proofs if proof.check in checks)

    def as_json(self) -> dict[str, Any]:
        """The report for programs, format and verdict first."""
        body: dict[str, Any] = _redacted(self.model_dump(mode="json", by_alias=True))
        return {"format": FORMAT, "verdict": self.verdict, "headline": self.headline, **body}

    @property
    def headline(self) -> str:
        """What an operator wants to know first, in one sentence."""
        if not self.proofs:
            return "Nothing was checked."
        if failed := {proof.check for proof in self.proofs if proof.verdict == "failed"}:
            return _sentence(_clauses(_FAILED, failed))
        if unproven := {proof.check for proof in self.proofs if proof.verdict == "notProven"}:
            if unproven == {"sideEntrance"} and self.lock_down.wanted != "closed":
                return "The side entrance is open, as set."
            return _sentence(_clauses(_UNPROVEN, unproven))
        checks = {proof.check for proof in self.proofs}
        return _sentence(_clauses(_PROVEN, checks & _WAYS or checks))


_WAYS: frozenset[CheckName] = frozenset({"direct", "inbound", "outbound"})
_Clauses = tuple[tuple[frozenset[CheckName], str], ...]


def _table(*rows: tuple[str, str]) -> _Clauses:
    return tuple((frozenset(cast("list[CheckName]", checks.split())), says) for checks, says in rows)


# The first row whose checks are all there speaks for them; the rest is looked up in what is left.
_FAILED = _table(
    ("inbound outbound", "both ways are broken"),
    ("direct outbound", "both ways are broken"),
    ("inbound", "the way in is broken"),
    ("direct", "the way in is broken"),
    ("outbound", "the way out is broken"),
    ("forged", "forged mail gets through"),
    ("sideEntrance", "the side entrance is not as set"),
)
_UNPROVEN = _table(
    ("inbound outbound", "neither way is proven"),
    ("direct outbound", "neither way is proven"),
    ("inbound", "the way in is not proven"),
    ("direct", "the way in is not proven"),
    ("outbound", "the way out is not proven"),
    ("forged", "it is not proven that forged mail is dropped"),
    ("sideEntrance", "it is not proven that the side entrance is shut"),
)
_PROVEN = _table(
    ("inbound outbound", "mail flows, in and out"),
    ("direct outbound", "the way in is ready, mail flows out"),
    ("inbound", "mail flows in"),
    ("direct", "the way in is ready"),
    ("outbound", "mail flows out"),
    ("forged", "forged mail is dropped"),
    ("sideEntrance", "the side entrance is shut"),
)


def _clauses(table: _Clauses, checks: set[CheckName]) -> list[str]:
    """What to say of these checks, each once."""
    left, said = set(checks), []
    for of, says in table:
        if of <= left:
            said.append(says)
            left -= of | ({"direct", "inbound"} if of & {"direct", "inbound"} else set())
    return said


def _sentence(clauses: list[str]) -> str:
    """`a, b, and c.` with a capital."""
    text = clauses[0] if len(clauses) == 1 else f"{', '.join(clauses[:-1])}, and {clauses[-1]}"
    return f"{text[0].upper()}{text[1:]}."


def _redacted(value: Any) -> Any:
    """The same without a secret that this process knows."""
    if isinstance(value, dict):
        return {redact(key): _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner) for inner in value]
    return redact(value) if isinstance(value, str) else value


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several together; of none it is «not proven»."""
    found = set(verdicts)
    if "failed" in found:
        return "failed"
    return "ok" if found == {"ok"} else "notProven"
