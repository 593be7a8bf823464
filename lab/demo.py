"""The main job, narrated: one line a step, on an emulated gateway and tenant, with the real engine.

preview → up → up again → someone changes things by hand → preview --refresh shows exactly that → up repairs → destroy → as before.
"""

from __future__ import annotations

import difflib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from lab.estate import Estate
from tools.pulumi_cli import Failed, Project, Run

STACK = "bce-demo-lab"
console = Console(highlight=False, soft_wrap=True)


class DemoFailed(Exception):
    """A step did not do what it should: the demo stops and says which."""


class Demo:
    """The steps, in order, on one estate and one stack."""

    def __init__(self, estate: Estate, project: Project) -> None:
        self.estate, self.project = estate, project
        self.before = estate.dump()

    def play(self) -> None:
        self.project.init()
        self.first_preview()
        self.first_up()
        self.second_up()
        self.changes_by_hand()
        self.shown_as_drift()
        self.repaired()
        self.destroyed()

    def first_preview(self) -> None:
        with step("preview") as say:
            run = self.project.preview()
            say(f"{counted(run, 'to create')} to create, nothing touched")
            self.expect(self.estate.dump() == self.before, "the preview changed something")

    def first_up(self) -> None:
        mark = self.estate.journal.mark()
        with step("up") as say:
            self.project.up()
            commits = self.estate.journal.count(channel="gateway", kind="commit", since=mark)
            say(f"both sides as the guide wants them, {commits} commits")
        self.after_up = self.estate.dump()
        self.show_changes(self.before, self.after_up)

    def second_up(self) -> None:
        mark = self.estate.journal.mark()
        with step("up again") as say:
            self.project.up("--expect-no-changes")
            touched = self.estate.journal.count(kind="commit", since=mark) + self.estate.journal.count(
                kind="effect", since=mark
            )
            self.expect(touched == 0, "a second up wrote something")
            say("nothing to do")

    def changes_by_hand(self) -> None:
        with step("someone changes things by hand") as say:
            done = list(by_hand(self.estate))
            say(", ".join(done))

    def shown_as_drift(self) -> None:
        with step("preview --refresh") as say:
            run = self.project.preview("--refresh")
            say(f"{counted(run, 'to update')} to update:")
        for line in drift_lines(run.output):
            console.print(f"       {line}", style="yellow", markup=False)

    def repaired(self) -> None:
        with step("up repairs") as say:
            self.project.up("--refresh")
            self.expect(self.estate.dump() == self.after_up, "not everything was repaired")
            say("as after the first up")

    def destroyed(self) -> None:
        with step("destroy") as say:
            self.project.destroy()
            left = "\n".join(changed_lines(self.before, self.estate.dump()))
            self.expect(not left, f"not as before:\n{left}")
            say("both sides as before")

    def show_changes(self, before: str, after: str) -> None:
        for line in changed_lines(before, after):
            console.print(f"       {line}", style="green" if line.startswith("+") else "red", markup=False)

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise DemoFailed(otherwise)


def by_hand(estate: Estate) -> Iterator[str]:
    """What another administrator does behind our back: one thing of each kind."""
    estate.tenant.invoke_by_hand("Set-InboundConnector", Identity="Inbound from Cisco CES", RequireTls=False)
    yield "connector no longer demands TLS"
    estate.tenant.invoke_by_hand(
        "Set-TransportRule", Identity="Outbound to Cisco CES", ExceptIfSentTo=["boss@bce-demo.com"]
    )
    yield "rule gets an exception"
    route = ["smtproutes", "edit", "bce-demo.com", "mx.elsewhere.example", ""]
    weaker = ['office365_outbound: if sendergroup == "RELAYLIST" {', "  drop();", "}", "."]
    commit = ["commit", "quick fix", "Y"]
    estate.gateway.type_by_hand(
        [*route, "filters", "delete", "office365_outbound", "new", *weaker, "", *commit]
    )
    yield "route and filter changed on the gateway"


def drift_lines(output: str) -> list[str]:
    """The lines of a preview that say what differs, without the frame around them."""
    told = [
        line.strip()
        for line in output.splitlines()
        if re.search(r"(: differs|: not ours|is gone|missing)$", line.strip())
    ]
    marked = [
        line.strip()
        for line in output.splitlines()
        if re.match(r"\s+[~+-] (?!pulumi)\S+\s*:? ", line) or "=>" in line
    ]
    return list(dict.fromkeys([*told, *marked]))


def changed_lines(before: str, after: str) -> list[str]:
    """What differs between two dumps, a line each, with the heading that it stands under."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [
        line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---") and line[1:].strip()
    ]


def counted(run: Run, what: str) -> str:
    found = re.search(rf"(\d+) {what}", run.output)
    return found.group(1) if found else "0"


_number = iter(range(1, 100))


@contextmanager
def step(title: str) -> Iterator[object]:
    """One line: its number and title at once, what came of it and the seconds when it is done."""
    number, started, said = next(_number), time.monotonic(), []
    console.print(f"[bold]{number:>2}  {title:<32}[/bold]", end="")
    console.file.flush()
    yield said.append
    console.print(f"{' '.join(str(one) for one in said)}  [dim]{time.monotonic() - started:.1f} s[/dim]")


def totals(estate: Estate, seconds: float) -> str:
    """What it took, by the lab's own journal."""
    journal = estate.journal
    return (
        f"{seconds:.0f} seconds, {journal.count(channel='gateway', kind='connect')} SSH connections, "
        f"{journal.count(channel='gateway', kind='commit')} commits, {journal.count(channel='tenant', kind='token')} tokens, "
        f"{journal.count(channel='tenant', kind='call')} API calls"
    )


def main() -> int:
    """Play the demo. The folder with what `pulumi` said is kept when it fails."""
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="m365se-demo-"))
    try:
        with step("start the lab") as say:
            estate = Estate(folder / ".lab")
            estate.__enter__()
            say("one gateway, one tenant, on this machine only")
        try:
            Demo(estate, Project(folder, STACK, estate.environment)).play()
        finally:
            estate.__exit__(None, None, None)
    except (DemoFailed, Failed) as error:
        console.print(
            f"\n[bold red]The demo failed:[/bold red] {error}\nIts folder is kept: {folder}", markup=True
        )
        return 1
    shutil.rmtree(folder)
    console.print(f"\n[bold]It took[/bold] {totals(estate, time.monotonic() - started)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
