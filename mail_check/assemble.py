"""Puts a report together from settings, record and proofs. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from components.context import HEADER
from components.settings import Settings
from dynamic_providers.entries import some
from dynamic_providers.mailflow.proof import Proof
from mail_check import surroundings
from mail_check.objects import made_objects
from mail_check.report import SECRET_DAYS, MxView, Passer, Report
from mail_check.state import Recorded

_NAMED = 2
"""So many domains a station of the drawn path names; more are counted."""


def assemble(
    settings: Settings,
    stack: str,
    proofs: Sequence[Proof],
    *,
    on_record: Sequence[Recorded] = (),
    plan: Mapping[str, str] | None = None,
    mx: Sequence[MxView] = (),
    passers: Iterable[Passer] | None = None,
    secret_days: int = SECRET_DAYS,
    when: datetime | None = None,
) -> Report:
    """The report. `plan`, of a preview: logical name → what the next `up` would do there."""
    at = when or surroundings.now()
    tried = {proof.domain for proof in proofs}
    return Report(
        customer=settings.customer.name,
        environment=settings.customer.environment,
        stack=stack,
        when=f"{at:%Y-%m-%dT%H:%M:%SZ}",
        proofs=tuple(proofs),
        objects=made_objects(settings, on_record, plan),
        mx=tuple(mx),
        secret_age=surroundings.secret_age(on_record, at, secret_days),
        lock_down=surroundings.lock_down(settings, on_record, passers),
        outbound=settings.outbound.state,
        untried=tuple(name for name in settings.domains if name not in tried),
        places=places(settings),
    )


def _sparing(settings: Settings) -> tuple[str, ...]:
    """What keeps Microsoft's filter from what the gateway has filtered."""
    said = {"sclRule": (f"Rule {settings.names.inbound_rule}",), "enhancedFiltering": ("Enhanced Filtering",)}
    return said.get(settings.inbound.spam_bypass, ())


def places(settings: Settings) -> dict[str, tuple[str, ...]]:
    """What is set at each station of the drawn path, in short."""
    names, gateway = settings.names, settings.gateway
    hosts = [one.microsoft_mx for one in settings.domains.values()]
    found: dict[str, tuple[str, ...]] = {
        "inbound.mx": tuple(f"{one.preference} {one.host}" for one in settings.inbound.mx_hosts or ()),
        "inbound.gateway": (
            f"Listener {gateway.inbound_listener}",
            f"RAT: {some(settings.domains, _NAMED)}",
            f"SMTP route: {some(hosts, _NAMED)}",
        ),
        "inbound.tenant": (f"Connector {names.inbound_connector}", *_sparing(settings)),
        "inbound.inbox": (settings.checks.mailbox,) if settings.checks else (),
    }
    if settings.outbound.smart_hosts:
        relay = (
            f"Listener {gateway.outbound_listener}",
            f"Sender group {names.sender_group}",
            f"Policy {names.mail_flow_policy}",
            f"Filter {names.filter}",
        )
        leaving = (f"Rule {names.outbound_rule}", f"Header {HEADER}", f"Connector {names.outbound_connector}")
        found |= {
            "outbound.mailbox": found["inbound.inbox"],
            "outbound.tenant": leaving,
            "outbound.gateway": relay,
            "outbound.internet": (settings.checks.outside,) if settings.checks else (),
            "forged.gateway": (f"Filter {names.filter}",),
        }
    return found
