"""Which DNS server takes our updates, with which key; and which resolvers are asked."""

import binascii
import re
from typing import Annotated, Literal

import dns.exception
import dns.name
import dns.tsig
from pydantic import AfterValidator, Field

from dynamic_providers import connections
from dynamic_providers.connections import NotConfigured
from dynamic_providers.dns.resolver import DEFAULT_SERVERS, Resolver
from dynamic_providers.field_types import Domain, Host, IPv4, Port
from dynamic_providers.model import Model
from dynamic_providers.refusal import refuse

SECRET = "DNS_TSIG_SECRET"  # noqa: S105 - the variable's name, not its value
LONGEST_TTL = 604_800  # a week, in seconds: a longer one would be a slip
DEFAULT_TTL = 3600  # what Microsoft's own instructions give an MX record

Ttl = Annotated[int, Field(strict=True, ge=0, le=LONGEST_TTL)]
Algorithm = Literal["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1"]


def _key_name(text: str) -> str:
    """A TSIG key's name, as the server's `key` statement has it, in its one form; nothing to be escaped."""
    wrong = "is not a key's name: write it as in the server's key statement, such as m365se."
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", text):
        refuse(wrong)
    try:
        return dns.name.from_text(text).to_text().lower()
    except dns.exception.DNSException:
        refuse(f"{wrong} A part of it, or all of it, is too long")


KeyName = Annotated[str, AfterValidator(_key_name)]


class DnsConnection(Model):
    """The argument `dns` of a provider process.

    `server` is the primary of the zones, hidden or not: the only one that updates are sent to. One server and
    one key for a process: where zones have others, their resources run under a provider of their own.
    """

    server: Host | None = Field(None, description="Primary server that takes updates by RFC 2136.")
    port: Port = 53
    zone: Domain | None = Field(None, description="The zone; asked of the server where it is not given.")
    key_name: KeyName | None = None
    algorithm: Algorithm = "hmac-sha256"
    resolvers: tuple[IPv4, ...] = Field(DEFAULT_SERVERS, min_length=1)
    ttl: Ttl = DEFAULT_TTL


def dns_connection() -> DnsConnection:
    """What this process was given; nothing given: the public resolvers, and no server to update."""
    return DnsConnection.model_validate_json(connections.section("dns") or "{}")


def resolver() -> Resolver:
    """Asks the resolvers of this process."""
    return Resolver(dns_connection().resolvers)


def tsig_key(connection: DnsConnection) -> dns.tsig.Key:
    """The key that signs what we send; its secret comes from the environment or the stack's config."""
    where = "setting dns"
    if connection.key_name is None:
        raise NotConfigured("no TSIG key", where=where, fix="name the server's key in dns.keyName")
    secret = connections.credential(SECRET)
    if secret is None:
        raise NotConfigured(
            f"no secret for the TSIG key {connection.key_name}",
            where=where,
            fix=f"put it, in base64 as in the server's key statement, into {SECRET}",
        )
    try:
        return dns.tsig.Key(connection.key_name, secret, connection.algorithm)
    except (binascii.Error, ValueError):
        raise NotConfigured(
            f"the secret of the TSIG key {connection.key_name} is not base64",
            where=SECRET,
            fix="copy it from the server's key statement, without quotes",
        ) from None
