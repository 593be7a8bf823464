"""The sections of a stack file that say where things are, and with what we log in."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, SecretStr

from components.setting_types import Credential
from dynamic_providers.connections import Endpoints, JumpHost, Member, TenantConnection
from dynamic_providers.field_types import (
    Guid,
    Host,
    HostKey,
    HttpsUrl,
    InitialDomain,
    ManagedIdentityName,
    Path,
    Port,
    SenderAddress,
    UserName,
)
from dynamic_providers.model import Model

_FINGERPRINT = (
    "SHA256 fingerprint of its SSH host key, as `ssh-keygen -lf` prints it; anything else is refused."
)


class JumpHostSettings(JumpHost):
    """The host through which cloud gateways are reached. It takes public keys only: see GATEWAY_KEY_FILE."""

    host: Host = Field(description="Its name or IPv4 address; by region, such as f10-ssh.c3s2.iphmx.com.")
    port: Port = Field(22, description="Its SSH port.")
    user: UserName = Field("dh-user", description="The account on it.")
    host_key: HostKey = Field(description=_FINGERPRINT)


class MemberSettings(Member):
    """One gateway."""

    host: Host = Field(description="The gateway's name or IPv4 address, as the jump host knows it.")
    port: Port = Field(22, description="Its SSH port.")
    user: UserName = Field("admin", description="The administrator's account on it.")
    host_key: HostKey = Field(description=_FINGERPRINT)
    data1: SenderAddress = Field(
        description="Address of interface Data 1 as the internet sees it: IPv4, or a network from /24 to /32."
        " Source: Cisco's welcome letter."
    )
    data2: SenderAddress = Field(
        description="Address of interface Data 2, likewise; the same as data1 where there is one interface."
        " Source: Cisco's welcome letter, or Cisco TAC."
    )


class TenantSettings(TenantConnection):
    """The Microsoft 365 tenant, and the app registration that we log in as."""

    id: Guid = Field(
        description="The tenant's directory id. AZURE_TENANT_ID stands in for it, and has to agree."
    )
    initial_domain: InitialDomain = Field(
        description="The tenant's first domain, such as contoso.onmicrosoft.com."
    )
    client_id: Guid = Field(
        description="The app registration's id, or a managed identity's client id. The environment's"
        " AZURE_CLIENT_ID wins."
    )
    cloud: Literal["worldwide", "gccHigh", "dod", "china"] = Field(
        "worldwide",
        description="Microsoft's cloud; GCC is part of the worldwide one. It says where Exchange, login and"
        " Graph are, and how Microsoft's mail hosts are called; other addresses go into endpoints.",
    )


class EndpointSettings(Endpoints):
    """Other addresses than the public ones: proxies, the lab."""

    exchange: HttpsUrl | None = Field(None, description="Exchange Online's admin API.")
    authority: HttpsUrl | None = Field(None, description="The token authority.")
    graph: HttpsUrl | None = Field(None, description="Microsoft Graph.")
    ca_bundle: Path | None = Field(
        None, description="File with the certificate authorities to trust, from the project's folder."
    )


class CredentialSettings(Model):
    """What we log in with; the environment wins. Set secrets with `pulumi config set --secret --path`."""

    gateway_password: Credential | None = Field(
        None, description="Gateway account's password (GATEWAY_PASSWORD)."
    )
    gateway_key_file: Path | None = Field(
        None, description="File with the SSH key for jump host and gateway (GATEWAY_KEY_FILE)."
    )
    gateway_key_passphrase: Credential | None = Field(
        None, description="That key's passphrase (GATEWAY_KEY_PASSPHRASE)."
    )
    azure_client_secret: Credential | None = Field(
        None, description="The app registration's secret (AZURE_CLIENT_SECRET)."
    )
    azure_client_certificate_path: Path | None = Field(
        None, description="File with its certificate and key (AZURE_CLIENT_CERTIFICATE_PATH)."
    )
    azure_client_certificate_password: Credential | None = Field(
        None, description="That file's password (AZURE_CLIENT_CERTIFICATE_PASSWORD)."
    )
    azure_managed_identity: ManagedIdentityName | None = Field(
        None,
        description="The identity of the machine in Azure that we run on (AZURE_MANAGED_IDENTITY): system, or"
        " the client id of one that is assigned to it.",
    )

    tracking_user: UserName | None = Field(
        None, description="Account for message tracking, if not the gateway's own (TRACKING_USER)."
    )
    tracking_password: Credential | None = Field(None, description="Its password (TRACKING_PASSWORD).")
    probe_imap_password: Credential | None = Field(
        None, description="Password of the mailbox outside (PROBE_IMAP_PASSWORD)."
    )
    dns_tsig_secret: Credential | None = Field(
        None, description="Value of the TSIG key, base64 (DNS_TSIG_SECRET)."
    )

    def in_clear(self) -> dict[str, str]:
        """What the stack file holds of them, by key: for `pulumi.Output.secret`, nothing else."""
        given = {key: getattr(self, name) for name, key in _keys(type(self))}
        return {
            key: value.get_secret_value() if isinstance(value, SecretStr) else value
            for key, value in given.items()
            if value is not None
        }


def _keys(model: type[Model]) -> Iterator[tuple[str, str]]:
    yield from ((name, field.alias or name) for name, field in model.model_fields.items())
