"""The practice tenant as tests and the estate hold it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from lab.certificates import LabAuthority
from lab.journal import Journal
from lab.mail.network import Network
from lab.tenant.admin_api import AdminApi
from lab.tenant.authority import Authority
from lab.tenant.certificates import app_certificate, server_context
from lab.tenant.cmdlets import known
from lab.tenant.dump import dump
from lab.tenant.faults import Faults
from lab.tenant.foreign import furnish
from lab.tenant.graph_domains import GraphDomains
from lab.tenant.mail.graph import Graph
from lab.tenant.mail.plane import TenantMail
from lab.tenant.practice import BCE_DEMO, EXCHANGE_HOSTS, LOGIN_HOSTS, OTHER_HOSTS, STRAY_HOST, Organization
from lab.tenant.rendering import row_as_sent
from lab.tenant.session import Session
from lab.tenant.store import Store, Tables
from lab.tenant.switches import Rendering, Switches
from lab.tenant.tokens import Tokens
from lab.tenant.web import HttpsServer, application


class LabTenant:
    """A Microsoft 365 tenant on 127.0.0.1: `start()`, then `port`; turn `switches`, add `faults`.

    `port` 0 takes a free one. Certificates are written into `folder` at once; the authority behind them is
    `certificates`, or a new one with its CA file in `folder`.
    """

    def __init__(
        self,
        journal: Journal,
        folder: Path,
        *,
        organization: Organization = BCE_DEMO,
        switches: Switches | None = None,
        port: int = 0,
        certificates: LabAuthority | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = journal
        self.organization = organization
        self.tenant_id = organization.tenant_id
        self.initial_domain = organization.initial_domain
        self.client_id = organization.client_id
        self.client_secret = organization.client_secret
        self.hosts = (*LOGIN_HOSTS, *EXCHANGE_HOSTS, *OTHER_HOSTS, STRAY_HOST)
        self.switches = switches or Switches()
        self._as_given = dataclasses.asdict(self.switches)
        self.faults = Faults()
        self.certificates = certificates or LabAuthority(folder)
        self.ca_file = self.certificates.ca_file
        self.certificate_path = folder / "client-certificate.pem"
        self.folder = folder
        self.tokens = Tokens(organization, self.switches)
        self.store = Store(self.switches)
        furnish(self.store, self.switches, organization)
        certificate = app_certificate(self.certificate_path, "m365-secure-email practice")
        self.certificate_thumbprint = certificate.thumbprint
        self.authority = Authority(
            organization, self.switches, self.tokens, journal, self.faults, [certificate]
        )
        self.mail = TenantMail(organization, self.store, self.switches, journal)
        self.api = AdminApi(
            organization, self.store, self.switches, self.tokens, journal, self.faults, self.mail
        )
        domains = GraphDomains(organization, self.tokens, journal)
        self.graph = Graph(self.mail, self.tokens, self.switches, journal, domains)
        self._server = HttpsServer(port)

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1, once it is started."""
        return self._server.port

    @property
    def busy(self) -> bool:
        """Whether it works at a request, whoever may still wait for the answer."""
        return self._server.busy > 0

    def connect(self, network: Network) -> None:
        """Take part in this network's mail, from `start` on."""
        self.mail.connect(network, self.certificates)

    def start(self) -> None:
        """Listen on `port` for all of `hosts`, and at the front door if there is a network."""
        context = server_context(self.certificates)
        app = application(self.authority, self.api, self.graph, self.journal, self._server)
        self._server.start(app, context)
        self.mail.start()

    def stop(self) -> None:
        """Stop listening; the state stays readable."""
        self._server.stop()
        self.mail.stop()

    def __enter__(self) -> LabTenant:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def invoke_by_hand(self, cmdlet: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run a cmdlet as another administrator, journalled as «by-hand»; CmdletFailure if refused."""
        found = known(cmdlet)
        if found is None:
            raise ValueError(f"no such cmdlet in the lab: {cmdlet}")
        self.journal.record("by-hand", "call", cmdlet=found.name, parameters=parameters)
        session = Session(
            self.store, self.switches, "Another Administrator", by_hand=True, data_plane=self.mail
        )
        rows = found.invoke(session, parameters)
        if found.writes:
            self.journal.record("by-hand", "effect", cmdlet=found.name)
        return [row_as_sent(row, Rendering(annotations=False), nulls=found.nulls) for row in rows]

    def unregistered_certificate(self) -> Path:
        """A file with a certificate that the application does not know."""
        file = self.folder / "unregistered-certificate.pem"
        app_certificate(file, "m365-secure-email stranger")
        return file

    def dump(self) -> str:
        """The whole state as stable text; see `dump.py`."""
        with self.store.lock:
            return dump(self.store.tables)

    def snapshot(self) -> Tables:
        """A copy of the state, for `restore`."""
        return self.store.snapshot()

    def restore(self, snapshot: Tables) -> None:
        """Back to a snapshot of the state, without any mail; switches, faults and tokens stay."""
        self.store.restore(snapshot)
        self.mail.clear()

    def reset(self) -> None:
        """Switches back to what they were given as, no faults."""
        given = dict(self._as_given)
        rendering = given.pop("rendering")
        for name, value in given.items():
            setattr(self.switches, name, value)
        for name, value in rendering.items():
            setattr(self.switches.rendering, name, value)
        self.faults.clear()
        self.mail.reset()
