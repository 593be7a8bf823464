"""The gateways' addresses in the IP allow list of the tenant's connection filter: never spam, never spoofed.

Only ours are added and taken away; what others have put there stays. Off by default: it skips spam filtering
and spoof intelligence, so that what the gateway lets pass is believed. Source: Microsoft Learn,
Set-HostedConnectionFilterPolicy, and «Configure connection filtering».
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final

import pulumi
from pydantic import Field

from dynamic_providers.address_spans import span
from dynamic_providers.entries import ABSENT, Entries, Entry, Place, Props
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import ExchangeClient, Rows, Step, exchange, named
from dynamic_providers.exchange.cmdlets import CONNECTION_FILTER
from dynamic_providers.exchange.errors import ExchangeError
from dynamic_providers.field_types import InitialDomain, SenderAddress
from dynamic_providers.managed_resource import ManagedResource, TableProvider
from dynamic_providers.model import Model

POLICY: Final = "Default"  # the one that every tenant has
LIST: Final = "IPAllowList"
_HASH_TABLE: Final = "#Exchange.GenericHashTable"


class NoPolicy(ExchangeError):
    """The connection filter is not there."""


class Allowed(Model):
    """An address whose mail is never filtered: it is in the list, or it is not."""


class ConnectionFilterModel(Model):
    """Addresses of ours in the IP allow list: IPv4, or networks from /24 to /32."""

    tenant: InitialDomain
    allowed: Annotated[dict[SenderAddress, Allowed], Field(min_length=1)]


class ConnectionFilterProvider(TableProvider):
    """CRUD of our entries."""

    label: ClassVar[str] = "IP allow list of the connection filter"
    model: ClassVar[type[Model]] = ConnectionFilterModel
    identity: ClassVar[tuple[str, ...]] = ("tenant",)
    take_over_key: ClassVar[str] = "connectionFilter"
    table_field: ClassVar[str] = "allowed"

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        client = exchange()
        there = _spans(_policy(client.rows(CONNECTION_FILTER), client))
        return {key: {} for key in keys if span(key) in there}

    def apply(
        self, place: Place, changes: Mapping[str, Entry | None], _live: Entries, _context: Props
    ) -> None:
        client = exchange()
        with client.alone(CONNECTION_FILTER):
            row = _policy(client.rows(CONNECTION_FILTER), client)
            given = {LIST: _difference(row, changes)}
            steps = [Step("Set", {"Identity": row["Identity"], **given})]
            client.write(CONNECTION_FILTER, steps, lambda rows: _missing(_policy(rows, client), changes))

    def recorded(self, client: ExchangeClient, address: str, _siblings: Sequence[str] = ()) -> Entry:
        """Whether it was there before us."""
        return {} if span(address) in _spans(_policy(client.rows(CONNECTION_FILTER), client)) else ABSENT

    def notes(self, props: Props) -> Iterable[str]:
        """What it costs."""
        yield (
            "inbound.connectionFilter is allow: mail from the gateways skips Microsoft's spam filter and its "
            "spoof intelligence, so a forged sender that the gateway lets pass is believed"
        )

    def _where(self, place: Place) -> str:
        return str(place["tenant"])


def _policy(rows: Rows, client: ExchangeClient) -> Row:
    row = named(rows, POLICY)
    if row is None:
        raise NoPolicy(
            f"the connection filter policy «{POLICY}» is not there",
            where=client.name,
            fix="look at Get-HostedConnectionFilterPolicy, and run it again",
        )
    return row


def _spans(row: Row) -> set[Any]:
    return {span(str(one)) for one in row.get(LIST) or []} - {None}


def _difference(row: Row, changes: Mapping[str, Entry | None]) -> dict[str, Any]:
    """Added and taken away, so that what others do there meanwhile stays; as it is written where it goes."""
    gone = {span(key) for key, entry in changes.items() if entry is None}
    parts = {
        "Add": [key for key, entry in changes.items() if entry is not None],
        "Remove": [str(one) for one in row.get(LIST) or [] if span(str(one)) in gone],
    }
    return {"@odata.type": _HASH_TABLE, **{name: listed for name, listed in parts.items() if listed}}


def _missing(row: Row, changes: Mapping[str, Entry | None]) -> str:
    there = _spans(row)
    return ", ".join(key for key, entry in changes.items() if (span(key) in there) is (entry is None))


class ConnectionFilter(ManagedResource, module="exchange", name="ConnectionFilter"):
    """The gateways' addresses in the IP allow list. `before` comes from the snapshot."""

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        before: pulumi.Input[Entries],
        allowed: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {"tenant": tenant, "before": before, "allowed": {one: {} for one in allowed}}
        super().__init__(ConnectionFilterProvider(), resource_name, props, opts)
