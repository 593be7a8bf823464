"""The gateways of a stack, logged in to once, whoever asks: its own checks, or stacks that share them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from dynamic_providers import connections
from dynamic_providers.connections import GatewayConnection, Member
from dynamic_providers.errors import ManagedError
from dynamic_providers.gateway.dialogue import DialogueError
from dynamic_providers.gateway.ssh import GatewayError, open_line
from dynamic_providers.gateway.transaction import Gateway
from fleet.doctor.finding import Finding, NotLookedAt, from_error, not_looked_at

_CREDENTIALS = ("GATEWAY_PASSWORD", "GATEWAY_KEY_FILE", "GATEWAY_KEY_PASSPHRASE")


class Gateways:
    """One gateway, a cluster, or several that are not clustered, as far as they let us in."""

    def __init__(self, connection: GatewayConnection) -> None:
        self.connection = connection
        several = len(connection.members) > 1 and not connection.cluster
        worked_on = connection.members if several else connection.members[:1]
        self._gateways = {
            one.host: Gateway(connection.model_copy(update={"members": (one,)}) if several else connection)
            for one in worked_on
        }
        self._attempts: dict[str, GatewayError | None] = {}
        self._banners: dict[str, str] = {}

    def attempt(self, member: Member) -> GatewayError | None:
        """Why a member does not let us in; None where it does. Tried once."""
        if member.host not in self._attempts:
            self._attempts[member.host] = self._tried(member)
        return self._attempts[member.host]

    def banner(self, member: Member) -> str:
        """What it printed after the login; nothing of members that are worked on through another one."""
        return self._banners.get(member.host, "")

    def each(self, look: Callable[[Gateway], Iterable[Finding]]) -> Iterator[Finding]:
        """What is found on each gateway, a cluster counting as one. One that fails does not stop the others.

        With several, a line names the one that it is about.
        """
        for host, gateway in self._gateways.items():
            for finding in self._on(host, gateway, look):
                named = len(self._gateways) > 1 and host not in finding.says
                yield replace(finding, says=f"{host}: {finding.says}") if named else finding

    def close(self) -> None:
        """End the sessions."""
        for gateway in self._gateways.values():
            gateway.close()

    def _on(
        self, host: str, gateway: Gateway, look: Callable[[Gateway], Iterable[Finding]]
    ) -> Iterator[Finding]:
        member = next(one for one in self.connection.members if one.host == host)
        if self.attempt(member) is not None:
            yield not_looked_at("there is no session with it (see login)")
            return
        try:
            yield from look(gateway)
        except NotLookedAt as missing:
            yield not_looked_at(missing.why, missing.fix)
        except DialogueError as failed:
            yield not_looked_at(f"{failed.where}: {failed.what}", failed.fix)
        except ManagedError as failed:
            yield from_error(failed)

    def _tried(self, member: Member) -> GatewayError | None:
        try:
            if member.host in self._gateways:
                gateway = self._gateways[member.host]
                self._banners[member.host] = gateway.read("login", lambda session: session.banner)
            else:
                open_line(self.connection, member).close()
        except GatewayError as failed:
            return failed
        return None


class Logins:
    """All gateways of this process. Stacks whose gateways and credentials are the same share them."""

    def __init__(self) -> None:
        self._made: dict[tuple[str | None, ...], Gateways] = {}

    def of(self, connection: GatewayConnection) -> Gateways:
        """The gateways of that connection, with the credentials that hold now."""
        credentials = (connections.credential(name) for name in _CREDENTIALS)
        key = (connection.model_dump_json(), *credentials)
        if key not in self._made:
            self._made[key] = Gateways(connection)
        return self._made[key]

    def close(self) -> None:
        """End all sessions."""
        with contextlib.ExitStack() as closing:
            for one in self._made.values():
                closing.callback(one.close)
