"""The whole practice estate: gateway, jump host and tenant, in threads of this process on 127.0.0.1."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.journal import Journal
from lab.tenant.practice import BCE_DEMO, CONTOSO, OUTBOUND_SECRET
from lab.tenant.server import LabTenant
from lab.tenant.store import Tables
from lab.tenant.switches import Switches
from lab.tenant.web import PortTaken

if TYPE_CHECKING:
    from lab.gateway.member import Snapshot
    from lab.gateway.server import LabGateway

TENANT_PORT = "tenant"


@dataclass(frozen=True)
class EstateSnapshot:
    """The state of both sides, to go back to."""

    gateway: Snapshot
    tenant: Tables


class Estate:
    """Gateway and tenant together; a context manager.

    `switches` are attributes of the gateway or of the tenant's `Switches`; `reset` goes back to them.
    `ports` fixes local ports by host name (the tenant's is called «tenant»); all others are free ones.
    """

    def __init__(
        self,
        folder: Path,
        profile: str = "new",
        *,
        journal: Journal | None = None,
        ports: Mapping[str, int] | None = None,
        **switches: Any,
    ) -> None:
        # The gateway's libraries take half a second to load: only who wants an estate pays for them.
        from lab.gateway.profile import load_profile
        from lab.gateway.server import LabGateway

        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = journal or Journal()
        release = load_profile(profile)
        chosen = dict(ports or {})
        for port in chosen.values():
            _require_free(port)
        tenant_port = chosen.pop(TENANT_PORT, 0)
        self.gateway: LabGateway = LabGateway(release, self.journal, folder, chosen)
        organization = CONTOSO if release.cluster else BCE_DEMO
        self.tenant = LabTenant(self.journal, folder, organization=organization, port=tenant_port)
        self.connect_file = folder / "connect.json"
        self.known_hosts = folder / "known_hosts"
        self._switches = switches
        self.reset()

    def start(self) -> None:
        """Start everything and write `connect_file` and `known_hosts`."""
        self.gateway.start()
        try:
            self.tenant.start()
        except BaseException:
            self.gateway.stop()
            raise
        self.connect_file.write_text(json.dumps(self._connections(), indent=2) + "\n", encoding="utf-8")
        self.known_hosts.write_text(self._host_keys(), encoding="utf-8")

    def stop(self) -> None:
        """Stop everything; the state can still be read."""
        self.tenant.stop()
        self.gateway.stop()

    def __enter__(self) -> Estate:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """What a run against this lab needs in its environment; the CA goes into the stack's caBundle."""
        wanted = {
            "M365SE_CONNECT": str(self.connect_file.resolve()),
            "GATEWAY_PASSWORD": self.gateway.password,
            "AZURE_CLIENT_SECRET": self.tenant.client_secret,
            "OUTBOUND_SECRET": OUTBOUND_SECRET,
        }
        if self.gateway.jump is not None:
            wanted["GATEWAY_KEY_FILE"] = str(self.gateway.jump.private_key_path.resolve())
        return wanted

    @property
    def ca_file(self) -> Path:
        """The certificate authority of all the lab's cloud hosts."""
        return self.tenant.ca_file

    def dump(self) -> str:
        """The committed state of both sides as stable text, secrets hashed."""
        return f"{self.gateway.dump().rstrip()}\n\n{self.tenant.dump()}"

    def snapshot(self) -> EstateSnapshot:
        """A copy of the whole state."""
        return EstateSnapshot(self.gateway.snapshot(), self.tenant.snapshot())

    def restore(self, snapshot: EstateSnapshot) -> None:
        """Go back to a snapshot; switches, journal and tokens stay."""
        self.gateway.restore(snapshot.gateway)
        self.tenant.restore(snapshot.tenant)

    def reset(self) -> None:
        """All switches as the estate was made with, no faults, no hooks in the journal."""
        self.gateway.reset()
        self.tenant.reset()
        self.journal.forget_hooks()
        tenant_names = {field.name for field in fields(Switches)}
        for name, value in self._switches.items():
            if name in tenant_names:
                setattr(self.tenant.switches, name, value)
            elif hasattr(self.gateway, name) and not callable(getattr(self.gateway, name)):
                setattr(self.gateway, name, value)
            else:
                raise TypeError(f"neither gateway nor tenant has a switch «{name}»")

    def _connections(self) -> dict[str, dict[str, object]]:
        """Names and the local ports behind them, as M365SE_CONNECT wants them."""
        found = {member.host: member.local_port for member in self.gateway.members}
        if self.gateway.jump is not None:
            found[self.gateway.jump.host] = self.gateway.jump.local_port
        found.update({f"{host}:443": self.tenant.port for host in self.tenant.hosts})
        return {
            name.lower(): {"host": "127.0.0.1", "port": port, "proxy": False} for name, port in found.items()
        }

    def _host_keys(self) -> str:
        from lab.gateway.keys import host_key

        hosts = [member.host for member in self.gateway.members]
        hosts += [self.gateway.jump.host] if self.gateway.jump is not None else []
        return "".join(f"{host} {host_key(host).export_public_key().decode().strip()}\n" for host in hosts)


def _require_free(port: int) -> None:
    """Say which port is taken before anything starts."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortTaken(port) from None
