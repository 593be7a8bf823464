"""The shape of resources that look at the tenant, or prove something there, and own nothing in it."""

from abc import ABC
from collections.abc import Iterable
from typing import ClassVar

from pulumi.dynamic import CheckFailure, CheckResult, ConfigureRequest, ResourceProvider
from pydantic import ValidationError

from dynamic_providers import connections
from dynamic_providers.entries import Props, has_unknown, plain, texts
from dynamic_providers.errors import clean, clean_errors, register_secret
from dynamic_providers.model import Model


class ReadOnlyProvider(ResourceProvider, ABC):
    """`check` by a model, and a `delete` that has nothing to do. A subclass gives the rest."""

    serialize_as_secret_always = False  # a provider has no state: its pickle is its module and class name

    model: ClassVar[type[Model]]  # the inputs
    outputs: ClassVar[tuple[str, ...]] = ()  # what is no input
    shown: ClassVar[str] = "tenant"  # the property that a refusal names: the engine prints its value
    secret: ClassVar[frozenset[str]] = frozenset()  # inputs that hold secrets

    def refused(self, news: Props, olds: Props) -> Iterable[str]:
        """Why these inputs cannot be, a line each; asked in the preview and in the run."""
        return ()

    def configure(self, req: ConfigureRequest) -> None:
        connections.configure(req.config)

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        news, olds = plain(news), plain(_olds)
        provider_key = {name: news.pop(name) for name in list(news) if name.startswith("__")}
        news = self._inputs(news)
        self._register(news, olds)
        if has_unknown(news):
            return CheckResult({**news, **provider_key}, [])
        try:
            inputs = plain(self.model.model_validate(news).model_dump(mode="json", by_alias=True))
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            lines = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found]
            return CheckResult({**news, **provider_key}, self._failures(lines))
        return CheckResult({**inputs, **provider_key}, self._failures(self.refused(inputs, olds)))

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        """Nothing was made, so nothing goes."""

    def _inputs(self, props: Props) -> Props:
        return {k: v for k, v in props.items() if k not in self.outputs}

    def _register(self, *given: Props) -> None:
        for props in given:
            for name in self.secret:
                for text in texts(props.get(name)):
                    register_secret(text)

    def _failures(self, lines: Iterable[str]) -> list[CheckFailure]:
        return [CheckFailure(self.shown, clean(line)) for line in lines]
