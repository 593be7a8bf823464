"""Which interfaces mail leaves from, and whether Microsoft knows their addresses: tables in, findings out."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dynamic_providers.address_spans import outside
from dynamic_providers.entries import some
from dynamic_providers.equivalents import Finding
from dynamic_providers.gateway import delivery_config, filter_text
from dynamic_providers.gateway.outbound_filter import Filter

_BY_SUBNET = "auto"
_FIX = "give every address that the gateways deliver from in inbound.senderAddresses"


def uses(default: str, sources: Mapping[str, str], filters: Iterable[Filter]) -> dict[str, list[str]]:
    """Interface, or group of them → what sends mail from there.

    Filters win over `altsrchost`, that over the default. Source: Cisco, document 118132.
    """
    found: dict[str, list[str]] = {_without_address(default): [f"`{delivery_config.TABLE}`"]}
    for source, interface in sources.items():
        found.setdefault(_without_address(interface), []).append(f"`{delivery_config.SOURCES}` {source}")
    for one in filters:
        for interface in _alternatives(one.text) if one.active else ():
            found.setdefault(interface, []).append(f"message filter «{one.name}»")
    return found


def unknown_to_microsoft(used: Mapping[str, Sequence[str]], part: Mapping[str, Any]) -> Iterator[Finding]:
    """Interfaces whose addresses are not among those that the inbound connector has."""
    known: Mapping[str, list[str]] = part["interfaces"]
    for interface, by in used.items():
        name = re.sub(r"(?<=[a-z])\s*(?=\d)", " ", interface.lower())
        for one in known if name == _BY_SUBNET else [name]:
            missing = outside(known[one], part["addresses"]) if one in known else None
            if missing is None or missing:
                shown = one.title() if one in known else interface
                yield _finding(shown, by, missing, certain=name != _BY_SUBNET)


def _finding(interface: str, by: Sequence[str], missing: Sequence[str] | None, *, certain: bool) -> Finding:
    """`missing`: its addresses that Microsoft does not know; None where the settings do not say them."""
    if missing is None:
        address = "these settings do not say which address that is"
    else:
        address = f"{some(missing)} is not in inbound.senderAddresses"
    says = (
        f"{'is' if certain else 'may be'} where mail leaves from ({some(by)}), and {address}: what is not in "
        "the inbound connector is a stranger to Microsoft 365, which filters its mail, and refuses it once "
        "lockdown is closed"
    )
    return Finding("interface", interface, says, fix=_FIX, harmful=certain)


def _alternatives(text: str) -> list[str]:
    """What the filter's action `alt-src-host` names."""
    found = filter_text.tokens(text)
    at = [n for n, (kind, word) in enumerate(found) if kind == "word" and word.lower() == "alt-src-host"]
    return [value for n in at for kind, value in found[n + 1 : n + 3] if kind == "string"]


def _without_address(interface: str) -> str:
    """Some releases print an interface's address behind its name."""
    return re.sub(r"\s*\(.*\)\s*$", "", interface).strip()
