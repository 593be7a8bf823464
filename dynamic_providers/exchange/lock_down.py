"""Lock-down of the side entrance: only the gateway may deliver for our domains, nobody may send as us.

Two holes, two switches: RestrictDomainsToIPAddresses of the inbound connector (mail from anywhere else is
refused, 550 5.7.51) and RejectDirectSend of the organization (550 5.7.68). Both take up to half an hour.
Where the connector knows the gateways by their certificate, it is RestrictDomainsToCertificate instead.
While it is shut, the connector's own resource leaves the restriction alone: see `lockedDownByOthers`.

It shuts only when nobody uses the MX before any more, and is open only when that time has passed: an MX that
moves back comes after it, and must not lead to where mail is still refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, UpdateResult
from pydantic import AwareDatetime, Field

from dynamic_providers import report
from dynamic_providers.entries import (
    ABSENT,
    Difference,
    Entries,
    Entry,
    Place,
    Props,
    has_unknown,
    plain,
    quoted,
)
from dynamic_providers.errors import clean, clean_errors
from dynamic_providers.exchange.accepted_domains import accepted
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import ExchangeClient, Rows, Step, exchange, named
from dynamic_providers.exchange.cmdlets import INBOUND_CONNECTOR
from dynamic_providers.exchange.errors import ExchangeError
from dynamic_providers.exchange.inbound_connector import RESTRICTIONS, restriction
from dynamic_providers.exchange.lock_down_gate import (
    not_known_by_certificate,
    others_who_deliver,
    wrong_mx,
)
from dynamic_providers.exchange.organization import reject_direct_send, rejects_direct_send
from dynamic_providers.exchange.past_gateway import Flow, each_once
from dynamic_providers.field_types import (
    CertificateName,
    Domain,
    ExchangeName,
    Flag,
    HostName,
    InitialDomain,
    SenderAddress,
)
from dynamic_providers.managed_provider import ManagedProvider
from dynamic_providers.managed_resource import ManagedResource
from dynamic_providers.model import Model
from dynamic_providers.settling import LONGEST, clock, wait_until

DIRECT_SEND: Final = "rejectDirectSend"
SWITCHES: Final = (*RESTRICTIONS, DIRECT_SEND)
_PROVEN: Final = "provenCertificate"  # an input that the provider itself adds, while it is shut by that
_ON: Final[Entry] = {"on": True}
_WHY: Final = (
    "Microsoft may go on refusing what comes past the gateway until then, so no MX leads there until then. "
    "Safe to interrupt: the next run waits again"
)


class NoConnector(ExchangeError):
    """The inbound connector that holds the restriction is not there."""


class LockDownModel(Model):
    """What is shut, and what has to be true before. Only the switches are ever a difference.

    Of the two restrictions there is the one that goes with how the connector knows the gateways.
    """

    tenant: InitialDomain
    connector: ExchangeName
    certificate: CertificateName | None = None
    restrict_domains_to_ip_addresses: Flag | None = None
    restrict_domains_to_certificate: Flag | None = None
    reject_direct_send: Flag = True
    mx: dict[Domain, Annotated[tuple[HostName, ...], Field(min_length=1)]] = Field(
        {}, description="Domains of the tenant, and the gateway's hosts that their MX has to name."
    )
    gateways: tuple[SenderAddress, ...] = Field(min_length=1, description="What the gateways deliver from.")
    allow: tuple[SenderAddress, ...] = Field((), description="Who else the inbound connector lets in.")
    acknowledged: Flag = Field(default=False, description="That others' mail will be refused is accepted.")
    mx_settled: tuple[AwareDatetime, ...] = Field(
        (), description="From when on nobody uses the MX before any more, of each domain; UTC."
    )
    settle: Annotated[int, Field(ge=0, le=LONGEST)] | None = Field(
        None, description="How long Microsoft may go on refusing after it is opened, seconds: that is waited."
    )


class LockDownProvider(ManagedProvider):
    """CRUD of the two switches. One that is off is absent; what was on before us stays on.

    But opened means that the restriction is off, whatever it was: what the connector had before us is put
    back with all of the connector, by its own resource. Nobody is asked for that, so it always can be.
    """

    label: ClassVar[str] = "lock-down"
    model: ClassVar[type[Model]] = LockDownModel
    identity: ClassVar[tuple[str, ...]] = ("tenant", "connector")
    take_over_key: ClassVar[str] = "lockdown"
    missing: ClassVar[str] = "is off"

    # --- the hooks ------------------------------------------------------------------------------------------

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        client, found = exchange(), {}
        for key in keys:
            on = rejects_direct_send(client) if key == DIRECT_SEND else _is_restricted(client, place, key)
            if on:
                found[key] = dict(_ON)
        return found

    def apply(
        self, place: Place, changes: Mapping[str, Entry | None], _live: Entries, _context: Props
    ) -> None:
        client = exchange()
        for key in SWITCHES:
            if key in changes and key == DIRECT_SEND:
                reject_direct_send(client, on=changes[key] is not None)
            elif key in changes:
                _restrict(client, place, key, on=changes[key] is not None)

    def entries(self, props: Props) -> Entries:
        return {key: dict(_ON) for key in SWITCHES if props.get(key) is True}

    def with_entries(self, props: Props, entries: Entries) -> Props:
        return {**props, **{key: key in entries for key in SWITCHES if key in props}}

    def recorded(self, client: ExchangeClient, key: str, _siblings: Sequence[str] = ()) -> Entry:
        """What was on before us."""
        return dict(_ON) if key == DIRECT_SEND and rejects_direct_send(client) else ABSENT

    def named(self, place: Place, key: str) -> str:
        if key == DIRECT_SEND:
            return "RejectDirectSend of the organization"
        return f"{RESTRICTIONS[key]} of the inbound connector «{place['connector']}»"

    def _name_what_no_line_shows(self, found: list[Difference], owned: Entries) -> None:
        """The engine shows both switches."""

    def _settings(self, props: Props) -> Props:
        return {}  # what has to be true before is no difference after

    def _where(self, place: Place) -> str:
        return str(place["tenant"])

    # --- opening --------------------------------------------------------------------------------------------

    @clean_errors
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        olds, news = plain(_olds), plain(_news)
        updated = super().update(_id, olds, news)
        if self.entries(olds).keys() - self.entries(news).keys():
            _wait_until_open(news)
        return updated

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        props = plain(_props)
        super().delete(_id, props)
        if self.entries(props):
            _wait_until_open(props)

    # --- shutting -------------------------------------------------------------------------------------------

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        if has_unknown(news.get("mxSettled")):  # an MX is about to move: where it leads now says enough
            news = {**news, "mxSettled": []}
        checked = super().check(_olds, news)
        inputs, olds = {k: v for k, v in checked.inputs.items() if k != "before"}, plain(_olds)
        if checked.failures or has_unknown(inputs):
            return checked
        # Once it is shut by a certificate, mail that came in since has shown it: a repair asks no more.
        certificate = inputs.get("certificate") if self.entries(inputs) else None
        known = certificate is not None and olds.get(_PROVEN) == certificate
        reasons = _reasons(inputs, known=known) if self._shuts(olds, plain(inputs)) else []
        where = self._where(inputs)
        lines = [f"{where}: lockdown cannot be closed yet: {reason}" for reason in reasons]
        proven = {_PROVEN: certificate} if certificate else {}
        failures = [CheckFailure("connector", clean(line)) for line in lines]
        return CheckResult({**checked.inputs, **proven}, failures)

    def _shuts(self, olds: Props, news: Props) -> bool:
        """Whether mail will be refused that was taken when we last looked, and is now: only then we ask."""
        known = {} if any(olds.get(k) != news.get(k) for k in self.identity) else self.entries(olds)
        fresh = self.entries(news).keys() - known.keys()
        return bool(fresh) and not self.live(self._place(news), [restriction(news.get("certificate"))])


class LockDown(ManagedResource, module="exchange", name="LockDown"):
    """The side entrance, shut or (`closed=False`) as it was before us. `before` comes from the snapshot.

    It should be there from the start, open: an MX that moves back must come after it was opened, and a
    resource that is taken away goes last.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        connector: str,
        before: pulumi.Input[Entries],
        certificate: str | None = None,
        closed: bool = True,
        mx: Mapping[str, Sequence[str]],
        gateways: Sequence[str],
        allow: Sequence[str] = (),
        acknowledged: bool = False,
        mx_settled: pulumi.Input[Sequence[str]] = (),
        settle: int | None = None,
        take_over: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "tenant": tenant,
            "connector": connector,
            "before": before,
            "certificate": certificate,
            restriction(certificate): closed,
            DIRECT_SEND: closed,
            "mx": {domain: list(hosts) for domain, hosts in mx.items()},
            "gateways": list(gateways),
            "allow": list(allow),
            "acknowledged": acknowledged,
            "mxSettled": mx_settled,
            "settle": settle,
            "takeOver": list(take_over) or None,
        }
        super().__init__(LockDownProvider(), resource_name, props, opts)


def _reasons(inputs: Props, *, known: bool) -> list[str]:
    """Why it cannot be shut. It holds for every domain of the tenant, so all of its mail is looked at.

    `known`: the gateways are known to show the certificate.
    """
    client = exchange()
    domains = accepted(client)
    flow = Flow(domains, each_once(inputs["gateways"], inputs["allow"]))
    others = others_who_deliver(client.ask, flow, acknowledged=inputs["acknowledged"])
    unseen = _not_by_certificate(client, inputs) if inputs.get("certificate") and not known else ()
    _tell_of_other_domains(inputs, domains)
    unknown = "where the MX of the domains has to lead is not known: set inbound.mxHosts"
    moved = wrong_mx(inputs["mx"])
    settled = _not_settled(inputs["mxSettled"])
    return [*([] if inputs["mx"] else [unknown]), *moved, *settled, *others, *unseen]


def _not_by_certificate(client: ExchangeClient, inputs: Props) -> Iterable[str]:
    connector = client.find(INBOUND_CONNECTOR, inputs["connector"])
    settle = timedelta(seconds=inputs.get("settle") or 0)
    return not_known_by_certificate(client.ask, connector, inputs["certificate"], inputs["gateways"], settle)


def _not_settled(moments: Sequence[str]) -> Iterable[str]:
    until = max(map(datetime.fromisoformat, moments), default=datetime.min.replace(tzinfo=UTC))
    if until > datetime.now(UTC):
        yield (
            f"the MX has moved, but until {clock(until)} its old time to live has not passed, and who still "
            "goes by it delivers past the gateway: run it again then"
        )


def _wait_until_open(props: Props) -> None:
    until = datetime.now(UTC) + timedelta(seconds=props.get("settle") or 0)
    wait_until(until, f"{props['tenant']}: the side entrance is open again", _WHY)


def _tell_of_other_domains(inputs: Props, domains: Sequence[str]) -> None:
    initial = inputs["tenant"].partition(".")[2]  # `onmicrosoft.com`: such a domain has no MX of its own
    others = [one for one in domains if one not in inputs["mx"] and not one.endswith(f".{initial}")]
    if others:
        report.warning(
            f"{inputs['tenant']}: lockdown: closed holds for all domains of the tenant, also for "
            f"{quoted(others)}, not in this stack: their mail has to come through the gateway too"
        )


def _is_restricted(client: ExchangeClient, place: Place, key: str) -> bool:
    row = client.find(INBOUND_CONNECTOR, place["connector"])
    return row is not None and row.get(RESTRICTIONS[key]) is True


def _restrict(client: ExchangeClient, place: Place, key: str, *, on: bool) -> None:
    name, parameter = place["connector"], RESTRICTIONS[key]

    def missing(rows: Rows) -> str:
        return "" if (_connector(rows, name, client).get(parameter) is True) is on else parameter

    with client.alone(INBOUND_CONNECTOR):
        rows = client.rows(INBOUND_CONNECTOR)
        if missing(rows):  # the connector's own resource may have been quicker to open it
            steps = [Step("Set", {"Identity": _connector(rows, name, client)["Identity"], parameter: on})]
            client.write(INBOUND_CONNECTOR, steps, missing)


def _connector(rows: Rows, name: str, client: ExchangeClient) -> Row:
    row = named(rows, name)
    if row is None:
        raise NoConnector(
            f"the inbound connector «{name}» is not there, so it cannot be restricted",
            where=client.name,
            fix="run `pulumi refresh`, then `pulumi up` makes it again",
        )
    return row
