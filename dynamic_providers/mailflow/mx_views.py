"""What the world says of an MX: each resolver that we may ask, and the zone's own servers."""

from collections.abc import Mapping, Sequence
from typing import Final

from dynamic_providers.dns.voices import listen

OWN: Final = "the zone's own servers"

Views = Mapping[str, tuple[str, ...]]
"""Who was asked → the MX hosts that it names."""


def mx_views(resolvers: Sequence[str], domain: str) -> Views:
    """What each of them answers. One that cannot be asked is left out: others may do."""
    found: dict[str, tuple[str, ...]] = {}
    for voice in listen(domain, resolvers):
        if not voice.failed:
            hosts = (voice.found or {}).get("hosts", ())
            found.setdefault(OWN if voice.own else voice.who, tuple(sorted(one["host"] for one in hosts)))
    return found
