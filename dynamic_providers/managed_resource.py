"""The shapes of what we manage, one object or some keys of a table, and the base of the resources."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi

from dynamic_providers.comparing import BARE, REVISION
from dynamic_providers.entries import Entries, Place, Props, empty
from dynamic_providers.managed_provider import ManagedProvider
from dynamic_providers.observing import Observable

__all__ = ["ManagedProvider", "ManagedResource", "ObjectProvider", "TableProvider"]


class ObjectProvider(ManagedProvider):
    """One object: its attributes lie flat among the inputs; `key_field` names the input that is its key."""

    key_field: ClassVar[str] = "name"
    settings: ClassVar[frozenset[str]] = frozenset()  # inputs that are not attributes of the object

    def _where(self, place: Place) -> str:
        return " ".join(str(value) for name, value in place.items() if name != self.key_field)

    def entries(self, props: Props) -> Entries:
        bare = (*BARE, *self.identity, *self.settings)
        attributes = {k: v for k, v in props.items() if k not in bare and not k.startswith("__")}
        if not any(v not in ({}, [], "") for v in attributes.values()):
            return {}
        return {props[self.key_field]: attributes}

    def with_entries(self, props: Props, entries: Entries) -> Props:
        kept = (*BARE, *self.identity, *self.settings)
        frame = {k: v for k, v in props.items() if k in kept or k.startswith("__")}
        secrets = {name: empty(props[name]) for name in self.secret if name in props}  # stay so in the state
        return {**frame, **secrets, **entries.get(props[self.key_field], {})}


class TableProvider(ManagedProvider):
    """Some keys of a table: the entries lie in one input, a dict."""

    table_field: ClassVar[str]

    def entries(self, props: Props) -> Entries:
        table: Entries = props.get(self.table_field, {})
        return dict(table)

    def with_entries(self, props: Props, entries: Entries) -> Props:
        return {**props, self.table_field: entries}


class ManagedResource(Observable):
    """Base of the Pulumi resources. Marks what may hold secrets, from the first create on.

    Why from the first: see `docs/architecture.md`.
    """

    revision: pulumi.Output[str]

    def __init__(
        self,
        provider: ManagedProvider,
        name: str,
        props: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given = {key: value for key, value in props.items() if value is not None}
        for field in (*provider.secret, "before"):
            if field in given:
                given[field] = pulumi.Output.secret(given[field])
        super().__init__(provider, name, {**given, **dict.fromkeys((REVISION, *provider.outputs))}, opts)
