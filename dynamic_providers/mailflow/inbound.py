"""Checks of mail from outside: straight to each gateway (`direct`), and as the MX leads (`inbound`).

A message goes to the one mailbox that the stack names. For its other domains, each gateway is asked whether
it would take mail for them, and each MX is looked at; no mail is sent there, since nobody said to whom.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from dynamic_providers.errors import ManagedError
from dynamic_providers.mailflow.arrival import (
    AT_GATEWAY,
    TO_GATEWAY,
    Arrival,
    Door,
    evidence_of,
    not_taken,
)
from dynamic_providers.mailflow.bench import Bench
from dynamic_providers.mailflow.causes import SITUATIONS, Cause
from dynamic_providers.mailflow.hops import Hops, proof, until_it_works
from dynamic_providers.mailflow.message import new_token
from dynamic_providers.mailflow.mx_agreement import disagreement
from dynamic_providers.mailflow.proof import CheckName, Proof

MX = "MX → gateway"
_AT_ONCE = 4

Work = Callable[[], Proof | None]


def direct(bench: Bench) -> list[Proof]:
    """One proof for each domain and gateway: straight to its inbound address, whatever the MX says."""
    return _done(work for domain in bench.settings.domains for work in _direct(bench, domain))


def inbound(bench: Bench) -> list[Proof]:
    """One proof for each domain and host that its MX names: as the world would send it.

    Only once all agree on that: what one resolver still held before would be a failure afterwards.
    """
    moved = [name for name, flow in bench.settings.domains.items() if flow.mx == "gateway"]
    held = _done(partial(disagreement, bench, name, partial(_is_gateway, bench)) for name in moved)
    return [*held, *_done(work for domain in bench.settings.domains for work in _inbound(bench, domain))]


def _done(works: Iterable[Work]) -> list[Proof]:
    """All at the same time: one that waits for its deadline keeps no other waiting."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="door") as pool:
        results = [one.result() for one in [pool.submit(work) for work in works]]
    return [one for one in results if one is not None]


def _direct(bench: Bench, domain: str) -> Iterable[Work]:
    for member in bench.settings.members:
        try:
            addresses = bench.addresses(member.inbound)
        except ManagedError as error:
            yield _said("direct", domain, f"{member.name}: {error}")
            continue
        if not addresses:
            yield _said("direct", domain, f"no address of {member.inbound} is known to take mail")
        for address in addresses:
            yield _through(bench, "direct", domain, Door(member.name, address))


def _inbound(bench: Bench, domain: str) -> Iterable[Work]:
    try:
        hosts = [host for _, host in bench.names.mail_hosts(domain)]
        doors = {host: bench.addresses(host) for host in hosts}
    except ManagedError as error:
        yield _said("inbound", domain, str(error), SITUATIONS["no dns"])
        return
    if not hosts:
        yield _said("inbound", domain, f"{domain} has no MX record")
    moved = any(_is_gateway(bench, host) for host in hosts)
    for host, addresses in doors.items():
        if not _is_gateway(bench, host):
            yield _elsewhere(bench, domain, host, addresses, half=moved)
        elif not addresses:
            yield _said("inbound", domain, f"{host} has no address")
        else:
            yield from (_through(bench, "inbound", domain, Door(host, one)) for one in addresses)


def _through(bench: Bench, check: CheckName, domain: str, door: Door) -> Work:
    """A message to the mailbox where it is of that domain, else only a question."""
    if domain == bench.settings.domain:
        return lambda: _sent(bench, check, door)
    return lambda: _asked(bench, check, domain, door)


def _sent(bench: Bench, check: CheckName, door: Door) -> Proof:
    started, token, deadline = datetime.now(UTC), new_token(), bench.deadline()
    arrival = Arrival(bench, door, token, deadline)
    hops = until_it_works(bench.waiting, deadline, arrival.attempt)
    return proof(check, bench.settings.domain, started, token, hops)


def _asked(bench: Bench, check: CheckName, domain: str, door: Door) -> Proof:
    started, hops = datetime.now(UTC), Hops()
    recipient = f"postmaster@{domain}"
    answer = bench.smtp.ask(bench.settings.probe_sender, recipient, door.host, door.address)
    if answer.accepted:
        hops.ok(TO_GATEWAY, f"{door.host} would take mail for {recipient}", evidence_of(answer))
        hops.unproven(AT_GATEWAY, f"nothing is sent: checks.mailbox is not of {domain}")
    else:
        not_taken(bench, hops, answer)
    return proof(check, domain, started, "", hops)


def _said(check: CheckName, domain: str, why: str, cause: Cause = SITUATIONS["no mx"]) -> Work:
    """A failure before anything could be sent."""
    hops = Hops()
    if check == "direct":
        hops.failed(TO_GATEWAY, why, SITUATIONS["gateway not reached"])
    else:
        hops.failed(MX, why, cause)
    return lambda: proof(check, domain, datetime.now(UTC), "", hops)


def _is_gateway(bench: Bench, host: str) -> bool:
    """By its name where the stack names the MX hosts, else by its address."""
    settings, addresses = bench.settings, bench.addresses_if_known(host)
    if host.lower().rstrip(".") in {one.lower() for one in settings.mx_hosts}:
        return True
    ours = [member.inbound for member in settings.members]
    return bool(addresses) and all(bench.is_at(one, ours) for one in addresses)


def _elsewhere(bench: Bench, domain: str, host: str, addresses: tuple[str, ...], *, half: bool) -> Work:
    """An MX host that is not the gateway: nothing is sent to it, it would prove nothing of ours."""
    flow, hops = bench.settings.domains[domain], Hops()
    where = ", ".join(addresses) or "no address"
    microsoft = host.lower().rstrip(".") == flow.microsoft_mx.lower()
    says = f"the MX names {host} ({where}), which is {'Microsoft 365 itself' if microsoft else 'no gateway'}"
    shown = {"MX": host, "address": ", ".join(addresses), "set to": flow.mx}
    cause = SITUATIONS["mx half moved" if half else "mx elsewhere"]
    if microsoft and bench.settings.lockdown == "closed":
        hops.failed(MX, f"{says}, where the lock-down is closed", SITUATIONS["mx at a closed door"], shown)
    elif flow.mx == "gateway":
        hops.failed(MX, says, cause, shown)
    else:
        hops.unproven(MX, f"{says}; mx is not set to gateway", cause, shown)
    return lambda: proof("inbound", domain, datetime.now(UTC), "", hops)
