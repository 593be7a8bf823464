"""The side entrance: Microsoft's own MX, which takes mail past the gateway unless the lock-down is closed.

Two holes, two locks: mail from outside senders (the Partner connector's restriction, 5.7.51), and mail that
claims to come from an own domain (RejectDirectSend, 5.7.68).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from dynamic_providers.errors import ManagedError
from dynamic_providers.mailflow.arrival import evidence_of
from dynamic_providers.mailflow.bench import Bench
from dynamic_providers.mailflow.causes import SITUATIONS
from dynamic_providers.mailflow.hops import Hops, proof, until_it_works
from dynamic_providers.mailflow.message import Probe, new_token, probe
from dynamic_providers.mailflow.probe import Answer
from dynamic_providers.mailflow.proof import Proof
from dynamic_providers.mailflow.replies import of_reply

OUTSIDE = "side entrance: outside sender"
OWN = "side entrance: own sender"
_DIRECT_SEND: Final = re.compile(r"5\.7\.68|Direct Send not allowed")
_LOCKED: Final = re.compile(r"5\.7\.51|5\.7\.68|TenantInboundAttribution|Direct Send not allowed")

Judge = Callable[[Hops, str, Answer], None]


def side_entrance(bench: Bench) -> list[Proof]:
    """One proof: both kinds of mail straight to the mailbox domain's Microsoft MX, from this machine."""
    started, token, deadline = datetime.now(UTC), new_token(), bench.deadline()
    hops = until_it_works(bench.waiting, deadline, lambda number: _attempt(bench, token, number))
    return [proof("sideEntrance", bench.settings.domain, started, token, hops)]


def _attempt(bench: Bench, token: str, number: int) -> Hops:
    settings, hops = bench.settings, Hops()
    flow = settings.domains.get(settings.domain)
    try:
        addresses = bench.addresses(flow.microsoft_mx) if flow else ()
    except ManagedError as error:
        hops.unproven(OUTSIDE, str(error))
        return hops
    if flow is None or not addresses:
        hops.unproven(OUTSIDE, f"no address of the Microsoft MX of {settings.domain} is known")
        return hops
    if settings.lockdown != "closed":
        # Tried all the same: a door that is shut although nobody shut it bounces mail.
        judge: Judge = partial(_as_set, bench)
    else:
        judge = _closed
    for name, sender in ((OUTSIDE, settings.probe_sender), (OWN, settings.mailbox)):
        message = probe(sender, settings.mailbox, token, number)
        judge(hops, name, _sent(bench, message, flow.microsoft_mx, addresses))
    return hops


def _sent(bench: Bench, message: Probe, host: str, addresses: tuple[str, ...]) -> Answer:
    """The answer of the first address that answers."""
    answers = [Answer(0, "no address", "connect", host, "")]
    for one in addresses:
        answers.append(bench.smtp.send(message, host, one, stack=bench.settings.stack))
        if answers[-1].stage != "connect":
            break
    return answers[-1]


def _closed(hops: Hops, name: str, answer: Answer) -> None:
    shown = evidence_of(answer)
    if answer.accepted:
        hops.failed(name, f"taken past the gateway: {answer}", SITUATIONS["open door"], shown)
    elif _LOCKED.search(answer.text):
        hops.ok(name, f"refused: {answer}", shown)
    else:
        _not_told(hops, name, answer, shown)


def _as_set(bench: Bench, hops: Hops, name: str, answer: Answer) -> None:
    lockdown = bench.settings.lockdown
    shown = {**evidence_of(answer), "lockdown": lockdown}
    if answer.accepted:
        says = f"open, as set (lockdown: {lockdown}): it takes mail past the gateway"
        hops.unproven(name, says, None, shown)
    elif _DIRECT_SEND.search(answer.text) and name == OWN:
        # An organization may have wanted that before us: told, and no failure.
        hops.unproven(name, f"refused: {answer}", SITUATIONS["direct send refused"], shown)
    elif _LOCKED.search(answer.text):
        cause = SITUATIONS["locked too early"]
        seen = [*bench.diagnosis.restricting(), *_led_here(bench, answer.host)]
        hops.failed(name, f"refused: {answer}", cause.because("; ".join((cause.cause, *seen))), shown)
    else:
        _not_told(hops, name, answer, shown)


def _not_told(hops: Hops, name: str, answer: Answer, shown: dict[str, str]) -> None:
    """It was no lock that refused: whether there is one does not show."""
    if answer.stage == "connect":
        hops.unproven(name, f"{answer.host} cannot be reached: {answer}", SITUATIONS["port 25 shut"], shown)
    else:
        says = f"refused, but not by the lock-down: {answer}"
        hops.unproven(name, says, of_reply("microsoft", f"{answer.code} {answer.text}"), shown)


def _led_here(bench: Bench, host: str) -> list[str]:
    """Whether senders are led to this very door."""
    try:
        named = [one for _, one in bench.names.mail_hosts(bench.settings.domain)]
    except ManagedError:
        return []
    here = host.lower() in (one.lower().rstrip(".") for one in named)
    return [f"an MX of {bench.settings.domain} leads here: that mail bounces now"] if here else []
