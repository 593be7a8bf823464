"""What a report tells around the path: the MX as the world sees it, the secret's age, who came past."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from components.settings import Settings
from dynamic_providers.dns.voices import Voice, listen
from dynamic_providers.exchange.inbound_connector import restriction
from dynamic_providers.exchange.secret_rotation import SINCE
from mail_check.report import SECRET_DAYS, LockDownView, MxSeen, MxView, Passer, PointsAt, SecretAge
from mail_check.state import Recorded, moment

Listen = Callable[[str, Sequence[str]], list[Voice]]


def mx_views(settings: Settings, ask: Listen = listen) -> tuple[MxView, ...]:
    """Each domain's MX, as its zone's own servers and the resolvers of the settings answer."""
    return tuple(_mx_view(settings, name, ask(name, settings.dns.resolvers)) for name in settings.domains)


def _mx_view(settings: Settings, name: str, voices: Iterable[Voice]) -> MxView:
    domain, seen = settings.domains[name], tuple(_seen(voice) for voice in voices)
    gateway = {_plain(one.host) for one in settings.inbound.mx_hosts or ()}
    answers = [{_plain(host.split(" ")[-1]) for host in one.hosts} for one in seen if not one.error]
    return MxView(
        domain=name,
        wanted=domain.mx,
        points_at=points_at(answers, gateway, _plain(domain.microsoft_mx)),
        seen=seen,
    )


def points_at(answers: Sequence[set[str]], gateway: set[str], microsoft: str) -> PointsAt:
    """Where mail goes, by what several servers answer; host names in lower case without a final dot."""
    hosts = set().union(*answers)
    if not answers:
        return "unknown"
    if not hosts:
        return "nothing"
    if hosts <= gateway and all(answers):
        return "gateway"
    if hosts == {microsoft} and all(answers):
        return "microsoft"
    return "mixed" if hosts & gateway or len({frozenset(one) for one in answers}) > 1 else "elsewhere"


def _seen(voice: Voice) -> MxSeen:
    who = f"{voice.who} (the zone's own)" if voice.own else voice.who
    hosts: Iterable[Mapping[str, Any]] = (voice.found or {}).get("hosts", ())
    return MxSeen(
        by=who,
        hosts=tuple(f"{one['preference']} {one['host']}" for one in hosts),
        error=voice.failed,
    )


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def secret_age(on_record: Iterable[Recorded], now: datetime, limit: int = SECRET_DAYS) -> SecretAge | None:
    """Bounds of the age of the header's secret; None where nothing that holds it is on record."""
    holders = [one for one in on_record if _holds_secret(one)]
    since, before = secret_since(holders)
    if before is None:
        return None
    at_least = _days(now - (since or before))
    created = [one.created for one in holders if one.created]  # before that we cannot have set it
    first = since or min(created, default=None)
    return SecretAge(
        at_least=at_least, at_most=max(at_least, _days(now - first)) if first else None, limit=limit
    )


def secret_since(on_record: Iterable[Recorded]) -> tuple[datetime | None, datetime | None]:
    """Since when we know the header's secret, which `SecretRotation` keeps; and before when it was set.

    A state from before that was kept tells only the latter: a change of it writes to each of those that hold
    it, so it is no younger than the last write to any one.
    """
    holders = [one for one in on_record if _holds_secret(one)]
    since = next(filter(None, (moment(one.properties.get(SINCE)) for one in holders)), None)
    return since, min((one.written for one in holders if one.written), default=None)


def _holds_secret(one: Recorded) -> bool:
    is_rule = one.kind == "exchange:TransportRule" and bool(one.properties.get("setHeaderName"))
    return is_rule or one.kind in ("gateway:OutboundFilter", "exchange:SecretRotation")


def _days(span: timedelta) -> int:
    return max(0, span.days)


def lock_down(
    settings: Settings, on_record: Iterable[Recorded], passers: Iterable[Passer] | None
) -> LockDownView:
    """The lock-down as it is set, whether that is on record, and who came past the gateway.

    `passers`: who was just seen to; None where nobody looked, then those that are on record count.
    """
    known = tuple(on_record)
    by = restriction(settings.certificate)
    shut = any(one.kind == "exchange:LockDown" and one.properties.get(by) is True for one in known)
    looked = [one.properties for one in known if one.kind == "exchange:PastTheGateway"]
    if passers is None and looked:
        passers = passers_of(looked[0].get("senders", ()))
    return LockDownView(
        wanted=settings.lockdown,
        state="right" if shut == (settings.lockdown == "closed") else "drift",
        passers=None if passers is None else tuple(passers),
    )


def passers_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Passer, ...]:
    """Those who came past, from rows as the providers' own look gives them."""
    return tuple(
        Passer(
            sender=str(row.get("senderDomain") or "no sender"),
            address=str(row["address"]),
            messages=int(row["messages"]),
            last=str(row.get("last") or "") if moment(row.get("last")) else "",
        )
        for row in rows
    )


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)
