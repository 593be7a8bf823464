"""The MX records move, and mail is seen to arrive: rows f and g of the guide's steps, and the side entrance.

Forwards: the inbound part → mail straight to the gateway arrives → MX → mail by MX arrives → lock-down.
Backwards: lock-down off → MX. The way back waits for nothing that can fail: no check is part of it.
"""

from collections.abc import Sequence
from typing import Any

import pulumi

from components.context import Context
from components.mail_sections import DomainSettings
from dynamic_providers.dns.mx_check import MxCheck
from dynamic_providers.dns.mx_records import MxRecords
from dynamic_providers.dns.snapshot import MX_CHECK, MX_RECORDS
from dynamic_providers.exchange.lock_down import LockDown
from dynamic_providers.exchange.past_the_gateway import PastTheGateway
from dynamic_providers.exchange.snapshot import LOCK_DOWN
from dynamic_providers.mailflow.inbound_check import InboundCheck, Route
from dynamic_providers.managed_resource import ManagedResource


class CutOver(pulumi.ComponentResource):
    """From «everything is ready» to «nothing comes past the gateway», as far as the settings ask for."""

    def __init__(self, context: Context, parent: pulumi.Resource, ready: Sequence[ManagedResource]) -> None:
        kind = "m365-secure-email:components:CutOver"
        super().__init__(kind, "cut-over", {}, pulumi.ResourceOptions(parent=parent))
        self._context = context
        self._settings = context.settings
        self._ready = list(ready)
        closed = self._settings.lockdown == "closed"
        if context.observing:
            self._look(closed=closed)
        else:
            self._move(closed=closed)
        self.register_outputs({})

    def _look(self, *, closed: bool) -> None:
        """Only what the world says, and whether the side entrance is shut."""
        self._mx({"gateway", "microsoft"}, [])
        self._lock_down(closed=closed, after=[])

    def _move(self, *, closed: bool) -> None:
        direct = self._check("direct-check", "direct", self._ready, self._ready)
        opened = [] if closed else [self._lock_down(closed=False, after=[])]
        moved = self._mx({"gateway"}, [*self._ready, *direct, *opened])
        self._mx({"microsoft"}, opened)
        arrives = self._check("inbound-check", "mx", [*self._ready, *moved], moved) if moved else []
        if closed:
            shut = self._lock_down(closed=True, after=[*self._ready, *moved, *arrives], moved=moved)
            self._check("side-entrance-check", "sideEntrance", [shut], [shut])
        if self._settings.lockdown == "report":
            self._report()

    def _mx(self, where: set[str], after: Sequence[pulumi.Resource]) -> list[MxRecords | MxCheck]:
        """The MX of the domains that are to lead there: set by us, or waited for while somebody else does."""
        settings, context = self._settings, self._context
        domains = {name: one for name, one in settings.domains.items() if one.mx in where}
        made: list[MxRecords | MxCheck] = []
        for name, domain in domains.items():
            inputs = {"domain": name, "microsoftMx": domain.microsoft_mx, **self._hosts(domain)}
            options = context.on_dns(self, depends_on=after, way_back=domain.mx == "microsoft")
            if context.observing:
                made.append(MxCheck(f"mx-{name}", inputs, options))
            elif settings.dns.server:
                made.append(MxRecords(f"mx-{name}", {**inputs, **self._set_by_us()}, options))
            else:
                waits = {"deadline": self._deadline, "before": context.dns_before.before(MX_CHECK)}
                made.append(MxCheck(f"mx-{name}", {**inputs, **waits}, options))
        return made

    def _hosts(self, domain: DomainSettings) -> dict[str, Any]:
        settings = self._settings
        if domain.mx == "gateway":
            hosts = [one.model_dump() for one in settings.inbound.mx_hosts or ()]
        else:
            hosts = [{"host": domain.microsoft_mx, "preference": 0}]
        settle = settings.settle.mx
        waits = round(settle.total_seconds()) if settle else "ttl"
        return {"hosts": hosts, "ttl": settings.dns.ttl, "settle": waits}

    def _set_by_us(self) -> dict[str, Any]:
        return {
            "lowerTtlFirst": self._settings.dns.lower_ttl_first,
            "before": self._context.dns_before.before(MX_RECORDS),
            "takeOver": self._settings.may_take_over("mx") or None,
        }

    @property
    def _deadline(self) -> int:
        checks = self._settings.checks
        return round(checks.deadline.total_seconds()) if checks else 4500

    def _check(
        self,
        name: str,
        route: Route,
        watched: Sequence[ManagedResource | MxCheck],
        after: Sequence[pulumi.Resource],
    ) -> list[InboundCheck]:
        """Mail that proves it, where the settings give mailboxes for that."""
        if self._settings.checks is None:
            return []
        return [
            InboundCheck(
                name,
                tenant=self._settings.tenant.initial_domain,
                route=route,
                watches=[one.revision for one in watched],
                opts=self._context.on_checks(self, depends_on=after),
            )
        ]

    def _lock_down(
        self,
        *,
        closed: bool,
        after: Sequence[pulumi.Resource],
        moved: Sequence[MxRecords | MxCheck] = (),
    ) -> LockDown:
        """There from the start, open: what goes is removed last, and an MX that moves back comes after it."""
        settings = self._settings
        hosts = [one.host for one in settings.inbound.mx_hosts or ()]
        return LockDown(
            "lock-down",
            tenant=settings.tenant.initial_domain,
            connector=settings.names.inbound_connector,
            before=self._context.tenant_before(LOCK_DOWN),
            certificate=settings.certificate,
            closed=closed,
            mx=dict.fromkeys(settings.domains, hosts) if hosts else {},
            gateways=settings.sender_addresses,
            allow=settings.inbound.allowed_senders,
            acknowledged=settings.acknowledged("lockdown"),
            mx_settled=pulumi.Output.all(*(one.settledAt for one in moved)).apply(_known),
            settle=round(settings.settle.rule.total_seconds()),
            opts=self._context.on_exchange(self, depends_on=after, way_back=not closed),
        )

    def _report(self) -> None:
        settings = self._settings
        PastTheGateway(
            "past-the-gateway",
            tenant=settings.tenant.initial_domain,
            domains=sorted(settings.domains),
            gateways=settings.sender_addresses,
            allow=settings.inbound.allowed_senders,
            opts=self._context.on_exchange(self),
        )


def _known(moments: Sequence[str | None]) -> list[str]:
    """Those of MX sets that ever changed."""
    return [one for one in moments if one]
