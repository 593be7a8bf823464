"""Mistakes in stack files of a shared gateway: what belongs into its own, and what into a tenant's."""

from collections.abc import Iterator, Mapping

from components.mistakes import Mistake
from components.raw_values import Environment, Values, at, listed_at
from dynamic_providers.equivalents import kind_of

OF_THE_GATEWAY = ("senderGroup", "mailFlowPolicy")
"""Keys of `takeOver` for what a shared gateway's own stack makes."""

NAMES = (*OF_THE_GATEWAY, "filter")
"""Keys of `names` that it knows; the filter's, since it looks for tenants' secrets there before it goes."""

_GROUP = "sender group"


def find(values: Values, _environment: Environment) -> Iterator[Mistake]:
    """All of them, for both kinds of stack."""
    if at(values, "kind") == "gateway":
        yield from _in_the_gateways_own(values)
    elif at(values, "gateway", "shared") is True:
        yield from _in_a_tenants(values)


def _in_the_gateways_own(values: Values) -> Iterator[Mistake]:
    names = at(values, "names")
    for key in names if isinstance(names, Mapping) else ():
        if key not in NAMES:
            yield Mistake(
                ("names", str(key)), f"is a tenant's: the gateway's own stack knows {', '.join(NAMES)}"
            )
    for index, entry in enumerate(listed_at(values, "leave")):
        if isinstance(entry, str) and kind_of(entry) not in ("", _GROUP):
            yield Mistake(("leave", index), f"is a tenant's: the gateway's own stack only leaves a {_GROUP}")


def _in_a_tenants(values: Values) -> Iterator[Mistake]:
    elsewhere = "while gateway.shared is true: say it in the gateway's own stack, of kind gateway"
    if at(values, "outbound", "ciphers") == "set":
        yield Mistake(("outbound", "ciphers"), f"is set, which is not this stack's to do {elsewhere}")
    if at(values, "outbound", "mismatch") == "quarantine":
        yield Mistake(
            ("outbound", "mismatch"),
            "is quarantine, which all tenants of a shared gateway would get, since the filter is theirs as"
            " well: leave it out while gateway.shared is true",
        )
    for index, key in enumerate(listed_at(values, "takeOver")):
        if key in OF_THE_GATEWAY:
            yield Mistake(("takeOver", index), f"is not this stack's to take over {elsewhere}")
    for index, entry in enumerate(listed_at(values, "leave")):
        if isinstance(entry, str) and kind_of(entry) == _GROUP:
            yield Mistake(("leave", index), f"is not this stack's to leave {elsewhere}")
