"""Transport rules (guide: «Bypass spam filtering» and «Criar uma regra de fluxo de e-mails»).

Exchange runs rules in order, 0 first. Absolute numbers are others' business too, so only what stands above
what counts: see `Placement`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

import pulumi
from pydantic import AfterValidator, Field

from dynamic_providers.entries import RAW, Entries, Entry, Place, Props, plain
from dynamic_providers.errors import clean_errors
from dynamic_providers.exchange import forms
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import Rows, Step, exchange, named
from dynamic_providers.exchange.cmdlets import TRANSPORT_RULE
from dynamic_providers.exchange.exchange_object import Attribute, ExchangeObjectProvider, Wanted
from dynamic_providers.exchange.rule_order import (
    RIGHT,
    Placement,
    in_order,
    old_priority,
    position,
    priority_of,
    right_priority,
    siblings_of,
    state_of,
)
from dynamic_providers.exchange.rule_parameters import ACTIONS, EXCEPTIONS, PREDICATES, TOGETHER
from dynamic_providers.exchange.rule_settling import (
    told_of_connector,
    wait_for_connector,
    wait_for_removed,
)
from dynamic_providers.field_types import (
    Domain,
    ExchangeName,
    Flag,
    HeaderName,
    HeaderValue,
    InitialDomain,
    MailAddress,
    SenderAddress,
)
from dynamic_providers.managed_resource import ManagedResource
from dynamic_providers.model import Model
from dynamic_providers.settling import LONGEST

_SCOPES: Final = ("InOrganization", "NotInOrganization")
Scope = Literal["InOrganization", "NotInOrganization"]
_AS_WORDS: Final = AfterValidator(forms.as_tuple(forms.words))


class TransportRuleModel(Model):
    """One rule. What is not set is no part of it; every other predicate, exception or action is `other`."""

    tenant: InitialDomain
    name: ExchangeName
    placement: Placement = Placement()
    sender_ip_ranges: (
        Annotated[
            tuple[SenderAddress, ...], Field(min_length=1), AfterValidator(forms.as_tuple(forms.addresses))
        ]
        | None
    ) = None
    from_scope: Scope | None = None
    sent_to_scope: Scope | None = None
    from_member_of: Annotated[tuple[MailAddress, ...], Field(min_length=1), _AS_WORDS] | None = None
    except_if_recipient_domain_is: Annotated[tuple[Domain, ...], Field(min_length=1), _AS_WORDS] | None = None
    set_scl: Annotated[int, Field(ge=-1, le=9)] | None = None
    route_message_outbound_connector: ExchangeName | None = None
    set_header_name: HeaderName | None = None
    set_header_value: HeaderValue | Literal[""] = ""
    stop_rule_processing: Flag = False
    mode: Literal["Enforce", "Audit", "AuditAndNotify"] = "Enforce"
    rule_error_action: Literal["Ignore", "Defer"] = "Ignore"
    sender_address_location: Literal["Header", "Envelope", "HeaderOrEnvelope"] = "Header"
    state: Literal["Enabled", "Disabled"] = "Enabled"
    position: Literal["right"] = RIGHT
    settle: Annotated[int, Field(ge=0, le=LONGEST)] | None = Field(
        None, description="How long Microsoft may act on the rule after it is gone, seconds: `delete` waits."
    )
    other: dict[str, str] = Field(default={}, max_length=0)


def _header_value(value: Any) -> str:
    return str(value or "")  # never None: its key must stay a secret one of the state


class TransportRuleProvider(ExchangeObjectProvider):
    """CRUD of one rule."""

    label: ClassVar[str] = "transport rule"
    model: ClassVar[type[Model]] = TransportRuleModel
    take_over_key: ClassVar[str] = "transportRule"
    secret: ClassVar[frozenset[str]] = frozenset({"setHeaderValue", "other"})
    settings: ClassVar[frozenset[str]] = frozenset({"placement", "settle"})
    relative: ClassVar[frozenset[str]] = frozenset({"position"})

    kind = TRANSPORT_RULE
    comment = "Comments"
    unseen = frozenset({"Priority"})  # absolute numbers are never compared
    together = TOGETHER
    defaults: ClassVar[Mapping[str, str]] = {"RecipientAddressType": "Resolved", "RuleSubType": "None"}
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("senderIpRanges", "SenderIpRanges", forms.addresses),
        Attribute("fromScope", "FromScope", forms.word(*_SCOPES)),
        Attribute("sentToScope", "SentToScope", forms.word(*_SCOPES)),
        Attribute("fromMemberOf", "FromMemberOf", forms.words),
        Attribute("exceptIfRecipientDomainIs", "ExceptIfRecipientDomainIs", forms.words),
        Attribute("setScl", "SetSCL", forms.number),
        Attribute("routeMessageOutboundConnector", "RouteMessageOutboundConnector", forms.text),
        Attribute("setHeaderName", "SetHeaderName", forms.text),
        Attribute("setHeaderValue", "SetHeaderValue", _header_value),
        Attribute("stopRuleProcessing", "StopRuleProcessing", forms.flag),
        Attribute("mode", "Mode", forms.word("Enforce", "Audit", "AuditAndNotify")),
        Attribute("ruleErrorAction", "RuleErrorAction", forms.word("Ignore", "Defer")),
        Attribute(
            "senderAddressLocation",
            "SenderAddressLocation",
            forms.word("Header", "Envelope", "HeaderOrEnvelope"),
        ),
    )

    def equal(self, attribute: str, theirs: Any, ours: Any) -> bool:
        if attribute == "position" and None in (theirs, ours):
            return True  # a record knows no placement: its order is compared by `_restored`
        if attribute in ("routeMessageOutboundConnector", "setHeaderName"):
            return str(theirs or "").casefold() == str(ours or "").casefold()
        return super().equal(attribute, theirs, ours)

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        client, props = exchange(), plain(_props)
        was = client.find(TRANSPORT_RULE, props["name"])
        super().delete(_id, _props)
        wait_for_removed(client, props, was)

    def notes(self, props: Props) -> Iterable[str]:
        """How long the run will wait for its connector."""
        settle, connector = props.get("settle"), props.get("routeMessageOutboundConnector")
        told = told_of_connector(exchange(), props["name"], connector, settle) if settle and connector else ""
        return [told] if told else []

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        """As for every object; a rule that begins to lead to a connector waits until that is known.

        The wait comes before the writing: rules are written one at a time, and others do not wait with it.
        """
        for key, entry in changes.items():
            connector = _new_route(entry, live.get(key))
            if connector and place["settle"]:
                wait_for_connector(exchange(), key, connector, place["settle"])
        super().apply(place, changes, live, context)

    # --- reading --------------------------------------------------------------------------------------------

    def _place(self, props: Props) -> Place:
        settle = float(props.get("settle") or 0)
        return {**super()._place(props), "placement": props.get("placement", {}), "settle": settle}

    def _entry(self, row: Row, rows: Rows, place: Place) -> Entry:
        entry = {**super()._entry(row, rows, place), "state": state_of(row)}
        return (
            {**entry, "position": position(row, rows, place["placement"])} if "placement" in place else entry
        )

    def _other(self, row: Row) -> dict[str, str]:
        return {**super()._other(row), **_unknown_parts(row)}

    def _raw(self, row: Row, rows: Rows) -> dict[str, Any]:
        order, own = [str(one["Name"]) for one in in_order(rows)], str(row["Name"])
        at = order.index(own)
        return {
            **super()._raw(row, rows),
            "state": state_of(row),
            "above": order[:at],
            "below": order[at + 1 :],
        }

    def _restored(self, row: Row, rows: Rows, raw: Mapping[str, Any]) -> bool:
        in_place = old_priority(row, rows, raw, raw["siblings"]) == priority_of(row)
        return super()._restored(row, rows, raw) and state_of(row) == raw["state"] and in_place

    # --- writing --------------------------------------------------------------------------------------------

    def _new_steps(self, wanted: Wanted, rows: Rows) -> list[Step]:
        [step] = super()._new_steps(wanted, rows)
        priority = {}
        if wanted.raw is not None:
            priority = {"Priority": _old_priority(wanted, None, rows)}
        elif wanted.place["placement"].get("top"):
            priority = {"Priority": 0}
        enabled = _wanted_state(wanted) == "Enabled"
        return [Step("New", {**step.parameters, **priority, "Enabled": enabled})]

    def _set_steps(self, wanted: Wanted, row: Row, rows: Rows) -> list[Step]:
        if _unknown_parts(row).keys() - wanted.entry.get("other", {}).keys():
            return self._remade(wanted, row, rows)
        steps = super()._set_steps(wanted, row, rows)
        identity = {"Identity": row["Identity"]}
        priority = _wanted_priority(wanted, row, rows)
        if priority != priority_of(row):
            given = steps.pop().parameters if steps else {**identity, **self._comment(wanted, row)}
            steps.append(Step("Set", {**given, "Priority": priority}))
        state = _wanted_state(wanted)
        if state == state_of(row):
            return steps
        # What is to do nothing is switched off before it is changed, and on after.
        return (
            [*steps, Step("Enable", identity)] if state == "Enabled" else [Step("Disable", identity), *steps]
        )

    def _remade(self, wanted: Wanted, row: Row, rows: Rows) -> list[Step]:
        """What has no parameter that we know goes only with the rule: it is made anew, in its place."""
        [new] = self._new_steps(wanted, [one for one in rows if one is not row])
        place = {"Priority": _wanted_priority(wanted, row, rows)}
        return [Step("Remove", {"Identity": row["Identity"]}), Step("New", {**new.parameters, **place})]

    def _missing(self, wanted: Wanted, rows: Rows) -> str:
        missing = super()._missing(wanted, rows)
        row = named(rows, wanted.key)
        if row is None:
            return missing
        state = "" if state_of(row) == _wanted_state(wanted) else "State"
        place = "" if _wanted_priority(wanted, row, rows) == priority_of(row) else "Priority"
        return ", ".join(part for part in (missing, state, place) if part)


class TransportRule(ManagedResource, module="exchange", name="TransportRule"):
    """One transport rule. `before` comes from the snapshot.

    `settle` (seconds): after it has gone, `delete` waits that long, since what the rule leads to must stay.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        name: str,
        before: pulumi.Input[Entries],
        placement: Mapping[str, Any] | None = None,
        sender_ip_ranges: Sequence[str] | None = None,
        from_scope: Scope | None = None,
        sent_to_scope: Scope | None = None,
        from_member_of: Sequence[str] | None = None,
        except_if_recipient_domain_is: Sequence[str] | None = None,
        set_scl: int | None = None,
        route_message_outbound_connector: str | None = None,
        set_header_name: str | None = None,
        set_header_value: pulumi.Input[str] = "",
        settle: int | None = None,
        take_over: Sequence[str] = (),
        take_over_key: str | None = None,
        change: Mapping[str, str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "tenant": tenant,
            "name": name,
            "before": before,
            "placement": placement or {},
            "senderIpRanges": sender_ip_ranges,
            "fromScope": from_scope,
            "sentToScope": sent_to_scope,
            "fromMemberOf": from_member_of,
            "exceptIfRecipientDomainIs": except_if_recipient_domain_is,
            "setScl": set_scl,
            "routeMessageOutboundConnector": route_message_outbound_connector,
            "setHeaderName": set_header_name,
            "setHeaderValue": set_header_value,
            "settle": settle,
            "other": {},
            "takeOver": list(take_over) or None,
            "takeOverKey": take_over_key,
            "change": dict(change) if change else None,
        }
        super().__init__(TransportRuleProvider(), resource_name, props, opts)


def _new_route(wanted: Entry | None, there: Entry | None) -> str:
    """The connector that a rule of ours begins to lead to; «» where it leads nowhere, or there already."""
    if wanted is None or RAW in wanted or wanted.get("state") != "Enabled":
        return ""
    route, now = (str(one.get("routeMessageOutboundConnector") or "") for one in (wanted, there or {}))
    leads_there = route.casefold() == now.casefold() and (there or {}).get("state") == "Enabled"
    return "" if leads_there else route


def _wanted_state(wanted: Wanted) -> str:
    return str((wanted.raw or wanted.entry)["state"])


def _wanted_priority(wanted: Wanted, row: Row, rows: Rows) -> int:
    if wanted.raw is not None:
        return _old_priority(wanted, row, rows)
    return right_priority(row, rows, wanted.place["placement"])


def _old_priority(wanted: Wanted, row: Row | None, rows: Rows) -> int:
    assert wanted.raw is not None
    siblings = {*wanted.raw["siblings"], *siblings_of(wanted.place["placement"])}
    return old_priority(row, rows, wanted.raw, siblings)


def _unknown_parts(row: Row) -> dict[str, str]:
    """What a rule lists, where that is more than its known parameters make."""
    listed = (("Conditions", PREDICATES), ("Exceptions", EXCEPTIONS), ("Actions", ACTIONS))
    unknown = {name: _unknown(row, name, known) for name, known in listed}
    return {name: text for name, text in unknown.items() if text}


def _unknown(row: Row, listed: str, known: frozenset[str]) -> str:
    """One list: as text, or «» where the known parameters make it; several that go together make one part."""
    names = [str(one).rpartition(".")[2] for one in row.get(listed) or []]
    there = [name for name in known if forms.anything(row.get(name)) is not None]
    made = {next((group for group in TOGETHER if name in group), name) for name in there}
    return "" if len(names) <= len(made) else ", ".join(sorted(names))
