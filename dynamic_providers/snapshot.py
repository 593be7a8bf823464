"""What was there before us: recorded once, by a read-only resource that comes first: no crash can lose it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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
from dynamic_providers.entries import Entries, Place, Props, plain
from dynamic_providers.errors import clean, clean_errors

Record = dict[str, Entries]  # kind → natural key → entry, or ABSENT
Keys = dict[str, Sequence[str]]  # kind → natural keys

_NOT_NOW = (
    "this stack manages what is there, so mode: observe would take all of that away, and mail with it. Set "
    "mode: manage again; `fleet compare` looks without changing anything. To give it up, `pulumi destroy` "
    "puts back what was there before; docs/how-to.md says how to leave all as it is and only look from then"
)


class SnapshotProvider(ResourceProvider, ABC):
    """Inputs: identity fields and `keys` (kind → natural keys). Output: `record`, a secret."""

    serialize_as_secret_always = False
    identity: ClassVar[tuple[str, ...]]

    @abstractmethod
    def record(self, place: Place, keys: Keys) -> Record:
        """Read what is there now under these keys, ABSENT included; a failed read raises."""

    def configure(self, req: ConfigureRequest) -> None:
        connections.configure(req.config)

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """A stack that only looks (`mode: observe`) has no keys; one that has some may not become one.

        What it manages would be gone from the program, and the engine would take it away, and mail with it.
        """
        had, has = (any(plain(props).get("keys", {}).values()) for props in (_olds, news))
        if not had or has:
            return CheckResult(news, [])
        where = ", ".join(str(news[name]) for name in self.identity)
        return CheckResult(news, [CheckFailure((*self.identity, "keys")[0], clean(f"{where}: {_NOT_NOW}"))])

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        olds, news = plain(_olds), plain(_news)
        replaces = [name for name in self.identity if olds.get(name) != news.get(name)]
        return DiffResult(changes=bool(replaces) or olds.get("keys") != news.get("keys"), replaces=replaces)

    @clean_errors
    def create(self, props: Props) -> CreateResult:
        props = plain(props)
        place = {name: props[name] for name in self.identity}
        return CreateResult("/".join([type(self).__name__, *map(str, place.values())]), self._outs(props, {}))

    @clean_errors
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        return UpdateResult(self._outs(plain(_news), plain(_olds).get("record", {})))

    @clean_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        inputs = {k: v for k, v in props.items() if k != "record"}
        return ReadResult(id_, dict(props), inputs)  # a record of the past does not drift

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        """Nothing was made, so nothing goes."""

    def _outs(self, props: Props, known: Record) -> Props:
        keys: Keys = props["keys"]
        new = {kind: [k for k in names if k not in known.get(kind, {})] for kind, names in keys.items()}
        fresh = self.record(
            {name: props[name] for name in self.identity},
            {kind: names for kind, names in new.items() if names},
        )
        record = {
            kind: {k: (known.get(kind, {}) | fresh.get(kind, {}))[k] for k in names}
            for kind, names in keys.items()
        }
        return {**props, "record": record}


class SnapshotResource(Resource):
    """Base of the two snapshots. `before(kind)` is the input that a managed resource takes."""

    record: pulumi.Output[Record]

    def __init__(
        self,
        provider: SnapshotProvider,
        name: str,
        props: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=["record"])
        super().__init__(
            provider, name, {**props, "record": None}, pulumi.ResourceOptions.merge(opts, secret)
        )

    def before(self, kind: str) -> pulumi.Output[Entries]:
        """What was there before us, of one kind, by natural key.

        A secret, since others' rules and filters hold their secrets.
        """

        def pick(record: Record) -> Entries:
            return record.get(kind, {})

        return pulumi.Output.secret(self.record.apply(pick))
