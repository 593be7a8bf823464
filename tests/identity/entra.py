"""Entra in the place of Pulumi's engine: what the program asks for is kept, and answered as Entra would."""

import asyncio
import datetime as dt
import functools
import json
import re
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf import json_format
from pulumi.runtime import config as runtime_config
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import run_pulumi_func

from identity.settings import NAMESPACE

FOLDER = Path(__file__).parents[2] / "identity"
CLIENT = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
PRINCIPAL = "22222222-3333-4444-8555-666666666666"
MACHINE = "33333333-4444-4555-8666-777777777777"
EXCHANGE_HERE = "44444444-5555-4666-8777-888888888888"
GRAPH_HERE = "55555555-6666-4777-8888-999999999999"
PRINCIPALS = {
    "00000002-0000-0ff1-ce00-000000000000": EXCHANGE_HERE,
    "00000003-0000-0000-c000-000000000000": GRAPH_HERE,
}
PASSWORD = "Practice~Tenant~Secret~42"
_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Asked:
    """A resource as the engine is asked for it; in `inputs` a secret is ["secret", its value]."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    after: frozenset[str]
    by: Mapping[str, frozenset[str]]
    provider: str
    secret_outputs: tuple[str, ...]
    ignores: tuple[str, ...]


@dataclass
class Run:
    """What one run of the program asked for and handed out."""

    asked: dict[str, Asked] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    secret_outputs: set[str] = field(default_factory=set)
    kept_by_the_component: dict[str, Any] = field(default_factory=dict)

    def one(self, name: str) -> Asked:
        """A resource by its own part of the name."""
        return self.asked[f"identity-{name}"]

    def of_type(self, kind: str) -> list[Asked]:
        return [one for one in self.asked.values() if one.type.endswith(f":{kind}")]

    @property
    def in_clear(self) -> str:
        """Everything that whoever reads state and outputs may read."""
        outputs = {key: value for key, value in self.outputs.items() if key not in self.secret_outputs}
        inputs = [_without_secrets(one.inputs) for one in self.asked.values()]
        return json.dumps([outputs, inputs, _without_secrets(self.kept_by_the_component)], default=str)


class Entra(Mocks):
    """Answers."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        kind = args.typ.rpartition(":")[2]
        given = {_snake(key): value for key, value in args.inputs.items()}
        answers: Mapping[str, Callable[[], dict[str, Any]]] = {
            "Application": lambda: {"clientId": CLIENT},
            "ServicePrincipal": lambda: {"objectId": PRINCIPAL},
            "ApplicationPassword": lambda: {"value": PASSWORD},
            "PrivateKey": _key,
            "SelfSignedCert": lambda: _certificate(given["validity_period_hours"]),
        }
        made = answers[kind]() if kind in answers else {}
        return f"/{kind}/{args.name}", {**args.inputs, **made}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        assert args.token == "azuread:index/getServicePrincipal:getServicePrincipal"
        return {"objectId": PRINCIPALS.get(args.args["clientId"], MACHINE)}, []


class Monitor(MockMonitor):
    """Keeps what is asked for; and lets no event loop go unclosed, as Pulumi's own does."""

    def __init__(self, mocks: Mocks, run: Run) -> None:
        super().__init__(mocks)
        self.run = run

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        if request.type != "pulumi:pulumi:Stack":
            by = {key: _names(one.urns) for key, one in request.propertyDependencies.items()}
            self.run.asked[request.name] = Asked(
                request.type,
                request.name,
                _plain(json_format.MessageToDict(request.object)),
                _names(request.dependencies),
                {key: names for key, names in by.items() if names},
                request.provider,
                tuple(request.additionalSecretOutputs),
                tuple(request.ignoreChanges),
            )
        return _in_a_loop(super().RegisterResource, request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        if "AutomationIdentity" in request.urn:
            self.run.kept_by_the_component = _plain(json_format.MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call] # mocks have no types

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        return _in_a_loop(super().Invoke, request)


def run(values: Mapping[str, Any]) -> Run:
    """Run identity/__main__.py with the settings of a stack file."""
    found, entra = Run(), Entra()
    runtime_config.set_all_config(
        {
            f"{NAMESPACE}:{key}": value if isinstance(value, str) else json.dumps(value)
            for key, value in values.items()
        },
        [],
    )

    def program() -> None:
        runpy.run_path(str(FOLDER), run_name="__main__")

    async def whole() -> None:
        set_mocks(entra, project=NAMESPACE, stack="practice", preview=False, monitor=Monitor(entra, found))
        await run_pulumi_func(program)
        stack = get_root_resource()
        assert stack is not None
        for name, value in stack.outputs.items():  # type: ignore[attr-defined] # a Stack has them
            output = pulumi.Output.from_input(value)
            found.outputs[name] = await output.future()
            if await output.is_secret():
                found.secret_outputs.add(name)

    asyncio.run(whole())
    return found


def example(name: str) -> dict[str, Any]:
    """The settings of a stack file of the project's own."""
    file = FOLDER / "stacks" / f"Pulumi.{name}.yaml"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    return {key.removeprefix(f"{NAMESPACE}:"): value for key, value in values.items()}


@functools.cache
def key() -> rsa.RSAPrivateKey:
    """The key that every certificate here is made with; a short one is made quickly."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _key() -> dict[str, str]:
    forms = {"privateKeyPem": PrivateFormat.TraditionalOpenSSL, "privateKeyPemPkcs8": PrivateFormat.PKCS8}
    return {
        name: key().private_bytes(Encoding.PEM, form, NoEncryption()).decode() for name, form in forms.items()
    }


def _certificate(hours: float) -> dict[str, str]:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "practice")])
    begins = dt.datetime.now(dt.UTC).replace(microsecond=0)
    ends = begins + dt.timedelta(hours=hours)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(key(), hashes.SHA256())
    )
    return {"certPem": made.public_bytes(Encoding.PEM).decode(), "validityEndTime": ends.isoformat()}


def _in_a_loop(call: Any, request: Any) -> Any:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return call(request)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _names(urns: Any) -> frozenset[str]:
    return frozenset(str(urn).rpartition("::")[2].removeprefix("identity-") for urn in urns)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return ["secret", _plain(value["value"])]
        return {name: _plain(one) for name, one in value.items() if name != "__defaults"}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(one) for name, one in value.items()}
    if isinstance(value, list):
        return "…" if value[:1] == ["secret"] else [_without_secrets(one) for one in value]
    return value


def _snake(name: str) -> str:
    return re.sub("([A-Z])", lambda found: f"_{found.group().lower()}", name)
