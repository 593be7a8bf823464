"""What is known of one stack without asking either side: its file, its record, its last runs. No secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dynamic_providers.exchange.lock_down import SWITCHES
from dynamic_providers.mailflow.proof import Verdict
from dynamic_providers.model import Model
from fleet.stacks import StackFile
from mail_check.report import SECRET_DAYS, PointsAt
from mail_check.state import Recorded, moment, recorded
from mail_check.surroundings import points_at, secret_since
from mail_check.words import counted

_MX = ("dns:MxRecords", "dns:MxCheck")
_CHECKS = ("mailflow:InboundCheck", "mailflow:OutboundCheck")


class Mx(Model):
    """Where a domain's MX leads, as we recorded it; `unknown` where it is none of ours."""

    domain: str
    wanted: str
    points_at: PointsAt = "unknown"
    hosts: tuple[str, ...] = ()


class Run(Model):
    """The last `up`: when it ended, UTC, and how. Without a result: only that something was recorded then."""

    when: str
    result: str = ""

    @property
    def failed(self) -> bool:
        return self.result not in ("", "succeeded")


class MailSeen(Model):
    """The last mail check: its verdict, what it says, when, and where that is written."""

    verdict: Verdict
    says: str
    when: str
    where: str


class Facts(Model):
    """All of it. `made`: whether anything is on record; `shut`: whether the side entrance is, on record."""

    customer: str = ""
    environment: str = ""
    kind: str = "tenant"
    mode: str = "manage"
    gateway: str = ""
    made: bool = False
    last_up: Run | None = None
    mx: tuple[Mx, ...] = ()
    outbound: str = ""
    lockdown: str = ""
    shut: bool = False
    mail: MailSeen | None = None
    secret: str = ""
    secret_is_old: bool = False
    rotation: str = ""
    pending: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For programs, and for the page."""
        return self.model_dump(mode="json", by_alias=True)


@dataclass(frozen=True)
class Asked:
    """What was read for a stack: its record, the engine's list of its last runs, and results of checks."""

    export: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    checked: MailSeen | None = None


def facts(stack: StackFile, asked: Asked, now: datetime) -> Facts:
    """The facts of a stack. Its file says what is wanted, the record what is."""
    on_record = recorded(asked.export)
    of_tenant = stack.kind == "tenant"
    secret, is_old = _secret(on_record, now)
    return Facts(
        customer=stack.customer,
        environment=stack.environment,
        kind=stack.kind,
        mode=stack.mode,
        gateway=stack.gateway,
        made=bool(on_record),
        last_up=_last_up(asked),
        mx=_mx(stack, on_record),
        outbound=_word(stack, "outbound", "state", "none") if of_tenant else "",
        lockdown=_word(stack, "lockdown", "", "open") if of_tenant else "",
        shut=any(_is_shut(one) for one in on_record),
        mail=_newest(asked.checked, _mail(on_record)),
        secret=secret,
        secret_is_old=is_old,
        rotation=_rotation(stack),
        pending=tuple(
            str(one["resource"]["urn"]).rpartition("::")[2]
            for one in (asked.export.get("deployment") or {}).get("pending_operations") or ()
        ),
    )


def _last_up(asked: Asked) -> Run | None:
    """A run that is still at work has no end: its beginning counts."""
    for one in asked.history:
        if one.get("kind") == "update":
            return Run(
                when=str(one.get("endTime") or one.get("startTime") or ""),
                result=str(one.get("result") or ""),
            )
    when = ((asked.export.get("deployment") or {}).get("manifest") or {}).get("time")
    return Run(when=str(when)) if when and recorded(asked.export) else None


def _mx(stack: StackFile, on_record: Sequence[Recorded]) -> tuple[Mx, ...]:
    known = {one.properties.get("domain"): one.properties for one in on_record if one.kind in _MX}
    named = section(section(stack.values).get("inbound")).get("mxHosts")
    gateway = {_plain(section(one).get("host")) for one in named} if isinstance(named, list) else set()
    domains = section(stack.values.get("domains"))
    found = []
    for name in stack.domains:
        wanted, record = section(domains.get(name)), known.get(name)
        hosts = [one for one in (record or {}).get("hosts", ()) if isinstance(one, Mapping)]
        answer = {_plain(one.get("host")) for one in hosts}
        at = points_at([answer] if record else [], gateway, _plain(wanted.get("microsoftMx")))
        told = tuple(f"{one.get('preference', '')} {one.get('host', '')}".strip() for one in hosts)
        found.append(Mx(domain=name, wanted=str(wanted.get("mx") or "leave"), points_at=at, hosts=told))
    return tuple(found)


def _mail(on_record: Iterable[Recorded]) -> MailSeen | None:
    """What the checks of an `up` proved. One that fails ends the run: what is on record was right then."""
    proofs = [
        section(one)
        for resource in on_record
        if resource.kind in _CHECKS
        for one in resource.properties.get("evidence") or ()
    ]
    if not proofs:
        return None
    verdicts = {str(one.get("verdict")) for one in proofs}
    verdict: Verdict = "failed" if "failed" in verdicts else "ok" if verdicts == {"ok"} else "notProven"
    names = ", ".join(dict.fromkeys(str(one.get("check", "")) for one in proofs))
    when = max(str(one.get("ended", "")) for one in proofs)
    return MailSeen(verdict=verdict, says=names, when=when, where="of an up")


def _is_shut(one: Recorded) -> bool:
    return one.kind == "exchange:LockDown" and any(one.properties.get(name) is True for name in SWITCHES)


def _newest(*seen: MailSeen | None) -> MailSeen | None:
    """One without a time was handed to us now, and could not be run: it counts as the last."""
    return max((one for one in seen if one), key=lambda one: one.when or "9", default=None)


def _secret(on_record: Iterable[Recorded], now: datetime) -> tuple[str, bool]:
    """How old the header's secret is, in words; never more than what is known."""
    since, before = secret_since(on_record)
    start = since or before
    if start is None:
        return "", False
    days = max(0, (now - start).days)
    day = f"{start.day} {start:%B %Y}"
    told = f"{counted(days, 'day')}, since {day}" if since else f"set before {day}, the oldest record of it"
    return told, days > SECRET_DAYS


def _rotation(stack: StackFile) -> str:
    """Old secrets that the gateway still accepts: a rotation that is not finished."""
    previous = section(stack.values.get("outbound")).get("previousSecrets")
    if isinstance(previous, list) and previous:
        return f"{counted(len(previous), 'old secret')} still accepted: begun, and not finished"
    if isinstance(previous, Mapping):
        return "old secrets, encrypted as a whole, may still be accepted"
    return ""


def section(value: object) -> Mapping[str, Any]:
    """A part of a stack file or record that should have parts of its own."""
    return value if isinstance(value, Mapping) else {}


def _word(stack: StackFile, name: str, key: str, default: str) -> str:
    value = stack.values.get(name)
    found = section(value).get(key) if key else value
    return found if isinstance(found, str) else default


def _plain(host: object) -> str:
    return str(host or "").lower().rstrip(".")


def utc_now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


def day_of(when: str) -> str:
    """`3 September 2026, 18:09 UTC`; nothing where it is no time."""
    found = moment(when)
    return f"{found.day} {found:%B %Y, %H:%M} UTC" if found else ""
