"""Ten ways in which one stack fails, each at a customer who has a gateway alone and wants one domain more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.many import Customer
from tools.bench.sandbox import Sandbox, stack_name
from tools.pulumi_cli import kill_group

ELSEWHERE = "mx.elsewhere.example"
FULL = "The configuration database is full."


@dataclass(frozen=True)
class Way:
    """One way: what it is, how it comes to be, and what the stack's line has to say."""

    name: str
    spoil: Callable[[Sandbox, Customer], object]
    says: str


def spoil(sandbox: Sandbox, customers: Iterable[Customer]) -> dict[str, Way]:
    """Give each of these one domain more, and a way to fail; stack → its way."""
    found: dict[str, Way] = {}
    for customer, way in zip(customers, WAYS, strict=False):
        sandbox.write(stack_name(customer), sandbox.with_shop(customer))
        way.spoil(sandbox, customer)
        found[stack_name(customer)] = way
    return found


def wrong(outcomes: Sequence[Mapping[str, Any]], spoiled: Mapping[str, Way]) -> list[str]:
    """What is not as it has to be: those fail, each for its own reason, and all others have nothing to do."""
    found = [f"{stack}: not told of" for stack in {*spoiled} - {one["stack"] for one in outcomes}]
    for one in outcomes:
        way = spoiled.get(one["stack"])
        if way is None and one["state"] != "same":
            found.append(f"{one['stack']}: {one['state']}: {one['says']}")
        elif way is not None and (one["state"] not in ("error", "refused") or way.says not in one["says"]):
            found.append(f"{one['stack']}, {way.name}: {one['state']}: {one['says']}")
    return found


def put_right(sandbox: Sandbox, customers: Iterable[Customer]) -> None:
    """As if nothing had been in the way of these customers' further domain."""
    sandbox.many.estate.reset()
    for customer, way in zip(customers, WAYS, strict=False):
        over = [*sandbox.customers[stack_name(customer)]["takeOver"], "smtpRoutes"]
        sandbox.write(stack_name(customer), sandbox.with_shop(customer, takeOver=over))
        if way.spoil is _locked:
            sandbox.projects[stack_name(customer)].pulumi("cancel", "--yes")


def _switch(**switches: object) -> Callable[[Sandbox, Customer], None]:
    return lambda _sandbox, customer: customer.gateway.set_switches(switches)


def _expired(_sandbox: Sandbox, customer: Customer) -> None:
    customer.tenant.switches.secret_expired = True


def _no_role(_sandbox: Sandbox, customer: Customer) -> None:
    customer.tenant.switches.app_role = False


def _throttled(_sandbox: Sandbox, customer: Customer) -> None:
    customer.tenant.faults.add("*", "throttled", times=1_000_000, retry_after=3600)


def _foreign(_sandbox: Sandbox, customer: Customer) -> None:
    route = f"smtproutes new shop.{customer.domain} {ELSEWHERE}"
    customer.gateway.type_by_hand([route, 'commit "by hand" Y'])


def _hostile(sandbox: Sandbox, customer: Customer) -> None:
    changed = sandbox.with_shop(customer)
    changed["domains"][f"x.{customer.domain}\nclear\nY"] = {"microsoftMx": ELSEWHERE}
    sandbox.write(stack_name(customer), changed)


def _locked(sandbox: Sandbox, customer: Customer) -> None:
    """Another run holds the stack: one that was killed, and has left its lock."""
    journal, channel = sandbox.many.estate.journal, customer.gateway.members[0].channel
    mark = journal.mark()
    process = sandbox.projects[stack_name(customer)].start("up", "--yes", "--skip-preview")
    try:
        journal.wait_for(lambda event: event.channel == channel, 120, since=mark)
    finally:
        kill_group(process)


def _stops_mail(sandbox: Sandbox, customer: Customer) -> None:
    changed = sandbox.with_shop(customer)
    del changed["domains"][customer.domain]
    sandbox.write(stack_name(customer), changed)


WAYS = (
    Way(
        "the gateway answers no SSH",
        _switch(refuse_connections=True),
        "something answers, but the SSH connection does not come about",
    ),
    Way("the application's secret has expired", _expired, "has expired (AADSTS7000222)"),
    Way(
        "the gateway's host key has changed",
        _switch(host_key_seed="somebody in between"),
        "its host key is not the expected one",
    ),
    Way("the gateway refuses the commit", _switch(refuse_commit=FULL), f"could not be committed. {FULL}"),
    Way("the application has lost its role", _no_role, "lacks the app role Exchange.ManageAsApp"),
    Way("Exchange throttles for ever", _throttled, "asked to wait: too many requests"),
    Way("somebody else's route for the domain is there", _foreign, f"theirs [{{host: «{ELSEWHERE}»"),
    Way("the stack file is hostile", _hostile, "clear Y is not a domain name"),
    Way("another run holds the stack", _locked, "another run holds the stack"),
    Way("the plan would stop mail", _stops_mail, "the gateway would answer mail for it with 550"),
)
"""The first two leave a trace on one side each: the small test takes these."""
