"""All that a check works with: who sends, who is asked, how patiently. Made once a run."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import Literal, Protocol

from dynamic_providers import connections
from dynamic_providers.connections import GatewayConnection, NotConfigured, credential
from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.errors import ManagedError
from dynamic_providers.exchange.admin_api import AdminApi
from dynamic_providers.exchange.admin_api import Patience as ApiPatience
from dynamic_providers.mailflow.diagnosis import Diagnosis
from dynamic_providers.mailflow.following import Follower, LooksAtGateway
from dynamic_providers.mailflow.forging import ProbeRule
from dynamic_providers.mailflow.graph import Graph
from dynamic_providers.mailflow.mailflow_settings import MailflowSettings
from dynamic_providers.mailflow.message import Probe
from dynamic_providers.mailflow.mx_views import Views, mx_views
from dynamic_providers.mailflow.outside_mailbox import Arrived, OutsideMailbox
from dynamic_providers.mailflow.probe import Answer, Smtp, own_name
from dynamic_providers.mailflow.ssh_way import SshWay
from dynamic_providers.mailflow.trace import Run, Trace
from dynamic_providers.mailflow.tracking import Tracking, TrackingConnection
from dynamic_providers.mailflow.waiting import Deadline, Patience, Progress, Waiting


class SpeaksSmtp(Protocol):
    """Sends straight to an address."""

    def send(self, message: Probe, host: str, address: str, *, stack: str | None = None) -> Answer: ...

    def ask(self, sender: str, recipient: str, host: str, address: str) -> Answer: ...

    def reaches(self, address: str) -> bool: ...

    def close(self) -> None: ...


class KnowsNames(Protocol):
    """Looks names up, not by this machine's own resolver."""

    def mail_hosts(self, domain: str) -> list[tuple[int, str]]: ...

    def ipv4(self, name: str) -> tuple[str, ...]: ...


class UsesMailbox(Protocol):
    """Sends as the tenant's mailbox, and looks into it."""

    def send(self, message: Probe, stack: str | None = None) -> None: ...

    def folder(self, mailbox: str, message_id: str) -> Literal["inbox", "junk", "other", ""]: ...

    def close(self) -> None: ...


class LooksOutside(Protocol):
    """Looks into the mailbox outside."""

    def find(self, word: str) -> Arrived | None: ...


@dataclass
class Bench:
    """What the checks share. `run` runs a cmdlet of the tenant."""

    settings: MailflowSettings
    smtp: SpeaksSmtp
    names: KnowsNames
    tracking: tuple[LooksAtGateway, ...]
    run: Run
    mailbox: UsesMailbox
    outside: LooksOutside | None
    progress: Progress
    patience: Patience
    mx_views: Callable[[str], Views] = lambda _domain: {}  # see mx_views.py
    closers: list[object] = field(default_factory=list)

    @property
    def waiting(self) -> Waiting:
        """Polls with this run's patience."""
        return Waiting(self.patience, self.progress)

    @property
    def follower(self) -> Follower:
        """Follows a message through tracking and trace."""
        return Follower(self.tracking, Trace(self.run), self.waiting)

    @property
    def diagnosis(self) -> Diagnosis:
        """Looks for what is wrong in the tenant's settings."""
        return Diagnosis(self.run, self.settings)

    @property
    def probe_rule(self) -> ProbeRule:
        """The forged check's rule."""
        return ProbeRule(self.run, self.settings, self.waiting)

    def deadline(self) -> Deadline:
        """A check's deadline, from now."""
        return Deadline(self.settings.deadline)

    def addresses(self, host: str) -> tuple[str, ...]:
        """IPv4 addresses of a name; an address is its own. Raises the resolver's error.

        Of a network, which is how some allocations are told, those that the gateway's MX names lead to.
        """
        try:
            network = IPv4Network(host)
        except ValueError:
            return tuple(self.names.ipv4(host))
        if network.prefixlen == 32:
            return (str(network.network_address),)
        named = (one for name in self.settings.mx_hosts for one in self.names.ipv4(name))
        return tuple(dict.fromkeys(one for one in named if IPv4Address(one) in network))

    def is_at(self, address: str, hosts: Iterable[str | None]) -> bool:
        """Whether an address is one of these names, addresses or networks; no IPv4 address counts as none."""
        for host in hosts:
            with suppress(ValueError):
                if IPv4Address(address) in IPv4Network(host or ""):
                    return True
            if host and address in self.addresses_if_known(host):
                return True
        return False

    def addresses_if_known(self, host: str) -> tuple[str, ...]:
        """Likewise; none where the look-up fails."""
        try:
            return self.addresses(host)
        except ManagedError:
            return ()

    def close(self) -> None:
        """End all connections."""
        for one in self.closers:
            getattr(one, "close")()  # noqa: B009 — each has one; what they are differs


def bench_of_process(settings: MailflowSettings, progress: Progress) -> Bench:
    """The real thing, from this process's arguments and credentials. Raises where a setting is missing."""
    ends, tenant = connections.endpoints(), connections.tenant_connection()
    smtp = Smtp(own_name(settings.probe_sender), SshWay(settings.via) if settings.via else None)
    api = AdminApi(tenant, ends, ApiPatience())
    mailbox = Graph(tenant, ends)
    tracking = tracking_of_process()
    return Bench(
        settings=settings,
        smtp=smtp,
        names=Resolver(settings.resolvers),
        tracking=tuple(tracking),
        run=api.run,
        mailbox=mailbox,
        outside=_outside(settings, ends.ca_bundle),
        progress=progress,
        patience=Patience.within(settings.deadline),
        mx_views=partial(mx_views, settings.resolvers),
        closers=[smtp, api, mailbox, *tracking],
    )


def tracking_of_process() -> list[Tracking]:
    """Whoever is asked for tracking: the manager, or each gateway; nobody where it is `none`."""
    text = connections.section("tracking")
    if text is None:
        return []
    asked = TrackingConnection.model_validate_json(text)
    if asked.source == "none":
        return []
    gateway = _gateway()
    user = credential("TRACKING_USER") or (gateway.members[0].user if gateway else None)
    password = credential("TRACKING_PASSWORD") or credential("GATEWAY_PASSWORD")
    if not user or not password:
        raise NotConfigured(
            "there is nothing to log in to message tracking with",
            where="gateway.tracking",
            fix="set TRACKING_USER and TRACKING_PASSWORD",
        )
    bundle = asked.ca_bundle or connections.endpoints().ca_bundle
    return [Tracking(asked.source, url, user, password, bundle) for url in _urls(asked, gateway)]


def _urls(asked: TrackingConnection, gateway: GatewayConnection | None) -> Sequence[str]:
    if asked.url:
        return [asked.url]
    if asked.source == "gateway" and gateway is not None:
        return [f"https://{member.host}:4431" for member in gateway.members]
    raise NotConfigured(
        "the address of message tracking is missing",
        where="gateway.tracking",
        fix="set gateway.tracking.url, such as https://sma1.contoso.example:4431",
    )


def _gateway() -> GatewayConnection | None:
    try:
        return connections.gateway_connection()
    except NotConfigured:
        return None


def _outside(settings: MailflowSettings, ca_bundle: str | None) -> OutsideMailbox | None:
    password = credential("PROBE_IMAP_PASSWORD")
    if settings.imap is None or not password:
        return None
    return OutsideMailbox(settings.imap, password, ca_bundle, settings.header)
