"""What the main project logs in to a tenant as: app registration, rights, and what it proves itself with."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlencode

import pulumi
import pulumi_azuread as azuread
import yaml

from components.stack_config import NAMESPACE
from dynamic_providers.clouds import CLOUDS
from identity.afterwards import let_in, limit_to_mailbox
from identity.federation import AUDIENCE
from identity.login_certificate import LoginCertificate
from identity.rights import DIRECTORY_ROLES, MANAGE_EXCHANGE, READ_DOMAINS, AppRole, Cloud
from identity.settings import IdentitySettings, Tenant

Exported = dict[str, Any]


class AutomationIdentity(pulumi.ComponentResource):
    """One identity of the kind that the settings ask for; `exported`: what the stack hands out."""

    def __init__(
        self, name: str, settings: IdentitySettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("m365-secure-email:identity:AutomationIdentity", name, None, opts)
        self._settings, self._prefix = settings, name
        self._own = pulumi.ResourceOptions(parent=self)
        self.exported: Exported = {}
        if settings.kind in ("own", "multiTenant"):
            app = self._application()
            self.client_id: pulumi.Output[str] = app.client_id
            self.exported["credentials"] = self._credentials(app)
        else:
            self.client_id = pulumi.Output.from_input(settings.client_id or "")
        self.exported["clientId"] = self.client_id
        if settings.kind == "managedIdentity":
            self.exported["credentials"] = _MACHINE
        if settings.kind == "multiTenant":
            self._for_customers()
        else:
            self._rights(self._principal())
        self.register_outputs(self.exported)

    # --- who it is ------------------------------------------------------------------------------------------

    @property
    def _app_roles(self) -> tuple[AppRole, ...]:
        return (MANAGE_EXCHANGE, READ_DOMAINS) if self._settings.graph.read_domains else (MANAGE_EXCHANGE,)

    def _application(self) -> azuread.Application:
        """The app registration. It asks for what it is given here, so a consent elsewhere gives the same."""
        accesses = [
            azuread.ApplicationRequiredResourceAccessArgs(
                resource_app_id=one.resource,
                resource_accesses=[
                    azuread.ApplicationRequiredResourceAccessResourceAccessArgs(id=one.id, type="Role")
                ],
            )
            for one in self._app_roles
        ]
        several = self._settings.kind == "multiTenant"
        landing = f"{_login(self._settings.tenant.cloud)}/common/oauth2/nativeclient"
        return azuread.Application(
            f"{self._prefix}-application",
            display_name=self._settings.name,
            notes="Made by m365-secure-email, identity/; change it there.",
            sign_in_audience="AzureADMultipleOrgs" if several else "AzureADMyOrg",
            web=azuread.ApplicationWebArgs(redirect_uris=[landing]) if several else None,
            required_resource_accesses=accesses,
            prevent_duplicate_names=True,
            opts=self._own,
        )

    def _principal(self) -> pulumi.Output[str]:
        """The object id of the service principal in this tenant."""
        if self._settings.kind == "managedIdentity":  # it is Azure's own, and goes with the machine
            return azuread.get_service_principal_output(
                client_id=self.client_id, opts=pulumi.InvokeOptions(parent=self)
            ).object_id
        # A provider's app may have been let in already, by its consent URL.
        existing = True if self._settings.kind == "consented" else None
        return azuread.ServicePrincipal(
            f"{self._prefix}-principal", client_id=self.client_id, use_existing=existing, opts=self._own
        ).object_id

    # --- what it may do -------------------------------------------------------------------------------------

    def _rights(self, principal: pulumi.Output[str]) -> None:
        for one in self._app_roles:
            resource = azuread.get_service_principal_output(
                client_id=one.resource, opts=pulumi.InvokeOptions(parent=self)
            )
            azuread.AppRoleAssignment(  # which is the administrator's consent
                f"{self._prefix}-{one.name}",
                app_role_id=one.id,
                principal_object_id=principal,
                resource_object_id=resource.object_id,
                opts=self._own,
            )
        azuread.DirectoryRoleAssignment(
            f"{self._prefix}-directory-role",
            role_id=DIRECTORY_ROLES[self._settings.role][0],
            principal_object_id=principal,
            opts=self._own,
        )
        settings = self._settings
        self.exported["stackFile"] = self.client_id.apply(
            lambda client: stack_file(settings.tenant, settings.tenant.cloud, client)
        )
        if settings.graph.mailbox is not None:
            self.exported["afterwards"] = pulumi.Output.all(self.client_id, principal).apply(
                lambda ids: limit_to_mailbox(settings, ids[0], ids[1])
            )

    def _for_customers(self) -> None:
        settings, cloud = self._settings, self._settings.tenant.cloud

        def told(client: str) -> Mapping[str, Any]:
            urls = {name: consent_url(one, cloud, client) for name, one in settings.customers.items()}
            steps = [
                let_in(name, one.id, urls[name], client, settings.role)
                for name, one in settings.customers.items()
            ]
            files = {name: stack_file(one, cloud, client) for name, one in settings.customers.items()}
            return {"consentUrls": urls, "stackFiles": files, "afterwards": "\n\n".join(steps)}

        all_of_it = self.client_id.apply(told)
        for key in ("consentUrls", "stackFiles", "afterwards"):
            self.exported[key] = all_of_it[key]

    # --- what it proves itself with -------------------------------------------------------------------------

    def _credentials(self, app: azuread.Application) -> Mapping[str, str]:
        """All that the settings name. Returns the main project's variables, and how to get their values."""
        given = self._settings.credentials
        for name, workload in given.federated.items():
            issuer, subject = workload.trusted()
            azuread.ApplicationFederatedIdentityCredential(
                f"{self._prefix}-federated-{name}",
                application_id=app.id,
                display_name=name,
                issuer=issuer,
                subject=subject,
                audiences=[AUDIENCE],
                opts=self._own,
            )
        for day in sorted(given.certificate):
            certificate = LoginCertificate(
                f"{self._prefix}-certificate-{day}", app, self._settings.name, day, self._own
            )
            self.exported["certificate"] = certificate.pem
        for day in sorted(given.secret):
            password = azuread.ApplicationPassword(
                f"{self._prefix}-secret-{day}",
                application_id=app.id,
                display_name=f"until {day}",
                end_date=end_of(day),
                opts=self._own,
            )
            self.exported["clientSecret"] = pulumi.Output.secret(password.value)
        return {variable: how for key, variable, how in _HOW if getattr(given, key)}


_HOW = (
    ("federated", "AZURE_FEDERATED_TOKEN_FILE", "set by `fleet pipeline identity`; in Kubernetes, by itself"),
    (
        "certificate",
        "AZURE_CLIENT_CERTIFICATE_PATH",
        "a file, for you alone, with what `pulumi stack output certificate --show-secrets` prints",
    ),
    ("secret", "AZURE_CLIENT_SECRET", "what `pulumi stack output clientSecret --show-secrets` prints"),
)
_MACHINE = {"AZURE_MANAGED_IDENTITY": "system; or clientId, where it is an identity assigned to the machine"}
"""Variable of the main project → where its value comes from."""


def end_of(day: date) -> str:
    """The last second of a day, as Entra writes it."""
    return datetime.combine(day, time(23, 59, 59), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stack_file(tenant: Tenant, cloud: Cloud, client_id: str) -> str:
    """The part of the main project's stack file that says where and as whom."""
    said = {"id": tenant.id, "initialDomain": tenant.initial_domain, "clientId": client_id}
    if cloud != "worldwide":
        said["cloud"] = cloud
    text: str = yaml.safe_dump({"config": {f"{NAMESPACE}:tenant": said}}, sort_keys=False)
    return text


def consent_url(tenant: Tenant, cloud: Cloud, client_id: str) -> str:
    """Where an administrator of a tenant agrees to all that the app asks for.

    Source: Microsoft Learn, «Grant tenant-wide admin consent to an application».
    """
    login = _login(cloud)
    query = {"client_id": client_id, "redirect_uri": f"{login}/common/oauth2/nativeclient"}
    return f"{login}/{tenant.id}/adminconsent?{urlencode(query)}"


def _login(cloud: Cloud) -> str:
    return f"https://{CLOUDS[cloud].login}"
