"""The transport rules, run over one message for one recipient: which fire, and what they make of it.

Rules run in order of priority; those that are disabled or in a test mode do nothing. A header that two rules
set is the later one's. A condition that the lab cannot answer never holds, nor does such an exception: the
rule is named in `Ruled.unanswered`, so that nobody takes silence for a match.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lab.tenant.mail.facts import Facts
from lab.tenant.mail.predicates import asked
from lab.tenant.rule_properties import CONDITIONS, EXCEPTIONS, is_set
from lab.tenant.store import Record

Fate = Literal["", "deleted", "quarantined", "rejected"]


@dataclass(frozen=True)
class Fired:
    """One rule that fired; `guid` as text."""

    name: str
    guid: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Ruled:
    """What the rules together want done with a message; recipients with equal wishes share one copy."""

    fired: tuple[Fired, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """Headers to set, each once, under the name that the last rule gave."""
    removed: frozenset[str] = frozenset()
    prefix: str = ""
    scl: int | None = None
    connector: str | None = None
    """The GUID of the connector to route through."""
    require_tls: bool = False
    fate: Fate = ""
    reply: str = ""
    """Why a message is rejected, as its sender reads it."""
    unanswered: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """The value that a rule set for this header."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def run(
    rules: Iterable[Record],
    facts: Facts,
    groups: Mapping[str, frozenset[str]],
    *,
    routed_twice: Literal["last", "first"] = "last",
) -> Ruled:
    """Run all rules that count; later conditions see the headers and the SCL that earlier rules set."""
    ruled = Ruled()
    for rule in rules:
        if not rule["Enabled"] or rule["Mode"] != "Enforce":
            continue
        holds, unanswered = matches(rule, facts, groups)
        if unanswered:
            ruled = replace(ruled, unanswered=(*ruled.unanswered, f"{rule['Name']}: {unanswered}"))
        if not holds:
            continue
        ruled = _acted(rule, ruled, routed_twice)
        facts = _seen_on(facts, rule)
        if rule.get("StopRuleProcessing") or ruled.fate:
            break
    return ruled


def matches(rule: Record, facts: Facts, groups: Mapping[str, frozenset[str]]) -> tuple[bool, str]:
    """Whether all conditions hold and no exception does; and the first thing asked that has no answer."""
    unanswered = ""
    for name in (name for name in CONDITIONS if is_set(rule.get(name))):
        answer = asked(rule, name, facts, groups)
        if answer is None:
            unanswered = unanswered or name
        if not answer:
            return False, unanswered
    for name in (name for name in EXCEPTIONS if is_set(rule.get(name))):
        answer = asked(rule, name, facts, groups)
        if answer is None:
            unanswered = unanswered or name
        if answer:
            return False, unanswered
    return True, unanswered


def _acted(rule: Record, ruled: Ruled, routed_twice: str) -> Ruled:
    """The wishes with this rule's added."""
    done = [name for name in _ACTIONS if is_set(rule.get(name))]
    changed = replace(ruled, fired=(*ruled.fired, Fired(rule["Name"], str(rule["Guid"]), tuple(done))))
    if is_set(rule.get("SetHeaderName")):
        changed = _with_header(changed, str(rule["SetHeaderName"]), str(rule["SetHeaderValue"]))
    if is_set(rule.get("RemoveHeader")):
        changed = _without_header(changed, str(rule["RemoveHeader"]))
    if is_set(rule.get("SetSCL")):
        changed = replace(changed, scl=int(rule["SetSCL"]))
    if is_set(rule.get("PrependSubject")):
        changed = replace(changed, prefix=str(rule["PrependSubject"]) + changed.prefix)
    connector = rule.get("RouteMessageOutboundConnector")
    if is_set(connector) and not (changed.connector and routed_twice == "first"):
        changed = replace(changed, connector=str(connector))
    if rule.get("RouteMessageOutboundRequireTls"):
        changed = replace(changed, require_tls=True)
    return _ended(rule, changed)


def _ended(rule: Record, ruled: Ruled) -> Ruled:
    """What an action does that ends the message's way."""
    if rule.get("DeleteMessage"):
        return replace(ruled, fate="deleted")
    if rule.get("Quarantine"):
        return replace(ruled, fate="quarantined")
    reason = rule.get("RejectMessageReasonText") or rule.get("SmtpRejectMessageRejectText")
    if is_set(reason):
        code = rule.get("RejectMessageEnhancedStatusCode") or "5.7.1"
        return replace(ruled, fate="rejected", reply=f"550 {code} TRANSPORT.RULES.RejectMessage; {reason}")
    return ruled


def _with_header(ruled: Ruled, name: str, value: str) -> Ruled:
    kept = tuple(item for item in ruled.headers if item[0].lower() != name.lower())
    removed = frozenset(ruled.removed - {name.lower()})
    return replace(ruled, headers=(*kept, (name, value)), removed=removed)


def _without_header(ruled: Ruled, name: str) -> Ruled:
    kept = tuple(item for item in ruled.headers if item[0].lower() != name.lower())
    return replace(ruled, headers=kept, removed=ruled.removed | {name.lower()})


def _seen_on(facts: Facts, rule: Record) -> Facts:
    """The message as the next rule sees it."""
    name = str(rule.get("SetHeaderName") or rule.get("RemoveHeader") or "")
    if name:
        kept = [item for item in facts.headers if item[0].lower() != name.lower()]
        added = [(name, str(rule["SetHeaderValue"]))] if is_set(rule.get("SetHeaderName")) else []
        facts = replace(facts, headers=(*kept, *added))
    if is_set(rule.get("SetSCL")):
        facts = replace(facts, scl=int(rule["SetSCL"]))
    return facts


_ACTIONS = (
    *("SetHeaderName", "RemoveHeader", "SetSCL", "PrependSubject", "RouteMessageOutboundConnector"),
    *("RouteMessageOutboundRequireTls", "StopRuleProcessing", "DeleteMessage", "Quarantine"),
    *("RejectMessageReasonText", "SmtpRejectMessageRejectText"),
)
"""The actions that the lab carries out; disclaimers, copies, notifications and moderation do nothing here."""
