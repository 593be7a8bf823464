"""Which fields of our models and keys of the lab's objects need a drift case, and which do not, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from dynamic_providers.dns.mx_records import MxRecordsInputs
from dynamic_providers.dns.spf_terms import SpfTermsInputs
from dynamic_providers.exchange.connection_filter import ConnectionFilterModel
from dynamic_providers.exchange.inbound_connector import InboundConnectorModel
from dynamic_providers.exchange.lock_down import LockDownModel
from dynamic_providers.exchange.outbound_connector import OutboundConnectorModel
from dynamic_providers.exchange.transport_rule import TransportRuleModel
from dynamic_providers.gateway.destination_controls import DestinationControlsInputs
from dynamic_providers.gateway.mail_flow_policy import MailFlowPolicyInputs
from dynamic_providers.gateway.outbound_filter import OutboundFilterInputs
from dynamic_providers.gateway.outbound_tls import OutboundTlsInputs
from dynamic_providers.gateway.recipient_access import RecipientAccessInputs
from dynamic_providers.gateway.sender_group import SenderGroupInputs
from dynamic_providers.gateway.smtp_routes import SmtpRoutesInputs
from dynamic_providers.model import Model
from dynamic_providers.safety.sentinel import NAME as SENTINEL
from lab.estate import Estate
from lab.gateway import state
from tests.hands.names import BYPASS, INBOUND, OUTBOUND
from tests.protocol.drift_bench import Case

MODELS: Mapping[str, type[Model]] = {
    "smtp-routes": SmtpRoutesInputs,
    "destination-controls": DestinationControlsInputs,
    "recipient-access": RecipientAccessInputs,
    "sender-group": SenderGroupInputs,
    "mail-flow-policy": MailFlowPolicyInputs,
    "outbound-filter": OutboundFilterInputs,
    "outbound-tls": OutboundTlsInputs,
    "inbound-connector": InboundConnectorModel,
    "outbound-connector": OutboundConnectorModel,
    "inbound-rule": TransportRuleModel,
    "outbound-rule": TransportRuleModel,
}
"""The inputs of each resource of a stack, by its logical name."""

ELSEWHERE: Mapping[type[Model], str] = {
    LockDownModel: "test_lock_down.py: a switch each",
    MxRecordsInputs: "test_dns_mx_records.py, against BIND",
    SpfTermsInputs: "test_dns_spf_terms.py, against BIND",
    ConnectionFilterModel: "test_connection_filter.py: it has no attribute but being there",
}
"""Inputs of resources whose drift is other tests', and where."""
NOT_MANAGED = frozenset(
    {
        *("gateway-before", "tenant-before", "gateway-equivalents", "tenant-equivalents"),
        *("lock-down", "secret-rotation", "sender-policy", "guard", SENTINEL),
    }
)
"""Resources of a stack that only look, or (lock-down) hold nothing while it is open."""

LOOKED_AT = "no resource of ours: only looked at, and warned of"
PLACE = "says where, not what: under another name an object is another one, and ours is gone"
SETTING = "a wish about the resource, which nothing on the other side holds"
FIELDS_WITHOUT_A_CASE: Mapping[str, str] = {
    **{f"{model.__name__}.gateway": PLACE for model in MODELS.values() if "gateway" in model.model_fields},
    **{f"{model.__name__}.tenant": PLACE for model in MODELS.values() if "tenant" in model.model_fields},
    **{f"{model.__name__}.listener": PLACE for model in MODELS.values() if "listener" in model.model_fields},
    **{f"{model.__name__}.name": PLACE for model in MODELS.values() if "name" in model.model_fields},
    "OutboundFilterInputs.group": "shown as «group test» of `other`",
    "OutboundFilterInputs.header": "shown as «header test» of `other`",
    "OutboundFilterInputs.shared": SETTING,
    "OutboundTlsInputs.mode": SETTING,
    "TransportRuleModel.settle": SETTING,
    "InboundConnectorModel.lockedDownByOthers": SETTING,
    "TransportRuleModel.placement": f"{SETTING}; where the rule stands is `position`",
    "Placement.top": SETTING,
    "Placement.besides": SETTING,
    "Placement.below": SETTING,
}

DERIVED = "derived from what others say"
IDENTITY = "what it is called, by itself and in the directory"
HISTORY = "who made or changed it, and when"
COMMENT = "a comment: goes with other writes, never a difference by itself"
NOT_OURS = "not ours: stays as it is"
KEYS_WITHOUT_A_CASE: Mapping[str, str] = {
    **{
        f"{noun}.{key}": IDENTITY
        for noun in ("TransportRule", "InboundConnector", "OutboundConnector")
        for key in (
            "Name",
            "Identity",
            "DistinguishedName",
            "Guid",
            "OrganizationId",
            "IsValid",
            "ObjectState",
        )
    },
    **{
        f"{noun}.{key}": IDENTITY
        for noun in ("InboundConnector", "OutboundConnector")
        for key in (
            *("AdminDisplayName", "DirectoryObjectVersion", "ExchangeObjectId", "ExchangeVersion", "Id"),
            *("NameHashGuid", "ObjectCategory", "ObjectClass", "OrganizationalUnitRoot"),
            *("OrganizationalUnitRootInternal", "OriginatingServer"),
        )
    },
    **{
        f"{noun}.{key}": HISTORY
        for noun in ("InboundConnector", "OutboundConnector")
        for key in ("WhenChanged", "WhenChangedUTC", "WhenCreated", "WhenCreatedUTC", "ConnectorSource")
    },
    **{f"TransportRule.{key}": HISTORY for key in ("CreatedBy", "LastModifiedBy", "WhenChanged")},
    **{
        f"TransportRule.{key}": DERIVED
        for key in (
            "Description",
            "DlpPolicyId",
            "ExchangeVersion",
            "ImmutableId",
            "ManuallyModified",
            "Size",
        )
    },
    "TransportRule.RegexSize": DERIVED,
    "TransportRule.RuleVersion": DERIVED,
    "TransportRule.UseLegacyRegex": "how Exchange reads patterns; ours have none, and Set- does not take it",
    "TransportRule.Comments": COMMENT,
    "InboundConnector.Comment": COMMENT,
    "OutboundConnector.Comment": COMMENT,
    "OutboundConnector.IsValidated": "whether a test mail went through once: no setting",
    "OutboundConnector.LastValidationTimestamp": "when that was",
    "OutboundConnector.ValidationRecipients": "to whom it went",
    # the gateway
    "Destination.domain": IDENTITY,
    "SenderGroup.name": IDENTITY,
    "SenderGroup.parameters": "of a group with a behaviour of its own, which is shown by itself",
    "Policy.name": IDENTITY,
    "Policy.behaviour": f"{NOT_OURS}: row i is TLS alone",
    "Recipient.address": IDENTITY,
    "Listener.name": IDENTITY,
    "Listener.kind": NOT_OURS,
    "Listener.interface": NOT_OURS,
    "Listener.port": NOT_OURS,
    "Listener.defaults": NOT_OURS,
    "Listener.ldap": f"{NOT_OURS}: only warned of where it is missing",
    "Tls.method": f"{NOT_OURS}: row n is the ciphers alone",
    "Delivery.interface": NOT_OURS,
    "Delivery.possible_delivery": NOT_OURS,
    "Delivery.concurrency": NOT_OURS,
    "Delivery.tls_concurrency": NOT_OURS,
    "Configuration.listeners": "shown by their tables",
    "Configuration.delivery": NOT_OURS,
    "Configuration.alt_sources": NOT_OURS,
    "Configuration.tls_alert": NOT_OURS,
    "Configuration.tls_certificate": NOT_OURS,
    "Configuration.interfaces": NOT_OURS,
    "Configuration.quarantines": NOT_OURS,
    "Configuration.bounce_verification": LOOKED_AT,
    "BounceVerification.key": LOOKED_AT,
    "BounceVerification.previous": LOOKED_AT,
    "BounceVerification.action": LOOKED_AT,
    "Override.commands": "a member's own settings: refused before any write, no drift",
    "Override.configuration": "a member's own settings: refused before any write, no drift",
    "State.base": "the tables, one by one",
    "State.overrides": "a member's own settings: refused before any write, no drift",
    "State.version": "counts commits",
}


def fields_of(model: type[Model]) -> Iterator[str]:
    """All fields, those of nested models too, as `Model.alias`."""
    for name, field in model.model_fields.items():
        yield f"{model.__name__}.{field.alias or name}"
        inner = _nested(field.annotation)
        if inner is not None:
            yield from fields_of(inner)


def shown_fields(case: Case) -> Iterator[str]:
    """The fields by which a case is shown: along the path, and in the list at its end."""
    for path, (theirs, ours) in case.shown.items():
        yield from _along(MODELS[case.resource], path.split("/"), theirs, ours)


def _along(model: type[Model], path: list[str], theirs: object, ours: object) -> Iterator[str]:
    name, *rest = path
    field = next(one for key, one in model.model_fields.items() if (one.alias or key) == name)
    yield f"{model.__name__}.{name}"
    inner = _nested(field.annotation)
    if inner is None:
        return
    if rest:  # a dict: its key, then the entry's own path
        yield from _along(inner, rest[1:], theirs, ours)
    elif isinstance(theirs, list) and isinstance(ours, list):
        for one, other in zip(theirs, ours, strict=False):
            yield from (f"{inner.__name__}.{key}" for key in {*one, *other} if one.get(key) != other.get(key))


def _nested(annotation: Any) -> type[Model] | None:
    """The model inside an annotation: `tuple[Model, ...]`, `dict[str, Model]`, `Annotated[…] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next((found for one in get_args(annotation) if (found := _nested(one))), None)


def lab_keys(estate: Estate) -> set[str]:
    """Everything that the lab's objects have."""
    found = {
        f"{kind.__name__}.{field.name}"
        for kind in vars(state).values()
        if dataclasses.is_dataclass(kind) and isinstance(kind, type)
        for field in dataclasses.fields(kind)
    }
    for noun, names in (
        ("TransportRule", (OUTBOUND, BYPASS)),
        ("InboundConnector", (INBOUND,)),
        ("OutboundConnector", (OUTBOUND,)),
    ):
        for name in names:
            (row,) = estate.tenant.invoke_by_hand(f"Get-{noun}", Identity=name)
            found |= {f"{noun}.{key}" for key in row}
    return found
