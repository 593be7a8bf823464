"""The sender group by which the outbound listener knows Microsoft 365.

Row h. Guide: «Configurar LISTA DE RETRANSMISSÃO no Cisco Secure Email Gateway».
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import pulumi
from pydantic import AfterValidator, Field

from dynamic_providers.entries import RAW, Entries, Entry, Place, Props
from dynamic_providers.field_types import GatewayText, GroupName, Label, Listener, PolicyName
from dynamic_providers.gateway import hat, listeners
from dynamic_providers.gateway.hat import Group, Hat
from dynamic_providers.gateway.script import Ask, Flag, Pick, Script, Step
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.ssh import GatewayError
from dynamic_providers.gateway.tables import SENDER_GROUP, GatewayProvider
from dynamic_providers.gateway.transaction import Gateway
from dynamic_providers.managed_resource import ManagedResource, ObjectProvider
from dynamic_providers.model import Model
from dynamic_providers.neighbours import place_among

TABLE = "listenerconfig:hostaccess"


class PolicyMissingError(GatewayError):
    """There is no mail flow policy of that name on the listener."""


# --- model --------------------------------------------------------------------------------------------------


def _sender(text: str) -> str:
    """A host, a domain with a leading dot (its hosts), or an address."""
    if not re.fullmatch(r"\.?[A-Za-z0-9](?:[A-Za-z0-9.:/-]*[A-Za-z0-9])?", text):
        raise ValueError("is no sender: a host name, a domain with a leading dot, or an address")
    return text.lower()


class Sender(Model):
    """Who belongs to the group.

    The leading dot of a domain matters: without it only that one name matches.
    """

    host: Annotated[str, AfterValidator(_sender)]
    comment: GatewayText | None = None


def _in_order(senders: tuple[Sender, ...]) -> tuple[Sender, ...]:
    return tuple(sorted(senders, key=lambda one: one.host))


class SenderGroupInputs(Model):
    """One sender group of one listener. The first group from the top that matches counts, hence `order`."""

    gateway: Label
    listener: Listener
    name: GroupName
    policy: PolicyName
    senders: Annotated[tuple[Sender, ...], AfterValidator(_in_order)] = Field(min_length=1)
    comment: GatewayText | None = None
    order: Annotated[int, Field(strict=True, ge=1)] = 1
    other: dict[str, str] = Field(default_factory=dict)


# --- parser -------------------------------------------------------------------------------------------------

_CONDITION = re.compile(r"^(?:sbrs|sbo|dnslist|geo|etf|host_dns|dns)\b.*[\[:]", re.IGNORECASE)


def entry_of(group: Group, order: int) -> Entry:
    """A sender group in normal form: whatever is in use beside policy, comment and senders is `other`."""
    entry: Entry = {
        "policy": group.behaviour.removeprefix("$"),
        "order": order,
        "other": dict(group.parameters),
    }
    if not group.behaviour.startswith("$"):
        entry["other"]["access rule"] = group.behaviour
    senders = []
    for host, comment in group.members:
        if _CONDITION.match(host):
            entry["other"][host] = comment or "in use"
        else:
            senders.append({"host": host.lower(), **({"comment": comment} if comment else {})})
    entry["senders"] = sorted(senders, key=lambda one: one["host"])
    if group.comment:
        entry["comment"] = group.comment
    return entry


# --- dialogue -----------------------------------------------------------------------------------------------

_PAGE = "set up the group on the page Mail Policies > HAT Overview, and report the release (`version`)"
_WHICH_GROUP = (
    r"sender group.*(?:name|number|edit|delete|remove|move|modify|change)|(?:name|number).*sender group"
)


def read_script(listener: str) -> Script:
    """The dialogue that prints the host access table."""
    return listeners.script(listener, "HOSTACCESS", (Step("PRINT"),), "reading the host access table")


def _behaviour(entry: Entry) -> Pick:
    policy = re.escape(str(entry["policy"]))
    rule = entry.get("other", {}).get("access rule")
    if rule:
        return Pick(re.escape(str(rule)).replace("TCPREFUSE", r"TCP ?Refuse"))
    return Pick(rf"policy:\s*\$?{policy}\b.*", rf"\$?{policy}(?: policy)?")


def _hosts_by_comment(entry: Entry) -> dict[str, list[str]]:
    """Senders by their comment, since one is asked for all that are added at once; conditions have none."""
    found: dict[str, list[str]] = {}
    for one in entry["senders"]:
        found.setdefault(str(one.get("comment", "")), []).append(str(one["host"]))
    conditions = [name for name in entry.get("other", {}) if _CONDITION.match(name)]
    if conditions or not found:
        found.setdefault("", []).extend(conditions)
    return found


def _senders(hosts: list[str], comment: str) -> tuple[Ask, ...]:
    return (
        Ask(
            r"comment.*\b(?:host|sender)s?\b(?! group)|\b(?:host|sender)(?! group)\b.*comment",
            comment,
            again=True,
        ),
        Ask(
            r"\bhosts?\b.*\badd|\bsenders?\b.*\badd|\badd\b.*\b(?:hosts?|senders?)\b|enter the hosts",
            ", ".join(hosts),
            must=_PAGE,
        ),
    )


def _new(name: str, entry: Entry) -> tuple[Step, ...]:
    """Make the group with the senders of one comment, then add those of the others in its own menu."""
    [(comment, hosts), *more] = _hosts_by_comment(entry).items()
    about_senders, which_senders = _senders(hosts, comment)
    made = Step(
        "NEW",
        (
            Ask("", Pick(r"(?:new )?sender group\b.*")),
            about_senders,
            Ask(r"comment", str(entry.get("comment", ""))),
            Ask(r"behaviou?r|access rule|policy", _behaviour(entry), must=_PAGE),
            Ask(r"\bname\b.*\bgroup\b|\bgroup\b.*\bname\b", name, must=_PAGE),
            Ask(r"\bchange\b|\bmodify\b|\bedit\b|\bconfigure\b", Flag(wanted=False)),
            Ask(
                r"SBRS|reputation|threat feed|DNS list|DNS verification|geolocation|countr",
                Flag(wanted=False),
            ),
            which_senders,
        ),
        menu=listeners.HAT_MENU,
    )
    open_it = Step(
        "EDIT",
        (Ask("", Pick(r"(?:edit )?sender group\b.*")), Ask(_WHICH_GROUP, name, must=_PAGE)),
        menu=listeners.HAT_MENU,
    )
    added = (Step("NEW", _senders(hosts, comment), menu=listeners.GROUP_MENU) for comment, hosts in more)
    return (made, open_it, *added) if more else (made,)


def _delete(name: str) -> Step:
    return Step(
        "DELETE",
        (
            Ask(r"\bsure\b|confirm", Flag(wanted=True)),
            Ask("", Pick(r"(?:delete )?sender group\b.*")),
            Ask(_WHICH_GROUP, name, must=_PAGE),
        ),
        menu=listeners.HAT_MENU,
    )


def _move(name: str, order: int, now: int | None) -> Step:
    """Move the group.

    Some releases ask for the new position, others for the group that it is to stand before.
    """
    before = order + 1 if now is not None and now < order else order
    return Step(
        "MOVE",
        (
            Ask(r"\bbefore\b", str(before)),
            Ask(r"\bposition\b|\btarget\b|\bwhere\b|\border\b", str(order)),
            Ask(r"\bmove\b", name, must=_PAGE),
        ),
        menu=listeners.HAT_MENU,
    )


def write_script(listener: str, name: str, entry: Entry | None, there: Entry | None) -> Script:
    """The dialogue that makes the group so.

    One that differs in more than its place is made anew, in the same commit.
    """
    steps: list[Step] = []
    only_moved = entry and there and _without_order(entry) == _without_order(there)
    if there is not None and not only_moved:
        steps.append(_delete(name))
    if entry is not None and not only_moved:
        steps += _new(name, entry)
    if entry is not None:
        now = int(there["order"]) if only_moved and there else None  # a new group comes last, before ALL
        steps.append(_move(name, int(entry["order"]), now))
    return listeners.script(listener, "HOSTACCESS", tuple(steps), f"writing the sender group {name}")


def _without_order(entry: Entry) -> Entry:
    return {key: value for key, value in entry.items() if key not in ("order", RAW)}


# --- provider -----------------------------------------------------------------------------------------------


def read_hat(gateway: Gateway, listener: str) -> Hat:
    """The host access table of a listener; read once for groups and policies."""

    def read(session: Session) -> Hat:
        script = read_script(listener)
        return hat.parse(listeners.about(session, listener, lambda: session.run(script))[-1], session.name)

    return gateway.read(f"{TABLE}:{listener}", read)


def refuse_missing_policy(table: Hat, policy: str, listener: str, where: str) -> None:
    """Raise unless the listener has this policy."""
    if policy not in table.policies:
        raise PolicyMissingError(
            f"listener «{listener}» has no mail flow policy «{policy}»; it has: "
            f"{', '.join(table.policies) or 'none'}",
            where=where,
            fix="correct names.mailFlowPolicy, or make the policy first",
        )


class SenderGroupProvider(GatewayProvider, ObjectProvider):
    """Owns one sender group."""

    label = "sender group"
    model = SenderGroupInputs
    identity = ("gateway", "listener", "name")
    take_over_key = "senderGroup"
    relative = frozenset({"order"})
    table_order = SENDER_GROUP

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        groups = read_hat(self._gateway(place), str(place["listener"])).groups
        order = {name: number for number, name in enumerate((name for name in groups), 1)}
        return {
            key: entry_of(groups[key], order[key]) for key in keys if key in groups and not groups[key].direct
        }

    def recorded(self, place: Place, keys: Iterable[str]) -> Entries:
        """With its neighbours, among which it is put back: a number says little once others came or went."""
        names = list(read_hat(self._gateway(place), str(place["listener"])).groups)
        return {
            key: {**entry, RAW: {"above": names[: names.index(key)], "below": names[names.index(key) + 1 :]}}
            for key, entry in self.live(place, keys).items()
        }

    def fitted(self, place: Place, key: str, record: Entry) -> Entry:
        names = list(read_hat(self._gateway(place), str(place["listener"])).groups)
        others = [name for name in names if name != key]
        now = names.index(key) if key in names else None
        at = place_among(others, record[RAW]["above"], record[RAW]["below"], now=now)
        return {**record, "order": at + 1}

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        listener = str(place["listener"])
        gateway = self._gateway(place)
        table = read_hat(gateway, listener)
        scripts = []
        for name, entry in changes.items():
            if entry is not None and "access rule" not in entry.get("other", {}):
                refuse_missing_policy(table, str(entry["policy"]), listener, gateway.name)
            scripts.append(write_script(listener, name, entry, live.get(name)))

        def stage(session: Session) -> None:
            for script in scripts:
                listeners.about(session, listener, lambda script=script: session.run(script))  # type: ignore[misc]

        self._change(place, f"{TABLE}:{listener}", stage, changes, context)

    def equal(self, attribute: str, theirs: Any, ours: Any) -> bool:
        """A sender's comment that is not there counts as right: not every release keeps one."""
        if attribute == "senders" and isinstance(theirs, list) and isinstance(ours, list):
            return [_sender_of(one) for one in theirs] == [_sender_of(one) for one in ours] and all(
                a.get("comment", b.get("comment")) == b.get("comment", a.get("comment"))
                for a, b in zip(theirs, ours, strict=True)
            )
        return super().equal(attribute, theirs, ours)


def _sender_of(sender: Mapping[str, Any]) -> str:
    return str(sender["host"])


# --- resource -----------------------------------------------------------------------------------------------


class SenderGroup(ManagedResource, module="gateway", name="SenderGroup"):
    """A sender group: listener, name, policy, senders [{host, comment}], comment, order."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(SenderGroupProvider(), name, props, opts)
