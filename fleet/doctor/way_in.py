"""Do the gateways answer, are they the right ones, and do they let us in? Every member is tried, once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dynamic_providers.connections import Member
from dynamic_providers.gateway.cluster import ClusterModeError
from dynamic_providers.gateway.ssh import (
    GatewayError,
    HostKeyDiffersError,
    HostKeyNotPinnedError,
    JumpHostRefusedError,
    NoCredentialError,
    OldAlgorithmsError,
    UnreachableError,
)
from fleet.doctor.finding import Finding, from_error, not_looked_at, ok, together, warning
from fleet.doctor.subject import Subject

_REACHED, _RIGHT_KEY, _LET_IN, _DONE = range(4)  # what comes after what
_NAMES = ("reachable", "host key", "login")
_EXPIRES = re.compile(r"\bpass(?:word|phrase)\b[^.\n]*\bexpires?\b[^.\n]*?\b(\d{1,4}) days?", re.IGNORECASE)
_RELEASE = re.compile(r"^AsyncOS \S+ for Cisco \S+.*$", re.MULTILINE)


def reachable(subject: Subject) -> Iterator[Finding]:
    """An SSH server answers, through the jump host where there is one."""
    jump = subject.settings.gateway.jump_host
    way = f" through the jump host {jump.host}" if jump else ""
    return _of_members(subject, _REACHED, lambda _: ok(f"SSH answers{way}"))


def host_key(subject: Subject) -> Iterator[Finding]:
    """It shows the key that the settings name."""
    jump = subject.settings.gateway.jump_host
    attempts = [subject.gateways.attempt(one) for one in subject.gateways.connection.members]
    seen = [one for one in attempts if not isinstance(one, NoCredentialError)]
    if jump and any(one is None or _failed_at(one) > _RIGHT_KEY for one in seen):
        yield ok(f"jump host {jump.host}: {jump.host_key}, as pinned")
    yield from _of_members(subject, _RIGHT_KEY, lambda member: ok(f"{member.host_key}, as pinned"))


def login(subject: Subject) -> Iterator[Finding]:
    """It lets us in."""

    def let_in(member: Member) -> Finding:
        banner = subject.gateways.banner(member)
        release = _RELEASE.search(banner)
        says = f"as {member.user}" + (f": {release.group().strip()}" if release else "")
        if expires := _EXPIRES.search(" ".join(banner.split())):
            days = expires.group(1)
            return warning(
                f"{says}; its passphrase expires in {days} days",
                "log in by hand with this user, set a new one, and put it into GATEWAY_PASSWORD",
            )
        return ok(says)

    return _of_members(subject, _LET_IN, let_in)


def _of_members(subject: Subject, step: int, if_well: Callable[[Member], Finding]) -> Iterator[Finding]:
    gateways = subject.gateways

    def found(member: Member) -> Finding:
        failed = gateways.attempt(member)
        if isinstance(failed, NoCredentialError) and step < _LET_IN:
            return not_looked_at("there is nothing to log in with, so it was not connected to (see login)")
        if failed is None or _failed_at(failed) > step:
            return if_well(member)
        if _failed_at(failed) == step:
            return from_error(failed)
        return not_looked_at(f"it did not come to that (see {_NAMES[_failed_at(failed)]})")

    return together((member.host, found(member)) for member in gateways.connection.members)


def _failed_at(failed: GatewayError) -> int:
    if isinstance(failed, UnreachableError | OldAlgorithmsError | JumpHostRefusedError):
        return _REACHED
    if isinstance(failed, HostKeyDiffersError | HostKeyNotPinnedError):
        return _RIGHT_KEY
    return _DONE if isinstance(failed, ClusterModeError) else _LET_IN
