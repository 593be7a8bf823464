"""The main job, narrated: one line a step, on an emulated gateway, tenant and internet, with the real engine.

preview → up → up again → someone changes things by hand → preview --refresh shows exactly that → up repairs →
cut-over: mail is seen to arrive, the MX moves, a forged message is dropped → report → destroy is held while
mail flows → back → destroy → as before.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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
        self.before, self.zones = estate.dump(), estate.network.zones.dump()

    def play(self) -> None:
        self.project.init()
        self.first_preview()
        self.first_up()
        self.second_up()
        self.changes_by_hand()
        self.shown_as_drift()
        self.repaired()
        self.cut_over()
        self.report()
        self.held()
        self.back()
        self.destroyed()

    def first_preview(self) -> None:
        with step("preview") as say:
            run = self.project.preview()
            expect("the preview changed something", holds=self.estate.dump() == self.before)
            say(f"{counted(run, 'to create')} resources to create, nothing touched")

    def first_up(self) -> None:
        mark = self.estate.journal.mark()
        with step("up") as say:
            self.project.up()
            commits = self.estate.journal.count(channel="gateway", kind="commit", since=mark)
            say(f"both sides as the guide wants them, in {commits} commits:")
        self.after_up = self.estate.dump()
        tell(told_changes(self.before, self.after_up), "green")

    def second_up(self) -> None:
        mark = self.estate.journal.mark()
        with step("up again") as say:
            self.project.up("--expect-no-changes")
            written = sum(self.estate.journal.count(kind=kind, since=mark) for kind in ("commit", "effect"))
            expect("a second up wrote something", holds=written == 0)
            say("nothing to do")

    def changes_by_hand(self) -> None:
        with step("someone changes things by hand") as say:
            say(f"{', '.join(by_hand(self.estate))}")

    def shown_as_drift(self) -> None:
        with step("preview --refresh") as say:
            output = self.project.preview("--refresh").output
            drift = shown_drift(output)
            expect(f"not exactly that is shown, but {sorted(drift)}", holds=set(drift) == TOUCHED)
            say("shows exactly that:")
        tell([f"~ {name}: {what}" for name, changes in drift.items() for what in changes], "yellow")
        tell([f"~ {line}" for line in told(output)], "yellow")

    def repaired(self) -> None:
        with step("up --refresh") as say:
            self.project.up("--refresh")
            expect("not everything was repaired", holds=self.estate.dump() == self.after_up)
            say("repaired: as after the first up")

    def cut_over(self) -> None:
        self.project.set(CHECKS)
        self.project.set({MX: "gateway"})
        with step("mx: gateway, and up") as say:
            output = self.project.up().output
            proofs = [found for line in output.splitlines() if (found := PROOF.match(line.strip()))]
            proven = {one["check"] for one in proofs}
            expect(
                f"proven is only {sorted(proven)}",
                holds=proven == {"direct", "inbound", "outbound", "forged"},
            )
            say("mail straight to the gateway arrives, the MX moves, then:")
        tell([one.string for one in proofs], "green")
        tell([f"MX of {DOMAIN}: {self.mx()}"], "green")

    def report(self) -> None:
        REPORT.parent.mkdir(exist_ok=True)
        with step("python -m mail_check") as say:
            files = (("--html", "html"), ("--markdown", "md"), ("--json", "json"))
            written = [part for option, end in files for part in (option, f"{REPORT}.{end}")]
            hops = self.project.python("-m", "mail_check", STACK, *written)
            say(f"all again, without a change: {hops.count('ok ')} hops ok. Look at {REPORT}.html")

    def held(self) -> None:
        there = self.estate.dump()
        with step("destroy, while mail flows") as say:
            run = self.project.destroy(check=False)
            found = HELD.search(run.output)
            expect("destroy was not held", holds=not run.ok and self.estate.dump() == there)
            say(f"held, nothing touched: {found.group() if found else run.output}")

    def back(self) -> None:
        self.project.set({MX: "microsoft", "outbound.state": "none"})
        with step("mx: microsoft, outbound: none") as say:
            self.project.up()
            say(f"MX of {DOMAIN}: {self.mx()}; the gateway's part stays until nobody uses it any more")

    def destroyed(self) -> None:
        with step("destroy") as say:
            self.project.destroy()
            left = told_changes(self.before, self.estate.dump())
            expect(f"not as before: {left}", holds=self.estate.dump() == self.before)
            expect("DNS is not as before", holds=self.estate.network.zones.dump() == self.zones)
            say("both sides and the MX as before")

    def mx(self) -> str:
        return ", ".join(
            f"{preference} {host}" for preference, host in self.estate.network.mail_hosts(DOMAIN)
        )


DOMAIN = "bce-demo.com"
MX = f'domains["{DOMAIN}"].mx'
CHECKS = {
    "checks.mailbox": f"probe@{DOMAIN}",
    "checks.outside": "probe@probe.example",
    "checks.imap.host": "imap.probe.example",
}
PROOF = re.compile(r"(?P<check>direct|inbound|outbound|forged) \S+: ok: ")
HELD = re.compile(r"mail-flows-\S+first")
REPORT = Path(".demo/report").resolve()
TOUCHED = {"inbound-connector", "outbound-rule", "smtp-routes", "outbound-filter"}


def by_hand(estate: Estate) -> Iterator[str]:
    """What another administrator does behind our back: one thing of each kind, TOUCHED."""
    estate.tenant.invoke_by_hand("Set-InboundConnector", Identity="Inbound from Cisco CES", RequireTls=False)
    yield "a connector"
    exception = {"ExceptIfSentTo": ["boss@bce-demo.com"]}
    estate.tenant.invoke_by_hand("Set-TransportRule", Identity="Outbound to Cisco CES", **exception)
    yield "a rule"
    route = ["smtproutes", "edit", "bce-demo.com", "mx.elsewhere.example", ""]
    weaker = ['office365_outbound: if sendergroup == "RELAYLIST" {', "  drop();", "}", "."]
    filters = ["filters", "delete", "office365_outbound", "new", *weaker, ""]
    estate.gateway.type_by_hand([*route, *filters, "commit", "quick fix", "Y"])
    yield "a route"
    yield "the filter"


def shown_drift(output: str) -> dict[str, list[str]]:
    """What a preview would update: logical name → the lines that it shows as changed."""
    drift: dict[str, list[str]] = {}
    name = ""
    for line in (one.strip() for one in output.splitlines()):
        if found := re.match(r"~ \S+: \((\w+)\)", line):
            name = "?" if found.group(1) == "update" else ""  # a refresh shows the same, the other way round
        elif name == "?" and (found := re.match(r"\[urn=.*::(\S+)\]", line)):
            name = found.group(1)
            drift[name] = []
        elif name and " => " in line:
            drift[name].append(re.sub(r"\s*: ", ": ", line.lstrip("~ "), count=1))
    return drift


def told(output: str) -> list[str]:
    """The lines by which a preview names what differs inside a secret."""
    lines = (line.strip() for line in output.splitlines())
    return list(
        dict.fromkeys(line for line in lines if line.endswith((": differs", ": not ours", ": is gone")))
    )


def told_changes(before: str, after: str) -> list[str]:
    """What differs between two dumps: objects made or gone, and attributes changed, order left out."""
    then, now = sections(before), sections(after)
    lines = [f"+ {heading}" for heading in now if heading not in then]
    lines += [f"- {heading}" for heading in then if heading not in now]
    for heading in (one for one in now if one in then):
        changed = [line for line in now[heading] if line not in then[heading]]
        lines += [f"~ {heading}: {line}" for line in changed if not line.startswith(("order", "Priority"))]
    return lines


def sections(dump: str) -> dict[str, list[str]]:
    """A dump, taken apart: heading → the lines under it."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in dump.splitlines():
        if line.startswith("  "):
            found[heading].append(line.strip())
        elif line:
            heading = line
            found[heading] = []
    return found


def expect(otherwise: str, *, holds: bool) -> None:
    """Stop the demo when something is not as it should be."""
    if not holds:
        raise DemoFailed(otherwise)


def tell(lines: list[str], style: str) -> None:
    """Details under a step."""
    for line in lines:
        console.print(f"      {line}", style=style, markup=False)


def counted(run: Run, what: str) -> str:
    """The number before `what` in what a command said; 0 if it is not there."""
    found = re.search(rf"(\d+) {what}", run.output)
    return found.group(1) if found else "0"


_number = iter(range(1, 100))


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """One line: its number and title at once, what came of it and the seconds when it is done."""
    number, started = next(_number), time.monotonic()
    said: list[str] = []
    console.print(f"[bold]{number:>2}  {title:<32}[/bold]", end="")
    console.file.flush()
    yield said.append
    console.print(f"{' '.join(said)}  [dim]{time.monotonic() - started:.1f} s[/dim]")


def totals(estate: Estate, seconds: float) -> str:
    """What it took, by the lab's own journal."""
    journal = estate.journal
    return (
        f"{seconds:.0f} seconds, {journal.count(channel='gateway', kind='connect')} SSH connections, "
        f"{journal.count(channel='gateway', kind='commit')} commits, "
        f"{journal.count(channel='tenant', kind='token')} tokens, "
        f"{journal.count(channel='tenant', kind='call')} API calls"
    )


def main() -> int:
    """Play the demo. The folder with what `pulumi` said is kept when it fails."""
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="m365se-demo-"))
    try:
        estate = Estate(folder / ".lab")
        with step("start the lab") as say:
            estate.start()
            say("one gateway and one tenant, on this machine only")
        try:
            Demo(estate, Project(folder, STACK, estate.environment)).play()
        finally:
            estate.stop()
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
