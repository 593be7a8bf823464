"""One SSH connection to a gateway: host keys pinned, through a jump host, with a wide and tall terminal."""

import base64
import hashlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import paramiko

from dynamic_providers import connections
from dynamic_providers.connections import GatewayConnection, JumpHost, Member
from dynamic_providers.errors import ManagedError

_TCP_SECONDS = 15.0
_SSH_SECONDS = 20.0
_LOGIN_SECONDS = 40.0
_KEEPALIVE_SECONDS = 30
_COLUMNS, _ROWS = 8192, 10000  # AsyncOS wraps and pages by the terminal's size
_TERMINAL = "vt100"

logging.getLogger("paramiko").addHandler(
    logging.NullHandler()
)  # else its tracebacks reach stderr; we raise our own errors


class GatewayError(ManagedError):
    """Something went wrong on the way to a gateway, or on it."""


class UnreachableError(GatewayError):
    """No connection, or what answers is not SSH."""


class HostKeyNotPinnedError(GatewayError):
    """Nobody said which host key is right."""


class HostKeyDiffersError(GatewayError):
    """The host key is another one than the stack's: someone in between, or a machine that was set up anew."""


class OldAlgorithmsError(GatewayError):
    """The gateway only offers key exchanges or host keys that are no longer safe (SHA-1)."""


class LoginRefusedError(GatewayError):
    """User, password or key is not accepted."""


class JumpHostRefusedError(GatewayError):
    """The jump host does not let us in, or does not lead on to the gateway."""


class NoCredentialError(GatewayError):
    """There is neither a password nor a key to log in with, or the key file cannot be read."""


@dataclass
class Line:
    """An open terminal on a gateway, and the connections under it."""

    channel: paramiko.Channel
    transports: list[paramiko.Transport] = field(default_factory=list)

    def close(self) -> None:
        """End the session; what was not committed is lost by that."""
        self.channel.close()
        for transport in reversed(self.transports):
            transport.close()


def open_line(connection: GatewayConnection, member: Member) -> Line:
    """Connect to a member, check every host key before any credential is sent, log in, ask for a terminal."""
    jump = connection.jump_host
    where = _name(member.host, member.port)
    transports = [_open_jump_host(jump)] if jump else []

    def reach() -> paramiko.Transport:
        wire = _forward(transports[0], jump, member) if jump else _tcp(member.host, member.port)
        return _handshake(wire, where, member.host_key, "the setting gateway.members.hostKey")

    try:
        transports.append(_log_in_to_gateway(reach, member.user, where, direct=jump is None))
        return Line(_terminal(transports[-1], where), transports)
    except BaseException:
        for transport in reversed(transports):
            transport.close()
        raise


def fingerprint(key: paramiko.PKey) -> str:
    """A host key's fingerprint as OpenSSH shows it: `SHA256:` and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def _open_jump_host(jump: JumpHost) -> paramiko.Transport:
    where = f"jump host {_name(jump.host, jump.port)}"
    key = _key(where)
    if key is None:
        raise NoCredentialError(
            "a jump host takes public keys only, and there is none", where=where, fix="set GATEWAY_KEY_FILE"
        )
    transport = _handshake(
        _tcp(jump.host, jump.port), where, jump.host_key, "the setting gateway.jumpHost.hostKey"
    )
    try:
        transport.auth_publickey(jump.user, key)
    except (paramiko.SSHException, EOFError, OSError):
        transport.close()
        raise _not_let_in(jump, where) from None
    if not transport.is_authenticated():  # it wants more than the key
        transport.close()
        raise _not_let_in(jump, where)
    return transport


def _not_let_in(jump: JumpHost, where: str) -> JumpHostRefusedError:
    return JumpHostRefusedError(
        f"user «{jump.user}» with this key is refused",
        where=where,
        fix="check GATEWAY_KEY_FILE, and that Cisco has registered its public key for your allocation",
    )


def _forward(transport: paramiko.Transport, jump: JumpHost, member: Member) -> paramiko.Channel:
    target = _name(member.host, member.port)
    try:
        return transport.open_channel(
            "direct-tcpip", (member.host, member.port), ("127.0.0.1", 0), timeout=_SSH_SECONDS
        )
    except paramiko.ChannelException as error:
        refused = error.code == 1
        raise JumpHostRefusedError(
            f"it does not lead on to {target}: {'not allowed' if refused else 'no connection'} "
            f"({error.text})",
            where=f"jump host {_name(jump.host, jump.port)}",
            fix="check the member's host and port"
            + (", and that they belong to your allocation" if refused else ""),
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise JumpHostRefusedError(
            f"no answer when asked to lead on to {target} ({_reason(error)})",
            where=f"jump host {_name(jump.host, jump.port)}",
            fix="try again later, or ask Cisco whether this jump host is the right one for your region",
        ) from None


def _tcp(host: str, port: int) -> socket.socket:
    address = connections.connect_address(host, port)
    try:
        return socket.create_connection(address, timeout=_TCP_SECONDS)
    except OSError as error:
        raise UnreachableError(
            f"no connection: {_reason(error)}",
            where=_name(host, port),
            fix="check host and port, and that SSH is allowed from here (interfaceconfig on the "
            "gateway, firewalls)",
        ) from None


def _handshake(
    wire: socket.socket | paramiko.Channel, where: str, pinned: str, setting: str
) -> paramiko.Transport:
    """The key exchange, and the host key compared; a transport to log in on comes back."""
    transport = paramiko.Transport(wire)
    transport.banner_timeout = _SSH_SECONDS
    transport.auth_timeout = _LOGIN_SECONDS
    try:
        transport.start_client(timeout=_SSH_SECONDS)
        _check_host_key(transport.get_remote_server_key(), where, pinned, setting)
    except paramiko.ssh_exception.IncompatiblePeer as error:
        transport.close()
        raise OldAlgorithmsError(
            f"no common algorithm ({error}): it offers only old ones such as "
            "diffie-hellman-group14-sha1 or ssh-rsa",
            where=where,
            fix="on the gateway, `sshconfig` sets which algorithms its SSH server offers: allow "
            "newer ones there",
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        transport.close()
        raise UnreachableError(
            f"something answers, but the SSH connection does not come about: {_reason(error)}",
            where=where,
            fix="check host and port",
        ) from None
    except BaseException:
        transport.close()
        raise
    transport.set_keepalive(_KEEPALIVE_SECONDS)
    return transport


def _check_host_key(key: paramiko.PKey, where: str, pinned: str, setting: str) -> None:
    seen = fingerprint(key)
    expected = pinned.strip().rstrip("=")
    if not expected:
        raise HostKeyNotPinnedError(
            f"its host key is not known here; it shows {key.get_name()} {seen}",
            where=where,
            fix="compare this with what its owner says (on the gateway: `hostkeyconfig`), then "
            f"put it into {setting}",
        )
    if seen.removeprefix("SHA256:") != expected.removeprefix("SHA256:"):
        raise HostKeyDiffersError(
            f"its host key is not the expected one: it shows {key.get_name()} {seen}, expected {expected}. "
            "Nothing was sent to it",
            where=where,
            fix="ask its owner whether the key was changed; only then put the new fingerprint "
            f"into {setting}",
        )


_LogIn = Callable[[paramiko.Transport], list[str]]


def _log_in_to_gateway(
    reach: Callable[[], paramiko.Transport], user: str, where: str, *, direct: bool
) -> paramiko.Transport:
    """A transport that is logged in.

    By password where there is one; by a key where there is none, or before it where the key can only be the
    gateway's. Each means has a connection of its own: strict servers hang up when paramiko tries a second.
    """
    means = _means(user, where, direct=direct)
    tried: list[str] = []
    while means:
        name, log_in = means.pop(0)
        tried.append(name)
        transport = reach()
        try:
            if log_in(transport):  # that was right, and it wants more
                for _, also in means:
                    also(transport)
        except paramiko.BadAuthenticationType as error:
            if name == "password" and "keyboard-interactive" in error.allowed_types:
                means.insert(0, ("password at a prompt", _at_prompt(user)))
        except paramiko.AuthenticationException:
            pass  # refused: by the next means, if there is one
        except (paramiko.SSHException, EOFError, OSError) as error:
            transport.close()
            raise UnreachableError(
                f"the connection broke while logging in: {_reason(error)}", where=where, fix="try again"
            ) from None
        if transport.is_authenticated():
            return transport
        transport.close()
    raise LoginRefusedError(
        f"user «{user}» is refused (tried: {', '.join(tried)})",
        where=where,
        fix="check the member's user and GATEWAY_PASSWORD or GATEWAY_KEY_FILE; the account may "
        "also be locked",
    )


def _means(user: str, where: str, *, direct: bool) -> list[tuple[str, _LogIn]]:
    password = connections.credential("GATEWAY_PASSWORD")
    key = _key(where) if direct or not password else None
    if not password and key is None:
        raise NoCredentialError(
            "there is nothing to log in with", where=where, fix="set GATEWAY_PASSWORD or GATEWAY_KEY_FILE"
        )
    means: list[tuple[str, _LogIn]] = []
    if key is not None:
        means.append(("key", lambda transport: transport.auth_publickey(user, key)))
    if password:
        means.append(("password", lambda transport: transport.auth_password(user, password, fallback=False)))
    return means


def _at_prompt(user: str) -> _LogIn:
    password = connections.credential("GATEWAY_PASSWORD") or ""
    return lambda transport: transport.auth_interactive(
        user, lambda _title, _instructions, prompts: [password] * len(prompts)
    )


def _key(where: str) -> paramiko.PKey | None:
    file = connections.credential("GATEWAY_KEY_FILE")
    if not file:
        return None
    passphrase = connections.credential("GATEWAY_KEY_PASSPHRASE")
    try:
        # paramiko's annotation wants text, what it calls wants bytes.
        secret = passphrase.encode() if passphrase else None
        return paramiko.PKey.from_path(Path(file).expanduser(), secret)  # type: ignore[arg-type]
    except (
        OSError,
        ValueError,
        TypeError,
        paramiko.SSHException,
        paramiko.PasswordRequiredException,
    ) as error:
        no_key = "it is no private key, or its passphrase is another one"
        reason = error.strerror if isinstance(error, OSError) else no_key
        raise NoCredentialError(
            f"the key in GATEWAY_KEY_FILE cannot be used: {reason}",
            where=where,
            fix="it must be a readable private key; one with a passphrase needs GATEWAY_KEY_PASSPHRASE",
        ) from None


def _terminal(transport: paramiko.Transport, where: str) -> paramiko.Channel:
    try:
        channel = transport.open_session(timeout=_SSH_SECONDS)
        channel.settimeout(_SSH_SECONDS)
        channel.get_pty(_TERMINAL, width=_COLUMNS, height=_ROWS)
        channel.invoke_shell()
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise UnreachableError(
            f"logged in, but no terminal was given: {_reason(error)}",
            where=where,
            fix="check that this user may use the command line",
        ) from None
    return channel


def _name(host: str, port: int) -> str:
    return host if port == 22 else f"{host}:{port}"


def _reason(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "the name is not known"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if "protocol banner" in str(error):
        return "it ended before it said that it is SSH"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text or type(error).__name__
