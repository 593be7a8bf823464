"""Whether all who are asked name the same MX: right after a change, some still hold the old one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from dynamic_providers.mailflow.bench import Bench
from dynamic_providers.mailflow.causes import SITUATIONS, Cause
from dynamic_providers.mailflow.hops import Hops, proof, until_it_works
from dynamic_providers.mailflow.mx_views import OWN, Views
from dynamic_providers.mailflow.proof import Proof

VIEWS: Final = "MX: resolvers and zone"
IsGateway = Callable[[str], bool]


def disagreement(bench: Bench, domain: str, is_gateway: IsGateway) -> Proof | None:
    """A proof that fails while they name different hosts; None where they agree, or agreed in the end."""
    started, deadline = datetime.now(UTC), bench.deadline()

    def attempt(_number: int) -> Hops:
        hops, views = Hops(), bench.mx_views(domain)
        if len(set(views.values())) > 1:
            said = "; ".join(f"{who}: {', '.join(hosts) or 'no MX'}" for who, hosts in views.items())
            shown = {who: ", ".join(hosts) for who, hosts in views.items()}
            hops.failed(
                VIEWS, f"not all name the same MX of {domain}: {said}", _cause(views, is_gateway), shown
            )
        return hops

    hops = until_it_works(bench.waiting, deadline, attempt)
    return proof("inbound", domain, started, "", hops) if hops.hops else None


def _cause(views: Views, is_gateway: IsGateway) -> Cause:
    own = views.get(OWN)
    held = [who for who, hosts in views.items() if not all(map(is_gateway, hosts))]
    if own is not None and own and all(map(is_gateway, own)):
        usual = SITUATIONS["old record held"]
        return usual.because(f"{usual.cause} (held by {', '.join(held)})")
    return SITUATIONS["mx elsewhere"]
