"""The side entrance: Microsoft's own MX, which takes mail past the gateway unless the lock-down is closed.

Two holes, two locks: mail from outside senders (the Partner connector's restriction, 5.7.51), and mail that
claims to come from an own domain (RejectDirectSend, 5.7.68).
"""

import re
from datetime import UTC, datetime
from typing import Final

from dynamic_providers.errors import ManagedError
from dynamic_providers.mailflow.arrival import evidence_of
from dynamic_providers.mailflow.bench import Bench
from dynamic_providers.mailflow.causes import SITUATIONS, of_reply
from dynamic_providers.mailflow.hops import Hops, proof, until_it_works
from dynamic_providers.mailflow.message import Probe, new_token, probe
from dynamic_providers.mailflow.probe import Answer
from dynamic_providers.mailflow.proof import Proof

OUTSIDE = "side entrance: outside sender"
OWN = "side entrance: own sender"
_LOCKED: Final = re.compile(r"5\.7\.51|5\.7\.68|TenantInboundAttribution|Direct Send not allowed")


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
        # Asked once with an outside sender: a door that is shut although nobody shut it bounces mail.
        message = probe(settings.probe_sender, settings.mailbox, token, number)
        _as_set(hops, _sent(bench, message, flow.microsoft_mx, addresses), settings.lockdown)
        return hops
    for name, sender in ((OUTSIDE, settings.probe_sender), (OWN, settings.mailbox)):
        message = probe(sender, settings.mailbox, token, number)
        _judge(hops, name, _sent(bench, message, flow.microsoft_mx, addresses))
    return hops


def _sent(bench: Bench, message: Probe, host: str, addresses: tuple[str, ...]) -> Answer:
    """The answer of the first address that answers."""
    answers = [Answer(0, "no address", "connect", host, "")]
    for one in addresses:
        answers.append(bench.smtp.send(message, host, one, stack=bench.settings.stack))
        if answers[-1].stage != "connect":
            break
    return answers[-1]


def _judge(hops: Hops, name: str, answer: Answer) -> None:
    shown = evidence_of(answer)
    if answer.accepted:
        hops.failed(name, f"taken past the gateway: {answer}", SITUATIONS["open door"], shown)
    elif _LOCKED.search(answer.text):
        hops.ok(name, f"refused: {answer}", shown)
    elif answer.stage == "connect":
        hops.unproven(name, f"{answer.host} cannot be reached: {answer}", SITUATIONS["port 25 shut"], shown)
    else:
        says = f"refused, but not by the lock-down: {answer}"
        hops.unproven(name, says, of_reply("microsoft", answer.text), shown)


def _as_set(hops: Hops, answer: Answer, lockdown: str) -> None:
    shown = {**evidence_of(answer), "lockdown": lockdown}
    if _LOCKED.search(answer.text) and not answer.accepted:
        hops.failed(OUTSIDE, f"refused: {answer}", SITUATIONS["locked too early"], shown)
    else:
        taken = "takes mail past the gateway" if answer.accepted else f"answers {answer}"
        hops.unproven(OUTSIDE, f"open, as set (lockdown: {lockdown}): it {taken}", None, shown)
