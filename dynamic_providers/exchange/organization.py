"""The organization's own switch RejectDirectSend: one of our domains as sender, unauthenticated → refused.

Source: Microsoft Learn, Set-OrganizationConfig. It acts after up to half an hour.
"""

from typing import Final

from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import ExchangeClient, Rows, Step
from dynamic_providers.exchange.cmdlets import ORGANIZATION
from dynamic_providers.exchange.errors import Unreadable

REJECT_DIRECT_SEND: Final = "RejectDirectSend"


def rejects_direct_send(client: ExchangeClient) -> bool:
    """Whether it is on; a tenant that does not show it has it off."""
    return _one(client.rows(ORGANIZATION), client).get(REJECT_DIRECT_SEND) is True


def reject_direct_send(client: ExchangeClient, *, on: bool) -> None:
    """Switch it, unless it is so; nothing else of the organization is sent."""

    def missing(rows: Rows) -> str:
        return "" if (_one(rows, client).get(REJECT_DIRECT_SEND) is True) is on else REJECT_DIRECT_SEND

    with client.alone(ORGANIZATION):
        if rejects_direct_send(client) is not on:
            client.write(ORGANIZATION, [Step("Set", {REJECT_DIRECT_SEND: on})], missing)


def _one(rows: Rows, client: ExchangeClient) -> Row:
    if len(rows) != 1:
        raise Unreadable(
            f"the answer holds {len(rows)} organizations, not one",
            where=f"{client.name}, {ORGANIZATION.cmdlet('Get')}",
        )
    return rows[0]
