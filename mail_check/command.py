"""What the command does: settings, checks, what is around them, and the files; an exit code for pipelines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from components.mail_checks import NoChecks, mailflow_settings
from components.settings import Settings
from dynamic_providers.errors import ManagedError, clean, clean_errors
from dynamic_providers.exchange.client import exchange
from dynamic_providers.exchange.past_gateway import Flow, look
from dynamic_providers.mailflow.mailflow_settings import MailflowSettings
from dynamic_providers.mailflow.proof import CheckName, Proof, Verdict
from dynamic_providers.mailflow.run import run_checks
from mail_check import surroundings
from mail_check.assemble import assemble
from mail_check.markdown import markdown
from mail_check.page import html
from mail_check.report import CHECKS, SECRET_DAYS, WORDS, Passer, Report
from mail_check.stack import Stack, set_process_arguments

Progress = Callable[[str], None]
RunChecks = Callable[[MailflowSettings, Sequence[CheckName], Progress], list[Proof]]

EXIT_CODES: dict[Verdict, int] = {"ok": 0, "failed": 2, "notProven": 3}
ERROR = 1


@dataclass(frozen=True)
class Files:
    """Where the report is to be written."""

    html: Path | None = None
    markdown: Path | None = None
    json: Path | None = None

    def require_folders(self) -> None:
        """Said before an hour of checks, not after."""
        for path in filter(None, (self.html, self.markdown, self.json)):
            if path.is_dir() or not path.parent.is_dir():
                raise ManagedError(
                    "cannot be written", where=str(path), fix="name a file in a folder that is"
                )

    def write(self, report: Report) -> None:
        """Write what was asked for."""
        as_json = json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n"
        texts = ((self.html, html(report)), (self.markdown, markdown(report)), (self.json, as_json))
        for path, text in texts:
            if path is not None:
                path.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Order:
    """What is asked of the command. `only` empty: the checks that the settings ask for."""

    stack: str
    only: tuple[CheckName, ...] = ()
    files: Files = Files()
    secret_days: int = SECRET_DAYS


def check_stack(order: Order, run: RunChecks = run_checks) -> int:
    """Run the checks and write the report. Answers the exit code; says on stderr what went wrong."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def progress(text: str) -> None:
        console.print(clean(text), style="dim", markup=False)

    try:
        with console.status(f"checking {order.stack}", spinner="line"):
            report = _report(order, run, progress)
    except ManagedError as error:
        console.print(f"error: {error}", markup=False)
        return ERROR
    console.print(report.headline, style="bold", markup=False)
    return EXIT_CODES[report.verdict]


@clean_errors
def _report(order: Order, run: RunChecks, progress: Progress) -> Report:
    order.files.require_folders()
    stack = Stack.here(order.stack)
    settings = stack.settings()
    try:
        mailflow = mailflow_settings(settings)
    except NoChecks as error:
        raise ManagedError(str(error), where=f"stack {stack.name}") from None
    set_process_arguments(settings, mailflow, stack.name)
    which = order.only or asked_for(settings)
    _require_allowed(settings, which)
    progress(f"running: {', '.join(CHECKS[one] for one in which)}")
    proofs = run(mailflow, which, progress)
    for line in lines(proofs):
        print(line, flush=True)
    report = assemble(
        settings,
        stack.name,
        proofs,
        on_record=stack.recorded(),
        mx=surroundings.mx_views(settings),
        passers=_passers(settings, progress),
        secret_days=order.secret_days,
    )
    order.files.write(report)
    return report


def asked_for(settings: Settings) -> tuple[CheckName, ...]:
    """The checks that the settings promise something about."""
    by_mx = any(domain.mx == "gateway" for domain in settings.domains.values())
    out = settings.outbound.state != "none"
    wanted: dict[CheckName, bool] = {
        "direct": True,
        "inbound": by_mx,
        "outbound": out,
        "forged": out and settings.mode == "manage",
        "sideEntrance": settings.lockdown == "closed",
    }
    return tuple(check for check, asked in wanted.items() if asked)


def _require_allowed(settings: Settings, which: Sequence[CheckName]) -> None:
    """A stack that only looks changes nothing, not for a minute either."""
    if settings.mode == "observe" and "forged" in which:
        raise ManagedError(
            "the check «forged» puts a transport rule into the tenant for a moment, and mode is observe",
            where="settings of this stack",
            fix="run the other checks",
        )


def lines(proofs: Sequence[Proof]) -> list[str]:
    """A line a hop: verdict, check, domain, hop and what it said; nothing in it steers a terminal."""
    return [
        f"{WORDS[hop.verdict]:<10} | " + clean(f"{proof.check} | {proof.domain} | {hop.name} | {hop.says}")
        for proof in proofs
        for hop in proof.hops
    ]


def _passers(settings: Settings, progress: Progress) -> tuple[Passer, ...] | None:
    """Who came past the gateway in ten days; None where nobody asks, or nobody can tell."""
    if settings.lockdown == "open":
        return None
    known = [*settings.sender_addresses, *settings.inbound.allowed_senders]
    progress("who came past the gateway in ten days")
    try:
        seen = look(exchange().ask, Flow(list(settings.table_entries), known))
    except ManagedError as error:
        progress(f"who came past the gateway is not known: {error}")
        return None
    return surroundings.passers_of(one.row() for one in seen.ordered)
