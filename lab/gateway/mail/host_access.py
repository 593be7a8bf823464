"""The host access table at work: which sender group a connecting host is in, and how it is treated.

The table is read from the top and the first match counts (AsyncOS user guide, «Configuring Which Hosts Are
Allowed to Connect»). Reputation is not emulated: every host has the score None, as the guide's pictures show.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from lab.gateway.state import Listener, SenderGroup

CONTINUE = "CONTINUE"
REJECTS = {"REJECT", "TCPREFUSE"}
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Host:
    """Who connects: `name` is the verified reverse name, "" where there is none.

    `trouble` says why there is none: nx.domain, serv.fail or not.double.verified.
    """

    address: str
    name: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Admission:
    """What the table makes of a host.

    `group` is "" in the row ALL and for a direct entry, which appliances log as «SG None»; `matched` is the
    entry that caught the host; `policy` is "" where the row has a behaviour of its own.
    """

    group: str
    matched: str
    behaviour: str
    policy: str
    parameters: dict[str, str]

    @property
    def tls(self) -> str:
        """off, preferred or required."""
        return self.parameters.get("tls", "off")

    @property
    def shown_group(self) -> str:
        """The sender group as the appliance writes it."""
        return self.group or "None"

    def limit(self, parameter: str) -> int:
        """A numeric limit of the policy; -1 means that there is none."""
        value = self.parameters.get(parameter, "-1")
        return int(value) if re.fullmatch(r"-?\d+", value) else -1


def admit(listener: Listener, host: Host) -> Admission:
    """The first row that matches, top first; LookupError for a table without an ALL row."""
    for group in listener.groups:
        matched = _matched(group, host)
        if matched and group.behaviour != CONTINUE:
            return _admission(listener, group, matched)
    raise LookupError(f"the host access table of {listener.name} has no row for {host.address}")


def _admission(listener: Listener, group: SenderGroup, matched: str) -> Admission:
    name = "" if group.label == "ALL" else group.name
    if group.behaviour.startswith("$"):
        policy = listener.policies[group.behaviour[1:]]
        parameters = {**listener.defaults, **policy.parameters}
        return Admission(name, matched, policy.behaviour, policy.name, parameters)
    parameters = {**listener.defaults, **group.parameters}
    return Admission(name, matched, group.behaviour, "", parameters)


def _matched(group: SenderGroup, host: Host) -> str:
    """The entry of the group that fits the host, or nothing."""
    if group.label == "ALL":
        return "ALL"
    for member in group.members:
        if fits(member.address, host):
            return member.address
    if group.sbrs.lower() == "none":
        return "sbrs[none]"
    return host.trouble if host.trouble in group.host_dns else ""


def fits(entry: str, host: Host) -> bool:
    """Whether an entry means this host: an address, a range of them, a host name or `.domain`."""
    entry, name = entry.lower(), host.name.lower().rstrip(".")
    if _is_name(entry):
        return bool(name) and (name.endswith(entry) if entry.startswith(".") else name == entry)
    return in_range(entry, host.address)


def _is_name(entry: str) -> bool:
    return ":" not in entry and re.search(r"[a-z]", entry) is not None


def in_range(entry: str, address: str) -> bool:
    """Whether an address is in `1.2.3.4`, `1.2.3.0/24`, `1.2.3.4-9`, `1.2.3.4-1.2.3.9` or `1.2.3.`."""
    ip = ipaddress.ip_address(address)
    if "/" in entry:
        return ip in ipaddress.ip_network(entry, strict=False)
    first, dash, last = entry.partition("-")
    if dash:
        return _between(ip, first, last)
    try:
        return ip == ipaddress.ip_address(entry)
    except ValueError:
        return address.startswith(entry.rstrip(".") + ".")


def _between(ip: Ip, first: str, last: str) -> bool:
    """`last` may be short: its numbers then replace the end of `first`."""
    ahead, behind = first.split("."), last.split(".")
    end = ahead[: max(len(ahead) - len(behind), 0)] + behind
    low = ".".join([*ahead, *["0"] * (4 - len(ahead))])
    high = ".".join([*end, *["255"] * (4 - len(end))])
    if ip.version != 4:
        return False
    return ipaddress.IPv4Address(low) <= ip <= ipaddress.IPv4Address(high)
