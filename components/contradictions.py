"""Mistakes that no single field shows: settings that contradict each other, repeat, or do not suffice.

Each check looks at the stack file as it is, so that it works beside other mistakes, and is silent about what
it cannot read: that is reported by the field's own check.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from components import secret_checks, shared_mistakes
from components.mistakes import Mistake, nearest, shown
from components.model_walk import Path, key_of
from components.raw_values import Environment, Values, at, listed_at, normal
from components.sections import NameSettings
from dynamic_providers import addresses
from dynamic_providers.clouds import CLOUDS
from dynamic_providers.safety import acknowledgements

TABLES = ("destinationControls", "recipientAccess", "smtpRoutes")
"""The gateway's tables that have an entry for each domain."""

NARROWED = (*TABLES, "mx")
"""Keys of `takeOver` that can be narrowed to one domain: `smtpRoutes.contoso.example`."""


def find(values: Values, environment: Environment) -> Iterator[Mistake]:
    """All of them, in the order of a stack file."""
    for check in (
        _tenant_agrees,
        _in_the_cloud,
        _members_twice,
        _one_listener,
        _domain_twice,
        _outbound_suffices,
        _tls_suffices,
        _pilot_has_a_group,
        _inbound_suffices,
        _spam_bypass_agrees,
        _certificate_suffices,
        _dns_suffices,
        _spf_suffices,
        _tracking_suffices,
        _acknowledgement_known,
        _listed_twice,
        _rules_apart,
        _take_over_known,
        shared_mistakes.find,
    ):
        yield from check(values, environment)
    yield from secret_checks.find(values, environment)


def _repeated(values: Sequence[tuple[Path, str | None]], thing: str) -> Iterator[Mistake]:
    first: dict[str, Path] = {}
    for path, value in values:
        if value is not None and value in first:
            yield Mistake(path, f"is the same {thing} as {shown(first[value])}: keep one of them")
        elif value is not None:
            first[value] = path


def _tenant_agrees(values: Values, environment: Environment) -> Iterator[Mistake]:
    written, meant = at(values, "tenant", "id"), environment.get("AZURE_TENANT_ID")
    if meant and isinstance(written, str) and written.lower() != meant.lower():
        yield Mistake(
            ("tenant", "id"),
            "is another tenant than AZURE_TENANT_ID of the environment: correct one, or unset the variable"
            " (Kubernetes' workload identity sets it: give the pod an empty one)",
        )


def _in_the_cloud(values: Values, _environment: Environment) -> Iterator[Mistake]:
    """Names that are of another cloud than the tenant's: mail would be led to somebody else's servers."""
    said = at(values, "tenant", "cloud")
    name = "worldwide" if said is None else str(said)
    cloud = CLOUDS.get(name)
    if cloud is None:
        return
    initial = normal(addresses.initial_domain, at(values, "tenant", "initialDomain"))
    if initial and not initial.endswith(cloud.initial_domain):
        yield Mistake(
            ("tenant", "initialDomain"),
            f"is of another cloud than tenant.cloud ({name}), where it ends in {cloud.initial_domain}:"
            " correct one of them",
        )
    domains = at(values, "domains")
    for key, domain in domains.items() if isinstance(domains, Mapping) else ():
        mx = normal(addresses.microsoft_mx, at(domain, "microsoftMx"))
        if mx and not mx.endswith(cloud.mx):
            yield Mistake(
                ("domains", str(key), "microsoftMx"),
                f"is of another cloud than tenant.cloud ({name}), where it ends in {' or '.join(cloud.mx)}:"
                " correct one of them",
            )


def _members_twice(values: Values, _environment: Environment) -> Iterator[Mistake]:
    ends: list[tuple[Path, str | None]] = []
    for index, member in enumerate(listed_at(values, "gateway", "members")):
        name, port = normal(addresses.host, at(member, "host")), at(member, "port") or 22
        ends.append((("gateway", "members", index), f"{name}:{port}" if name else None))
    yield from _repeated(ends, "gateway")


def _one_listener(values: Values, _environment: Environment) -> Iterator[Mistake]:
    inbound, outbound = (at(values, "gateway", f"{way}Listener") for way in ("inbound", "outbound"))
    if isinstance(inbound, str) and inbound == outbound:
        yield Mistake(
            ("gateway", "outboundListener"),
            "is the same as gateway.inboundListener: on a single listener the sender group would catch other"
            " tenants' inbound mail; name the private listener",
        )


def _domain_twice(values: Values, _environment: Environment) -> Iterator[Mistake]:
    domains = at(values, "domains")
    if isinstance(domains, Mapping):
        yield from _repeated(
            [(("domains", str(key)), normal(addresses.domain, key)) for key in domains], "domain"
        )


def _outbound_suffices(values: Values, _environment: Environment) -> Iterator[Mistake]:
    state, secret = at(values, "outbound", "state"), at(values, "outbound", "secret")
    hosts = at(values, "outbound", "smartHosts")
    if state in ("all", "pilot") and hosts is None:
        yield Mistake(
            ("outbound", "smartHosts"),
            f"is missing, so there is no outbound address while outbound.state is {state}: give the gateways'"
            " data 2 addresses or outbound names",
        )
    if secret is None and (state in ("all", "pilot") or hosts is not None):
        yield Mistake(
            ("outbound", "secret"),
            "is missing: set OUTBOUND_SECRET in the environment, or"
            " `pulumi config set --secret --path m365-secure-email:outbound.secret`",
        )


def _tls_suffices(values: Values, _environment: Environment) -> Iterator[Mistake]:
    by_name = at(values, "outbound", "tls") == "domainValidation"
    named = at(values, "outbound", "tlsDomain") is not None
    if by_name and not named:
        yield Mistake(
            ("outbound", "tlsDomain"),
            "is missing while outbound.tls is domainValidation: give the name in the gateways' certificate",
        )
    if named and not by_name:
        yield Mistake(
            ("outbound", "tlsDomain"),
            "counts only while outbound.tls is domainValidation: set that, or leave it out",
        )


def _pilot_has_a_group(values: Values, _environment: Environment) -> Iterator[Mistake]:
    if at(values, "outbound", "state") == "pilot" and at(values, "outbound", "pilotGroup") is None:
        yield Mistake(
            ("outbound", "pilotGroup"), "is missing while outbound.state is pilot: name the pilot's group"
        )


def _inbound_suffices(values: Values, _environment: Environment) -> Iterator[Mistake]:
    domains = at(values, "domains")
    moved = [
        str(name)
        for name, domain in (domains.items() if isinstance(domains, Mapping) else ())
        if at(domain, "mx") == "gateway"
    ]
    wanted = f"while {shown(('domains', moved[0], 'mx'))} is gateway" if moved else ""
    if not moved and at(values, "lockdown") == "closed":
        wanted = "while lockdown is closed"
    if wanted and at(values, "inbound", "mxHosts") is None:
        yield Mistake(
            ("inbound", "mxHosts"),
            f"is missing {wanted}: give the gateway's inbound hosts, as in the welcome letter",
        )
    if moved and at(values, "checks") is None:
        yield Mistake(
            ("checks",),
            f"is missing {wanted}: an MX record moves only after mail sent straight to the gateway has"
            f" arrived;"
            " give a mailbox of the tenant and one outside",
        )


def _spam_bypass_agrees(values: Values, _environment: Environment) -> Iterator[Mistake]:
    inbound = at(values, "inbound")
    said = at(inbound, "spamBypass") if isinstance(inbound, Mapping) else None
    if isinstance(inbound, Mapping) and "enhancedFiltering" in inbound and said != "enhancedFiltering":
        yield Mistake(
            ("inbound", "enhancedFiltering"),
            "counts only while inbound.spamBypass is enhancedFiltering: set that, or leave it out",
        )


def _certificate_suffices(values: Values, _environment: Environment) -> Iterator[Mistake]:
    by_certificate = at(values, "inbound", "identifiedBy") is not None
    if by_certificate and listed_at(values, "inbound", "allowedSenders"):
        yield Mistake(
            ("inbound", "allowedSenders"),
            "lets nobody in while inbound.identifiedBy is set: a connector knows others by a certificate or"
            " by addresses, not by both; let them send through the gateway, or leave inbound.identifiedBy"
            " out",
        )


def _dns_suffices(values: Values, _environment: Environment) -> Iterator[Mistake]:
    server, key = at(values, "dns", "server"), at(values, "dns", "keyName")
    if server is not None and key is None:
        yield Mistake(("dns", "keyName"), "is missing: name the TSIG key that signs updates to dns.server")
    if server is None and key is not None:
        yield Mistake(
            ("dns", "server"), "is missing: name the server that takes updates signed with dns.keyName"
        )


def _spf_suffices(values: Values, _environment: Environment) -> Iterator[Mistake]:
    keep, terms = at(values, "dns", "spf") == "keep", at(values, "dns", "spfTerms")
    if keep and at(values, "dns", "server") is None:
        yield Mistake(
            ("dns", "spf"), "is keep, and nothing says which server takes updates: name it in dns.server"
        )
    if keep and at(values, "outbound", "smartHosts") is None:
        yield Mistake(
            ("dns", "spf"), "is keep, and no gateway sends: set outbound.smartHosts, or leave it out"
        )
    if terms is not None and not keep:
        yield Mistake(("dns", "spfTerms"), "counts only while dns.spf is keep: set that, or leave it out")


def _tracking_suffices(values: Values, _environment: Environment) -> Iterator[Mistake]:
    source, url = at(values, "gateway", "tracking", "from"), at(values, "gateway", "tracking", "url")
    if source in ("manager", "gateway") and url is None:
        yield Mistake(
            ("gateway", "tracking", "url"),
            f"is missing while gateway.tracking.from is {source}: give its address, such as"
            " https://sma1.contoso.example:4431",
        )


def _acknowledgement_known(values: Values, _environment: Environment) -> Iterator[Mistake]:
    domains = at(values, "domains")
    names = (normal(addresses.domain, key) for key in (domains if isinstance(domains, Mapping) else ()))
    spf = [f"spf {name}" for name in names if name]
    removed = [acknowledgements.remove(entry) for entry in sorted(table_entries(domains))]
    known = [*spf, "lockdown", "rotation", *acknowledgements.fixed(), *removed]
    for index, one in enumerate(listed_at(values, "acknowledge")):
        what = at(one, "what")
        if not isinstance(what, str) or acknowledgements.is_known(what):
            continue
        if what.lower() not in known:
            near = nearest(what, known)
            words = "known are spf and a domain of this stack, lockdown, rotation, and the guard's own words"
            hint = f"did you mean {near}?" if near else words
            yield Mistake(("acknowledge", index, "what"), f"is nothing that would be refused: {hint}")


_LISTS: tuple[tuple[Path, Callable[[str], str], str], ...] = (
    (("inbound", "senderAddresses"), addresses.sender_address, "address"),
    (("inbound", "allowedSenders"), addresses.sender_address, "address"),
    (("inbound", "enhancedFiltering"), addresses.sender_address, "address"),
    (("dns", "resolvers"), addresses.ipv4, "resolver"),
    (("outbound", "smartHosts"), addresses.smart_host, "smart host"),
    (("takeOver",), str, "key"),
    (("leave",), str.casefold, "object"),
)


def _listed_twice(values: Values, _environment: Environment) -> Iterator[Mistake]:
    for path, check, thing in _LISTS:
        listed = listed_at(values, *(str(part) for part in path))
        yield from _repeated([((*path, i), normal(check, value)) for i, value in enumerate(listed)], thing)


def _rules_apart(values: Values, _environment: Environment) -> Iterator[Mistake]:
    """Names of transport rules are unique, whatever their case (Microsoft Learn, New-TransportRule)."""
    names = {
        key: at(values, "names", key) or NameSettings.model_fields[attribute].default
        for key, attribute in (("inboundRule", "inbound_rule"), ("outboundRule", "outbound_rule"))
    }
    if len({str(name).lower() for name in names.values()}) == 1:
        yield Mistake(
            ("names", "outboundRule"), "is the same as names.inboundRule: name the two rules differently"
        )


def _take_over_known(values: Values, _environment: Environment) -> Iterator[Mistake]:
    names = [key_of(name, field) for name, field in NameSettings.model_fields.items()]
    of_gateway = at(values, "kind") == "gateway"
    keys = list(shared_mistakes.OF_THE_GATEWAY) if of_gateway else [*names, *NARROWED]
    entries = table_entries(at(values, "domains"))
    for index, wanted in enumerate(listed_at(values, "takeOver")):
        if not isinstance(wanted, str) or wanted in keys:
            continue
        table, _, entry = wanted.partition(".")
        if table in keys and table in NARROWED and entry.lower().removesuffix(".") in entries:
            continue
        path: Path = ("takeOver", index)
        if table in keys and table in NARROWED:
            yield Mistake(path, f"narrows {table} to a domain that is not among the domains: correct it")
        elif near := nearest(wanted, keys):
            yield Mistake(path, f"is nothing that can be taken over: did you mean {near}?")
        else:
            yield Mistake(path, f"is nothing that can be taken over: known are {', '.join(keys)}")


def table_entries(domains: object) -> frozenset[str]:
    """The domains' keys in the gateway's tables: `contoso.example`, and `.contoso.example` if asked."""
    entries = set()
    for key, domain in domains.items() if isinstance(domains, Mapping) else ():
        name = normal(addresses.domain, key)
        if name:
            entries |= {name, f".{name}"} if at(domain, "subdomains") is True else {name}
    return frozenset(entries)
