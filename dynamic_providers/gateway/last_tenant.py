"""The guard of a shared gateway's stack: nothing goes while a tenant's mail still runs through it."""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from dynamic_providers.entries import Props, plain
from dynamic_providers.errors import clean_errors
from dynamic_providers.field_types import FilterName, GroupName, HeaderName, Label, Listener
from dynamic_providers.gateway.filter_tenants import secrets_left
from dynamic_providers.gateway.ssh import GatewayError
from dynamic_providers.looking import LookingProvider
from dynamic_providers.model import Model

FIX = "`pulumi destroy` the tenants' stacks first"


class TenantsLeft(GatewayError):
    """The outbound filter still holds tenants' alternatives."""


# --- model --------------------------------------------------------------------------------------------------


class LastTenantInputs(Model):
    """The tenants' common filter, and the group of the listener that it tests."""

    gateway: Label
    listener: Listener
    name: FilterName
    group: GroupName
    header: HeaderName


# --- provider -----------------------------------------------------------------------------------------------


class LastTenantProvider(LookingProvider):
    """Refuses its own end, and other names or another listener, while there are tenants."""

    model = LastTenantInputs
    identity = ("gateway",)

    def refusals(self, inputs: Props, olds: Props) -> Iterable[str]:
        """In the preview: a group that is renamed goes under the tenants' mail."""
        if not olds or self.asked(olds) == self.asked(inputs):
            return []
        left = _left(olds)
        return [f"{olds['gateway']}: {left}, as it is named and placed now. {FIX}"] if left else []

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        props = plain(_props)
        left = _left(props)
        if left:
            raise TenantsLeft(f"{left}: nothing was removed", where=str(props["gateway"]), fix=FIX)


def _left(props: Props) -> str:
    """Whose mail would be lost; nothing where the filter lets nobody's pass."""
    count = secrets_left(props)
    if not count:
        return ""
    tenants = "a tenant's secret" if count == 1 else f"{count} secrets of tenants"
    return (
        f"the message filter «{props['name']}» still holds {tenants}, and their outbound mail needs the "
        f"sender group «{props['group']}» and its policy"
    )


# --- resource -----------------------------------------------------------------------------------------------


class LastTenant(Resource, module="gateway", name="LastTenant"):
    """Stands before everything of a shared gateway: gateway, listener; name, group, header of the filter."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(LastTenantProvider(), name, dict(props), opts)
