"""From what people know to what the world says: what is looked up, and what has to be asked for after all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from components.connection_settings import EndpointSettings
from components.mail_sections import DnsSettings
from dynamic_providers import addresses, wording
from dynamic_providers.connections import Endpoints, GatewayConnection, JumpHost, Member, TenantConnection
from dynamic_providers.dns.wire import LookUpFailed
from dynamic_providers.errors import ManagedError
from dynamic_providers.refusal import refuse
from fleet.onboard.answers import Answers
from fleet.onboard.given import Given, merged
from fleet.onboard.known import Known
from fleet.onboard.lookups import HostKeys, MicrosoftMx, look_at, mx_at, tenant_id

JUMP_USER = "dh-user"
STAND_IN = "192.0.2.1"
"""An address of nobody's, where the live one is still to be read: it is never connected to, nor written."""


@dataclass(frozen=True)
class Found:
    """What was looked up. `sources`: of each thing, who says so."""

    tenant: TenantConnection
    endpoints: Endpoints
    gateway: GatewayConnection
    inbound_listener: str
    outbound_listener: str
    microsoft_mx: Mapping[str, str]
    sources: tuple[str, ...] = field(default=())


class Looking:
    """Looks everything up; what cannot be is asked for, and what is still missing then is told at once."""

    def __init__(self, given: Given, known: Known, answers: Answers) -> None:
        self._given, self._known, self._answers = given, known, answers
        self._sources: list[str] = []
        values = merged({}, known.settings)
        self._endpoints = _section(EndpointSettings, values.get("endpoints"), "--set endpoints")
        self._dns = _section(DnsSettings, values.get("dns"), "--set dns")

    def all(self) -> Found:
        """Everything. Raises Incomplete."""
        known, answers = self._known, self._answers
        tenant = self._tenant()
        live = self._given.from_live  # then the routes say it
        microsoft_mx = {} if tenant is None or live else self.microsoft_mx(tenant, known.domains)
        gateway = self._gateway()
        inbound = outbound = ""
        if gateway is not None:
            gateway, listeners = self._look_at(gateway)
            inbound = self._listener("inbound", self._given.inbound_listener, "public", listeners)
            outbound = self._listener("outbound", self._given.outbound_listener, "private", listeners)
        answers.require()
        assert tenant is not None
        assert gateway is not None
        mx = {**microsoft_mx, **known.microsoft_mx}
        return Found(tenant, self._endpoints, gateway, inbound, outbound, mx, tuple(self._sources))

    def require(self) -> None:
        """Raise Incomplete where something is still missing."""
        self._answers.require()

    # --- tenant ---------------------------------------------------------------------------------------------

    def _tenant(self) -> TenantConnection | None:
        given, known = self._given, self._known
        try:
            found = given.tenant_id or tenant_id(known.tenant, known.cloud, self._endpoints)
        except ManagedError as error:
            self._answers.tell(f"the tenant's id was not found: {error}")
            found = ""
        question = "the tenant's directory id, as the Entra admin center shows it"
        id_ = self._answers.value(found, "--tenant-id", question, wording.guid)
        if id_ is None:
            return None
        self._say(
            f"tenant {known.tenant}: {id_}", "the command line" if given.tenant_id else "its login page"
        )
        return TenantConnection.model_validate(
            {"id": id_, "initialDomain": known.tenant, "clientId": known.client_id, "cloud": known.cloud}
        )

    # --- domains --------------------------------------------------------------------------------------------

    def microsoft_mx(self, tenant: TenantConnection, domains: Sequence[str]) -> dict[str, str]:
        """Each domain's own Microsoft MX; what nobody says is missing."""
        ask = MicrosoftMx(tenant, self._endpoints, self._dns.resolvers)
        try:
            found = {domain: self._mx_of(ask, domain) for domain in domains}
        finally:
            ask.close()
        return {domain: host for domain, host in found.items() if host}

    def mx_hosts(self, gateway: GatewayConnection, domains: Sequence[str]) -> tuple[str, ...]:
        """The gateways' inbound hosts, where MX records name them already; else the letter's."""
        interfaces = [address for one in gateway.members for address in (one.data1, one.data2)]
        try:
            return self._known.mx_hosts or mx_at(interfaces, domains, self._dns.resolvers)
        except LookUpFailed as error:
            self._answers.tell(f"where the domains' MX lead was not looked up: {error}")
            return ()

    def _mx_of(self, ask: MicrosoftMx, domain: str) -> str:
        if domain in self._known.microsoft_mx:
            return self._known.microsoft_mx[domain]
        try:
            host, source = ask.of(domain)
        except ManagedError as error:
            what = f"{domain}: its own Microsoft MX, as the Microsoft 365 admin center shows it ({error})"
            option = f"--microsoft-mx {domain}=HOST"
            return self._answers.value("", option, what, addresses.microsoft_mx) or ""
        self._say(f"Microsoft MX of {domain}: {host}", source)
        return host

    # --- gateways -------------------------------------------------------------------------------------------

    def _gateway(self) -> GatewayConnection | None:
        """The gateways, if every one's host key is known."""
        known = self._known
        keys = HostKeys(known.host_keys, self._agreed)
        jump = self._jump_host(keys)
        if known.jump_host and jump is None:
            self._answers.missing("--accept-host-key", "the gateways' own come after the jump host's")
            return None
        members = []
        for one in known.gateways:
            key = self._key(keys, one.host, one.port, jump)
            if key:
                data = {"data1": one.data1 or STAND_IN, "data2": one.data2 or STAND_IN}
                where = {"host": one.host, "port": one.port, "user": self._given.user, "hostKey": key}
                members.append(Member.model_validate({**where, **data}))
        if len(members) < len(known.gateways):
            return None
        name = self._answers.checked(known.gateway_name, "--gateway-name", wording.label) or "gateway"
        return GatewayConnection(name=name, members=tuple(members), jump_host=jump, cluster=known.cluster)

    def _jump_host(self, keys: HostKeys) -> JumpHost | None:
        host = self._known.jump_host
        key = self._key(keys, host, 22, None) if host else ""
        return JumpHost.model_validate({"host": host, "user": JUMP_USER, "hostKey": key}) if key else None

    def _key(self, keys: HostKeys, host: str, port: int, jump: JumpHost | None) -> str:
        try:
            key = keys.of(host, port, jump)
        except ManagedError as error:
            self._answers.missing(f"--accept-host-key {host}=SHA256:…", str(error))
            return ""
        self._say(f"host key of {host}: {key}", "accepted by you")
        return key

    def _agreed(self, host: str, fingerprint: str) -> bool:
        """What a person says who has compared it."""
        if not self._answers.can_ask:
            return False
        self._answers.tell(f"{host} shows the host key {fingerprint}")
        return self._answers.agreed(
            "Have you compared it with what the host's owner says, and is it the same?"
        )

    def _look_at(self, gateway: GatewayConnection) -> tuple[GatewayConnection, Mapping[str, str]]:
        """What the gateways say of themselves; nothing where they cannot be reached."""
        try:
            corrected, listeners = look_at(gateway)
        except ManagedError as error:
            self._answers.tell(f"the gateway was not looked at: {error}")
            return gateway, {}
        if corrected.cluster != gateway.cluster:
            self._say(
                "the gateways are " + ("clustered" if corrected.cluster else "not clustered"), gateway.name
            )
        return corrected, listeners

    def _listener(self, way: str, given: str, kind: str, there: Mapping[str, str]) -> str:
        """A listener's name as the gateway has it: the one that was given, or the only one of its kind."""
        of_kind = [name for name, found in there.items() if found == kind]
        listed = ", ".join(f"{name} ({found or 'of no kind'})" for name, found in there.items())

        def check(text: str) -> str:
            if there and text not in there:
                refuse(f"is no listener of the gateway; there are: {listed}")
            return wording.listener(text)

        if not given and len(of_kind) == 1:
            self._say(f"{way} listener: {of_kind[0]}", "the gateway")
            return of_kind[0]
        has = f"; the gateway has {listed}" if there else ", exactly as it writes it"
        question = f"the gateway's {kind} listener{has}"
        return self._answers.value(given, f"--{way}-listener", question, check) or ""

    def _say(self, what: str, source: str) -> None:
        self._sources.append(f"{what} ({source})")


def _section(model: Any, values: object, option: str) -> Any:
    """A section of the settings that the look-ups need before the whole is checked."""
    try:
        return TypeAdapter(model).validate_python(values or {})
    except ValidationError as error:
        what = "; ".join(".".join(map(str, one["loc"])) for one in error.errors(include_input=False))
        raise ManagedError(f"not right: {what}", where=option, fix="see docs/reference/settings.md") from None
