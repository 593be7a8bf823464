"""When a check has failed: what is seen to be wrong in the settings of Microsoft 365, in plain words.

Read anew each time: another process writes these objects. No value of a header is looked at.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dynamic_providers.address_spans import overlapping, span
from dynamic_providers.errors import ManagedError
from dynamic_providers.exchange.client import named
from dynamic_providers.exchange.rule_order import in_order, priority_of, state_of
from dynamic_providers.exchange.rule_parameters import PREDICATES
from dynamic_providers.mailflow.mailflow_settings import PROBE_RULE, MailflowSettings
from dynamic_providers.mailflow.trace import Run

Row = dict[str, Any]

_SCOPES: Final = frozenset({"FromScope", "SentToScope"})  # rule k's own
_RESTRICTIONS: Final = ("RestrictDomainsToIPAddresses", "RestrictDomainsToCertificate")


class Diagnosis:
    """Reads rules and connectors, and names what does not fit. A read that fails finds nothing."""

    def __init__(self, run: Run, settings: MailflowSettings) -> None:
        self._run, self._settings, self._names = run, settings, settings.names

    def outbound_route(self, left_by: str = "") -> list[str]:
        """Why mail did not leave by the outbound connector, but by this one; "" for none at all."""
        return self._found(lambda: [*self._rule_k(left_by), *self._outbound_connector(tls=False)])

    def outbound_tls(self) -> list[str]:
        """Why mail left without TLS."""
        return self._found(lambda: list(self._outbound_connector(tls=True)))

    def smart_hosts(self, is_gateway: Callable[[str], bool]) -> list[str]:
        """Why mail does not get to the gateway's outbound listener. `is_gateway` knows its addresses."""
        return self._found(lambda: list(self._elsewhere(is_gateway)))

    def header(self) -> list[str]:
        """Why the header may be another one than the filter wants."""
        return self._found(lambda: [*self._own_header(), *self._other_header_rules()])

    def restricting(self) -> list[str]:
        """The inbound connectors that shut the side entrance to all senders."""
        return self._found(lambda: list(self._restricting()))

    def inbound_connector(self, from_ip: str) -> list[str]:
        """Why the inbound connector did not take a message from this address."""
        return self._found(lambda: list(self._inbound_connector(from_ip)))

    def junk(self, from_ip: str) -> list[str]:
        """Why rule a did not keep a message from this address out of junk mail."""
        return self._found(lambda: list(self._rule_a(from_ip)))

    # --- what is looked at ----------------------------------------------------------------------------------

    def _rule_k(self, left_by: str) -> Iterable[str]:
        name, rows = self._names.outbound_rule, self._rules()
        rule = named(rows, name)
        if rule is None:
            yield f"there is no rule «{name}»"
            return
        yield from _off(rule, name)
        leads_to = str(rule.get("RouteMessageOutboundConnector") or "")
        if leads_to.casefold() != self._names.outbound_connector.casefold():
            yield f"the rule «{name}» routes by {f'«{leads_to}»' if leads_to else 'no connector'}"
        usual = self._usual_parts(rule)
        exceptions = sorted(k for k in rule.keys() - usual if k.startswith("ExceptIf") and rule[k])
        if exceptions:
            yield f"the rule «{name}» has exceptions: {', '.join(exceptions)}"
        conditions = sorted(key for key in PREDICATES - usual if rule.get(key))
        if conditions:
            yield f"the rule «{name}» takes only some of the mail: {', '.join(conditions)}"
        yield from self._other_routes(rows, left_by)
        above = (one for one in in_order(rows) if priority_of(one) < priority_of(rule))
        for one in above:
            if state_of(one) == "Enabled" and one.get("StopRuleProcessing") and one["Name"] != PROBE_RULE:
                yield f"the rule «{one['Name']}» stands above it and may stop processing"

    def _usual_parts(self, rule: Row) -> set[str]:
        """What the stack's settings ask for and does not concern the probe: no reason to wait no longer."""
        excepted = [str(one).casefold() for one in rule.get("ExceptIfRecipientDomainIs") or ()]
        domain = self._settings.outside.rpartition("@")[2].casefold()
        passes = set() if domain in excepted else {"ExceptIfRecipientDomainIs"}
        return {*_SCOPES, *passes, *({"FromMemberOf"} if self._settings.outbound == "pilot" else ())}

    def _other_routes(self, rows: Iterable[Row], left_by: str) -> Iterable[str]:
        """Rules that lead to the connector that it left by; others have their own mail."""
        own = {self._names.outbound_rule.casefold(), PROBE_RULE.casefold()}
        for one in rows:
            leads_to = str(one.get("RouteMessageOutboundConnector") or "")
            is_its = bool(left_by) and leads_to.casefold() == left_by.casefold()
            if is_its and state_of(one) == "Enabled" and str(one["Name"]).casefold() not in own:
                yield f"the rule «{one['Name']}» routes mail by «{leads_to}»"

    def _elsewhere(self, is_gateway: Callable[[str], bool]) -> Iterable[str]:
        name = self._names.outbound_connector
        row = named(self._rows("OutboundConnector", IncludeTestModeConnectors=True), name) or {}
        hosts = [str(one).strip("[]") for one in row.get("SmartHosts") or []]
        data2 = ", ".join(one.outbound for one in self._settings.members if one.outbound)
        wrong = [one for one in hosts if not is_gateway(one)]
        if wrong and data2:
            yield (
                f"the outbound connector «{name}» leads to {', '.join(wrong)}; the gateway takes Microsoft "
                f"365's mail at {data2}"
            )

    def _own_header(self) -> Iterable[str]:
        name, wanted = self._names.outbound_rule, self._settings.header
        rule = named(self._rules(), name) or {}
        sets = str(rule.get("SetHeaderName") or "")
        if rule and sets.casefold() != wanted.casefold():
            yield f"the rule «{name}» sets {f'the header {sets}' if sets else 'no header'}, not {wanted}"

    def _restricting(self) -> Iterable[str]:
        for one in self._rows("InboundConnector"):
            how = [key for key in _RESTRICTIONS if one.get(key)]
            if how and one.get("Enabled", True) and "*" in _domains(one):
                yield f"the inbound connector «{one['Name']}» has {' and '.join(how)} set"

    def _outbound_connector(self, *, tls: bool) -> Iterable[str]:
        name = self._names.outbound_connector
        row = named(self._rows("OutboundConnector", IncludeTestModeConnectors=True), name)
        if row is None:
            yield f"there is no outbound connector «{name}»"
            return
        if not row.get("Enabled", True):
            yield f"the outbound connector «{name}» is switched off"
        if tls and not row.get("TlsSettings"):
            yield f"the outbound connector «{name}» does not demand TLS"

    def _other_header_rules(self) -> list[str]:
        own = {self._names.outbound_rule.casefold(), PROBE_RULE.casefold()}
        header = self._settings.header.casefold()
        return [
            f"the rule «{one['Name']}» sets the header {self._settings.header} too"
            for one in self._rules()
            if str(one.get("SetHeaderName") or "").casefold() == header
            and state_of(one) == "Enabled"
            and str(one["Name"]).casefold() not in own
        ]

    def _inbound_connector(self, from_ip: str) -> Iterable[str]:
        name = self._names.inbound_connector
        row = named(self._rows("InboundConnector"), name)
        if row is None:
            yield f"there is no inbound connector «{name}»"
            return
        if not row.get("Enabled", True):
            yield f"the inbound connector «{name}» is switched off"
        wanted, has = self._settings.certificate, str(row.get("TlsSenderCertificateName") or "")
        if wanted and has.casefold() != wanted:
            yield f"the inbound connector «{name}» does not go by the certificate {wanted}"
        elif wanted:
            yield f"the gateway at {from_ip or 'any address'} may not show the certificate {wanted}"
        elif from_ip and not _within(from_ip, row.get("SenderIPAddresses")):
            yield f"{from_ip} is not among the addresses of the inbound connector «{name}»"

    def _rule_a(self, from_ip: str) -> Iterable[str]:
        if self._settings.filtered:
            return
        name, rows = self._names.inbound_rule, self._rules()
        rule = named(rows, name)
        if rule is None:
            yield f"there is no rule «{name}»"
            return
        yield from _off(rule, name)
        if from_ip and not _within(from_ip, rule.get("SenderIpRanges")):
            yield f"{from_ip} is not among the addresses of the rule «{name}»"
        for one in in_order(rows):
            scl = str(one.get("SetSCL") if one.get("SetSCL") is not None else "")
            after = priority_of(one) > priority_of(rule) and state_of(one) == "Enabled"
            if after and scl and int(scl) >= 0:
                yield f"the rule «{one['Name']}» sets the SCL to {scl} after it"

    # --- reading --------------------------------------------------------------------------------------------

    def _rules(self) -> list[Row]:
        return self._rows("TransportRule")

    def _rows(self, noun: str, **more: Any) -> list[Row]:
        return [dict(one) for one in self._run(f"Get-{noun}", {"ResultSize": "Unlimited", **more})]

    @staticmethod
    def _found(look: Callable[[], list[str]]) -> list[str]:
        try:
            return look()
        except ManagedError:
            return []  # the usual causes are told instead


def _off(rule: Mapping[str, Any], name: str) -> Iterable[str]:
    if state_of(dict(rule)) != "Enabled":
        yield f"the rule «{name}» is switched off"
    if str(rule.get("Mode") or "Enforce").casefold() != "enforce":
        yield f"the rule «{name}» only audits (mode {rule['Mode']})"


def _domains(connector: Mapping[str, Any]) -> set[str]:
    """Its sender domains, without what Exchange adds (`smtp:*;1`)."""
    texts = (str(one) for one in connector.get("SenderDomains") or [])
    return {text.removeprefix("smtp:").partition(";")[0] for text in texts}


def _within(address: str, networks: Any) -> bool:
    """Whether an IPv4 address is in one of them; of another one nobody can say, so it counts as yes."""
    return span(address) is None or bool(overlapping([address], map(str, networks or [])))
