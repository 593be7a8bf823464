"""What a stack file may not do with secrets, and which of them it cannot do without."""

from collections.abc import Collection, Iterator, Mapping

from components.mistakes import Mistake
from components.model_walk import given
from components.raw_values import Environment, Values, at, listed_at, normal, texts
from components.setting_types import LONGEST_CREDENTIAL
from dynamic_providers import wording
from dynamic_providers.connections import CREDENTIALS, LOGINS
from dynamic_providers.errors import register_secret
from dynamic_providers.model import Model


def find(values: Values, environment: Environment) -> Iterator[Mistake]:
    """All mistakes with secrets that no single field shows."""
    yield from _secret_twice(values)
    yield from _secret_elsewhere(values)
    yield from _credentials_missing(values, environment)
    yield from _credentials_in_one_line(environment)


def remember(model: type[Model], values: Mapping[str, object]) -> None:
    """From now on no message can show them, whatever they were written into."""
    for one in given(model, values):
        if one.is_secret:
            for _, text in texts(one.value):
                register_secret(text)


def in_clear(
    model: type[Model], values: Mapping[str, object], encrypted: Collection[str] | None
) -> Iterator[Mistake]:
    """Secrets that stand in the stack file for everyone to read."""
    for one in given(model, values) if encrypted is not None else ():
        if one.is_secret and any(texts(one.value)) and one.path[0] not in (encrypted or ()):
            yield Mistake(
                one.path,
                "stands in the stack file in clear: change it, and set the new one with"
                " `pulumi config set --secret --path`, or in the environment",
            )


def _secret_twice(values: Values) -> Iterator[Mistake]:
    seen = {at(values, "outbound", "secret")} if isinstance(at(values, "outbound", "secret"), str) else set()
    for index, previous in enumerate(listed_at(values, "outbound", "previousSecrets")):
        if isinstance(previous, str) and previous in seen:
            yield Mistake(
                ("outbound", "previousSecrets", index),
                "is the secret itself, or there twice: list only other, older values",
            )
        if isinstance(previous, str):
            seen.add(previous)


def _secret_elsewhere(values: Values) -> Iterator[Mistake]:
    """What stands under another setting is shown, in previews and in the state."""
    given_secrets = (at(values, "outbound", "secret"), *listed_at(values, "outbound", "previousSecrets"))
    secrets = {secret.lower() for one in given_secrets if (secret := normal(wording.header_value, one))}
    for path, text in texts(values):
        own = path[:2] in _SECRET_PLACES or path[:1] == ("credentials",)
        if not own and any(secret in text.lower() for secret in secrets):
            yield Mistake(path, "holds the header's secret: take it out, and choose another secret")


_SECRET_PLACES = (("outbound", "secret"), ("outbound", "previousSecrets"))


def _credentials_in_one_line(environment: Environment) -> Iterator[Mistake]:
    """A line break in a password, often the last one of a file, would be a second line where it is sent."""
    for variable, key in CREDENTIALS.items():
        value = environment.get(variable)
        if value and normal(lambda text: wording.one_line(text, LONGEST_CREDENTIAL), value) is None:
            yield Mistake(
                ("credentials", key),
                "is not one line of visible characters: take out line breaks, also the last one of a file,"
                " and blanks at the ends",
                variable,
            )


def _credentials_missing(values: Values, environment: Environment) -> Iterator[Mistake]:
    def there(variable: str, key: str) -> bool:
        return bool(environment.get(variable) or at(values, "credentials", key))

    key_file = there("GATEWAY_KEY_FILE", "gatewayKeyFile")
    if not key_file and not there("GATEWAY_PASSWORD", "gatewayPassword"):
        yield Mistake(
            ("credentials",),
            "hold neither password nor key for the gateway: set GATEWAY_PASSWORD or GATEWAY_KEY_FILE in the"
            " environment",
        )
    if not key_file and at(values, "gateway", "jumpHost") is not None:
        yield Mistake(
            ("gateway", "jumpHost"),
            "takes public keys only, and there is none: set GATEWAY_KEY_FILE in the environment to its file",
        )
    domains = at(values, "domains")
    ours = [at(one, "mx") for one in domains.values()] if isinstance(domains, Mapping) else []
    updates = at(values, "dns", "server") is not None and any(mx in ("microsoft", "gateway") for mx in ours)
    if updates and not there("DNS_TSIG_SECRET", "dnsTsigSecret"):
        yield Mistake(
            ("dns", "server"), "takes only signed updates: set DNS_TSIG_SECRET in the environment to the key"
        )
    if at(values, "checks", "imap") is not None and not there("PROBE_IMAP_PASSWORD", "probeImapPassword"):
        yield Mistake(
            ("checks", "imap"), "needs the mailbox's password: set PROBE_IMAP_PASSWORD in the environment"
        )
    if at(values, "kind") == "gateway":
        return  # such a stack has nothing to do with a tenant
    if not any(there(variable, CREDENTIALS[variable]) for variable in LOGINS):
        yield Mistake(
            ("credentials",),
            "hold neither secret nor certificate for the tenant: set AZURE_CLIENT_SECRET or"
            " AZURE_CLIENT_CERTIFICATE_PATH in the environment, AZURE_FEDERATED_TOKEN_FILE in a pipeline, or"
            " AZURE_MANAGED_IDENTITY on a machine in Azure",
        )
