"""The provider processes: each has four threads of its own and sees only what it is given.

So a check that waits for an hour stalls nobody, and calls to Exchange do not break up gateway batches.
"""

from functools import cached_property

import pulumi

from components.mail_checks import mailflow_settings
from components.settings import Settings, StackSettings
from dynamic_providers.connections import CREDENTIALS
from dynamic_providers.model import Model

PROJECT = "m365-secure-email"
Arguments = dict[str, str | pulumi.Output[str]]


class GatewayProviders:
    """The process of the gateway's resources. A process starts when it is first asked for."""

    def __init__(self, stack: StackSettings, parent: pulumi.Resource) -> None:
        self._stack = stack
        self._parent = parent

    @cached_property
    def gateway(self) -> pulumi.ProviderResource:
        """Tables of the gateway."""
        return self._process("gateway", self._gateway(), "GATEWAY_")

    def _gateway(self) -> Arguments:
        return {"gateway": _json(self._stack.gateway.connection())}

    def _process(self, name: str, arguments: Arguments, *variables: str) -> pulumi.ProviderResource:
        given = {**arguments, "stack": pulumi.get_stack(), **self._credentials(variables)}
        if self._stack.mode == "observe":
            given["mode"] = "observe"  # and no process writes, whatever it is asked for
        named = {f"{PROJECT}:{key}": value for key, value in given.items()}
        options = pulumi.ResourceOptions(parent=self._parent)
        return pulumi.ProviderResource("pulumi-python", name, named, options)

    def _credentials(self, variables: tuple[str, ...]) -> dict[str, pulumi.Output[str]]:
        """Those of the stack's config. A process reads those of the environment itself: none is handed on."""
        given = self._stack.credentials.in_clear()
        wanted = {argument for variable, argument in CREDENTIALS.items() if variable.startswith(variables)}
        return {key: pulumi.Output.secret(value) for key, value in given.items() if key in wanted}


class Providers(GatewayProviders):
    """All processes of a tenant's stack."""

    def __init__(self, settings: Settings, parent: pulumi.Resource) -> None:
        super().__init__(settings, parent)
        self._settings = settings

    @cached_property
    def exchange(self) -> pulumi.ProviderResource:
        """Objects of the tenant. It asks DNS as well, before it shuts the side entrance."""
        return self._process("exchange", {**self._tenant(), **self._dns()}, "AZURE_")

    @cached_property
    def dns(self) -> pulumi.ProviderResource:
        """MX records; an MX that waits for its time to live stalls nothing else."""
        return self._process("dns", self._dns(), "DNS_")

    @cached_property
    def checks(self) -> pulumi.ProviderResource:
        """Mail that proves the path, looked for on both sides."""
        tracking = self._settings.gateway.tracking
        arguments = {
            **self._gateway(),
            **self._tenant(),
            **self._dns(),
            **({"tracking": _json(tracking)} if tracking else {}),
            "mailflow": _json(mailflow_settings(self._settings)),
        }
        return self._process("checks", arguments, "GATEWAY_", "AZURE_", "TRACKING_", "PROBE_")

    def _tenant(self) -> Arguments:
        return {"tenant": _json(self._settings.tenant), "endpoints": _json(self._settings.endpoints)}

    def _dns(self) -> Arguments:
        return {"dns": _json(self._settings.dns.connection())}


def _json(model: Model) -> str:
    return model.model_dump_json(by_alias=True, exclude_none=True)
