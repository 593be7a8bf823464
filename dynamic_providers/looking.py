"""The one shape of resources that only look: they make nothing, so they leave nothing behind.

They refuse, in the preview already, what must not be done yet; they keep what they saw as outputs. What is
looked at may be a gateway, a tenant or the world's DNS.
"""

from collections.abc import Iterable
from typing import ClassVar

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    UpdateResult,
)

from dynamic_providers import connections
from dynamic_providers.entries import Props, has_unknown, plain
from dynamic_providers.errors import clean, clean_errors
from dynamic_providers.inputs import in_normal_form, register_secrets
from dynamic_providers.model import Model
from dynamic_providers.observation import Observation, Seeing

CONTEXT = ("before", "change")  # inputs that are never a difference by themselves


class LookingProvider(Seeing):
    """CRUD of a resource that looks. A subclass gives data, and what of `refusals`, `look`, `again` it needs.

    A `delete` has nothing to do, but for one that guards what goes after it.
    """

    serialize_as_secret_always = False  # a provider has no state: its pickle is its module and class name

    model: ClassVar[type[Model]]  # the inputs, less CONTEXT
    identity: ClassVar[tuple[str, ...]]  # inputs that say what is looked at; a change replaces
    outputs: ClassVar[tuple[str, ...]] = ()  # what is no input
    free: ClassVar[frozenset[str]] = frozenset()  # inputs whose change needs no new look
    secret: ClassVar[frozenset[str]] = frozenset()  # inputs that hold secrets

    # --- the hooks ------------------------------------------------------------------------------------------

    def refusals(self, inputs: Props, olds: Props) -> Iterable[str]:
        """Why these inputs cannot be, a line each; asked in the preview and in the run. `olds`: {} at first.

        What an operator should know on the way is said with `report`.
        """
        return ()

    def look(self, inputs: Props, olds: Props) -> Props:
        """Look, or wait until it is so, and give the outputs; raise where it is not as it has to be."""
        return {}

    def again(self, state: Props) -> Props:
        """What a refresh says is there now; a record of the past does not drift."""
        return state

    def unsettled(self, olds: Props, news: Props) -> bool:
        """Whether to look again though no input has changed."""
        return False

    def seen(self, inputs: Props) -> Iterable[Observation]:
        """For `mode: observe`: how it is, where nothing may be refused and nothing is waited for."""
        return ()

    # --- the engine's calls ---------------------------------------------------------------------------------

    def configure(self, req: ConfigureRequest) -> None:
        connections.configure(req.config)

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        olds = plain(_olds)
        self._register(olds)
        inputs, wrong = self.validated(news)
        if wrong or has_unknown({k: v for k, v in inputs.items() if k not in CONTEXT}):
            return CheckResult(inputs, wrong)
        lines = self.refusals(inputs, olds)
        return CheckResult(inputs, [CheckFailure(self._told_under, clean(one)) for one in lines])

    def validated(self, news: Props) -> tuple[Props, list[CheckFailure]]:
        given = self.inputs_of(plain(news))
        kept = {name: given.pop(name) for name in list(given) if name in CONTEXT or name.startswith("__")}
        self._register(given)
        inputs, wrong = in_normal_form(self.model, given, self.secret, self._told_under)
        return {**inputs, **kept}, wrong

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        olds, news = plain(_olds), plain(_news)
        self._register(olds, news)
        replaces = [name for name in self.identity if olds.get(name) != news.get(name)]
        changes = bool(replaces) or self.asked(olds) != self.asked(news) or self.unsettled(olds, news)
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=True)

    @clean_errors
    def create(self, props: Props) -> CreateResult:
        props = plain(props)
        self._register(props)
        where = "/".join(str(props[name]) for name in self.identity)
        return CreateResult(f"{type(self).__name__}/{where}", {**props, **self.look(props, {})})

    @clean_errors
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        olds, news = plain(_olds), plain(_news)
        self._register(olds, news)
        return UpdateResult({**news, **self.look(news, olds)})

    @clean_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        props = plain(props)
        self._register(props)
        state = self.again(props)
        return ReadResult(id_, state, self.inputs_of(state))

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        """Nothing was made, so nothing goes."""

    # --- properties -----------------------------------------------------------------------------------------

    def inputs_of(self, props: Props) -> Props:
        """Properties without what is no input."""
        return {name: value for name, value in props.items() if name not in self.outputs}

    def asked(self, props: Props) -> Props:
        """The inputs whose change needs a new look."""
        ignored = {*self.outputs, *self.free, *CONTEXT}
        return {k: v for k, v in props.items() if k not in ignored and not k.startswith("__")}

    @property
    def _told_under(self) -> str:
        """The input that the engine names with a refusal, and whose value it shows."""
        return next(iter((*self.identity, *self.model.model_fields)), "")

    def _register(self, *given: Props) -> None:
        register_secrets(self.secret, *given)
