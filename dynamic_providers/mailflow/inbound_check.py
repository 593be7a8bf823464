"""Mail from outside arrives: straight through each gateway, or as the MX leads; and not past the gateway."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import pulumi

from dynamic_providers.mailflow.check_resource import CheckProvider, CheckResource
from dynamic_providers.mailflow.proof import CheckName

Route = Literal["direct", "mx", "sideEntrance"]
_CHECKS: dict[Route, CheckName] = {"direct": "direct", "mx": "inbound", "sideEntrance": "sideEntrance"}


class InboundCheckProvider(CheckProvider):
    """Runs direct, inbound, or the side entrance."""

    label: ClassVar[str] = "mail from outside"
    known: ClassVar[tuple[CheckName, ...]] = ("direct", "inbound", "sideEntrance")


class InboundCheck(CheckResource, module="mailflow", name="InboundCheck"):
    """`route`: `direct` before the MX moves, `mx` after, `sideEntrance` when it is locked down.

    `watches`: revisions of what it relies on; a new one runs it again.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        route: Route,
        watches: Sequence[pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        checks = [_CHECKS[route]]
        props = {"tenant": tenant, "checks": checks, "watches": list(watches)}
        super().__init__(InboundCheckProvider(), resource_name, props, opts)
