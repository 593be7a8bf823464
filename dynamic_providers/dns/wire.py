"""One question to one name server: UDP, TCP where the answer was cut off; each kind of failure told apart."""

import socket

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsig

from dynamic_providers import connections
from dynamic_providers.errors import ManagedError

PORT = 53
_PAYLOAD = 1232  # bytes of UDP that pass every path unbroken (DNS Flag Day 2020)


class LookUpFailed(ManagedError):
    """A look-up gave neither a record nor the word that there is none. Never to be taken for «absent»."""


class ServerSilent(LookUpFailed):
    """A name server did not answer in time."""


class ServerUnreachable(LookUpFailed):
    """A name server cannot be reached at all: refused, no route, unknown name."""


class ServerFailed(LookUpFailed):
    """A name server says that it failed (SERVFAIL): its own servers are down, or DNSSEC is broken."""


class ServerRefused(LookUpFailed):
    """A name server does not want to answer us, or not this."""


class BrokenAnswer(LookUpFailed):
    """What came back is no answer to what was asked."""


class NotAuthoritative(LookUpFailed):
    """A server that ought to hold the zone answers without authority."""


def named(server: str, port: int = PORT) -> str:
    """How an operator is told of a server."""
    return f"DNS server {server}" + (f" port {port}" if port != PORT else "")


def ask(
    server: str, query: dns.message.Message, *, timeout: float, port: int = PORT, tcp: bool = False
) -> dns.message.Message:
    """Send one message to one server and return its answer, whatever its code; `timeout` in seconds."""
    where = named(server, port)
    advice = "check that this machine may reach it on port 53, UDP and TCP"
    try:
        host, real_port = _endpoint(server, port)
        if tcp:
            return dns.query.tcp(query, host, timeout=timeout, port=real_port)
        answer, _ = dns.query.udp_with_fallback(
            query, host, timeout=timeout, port=real_port, ignore_unexpected=True, ignore_errors=True
        )
    except dns.exception.Timeout:
        raise ServerSilent(f"no answer within {timeout:g} s", where=where, fix=advice) from None
    except dns.tsig.PeerError:
        raise  # only an update is signed: `primary` tells what the server found wrong with the key
    except OSError as error:
        reason = error.strerror or str(error)
        raise ServerUnreachable(f"cannot be reached: {reason}", where=where, fix=advice) from None
    except (dns.exception.DNSException, EOFError, ValueError) as error:
        raise BrokenAnswer(f"its answer is not understood: {type(error).__name__}", where=where) from None
    return answer


def question(name: str, kind: str, *, recursive: bool) -> dns.message.QueryMessage:
    """A question as it is sent: with room for long answers, recursion asked for where it is a resolver's."""
    query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD)
    if not recursive:
        query.flags &= ~dns.flags.RD
    return query


def require_success(answer: dns.message.Message, server: str, asked: str, port: int = PORT) -> None:
    """Raise unless the code says that there is an answer, or that the name does not exist."""
    code = answer.rcode()
    if code in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return
    where = named(server, port)
    if code == dns.rcode.SERVFAIL:
        raise ServerFailed(f"it failed on {asked} (SERVFAIL)", where=where, fix="look at the zone's servers")
    if code == dns.rcode.REFUSED:
        raise ServerRefused(f"it refuses to answer {asked} (REFUSED)", where=where)
    raise BrokenAnswer(f"it answers {asked} with {dns.rcode.to_text(code)}", where=where)


def _endpoint(server: str, port: int) -> tuple[str, int]:
    """The address to send to. A server's name is this machine's to resolve: it may be an internal one."""
    host, real_port = connections.connect_address(server, port)
    found = socket.getaddrinfo(host, real_port, type=socket.SOCK_STREAM)
    return str(found[0][4][0]), real_port
