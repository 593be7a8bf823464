"""A domain's MX set in normal form, as a resource holds it and as a name server says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from dynamic_providers.dns.resolver import Answer
from dynamic_providers.entries import Entry
from dynamic_providers.field_types import HostName
from dynamic_providers.model import Model

NULL_HOST = "."  # RFC 7505: `0 .` says that the domain takes no mail at all

CHECK_HEALTH = (
    "Microsoft's «Check Health» shows an Error for MX from now on: that is expected. Its repair steps would "
    "lead mail past the gateway again: do not follow them"
)


class MxHost(Model):
    """A mail host of a domain. The lowest preference is tried first; equal ones take turns."""

    host: HostName
    preference: Annotated[int, Field(strict=True, ge=0, le=65535)] = 10


def _in_order(hosts: tuple[MxHost, ...]) -> tuple[MxHost, ...]:
    return tuple(sorted(set(hosts), key=lambda one: (one.preference, one.host)))


MxHosts = Annotated[tuple[MxHost, ...], AfterValidator(_in_order), Field(min_length=1)]


def entry(answer: Answer) -> Entry:
    """What a server answered, in normal form."""
    return {"hosts": hosts_of(answer.records), "ttl": answer.ttl}


def hosts_of(records: Iterable[str]) -> list[dict[str, Any]]:
    """Records such as `10 mx1.contoso.example` in normal form: by preference, then by name."""
    pairs = (record.split(" ", 1) for record in records)
    found = [{"host": host, "preference": int(preference)} for preference, host in pairs]
    return sorted(found, key=lambda one: (one["preference"], one["host"]))


def records(hosts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Normal form back to records, with the final dot that makes a name complete."""
    return [f"{one['preference']} {str(one['host']).rstrip('.')}." for one in hosts]


def same_hosts(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two sets lead mail to the same hosts; the TTL does not count."""
    return bool(_hosts(one) == _hosts(other))


def only_microsoft(found: Mapping[str, Any] | None, microsoft_mx: str | None) -> bool:
    """Whether all mail goes straight to the domain's own Microsoft MX."""
    hosts = {str(one["host"]) for one in _hosts(found)}
    return bool(microsoft_mx) and hosts == {microsoft_mx}


def shown(found: Mapping[str, Any] | None) -> str:
    """A set in one line for an operator."""
    hosts = _hosts(found)
    if not hosts:
        return "no MX"
    if is_null(found):
        return "a null MX (takes no mail)"
    return ", ".join(f"{one['preference']} {one['host']}" for one in hosts)


def is_null(found: Mapping[str, Any] | None) -> bool:
    """Whether it says that the domain takes no mail (RFC 7505)."""
    return [one["host"] for one in _hosts(found)] == [NULL_HOST]


def lines(domain: str, found: Mapping[str, Any]) -> list[str]:
    """The records as a zone file or a portal wants them, one a line."""
    return [f"{domain}. {found['ttl']} IN MX {record}" for record in records(_hosts(found))]


def _hosts(found: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return list((found or {}).get("hosts", []))
