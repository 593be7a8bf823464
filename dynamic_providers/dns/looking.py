"""The shape of resources that only look: they make nothing, so they leave nothing behind."""

from abc import ABC, abstractmethod
from typing import ClassVar

from pulumi.dynamic import CheckFailure, CheckResult, ConfigureRequest, DiffResult, ResourceProvider
from pydantic import ValidationError

from dynamic_providers import connections
from dynamic_providers.entries import Props, has_unknown, plain
from dynamic_providers.errors import clean, clean_errors
from dynamic_providers.model import Model

CONTEXT = ("before", "change")  # inputs that are never a difference by themselves


class LookingProvider(ResourceProvider, ABC):
    """Check and diff of a resource that looks. A subclass gives a model, its outputs, and `refusals`."""

    serialize_as_secret_always = False  # a provider has no state: its pickle is its module and class name

    model: ClassVar[type[Model]]  # the inputs, less CONTEXT
    identity: ClassVar[str]  # the input that says what is looked at; a change replaces
    outputs: ClassVar[tuple[str, ...]]  # what is no input
    free: ClassVar[frozenset[str]] = frozenset()  # inputs whose change needs no new look

    @abstractmethod
    def refusals(self, inputs: Props, olds: Props) -> list[str]:
        """Why these inputs are refused before anything is done, a line each; says on the way what to know."""

    def configure(self, req: ConfigureRequest) -> None:
        connections.configure(req.config)

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        news = plain(news)
        kept = {name: news.pop(name) for name in list(news) if name in CONTEXT or name.startswith("__")}
        if has_unknown(news):
            return CheckResult({**news, **kept}, [])
        try:
            inputs = plain(self.model.model_validate(news).model_dump(mode="json", by_alias=True))
        except ValidationError as error:
            return CheckResult({**news, **kept}, self._failures(error))
        lines = self.refusals({**inputs, **kept}, plain(_olds))
        return CheckResult({**inputs, **kept}, [CheckFailure(self.identity, clean(one)) for one in lines])

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        olds, news = self._asked(plain(_olds)), self._asked(plain(_news))
        replaces = [self.identity] if olds.get(self.identity) != news.get(self.identity) else []
        return DiffResult(changes=olds != news, replaces=replaces, delete_before_replace=True)

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        """Nothing was made, so nothing goes."""

    def inputs_of(self, props: Props) -> Props:
        """A state's properties without what is no input."""
        return {name: value for name, value in props.items() if name not in self.outputs}

    def id_of(self, props: Props) -> str:
        """The resource's id: its kind and what it looks at."""
        return f"{type(self).__name__}/{props[self.identity]}"

    def _asked(self, props: Props) -> Props:
        ignored = {*self.outputs, *self.free, *CONTEXT}
        return {k: v for k, v in props.items() if k not in ignored and not k.startswith("__")}

    def _failures(self, error: ValidationError) -> list[CheckFailure]:
        failures = []
        for one in error.errors(include_input=False, include_url=False, include_context=False):
            path = ".".join(str(part) for part in one["loc"])
            shown = str(one["loc"][0]) if one["loc"] else self.identity
            failures.append(CheckFailure(shown, clean(f"{path}: {one['msg']}")))
        return failures
