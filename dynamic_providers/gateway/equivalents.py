"""What is on the gateway under another name, and does what ours is to do or stands in its way. Looks only.

Sender groups that take Microsoft's connections, message filters about our header, interfaces that mail leaves
from though Microsoft does not know their address.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pulumi

from dynamic_providers import report
from dynamic_providers.address_spans import overlapping, span
from dynamic_providers.clouds import SENDERS
from dynamic_providers.entries import Props, some
from dynamic_providers.equivalents import GATEWAY_KINDS, EquivalentsProvider, Finding, LeftAlone
from dynamic_providers.field_types import FilterName, GroupName, HeaderName, Label, Listener, SenderAddress
from dynamic_providers.gateway import bounce_verification, delivery_config, filter_text, transaction
from dynamic_providers.gateway.dialogue import DialogueError
from dynamic_providers.gateway.hat import Group, Hat
from dynamic_providers.gateway.outbound_filter import Filter, read_all
from dynamic_providers.gateway.sender_group import read_hat
from dynamic_providers.gateway.sending_interfaces import unknown_to_microsoft, uses
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.transaction import Gateway
from dynamic_providers.model import Model
from dynamic_providers.observing import Observable

MICROSOFT_NETWORKS: Final = ("40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "104.47.0.0/17")
"""Their addresses, worldwide. Source: Microsoft Learn, Microsoft 365 URLs and IP address ranges, Exchange."""

# --- model --------------------------------------------------------------------------------------------------


class OurGroup(Model):
    """The sender group that we make, and its listener."""

    listener: Listener
    name: GroupName


class OurFilter(Model):
    """The message filter that we make, the group that it tests, and the header."""

    name: FilterName
    group: GroupName
    header: HeaderName


class Delivery(Model):
    """Addresses of the members' interfaces, `data 1` and `data 2`, and those that Microsoft knows."""

    interfaces: dict[str, tuple[SenderAddress, ...]]
    addresses: tuple[SenderAddress, ...]


class GatewayEquivalentsInputs(Model):
    """What we are to set up; a part that is not set is not."""

    gateway: Label
    sender_group: OurGroup | None = None
    filter: OurFilter | None = None
    delivery: Delivery | None = None
    leave: tuple[LeftAlone, ...] = ()


# --- sender groups ------------------------------------------------------------------------------------------


def takes_microsoft(host: str) -> bool:
    """Whether an entry of a sender group is for Microsoft's hosts: names, wider or narrower, or addresses."""
    entry = host.lower()
    if span(entry) is not None:
        return bool(overlapping([entry], MICROSOFT_NETWORKS))
    wider = entry.startswith(".") and any(one.endswith(entry) for one in SENDERS)
    return wider or entry.endswith(SENDERS)


def sender_groups(table: Hat, listener: str, ours: Collection[str]) -> Iterator[Finding]:
    """Others' groups that take Microsoft's connections; the first from the top that matches counts."""
    names = list(table.groups)
    first = next((at for at, name in enumerate(names) if name in ours), None)
    for at, (name, group) in enumerate(table.groups.items()):
        taken = [host for host in _members(name, group) if takes_microsoft(host)]
        if not taken or name in ours or group.behaviour == "CONTINUE":
            continue
        says = f"on the listener {listener} is for connections from Microsoft 365, too ({some(taken)})"
        if first is None:
            says += (
                "; ours would come first, so mail that goes through it now would meet our filter, "
                "which drops what lacks our secret"
            )
        elif at < first:
            says += f"; it stands above «{names[first]}», which never gets them, and so does our filter"
        else:
            says += f"; it stands below «{names[first]}», so it never gets them"
        harmful = first is None or at < first
        yield Finding("sender group", name, says, "" if group.direct else "senderGroup", harmful=harmful)


def _members(name: str, group: Group) -> list[str]:
    return [name] if group.direct else [host for host, _ in group.members]


# --- message filters ----------------------------------------------------------------------------------------


def message_filters(
    listed: Sequence[Filter], part: Mapping[str, str], ours: Collection[str]
) -> Iterator[Finding]:
    """Others' filters that work on our header, and, where ours is new, the one that it is put above."""
    names = {name.lower() for name in ours}
    others = [one for one in listed if one.active and one.valid and one.name.lower() not in names]
    rivals = [one for one in others if names_header(one.text, part["header"])]
    yield from (_rival(one, part) for one in rivals)
    if any(one.name.lower() in names for one in listed):
        return
    ending = (one for one in others if one not in rivals and filter_text.ends_processing(one.text))
    for one in list(ending)[:1]:
        says = f"ends the processing of filters, so «{part['name']}» is put above it"
        yield Finding("message filter", one.name, says, harmful=False)


def _rival(one: Filter, part: Mapping[str, str]) -> Finding:
    header, shape = part["header"], filter_text.recognise(one.text)
    if shape is None:
        says = f"works on the header {header}, by which our filter knows this tenant's mail"
        return Finding("message filter", one.name, f"{says}: one may undo the other", "filter")
    says = f"checks the header {header} of mail of the sender group «{shape.group}»"
    if shape.group == part["group"] or (not shape.anchored and shape.group in part["group"]):
        return Finding("message filter", one.name, f"{says}, too, and drops what lacks its secret", "filter")
    return Finding(
        "message filter", one.name, f"{says}; ours that of «{part['group']}»", "filter", harmful=False
    )


def names_header(text: str, header: str) -> bool:
    """Whether a filter tests, sets or strips this header."""
    return any(kind == "string" and text.lower() == header.lower() for kind, text in filter_text.tokens(text))


# --- provider -----------------------------------------------------------------------------------------------


class GatewayEquivalentsProvider(EquivalentsProvider):
    """Reads the tables that others read anyhow, and the two that say where mail leaves from."""

    model = GatewayEquivalentsInputs
    identity = ("gateway",)
    kinds = GATEWAY_KINDS
    parts = ("senderGroup", "filter", "delivery")

    def found(self, inputs: Props, new: Collection[str], known: Props) -> Iterable[Finding]:
        parts = {name: inputs[name] for name in new}
        return joined(transaction.on_each(lambda: list(_here(parts, known))))


def joined(each: Mapping[str, Sequence[Finding]]) -> Iterator[Finding]:
    """What was found on several gateways: once where it is on all of them, else with the names of those."""
    for one in dict.fromkeys(finding for findings in each.values() for finding in findings):
        hosts = [host for host, findings in each.items() if one in findings]
        yield one if len(hosts) == len(each) else replace(one, says=f"(on {', '.join(hosts)}) {one.says}")


def _here(parts: Mapping[str, Props], known: Props) -> Iterator[Finding]:
    """On the gateway that this thread works on."""
    gateway = transaction.gateway()
    if part := parts.get("senderGroup"):
        listener, ours = str(part["listener"]), _named(part, known.get("senderGroup"))
        yield from sender_groups(read_hat(gateway, listener), listener, ours)
    if part := parts.get("filter"):
        yield from message_filters(read_all(gateway), part, _named(part, known.get("filter")))
        _warn_of_tags(gateway)
    if part := parts.get("delivery"):
        yield from unknown_to_microsoft(_used(gateway), part)


def _named(part: Props, before: Props | None) -> set[str]:
    return {str(one["name"]) for one in (part, before) if one}


def _warn_of_tags(gateway: Gateway) -> None:
    """Bounce verification changes the senders of what goes out. Not every release or role shows it."""
    try:
        for line in bounce_verification.warnings(gateway):
            report.warning(f"{gateway.name}: {line}")
    except DialogueError as error:
        report.info(f"{gateway.name}: whether bounce verification is in use could not be read: {error}")


def _used(gateway: Gateway) -> dict[str, list[str]]:
    settings = _read(gateway, delivery_config.TABLE, delivery_config.read)
    sources = _read(gateway, delivery_config.SOURCES, delivery_config.read_sources)
    return uses(settings.get(delivery_config.DEFAULT, "Auto"), sources, read_all(gateway))


def _read(gateway: Gateway, table: str, reader: Callable[[Session], dict[str, str]]) -> dict[str, str]:
    """What it says. Not every role may look, and nothing is built on it: then somebody compares by hand."""
    try:
        return gateway.read(table, reader)
    except DialogueError as error:
        report.warning(
            f"which interface mail leaves from could not be read: {error}. Compare `{table}` with "
            "inbound.senderAddresses by hand"
        )
        return {}


# --- resource -----------------------------------------------------------------------------------------------


class GatewayEquivalents(Observable, module="gateway", name="Equivalents"):
    """Looks for others' objects beside ours: gateway, senderGroup, filter, delivery; leave."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(GatewayEquivalentsProvider(), name, dict(props), opts)
