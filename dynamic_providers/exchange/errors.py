"""What can go wrong on the Exchange side: one class for each failure that an operator can act on."""

from dynamic_providers.errors import ManagedError


class ExchangeError(ManagedError):
    """A failure of the Exchange side. `request_id` is what Microsoft's support asks for."""

    def __init__(self, what: str, *, where: str = "", fix: str = "", request_id: str = "") -> None:
        self.request_id = request_id
        super().__init__(f"{what} (request {request_id})" if request_id else what, where=where, fix=fix)


# --- may pass by itself -------------------------------------------------------------------------------------


class Transient(ExchangeError):
    """May pass by itself: tried again until the patience ends. `retry_after`: seconds, as the server asks."""

    retry_after: float | None = None


class Unreachable(Transient):
    """No connection, no answer, or one that broke off."""


class Throttled(Transient):
    """The tenant or the app asks too much at once."""


class ServerTrouble(Transient):
    """Microsoft's side is in trouble, and says so."""


# --- the way to it ------------------------------------------------------------------------------------------


class CertificateNotTrusted(ExchangeError):
    """The server's certificate is not one that we trust for this name."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(
            f"the server's certificate is not trusted: {reason}",
            where=host,
            fix="if a proxy of yours opens TLS, name its authority's file in the setting endpoints.caBundle",
        )


class NoCaBundle(ExchangeError):
    """The file of certificate authorities is not there."""

    def __init__(self, source: str, file: str) -> None:
        super().__init__(
            f"the file of certificate authorities {file} is not there",
            where=source,
            fix="correct the path, or leave the setting out",
        )


class Redirected(ExchangeError):
    """The server sends us elsewhere; our token and secret do not go there."""

    def __init__(self, host: str, target: str) -> None:
        super().__init__(
            f"redirected to {target}, which is not followed: the token would go there",
            where=host,
            fix="check the settings tenant.cloud, endpoints.exchange and endpoints.authority",
        )


class Unreadable(ExchangeError):
    """An answer that is not what the admin API answers. Never taken for «absent»."""


class Truncated(ExchangeError):
    """A list came back cut, so what is missing from it may still be there."""


# --- login --------------------------------------------------------------------------------------------------


class LoginRefused(ExchangeError):
    """Microsoft Entra gives no token."""


class NoCredential(LoginRefused):
    """There is nothing to log in with."""


class OtherTenant(LoginRefused):
    """The environment's credentials are for another tenant than the stack."""


class BadCertificateFile(LoginRefused):
    """The certificate to log in with cannot be read, or has expired."""


class BadTokenFile(LoginRefused):
    """The file of a pipeline's token cannot be read, or holds none."""


class BadManagedIdentity(LoginRefused):
    """AZURE_MANAGED_IDENTITY names none."""


class NoManagedIdentity(LoginRefused):
    """This machine has no such identity, or none at all."""


class OtherIdentity(LoginRefused):
    """This machine's identity is not the one that the stack names."""


class NotFederated(LoginRefused):
    """AADSTS700211, 700212 and 700213."""


class WrongSecret(LoginRefused):
    """AADSTS7000215."""


class ExpiredSecret(LoginRefused):
    """AADSTS7000222."""


class NoSuchApp(LoginRefused):
    """AADSTS700016."""


class NoSuchTenant(LoginRefused):
    """AADSTS90002."""


class UnknownCertificate(LoginRefused):
    """AADSTS700027."""


class WrongClock(LoginRefused):
    """AADSTS700024."""


class BlockedByPolicy(LoginRefused):
    """AADSTS53003."""


class NoExchange(LoginRefused):
    """AADSTS500011."""


# --- rights -------------------------------------------------------------------------------------------------


class NotAllowed(ExchangeError):
    """Exchange takes the token, or does not, and does not let us do this."""


class TokenRefused(NotAllowed):
    """401 with a new token that holds the app role."""


class AppRoleMissing(NotAllowed):
    """The app has no app role Exchange.ManageAsApp."""


class DirectoryRoleMissing(NotAllowed):
    """The app's service principal has no directory role that allows this."""


# --- what a cmdlet says -------------------------------------------------------------------------------------


class CmdletRefused(ExchangeError):
    """Exchange understood the command and does not do it."""


class NotFound(CmdletRefused):
    """There is no such object."""


class AlreadyExists(CmdletRefused):
    """There is such an object already."""


class BadValue(CmdletRefused):
    """A value is none of those that Exchange knows."""


class UnknownParameter(CmdletRefused):
    """A parameter is not one that this tenant's Exchange knows."""


class NotSensible(CmdletRefused):
    """The values do not make sense together."""


# --- reading back -------------------------------------------------------------------------------------------


class NotReadBack(ExchangeError):
    """A write was accepted, and its effect cannot be read in time."""


class ConnectorInUse(ExchangeError):
    """A connector cannot go while a rule names it."""
