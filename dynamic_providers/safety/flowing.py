"""Whether mail flows over something right now, by looking where the settings do not say it."""

from collections.abc import Iterable, Iterator, Sequence

from dynamic_providers import report
from dynamic_providers.address_spans import overlapping, span
from dynamic_providers.dns.connection import resolver
from dynamic_providers.dns.mail_hosts import named_by_any
from dynamic_providers.dns.wire import LookUpFailed
from dynamic_providers.entries import Props, quoted, some
from dynamic_providers.exchange.client import exchange
from dynamic_providers.exchange.cmdlets import TRANSPORT_RULE
from dynamic_providers.exchange.rule_order import state_of
from dynamic_providers.mailflow.probe import Answer, Smtp

_SECONDS = 10.0  # for a connection and for a greeting: more is no sign of a host that refuses


def inbound(facts: Props, domains: Iterable[str]) -> str:
    """By which of the domains mail comes in by the gateway, as a clause; empty where by none."""
    known = {name: fact for name, fact in facts["domains"].items() if name in set(domains)}
    ours = sorted(name for name, fact in known.items() if fact["mx"] == "gateway")
    if ours:
        return f"the MX of {some(ours)} leads to the gateway"
    return next((clause for name in sorted(known) if (clause := _leads_here(name, facts))), "")


def outbound(facts: Props) -> str:
    """Whether Microsoft 365 sends by the gateway, as a clause; empty where it does not."""
    if facts["outbound"] != "none":
        return f"outbound mail runs through the gateway (outbound.state is {facts['outbound']})"
    connector = facts["places"].get("names.outboundConnector", "")
    rules = [
        str(rule["Name"])
        for rule in exchange().rows(TRANSPORT_RULE)
        if state_of(rule) == "Enabled"
        and connector
        and str(rule.get("RouteMessageOutboundConnector") or "").casefold() == connector.casefold()
    ]
    return f"the transport rule {quoted(rules)} still routes mail by «{connector}»" if rules else ""


def refusing(host: str, gateways: Sequence[str]) -> str:
    """What a smart host says that will not take mail, as a clause; empty where nothing says so.

    An outbound listener greets strangers with 554 and takes Microsoft 365 all the same, so the gateways' own
    addresses are not asked. Unreachable from here is only warned of: port 25 is shut for many a machine.
    """
    try:
        addresses = [host] if span(host) else list(resolver().ipv4(host))
    except LookUpFailed as error:
        report.warning(f"smart host {host}: it could not be looked up: {error}")
        return ""
    if not addresses:
        return f"the smart host {host} has no address, so Microsoft 365 could not deliver to it"
    for address in addresses:
        if not overlapping([address], gateways) and (said := _greeting(host, address)):
            return said
    return ""


def _greeting(host: str, address: str) -> str:
    answer: Answer = Smtp("localhost", connect_seconds=_SECONDS, reply_seconds=_SECONDS).greet(host, address)
    if answer.code >= 500:
        return f"the smart host {host} answers «{answer}»"
    if not 200 <= answer.code < 400:
        report.warning(
            f"smart host {host}: whether it takes mail could not be seen from here: {answer}. That need not "
            "mean anything, since port 25 is shut for many a machine"
        )
    return ""


def _leads_here(domain: str, facts: Props) -> str:
    try:
        hosts = named_by_any(resolver(), domain)
        here = sorted(hosts & set(facts["mxHosts"])) or sorted(_at_the_gateway(hosts, facts))
    except LookUpFailed as error:
        return f"nobody can say where mail for {domain} goes ({error})"
    return f"the MX of {domain} leads to the gateway ({', '.join(here)})" if here else ""


def _at_the_gateway(hosts: Iterable[str], facts: Props) -> Iterator[str]:
    for host in hosts:
        if overlapping(resolver().ipv4(host), facts["inboundAddresses"]):
            yield host
