"""The cmdlets that the practice tenant knows, with their parameters: names ignore case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from lab.tenant import (
    connection_filter,
    dkim,
    groups,
    inbound_connectors,
    organization,
    outbound_connectors,
    transport_rules,
)
from lab.tenant.mail import trace_cmdlets, validation
from lab.tenant.session import Bound, Session
from lab.tenant.store import Record
from lab.tenant.values import Reader, bind

Run = Callable[[Session, Bound], list[Record]]


@dataclass(frozen=True)
class Cmdlet:
    """One cmdlet.

    `nulls`: its objects show unset lists as null. `own_pages`: it limits its rows itself, and has no next
    link. `locks`: it runs alone; without, it locks the store itself for as long as it needs to.
    """

    name: str
    readers: Mapping[str, Reader]
    run: Run
    nulls: bool = False
    own_pages: bool = False
    locks: bool = True

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return not self.name.startswith("Get-")

    def invoke(self, session: Session, parameters: Mapping[str, Any]) -> list[Record]:
        """Bind the parameters and run; `WhatIf` stops before the effect."""
        bound = bind(self.readers, parameters)
        if bound.get("WhatIf") is True:
            return []
        with session.store.lock if self.locks else nullcontext():
            return self.run(session, bound)


def _all() -> list[Cmdlet]:
    rules, inside, outside, tenant = transport_rules, inbound_connectors, outbound_connectors, organization
    return [
        Cmdlet("Get-TransportRule", rules.GET, rules.get, nulls=True),
        Cmdlet("New-TransportRule", rules.NEW, rules.new, nulls=True),
        Cmdlet("Set-TransportRule", rules.SET, rules.set_),
        Cmdlet("Remove-TransportRule", rules.ONE, rules.remove),
        Cmdlet("Enable-TransportRule", rules.STATE, rules.enable),
        Cmdlet("Disable-TransportRule", rules.ONE, rules.disable),
        Cmdlet("Get-InboundConnector", inside.GET, inside.get),
        Cmdlet("New-InboundConnector", inside.NEW, inside.new),
        Cmdlet("Set-InboundConnector", inside.SET, inside.set_),
        Cmdlet("Remove-InboundConnector", inside.ONE, inside.remove),
        Cmdlet("Get-OutboundConnector", outside.GET, outside.get),
        Cmdlet("New-OutboundConnector", outside.NEW, outside.new),
        Cmdlet("Set-OutboundConnector", outside.SET, outside.set_),
        Cmdlet("Remove-OutboundConnector", outside.ONE, outside.remove),
        Cmdlet("Get-AcceptedDomain", tenant.GET_DOMAIN, tenant.domains),
        Cmdlet("Get-OrganizationConfig", tenant.GET_CONFIG, tenant.config),
        Cmdlet("Set-OrganizationConfig", tenant.SET_CONFIG, tenant.set_config),
        Cmdlet("Get-HostedConnectionFilterPolicy", connection_filter.GET, connection_filter.get),
        Cmdlet("Set-HostedConnectionFilterPolicy", connection_filter.SET, connection_filter.set_),
        Cmdlet("Get-DkimSigningConfig", dkim.GET, dkim.get),
        Cmdlet("Set-DkimSigningConfig", dkim.SET, dkim.set_),
        Cmdlet("Get-DistributionGroup", groups.GET, groups.get),
        Cmdlet("New-DistributionGroup", groups.NEW, groups.new),
        Cmdlet("Remove-DistributionGroup", groups.ONE, groups.remove),
        Cmdlet("Get-DistributionGroupMember", groups.MEMBERS, groups.members),
        Cmdlet("Add-DistributionGroupMember", groups.MEMBER, groups.add_member),
        Cmdlet("Remove-DistributionGroupMember", groups.MEMBER, groups.remove_member),
        Cmdlet("Get-MessageTraceV2", trace_cmdlets.TRACE, trace_cmdlets.trace, own_pages=True, locks=False),
        Cmdlet(
            "Get-MessageTraceDetailV2",
            trace_cmdlets.DETAIL,
            trace_cmdlets.detail,
            own_pages=True,
            locks=False,
        ),
        Cmdlet("Validate-OutboundConnector", validation.VALIDATE, validation.validate, locks=False),
    ]


_BY_NAME = {cmdlet.name.lower(): cmdlet for cmdlet in _all()}


def known(name: str) -> Cmdlet | None:
    """The cmdlet of that name, or None."""
    return _BY_NAME.get(name.lower())
