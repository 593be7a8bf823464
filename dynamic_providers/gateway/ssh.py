"""One SSH connection to a gateway: host keys pinned, through a jump host, with a wide and tall terminal."""

import base64
import contextlib
import hashlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import paramiko

from dynamic_providers import connections
from dynamic_providers.connections import GatewayConnection, JumpHost, Member
from dynamic_providers.errors import ManagedError
from dynamic_providers.time_limit import TimeLimit

TCP_SECONDS = 15.0  # for a TCP connection, of each address
SSH_SECONDS = 20.0  # for a banner and a key exchange, for being led on, for a terminal: each
LOGIN_SECONDS = 40.0  # for the answers to one means to log in
REKEY_SECONDS = 40.0  # for new keys in mid-session
LOST_SECONDS = 60  # what is sent and never acknowledged: then the other machine is gone
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
    """Nobody said which host key is right. `seen` is the fingerprint of the one that was shown."""

    seen: str = ""


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
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):  # it has ended already
            self.channel.close()
        for transport in reversed(self.transports):
            transport.close()

    @property
    def is_open(self) -> bool:
        """Whether it has not been heard to end; one whose other end fell silent still looks open."""
        return not self.channel.closed and all(one.is_active() for one in self.transports)


def open_line(connection: GatewayConnection, member: Member) -> Line:
    """Connect to a member, check every host key before any credential is sent, log in, ask for a terminal."""
    jump = connection.jump_host
    where = _name(member.host, member.port)
    transports = [_open_jump_host(jump)] if jump else []

    def reach() -> paramiko.Transport:
        wire = (
            _forward(transports[0], jump, member.host, member.port)
            if jump
            else _tcp(member.host, member.port)
        )
        return _handshake(
            wire,
            where,
            member.host_key,
            "the setting gateway.members.hostKey",
            "on the gateway, `sshconfig` sets which algorithms its SSH server offers: allow newer ones there",
        )

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


def host_key_of(host: str, port: int = 22, jump: JumpHost | None = None) -> str:
    """The fingerprint that a host shows, for a person to compare. No credential is sent to it.

    `jump`, whose own key is compared and who is logged in to: the host that leads there.
    """
    first = _open_jump_host(jump) if jump else None
    try:
        wire = _forward(first, jump, host, port) if first and jump else _tcp(host, port)
        _handshake(
            wire, _name(host, port), "", "its setting hostKey", "ask its owner to allow newer ones"
        ).close()
    except HostKeyNotPinnedError as error:
        return error.seen
    finally:
        if first is not None:
            first.close()
    raise AssertionError("a key that is not pinned is never taken")


def _open_jump_host(jump: JumpHost) -> paramiko.Transport:
    return open_by_key(
        jump,
        f"jump host {_name(jump.host, jump.port)}",
        "the setting gateway.jumpHost.hostKey",
        "check GATEWAY_KEY_FILE, and that Cisco has registered its public key for your allocation",
    )


def open_by_key(there: JumpHost, where: str, setting: str, if_refused: str) -> paramiko.Transport:
    """A host that leads on: connected, its key compared with that of the setting, logged in by our key."""
    key = _key(where)
    if key is None:
        raise NoCredentialError(
            "this host takes public keys only, and there is none", where=where, fix="set GATEWAY_KEY_FILE"
        )
    wire = _tcp(there.host, there.port)
    transport = _handshake(wire, where, there.host_key, setting, "ask its owner to allow newer ones")
    try:
        said = _try_login(transport, lambda one: one.auth_publickey(there.user, key), where)
    except BaseException:
        transport.close()
        raise
    if said is Login.IN:
        return transport
    transport.close()
    raise JumpHostRefusedError(  # also where it wants more than a key
        f"user «{there.user}» with this key is {_REFUSED[said is Login.CUT]}", where=where, fix=if_refused
    )


def _forward(transport: paramiko.Transport, jump: JumpHost, host: str, port: int) -> paramiko.Channel:
    target = _name(host, port)
    try:
        return transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=SSH_SECONDS)
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
            f"no answer when asked to lead on to {target} ({_reason(error, SSH_SECONDS)})",
            where=f"jump host {_name(jump.host, jump.port)}",
            fix="try again later, or ask Cisco whether this jump host is the right one for your region",
        ) from None


def _tcp(host: str, port: int) -> socket.socket:
    address = connections.connect_address(host, port)
    try:
        wire = socket.create_connection(address, timeout=TCP_SECONDS)
    except OSError as error:
        raise UnreachableError(
            f"no connection: {_reason(error, TCP_SECONDS)}",
            where=_name(host, port),
            fix="check host and port, and that SSH is allowed from here (interfaceconfig on the "
            "gateway, firewalls)",
        ) from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; elsewhere the system's own limit, a quarter of an hour
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_SECONDS * 1000)
    return wire


def _handshake(
    wire: socket.socket | paramiko.Channel, where: str, pinned: str, setting: str, if_old: str
) -> paramiko.Transport:
    """The key exchange, and the host key compared; a transport to log in on comes back."""
    transport = paramiko.Transport(wire)
    # The limits below are ours: paramiko's own say less of what happened.
    transport.banner_timeout = transport.handshake_timeout = REKEY_SECONDS
    transport.auth_timeout = 2 * LOGIN_SECONDS
    try:
        _exchange_keys(transport)
        _check_host_key(transport.get_remote_server_key(), where, pinned, setting)
    except paramiko.ssh_exception.IncompatiblePeer as error:
        transport.close()
        raise OldAlgorithmsError(
            f"no common algorithm ({error}): it offers only old ones such as "
            "diffie-hellman-group14-sha1 or ssh-rsa",
            where=where,
            fix=if_old,
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        transport.close()
        raise UnreachableError(
            f"something answers, but the SSH connection does not come about: {_reason(error, SSH_SECONDS)}",
            where=where,
            fix="check host and port; if they are right, try again later",
        ) from None
    except BaseException:
        transport.close()
        raise
    transport.set_keepalive(_KEEPALIVE_SECONDS)
    return transport


def _exchange_keys(transport: paramiko.Transport) -> None:
    transport.start_client(timeout=SSH_SECONDS)
    if not transport.initial_kex_done:  # the time has passed: it returns as if all were well
        raise TimeoutError


def _check_host_key(key: paramiko.PKey, where: str, pinned: str, setting: str) -> None:
    seen = fingerprint(key)
    expected = pinned.strip().rstrip("=")
    if not expected:
        error = HostKeyNotPinnedError(
            f"its host key is not known here; it shows {key.get_name()} {seen}",
            where=where,
            fix="compare this with what its owner says (on the gateway: `hostkeyconfig`), then "
            f"put it into {setting}",
        )
        error.seen = seen
        raise error
    if seen.removeprefix("SHA256:") != expected.removeprefix("SHA256:"):
        raise HostKeyDiffersError(
            f"its host key is not the expected one: it shows {key.get_name()} {seen}, expected {expected}. "
            "Nothing was sent to it",
            where=where,
            fix="ask its owner whether the key was changed; only then put the new fingerprint "
            f"into {setting}",
        )


_LogIn = Callable[[paramiko.Transport], list[str]]


class Login(Enum):
    """What became of an attempt to log in."""

    IN = "let in"
    MORE = "that was right, and it wants more"
    REFUSED = "refused"
    AT_PROMPT = "refused: it takes a password at a prompt"
    CUT = "it ended the connection"


_REFUSED = {False: "refused", True: "not let in: the connection ended during the login"}


def _try_login(transport: paramiko.Transport, log_in: _LogIn, where: str) -> Login:
    """One means; UnreachableError where nothing comes back."""
    with TimeLimit(LOGIN_SECONDS, transport.close) as limit:
        try:
            log_in(transport)
            return Login.IN if transport.is_authenticated() else Login.MORE
        except paramiko.BadAuthenticationType as error:
            return Login.AT_PROMPT if "keyboard-interactive" in error.allowed_types else Login.REFUSED
        except (paramiko.SSHException, EOFError, OSError):  # paramiko calls a broken connection refused, too
            if not limit.passed:
                return Login.REFUSED if transport.is_active() else Login.CUT
    raise UnreachableError(
        f"no answer to the login within {LOGIN_SECONDS:g} s",
        where=where,
        fix="try again later; if it stays so, log in by hand and see what happens",
    )


def _log_in_to_gateway(
    reach: Callable[[], paramiko.Transport], user: str, where: str, *, direct: bool
) -> paramiko.Transport:
    """A transport that is logged in.

    By password where there is one; by a key where there is none, or before it where the key can only be the
    gateway's. Each means has a connection of its own: strict servers hang up when paramiko tries a second.
    """
    means = _means(user, where, direct=direct)
    tried: list[str] = []
    said = Login.REFUSED
    while means:
        name, log_in = means.pop(0)
        tried.append(name)
        transport = reach()
        try:
            said = _try_login(transport, log_in, where)
            for _, also in means if said is Login.MORE else ():
                said = _try_login(transport, also, where)
                if said is Login.AT_PROMPT:
                    said = _try_login(transport, _at_prompt(user), where)
        except BaseException:
            transport.close()
            raise
        if said is Login.IN:
            return transport
        transport.close()
        if said is Login.AT_PROMPT and name == "password":
            means.insert(0, ("password at a prompt", _at_prompt(user)))
    raise LoginRefusedError(
        f"user «{user}» is {_REFUSED[said is Login.CUT]} (tried: {', '.join(tried)})",
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
    with TimeLimit(SSH_SECONDS, transport.close) as limit:  # paramiko waits for these answers without one
        try:
            channel = transport.open_session(timeout=2 * SSH_SECONDS)
            channel.get_pty(_TERMINAL, width=_COLUMNS, height=_ROWS)
            channel.invoke_shell()
        except (paramiko.SSHException, EOFError, OSError) as error:
            reason = _reason(TimeoutError() if limit.passed else error, SSH_SECONDS)
        else:
            return channel
    raise UnreachableError(
        f"logged in, but no terminal was given: {reason}",
        where=where,
        fix="try again later; if it stays so, check that this user may use the command line",
    )


def _name(host: str, port: int) -> str:
    return host if port == 22 else f"{host}:{port}"


def _reason(error: BaseException, seconds: float) -> str:
    if isinstance(error, socket.gaierror):
        return "the name is not known"
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if "protocol banner" in str(error):
        return "it ended before it said that it is SSH"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text or type(error).__name__
