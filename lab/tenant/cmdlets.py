"""The cmdlets that the practice tenant knows, with their parameters: names ignore case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.tenant import inbound_connectors, organization, outbound_connectors, transport_rules
from lab.tenant.session import Bound, Session
from lab.tenant.store import Record
from lab.tenant.values import Reader, bind

Run = Callable[[Session, Bound], list[Record]]


@dataclass(frozen=True)
class Cmdlet:
    """One cmdlet; `nulls`: its objects show unset lists as null."""

    name: str
    readers: Mapping[str, Reader]
    run: Run
    nulls: bool = False

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return not self.name.startswith("Get-")

    def invoke(self, session: Session, parameters: Mapping[str, Any]) -> list[Record]:
        """Bind the parameters and run; `WhatIf` stops before the effect."""
        bound = bind(self.readers, parameters)
        with session.store.lock:
            return [] if bound.get("WhatIf") is True else self.run(session, bound)


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
    ]


_BY_NAME = {cmdlet.name.lower(): cmdlet for cmdlet in _all()}


def known(name: str) -> Cmdlet | None:
    """The cmdlet of that name, or None."""
    return _BY_NAME.get(name.lower())
