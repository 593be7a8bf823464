"""Outcomes for the tests of the page: as many stacks as wanted, worst things first, and hostile text."""

from __future__ import annotations

from typing import Any

from fleet.effects.drift import judged
from fleet.events import Line, Step
from fleet.outcome import Outcome, State
from fleet.report.facts import Facts, MailSeen, Mx, Run
from fleet.report.gathering import FACTS

ROUTES = "pulumi-python:dynamic/gateway:SmtpRoutes"
MX = ("10 mx1.hc1234-56.c3s2.iphmx.com", "10 mx2.hc1234-56.c3s2.iphmx.com")
RIGHT = Facts(
    customer="Contoso AG",
    environment="prod",
    gateway="hc1234",
    made=True,
    last_up=Run(when="2026-11-20T20:14:09Z", result="succeeded"),
    mx=(
        Mx(domain="contoso.example", wanted="gateway", points_at="gateway", hosts=MX),
        Mx(domain="shop.contoso.example", wanted="gateway", points_at="gateway", hosts=MX),
        Mx(domain="old.contoso.example", wanted="leave"),
    ),
    outbound="all",
    lockdown="closed",
    shut=True,
    mail=MailSeen(verdict="ok", says="direct, inbound", when="2026-11-20T20:22:41Z", where="of an up"),
    secret="41 days, since 14 October 2026",
)


def kept(outcome: Outcome, **facts: Any) -> Outcome:
    """With the facts that the page is about."""
    found = Facts.model_validate({**RIGHT.model_dump(), **facts})
    return Outcome(**{**vars(outcome), "more": {**outcome.more, FACTS: found.as_json()}})


def right(name: str, **facts: Any) -> Outcome:
    return kept(Outcome(name, State.SAME, "nothing to do"), **facts)


def drifted(name: str, *domains: str, host: str = "mx.elsewhere.example", **facts: Any) -> Outcome:
    """Routes of these domains that lead elsewhere."""
    return kept(of_steps(name, routed(dict.fromkeys(domains, host))), **facts)


def routed(hosts: dict[str, str]) -> Step:
    def table(wanted: dict[str, str]) -> dict[str, Any]:
        return {
            "gateway": "g",
            "routes": {name: {"hosts": [{"host": host, "port": 25}]} for name, host in wanted.items()},
        }

    ours = table(dict.fromkeys(hosts, "contoso-example.mail.protection.outlook.com"))
    return Step("update", "smtp-routes", ROUTES, (), ours, table(hosts))


def of_steps(name: str, *steps: Step, lines: tuple[Line, ...] = ()) -> Outcome:
    return judged(Outcome(name, State.DRIFT, "1 to update", steps, lines))


def policy(tls: str) -> Step:
    own = {"gateway": "g", "listener": "OutgoingMail", "name": "RELAYED"}
    kind = "pulumi-python:dynamic/gateway:MailFlowPolicy"
    return Step("update", "mail-flow-policy", kind, (), {**own, "tls": "Preferred"}, {**own, "tls": tls})


def fleet_of(count: int) -> list[Outcome]:
    """So many stacks, a few of each kind that is not right."""
    odd = [
        drifted("fabrikam-prod", "fabrikam.example", customer="Fabrikam GmbH", environment="prod"),
        kept(of_steps("adatum-prod", policy("Required")), customer="Adatum", environment="prod"),
        kept(
            Outcome(
                "litware-prod", State.ERROR, "esa1.litware.example: no answer for 30 s. Look at the way there"
            ),
            customer="Litware, Inc.",
        ),
        right(
            "proseware-prod",
            customer="Proseware",
            mail=MailSeen(
                verdict="failed",
                says="The way in is broken. proseware.example: gateway → Microsoft 365: 550 5.7.64.",
                when="2026-11-23T06:02:00Z",
                where="of fleet check, check.json",
            ),
        ),
        right("tailspin-test", customer="Tailspin", pending=("outbound-rule",)),
        right("wingtip-prod", customer="Wingtip Toys", made=False, last_up=None, mail=None, secret="", mx=()),
        right(
            "northwind-prod",
            customer="Northwind",
            secret="set before 3 July 2025, the oldest record of it",
            secret_is_old=True,
            rotation="1 old secret still accepted: begun, and not finished",
        ),
    ]
    rest = [right(f"customer-{n:03}-prod", customer=f"Customer {n:03}") for n in range(count - len(odd))]
    return [*odd[:count], *rest]


EVIL = (
    "<script>document.title='owned'</script>",
    '"><img src=https://evil.example/x.png onerror=alert(1)>',
    "</style></title></script><base href=//evil.example>{{ 7*7 }}",
    "\u202egpj.exe\u202c \x1b[31mred\x1b[0m \x00 \u200b",
)


def hostile() -> list[Outcome]:
    """The same text of an attacker at every place that takes text of others."""
    found = []
    for number, evil in enumerate(EVIL):
        mail = MailSeen(verdict="failed", says=evil, when=evil, where=evil)
        facts = {
            "customer": evil,
            "environment": evil,
            "gateway": evil,
            "kind": "tenant",
            "last_up": Run(when=evil, result=evil),
            "mx": (Mx(domain=evil, wanted=evil, points_at="mixed", hosts=(evil,)),),
            "outbound": evil,
            "lockdown": evil,
            "mail": mail,
            "secret": evil,
            "rotation": evil,
            "pending": (evil,),
        }
        of = of_steps(f"evil-{number}", routed({evil: evil}), lines=(Line("warning", evil),))
        found += [kept(of, **facts), kept(Outcome(f"error-{number}", State.ERROR, evil), **facts)]
        found.append(right(f"mail-{number}", **facts))
    return found
