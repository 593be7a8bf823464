"""Validate-OutboundConnector: connects to each smart host and sends a test mail; sets nothing.

The sender is fixed and inside the organization, so the tenant's own rules run over the mail, as reported from
the field; it leaves through this connector whatever they say. A disabled connector fails.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lab.mail.envelope import Envelope, compose
from lab.tenant import outbound_connectors
from lab.tenant.connector_rows import named
from lab.tenant.mail.outbound import connected, reason
from lab.tenant.mail.routing import Hop, Route
from lab.tenant.session import Bound, Session, mandatory
from lab.tenant.store import OUTBOUND, Record
from lab.tenant.values import Reader, multi_valued, text

VALIDATE: dict[str, Reader] = {"Identity": text, "Recipients": multi_valued}
SENDER = "O365ConnectorValidation"


def validate(session: Session, bound: Bound) -> list[Record]:
    """Validate-OutboundConnector: a row for connecting and one for the test mails."""
    recipients = [str(address) for address in mandatory(bound, "Recipients")]
    with session.store.lock:
        connector = dict(named(session, OUTBOUND, bound))
        if session.switches.validation_leaves_connector:
            _left_over(session, connector)
    if not connector["Enabled"]:
        failed = "The connector is disabled."
        return [_row(f"Check connectivity to '{connector['Name']}'", failed, [])]
    connected = [_connected(session, hop, route) for hop, route in _hops(session, connector, recipients[0])]
    sent = [result for address in recipients for result in _mailed(session, connector, address)]
    return [
        _row(f"Check connectivity to '{connector['Name']}'", _first_failure(connected), connected),
        _row("Send test email", _first_failure(sent), sent),
    ]


Result = tuple[str, str]
"""A subtask's name, and what went wrong or ""."""


def _hops(session: Session, connector: Record, recipient: str) -> list[tuple[Hop, Route]]:
    domain = recipient.rpartition("@")[2]
    route = session.mail.wire.router.route(domain, connector, require_tls=False)
    return [(hop, route) for hop in route.hops or (Hop(route.missing, ""),)]


def _connected(session: Session, hop: Hop, route: Route) -> Result:
    if not hop.address:
        return "Resolve", hop.name
    with session.mail.client(hop, route) as client:
        return f"Connect to {hop.name}", connected(client, hop, route, session.switches)


def _mailed(session: Session, connector: Record, recipient: str) -> list[Result]:
    """A test mail through each smart host."""
    sender = f"{SENDER}@{session.mail.organization.accepted_domains[0]}"
    composed = compose(sender, recipient, "Test email for connector validation")
    return [
        _sent(session, hop, route, session.mail.ruled(composed))
        for hop, route in _hops(session, connector, recipient)
        if hop.address
    ]


def _sent(session: Session, hop: Hop, route: Route, envelope: Envelope) -> Result:
    with session.mail.client(hop, route) as client:
        said = connected(client, hop, route, session.switches)
        if not said:
            outcome = client.send(envelope)
            said = "" if outcome.delivered else reason(outcome)
    return f"Send to {envelope.recipients[0]} through {hop.name}", said


def _first_failure(results: list[Result]) -> str:
    return next((said for _name, said in results if said), "")


def _row(task: str, failure: str, results: list[Result]) -> Record:
    detail: dict[str, Any] = {
        "TaskName": task,
        "IsTaskSuccessful": not failure,
        "TaskDetail": failure or "Succeeded",
        "SubTaskResults": [f"{name}: {said or 'Succeeded'}" for name, said in results],
    }
    return detail


def _left_over(session: Session, connector: Record) -> None:
    """The copy that the validation works with, and that it sometimes does not take away."""
    stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")  # two in one second are two
    parameters: Bound = {
        "Name": f"{connector['Name'][:38]}_Test_{stamp}",
        "TestMode": True,
        **{name: connector[name] for name in ("ConnectorType", "UseMXRecord", "SmartHosts", "TlsSettings")},
        "IsTransportRuleScoped": True,
    }
    outbound_connectors.new(session, parameters)
