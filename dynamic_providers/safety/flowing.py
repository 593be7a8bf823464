"""Whether mail flows over something right now, by looking where the settings do not say it."""

import contextlib
import ssl
from collections.abc import Iterable, Iterator, Sequence

from cryptography import x509

from dynamic_providers import connections, report
from dynamic_providers.address_spans import overlapping, span
from dynamic_providers.dns.connection import resolver
from dynamic_providers.dns.mail_hosts import named_by_any
from dynamic_providers.dns.resolver import Resolver
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
    return next((clause for name in sorted(known) if (clause := leads_here(name, facts, resolver()))), "")


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


def uncertified(host: str, name: str) -> str:
    """What is wrong with a smart host's certificate, as a clause; empty where nothing is, or none is shown.

    A public authority has to have issued it (or the bundle that the settings name), and with a `name` it has
    to be for that, or for a name below it where that begins with `*.`.
    """
    try:
        addresses = [host] if span(host) else list(resolver().ipv4(host))
    except LookUpFailed as error:
        report.warning(f"smart host {host}: it could not be looked up: {error}")
        return ""
    context = ssl.create_default_context(cafile=connections.endpoints().ca_bundle)
    context.check_hostname = False  # the name that counts is another one
    smtp = Smtp("localhost", connect_seconds=_SECONDS, reply_seconds=_SECONDS)
    return next(
        (said for one in addresses if (said := _wrong_with(smtp.secure(host, one, context), name))), ""
    )


def _wrong_with(answer: Answer, name: str) -> str:
    if answer.untrusted:
        return f"{answer.address} shows a certificate that no public authority vouches for ({answer.text})"
    if not answer.certificate:  # none may be shown to strangers: a mail flow policy's TLS is Microsoft's
        report.warning(
            f"smart host {answer.host}: its certificate could not be seen from here: {answer}. Whether it is "
            "what outbound.tls asks for, the connector's validation shows (outbound.validationRecipient)"
        )
        return ""
    names = certified_names(answer.certificate)
    if not name or any(_meets(one, name) for one in names):
        return ""
    return f"{answer.address} shows a certificate for {quoted(names) or 'no name'}, not for {name}"


def certified_names(certificate: bytes) -> list[str]:
    """The host names that a certificate (DER) is for, lower case."""
    parsed = x509.load_der_x509_certificate(certificate)
    found = [str(one.value) for one in parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    with contextlib.suppress(x509.ExtensionNotFound):
        extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found += extension.value.get_values_for_type(x509.DNSName)
    return list(dict.fromkeys(one.lower() for one in found))


def _meets(certified: str, name: str) -> bool:
    if name.startswith("*."):
        return certified == name[2:] or certified.endswith(name[1:])
    return certified == name or (certified.startswith("*.") and name.partition(".")[2] == certified[2:])


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


def leads_here(domain: str, facts: Props, ask: Resolver) -> str:
    """Whether the world leads a domain's mail to the gateway, as a clause; also where nobody can say."""
    try:
        hosts = named_by_any(ask, domain)
        here = sorted(hosts & set(facts["mxHosts"])) or sorted(_at_the_gateway(hosts, facts, ask))
    except LookUpFailed as error:
        return f"nobody can say where mail for {domain} goes ({error})"
    return f"the MX of {domain} leads to the gateway ({', '.join(here)})" if here else ""


def _at_the_gateway(hosts: Iterable[str], facts: Props, ask: Resolver) -> Iterator[str]:
    for host in hosts:
        if overlapping(ask.ipv4(host), facts["inboundAddresses"]):
            yield host
