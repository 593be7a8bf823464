"""Which address of the welcome letter belongs to which interface of which gateway."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from components.raw_values import normal
from dynamic_providers import addresses

_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?(?![\w/]|\.\w)")
_INTERFACE = re.compile(r"\b(?:data|dados)[ \t_-]*([12])\b", re.IGNORECASE)
_DIRECTION = re.compile(r"\b(?:(inbound|incoming|entrada)|outbound|outgoing|sa[ií]da)\b", re.IGNORECASE)
_ABOUT_ADDRESSES = re.compile(r"\bIPs?\b|\baddress(?:es)?\b|\bendere[cç]os?\b", re.IGNORECASE)
_NUMBER = re.compile(r"\b(?:gateway|appliance|esa)[ \t#_-]{0,2}(\d{1,2})\b(?!\.\d)", re.IGNORECASE)
_NOT_MAIL = re.compile(r"\b(?:sma\d*|manager|management|quarantine|gerenciador|ssh|jump)\b", re.IGNORECASE)
_CLAUSE = re.compile(r";|(?<=\w)\)?\.(?=\s|$)|,?\s+(?:and|e|y)\s+")
_IN_NUMBER = re.compile(r"(\d+)$")


@dataclass(frozen=True)
class LetterGateway:
    """One gateway, as far as the letter tells."""

    host: str = ""
    data1: str = ""
    data2: str = ""


@dataclass
class _Slot:
    """What was said of one gateway: its name, and interface → addresses."""

    host: str = ""
    said: dict[int, list[str]] = field(default_factory=dict)

    def only(self, interface: int) -> str:
        """The address of an interface; «» where there is none, or more than one."""
        found = self.said.get(interface, [])
        return found[0] if len(found) == 1 else ""


class Gateways:
    """Goes through the lines. What a line does not say itself is said by the headings above it."""

    def __init__(self) -> None:
        self._slots: dict[int, _Slot] = {}
        self._unused: list[str] = []
        self._named = 0  # the gateway that was named last
        self._block = 0  # the gateway that the lines are about; none within a list of gateways
        self._filled = True  # whether something was said about the one that was named last
        self._columns: tuple[int, ...] = ()  # interfaces that headings named
        self._run: list[str] = []  # addresses under them, each on a line of its own
        self._rows = 0  # of them, since the heading

    def take(self, line: str, hosts: Sequence[str]) -> None:
        """One line, and the gateways' host names in it."""
        found = _ADDRESS.findall(line)
        for host in hosts:
            self._slot(self._number_of(line, host)).host = host
        own = self._whose(line)
        if _NOT_MAIL.search(line):
            self._end_run()
            self._columns, self._block, self._named, self._filled = (), 0, 0, True
            return
        if not line.strip() or (len(found) == 1 and not own and not interfaces(line)):
            self._run += found
            return
        self._end_run()
        if len(own) == 1:
            self._begin(next(iter(own)))
        if found:
            self._take_addresses(line, found)
        else:
            self._take_heading(line, named=bool(own))

    def found(self) -> tuple[LetterGateway, ...]:
        """The gateways, in the order of their numbers."""
        self._end_run()
        slots = [self._slots[number] for number in sorted(self._slots)]
        return tuple(LetterGateway(one.host, one.only(1), one.only(2)) for one in slots)

    def notes(self) -> Iterator[str]:
        """What cannot be used, and why."""
        for number, slot in sorted(self._slots.items()):
            for interface, said in sorted(slot.said.items()):
                if len(said) > 1:
                    whose = f"data {interface} of gateway {number}"
                    yield f"it gives several addresses for {whose}: {', '.join(said)}"
        if self._unused:
            listed = ", ".join(dict.fromkeys(self._unused))
            yield f"it does not say of which interface of which gateway these addresses are: {listed}"

    # --- gateways -------------------------------------------------------------------------------------------

    def _begin(self, number: int) -> None:
        """A gateway is named. Where the one before it got nothing, this is a list of gateways, no block."""
        if number != self._named:
            self._block = number if self._filled else 0
            self._named, self._filled = number, False

    def _number_of(self, line: str, host: str) -> int:
        """The number of the gateway with this name: as the line has it, as the name ends, or the next one."""
        known = next((number for number, slot in self._slots.items() if slot.host == host), 0)
        said = {int(one) for one in _NUMBER.findall(line)}
        ending = _IN_NUMBER.search(host.split(".", maxsplit=1)[0])
        own = next(iter(said)) if len(said) == 1 else int(ending[1]) if ending else 0
        taken = own in self._slots and self._slots[own].host not in ("", host)
        return known or (own if own and not taken else max(self._slots, default=0) + 1)

    def _whose(self, text: str) -> set[int]:
        """The gateways that a text names."""
        low = text.lower()
        hosts = {number for number, slot in self._slots.items() if slot.host and slot.host in low}
        return hosts or {int(one) for one in _NUMBER.findall(text)}

    def _slot(self, number: int) -> _Slot:
        return self._slots.setdefault(number, _Slot())

    # --- addresses ------------------------------------------------------------------------------------------

    def _take_heading(self, line: str, *, named: bool) -> None:
        """A line without addresses: it may name what is under it."""
        here = interfaces(line)
        if here and self._columns and not self._rows and not {*here} & {*self._columns}:
            self._columns += here  # the cells of a table's head, each on a line of its own
        elif here:
            self._columns, self._rows = here, 0
        elif not named and line.rstrip().endswith(":"):
            self._columns = ()

    def _take_addresses(self, line: str, found: list[str]) -> None:
        """By the clause that an address stands in; a row of a table by its columns."""
        if not interfaces(line):
            self._run += found
            self._end_run(self._whose(line))
            return
        self._columns = ()
        parts: list[tuple[set[int], tuple[int, ...], list[str]]] = []
        for clause in _CLAUSE.split(line):
            part = (self._whose(clause), interfaces(clause), _ADDRESS.findall(clause))
            if parts and not part[0] and not part[1]:
                parts[-1][2].extend(part[2])  # a list goes on: «192.0.2.10 and 192.0.2.11»
            else:
                parts.append(part)
        for named, where, there in parts:
            if there:
                self._put_all(named or self._whose(line), where, there)

    def _end_run(self, named: set[int] | None = None) -> None:
        """Addresses that name no interface: that of the heading, or a row of the table's columns."""
        run, self._run = self._run, []
        if run:
            self._put_all(named or set(), self._columns, run)

    def _put_all(self, named: set[int], where: tuple[int, ...], found: list[str]) -> None:
        """Addresses that belong together, of these interfaces; of one gateway, or one each in their order."""
        gateway = next(iter(named)) if len(named) == 1 else 0 if named else self._block
        if len(where) == len(found) and (len(found) > 1 or gateway):
            self._rows += 1
            for interface, address in zip(where, found, strict=True):
                self._put(gateway or self._rows, interface, address)
        elif len(where) == 1 and (not gateway or not named) and self._fits(where[0], len(found)):
            self._rows += 1
            for number, address in enumerate(found, 1):
                self._put(number, where[0], address)
        else:
            self._unused += found

    def _fits(self, interface: int, count: int) -> bool:
        """Whether a list has one address for each gateway, as far as these are known yet."""
        hosts = sum(bool(slot.host) for slot in self._slots.values())
        others = {
            len([one for one in self._slots.values() if other in one.said]) for other in {1, 2} - {interface}
        }
        return count in ({hosts} if hosts else others - {0} or {count})

    def _put(self, number: int, interface: int, address: str) -> None:
        right = normal(addresses.sender_address, address)
        if right is None:
            self._unused.append(address)
            return
        self._filled = True
        said = self._slot(number).said.setdefault(interface, [])
        said += [] if right in said else [right]


def interfaces(text: str) -> tuple[int, ...]:
    """The interfaces that a text names, in its order: data 1, data 2, or the way that mail goes there."""
    named = tuple(int(one) for one in _INTERFACE.findall(text))
    if named or not _ABOUT_ADDRESSES.search(text):
        return named
    return tuple(1 if one else 2 for one in _DIRECTION.findall(text))
