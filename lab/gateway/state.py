"""What a gateway is configured with: plain objects that can be copied, compared and later served over SMTP.

`None` in a destination control and a missing key in a mail flow policy mean «use the default».
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

Level = tuple[str, str]
"""("base", "") is the cluster's, or a standalone machine's; else ("group", name) or ("machine", host)."""

BASE: Level = ("base", "")

ATTRIBUTES = {
    "smtproutes": "routes",
    "destconfig": "destinations",
    "listenerconfig": "listeners",
    "filters": "filters",
    "sslconfig": "ssl",
    "deliveryconfig": "delivery",
    "altsrchost": "alt_sources",
    "bvconfig": "bounce_verification",
}
"""The command that configures it → the attribute of `Configuration`."""
QUARANTINES = ("Policy", "Virus", "Unclassified", "Outbreak", "File Analysis")
"""The quarantines that an appliance is shipped with."""


@dataclass
class Target:
    """One destination host of an SMTP route; priority 0 is tried first."""

    host: str
    priority: int = 0
    port: int = 25


@dataclass
class Destination:
    """Limits for delivery to one domain; the entry `DEFAULT` holds what `None` stands for."""

    domain: str
    max_host_concurrency: int | None = None
    max_messages_per_connection: int | None = None
    recipient_minutes: int | None = None
    recipient_limit: int | None = None
    limit_type: str = "host"
    limit_apply: str = "system"
    table_tls: str | None = None
    dane: str | None = None
    bounce_validation: str | None = None
    bounce_profile: str | None = None
    ip_sort_pref: str | None = None


@dataclass
class Sender:
    """A member of a sender group: an address, a range, a host name or `.domain`."""

    address: str
    comment: str = ""


@dataclass
class SenderGroup:
    """A row of the host access table; `name` is empty for a direct entry and `ALL` for the last row."""

    name: str
    behaviour: str
    members: list[Sender] = field(default_factory=list)
    comment: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    sbrs: str = ""
    dnslists: list[str] = field(default_factory=list)
    host_dns: list[str] = field(default_factory=list)
    threat_feeds: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """What the row is called where it has no name of its own."""
        return self.name or (self.members[0].address if self.members else "ALL")


@dataclass
class Policy:
    """A mail flow policy: how a connection is treated, and what differs from the listener's defaults."""

    name: str
    behaviour: str
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass
class Recipient:
    """A row of the recipient access table."""

    address: str
    action: str = "ACCEPT"
    response: str = ""
    bypass_receiving: bool = False
    bypass_ldap: bool = False
    bypass_call_ahead: bool = False


@dataclass
class Listener:
    """A listener with its host access table and, when public, its recipient access table."""

    name: str
    kind: str
    interface: str
    port: int = 25
    groups: list[SenderGroup] = field(default_factory=list)
    policies: dict[str, Policy] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    recipients: list[Recipient] = field(default_factory=list)
    ldap: str = "Off"
    """What its menu says of LDAP queries; nothing looks addresses up."""

    def group(self, name: str) -> SenderGroup:
        """The sender group of that name; LookupError where there is none."""
        for group in self.groups:
            if group.label == name:
                return group
        raise LookupError(f"There is no sender group named {name}.")

    def recipient(self, address: str) -> Recipient:
        """The recipient entry of that address, whatever its case; LookupError where there is none."""
        for entry in self.recipients:
            if entry.address.lower() == address.lower():
                return entry
        raise LookupError(f"There is no entry for {address}.")


@dataclass
class MessageFilter:
    """A message filter as the appliance keeps it: `text` parses, comments are gone."""

    name: str
    text: str
    active: bool = True


@dataclass
class Tls:
    """Method and cipher list of one service of `sslconfig`."""

    method: str
    cipher: str


@dataclass
class Delivery:
    """Which interface mail leaves from when nothing else says so."""

    interface: str = "Auto"
    possible_delivery: bool = True
    concurrency: int = 10_000
    tls_concurrency: int = 100


@dataclass
class BounceVerification:
    """How bounces are told from forged ones: tags made with a key, and what happens to bounces without."""

    key: str = ""
    previous: list[str] = field(default_factory=list)
    action: str = "reject"


@dataclass
class Configuration:
    """All tables of one level."""

    routes: dict[str, list[Target]] = field(default_factory=dict)
    destinations: dict[str, Destination] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    filters: list[MessageFilter] = field(default_factory=list)
    ssl: dict[str, Tls] = field(default_factory=dict)
    delivery: Delivery = field(default_factory=Delivery)
    alt_sources: dict[str, str] = field(default_factory=dict)
    tls_certificate: str = "Demo"
    tls_alert: bool = False
    bounce_verification: BounceVerification = field(default_factory=BounceVerification)
    interfaces: list[str] = field(default_factory=list)
    quarantines: list[str] = field(default_factory=lambda: list(QUARANTINES))

    def listener(self, name: str) -> Listener:
        """The listener of exactly that name; LookupError where there is none."""
        for listener in self.listeners:
            if listener.name == name:
                return listener
        raise LookupError(f"There is no listener named {name}.")

    def filter(self, name: str) -> MessageFilter:
        """The message filter of that name; LookupError where there is none."""
        for entry in self.filters:
            if entry.name == name:
                return entry
        raise LookupError(f"There is no filter named {name}.")


@dataclass
class Override:
    """Tables that a group or a machine has of its own; only those of `commands` count."""

    commands: set[str]
    configuration: Configuration


@dataclass
class State:
    """Everything that is committed. `version` grows with each commit."""

    base: Configuration
    overrides: dict[Level, Override] = field(default_factory=dict)
    version: int = 0

    def has(self, level: Level, command: str) -> bool:
        """Whether that level has settings of its own for that command."""
        if level == BASE:
            return True
        return level in self.overrides and command in self.overrides[level].commands

    def own(self, level: Level) -> Configuration:
        """The tables of one level, to change; KeyError where it has none of its own."""
        return self.base if level == BASE else self.overrides[level].configuration

    def override(self, level: Level, command: str, source: Configuration | None) -> None:
        """Give a group or a machine a table of its own: a copy of the source's, or an empty one."""
        if level not in self.overrides:
            self.overrides[level] = Override(set(), copy.deepcopy(self.base))
        self.overrides[level].commands.add(command)
        attribute = ATTRIBUTES[command]
        empty = Configuration(
            listeners=self.base.listeners,
            ssl=self.base.ssl,
            destinations={"DEFAULT": self.base.destinations["DEFAULT"]},
        )
        table = copy.deepcopy(getattr(source or empty, attribute))
        setattr(self.overrides[level].configuration, attribute, table)

    def effective(self, host: str, group: str = "") -> Configuration:
        """What a machine (with no host: a group) works with: its own tables, its group's, the cluster's."""
        result = copy.copy(self.base)
        for level in (("group", group), ("machine", host)):
            if level not in self.overrides:
                continue
            own = self.overrides[level]
            for attribute in (ATTRIBUTES[command] for command in own.commands):
                setattr(result, attribute, getattr(own.configuration, attribute))
        return result
