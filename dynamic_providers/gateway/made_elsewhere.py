"""What another stack makes on a shared gateway: looked at, never written.

The sender group and the mail flow policy of a gateway that several tenants use belong to its own stack, of
kind gateway. A tenant's stack only makes sure that they are there and right before its mail depends on them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from dynamic_providers import connections
from dynamic_providers.entries import Props, differences, has_unknown, plain
from dynamic_providers.errors import clean, clean_errors
from dynamic_providers.gateway.mail_flow_policy import MailFlowPolicyProvider
from dynamic_providers.gateway.sender_group import SenderGroupProvider
from dynamic_providers.gateway.ssh import GatewayError
from dynamic_providers.gateway.tables import GatewayProvider

PARTS: Mapping[str, type[GatewayProvider]] = {
    "mailFlowPolicy": MailFlowPolicyProvider,
    "senderGroup": SenderGroupProvider,
}


class NotAsMadeElsewhere(GatewayError):
    """Something that the gateway's own stack makes is missing, or differs."""


class MadeElsewhereProvider(ResourceProvider):
    """Inputs: gateway, and parts {senderGroup: its inputs, mailFlowPolicy: its inputs}."""

    serialize_as_secret_always = False
    fix: ClassVar[str] = "run `pulumi up` in the gateway's own stack (kind: gateway) first"

    def configure(self, req: ConfigureRequest) -> None:
        connections.configure(req.config)

    @clean_errors
    def check(self, _olds: Props, _news: Props) -> CheckResult:
        news = plain(_news)
        wrong = [] if has_unknown(news) else list(self._wrong(news))
        place = news.get("gateway")
        return CheckResult(
            news, [CheckFailure("parts", clean(f"{place}: {one}: {self.fix}")) for one in wrong]
        )

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        olds, news = plain(_olds), plain(_news)
        replaces = ["gateway"] if olds.get("gateway") != news.get("gateway") else []
        return DiffResult(changes=bool(replaces) or olds.get("parts") != news.get("parts"), replaces=replaces)

    @clean_errors
    def create(self, props: Props) -> CreateResult:
        self._require(plain(props))
        return CreateResult(f"{type(self).__name__}/{props['gateway']}", dict(props))

    @clean_errors
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        self._require(plain(_news))
        return UpdateResult(dict(_news))

    @clean_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        """Nothing of ours can drift; `check` looks again at each preview and update."""
        return ReadResult(id_, dict(props), dict(props))

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        """Nothing was made, so nothing goes."""

    def _require(self, props: Props) -> None:
        wrong = list(self._wrong(props))
        if wrong:
            raise NotAsMadeElsewhere("; ".join(wrong), where=str(props["gateway"]), fix=self.fix)

    def _wrong(self, props: Props) -> Iterator[str]:
        for kind, given in sorted(props["parts"].items()):
            provider = PARTS[kind]()
            inputs = provider.model.model_validate({**given, "gateway": props["gateway"]})
            wanted = plain(inputs.model_dump(mode="json", by_alias=True))
            place = {name: wanted[name] for name in provider.place_fields()}
            entries = provider.entries(wanted)
            live = provider.live(place, sorted(entries))
            for key, ours in entries.items():
                if key not in live:
                    yield f"{provider.label} «{key}» is not there"
                    continue
                found = differences(key, live[key], ours, secret=provider.secret, equal=provider.equal)
                if found:
                    yield f"{provider.label} «{key}» differs: {'; '.join(str(one) for one in found)}"


class MadeElsewhere(Resource, module="gateway", name="MadeElsewhere"):
    """Sender group and mail flow policy of a shared gateway, there and right, or the run stops."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(MadeElsewhereProvider(), name, dict(props), opts)
