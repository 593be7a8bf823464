"""`fleet offboard`: customers leave. Mail is led past the gateway, and what was there before comes back."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, NoReturn

import typer

from dynamic_providers.errors import ManagedError
from fleet.carrying_out import carry_out, choose_or_end, refuse
from fleet.offboarding import Offboarding
from fleet.options import PARALLEL, AsJson, Ended, Names, OutsideWindow, Parallel, Yes, on_stderr
from fleet.outcome import WRONG
from fleet.stacks import StackFile, all_stacks, stacks_folder

Leave = Annotated[
    bool,
    typer.Option("--leave", help="Leave both sides as they are, and only forget the stack, for good."),
]


def offboard(
    names: Names = None,
    parallel: Parallel = PARALLEL,
    *,
    leave: Leave = False,
    outside_window: OutsideWindow = False,
    yes: Yes = False,
    json: AsJson = False,
) -> NoReturn:
    """Let customers go: outbound off, MX back, wait until nobody comes that way, put back what was before."""
    choice = choose_or_end(names, None, None, None, ask_for_names=True)
    if not yes:
        _confirm(choice.stacks, leave=leave)
    work = partial(Offboarding, all_stacks(stacks_folder(choice.project)), leave, outside_window)
    command = "offboard --leave" if leave else "offboard"
    carry_out(command, choice, work, parallel, as_json=json, tenants_first=True)


def _confirm(stacks: Sequence[StackFile], *, leave: bool) -> None:
    if not sys.stdin.isatty():
        refuse(ManagedError("nobody is there to be asked", fix="add --yes"))
    console = on_stderr()
    for stack in stacks:
        for line in _forgotten(stack) if leave else _going(stack):
            console.print(line, markup=False)
    question = "Forget them, and leave everything as it is?" if leave else "Let them go?"
    if not typer.confirm(question, err=True):
        raise Ended(WRONG)


def _forgotten(stack: StackFile) -> Iterator[str]:
    yield f"{stack.name}: nothing changes on either side, and its mail goes on as it does today"
    yield "    its record goes, and with it what was there before: nobody can put that back from then on"


def _going(stack: StackFile) -> Iterator[str]:
    if stack.mode == "observe":
        yield f"{stack.name}: it only looks, so there is nothing to be put back"
        yield "    its record goes"
    elif stack.kind == "gateway":
        yield f"{stack.name}: sender group, policy and ciphers of {stack.gateway} become what they were"
        yield "    refused while a tenant's stack uses them; then its record goes"
    else:
        yield f"{stack.name}: {'; '.join(_mail(stack)) or 'by its settings no mail goes over the gateway'}"
        yield "    it waits until nobody comes that way, puts back what was there before, and goes"


def _mail(stack: StackFile) -> Iterator[str]:
    """What changes for mail, from the file alone."""
    outbound, dns = stack.values.get("outbound"), stack.values.get("dns")
    if isinstance(outbound, Mapping) and outbound.get("state", "none") != "none":
        yield "outbound mail leaves Microsoft 365 by itself"
    domains = stack.values.get("domains")
    found = domains.items() if isinstance(domains, Mapping) else ()
    moved = [str(name) for name, one in found if isinstance(one, Mapping) and one.get("mx") == "gateway"]
    if moved:
        by_hand = not (isinstance(dns, Mapping) and dns.get("server"))
        whose = " (by hand, while it waits)" if by_hand else ""
        yield f"MX of {', '.join(moved)} back to Microsoft 365{whose}"
    if stack.values.get("lockdown") == "closed":
        yield "mail past the gateway is taken again"
