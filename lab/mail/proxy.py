"""The PROXY protocol's second version, sending side: how a loopback connection carries other addresses.

Source: the HAProxy project's `doc/proxy-protocol.txt`, section 2.2.
"""

from __future__ import annotations

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
PROXIED, TCP4 = 0x21, 0x11


def header(source: str, source_port: int, target: str, target_port: int) -> bytes:
    """The header for a TCP connection between two IPv4 addresses."""
    ends = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(target).packed
    ends += struct.pack("!HH", source_port, target_port)
    return SIGNATURE + struct.pack("!BBH", PROXIED, TCP4, len(ends)) + ends
