"""The program in a folder of its own, with a stack for each of many customers and for each shared gateway."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components.stack_config import NAMESPACE
from fleet.environment import prefix
from lab.gateway.server import LabGateway
from lab.internet.practice import IMAP_HOST, NAME_SERVER_ADDRESS, PRACTICE_TSIG_KEY
from lab.many import Customer, ManyCustomers, mx_name
from tools.pulumi_cli import Project

Settings = dict[str, Any]


class Sandbox:
    """`customers`, `gateways`: the settings of their stacks by the stacks' names, as they are written.

    `environment` is what `fleet` is to be started in, each stack's own secrets under that stack's names.
    """

    def __init__(self, folder: Path, many: ManyCustomers, more: Mapping[str, str]) -> None:
        """The stack files are written; `more` comes into the environment of every process."""
        self.many = many
        estate = many.estate
        common = {**estate.environment, **more}
        del common["AZURE_CLIENT_SECRET"], common["OUTBOUND_SECRET"]
        self.customers = {stack_name(one): _customer(one, estate.ca_file) for one in many.customers}
        self.gateways = {f"{_name(one)}-lab": _shared(one) for one in many.shared_gateways}
        own = {stack_name(one): _own(one, many) for one in many.customers}
        self.projects = {
            name: Project(folder, name, {**common, **own.get(name, {})}, settings=_text(settings))
            for name, settings in {**self.gateways, **self.customers}.items()
        }
        inherited = Project(folder, next(iter(self.gateways)), common, settings="").environment
        prefixed = {prefix(name) + key: value for name, one in own.items() for key, value in one.items()}
        self.environment = {**inherited, **prefixed}
        self._state, self._salt = folder / "home" / "state", ""
        self._made()

    def write(self, stack: str, settings: Settings) -> None:
        """Another stack file in the place of a stack's."""
        self.projects[stack].stack_file.write_text(_text(settings) + self._salt, encoding="utf-8")

    def with_shop(self, customer: Customer, **changes: Any) -> Settings:
        """The settings of a customer who has one domain more."""
        settings = copy.deepcopy(self.customers[stack_name(customer)])
        shop = f"shop.{customer.domain}"
        settings["domains"][shop] = {"microsoftMx": customer.tenant.organization.mx[shop]}
        return {**settings, **changes}

    def _made(self) -> None:
        """`pulumi stack init`, by the engine once, by files then: they differ in the stack's name alone."""
        (first, project), *others = self.projects.items()
        project.stack_file.write_text("", encoding="utf-8")
        project.init()
        [self._salt] = re.findall(r"^encryptionsalt: .*\n", project.stack_file.read_text(), re.MULTILINE)
        made = [path for path in self._state.rglob("*") if path.is_file() and first in path.name]
        for name, _ in others:
            for path in made:
                content = path.read_text(encoding="utf-8").replace(first, name)
                path.with_name(path.name.replace(first, name)).write_text(content, encoding="utf-8")
        for name, settings in {**self.gateways, **self.customers}.items():
            self.write(name, settings)


def stack_name(customer: Customer) -> str:
    """The name of a customer's stack."""
    return f"{customer.name}-lab"


def _own(customer: Customer, many: ManyCustomers) -> dict[str, str]:
    """What the stack of this customer alone finds in its environment."""
    theirs = many.estate.environment_of(customer.tenant)
    own = {name: theirs[name] for name in ("M365SE_CONNECT", "AZURE_CLIENT_SECRET")}
    return {**own, "OUTBOUND_SECRET": customer.secret}


def _customer(customer: Customer, ca_file: Path) -> Settings:
    """All of the guide, cut over, and proven by mail."""
    there, domain = customer.tenant.organization, customer.domain
    member = customer.gateway.members[0]
    gateway = _gateway(customer.gateway) | {"shared": True} if customer.shared else _gateway(customer.gateway)
    tracking = {"from": "gateway", "url": f"https://{member.host}:4431"}
    return {
        "customer": {"name": customer.name.title(), "environment": "lab"},
        "tenant": {"id": there.tenant_id, "initialDomain": there.initial_domain, "clientId": there.client_id},
        "gateway": {**gateway, "tracking": tracking},
        "domains": {domain: {"microsoftMx": there.mx[domain], "mx": "gateway"}},
        "dns": {"server": NAME_SERVER_ADDRESS, "keyName": PRACTICE_TSIG_KEY, "ttl": 60},
        "inbound": {"mxHosts": [{"host": mx_name(customer.gateway), "preference": 10}]},
        "outbound": {"state": "all", "smartHosts": [member.data2]},
        "checks": {
            "mailbox": f"probe@{domain}",
            "outside": f"{customer.name}@probe.example",
            "imap": {"host": IMAP_HOST},
            "deadline": "2m",
        },
        "settle": {"rule": "1s", "mx": "1s"},
        "takeOver": [] if customer.shared else ["mailFlowPolicy"],
        "leave": ["transport rule Archive copies", "inbound connector From payroll service"],
        "endpoints": {"caBundle": str(ca_file.resolve())},
    }


def _shared(gateway: LabGateway) -> Settings:
    """The stack of a gateway that several customers share."""
    return {
        "kind": "gateway",
        "customer": {"name": "The provider", "environment": "lab"},
        "gateway": _gateway(gateway),
        "takeOver": ["mailFlowPolicy"],
    }


def _gateway(gateway: LabGateway) -> Settings:
    member = gateway.members[0]
    return {
        "name": _name(gateway),
        "members": [
            {
                "host": member.host,
                "user": gateway.user,
                "hostKey": member.host_key,
                "data1": member.data1,
                "data2": member.data2,
            }
        ],
        "inboundListener": "IncomingMail",
        "outboundListener": "OutgoingMail",
    }


def _name(gateway: LabGateway) -> str:
    return gateway.members[0].host.partition(".")[0]


def _text(settings: Settings) -> str:
    return yaml.safe_dump({"config": {f"{NAMESPACE}:{key}": value for key, value in settings.items()}})
