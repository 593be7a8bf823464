"""The guard of a shared gateway's stack: it cannot go while a tenant's mail still runs through it."""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from dynamic_providers import connections
from dynamic_providers.entries import Props, plain
from dynamic_providers.errors import clean_errors
from dynamic_providers.gateway.outbound_filter import OutboundFilterProvider
from dynamic_providers.gateway.ssh import GatewayError

_PLACE = ("gateway", "name", "group", "header")


class TenantsLeft(GatewayError):
    """The outbound filter still holds tenants' alternatives."""


class LastTenantProvider(ResourceProvider):
    """Inputs: gateway, and name, group and header of the outbound filter. Only `delete` does something."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        connections.configure(req.config)

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        return CheckResult(news, [])

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        olds, news = plain(_olds), plain(_news)
        return DiffResult(changes=any(olds.get(name) != news.get(name) for name in _PLACE), replaces=[])

    @clean_errors
    def create(self, props: Props) -> CreateResult:
        return CreateResult(f"{type(self).__name__}/{props['gateway']}", dict(props))

    @clean_errors
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        return UpdateResult(dict(_news))

    @clean_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        return ReadResult(id_, dict(props), dict(props))

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        props = plain(_props)
        left = OutboundFilterProvider().alternatives_left(props)
        if left:
            tenants = "a tenant's secret" if left == 1 else f"{left} secrets of tenants"
            raise TenantsLeft(
                f"the message filter «{props['name']}» still holds {tenants}, whose outbound mail needs "
                "sender group and policy: nothing was removed",
                where=str(props["gateway"]),
                fix="`pulumi destroy` the tenants' stacks first",
            )


class LastTenant(Resource, module="gateway", name="LastTenant"):
    """Stands before everything of a shared gateway, and goes only after the last tenant."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(LastTenantProvider(), name, dict(props), opts)
