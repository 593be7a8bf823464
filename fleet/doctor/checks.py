"""All checks, and how they are made: each by itself, so that one that fails never hides another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

from dynamic_providers.errors import ManagedError
from fleet.doctor import doors, gateway_members, gateway_tables, here, names, tenant_checks, way_in
from fleet.doctor.finding import Finding, NotLookedAt, error, from_error, not_looked_at
from fleet.doctor.subject import Subject

Side = Literal["here", "gateway", "doors", "tenant", "names"]


@dataclass(frozen=True)
class Check:
    """One check. `side`: what it asks; sides are asked at the same time, one check of each after the other.

    `needs`: the sections of the settings that it reads. Stacks of a kind that lacks one have no such check.
    """

    name: str
    side: Side
    needs: tuple[str, ...]
    look: Callable[[Subject], Iterable[Finding]]


_WAY_IN = ("gateway", "credentials")
_TENANT = ("tenant", "endpoints", "credentials")
_DOMAINS = ("gateway", "domains", "inbound", "dns")

CHECKS = (
    Check("settings", "here", (), here.settings),
    Check("engine", "here", (), here.engine),
    Check("backend", "here", (), here.backend),
    Check("reachable", "gateway", _WAY_IN, way_in.reachable),
    Check("host key", "gateway", _WAY_IN, way_in.host_key),
    Check("login", "gateway", _WAY_IN, way_in.login),
    Check("cluster", "gateway", _WAY_IN, gateway_members.members),
    Check("listeners", "gateway", _WAY_IN, gateway_tables.listeners_there),
    Check("mail flow policy", "gateway", (*_WAY_IN, "names", "take_over"), gateway_tables.policy),
    Check("recipient validation", "gateway", _WAY_IN, gateway_tables.recipient_validation),
    Check("bounce verification", "gateway", (*_WAY_IN, "domains"), gateway_tables.bounces),
    Check(
        "delivery addresses", "gateway", (*_WAY_IN, "tenant", "inbound", "leave"), gateway_members.delivery
    ),
    Check("certificates", "doors", (*_DOMAINS, "outbound", "checks"), doors.certificates),
    Check("token", "tenant", _TENANT, tenant_checks.token),
    Check("app role", "tenant", _TENANT, tenant_checks.app_role),
    Check("directory role", "tenant", _TENANT, tenant_checks.directory_role),
    Check("accepted domains", "tenant", (*_TENANT, "domains"), tenant_checks.accepted_domains),
    Check("DKIM", "tenant", (*_TENANT, "domains"), tenant_checks.signing),
    Check("clock", "tenant", _TENANT, tenant_checks.clock),
    Check("MX", "names", _DOMAINS, names.mx),
    Check("SPF", "names", (*_DOMAINS, "outbound", "acknowledge"), names.spf),
    Check("DMARC", "names", ("domains", "dns"), names.dmarc),
)


def examine(subject: Subject, checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """Everything that can be said about a stack, in the order of the checks."""
    fitting = [one for one in checks if all(subject.has(section) for section in one.needs)]
    sides: dict[Side, list[Check]] = {}
    for check in fitting:
        sides.setdefault(check.side, []).append(check)
    found: dict[str, list[Finding]] = {}
    with ThreadPoolExecutor(max(len(sides), 1)) as threads:
        for part in threads.map(lambda own: {one.name: _made(one, subject) for one in own}, sides.values()):
            found |= part
    return [finding for check in fitting for finding in found[check.name]]


def _made(check: Check, subject: Subject) -> list[Finding]:
    found: list[Finding] = []
    wrong = [section for section in check.needs if subject.is_wrong(section)]
    try:
        if wrong:
            raise NotLookedAt(f"there are mistakes in {', '.join(wrong)} (see settings)")  # noqa: TRY301
        for finding in check.look(subject):
            found.append(finding)  # noqa: PERF402 - what was found before a failure stays
    except NotLookedAt as missing:
        found.append(not_looked_at(missing.why, missing.fix))
    except ManagedError as failed:
        found.append(from_error(failed))
    except Exception as unexpected:  # noqa: BLE001 - a fault of ours in one check must not hide the others
        found.append(error(f"unexpected {type(unexpected).__name__}: {unexpected}", "please report this"))
    return [replace(one, check=check.name) for one in found]
