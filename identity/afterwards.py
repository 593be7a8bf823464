"""What is left for an administrator to type, since no provider of Pulumi's can do it: printed, never run.

Exchange's own rights (one mailbox, and not all of them) are given by its cmdlets alone. Source: Microsoft
Learn, «Role Based Access Control for Applications in Exchange Online».
"""

import re
from typing import Final

from identity.rights import DIRECTORY_ROLES, Role
from identity.settings import IdentitySettings

_QUOTES: Final = re.compile("['\u2018\u2019\u201a\u201b]")
"""What ends a text in PowerShell that a ' began: these, too."""


def quoted(text: str) -> str:
    """A PowerShell text in which nothing is special."""
    return "'" + _QUOTES.sub(lambda found: found.group() * 2, text) + "'"


def cmdlet(name: str, **parameters: str) -> str:
    """One command."""
    return " ".join([name, *(f"-{key} {quoted(value)}" for key, value in parameters.items())])


def limit_to_mailbox(settings: IdentitySettings, client_id: str, object_id: str) -> str:
    """Let the app use one mailbox, and no other.

    A consent in Entra would count for every mailbox besides, so none is given there.
    """
    domain, name, mailbox = settings.tenant.initial_domain, settings.name, settings.graph.mailbox or ""
    scope, doubled = f"{name} probe", mailbox.replace("'", "''")
    roles = ["Application Mail.Send", *(["Application Mail.Read"] if settings.graph.look_into else [])]
    return "\n".join(
        [
            f"# In Exchange Online PowerShell, as an Exchange administrator of {domain}.",
            "# It may take two hours to act.",
            cmdlet("Connect-ExchangeOnline", Organization=domain),
            cmdlet("New-ServicePrincipal", AppId=client_id, ObjectId=object_id, DisplayName=name),
            cmdlet(
                "New-ManagementScope",
                Name=scope,
                RecipientRestrictionFilter=f"PrimarySmtpAddress -eq '{doubled}'",
            ),
            *(
                cmdlet("New-ManagementRoleAssignment", App=object_id, Role=role, CustomResourceScope=scope)
                for role in roles
            ),
            "# InScope has to be True for it, and False for any other mailbox:",
            cmdlet("Test-ServicePrincipalAuthorization", Identity=object_id, Resource=mailbox),
        ]
    )


def let_in(customer: str, tenant_id: str, url: str, client_id: str, role: Role) -> str:
    """Let a provider's app into a customer's tenant by hand."""
    template, name = DIRECTORY_ROLES[role]
    scopes = "'RoleManagement.ReadWrite.Directory', 'Application.Read.All'"
    new_role = cmdlet(
        "New-MgRoleManagementDirectoryRoleAssignment", RoleDefinitionId=template, DirectoryScopeId="/"
    )
    found = cmdlet("Get-MgServicePrincipal", Filter=f"appId eq '{client_id}'")
    return "\n".join(
        [
            f"# {customer}: a stack of kind consented in that tenant; or by hand, there:",
            "# an administrator opens",
            f"#   {url}",
            f"# and makes the app {name}, in Microsoft Graph PowerShell.",
            f"{cmdlet('Connect-MgGraph', TenantId=tenant_id)} -Scopes {scopes}",
            f"$app = {found}",
            f"{new_role} -PrincipalId $app.Id",
        ]
    )
