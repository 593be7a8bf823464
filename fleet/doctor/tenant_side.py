"""The tenant's side of a stack: one token, and what Exchange answers to it; asked for once by all checks."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from dynamic_providers.clouds import CLOUDS
from dynamic_providers.connections import Endpoints, TenantConnection
from dynamic_providers.exchange.admin_api import Patience, Row
from dynamic_providers.exchange.authority import Authority, Token
from dynamic_providers.exchange.client import ExchangeClient
from dynamic_providers.exchange.cmdlets import ACCEPTED_DOMAIN, Kind
from dynamic_providers.exchange.errors import ExchangeError
from dynamic_providers.exchange.transport import Https
from fleet.doctor.finding import NotLookedAt

_PATIENCE: Final = Patience(attempts=3, first_wait=1.0, longest_wait=10.0, deadline=60.0)
"""Somebody waits for the doctor, and can ask again."""


class TenantSide:
    """One tenant. What fails, fails once: it is remembered."""

    def __init__(self, tenant: TenantConnection, endpoints: Endpoints) -> None:
        self.tenant, self.endpoints = tenant, endpoints
        self._https: Https | None = None
        self._client: ExchangeClient | None = None

    @property
    def login_page(self) -> str:
        """What the login publishes about a tenant to everybody."""
        host = self.endpoints.authority or f"https://{CLOUDS[self.tenant.cloud].login}"
        return f"{host}/{self.tenant.id}/v2.0/.well-known/openid-configuration"

    @property
    def https(self) -> Https:
        """HTTPS as Exchange's client speaks it. Raises ExchangeError."""
        if self._https is None:
            self._https = Https(self.endpoints.ca_bundle)
        return self._https

    @cached_property
    def token(self) -> Token | ExchangeError:
        """A token, or why there is none."""
        try:
            return Authority(self.tenant, self.endpoints, self.https).token()
        except ExchangeError as error:
            return error

    @cached_property
    def accepted_domains(self) -> list[Row] | ExchangeError:
        """The rows of the smallest list that every right to read shows, or why there are none."""
        try:
            return list(self.rows(ACCEPTED_DOMAIN))
        except ExchangeError as error:
            return error

    def require_token(self) -> Token:
        """The token; raises NotLookedAt where there is none."""
        if isinstance(self.token, ExchangeError):
            raise NotLookedAt("there is no token (see token)")
        return self.token

    def rows(self, kind: Kind) -> list[Row]:
        """All objects of a kind; read once. Raises ExchangeError."""
        if self._client is None:
            self._client = ExchangeClient(self.tenant, self.endpoints, _PATIENCE)
        return list(self._client.rows(kind))

    def close(self) -> None:
        """Close the connections."""
        for one in (self._client, self._https):
            if one is not None:
                one.close()
