"""What a gateway is configured with before anybody of ours comes: from the profile's `start`."""

from __future__ import annotations

import copy
from typing import Any

from lab.gateway.commands.filters import canonical
from lab.gateway.commands.sender_groups import add_hosts
from lab.gateway.commands.smtproutes import parse_targets
from lab.gateway.filter_check import parse
from lab.gateway.profile import Profile
from lab.gateway.state import (
    Configuration,
    Delivery,
    Destination,
    Listener,
    MessageFilter,
    Policy,
    Recipient,
    SenderGroup,
    State,
    Tls,
)

Data = dict[str, Any]


def starting_state(profile: Profile) -> State:
    """Other customers' entries, and the tables as the appliance ships them."""
    start: Data = copy.deepcopy(profile.data["start"])
    state = State(
        Configuration(
            routes={domain: parse_targets(hosts) for domain, hosts in start["routes"].items()},
            destinations={entry["domain"]: Destination(**entry) for entry in start["destinations"]},
            listeners=[_listener(listener, start) for listener in start["listeners"]],
            filters=[_filter(text) for text in start["filters"]],
            ssl={service: Tls(**tls) for service, tls in start["ssl"].items()},
            delivery=Delivery(**start.get("delivery", {})),
            interfaces=["Data 1", "Data 2", "Management"],
        )
    )
    for kind, name, command in profile.data["estate"].get("overrides", []):
        state.override((kind, name), command, state.base)
    return state


def _listener(data: Data, start: Data) -> Listener:
    shipped = start["hat"][data["kind"]]
    return Listener(
        **data,
        groups=[_group(dict(group)) for group in shipped["groups"]],
        policies={policy["name"]: Policy(**policy) for policy in shipped["policies"]},
        defaults={key: str(value) for key, value in shipped["defaults"].items()},
        recipients=[Recipient(**row) for row in start["recipients"]] if data["kind"] == "public" else [],
    )


def _group(data: Data) -> SenderGroup:
    members = data.pop("members", [])
    group = SenderGroup(**data)
    for member in members:
        address, _, comment = member.partition(" # ")
        add_hosts(group, [address], comment)
    return group


def _filter(text: str) -> MessageFilter:
    one = parse(text)[0]
    return MessageFilter(one.name, canonical(one), one.active)
