"""The primary server of a zone: MX set and TXT records of a name, read and replaced by RFC 2136, signed."""

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

from dynamic_providers.connections import NotConfigured
from dynamic_providers.dns import mx_set, wire
from dynamic_providers.dns.connection import DnsConnection, dns_connection, tsig_key
from dynamic_providers.dns.resolver import Answer, Kind, plain_name, read_answer
from dynamic_providers.dns.wire import (
    BrokenAnswer,
    LookUpFailed,
    NotAuthoritative,
    ServerFailed,
    ServerSilent,
    ServerUnreachable,
)
from dynamic_providers.entries import Entry
from dynamic_providers.errors import ManagedError

ANSWER_SECONDS = 5.0  # all over TCP: an update that is sent twice would fail its own condition


class KeyRefused(LookUpFailed):
    """The server does not accept what we sign with."""


class UpdateRefused(ManagedError):
    """The server understands the update, and does not do it."""


class ChangedMeanwhile(ManagedError):
    """The set is no longer what was read: nothing was written."""


class HasAlias(ManagedError):
    """A CNAME stands at the name, so no MX can."""


@dataclass(frozen=True)
class Texts:
    """All TXT records of a name, each as its strings; they have one TTL. A condition names them all."""

    records: tuple[tuple[str, ...], ...]
    ttl: int

    def answer_size(self, name: dns.name.Name, instead: Mapping[tuple[str, ...], tuple[str, ...]]) -> int:
        """Bytes of an answer with them, some replaced."""
        kept = tuple(instead.get(one, one) for one in self.records)
        answer = dns.message.make_response(dns.message.make_query(name, "TXT"))
        answer.answer.append(dns.rrset.from_rdata_list(name, self.ttl, [_text(one) for one in kept]))
        return len(answer.to_wire())

    def rdataset(self) -> dns.rdataset.Rdataset:
        """As an update's condition, which has no TTL (RFC 2136, 2.4.2)."""
        return dns.rdataset.from_rdata_list(0, [_text(one) for one in self.records])


class Primary:
    """One server and one key. Every answer must be signed, and a read must be authoritative."""

    def __init__(self, connection: DnsConnection, key: dns.tsig.Key) -> None:
        if connection.server is None:
            raise NotConfigured("no DNS server to update", where="setting dns", fix="name the zone's primary")
        self._server, self._port, self._zone = connection.server, connection.port, connection.zone
        self._key = key
        self.name = wire.named(self._server, self._port)

    def read(self, domain: str) -> Entry | None:
        """The domain's MX set in normal form, TTL included; None where it has none."""
        answer = self._read(domain, "MX", self._ask(domain, "MX"))
        return mx_set.entry(answer) if answer.records else None

    def texts(self, domain: str) -> Texts:
        """The domain's TXT records, in strings as they are kept."""
        message = self._ask(domain, "TXT")
        answer = self._read(domain, "TXT", message)
        sets = [one for one in message.answer if one.rdtype == dns.rdatatype.TXT]
        found = tuple(tuple(_plain(part) for part in record.strings) for one in sets for record in one)
        return Texts(tuple(sorted(found)), answer.ttl)

    def _read(self, domain: str, kind: Kind, message: dns.message.Message) -> Answer:
        answer = read_answer(message, domain, kind, self._server)
        if answer.alias:
            raise HasAlias(
                f"{domain} has a CNAME to {answer.alias}, and beside a CNAME no {kind} can stand (RFC 1034)",
                where=self.name,
                fix=f"replace the CNAME by address records in the zone, or set the {kind} where it leads",
            )
        return answer

    def replace(self, domain: str, was: Entry | None, then: Entry | None) -> None:
        """Replace the MX set in one step, if it is still what was read; no other record is touched."""
        update = dns.update.UpdateMessage(self.zone(domain), keyring=self._key)
        name = dns.name.from_text(domain)
        if was is None:
            update.absent(name, "MX")
        else:
            update.present(name, _rdataset(was, ttl=0))  # a condition has no TTL (RFC 2136, 2.4.2)
        if then is None:
            update.delete(name, "MX")
        else:
            update.replace(name, _rdataset(then, ttl=int(then["ttl"])))
        self._update(update, domain, "MX", lambda: self.read(domain) == then)

    def replace_text(self, domain: str, texts: Texts, was: tuple[str, ...], then: tuple[str, ...]) -> None:
        """Replace one TXT record in one step, if all of them are still what was read."""
        update = dns.update.UpdateMessage(self.zone(domain), keyring=self._key)
        name = dns.name.from_text(domain)
        update.present(name, texts.rdataset())
        update.delete(name, _text(was))
        update.add(name, texts.ttl, _text(then))
        self._update(update, domain, "TXT record", lambda: then in self.texts(domain).records)

    def _update(
        self, update: dns.update.UpdateMessage, domain: str, what: str, is_done: Callable[[], bool]
    ) -> None:
        try:
            answer = self._send(update, f"an update of {domain}")
        except (ServerSilent, ServerUnreachable, BrokenAnswer) as error:
            self._require_effect(domain, is_done, error)
        else:
            self._require_done(answer.rcode(), domain, what)

    def _require_effect(self, domain: str, is_done: Callable[[], bool], error: LookUpFailed) -> None:
        """Look whether an update took effect, whose answer did not come."""
        with contextlib.suppress(LookUpFailed):  # then the first one is what to tell
            if is_done():
                return
        raise type(error)(
            f"the update of {domain} was sent, and {error.what}: it is not known whether it takes effect",
            where=self.name,
            fix="run it again: it reads what is there and goes on from that",
        )

    def zone(self, domain: str) -> dns.name.Name:
        """The zone that holds the domain: as set, or as the server says."""
        if self._zone is not None:
            zone = dns.name.from_text(self._zone)
            if not dns.name.from_text(domain).is_subdomain(zone):
                raise NotConfigured(
                    f"{domain} does not lie in the zone {self._zone}",
                    where="setting dns.zone",
                    fix="correct it, or leave it out: the server is asked",
                )
            return zone
        answer = self._ask(domain, "SOA")
        for rrset in (*answer.answer, *answer.authority):
            if rrset.rdtype == dns.rdatatype.SOA:
                return rrset.name
        raise self._not_authoritative(domain)

    # --- messages -------------------------------------------------------------------------------------------

    def _ask(self, domain: str, kind: Kind) -> dns.message.Message:
        query = wire.question(domain, kind, recursive=False)
        query.use_tsig(self._key)
        answer = self._send(query, f"{kind} of {domain}")
        answered = answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
        if answer.rcode() == dns.rcode.REFUSED or (answered and not answer.flags & dns.flags.AA):
            raise self._not_authoritative(domain)
        wire.require_success(answer, self._server, f"{kind} of {domain}", self._port)
        return answer

    def _send(self, message: dns.message.Message, what: str) -> dns.message.Message:
        try:
            answer = wire.ask(self._server, message, timeout=ANSWER_SECONDS, port=self._port, tcp=True)
        except dns.tsig.PeerBadTime:
            raise KeyRefused(
                "clocks differ too much for signed messages (BADTIME)",
                where=self.name,
                fix="set the clock of this machine, and the server's, by NTP",
            ) from None
        except dns.tsig.PeerError as error:
            raise KeyRefused(
                f"it does not accept our TSIG key {plain_name(self._key.name)} ({_tsig_code(error)})",
                where=self.name,
                fix="compare dns.keyName, dns.algorithm and DNS_TSIG_SECRET with the server's key statement",
            ) from None
        if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) and not answer.had_tsig:
            raise BrokenAnswer(
                f"its answer to {what} is not signed, so it may be anybody's",
                where=self.name,
                fix="look whether the server knows the key, and what stands between",
            )
        return answer

    def _not_authoritative(self, domain: str) -> NotAuthoritative:
        return NotAuthoritative(
            f"it does not hold a zone with {domain}, or does not answer us about it",
            where=self.name,
            fix="name the zone's primary in dns.server",
        )

    def _require_done(self, code: int, domain: str, kind: str) -> None:
        if code == dns.rcode.NOERROR:
            return
        named = dns.rcode.to_text(dns.rcode.Rcode(code))
        if code in (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN):
            raise ChangedMeanwhile(f"the {kind} of {domain} is no longer what was read", where=self.name)
        if code == dns.rcode.SERVFAIL:
            raise ServerFailed(
                f"it failed on the update of {domain} (SERVFAIL)",
                where=self.name,
                fix="look at its log: often it may not write the zone's journal",
            )
        what, fix = _REFUSALS.get(code, ("it does not do updates", "look at its log"))
        raise UpdateRefused(f"{domain}: {what.format(kind=kind)} ({named})", where=self.name, fix=fix)


_REFUSALS = {
    int(dns.rcode.REFUSED): (
        "our key may not change its {kind}",
        "allow it in the zone's update-policy, see docs/dns.md",
    ),
    int(dns.rcode.NOTAUTH): (
        "it is not the primary of this zone",
        "name the primary in dns.server, and look at dns.zone",
    ),
}


def _text(strings: tuple[str, ...]) -> dns.rdata.Rdata:
    quoted = (f'"{_ESCAPED.sub(_escape, one)}"' for one in strings)
    return dns.rdata.from_text("IN", "TXT", " ".join(quoted))


_ESCAPED = re.compile(r'["\\]|[^ -~]')


def _escape(found: re.Match[str]) -> str:
    """As a zone file has it: latin-1 stands for bytes."""
    return f"\\{ord(found.group()):03}"


def _plain(part: bytes) -> str:
    """Bytes as text, whatever they are: one character each."""
    return part.decode("latin-1")


def _rdataset(found: Mapping[str, Any], *, ttl: int) -> dns.rdataset.Rdataset:
    return dns.rdataset.from_text("IN", "MX", ttl, *mx_set.records(found["hosts"]))


def _tsig_code(error: dns.tsig.PeerError) -> str:
    return type(error).__name__.removeprefix("Peer").upper()


def primary() -> Primary:
    """The server that this process updates."""
    connection = dns_connection()
    return Primary(connection, tsig_key(connection))
