"""What other administrators have put into the tenant before anything of ours came: it must stay as it is."""

from __future__ import annotations

from lab.tenant.cmdlets import known
from lab.tenant.connection_filter import policy_row
from lab.tenant.dkim import signing_row
from lab.tenant.groups import first_groups
from lab.tenant.organization import config_row, domain_row
from lab.tenant.practice import Organization
from lab.tenant.session import Session
from lab.tenant.store import (
    CONNECTION_FILTER,
    DKIM,
    DOMAINS,
    GROUPS,
    INBOUND,
    ORGANIZATION,
    OUTBOUND,
    RULES,
    Store,
)
from lab.tenant.switches import Switches

FOREIGN_SECRET = "others-header-secret-7c1f"
"""Stands in a foreign rule, in clear, as other companies' secrets do."""


def furnish(store: Store, switches: Switches, organization: Organization) -> None:
    """Fill an empty store with the organization and its foreign objects."""
    store.tables = {RULES: [], INBOUND: [], OUTBOUND: []}
    store.tables[DOMAINS] = [domain_row(name, organization) for name in organization.accepted_domains]
    store.tables[ORGANIZATION] = [config_row(organization)]
    store.tables[CONNECTION_FILTER] = [policy_row()]
    store.tables[DKIM] = [signing_row(name, organization) for name in organization.accepted_domains]
    store.tables[GROUPS] = first_groups(organization)
    session = Session(store, switches, "Former Administrator", by_hand=True)
    for cmdlet, parameters in _objects(organization):
        found = known(cmdlet)
        assert found is not None
        found.invoke(session, parameters)
    store.settle()


def _objects(organization: Organization) -> list[tuple[str, dict[str, object]]]:
    domain = organization.accepted_domains[0]
    return [
        (
            "New-InboundConnector",
            {
                "Name": "From payroll service",
                "ConnectorType": "Partner",
                "ConnectorSource": "AdminUI",
                "Comment": "Ticket 4711",
                "SenderDomains": ["payroll.example"],
                "SenderIPAddresses": ["203.0.113.40", "203.0.113.64/28"],
                "RequireTls": True,
                "RestrictDomainsToIPAddresses": True,
            },
        ),
        (
            "New-OutboundConnector",
            {
                "Name": "To archive",
                "ConnectorType": "Partner",
                "ConnectorSource": "AdminUI",
                "IsTransportRuleScoped": True,
                "UseMXRecord": False,
                "SmartHosts": ["journal.archive.example"],
                "TlsSettings": "DomainValidation",
                "TlsDomain": "*.archive.example",
            },
        ),
        (
            "New-TransportRule",
            {
                "Name": "External mail warning",
                "FromScope": "NotInOrganization",
                "SenderAddressLocation": "HeaderOrEnvelope",
                "PrependSubject": "[EXTERNAL] ",
                "ExceptIfSenderDomainIs": ["payroll.example"],
            },
        ),
        (
            "New-TransportRule",
            {
                "Name": "Old disclaimer",
                "Enabled": False,
                "FromScope": "InOrganization",
                "SentToScope": "NotInOrganization",
                "ApplyHtmlDisclaimerText": f"<p>Sent by {domain}</p>",
                "Comments": "Off since the new signatures",
            },
        ),
        (
            "New-TransportRule",
            {
                "Name": "Archive copies",
                "FromMemberOf": [f"legal@{domain}"],
                "RouteMessageOutboundConnector": "To archive",
                "SetHeaderName": "X-Archive-Auth",
                "SetHeaderValue": FOREIGN_SECRET,
            },
        ),
        (
            "New-TransportRule",
            {
                "Name": "No executables",
                "AttachmentHasExecutableContent": True,
                "RejectMessageReasonText": "Executable attachments are not accepted.",
                "StopRuleProcessing": True,
                "SetAuditSeverity": "Medium",
            },
        ),
    ]
