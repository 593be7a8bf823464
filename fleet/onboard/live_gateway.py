"""What carries this customer's mail on the gateways already, under whatever names. Reads only.

Of several gateways that are not clustered the first is taken; where another differs, the comparison shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from components.context import HEADER
from components.raw_values import normal
from dynamic_providers import addresses
from dynamic_providers.clouds import SENDERS
from dynamic_providers.entries import Entries, Entry
from dynamic_providers.gateway import filter_text, transaction
from dynamic_providers.gateway.destination_controls import DestinationControlsProvider
from dynamic_providers.gateway.equivalents import takes_microsoft
from dynamic_providers.gateway.hat import Group, Hat
from dynamic_providers.gateway.outbound_filter import Filter, read_all
from dynamic_providers.gateway.recipient_access import RecipientAccessProvider
from dynamic_providers.gateway.sender_group import read_hat
from dynamic_providers.gateway.smtp_routes import SmtpRoutesProvider

LIMITS = ("connections", "messagesPerConnection")


@dataclass(frozen=True)
class LiveGateway:
    """Names, and what the tables say about the tenant's domains. An empty name: there is no such thing.

    `secrets`: the header values that the filter lets pass. Tables: domain, or `.domain`, → entry.
    """

    group: str
    policy: str
    filter: str
    secrets: tuple[str, ...]
    recipients: Entries
    routes: Entries
    controls: Entries

    def leads_to_microsoft(self, domain: str) -> str:
        """The one host that a domain's route leads to, if it is one of Microsoft's; else nothing."""
        hosts = [str(one["host"]) for one in self.routes.get(domain, {}).get("hosts", [])]
        return hosts[0] if len(hosts) == 1 and normal(addresses.microsoft_mx, hosts[0]) else ""

    def takes(self, domain: str) -> bool:
        """Whether the recipient access table accepts mail for it."""
        return bool(self.recipients.get(domain, {}).get("action") == "Accept")

    def covers_subdomains(self, domain: str) -> bool:
        """Whether all three tables say of its subdomains what they say of itself."""
        tables = (self.recipients, self.routes, self.controls)
        return all(one.get(f".{domain}") == one.get(domain) is not None for one in tables)

    def throttle(self, domains: Iterable[str]) -> dict[str, int] | str | None:
        """The limits that most of these domains have: both of them, or «none»; None where no entry says."""
        limits = [_limits(self.controls[one]) for one in domains if one in self.controls]
        known = [one for one in limits if len(one) in (0, len(LIMITS))]
        if not known:
            return None
        return dict(Counter(known).most_common(1)[0][0]) or "none"


def read(name: str, inbound: str, outbound: str, domains: Iterable[str]) -> LiveGateway:
    """Look at the tables of these listeners. `name`: the gateways' own; `domains`: all of the tenant."""
    keys = [key for one in domains for key in (one, f".{one}")]

    def here() -> LiveGateway:
        place = {"gateway": name}
        gateway = transaction.gateway()
        group, policy = sender_group(read_hat(gateway, outbound))
        gate, secrets = outbound_filter(read_all(gateway), group)
        return LiveGateway(
            group=group,
            policy=policy,
            filter=gate,
            secrets=secrets,
            recipients=RecipientAccessProvider().live({**place, "listener": inbound}, keys),
            routes=SmtpRoutesProvider().live(place, keys),
            controls=DestinationControlsProvider().live(place, keys),
        )

    return next(iter(transaction.on_each(here).values()))


def sender_group(table: Hat) -> tuple[str, str]:
    """The group that Microsoft's connections come into, and its policy: the first that matches counts."""
    for matches in (_names_microsoft, _takes_microsoft):
        for name, group in table.groups.items():
            if not group.direct and group.behaviour.startswith("$") and matches(group):
                return name, group.behaviour.removeprefix("$")
    return "", ""


def outbound_filter(filters: Iterable[Filter], group: str) -> tuple[str, tuple[str, ...]]:
    """The filter that checks our header: of that group, and in force, rather than another."""
    found = [(one, shape) for one in filters if (shape := filter_text.recognise(one.text))]
    ours = [(one, shape) for one, shape in found if shape.header.casefold() == HEADER.casefold()]
    ours.sort(key=lambda pair: (pair[1].group != group, not (pair[0].active and pair[0].valid)))
    return (ours[0][0].name, ours[0][1].values) if ours else ("", ())


def _names_microsoft(group: Group) -> bool:
    return any(host.lower() in SENDERS for host, _ in group.members)


def _takes_microsoft(group: Group) -> bool:
    return any(takes_microsoft(host) for host, _ in group.members)


def _limits(entry: Entry) -> tuple[tuple[str, Any], ...]:
    return tuple((name, entry[name]) for name in LIMITS if name in entry)
