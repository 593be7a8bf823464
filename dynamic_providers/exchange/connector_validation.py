"""Validation of the outbound connector (guide: «Validate»), as the admin center does it.

Validate-OutboundConnector connects to each smart host and sends a test mail; that the connector is validated
is then written by Set-OutboundConnector. Sources: Microsoft Learn, both cmdlets; the rows' names as tools
that read them know them. What it proves is little, so the mail flow checks prove the path.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import pulumi
from pulumi.dynamic import Resource
from pydantic import Field

from dynamic_providers import report
from dynamic_providers.entries import Props, quoted
from dynamic_providers.errors import clean
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import ExchangeClient, Rows, Step, exchange, named
from dynamic_providers.exchange.cmdlets import OUTBOUND_CONNECTOR
from dynamic_providers.exchange.errors import ExchangeError, NotFound
from dynamic_providers.field_types import ExchangeName, InitialDomain, MailAddress, SmartHost
from dynamic_providers.looking import LookingProvider
from dynamic_providers.model import Model

_CMDLET: Final = "Validate-OutboundConnector"
_CAUSES: Final = (
    "usual causes: the smart host does not take mail from Microsoft 365 on port 25 with TLS; the gateway "
    "does not relay for it; a transport rule of yours catches the test mail, which comes from a fixed "
    "sender of Microsoft's and has no secret in its header"
)


class ValidationFailed(ExchangeError):
    """Microsoft 365 could not send a test mail through the connector."""


class ConnectorValidationModel(Model):
    """A connector, whom the test mail goes to, and what makes it run again when it changes."""

    tenant: InitialDomain
    connector: ExchangeName
    recipients: tuple[MailAddress, ...] = Field(min_length=1, description="Mailboxes outside.")
    smart_hosts: tuple[SmartHost, ...] = ()
    watches: tuple[str, ...] = Field((), description="Revisions of the connector and what it leads to.")


class ConnectorValidationProvider(LookingProvider):
    """Runs the validation when it is made, when what it watches changes, and when it does not count any more.

    Outputs: `validated`, `at` (UTC) and `tasks`, a line each. `delete` leaves the connector alone: its own
    `before` holds whether it was validated before us.
    """

    model: ClassVar[type[Model]] = ConnectorValidationModel
    identity: ClassVar[tuple[str, ...]] = ("tenant", "connector")
    outputs: ClassVar[tuple[str, ...]] = ("validated", "at", "tasks")

    def look(self, inputs: Props, olds: Props) -> Props:
        return _validated(inputs)

    def again(self, state: Props) -> Props:
        row = exchange().find(OUTBOUND_CONNECTOR, state["connector"])
        counts = row is not None and row.get("IsValidated") is True
        return {**state, "validated": counts and bool(state.get("validated"))}

    def unsettled(self, olds: Props, news: Props) -> bool:
        return not olds.get("validated")


class ConnectorValidation(Resource, module="exchange", name="ConnectorValidation"):
    """The outbound connector, validated. `watches`: outputs `revision` of what it runs again after."""

    validated: pulumi.Output[bool]
    at: pulumi.Output[str]
    tasks: pulumi.Output[list[str]]

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        connector: str,
        recipients: Sequence[str],
        smart_hosts: Sequence[str] = (),
        watches: Sequence[pulumi.Input[str]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "tenant": tenant,
            "connector": connector,
            "recipients": list(recipients),
            "smartHosts": list(smart_hosts),
            "watches": list(watches),
            **dict.fromkeys(ConnectorValidationProvider.outputs),
        }
        super().__init__(ConnectorValidationProvider(), resource_name, props, opts)


def _validated(props: Props) -> Props:
    """Validate, write that down at the connector, and tell of what the cmdlet left behind."""
    client, name, recipients = exchange(), str(props["connector"]), list(props["recipients"])
    row = client.find(OUTBOUND_CONNECTOR, name)
    if row is None:
        raise NotFound(f"there is no outbound connector «{name}» to validate", where=client.name)
    try:
        results = client.ask(_CMDLET, {"Identity": row["Identity"], "Recipients": recipients})
    finally:
        client.forget(OUTBOUND_CONNECTOR)
    try:
        _require_success(results, row, client)
        at = _mark(client, name, recipients)
    finally:
        _tell_left_over(client, name)  # last: a list that shows the mark shows what was left before it, too
    return {"validated": True, "at": at, "tasks": [_line(one) for one in results]}


def _require_success(results: Rows, row: Row, client: ExchangeClient) -> None:
    where = f"{client.name}, outbound connector «{row['Name']}»"
    failed = [line for one in results for line in _failed(one)]
    disabled = "the connector is disabled, so it cannot be validated; " if row.get("Enabled") is False else ""
    if not results:
        failed = ["Exchange gives no result"]
    if failed:
        raise ValidationFailed(
            f"validation failed: {'; '.join(dict.fromkeys(failed))}. {disabled}{_CAUSES}",
            where=where,
            fix="repair that and run it again; the mail flow checks show which hop it is",
        )


def _failed(result: Mapping[str, Any]) -> Iterator[str]:
    """The tasks that failed, the smallest parts where a task has parts."""
    if _succeeded(result):
        return
    parts = [line for part in _parts(result) for line in _failed(part)]
    yield from parts or [_line(result)]


def _parts(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A task's parts. Their form is known from a single report: anything but objects counts as text."""
    found = result.get("SubTaskResults")
    given = found if isinstance(found, list) else [found] if found else []
    return [one for one in given if isinstance(one, Mapping)]


def _succeeded(result: Mapping[str, Any]) -> bool:
    said = result.get("IsTaskSuccessful")
    return said is True or str(said).casefold() == "true"


def _line(result: Mapping[str, Any]) -> str:
    """One task in words: the detail quoted as Exchange gives it."""
    detail = clean(str(result.get("TaskDetail") or ""))
    parts = result.get("SubTaskResults")
    texts = [one for one in parts if isinstance(one, str)] if isinstance(parts, list) else []
    said = clean("; ".join(part for part in (detail, *texts) if part))
    task = f"task «{clean(str(result.get('TaskName') or 'without a name'))}»"
    return f"{task}: {said}" if said else task


def _mark(client: ExchangeClient, name: str, recipients: list[str]) -> str:
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def missing(rows: Rows) -> str:
        row = named(rows, name)
        return "" if row is not None and row.get("IsValidated") is True else "IsValidated"

    with client.alone(OUTBOUND_CONNECTOR):
        row = client.find(OUTBOUND_CONNECTOR, name)
        if row is None:
            raise NotFound(f"the outbound connector «{name}» went while it was validated", where=client.name)
        given = {"IsValidated": True, "LastValidationTimestamp": at, "ValidationRecipients": recipients}
        client.write(OUTBOUND_CONNECTOR, [Step("Set", {"Identity": row["Identity"], **given})], missing)
    return at


def _tell_left_over(client: ExchangeClient, name: str) -> None:
    start = f"{name}_Test_".casefold()
    rows = client.rows(OUTBOUND_CONNECTOR)
    left = sorted(str(row["Name"]) for row in rows if str(row.get("Name", "")).casefold().startswith(start))
    if left:
        report.warning(
            f"{client.name}: {_CMDLET} left {quoted(left)} behind; nothing uses it, and nobody removes it: "
            "remove it by hand (Remove-OutboundConnector)"
        )
