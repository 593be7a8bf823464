"""Port 25 through a host by SSH, for a machine from which it is shut: direct-tcpip, host key pinned."""

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko

from dynamic_providers import connections
from dynamic_providers.gateway.ssh import fingerprint
from dynamic_providers.mailflow.errors import CannotSend
from dynamic_providers.mailflow.mailflow_settings import ProbeVia

_SECONDS = 20.0
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
            channel = transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=_SECONDS)
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
        via = self._via
        where = f"probe host {via.host}"
        try:
            wire = socket.create_connection(connections.connect_address(via.host, via.port), _SECONDS)
            transport = paramiko.Transport(wire)
            transport.start_client(timeout=_SECONDS)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise CannotSend(
                f"no SSH connection: {error}", where=where, fix="check the setting checks.via"
            ) from None
        seen = fingerprint(transport.get_remote_server_key())
        if seen != via.host_key:
            transport.close()
            raise CannotSend(
                f"its host key is not the expected one: it shows {seen}",
                where=where,
                fix="ask its owner whether the key was changed; only then put it into checks.via.hostKey",
            )
        try:
            transport.auth_publickey(via.user, _key(where))
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()
            raise CannotSend(
                f"user «{via.user}» with this key is refused",
                where=where,
                fix="check GATEWAY_KEY_FILE and that host's authorized_keys",
            ) from None
        transport.set_keepalive(30)
        return transport


def _key(where: str) -> paramiko.PKey:
    file = connections.credential("GATEWAY_KEY_FILE")
    if not file:
        raise CannotSend("there is no key to log in with", where=where, fix="set GATEWAY_KEY_FILE")
    passphrase = connections.credential("GATEWAY_KEY_PASSPHRASE")
    try:
        # paramiko's annotation wants text, what it calls wants bytes.
        secret = passphrase.encode() if passphrase else None
        return paramiko.PKey.from_path(Path(file).expanduser(), secret)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError, paramiko.SSHException):
        raise CannotSend(
            "the key in GATEWAY_KEY_FILE cannot be used",
            where=where,
            fix="it must be a readable private key; one with a passphrase needs GATEWAY_KEY_PASSPHRASE",
        ) from None


def _as_socket(channel: paramiko.Channel) -> socket.socket:
    """STARTTLS needs a real socket: one end of a pair, the other end copied to and from the channel."""
    ours, theirs = socket.socketpair()
    ended: list[str] = []

    def copy(name: str, read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
        with contextlib.suppress(OSError):  # the other side hung up
            while block := read(_BLOCK):
                write(block)
        with contextlib.suppress(OSError):  # hung up already
            theirs.shutdown(socket.SHUT_RDWR)
        channel.close()
        ended.append(name)
        if len(ended) == 2:
            theirs.close()

    for way in (("there", theirs.recv, channel.sendall), ("back", channel.recv, theirs.sendall)):
        threading.Thread(target=copy, args=way, daemon=True).start()
    return ours
