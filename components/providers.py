"""The provider processes: one for the gateway, one for Exchange, each with four threads and what it needs."""

from dataclasses import dataclass

import pulumi

from components.settings import Settings
from dynamic_providers.connections import CREDENTIALS
from dynamic_providers.model import Model

PROJECT = "m365-secure-email"


@dataclass(frozen=True)
class Providers:
    """The explicit providers that the resources run under."""

    gateway: pulumi.ProviderResource
    exchange: pulumi.ProviderResource

    @staticmethod
    def of(settings: Settings, parent: pulumi.Resource) -> "Providers":
        stack = {"stack": pulumi.get_stack()}
        gateway: dict[str, str | pulumi.Output[str]] = {
            "gateway": _json(settings.gateway.connection()),
            **stack,
            **_credentials(settings, "GATEWAY_"),
        }
        tenant: dict[str, str | pulumi.Output[str]] = {
            "tenant": _json(settings.tenant),
            "endpoints": _json(settings.endpoints),
            **stack,
            **_credentials(settings, "AZURE_"),
        }
        return Providers(_process("gateway", gateway, parent), _process("exchange", tenant, parent))


def _process(
    name: str, arguments: dict[str, str | pulumi.Output[str]], parent: pulumi.Resource
) -> pulumi.ProviderResource:
    named = {f"{PROJECT}:{key}": value for key, value in arguments.items()}
    return pulumi.ProviderResource("pulumi-python", name, named, pulumi.ResourceOptions(parent=parent))


def _credentials(settings: Settings, variables: str) -> dict[str, pulumi.Output[str]]:
    """Those of the stack's config. A process reads those of the environment itself: none is handed on."""
    given = settings.credentials.in_clear()
    wanted = {argument for variable, argument in CREDENTIALS.items() if variable.startswith(variables)}
    return {key: pulumi.Output.secret(value) for key, value in given.items() if key in wanted}


def _json(model: Model) -> str:
    return model.model_dump_json(by_alias=True, exclude_none=True)
