"""Whether mail can be delivered to the hosts that an MX is about to name, and which hosts it names now."""

from collections.abc import Iterable, Mapping
from typing import Any

from dynamic_providers import report
from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.dns.wire import LookUpFailed
from dynamic_providers.entries import quoted


def without_address(resolver: Resolver, hosts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Why mail could not be delivered there, a line for each host; a failed look-up is no reason."""
    found = []
    for name in dict.fromkeys(str(one["host"]) for one in hosts):
        try:
            answer = resolver.ask(name, "A")
            has_address = bool(answer.records) or bool(resolver.ask(name, "AAAA").records)
        except LookUpFailed as error:
            report.warning(f"whether {name} has an address could not be found out: {error}")
            continue
        if answer.alias:
            found.append(
                f"{quoted([name])} is a CNAME to {answer.alias}: an MX must name it itself (RFC 2181)"
            )
        elif not has_address:
            found.append(
                f"{quoted([name])} has no address ({answer}): mail for the domain would wait, then fail"
            )
    return found


def named_by_any(resolver: Resolver, domain: str) -> set[str]:
    """The mail hosts that any of its servers gives: one that keeps an old MX leads mail there for so long.

    LookUpFailed where none of them answers.
    """
    hosts: set[str] = set()
    failures: list[LookUpFailed] = []
    for server in resolver.servers:
        try:
            hosts |= {host for _, host in Resolver((server,)).mail_hosts(domain)}
        except LookUpFailed as error:
            failures.append(error)
    if len(failures) == len(resolver.servers):
        raise failures[0]
    for one in failures:
        report.warning(f"MX of {domain}: {one}; the other resolvers were asked")
    return hosts
