"""Sender groups of a listener's host access table: made, changed, renamed, moved, removed."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lab.gateway.commands.hat_format import render_group
from lab.gateway.commands.mail_flow_policies import DIRECT, WITH_PARAMETERS, ask_parameters
from lab.gateway.dialogue import DOMAIN, KINDS, Disliked, address
from lab.gateway.menus import run_menu
from lab.gateway.state import Configuration, Sender, SenderGroup

if TYPE_CHECKING:
    from lab.gateway.session import Session

ALL = "ALL"
HOST_DNS = ("nx.domain", "serv.fail", "not.double.verified")
OCTETS = r"\d{1,3}(\.\d{1,3}){0,3}"
RANGE = re.compile(
    rf"{OCTETS}\.?|{OCTETS}(\.\d{{1,3}})?-{OCTETS}|{OCTETS}/\d{{1,2}}|[0-9a-f:]+(/\d{{1,3}})?", re.IGNORECASE
)
SPECIAL = re.compile(r"(sbrs|dnslist|etf)\[([^\]]+)\]", re.IGNORECASE)


def split_hosts(text: str) -> list[str]:
    """Senders as typed, separated by commas; Disliked where one is none."""
    hosts = [host for host in re.split(r"[,\s]+", text) if host]
    for host in hosts:
        special = host.lower() in HOST_DNS or SPECIAL.fullmatch(host) is not None
        if not special and not address(host) and not RANGE.fullmatch(host) and not DOMAIN.fullmatch(host):
            raise Disliked(f"{host} is not a valid sender: an address, a range, a host name or .domain.")
    return hosts


def _checked_hosts(text: str) -> str:
    split_hosts(text)
    return text


def add_hosts(group: SenderGroup, hosts: list[str], comment: str = "") -> None:
    """Add senders to a group; those that it has already are left as they are."""
    for host in hosts:
        special = SPECIAL.fullmatch(host)
        if special and special[1].lower() == "sbrs":
            group.sbrs = special[2]
        elif special:
            feeds = group.dnslists if special[1].lower() == "dnslist" else group.threat_feeds
            feeds.append(special[2])
        elif host.lower() in HOST_DNS:
            group.host_dns.append(host.lower())
        elif all(member.address.lower() != host.lower() for member in group.members):
            group.members.append(Sender(host.lower(), comment))


def remove_host(group: SenderGroup, host: str) -> None:
    """Remove a sender, or an extra as it is printed; Disliked where the group has none such."""
    special = SPECIAL.fullmatch(host)
    if special and special[1].lower() == "sbrs" and group.sbrs == special[2]:
        group.sbrs = ""
        return
    for feeds in (group.dnslists, group.threat_feeds):
        if special and special[2] in feeds:
            feeds.remove(special[2])
            return
    if host.lower() in group.host_dns:
        group.host_dns.remove(host.lower())
        return
    for member in group.members:
        if member.address.lower() == host.lower():
            group.members.remove(member)
            return
    raise Disliked(f"{host} is not in this sender group.")


class SenderGroups:
    """The groups of one listener, at the command line."""

    def __init__(self, session: Session, listener: str) -> None:
        self.session = session
        self.listener = listener
        self.table = f"hostaccess:{listener}"
        self._editing = ""

    @property
    def rows(self) -> list[SenderGroup]:
        """The rows of the table, top first, ALL last."""
        return self.session.tables.listener(self.listener).groups

    @property
    def names(self) -> list[str]:
        """What the rows are called."""
        return [group.label for group in self.rows]

    def _behaviours(self) -> list[tuple[str, str]]:
        policies = self.session.tables.listener(self.listener).policies
        named = [(f"${name}", f"Policy: {name}") for name in sorted(policies)]
        return [*named, *DIRECT] if self.session.gateway.policies_first else [*DIRECT, *named]

    def change(self, name: str, what: str, act: Callable[[SenderGroup], None]) -> None:
        """Change one group, found by its name."""

        def mutate(tables: Configuration) -> None:
            act(tables.listener(self.listener).group(name))

        self.session.write(self.table, name, what, mutate)

    async def new(self) -> None:
        """NEW → New Sender Group."""
        answers, parameters = await self._ask_behaviour(
            "group.new", {}, checks={"name": self._unused, "hosts": _checked_hosts}
        )
        hosts = split_hosts(answers["hosts"])
        for members in [hosts] if answers["name"] else [[host] for host in hosts]:
            group = SenderGroup(
                answers["name"],
                answers["behaviour"],
                comment=answers.get("comment", ""),
                parameters=parameters,
            )
            add_hosts(group, members, answers.get("sender_comment", ""))
            self._insert(group)

    def _unused(self, name: str) -> str:
        if name and name in self.names:
            raise Disliked(self.session.profile.text("group_exists", name=name))
        return KINDS["name"](name) if name else name

    async def _ask_behaviour(
        self, dialogue: str, own: dict[str, str], **arguments: object
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Run a dialogue that asks for a behaviour; its parameters are asked at once if wanted."""
        listener = self.session.tables.listener(self.listener)
        parameters = [own]

        async def change(answers: Mapping[str, str]) -> None:
            if answers["change"] == "yes" and answers["behaviour"] in WITH_PARAMETERS:
                parameters[0], _ = await ask_parameters(
                    self.session, "policy.default", own, listener.defaults
                )

        answers = await self.session.ask(
            dialogue, choices={"behaviour": self._behaviours()}, after={"change": change}, **arguments
        )
        return answers, parameters[0] if answers["behaviour"] in WITH_PARAMETERS else {}

    def _insert(self, group: SenderGroup) -> None:
        first = self.session.gateway.new_group_lands == "first"

        def mutate(tables: Configuration) -> None:
            rows = tables.listener(self.listener).groups
            rows.insert(0 if first else len(rows) - 1, copy.deepcopy(group))

        self.session.write(self.table, group.label, "added", mutate)

    async def edit(self, name: str, words: list[str]) -> None:
        """EDIT → Edit Sender Group: the menu of one group."""
        self._editing = name
        handlers = {
            "NEW": self._add,
            "DELETE": self._remove,
            "POLICY": self._policy,
            "PRINT": self._print,
            "RENAME": self._rename,
        }
        await run_menu(self.session, "group", handlers, words)

    @property
    def _edited(self) -> SenderGroup:
        return self.session.tables.listener(self.listener).group(self._editing)

    async def _add(self, session: Session, words: list[str]) -> None:
        if words:
            hosts, comment = split_hosts(" ".join(words)), ""
        else:
            answers = await session.ask("group.add", checks={"hosts": _checked_hosts})
            hosts, comment = split_hosts(answers["hosts"]), answers.get("sender_comment", "")
        self.change(self._editing, "changed", lambda group: add_hosts(group, hosts, comment))

    async def _remove(self, session: Session, words: list[str]) -> None:
        group = self._edited

        def there(host: str) -> str:
            remove_host(copy.deepcopy(group), host)
            return host

        host = there(words[0]) if words else ""
        if not host:
            host = (await session.ask("group.remove", checks={"host": there}))["host"]
        self.change(self._editing, "changed", lambda group: remove_host(group, host))

    async def _policy(self, session: Session, words: list[str]) -> None:  # noqa: ARG002 - a verb's signature
        group = self._edited
        defaults = {"behaviour": group.behaviour, "comment": group.comment}
        answers, parameters = await self._ask_behaviour("group.policy", group.parameters, defaults=defaults)
        comment = answers.get("comment", group.comment)

        def act(group: SenderGroup) -> None:
            group.behaviour = answers["behaviour"]
            group.parameters = dict(parameters)
            group.comment = "" if comment == "-" else comment

        self.change(self._editing, "changed", act)

    async def _print(self, session: Session, words: list[str]) -> None:  # noqa: ARG002 - a verb's signature
        session.read(self.table)
        form = session.profile.setting("formats.hostaccess")
        await session.console.say("\n" + "\n".join(render_group(self._edited, form)))

    async def _rename(self, session: Session, words: list[str]) -> None:  # noqa: ARG002 - a verb's signature
        if self._editing == ALL:
            raise Disliked(session.profile.text("group_all_stays"))

        name = (await session.ask("group.rename", checks={"name": self._unused}))["name"]
        self.change(self._editing, f"renamed to {name}", lambda group: setattr(group, "name", name))
        self._editing = name

    def delete(self, name: str) -> None:
        """Remove a group."""
        if name == ALL:
            raise Disliked(self.session.profile.text("group_all_stays"))

        def mutate(tables: Configuration) -> None:
            listener = tables.listener(self.listener)
            listener.groups.remove(listener.group(name))

        self.session.write(self.table, name, "removed", mutate)

    def move(self, name: str, before: int) -> None:
        """Move a group before the one that has that number now, counted from 1."""
        if name == ALL:
            raise Disliked(self.session.profile.text("group_all_stays"))

        def mutate(tables: Configuration) -> None:
            listener = tables.listener(self.listener)
            group = listener.group(name)
            anchor = listener.groups[min(before, len(listener.groups)) - 1]
            if anchor is not group:
                listener.groups.remove(group)
                listener.groups.insert(listener.groups.index(anchor), group)

        self.session.write(self.table, name, "moved", mutate)
