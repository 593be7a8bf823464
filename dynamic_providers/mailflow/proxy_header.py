"""The PROXY protocol's binary header (version 2), which the lab's mail doors want before anything else.

Source: HAProxy, «The PROXY protocol», section 2.2.
"""

import ipaddress
import struct
from typing import Final

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_VERSION_2_PROXY: Final = 0x21
_TCP_OVER_IPV4: Final = 0x11


def proxy_header(source: str, source_port: int, target: str, target_port: int) -> bytes:
    """A TCP connection over IPv4, as it is to be taken by the server."""
    ends = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(target).packed
    body = ends + struct.pack("!HH", source_port, target_port)
    return _SIGNATURE + struct.pack("!BBH", _VERSION_2_PROXY, _TCP_OVER_IPV4, len(body)) + body
