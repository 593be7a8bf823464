"""The cmdlets of mail flow rules: what they refuse, what they change, what they show."""

from __future__ import annotations

import json
import uuid
from typing import Any

from lab.tenant.errors import DATA_VALIDATION, CmdletFailure, already_exists, makes_no_sense, not_found
from lab.tenant.rule_properties import (
    ACTIONS,
    CONDITIONS,
    DEFAULTS,
    EXCEPTIONS,
    NEED_EACH_OTHER,
    PROPERTIES,
    SETTINGS,
    is_set,
)
from lab.tenant.rule_text import carriers, description
from lab.tenant.session import Bound, Session, mandatory, selected
from lab.tenant.store import OUTBOUND, RULES, Record, find
from lab.tenant.values import Reader, anything, choice, flag, ip_range, merged, number, text

MAIN: dict[str, Reader] = {**{name: known.read for name, known in PROPERTIES.items()}, **SETTINGS}
PRIORITY: dict[str, Reader] = {"Priority": number(-(2**31), 2**31 - 1)}
GET = {"Identity": text, "ResultSize": anything, "State": choice("RuleState", "Enabled", "Disabled")}
NEW: dict[str, Reader] = {"Name": text, "Enabled": flag, "UseLegacyRegex": flag, **PRIORITY, **MAIN}
SET: dict[str, Reader] = {"Identity": text, "Name": text, **PRIORITY, **MAIN}
ONE: dict[str, Reader] = {"Identity": text}
STATE: dict[str, Reader] = {"Identity": text, "Mode": SETTINGS["Mode"]}
NAME_LENGTH, COMMENT_LENGTH = 64, 1024


def get(session: Session, bound: Bound) -> list[Record]:
    """Get-TransportRule: in order of priority; an identity that names nothing can return all rules."""
    rules = session.seen(RULES)
    chosen = selected(rules, bound, unknown_is_all=session.switches.unknown_rule_returns_all)
    if chosen is None:
        raise not_found(str(bound["Identity"]), session.switches.not_found_status)
    wanted = bound.get("State")
    shown = [rule for rule in chosen if wanted is None or rule["Enabled"] == (wanted == "Enabled")]
    return [as_read(session, rule, rules.index(rule)) for rule in shown]


def new(session: Session, bound: Bound) -> list[Record]:
    """New-TransportRule: at the end, or at Priority 0…count."""
    rules = session.store.rows(RULES)
    rule: Record = {
        "Name": mandatory(bound, "Name"),
        "Guid": uuid.uuid4(),
        "Enabled": bound.get("Enabled", True),
        "UseLegacyRegex": bound.get("UseLegacyRegex", False),
        "CreatedBy": session.who,
        **DEFAULTS,
    }
    _apply(session, rule, bound)
    _check(session, rule, others=rules)
    if len(rules) >= session.switches.rule_limit:
        raise makes_no_sense(f"You can't create more than {session.switches.rule_limit} rules.")
    place = _place(bound, highest=len(rules))
    session.changing(RULES).insert(len(rules) if place is None else place, rule)
    _stamp(session, rule)
    return [as_read(session, rule, session.store.rows(RULES).index(rule))]


def set_(session: Session, bound: Bound) -> list[Record]:
    """Set-TransportRule: merges; null or [] takes a condition or action away."""
    rules = session.store.rows(RULES)
    rule = _named(session, bound)
    changed = dict(rule)
    if session.switches.header_pair == "strict" and ("SetHeaderName" in bound) != ("SetHeaderValue" in bound):
        raise makes_no_sense("The SetHeaderName and SetHeaderValue parameters must be specified together.")
    _apply(session, changed, bound)
    if "Name" in bound:
        changed["Name"] = mandatory(bound, "Name")
    _check(session, changed, others=[other for other in rules if other is not rule])
    place = _place(bound, highest=len(rules) - 1)
    session.changing(RULES)
    rule.clear()
    rule.update(changed)
    if place is not None:
        rules.insert(place, rules.pop(rules.index(rule)))
    _stamp(session, rule)
    return []


def remove(session: Session, bound: Bound) -> list[Record]:
    """Remove-TransportRule: the rules below move up."""
    rule = _named(session, bound)
    session.changing(RULES).remove(rule)
    return []


def enable(session: Session, bound: Bound) -> list[Record]:
    """Enable-TransportRule, with its Mode if one is given."""
    return _switch(session, bound, enabled=True)


def disable(session: Session, bound: Bound) -> list[Record]:
    """Disable-TransportRule."""
    return _switch(session, bound, enabled=False)


def as_read(session: Session, rule: Record, priority: int) -> Record:
    """Every property that Get-TransportRule shows, in its order."""
    connector = _connector_name(session, rule)
    row: Record = {
        "Priority": priority,
        "DlpPolicy": rule["DlpPolicy"],
        "DlpPolicyId": uuid.UUID(int=0),
        "Comments": rule["Comments"],
        "CreatedBy": rule["CreatedBy"],
        "LastModifiedBy": rule["LastModifiedBy"],
        "ManuallyModified": False,
        "ActivationDate": rule["ActivationDate"],
        "ExpiryDate": rule["ExpiryDate"],
        "Description": description(rule, connector),
        "RuleVersion": "14.0.0.0",
        "Size": _size(rule),
        "Conditions": carriers(rule, CONDITIONS),
        "Exceptions": carriers(rule, EXCEPTIONS),
        "Actions": carriers(rule, ACTIONS),
        "State": "Enabled" if rule["Enabled"] else "Disabled",
        **{name: rule[name] for name in ("Mode", "RuleErrorAction", "SenderAddressLocation")},
        **{name: rule[name] for name in ("RecipientAddressType", "RuleSubType")},
        "RegexSize": 0,
        "UseLegacyRegex": rule["UseLegacyRegex"],
    }
    unset: dict[str, Any] = {"list": [], "flag": False, "text": None}
    row.update({name: rule.get(name, unset[known.shape]) for name, known in PROPERTIES.items()})
    row["RouteMessageOutboundConnector"] = connector
    row.update(
        {
            "Identity": rule["Name"],
            "DistinguishedName": f"CN={rule['Name']},CN=TransportVersioned,CN=Rules,CN=Configuration",
            "Guid": rule["Guid"],
            "ImmutableId": rule["Guid"],
            "OrganizationId": "",
            "Name": rule["Name"],
            "IsValid": True,
            "WhenChanged": rule["WhenChanged"],
            "ExchangeVersion": "0.1 (8.0.535.0)",
            "ObjectState": "Unchanged",
        }
    )
    return row


def rules_naming(session: Session, connector: Record) -> list[str]:
    """The names of the rules that route through a connector."""
    wanted = connector["Guid"]
    return [
        rule["Name"]
        for rule in session.store.rows(RULES)
        if rule.get("RouteMessageOutboundConnector") == wanted
    ]


def _named(session: Session, bound: Bound) -> Record:
    identity = str(mandatory(bound, "Identity"))
    rule = find(session.store.rows(RULES), identity)
    if rule is None:
        raise not_found(identity, session.switches.not_found_status)
    return rule


def _apply(session: Session, rule: Record, bound: Bound) -> None:
    for name, value in bound.items():
        if name in SETTINGS:
            rule[name] = value
        elif name == "RouteMessageOutboundConnector":
            rule[name] = None if value is None else _connector(session, value)["Guid"]
        elif name in PROPERTIES:
            known = PROPERTIES[name]
            rule[name] = merged(rule.get(name) or [], value or []) if known.shape == "list" else value
    _fill(rule)


def _fill(rule: Record) -> None:
    """What Exchange adds by itself to a disclaimer or a rejection, and takes away with it."""
    with_text = is_set(rule.get("ApplyHtmlDisclaimerText"))
    rule["ApplyHtmlDisclaimerLocation"] = (
        (rule.get("ApplyHtmlDisclaimerLocation") or "Append") if with_text else None
    )
    rule["ApplyHtmlDisclaimerFallbackAction"] = (
        (rule.get("ApplyHtmlDisclaimerFallbackAction") or "Wrap") if with_text else None
    )
    reason, code = rule.get("RejectMessageReasonText"), rule.get("RejectMessageEnhancedStatusCode")
    if not is_set(rule.get("NotifySender")) and (reason or code):
        rule["RejectMessageReasonText"] = reason or "Delivery not authorized, message refused"
        rule["RejectMessageEnhancedStatusCode"] = code or "5.7.1"


def _check(session: Session, rule: Record, others: list[Record]) -> None:
    if len(rule["Name"]) > NAME_LENGTH:
        raise _too_long(NAME_LENGTH, rule["Name"])
    if len(rule["Comments"] or "") > COMMENT_LENGTH:
        raise _too_long(COMMENT_LENGTH, rule["Comments"])
    if any(other["Name"].lower() == rule["Name"].lower() for other in others):
        raise already_exists("rule", rule["Name"])
    if not any(is_set(rule.get(name)) for name in ACTIONS):
        raise makes_no_sense(
            "To be valid, all rules have to include at least one action. Specify an action for the rule."
        )
    for first, second in NEED_EACH_OTHER:
        if is_set(rule.get(first)) != is_set(rule.get(second)):
            raise makes_no_sense(f"The {first} and {second} parameters must be specified together.")
    for name in ("SenderIpRanges", "ExceptIfSenderIpRanges"):
        for value in rule.get(name) or []:
            ip_range(name, value)
    if _size(rule) > session.switches.rule_characters:
        limit = session.switches.rule_characters
        raise makes_no_sense(f"The rule is too large: {_size(rule)} characters; the limit is {limit}.")


def _too_long(limit: int, value: str) -> CmdletFailure:
    length = f"The maximum length is {limit} and the length of the value provided is {len(value)}."
    return CmdletFailure(DATA_VALIDATION, f"The property value is too long. {length}")


def _size(rule: Record) -> int:
    counted = {name: rule.get(name) for name in (*PROPERTIES, "Name", "Comments")}
    used = {name: value for name, value in counted.items() if is_set(value)}
    return sum(
        len(name) + len(json.dumps(value, default=str, ensure_ascii=False)) for name, value in used.items()
    )


def _place(bound: Bound, highest: int) -> int | None:
    priority: int | None = bound.get("Priority")
    if priority is not None and not 0 <= priority <= highest:
        raise makes_no_sense("The specified rule priority is invalid.")
    return priority


def _connector(session: Session, identity: str) -> Record:
    connector = find(session.seen(OUTBOUND, counts=False), identity)
    if connector is None:
        raise not_found(identity, session.switches.not_found_status)
    if not connector["Enabled"]:
        raise makes_no_sense(
            f"The outbound connector '{connector['Name']}' is disabled. Enable it or choose another one."
        )
    return connector


def _connector_name(session: Session, rule: Record) -> str | None:
    guid = rule.get("RouteMessageOutboundConnector")
    if guid is None:
        return None
    connector = find(session.store.rows(OUTBOUND), str(guid))
    return str(guid) if connector is None else str(connector["Name"])


def _switch(session: Session, bound: Bound, *, enabled: bool) -> list[Record]:
    rule = _named(session, bound)
    session.changing(RULES)
    rule["Enabled"] = enabled
    if enabled and "Mode" in bound:
        rule["Mode"] = bound["Mode"]
    _stamp(session, rule)
    return []


def _stamp(session: Session, rule: Record) -> None:
    rule["LastModifiedBy"] = session.who
    rule["WhenChanged"] = session.store.now()
