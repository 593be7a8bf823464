"""`lockdown: report`: who delivers past the gateway, before the side entrance is shut. Looks only."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pulumi
from pulumi.dynamic import Resource
from pydantic import Field

from dynamic_providers import report
from dynamic_providers.entries import Props
from dynamic_providers.exchange.accepted_domains import accepted
from dynamic_providers.exchange.client import exchange
from dynamic_providers.exchange.lock_down_gate import WAY_OUT
from dynamic_providers.exchange.message_trace import stamp
from dynamic_providers.exchange.past_gateway import Flow, Seen, each_once, look
from dynamic_providers.field_types import Domain, InitialDomain, SenderAddress
from dynamic_providers.looking import LookingProvider
from dynamic_providers.model import Model


class PastTheGatewayModel(Model):
    """Whose mail is looked at, and who may deliver it."""

    tenant: InitialDomain
    domains: tuple[Domain, ...] = Field(min_length=1)
    gateways: tuple[SenderAddress, ...] = Field(min_length=1)
    allow: tuple[SenderAddress, ...] = ()
    most: int = Field(20, ge=1, le=200, description="How many senders are told.")


class PastTheGatewayProvider(LookingProvider):
    """Outputs: `senders` (those with most messages first), `total`, `since`, `until`, `complete`.

    `read` looks again, and keeps what is known while it is the same senders: their counts grow all the time,
    and are no drift.
    """

    model: ClassVar[type[Model]] = PastTheGatewayModel
    identity: ClassVar[tuple[str, ...]] = ("tenant",)
    outputs: ClassVar[tuple[str, ...]] = ("senders", "total", "since", "until", "complete")

    def look(self, inputs: Props, olds: Props) -> Props:
        return _looked(inputs)

    def again(self, state: Props) -> Props:
        found = _outputs(_look(state), state["most"])
        return state if _who(found) == _who(state) else {**state, **found}


class PastTheGateway(Resource, module="exchange", name="PastTheGateway"):
    """Who came past the gateway in the last ten days."""

    senders: pulumi.Output[list[dict[str, Any]]]
    total: pulumi.Output[int]
    since: pulumi.Output[str]
    until: pulumi.Output[str]
    complete: pulumi.Output[bool]

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        domains: Sequence[str],
        gateways: Sequence[str],
        allow: Sequence[str] = (),
        most: int = 20,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "tenant": tenant,
            "domains": list(domains),
            "gateways": list(gateways),
            "allow": list(allow),
            "most": most,
            **dict.fromkeys(PastTheGatewayProvider.outputs),
        }
        super().__init__(PastTheGatewayProvider(), resource_name, props, opts)


def _look(props: Props) -> Seen:
    """Mail of all domains of the tenant: a lock-down would hold for all of them."""
    client = exchange()
    domains = each_once(props["domains"], accepted(client))
    return look(client.ask, Flow(domains, each_once(props["gateways"], props.get("allow", []))))


def _looked(props: Props) -> Props:
    """Look, and tell the operator."""
    seen, most, where = _look(props), int(props["most"]), props["tenant"]
    whole = "" if seen.complete else ", which is as far back as there was time to read"
    if seen.passers:
        report.warning(
            f"{where}: {len(seen.passers)} sender(s) came past the gateway since "
            f"{seen.since:%Y-%m-%d %H:%M} UTC{whole}: {seen.told(most)}. lockdown: closed would refuse their "
            f"mail: {WAY_OUT}"
        )
    else:
        report.info(f"{where}: nobody came past the gateway since {seen.since:%Y-%m-%d %H:%M} UTC{whole}")
    return _outputs(seen, most)


def _outputs(seen: Seen, most: int) -> Props:
    return {
        "senders": [one.row() for one in seen.ordered[:most]],
        "total": len(seen.passers),
        "since": stamp(seen.since),
        "until": stamp(seen.until),
        "complete": seen.complete,
    }


def _who(outs: Props) -> tuple[int, list[tuple[str, str]]]:
    """Which senders they are; where there are more than are told, how many: those told change places."""
    total, told = outs.get("total", 0), outs.get("senders", [])
    who = sorted((one["address"], one["senderDomain"]) for one in told)
    return total, who if total == len(told) else []
