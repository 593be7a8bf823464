"""Runs checks: the one entry for the resources, and for the command of pipelines (no Pulumi needed)."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from dynamic_providers.errors import ManagedError
from dynamic_providers.mailflow.arrival import CONNECTOR, INBOX
from dynamic_providers.mailflow.bench import Bench, bench_of_process
from dynamic_providers.mailflow.forged import forged
from dynamic_providers.mailflow.hops import Hops, proof
from dynamic_providers.mailflow.inbound import direct, inbound
from dynamic_providers.mailflow.mailflow_settings import MailflowSettings
from dynamic_providers.mailflow.outbound import outbound
from dynamic_providers.mailflow.proof import CheckName, Hop, Proof
from dynamic_providers.mailflow.side_entrance import side_entrance
from dynamic_providers.mailflow.waiting import Progress

CHECKS: Final[Mapping[CheckName, Callable[[Bench], list[Proof]]]] = {
    "direct": direct,
    "inbound": inbound,
    "sideEntrance": side_entrance,
    "outbound": outbound,
    "forged": forged,
}
"""In the order in which an operator reads them."""


def run_checks(
    settings: MailflowSettings, which: Sequence[CheckName], progress: Progress, *, bench: Bench | None = None
) -> list[Proof]:
    """Run the checks at the same time, and give what each found, in the order of CHECKS.

    Where things are comes from this process (`connections`): tenant, endpoints, tracking, gateway;
    credentials from its environment. A command gives them by `connections.set_arguments`. Raises ManagedError
    where a setting or credential is missing; what goes wrong inside a check is a hop of its proof.
    """
    bench = bench or bench_of_process(settings, progress)
    wanted = [name for name in CHECKS if name in which]
    try:
        with ThreadPoolExecutor(max_workers=max(1, len(wanted)), thread_name_prefix="check") as pool:
            results = list(pool.map(lambda name: _run(bench, name), wanted))
    finally:
        bench.close()
    return [one for proofs in results for one in proofs]


def _run(bench: Bench, name: CheckName) -> list[Proof]:
    started = datetime.now(UTC)

    def say(text: str) -> None:
        bench.progress(f"{name}: {text}")

    try:
        return CHECKS[name](replace(bench, progress=say))
    except ManagedError as error:
        hops = Hops()
        hops.unproven(name, f"the check was cut short: {error}")
        return [proof(name, bench.settings.domain, started, "", hops)]


def first_wrong(one: Proof) -> Hop | None:
    """The hop for which mail does not count as flowing; None where it does.

    «Not proven» suffices for most, since much can only be seen where one may not look. A message from outside
    has to have been seen in Microsoft 365, since an MX moves after it; and what was cut short is no check.
    """
    failed = next((hop for hop in one.hops if hop.verdict == "failed"), None)
    unproven = next((hop for hop in one.hops if hop.verdict == "notProven"), None)
    if failed is not None:
        return failed
    if one.hops[0].name == one.check:  # cut short
        return unproven
    sent_from_outside = one.check in ("direct", "inbound") and one.token
    arrived = any(hop.name in (CONNECTOR, INBOX) and hop.verdict == "ok" for hop in one.hops)
    return unproven if sent_from_outside and not arrived else None
