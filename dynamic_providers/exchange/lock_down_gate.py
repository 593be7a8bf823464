"""Why the side entrance must stay open for now: mail still comes, or is led, past the gateway.

A lock-down refuses what the gateway did not deliver, 550 5.7.51: before the MX has moved that is all mail.
"""

from collections.abc import Iterator, Mapping, Sequence

from dynamic_providers import report
from dynamic_providers.dns.connection import resolver
from dynamic_providers.dns.mail_hosts import named_by_any
from dynamic_providers.dns.wire import LookUpFailed
from dynamic_providers.entries import quoted
from dynamic_providers.exchange.message_trace import Ask
from dynamic_providers.exchange.past_gateway import Flow, look

_TOLD = 5  # senders that a refusal names; the rest is counted

WAY_OUT = (
    "let them send through the gateway, or name them in inbound.allowedSenders, or accept that their mail is "
    "refused: acknowledge lockdown"
)


def wrong_mx(expected: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Domains whose MX does not lead to the gateway alone, a line each. Every resolver of ours is asked."""
    for domain, hosts in expected.items():
        right = {host.casefold().rstrip(".") for host in hosts}
        try:
            found = named_by_any(resolver(), domain)
        except LookUpFailed as error:
            yield f"where mail for {domain} goes could not be looked up: {error}"
            continue
        if not found:
            yield f"{domain} has no MX record, so nobody delivers its mail to the gateway"
        elif found - right:
            yield (
                f"the MX of {domain} still names {quoted(sorted(found - right))}, beside or instead of "
                f"{quoted(sorted(right))}: move it first, and wait until its old time to live has passed"
            )


def others_who_deliver(ask: Ask, flow: Flow, *, acknowledged: bool) -> Iterator[str]:
    """Who came past the gateway in ten days, as one line; where it is acknowledged, only a warning of it."""
    seen = look(ask, flow)
    reasons = []
    if seen.passers:
        reasons.append(
            f"{len(seen.passers)} sender(s) came past the gateway in the last ten days, whose mail would be "
            f"refused: {seen.told(_TOLD)}. {WAY_OUT[0].upper()}{WAY_OUT[1:]}"
        )
    if not seen.complete:
        reasons.append(
            f"there is so much mail that the trace was read back to {seen.since:%Y-%m-%d %H:%M} UTC only, "
            "so who came past the gateway before is not known. Acknowledge lockdown to go on"
        )
    if not acknowledged:
        yield from reasons
        return
    for reason in reasons:
        report.warning(f"lock-down, acknowledged: {reason}")
