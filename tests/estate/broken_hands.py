"""How hands break an estate: at the gateway's command line, in Exchange Online, in the zone, at a host."""

from __future__ import annotations

from typing import Any

from tests.estate.broken_bed import Bed, Hand
from tests.hands.acts import typed

INBOUND, OUTBOUND = "Inbound from Cisco CES", "Outbound to Cisco CES"  # the latter is a connector and a rule
BYPASS = "Bypass spam filtering - inbound email from Cisco CES"
FILTER, GROUP, HEADER = "office365_outbound", "RELAY_O365", "X-OUTBOUND-AUTH"
DATA1, DATA2, SINK = "192.0.2.105", "198.51.100.186", "203.0.113.80"
MICROSOFT, WRONG_REGION, NOBODY = "203.0.113.25", "203.0.113.27", "203.0.113.9"
MICROSOFT_MX = "bce-demo-com.mail.protection.outlook.com"
GATEWAY_MX = "mx1.bce-demo.example"
HAT = "listenerconfig edit OutgoingMail hostaccess"
RAT = "listenerconfig edit IncomingMail rcptaccess"


def typing(*lines: str) -> Hand:
    """These lines at the gateway's command line, committed."""
    return lambda bed: bed.type(*lines)


def in_dialogue(command: str, dialogue: str, **answers: str) -> Hand:
    """A dialogue of the gateway, everything else as it is preset, committed."""
    return lambda bed: bed.type(command, *typed(bed.estate.gateway.profile, dialogue, answers))


def in_tenant(cmdlet: str, identity: str = "", **parameters: Any) -> Hand:
    """A cmdlet of Exchange Online."""
    return lambda bed: bed.tenant(cmdlet, identity, **parameters)


def both(*hands: Hand) -> Hand:
    """One after the other."""

    def act(bed: Bed) -> None:
        for hand in hands:
            hand(bed)

    return act


def gateway_switch(**switches: object) -> Hand:
    """Switches of the practice gateway."""
    return lambda bed: bed.estate.gateway.set_switches(switches)


def tenant_switch(**switches: object) -> Hand:
    """Switches of the practice tenant."""

    def act(bed: Bed) -> None:
        for name, value in switches.items():
            setattr(bed.estate.tenant.switches, name, value)

    return act


def mx(*hosts: str) -> Hand:
    """The zone's MX set."""
    return lambda bed: bed.mx(*hosts)


def route_to(host: str) -> Hand:
    """The domain's SMTP route."""
    return lambda bed: bed.type("smtproutes", "edit", bed.domain, host, "")


def policy_tls(tls: str) -> Hand:
    """TLS of the mail flow policy RELAYED: off, preferred or required."""
    calm = dict.fromkeys(("override_banner", "custom_accept", "rate_limiting", "dhap"), "no")
    return in_dialogue(f"{HAT} edit policy RELAYED", "policy.edit", tls=tls, **calm)


def destination_tls(tls: str) -> Hand:
    """TLS of the domain's destination controls: off, preferred or required."""

    def act(bed: Bed) -> None:
        answers = {"limit_messages": "yes", "limit_concurrency": "yes", "specific_tls": "yes", "tls": tls}
        in_dialogue(f"destconfig edit {bed.domain}", "destconfig.edit", **answers)(bed)

    return act


def filter_lines(
    group: str = f"^{GROUP}$", accepts: str = "^mysecretkey$", otherwise: str = "drop();"
) -> list[str]:
    """The outbound filter's text."""
    return [
        f'{FILTER}: if (sendergroup == "{group}") {{',
        f'  if (header("{HEADER}") == "{accepts}") {{ strip-header("{HEADER}"); }} else {{ {otherwise} }}',
        "}",
    ]


def filters(*texts: list[str]) -> Hand:
    """These filters in place of the outbound one, in this order."""

    def act(bed: Bed) -> None:
        lines = [f"filters delete {FILTER}"]
        for text in texts:
            lines += ["filters new", *text, "."]
        bed.type(*lines)

    return act


def foreign_rule(**parameters: Any) -> Hand:
    """Another administrator's rule for mail to the outside, «Stamp», at the end unless said otherwise."""
    return in_tenant("New-TransportRule", Name="Stamp", SentToScope="NotInOrganization", **parameters)


def group_above(name: str, policy: str) -> Hand:
    """A sender group of the outbound listener for `.outlook.com`, at the top."""

    def act(bed: Bed) -> None:
        choice = {"BLOCKED": "6", "RELAYED": "7"}[policy]
        answers = ["1", name, ".outlook.com", "theirs", choice, "n", "theirs"]
        bed.type(HAT, "new", *answers, "move", name, "1", "", "", "")
        group = bed.estate.gateway.state.base.listener("OutgoingMail").groups[0]
        assert (group.name, group.behaviour) == (name, f"${policy}")

    return act


def sink_answers(reply: str) -> Hand:
    """What the server outside answers at the recipient."""
    return lambda bed: bed.estate.internet.sink.refuse.update({bed.settings.outside: reply})


def variable(name: str, value: str) -> Hand:
    """A variable of this process's environment."""
    return lambda bed: bed.patch.setenv(name, value)
