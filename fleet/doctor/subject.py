"""One stack as its doctor sees it: its settings as far as they are right, and the ways to its two sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from components.settings import Settings, StackSettings
from dynamic_providers import connections
from dynamic_providers.connections import CREDENTIALS
from dynamic_providers.dns.resolver import RememberingResolver
from dynamic_providers.errors import ManagedError
from fleet.doctor.logins import Gateways, Logins
from fleet.doctor.pulumi import Pulumi
from fleet.doctor.right_sections import RightSections, encrypted_keys, right_sections, without_encrypted
from fleet.doctor.tenant_side import TenantSide
from fleet.stacks import StackFile


@dataclass
class Subject:
    """One stack of the project in a folder. `environment`: of its processes; this one has the same."""

    stack: StackFile
    project: Path
    environment: Mapping[str, str]
    logins: Logins
    encrypted_unread: ManagedError | None = None
    """Why what is encrypted in the stack file cannot be read; None where it can be, or where nothing is."""

    def __post_init__(self) -> None:
        """Read the settings, and give the drivers what the engine would give them."""
        self.right: RightSections = right_sections(
            self._values(), self.environment, encrypted_keys(self.stack.values)
        )
        known = {} if self.is_wrong("credentials") else self.settings.credentials.in_clear()
        drivers = {key: value for key, value in known.items() if key in CREDENTIALS.values()}
        connections.forget_arguments()
        connections.set_arguments({**drivers, "stack": self.stack.name})

    @property
    def settings(self) -> StackSettings:
        """The settings, of which only those sections may be used that a check says it needs."""
        return self.right.settings

    @property
    def tenant_settings(self) -> Settings:
        """Likewise, of a tenant's stack."""
        assert isinstance(self.settings, Settings), "a check that needs a section of tenants' stacks says so"
        return self.settings

    def is_wrong(self, section: str) -> bool:
        """Whether a section has mistakes."""
        return section in self.right.wrong

    def has(self, section: str) -> bool:
        """Whether stacks of this kind have that section."""
        return section in type(self.settings).model_fields

    @property
    def pulumi(self) -> Pulumi:
        """The engine's command."""
        return Pulumi(self.stack.name, self.project, self.environment)

    @cached_property
    def gateways(self) -> Gateways:
        """The gateways' side."""
        return self.logins.of(self.settings.gateway.connection())

    @cached_property
    def tenant(self) -> TenantSide:
        """The tenant's side."""
        return TenantSide(self.tenant_settings.tenant, self.settings.endpoints)

    @cached_property
    def resolver(self) -> RememberingResolver:
        """Who is asked what the world resolves."""
        return RememberingResolver(self.tenant_settings.dns.resolvers)

    def close(self) -> None:
        """End what is this stack's alone; sessions with gateways stay for the next stack."""
        if "tenant" in self.__dict__:
            self.tenant.close()

    def _values(self) -> Mapping[str, object]:
        if not encrypted_keys(self.stack.values):
            return self.stack.values
        try:
            return self.pulumi.settings()
        except ManagedError as error:
            self.encrypted_unread = error
            return without_encrypted(self.stack.values)
