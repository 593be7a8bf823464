"""`make bench-fleet`: what `fleet` costs over 10, 50 and 100 customers, and what ten failures do.

The real command, the real engine, and a lab in this process: a tenant for each customer, a gateway for each
five. One customer in ten has a gateway alone, the others share the rest, nine each, with the gateway's own
stack. `up` proves each customer's mail both ways, as ever; afterwards the lab sends a message each way, too.
The failures come last, and in the largest size only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lab.many import ManyCustomers
from tools.bench.failing import put_right, spoil, wrong
from tools.bench.processes import Watch, proportional
from tools.bench.sandbox import Sandbox, stack_name
from tools.bench.table import MIB, Pass, Size, table
from tools.engine import ROOT
from tools.pulumi_cli import Failed

LIMIT = 4096 * MIB
QUICK = {"token_latency": (0.0, 0.0), "read_latency": (0.0, 0.0), "write_latency": (0.0, 0.0)}
console = Console(highlight=False, soft_wrap=True)


class BenchFailed(Exception):
    """Something is not as it has to be."""


class Bench:
    """All passes over one size, in a folder that goes when all is well."""

    def __init__(self, sandbox: Sandbox, folder: Path, parallel: int, size: Size) -> None:
        self.sandbox, self.many, self.folder = sandbox, sandbox.many, folder
        self.parallel, self.size = parallel, size
        size.stacks = len(sandbox.projects)

    def run(self) -> None:
        """From nothing to a second run that has nothing to do."""
        self.fleet("up", "*", "--yes", all_are=("done",))
        self.fleet("check", "*", all_are=("done", "same"))  # a shared gateway has no mail of its own
        self.mail_flows()
        mark = self.many.estate.journal.mark()
        self.fleet("up again", "*", "--yes", all_are=("same",))
        written = sum(self.many.estate.journal.count(kind=kind, since=mark) for kind in ("commit", "effect"))
        expect(f"a second up wrote {written} times", holds=not written)
        self.fleet("drift", "*", all_are=("same",))

    def failures(self) -> None:
        """A tenth of the customers wants a further domain, and each of them fails in a way of its own."""
        alone = [one for one in self.many.customers if not one.shared]
        spoiled = spoil(self.sandbox, alone)
        ran = self.fleet("up, some fail", "*", "--yes")
        for one in ran.outcomes:
            if one["stack"] in spoiled:
                console.print(
                    f"      {one['stack']}, {spoiled[one['stack']].name}: {one['says']}", markup=False
                )
        found = wrong(ran.outcomes, spoiled)
        expect("; ".join(found), holds=not found)
        self.mail_flows()
        put_right(self.sandbox, alone)
        self.fleet("up, put right", *(stack_name(one) for one in alone), "--yes", all_are=("done",))

    def mail_flows(self) -> None:
        """Each customer's mail, in and out, by the lab's own means."""
        with step("mail of each customer, in and out") as say:
            lost = self.many.lost()
            expect(f"mail does not flow: {lost}", holds=not lost)
            say(f"all of {2 * len(self.many.customers)} messages")

    def fleet(self, name: str, *words: str, all_are: tuple[str, ...] = ()) -> Pass:
        """Run a command of fleet."""
        command = [sys.executable, "-m", "fleet", name.partition(" ")[0].rstrip(","), *words, "--json"]
        with step(f"fleet {name}") as say:
            ran = self._run([*command, "--parallel", str(self.parallel)])
            self.size.passes[name] = ran
            told = ", ".join(f"{count} {state}" for state, count in ran.states.items())
            say(f"{told}; {ran.seconds:.0f} s, {ran.cpu:.0f} s of processor, {ran.peak / MIB:.0f} MiB")
            others = [one for one in ran.outcomes if all_are and one["state"] not in all_are]
            says = "; ".join(f"{one['stack']}: {one['state']}: {one['says']}" for one in others)
            expect(f"not all are {' or '.join(all_are)}: {says}", holds=not others)
        return ran

    def _run(self, command: list[str]) -> Pass:
        begin = time.monotonic()
        with (self.folder / "fleet.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**self.sandbox.environment, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            with Watch(process) as watch:
                said, _ = process.communicate()
        seconds = time.monotonic() - begin
        expect(f"{' '.join(command)} ended with {process.returncode}; see fleet.log", holds=bool(said))
        return Pass(json.loads(said)["stacks"], seconds, watch.cpu, watch.peak, watch.most)


@contextmanager
def step(title: str) -> Iterator[Any]:
    """A line: its title at once, what came of it when it is done."""
    console.print(f"  {title:<36}", end="")
    console.file.flush()
    said: list[str] = []
    try:
        yield said.append
    finally:
        console.print(" ".join(said))


def expect(otherwise: str, *, holds: bool) -> None:
    """Stop where something is not as it has to be."""
    if not holds:
        raise BenchFailed(otherwise)


def own_memory() -> int:
    """Of this process, the lab, in bytes."""
    return proportional(os.getpid())


def measured(customers: int, parallel: int, *, failures: bool) -> Size:
    """One size, from an empty lab to the end; with the failures at last, where they are to be seen."""
    size = Size(customers, gateways=max(customers // 5, 2))
    console.print(f"\n[bold]{customers} customers, {size.gateways} gateways[/], {parallel} at once")
    folder = Path(tempfile.mkdtemp(prefix="m365se-bench-"))
    with step("the lab") as say:
        before, begin = own_memory(), time.monotonic()
        many = ManyCustomers(
            folder / ".lab", customers, size.gateways, alone=max(customers // 10, 1), **QUICK
        )
        many.estate.start()
        say(f"{time.monotonic() - begin:.1f} s, {(own_memory() - before) / MIB:.0f} MiB")
    try:
        bench = Bench(Sandbox(folder, many, {}), folder, parallel, size)
        bench.run()
        if failures:
            bench.failures()
        size.lab_bytes = own_memory()
    except (BenchFailed, Failed) as error:
        console.print(f"failed: {error}\nThe folder is kept: {folder}", style="red", markup=False)
        raise typer.Exit(1) from None
    finally:
        many.estate.stop()
    shutil.rmtree(folder)
    return size


def main(
    sizes: Annotated[list[int], typer.Argument(help="How many customers, one size after the other.")],
    parallel: Annotated[int, typer.Option(help="Stacks at once.")] = 8,
) -> None:
    """Measure, print, and fail where a stack is not as it has to be or the memory is not enough."""
    found = [measured(size, parallel, failures=size == max(sizes)) for size in sizes]
    console.print("\nMemory is the sum of PSS of fleet and all that it starts, looked at every second.")
    console.print("\n".join(table(found)))
    most = max(ran.peak for one in found for ran in one.passes.values())
    if most > LIMIT:
        console.print(f"failed: {most / MIB:.0f} MiB are more than {LIMIT // MIB}", style="red")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
