"""The ways of mail as data: which stations each has, and by which words a hop's name belongs to one."""

from __future__ import annotations

from dataclasses import dataclass

from dynamic_providers.mailflow.proof import Verdict


@dataclass(frozen=True)
class PathHop:
    """Hops of one name, of several messages, seen as one."""

    name: str
    verdict: Verdict
    says: str
    note: str
    """How many of several domains or messages it is about."""


@dataclass(frozen=True)
class Station:
    """A place on the way. `verdict` None: where the way begins, nothing is judged there.

    `pattern` is matched with where a hop's name leads to, `whole`, first, with all of the name.
    """

    key: str
    title: str
    side: str
    pattern: str
    whole: str = ""
    begins: bool = False
    objects: tuple[str, ...] = ()
    hops: tuple[PathHop, ...] = ()
    verdict: Verdict | None = "notProven"
    note: str = ""


@dataclass(frozen=True)
class Trouble:
    """What stops mail, or leaves it unproven: the answer word by word, why it usually comes, what to do."""

    hop: str
    verdict: Verdict
    says: str
    cause: str
    advice: str
    domains: tuple[str, ...]
    at: int
    """Which of the lane's stations it is at, from 0."""


@dataclass(frozen=True)
class Lane:
    """One way of mail, from its beginning to its end."""

    key: str
    title: str
    aim: str
    checks: tuple[str, ...]
    not_run: str
    stations: tuple[Station, ...]
    verdict: Verdict = "notProven"
    troubles: tuple[Trouble, ...] = ()
    note: str = ""


_GATEWAY_SIDE, _TENANT_SIDE = "Cisco Secure Email", "Microsoft 365"
_TENANT = r"microsoft|tenant|exchange|trace|message trace|connector|rule"
_GATEWAY = r"(the )?(gateway|cisco|esa|tracking|manager|listener|filter)"
_WORLD = r"probe|sender|internet|outside"
_OUTSIDE = r"internet|outside|sink|recipient|imap|world|header"
_INBOX = r"(microsoft 365: *)?(inbox|mailbox|junk)"
_MAILBOX = Station(
    "mailbox", "Mailbox", _TENANT_SIDE, r"(microsoft 365: *)?(graph|sendmail)", r"mailbox\b", begins=True
)

LANES = (
    Lane(
        key="inbound",
        title="The way in",
        aim="Mail from the internet, through the gateway, to the inbox.",
        checks=("direct", "inbound"),
        not_run="No check of this way was run.",
        stations=(
            Station("internet", "Internet", "", _WORLD, begins=True),
            Station("mx", "MX", "DNS", r"mx\b|dns\b|resolver", r"mx\b"),
            Station("gateway", "Gateway", _GATEWAY_SIDE, _GATEWAY),
            Station("tenant", "Front door", _TENANT_SIDE, _TENANT),
            Station("inbox", "Inbox", _TENANT_SIDE, _INBOX),
        ),
    ),
    Lane(
        key="outbound",
        title="The way out",
        aim="Mail from a mailbox, stamped, through the gateway, to the internet.",
        checks=("outbound",),
        not_run="No check of this way was run.",
        stations=(
            _MAILBOX,
            Station("tenant", "Rule and connector", _TENANT_SIDE, _TENANT),
            Station("gateway", "Gateway", _GATEWAY_SIDE, _GATEWAY),
            Station("internet", "Internet", "", _OUTSIDE),
        ),
    ),
    Lane(
        key="forged",
        title="Forged mail",
        aim="Mail with a wrong stamp has to be dropped.",
        checks=("forged",),
        not_run="No forged mail was sent.",
        stations=(
            _MAILBOX,
            Station("tenant", "Wrong stamp", _TENANT_SIDE, _TENANT),
            Station("gateway", "Dropped", _GATEWAY_SIDE, f"{_GATEWAY}|{_OUTSIDE}"),
        ),
    ),
    Lane(
        key="sideEntrance",
        title="Side entrance",
        aim="Mail past the gateway has to be refused.",
        checks=("sideEntrance",),
        not_run="Nobody tried to come past the gateway.",
        stations=(
            Station("internet", "Internet", "", r"(?!)", begins=True),
            Station("tenant", "Refused", _TENANT_SIDE, r""),
        ),
    ),
)
