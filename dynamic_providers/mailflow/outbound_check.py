"""Mail to the outside goes through the gateway with the right header, and is dropped with a wrong one."""

from collections.abc import Sequence
from typing import ClassVar

import pulumi

from dynamic_providers.mailflow.check_resource import CheckProvider, CheckResource
from dynamic_providers.mailflow.proof import CheckName


class OutboundCheckProvider(CheckProvider):
    """Runs outbound and forged."""

    label: ClassVar[str] = "mail to the outside"
    known: ClassVar[tuple[CheckName, ...]] = ("outbound", "forged")


class OutboundCheck(CheckResource, module="mailflow", name="OutboundCheck"):
    """`watches`: revisions of rule, connector, group, policy and filter; a new one runs it again."""

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        watches: Sequence[pulumi.Input[str]],
        forged: bool = True,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        checks = ["outbound", *(["forged"] if forged else [])]
        props = {"tenant": tenant, "checks": checks, "watches": list(watches)}
        super().__init__(OutboundCheckProvider(), resource_name, props, opts)
