"""Port 25 through a host by SSH, for a machine from which it is shut: direct-tcpip, host key pinned."""

import contextlib
import socket
import threading
from collections.abc import Callable

import paramiko

from dynamic_providers.gateway.ssh import SSH_SECONDS, GatewayError, open_by_key
from dynamic_providers.mailflow.errors import CannotSend
from dynamic_providers.mailflow.mailflow_settings import ProbeVia

_BLOCK = 32768


class SshWay:
    """One SSH connection, opened when first needed; gives sockets to where its host leads."""

    def __init__(self, via: ProbeVia) -> None:
        self._via = via
        self._transport: paramiko.Transport | None = None
        self._lock = threading.Lock()

    def open(self, host: str, port: int) -> socket.socket:
        """A socket to a host and port as that host sees them.

        Raises OSError where they cannot be reached, as a direct connection would.
        """
        transport = self._connected()
        try:
            channel = transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=SSH_SECONDS
            )
        except paramiko.ChannelException as error:
            raise ConnectionRefusedError(
                error.code, f"{self._via.host} does not lead there: {error.text}"
            ) from None
        except (paramiko.SSHException, EOFError) as error:
            raise ConnectionError(f"{self._via.host} does not lead there: {error}") from None
        return _as_socket(channel)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def _connected(self) -> paramiko.Transport:
        with self._lock:
            if self._transport is None or not self._transport.is_active():
                self._transport = self._connect()
            return self._transport

    def _connect(self) -> paramiko.Transport:
        where = f"probe host {self._via.host}"
        try:
            return open_by_key(
                self._via,
                where,
                "checks.via.hostKey",
                "check GATEWAY_KEY_FILE and that host's authorized_keys",
            )
        except GatewayError as error:
            raise CannotSend(error.what, where=where, fix=error.fix) from None


def _as_socket(channel: paramiko.Channel) -> socket.socket:
    """STARTTLS needs a real socket: one end of a pair, the other end copied to and from the channel."""
    ours, theirs = socket.socketpair()
    ended: list[str] = []

    def copy(name: str, read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
        with contextlib.suppress(OSError, EOFError):  # the other side hung up, or the host did
            while block := read(_BLOCK):
                write(block)
        with contextlib.suppress(OSError):  # hung up already
            theirs.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, EOFError):  # the host hung up already
            channel.close()
        ended.append(name)
        if len(ended) == 2:
            theirs.close()

    for way in (("there", theirs.recv, channel.sendall), ("back", channel.recv, theirs.sendall)):
        threading.Thread(target=copy, args=way, daemon=True).start()
    return ours
