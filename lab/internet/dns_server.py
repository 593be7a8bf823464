"""The lab's DNS servers: one with authority over every zone, and public resolvers that believe caches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.rrset
import dns.tsig
import dns.update

from lab.internet.practice import PRACTICE_TSIG, PRACTICE_TSIG_ALGORITHM, PRACTICE_TSIG_KEY
from lab.internet.resolver import Resolver
from lab.internet.update import Refused, apply
from lab.internet.wire import failure, fill, name_of, rrset, sized
from lab.internet.zones import Found, Zones
from lab.journal import Broken, Journal

NOT_AUTHENTIC: dict[type[Exception], dns.rcode.Rcode] = {
    dns.message.UnknownTSIGKey: dns.rcode.BADKEY,
    dns.tsig.BadKey: dns.rcode.BADKEY,
    dns.tsig.BadAlgorithm: dns.rcode.BADKEY,
    dns.tsig.BadSignature: dns.rcode.BADSIG,
    dns.tsig.BadTime: dns.rcode.BADTIME,
}


@dataclass
class DnsSwitches:
    """What a DNS server may do wrong: answer SERVFAIL, refuse every update, or not answer at all."""

    servfail: bool = False
    refuse_update: bool = False
    drop: bool = False


class Face(Protocol):
    """What answers at an address."""

    switches: DnsSwitches

    def answer(self, wire: bytes, *, datagram: bool) -> bytes | None:
        """The reply to a message; None: none at all."""


class Authority:
    """Answers from `zones` with the flag AA, and takes updates that are signed with the practice key."""

    def __init__(self, zones: Zones, journal: Journal) -> None:
        self.zones = zones
        self.switches = DnsSwitches()
        self.key = dns.tsig.Key(PRACTICE_TSIG_KEY, PRACTICE_TSIG, PRACTICE_TSIG_ALGORITHM)
        self._journal = journal

    def answer(self, wire: bytes, *, datagram: bool) -> bytes | None:
        if self.switches.drop:
            return None
        try:
            reply = self._answer(wire, datagram=datagram)
            self._journal.answering("dns")
        except Broken:
            return None
        return reply

    def _answer(self, wire: bytes, *, datagram: bool) -> bytes | None:
        signed = _Signed(self.key)
        try:
            message = dns.message.from_wire(wire, keyring=signed)
        except tuple(NOT_AUTHENTIC) as why:
            return self._not_authentic(wire, signed.by, NOT_AUTHENTIC[type(why)])
        except (dns.exception.DNSException, ValueError):
            return failure(wire, dns.rcode.FORMERR)
        if message.flags & dns.flags.QR:
            return None
        return sized(self._reply(message), message, datagram=datagram)

    def _reply(self, message: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(message)
        if self.switches.servfail:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif isinstance(message, dns.update.UpdateMessage):
            response.set_rcode(self._update(message))
        elif message.opcode() != dns.opcode.QUERY or len(message.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
        else:
            self._query(message.question[0], response)
        return response

    def _query(self, question: dns.rrset.RRset, response: dns.message.Message) -> None:
        answer = self.zones.lookup(name_of(question.name), dns.rdatatype.to_text(question.rdtype))
        fill(response, answer, elsewhere=dns.rcode.REFUSED if not answer.records else dns.rcode.NOERROR)
        if answer.found is not Found.NOT_OURS or answer.records:
            response.flags |= dns.flags.AA
        if answer.found in (Found.NO_DATA, Found.NO_NAME):
            soa = self.zones.get(answer.zone, "SOA")
            response.authority.extend([rrset(soa)] if soa else [])

    def _update(self, message: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        """Carry out an update; its code. Unsigned ones are refused."""
        zone = name_of(message.question[0].name) if message.question else ""
        self._journal.record("dns", "update-asked", zone=zone)
        code, changes = dns.rcode.REFUSED, list[str]()
        if message.had_tsig and not self.switches.refuse_update:
            try:
                code, changes = dns.rcode.NOERROR, apply(self.zones, message)
            except Refused as refused:
                code = refused.code
        self._note(message, code, changes)
        return code

    def _not_authentic(self, wire: bytes, by: dns.name.Name, error: dns.rcode.Rcode) -> bytes:
        """NOTAUTH with an empty signature that holds the error, as RFC 8945 section 5.3.2 has it."""
        query = dns.message.from_wire(wire, question_only=True)
        self._note(query, dns.rcode.NOTAUTH, [])
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.NOTAUTH)
        empty = dns.rdtypes.ANY.TSIG.TSIG(  # type: ignore[no-untyped-call]
            dns.rdataclass.ANY, dns.rdatatype.TSIG, self.key.algorithm, 0, 300, b"", query.id, error, b""
        )
        response.tsig = dns.rrset.from_rdata(by, 0, empty)
        response.want_tsig_sign = False
        return response.to_wire()

    def _note(self, message: dns.message.Message, code: dns.rcode.Rcode, changes: list[str]) -> None:
        zone = name_of(message.question[0].name) if message.question else ""
        self._journal.record("dns", "update", zone=zone, code=dns.rcode.to_text(code), changes=changes)


class PublicResolver:
    """Answers with the flag RA, out of a cache that keeps every answer for its time to live."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.switches = DnsSwitches()

    def answer(self, wire: bytes, *, datagram: bool) -> bytes | None:
        if self.switches.drop:
            return None
        try:
            message = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return failure(wire, dns.rcode.FORMERR)
        if message.flags & dns.flags.QR:
            return None
        response = dns.message.make_response(message, recursion_available=True)
        if self.switches.servfail:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif message.opcode() != dns.opcode.QUERY or len(message.question) != 1:
            response.set_rcode(dns.rcode.REFUSED)
        else:
            question = message.question[0]
            kind = dns.rdatatype.to_text(question.rdtype)
            fill(response, self.resolver.lookup(name_of(question.name), kind), elsewhere=dns.rcode.NXDOMAIN)
        return sized(response, message, datagram=datagram)


class _Signed:
    """Finds the key of a signed message, and remembers whose name it was signed with."""

    def __init__(self, key: dns.tsig.Key) -> None:
        self._key = key
        self.by = key.name

    def __call__(self, _message: dns.message.Message, name: dns.name.Name) -> dns.tsig.Key | None:
        self.by = name
        return self._key if name == self._key.name else None
