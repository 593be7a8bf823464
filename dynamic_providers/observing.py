"""`mode: observe`: in place of a resource, one that only looks at what it would make. It never writes.

It has another type and another logical name (`observed-…`), so the engine never takes one for the other: what
it leaves out when it is deleted is only its own record of what was seen.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Self

import pulumi
from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from dynamic_providers.comparing import CONTEXT
from dynamic_providers.entries import Props, plain
from dynamic_providers.errors import ManagedError, clean_errors
from dynamic_providers.observation import Observation, Seeing, tell

_MODULE = "dynamic/observed:"
TYPE = f"pulumi-python:{_MODULE}"  # how the types of all that is observed begin
FOUND = "found"  # an output: what was seen, an Observation each


class ObservingProvider(ResourceProvider):
    """Says in each preview how it is; records that in `found`; writes nothing, and deletes nothing.

    `provider` has no state of its own, so this one is pickled by reference, as all are.
    """

    serialize_as_secret_always = False

    def __init__(self, provider: Seeing) -> None:
        super().__init__()
        self.provider = provider

    def __reduce__(self) -> tuple[type[Self], tuple[Seeing]]:
        """Pickled without a dict.

        Pulumi wraps the pickling of dicts once more for each resource, and never unwraps it (3.250), so that
        a thousand in one process end in a RecursionError.
        """
        return type(self), (self.provider,)

    def configure(self, req: ConfigureRequest) -> None:
        self.provider.configure(req)

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        inputs, wrong = self.provider.validated(_wanted(news))
        if not wrong:
            tell(list(self.provider.seen(inputs)))
        return CheckResult(inputs, wrong)

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        changes = _wanted(_olds) != _wanted(_news) or plain(_olds).get(FOUND) != self._found(_news)
        return DiffResult(changes=changes, replaces=[])

    @clean_errors
    def create(self, props: Props) -> CreateResult:
        return CreateResult(f"observed/{type(self.provider).__name__}", {**props, FOUND: self._found(props)})

    @clean_errors
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        return UpdateResult({**_news, FOUND: self._found(_news)})

    @clean_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        return ReadResult(id_, {**props, FOUND: self._found(props)}, _wanted(props))

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        """Nothing was made, so nothing goes."""

    def look(self, props: Props) -> list[Observation]:
        """How what these inputs want is there now."""
        inputs, wrong = self.provider.validated(_wanted(props))
        if wrong:
            raise ManagedError("; ".join(one.reason for one in wrong), fix="correct the settings")
        return list(self.provider.seen(inputs))

    def _found(self, props: Props) -> list[dict[str, str]]:
        return [asdict(one) for one in self.look(props)]


def _wanted(props: Props) -> Props:
    """What the settings want, without what was seen and what is the engine's."""
    return {k: v for k, v in plain(props).items() if k != FOUND and not k.startswith("__")}


# --- resources ----------------------------------------------------------------------------------------------


class Observing(pulumi.ResourceOptions):
    """Options that make an Observable one that only looks."""


class Observable(Resource):
    """Base of the resources that can be looked at instead of made, or waited for."""

    def __init__(
        self,
        provider: Seeing,
        name: str,
        props: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        if not isinstance(opts, Observing):
            super().__init__(provider, name, dict(props), opts)
            return
        self._resource_type_name = f"{_MODULE}{type(self).__name__}"  # type: ignore[misc] # the class's own
        given = {k: v for k, v in props.items() if v is not None and k not in CONTEXT}
        super().__init__(ObservingProvider(provider), f"observed-{name}", {**given, FOUND: None}, opts)
