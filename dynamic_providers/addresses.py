"""Checks of domains, hosts and addresses. Each is brought to one form: lower case, no final dot, A-labels."""

import ipaddress
import re
from urllib.parse import urlsplit

import idna

from dynamic_providers.clouds import CLOUDS, SENDERS
from dynamic_providers.refusal import refuse
from dynamic_providers.wording import one_line, refuse_unseen

MICROSOFT_MX_SUFFIXES = tuple(dict.fromkeys(end for one in CLOUDS.values() for end in one.mx))
"""How a domain's own Microsoft MX ends, in any cloud."""

INITIAL_DOMAIN_SUFFIXES = tuple(dict.fromkeys(one.initial_domain for one in CLOUDS.values()))
"""How a tenant's first domain ends, likewise."""

_NAME_LENGTH = 253
_DROPPED = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What the international form leaves out without a word (UTS 46, «ignored»), besides format characters."""

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_WIDEST_PREFIX = 24
_NEVER_SEEN = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
    )
)


def _labels(text: str, least: int, kind: str) -> str:
    """Bring a DNS name to lower-case A-labels without a final dot, or refuse it."""
    if not text.isascii():
        refuse_unseen(text)
    if _DROPPED.search(text) or len(text) > 4 * _NAME_LENGTH:
        refuse(f"is not a {kind}: it is endless, or holds characters that cannot be seen")
    name = text.removesuffix(".")
    if not name.isascii() or "xn--" in name.lower():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            refuse(f"is not a {kind}: its international form is not valid; write it as xn--… labels")
    name = name.lower()
    labels = name.split(".")
    if len(name) > _NAME_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        refuse(
            f"is not a {kind}: labels of letters, digits and inner hyphens, at most 63 each and 253 together,"
            " with single dots between"
        )
    if len(labels) < least:
        refuse(f"is not a full {kind}: write it with all its labels, such as mail.contoso.example")
    if labels[-1].isdigit():
        refuse(f"is not a {kind}: the last label is a number; an address is four numbers from 0 to 255")
    return name


def domain(text: str) -> str:
    """A mail domain in its one form, `contoso.example`."""
    return _labels(text, 2, "domain name")


def host_name(text: str) -> str:
    """A full host name in its one form, `esa1.contoso.example`."""
    return _labels(text, 2, "host name")


def certificate_name(text: str) -> str:
    """The name in a certificate: `esa.contoso.example`, or `*.contoso.example` for all hosts of a domain.

    Source: Microsoft Learn, Set-InboundConnector, TlsSenderCertificateName; Set-OutboundConnector, TlsDomain.
    """
    wild = "*." if text.startswith("*.") else ""
    return f"{wild}{_labels(text.removeprefix('*.'), 2, 'name of a certificate')}"


def ipv4(text: str) -> str:
    """One IPv4 address, four numbers without leading zeros."""
    if ":" in text:
        refuse("is IPv6: give an IPv4 address")
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        refuse("is not an IPv4 address: four numbers from 0 to 255 with dots between, no leading zeros")


def _looks_like_address(text: str) -> bool:
    return ":" in text or re.fullmatch(r"[0-9./]+", text) is not None


def host(text: str) -> str:
    """What one connects to: an IPv4 address or a host name (one label will do in one's own network)."""
    return ipv4(text) if _looks_like_address(text) else _labels(text, 1, "host name")


def smart_host(text: str) -> str:
    """Where an outbound connector delivers: a full host name or one IPv4 address.

    Source: Microsoft Learn, New-OutboundConnector, SmartHosts. A Microsoft name would make a loop.
    """
    if _looks_like_address(text):
        if "/" in text:
            refuse("is a range: a smart host is one IPv4 address or a host name")
        return ipv4(text)
    name = host_name(text)
    if name.endswith((*SENDERS, *MICROSOFT_MX_SUFFIXES)):
        refuse("is a host of Microsoft: mail would run in a loop; name the gateway's outbound side")
    return name


def sender_address(text: str) -> str:
    """An address that Microsoft sees mail come from: IPv4, or an IPv4 network from /24 to /32.

    Source: Microsoft Learn, New-InboundConnector, SenderIPAddresses: no ranges, no IPv6.
    """
    if ":" in text:
        refuse("is IPv6: Exchange identifies a connector by IPv4 addresses or networks from /24 to /32 only")
    if "-" in text or "," in text:
        refuse("is a range: give single IPv4 addresses or networks from /24 to /32")
    address, slash, length = text.partition("/")
    if not slash:
        return _public(ipv4(address))
    if not re.fullmatch(r"[0-9]{1,2}", length) or int(length) > 32:
        refuse("is not an IPv4 network: the part behind the slash is a number from 24 to 32")
    if int(length) < _WIDEST_PREFIX:
        refuse("is too wide: Exchange takes networks from /24 to /32; split it into parts of /24")
    try:
        network = ipaddress.IPv4Network((ipv4(address), int(length)))
    except ValueError:
        refuse(f"has host bits behind its /{length}: give the network's first address")
    _public(str(network.network_address))
    return str(network.network_address) if network.prefixlen == 32 else str(network)


def _public(address: str) -> str:
    """Refuse what no mail from the internet comes from; documentation ranges pass, the lab uses them."""
    parsed = ipaddress.IPv4Address(address)
    if any(parsed in network for network in _NEVER_SEEN):
        refuse("is not an address on the internet: give the public one that Microsoft sees behind your NAT")
    return address


def microsoft_mx(text: str) -> str:
    """A domain's own Microsoft MX, as DNS or Graph gives it; never computed from the domain."""
    name = host_name(text)
    if not name.endswith(MICROSOFT_MX_SUFFIXES):
        refuse(
            "is not a Microsoft MX: such names end in .mail.protection.outlook.com or .mx.microsoft; take the"
            " domain's original MX from the Microsoft 365 admin center (Settings > Domains > DNS records)"
        )
    return name


def initial_domain(text: str) -> str:
    """The domain a tenant was born with, `contoso.onmicrosoft.com`."""
    name = domain(text)
    if not name.endswith(INITIAL_DOMAIN_SUFFIXES):
        refuse("is not a tenant's initial domain: it ends in " + " or ".join(INITIAL_DOMAIN_SUFFIXES))
    return name


def mail_address(text: str) -> str:
    """A mailbox or group, `probe@contoso.example`; the part before the @ is kept as it is."""
    local, at, place = text.rpartition("@")
    if not at or not _LOCAL_PART.fullmatch(local):
        refuse("is not a mail address: write it as name@domain")
    if len(local) > 64:
        refuse("is not a mail address: the part before the @ is longer than 64")
    return f"{local}@{domain(place)}"


def https_url(text: str) -> str:
    """`https://host` or `https://host:port`, with a path or without; no user, query or fragment."""
    one_line(text, 300)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        refuse("is not an address: write https://host or https://host:port")
    if parts.scheme != "https" or not parts.hostname or port == 0:
        refuse("is not an https address: write https://host or https://host:port")
    if (
        "@" in parts.netloc
        or set(text) & set("?#")
        or not re.fullmatch(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]*)*", parts.path)
    ):
        refuse("is not a plain https address: no user, no password, no query, no fragment, no blanks")
    name = host(parts.hostname)
    return f"https://{name}{'' if port is None else f':{port}'}{parts.path}".rstrip("/")
