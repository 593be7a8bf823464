"""Between the lab's records and dnspython's messages."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from lab.internet.zones import Answer, Found, Records, plain

RCODES = {
    Found.RECORDS: dns.rcode.NOERROR,
    Found.NO_DATA: dns.rcode.NOERROR,
    Found.NO_NAME: dns.rcode.NXDOMAIN,
}
UDP_SIZE = 512
QR = dns.flags.QR >> 8


def rrset(records: Records) -> dns.rrset.RRset:
    """The records as an RRset."""
    return dns.rrset.from_text_list(absolute(records.name), records.ttl, "IN", records.kind, records.values)


def rdatas(records: Records | None) -> set[dns.rdata.Rdata]:
    """The records' data, comparable in DNS's own sense (names without regard to case)."""
    if records is None:
        return set()
    return {dns.rdata.from_text("IN", records.kind, value) for value in records.values}


def absolute(name: str) -> dns.name.Name:
    """A plain name as an absolute one of dnspython."""
    return dns.name.from_text(name)


def name_of(name: dns.name.Name) -> str:
    """The lab's plain name for one of dnspython."""
    return plain(name.to_text())


def fill(response: dns.message.Message, answer: Answer, elsewhere: dns.rcode.Rcode) -> None:
    """Put an answer into a response; `elsewhere` is the code for names in none of the zones."""
    response.set_rcode(RCODES.get(answer.found, elsewhere))
    response.answer.extend(rrset(records) for records in answer.records)


def failure(wire: bytes, code: dns.rcode.Rcode) -> bytes:
    """A reply that has nothing but a code, to whatever could not be read further than its question."""
    try:
        query = dns.message.from_wire(wire, question_only=True)
        response = dns.message.make_response(query)
    except (dns.exception.DNSException, ValueError):
        return wire[:2] + bytes([QR, code]) + bytes(8)
    response.set_rcode(code)
    return response.to_wire()


def sized(response: dns.message.Message, query: dns.message.Message, *, datagram: bool) -> bytes:
    """The reply as bytes: cut, with the flag TC, where a datagram would be too long for who asked."""
    size = max(query.payload, UDP_SIZE) if datagram else 65535
    return response.to_wire(max_size=size, prefer_truncation=True)
