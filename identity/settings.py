"""The settings of an identity: in which tenant, for what, and what it logs in with. Nothing here is secret.

All mistakes are told at once, in the words of the main project's settings.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Literal, Self

import pulumi
from pydantic import AfterValidator, Field, ValidationError

from components.mistakes import Mistake, SettingsError, from_validation
from components.raw_values import Values, at, listed_at
from components.setting_types import Day
from components.stack_config import read_config
from dynamic_providers import wording
from dynamic_providers.field_types import Flag, Guid, InitialDomain, Label, MailAddress
from dynamic_providers.model import Model
from dynamic_providers.refusal import refuse
from identity.federation import MOST, Workload
from identity.rights import Cloud, Role

NAMESPACE: Final = "m365-secure-email-identity"
_LONGEST_NAME: Final = 50  # Exchange takes 64 for the scope that is named after it
_LONGEST_LIFE: Final = timedelta(days=730)

Kind = Literal["own", "multiTenant", "consented", "managedIdentity"]
_WITH_CLIENT: Final = ("consented", "managedIdentity")


def _name(text: str) -> str:
    return wording.one_line(text, _LONGEST_NAME)


def _until(day: date) -> date:
    today = datetime.now(UTC).date()
    if day <= today:
        refuse("is past: take it out, and what ends on it goes")
    if day - today > _LONGEST_LIFE:
        refuse("is more than two years away: Entra takes none so long")
    return day


Name = Annotated[str, AfterValidator(_name)]
Until = Annotated[Day, AfterValidator(_until)]


class Tenant(Model):
    """A Microsoft 365 tenant."""

    id: Guid = Field(description="Its directory id.")
    initial_domain: InitialDomain = Field(description="Its first domain, such as contoso.onmicrosoft.com.")


class OwnTenant(Tenant):
    """The tenant in which things are made, and its cloud."""

    cloud: Cloud = Field("worldwide", description="Microsoft's cloud; GCC is part of the worldwide one.")


class Credentials(Model):
    """What the app registration logs in with. Several at once let one follow another without a gap."""

    federated: dict[Label, Workload] = Field(
        {}, max_length=MOST, description="Pipelines and pods that log in with their own tokens, by names."
    )
    certificate: tuple[Until, ...] = Field(
        (),
        description="Days on which certificates end; one is made for each, and the last one is handed out.",
    )
    secret: tuple[Until, ...] = Field((), description="Days on which client secrets end, likewise.")


class Graph(Model):
    """What it may do by Microsoft Graph, for `fleet onboard` and the checks."""

    read_domains: Flag = Field(
        default=True, description="Whether it may ask for a domain's Microsoft MX, as `fleet onboard` does."
    )
    mailbox: MailAddress | None = Field(
        None, description="`checks.mailbox` of the main stack: it may send from this one, and no other."
    )
    look_into: Flag = Field(
        default=False, description="Whether it may look into that mailbox, to see where mail lies."
    )


class IdentitySettings(Model):
    """Everything that an identity's stack file says under `m365-secure-email-identity:`."""

    name: Name = Field("m365-secure-email", description="The app registration's name.")
    tenant: OwnTenant = Field(description="The tenant that we are logged in to as an administrator.")
    kind: Kind = Field(
        "own",
        description="own: an app registration for this tenant; multiTenant: one of a provider, for tenants of"
        " others; consented: such a one, let into this tenant; managedIdentity: a machine's in Azure.",
    )
    client_id: Guid | None = Field(None, description="Of the app that is let in, or of the machine.")
    role: Role = Field("write", description="write: what `up` needs; read: what previews and drift need.")
    credentials: Credentials = Field(Credentials(), description="What the app logs in with.")
    customers: dict[Label, Tenant] = Field({}, description="The tenants that a provider's app is for.")
    graph: Graph = Field(Graph(), description="What it may do by Microsoft Graph.")

    @classmethod
    def from_config(cls, values: Values) -> Self:
        """Check the values of a stack file. Raises SettingsError, which lists every mistake."""
        mistakes: list[Mistake] = []
        settings = None
        try:
            settings = cls.model_validate(dict(values), by_alias=True, by_name=False)
        except ValidationError as error:
            mistakes += from_validation(error, cls)
        mistakes += _contradictions(values)
        if mistakes or settings is None:
            raise SettingsError(mistakes) from None
        return settings


def of_this_stack() -> IdentitySettings:
    """The settings of the stack that the engine works on; mistakes end the program with their list."""
    try:
        return IdentitySettings.from_config(read_config(NAMESPACE))
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None


def _contradictions(values: Values) -> Iterator[Mistake]:
    kind = at(values, "kind") or "own"
    yield from _client(values, kind)
    yield from _credentials(values, kind)
    yield from _mailbox(values, kind)
    customers = at(values, "customers")
    if kind == "multiTenant" and not customers:
        yield Mistake(
            ("customers",), "are missing while kind is multiTenant: name the tenants that it is for"
        )
    if kind != "multiTenant" and customers:
        yield Mistake(("customers",), "count only while kind is multiTenant: set that, or leave them out")


def _client(values: Values, kind: object) -> Iterator[Mistake]:
    given = at(values, "clientId") is not None
    if kind in _WITH_CLIENT and not given:
        yield Mistake(("clientId",), f"is missing while kind is {kind}: give its application (client) id")
    if kind not in _WITH_CLIENT and given:
        yield Mistake(("clientId",), f"is what Entra gives while kind is {kind}: leave it out")


def _credentials(values: Values, kind: object) -> Iterator[Mistake]:
    given = at(values, "credentials")
    if kind in _WITH_CLIENT and given:
        yield Mistake(("credentials",), f"are not made here while kind is {kind}: leave them out")
    if kind not in _WITH_CLIENT and not given:
        yield Mistake(
            ("credentials",), "are missing: give federated, certificate or secret, the first that you can"
        )
    for key in ("certificate", "secret"):
        days = [str(one) for one in listed_at(values, "credentials", key)]
        for index, day in enumerate(days):
            if day in days[:index]:
                yield Mistake(("credentials", key, index), "is the same day as another one: keep one of them")
    yield from _trusted_twice(at(values, "credentials", "federated"))


def _trusted_twice(federated: object) -> Iterator[Mistake]:
    seen: list[object] = []
    for name, one in federated.items() if isinstance(federated, Mapping) else ():
        if one in seen:
            yield Mistake(("credentials", "federated", str(name)), "is there twice: keep one of them")
        seen.append(one)


def _mailbox(values: Values, kind: object) -> Iterator[Mistake]:
    path = ("graph", "mailbox")
    if at(values, *path) is None:
        if at(values, "graph", "lookInto") is True:
            yield Mistake(path, "is missing while graph.lookInto is true: name it")
        return
    if kind == "multiTenant":
        yield Mistake(path, "is a customer's: name it in the stack of kind consented of that tenant")
    if at(values, "role") == "read":
        yield Mistake(path, "is sent from, which role read is not for: leave it out")
