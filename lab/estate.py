"""The whole practice estate: gateway, jump host, tenants and internet, in threads of this process."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lab.certificates import LabAuthority
from lab.internet.internet import Internet
from lab.internet.practice import PRACTICE_TSIG, PROBE_ADDRESS, PROBE_PASSWORD
from lab.internet.zones import Zone
from lab.journal import Journal
from lab.mail.network import Network
from lab.tenant.practice import BCE_DEMO, CONTOSO, FABRIKAM, OUTBOUND_SECRET, Organization
from lab.tenant.server import LabTenant
from lab.tenant.store import Tables
from lab.tenant.switches import Switches
from lab.tenant.web import PortTaken

if TYPE_CHECKING:
    from lab.gateway.member import Snapshot
    from lab.gateway.server import LabGateway

TENANT_PORT = "tenant"
SMTP, TRACKING = 25, 4431


class _Part(Protocol):
    def start(self) -> object: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class EstateSnapshot:
    """The state of all sides, to go back to."""

    gateways: tuple[Snapshot, ...]
    tenants: tuple[Tables, ...]
    internet: dict[str, Zone]


class Estate:
    """Gateway, tenant and the internet between them; a context manager.

    `internet`, `gateway`, `mail` (the gateway's) and `tenant` are its parts, each with its own switches.

    `switches` are attributes of the gateway or of the tenant's `Switches`; `reset` goes back to them.
    `ports` fixes local ports by host name (the tenant's is called «tenant»); all others are free ones.
    `second_tenant`: another tenant uses the same gateway; it is `second`, and finds its own side by
    `second_environment`. `more_tenants`: further ones, the last of `tenants`; `environment_of` tells the side
    of each, and `lab.many` gives them names in DNS. `more_gateways`: so many further gateways of the same
    release, not clustered, each with a configuration and switches of its own: `others`.
    `gateway_in_spf`: whether the domains' SPF records name the gateways already.
    """

    def __init__(
        self,
        folder: Path,
        profile: str = "new",
        *,
        journal: Journal | None = None,
        ports: Mapping[str, int] | None = None,
        second_tenant: bool = False,
        more_tenants: Sequence[Organization] = (),
        more_gateways: int = 0,
        gateway_in_spf: bool = True,
        **switches: Any,
    ) -> None:
        # The gateway's libraries take half a second to load: only who wants an estate pays for them.
        from lab.gateway.profile import another_gateway, load_profile
        from lab.gateway.server import LabGateway

        self.folder = folder
        self.certificates = LabAuthority(folder)
        self.journal = journal or Journal()
        release = load_profile(profile)
        chosen = dict(ports or {})
        for port in chosen.values():
            _require_free(port)
        tenant_port = chosen.pop(TENANT_PORT, 0)
        self.internet = Internet(self.journal, self.certificates, gateway_in_spf=gateway_in_spf)
        self.gateway: LabGateway = LabGateway(release, self.journal, folder, chosen)
        organization = CONTOSO if release.cluster else BCE_DEMO
        self.tenant = self._tenant(folder, organization, tenant_port)
        self.second = self._tenant(folder / "second", FABRIKAM, 0) if second_tenant else None
        further = tuple(self._tenant(folder / one.initial_domain, one, 0) for one in more_tenants)
        self.tenants = (self.tenant, *((self.second,) if self.second else ()), *further)
        """The tenant, the second one if there is one, and those that are further ones."""
        self.others = tuple(
            LabGateway(another_gateway(release, number), self.journal, folder)
            for number in range(1, more_gateways + 1)
        )
        served, shown = self.certificates.server_context, self.certificates.client_context
        self.mail = self.gateway.connect(self.network, served, identities=shown)
        for other in self.others:
            other.connect(self.network, served, identities=shown)
        self.connect_file = self.tenant.folder / "connect.json"
        self.known_hosts = folder / "known_hosts"
        self._switches = switches
        self._running = ExitStack()
        self.reset()

    def _tenant(self, folder: Path, organization: Organization, port: int) -> LabTenant:
        made = LabTenant(
            self.journal, folder, organization=organization, port=port, certificates=self.certificates
        )
        made.connect(self.network)
        return made

    def start(self) -> None:
        """Start everything, write the connect files and `known_hosts`."""
        with ExitStack() as started:
            parts: tuple[_Part, ...] = (self.internet, *self.gateways, *self.tenants)
            for part in parts:
                part.start()
                started.callback(part.stop)
            self._running = started.pop_all()
        for host in self.mail.tracking_hosts:
            self.network.listen(host, TRACKING, self.mail.tracking_port)
        for other in self.others:
            assert other.mail is not None
            self.network.listen(other.members[0].host, TRACKING, other.mail.tracking_port)
        self.network.changed = self._write_connect_files
        self._write_connect_files()
        self.known_hosts.write_text(self._host_keys(), encoding="utf-8")

    def stop(self) -> None:
        """Stop everything; the state can still be read."""
        self.network.changed = None
        self._running.close()

    def __enter__(self) -> Estate:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def at_rest(self) -> bool:
        """Whether nobody is logged in to a gateway, and no tenant works at a request."""
        return not any(one.sessions for one in self.gateways) and not any(
            tenant.busy for tenant in self.tenants
        )

    @property
    def network(self) -> Network:
        """Who listens where, and what names mean."""
        return self.internet.network

    @property
    def gateways(self) -> tuple[LabGateway, ...]:
        """The gateway, and those that are not in a cluster with it."""
        return (self.gateway, *self.others)

    @property
    def environment(self) -> dict[str, str]:
        """What a run against this lab needs in its environment; the CA goes into the stack's caBundle."""
        return self.environment_of(self.tenant)

    @property
    def second_environment(self) -> dict[str, str]:
        """The same for a stack of the second tenant."""
        assert self.second is not None, "an estate with second_tenant=True has one"
        return self.environment_of(self.second)

    def environment_of(self, tenant: LabTenant) -> dict[str, str]:
        """The same for a stack of one of the tenants."""
        wanted = {
            "M365SE_CONNECT": str((tenant.folder / "connect.json").resolve()),
            "GATEWAY_PASSWORD": self.gateway.password,
            "AZURE_CLIENT_SECRET": tenant.client_secret,
            "OUTBOUND_SECRET": OUTBOUND_SECRET,
            "DNS_TSIG_SECRET": PRACTICE_TSIG,
            "PROBE_IMAP_PASSWORD": PROBE_PASSWORD,
        }
        if self.gateway.jump is not None:
            wanted["GATEWAY_KEY_FILE"] = str(self.gateway.jump.private_key_path.resolve())
        return wanted

    @property
    def ca_file(self) -> Path:
        """The certificate authority of all the lab's hosts."""
        return self.certificates.ca_file

    def dump(self) -> str:
        """The committed state of gateways and tenants as stable text, secrets hashed; DNS has its own."""
        gateways = [gateway.dump().rstrip() for gateway in self.gateways]
        return "\n\n".join([*gateways, *(tenant.dump() for tenant in self.tenants)])

    def snapshot(self) -> EstateSnapshot:
        """A copy of the whole state."""
        tenants = tuple(tenant.snapshot() for tenant in self.tenants)
        gateways = tuple(gateway.snapshot() for gateway in self.gateways)
        return EstateSnapshot(gateways, tenants, self.internet.snapshot())

    def restore(self, snapshot: EstateSnapshot) -> None:
        """Go back to a snapshot; switches, journal and tokens stay, mail under way and kept is gone."""
        for tenant, tables in zip(self.tenants, snapshot.tenants, strict=True):
            tenant.restore(tables)
        for gateway, state in zip(self.gateways, snapshot.gateways, strict=True):
            gateway.restore(state)
        for tenant in self.tenants:
            tenant.mail.clear()  # what the gateway delivered until its queue was empty
        self.internet.restore(snapshot.internet)

    def reset(self) -> None:
        """All switches as the estate was made with, no faults, no hooks in the journal."""
        self.internet.reset()
        for gateway in self.gateways:
            gateway.reset()
        for tenant in self.tenants:
            tenant.reset()
        self.journal.forget_hooks()
        tenant_names = {field.name for field in fields(Switches)}
        for name, value in self._switches.items():
            if name in tenant_names:
                for tenant in self.tenants:
                    setattr(tenant.switches, name, value)
            elif hasattr(self.gateway, name) and not callable(getattr(self.gateway, name)):
                for gateway in self.gateways:
                    setattr(gateway, name, value)
            else:
                raise TypeError(f"neither gateway nor tenant has a switch «{name}»")

    def _write_connect_files(self) -> None:
        """Names and addresses, and the local ports behind them, as M365SE_CONNECT wants them."""
        found: dict[str, dict[str, object]] = {}
        for (address, port), local_port in self.network.known().items():
            found[f"{address}:{port}"] = _behind(local_port)
            if port == SMTP:
                found[f"{address}:{port}"] |= {"proxy": True, "source": PROBE_ADDRESS}
        for gateway in self.gateways:
            for member in gateway.members:
                found[member.host.lower()] = _behind(member.local_port)
        if self.gateway.jump is not None:
            found[self.gateway.jump.host.lower()] = _behind(self.gateway.jump.local_port)
        for tenant in self.tenants:
            own = {f"{host}:443": _behind(tenant.port) for host in tenant.hosts}
            fresh = tenant.folder / "connect.new"
            fresh.write_text(json.dumps(found | own, indent=2) + "\n", encoding="utf-8")
            fresh.replace(tenant.folder / "connect.json")  # whoever reads it sees the old one or the new one

    def _host_keys(self) -> str:
        from lab.gateway.keys import host_key

        hosts = [member.host for gateway in self.gateways for member in gateway.members]
        hosts += [self.gateway.jump.host] if self.gateway.jump is not None else []
        return "".join(f"{host} {host_key(host).export_public_key().decode().strip()}\n" for host in hosts)


def _behind(local_port: int) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": local_port, "proxy": False}


def _require_free(port: int) -> None:
    """Say which port is taken before anything starts."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortTaken(port) from None
