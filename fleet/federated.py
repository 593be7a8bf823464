"""A pipeline's own identity token in a file, kept fresh while a command runs (`fleet pipeline identity`).

Nothing secret is stored: the pipeline's vendor signs a token for the job, Microsoft Entra trusts its issuer
and subject. Those tokens live for minutes and a run may take an hour, so the file is written anew in time.
Sources: GitHub, «OpenID Connect reference»; Azure DevOps REST, «Oidctoken - Create»; GitLab, «id_tokens».
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from dynamic_providers.errors import ManagedError, register_secret
from fleet.options import on_stderr

AUDIENCE = "api://AzureADTokenExchange"
VARIABLE = "AZURE_FEDERATED_TOKEN_FILE"
EVERY_SECONDS = 180.0
"""Before the shortest-lived of these tokens, GitHub's five minutes, runs out."""
_ANSWER_SECONDS = 30.0


class NoToken(ManagedError):
    """The pipeline gives no identity token."""


@contextmanager
def token_file(ask: Callable[[], str], every: float = EVERY_SECONDS) -> Iterator[Path]:
    """A file with a token that is valid now, for this user only. Raises NoToken before it begins."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        file = Path(folder) / "token"
        _write(file, ask())
        ended = threading.Event()
        keeper = threading.Thread(target=_keep_fresh, args=(file, ask, every, ended), daemon=True)
        keeper.start()
        try:
            yield file
        finally:
            ended.set()
            keeper.join()


def token(environment: Mapping[str, str]) -> str:
    """The token of the job that we run in. Raises NoToken, which says what the pipeline lacks."""
    for variable, ask in _SOURCES.items():
        if environment.get(variable):
            text = ask(environment)
            register_secret(text)
            return text
    raise NoToken(
        "this is no pipeline job that may ask for an identity token",
        fix="GitHub: `permissions: id-token: write`; Azure DevOps: env SYSTEM_ACCESSTOKEN and"
        " SERVICE_CONNECTION_ID; GitLab: `id_tokens: FLEET_ID_TOKEN`",
    )


def _github(environment: Mapping[str, str]) -> str:
    bearer = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    url = environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
    return _asked("GET", url, bearer, "value", {"audience": AUDIENCE})


def _azure_devops(environment: Mapping[str, str]) -> str:
    bearer, connection = environment.get("SYSTEM_ACCESSTOKEN"), environment.get("SERVICE_CONNECTION_ID")
    if not bearer or not connection:
        raise NoToken(
            "SYSTEM_ACCESSTOKEN or SERVICE_CONNECTION_ID is missing", fix="map both in the step's `env:`"
        )
    parameters = {"api-version": "7.1", "serviceConnectionId": connection}
    return _asked("POST", environment["SYSTEM_OIDCREQUESTURI"], bearer, "oidcToken", parameters)


def _gitlab(environment: Mapping[str, str]) -> str:
    return environment["FLEET_ID_TOKEN"]  # valid as long as the job may run


_SOURCES: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": _github,
    "SYSTEM_OIDCREQUESTURI": _azure_devops,
    "FLEET_ID_TOKEN": _gitlab,
}
"""Variable by which a vendor's job is known → how its token is asked for."""


def _asked(method: str, url: str, bearer: str, key: str, parameters: Mapping[str, str]) -> str:
    register_secret(bearer)
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    try:
        answer = requests.request(
            method, url, params=parameters, headers=headers, timeout=_ANSWER_SECONDS, allow_redirects=False
        )
        found = answer.json().get(key) if answer.ok else None
    except (requests.RequestException, ValueError, AttributeError) as error:
        raise NoToken(
            f"the pipeline's token cannot be had: {type(error).__name__}", fix="run it again"
        ) from None
    if not isinstance(found, str) or not found:
        raise NoToken(
            f"the pipeline's token is refused ({answer.status_code})", fix="check the job's permissions"
        )
    return found


def _keep_fresh(file: Path, ask: Callable[[], str], every: float, ended: threading.Event) -> None:
    while not ended.wait(every):
        try:
            _write(file, ask())
        except NoToken as error:
            on_stderr().print(f"warning: {error}", markup=False)


def _write(file: Path, text: str) -> None:
    """Never half a token, and readable by nobody else."""
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="ascii")
    fresh.replace(file)
