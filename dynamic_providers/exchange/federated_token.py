"""A pipeline's own token as proof of identity: no secret is kept anywhere.

Source: Microsoft, «Workload identity federation»: the app registration names issuer, subject and audience
(`api://AzureADTokenExchange`) of tokens that it trusts. AZURE_FEDERATED_TOKEN_FILE is Azure's own name.
"""

from collections.abc import Callable
from pathlib import Path

from dynamic_providers.errors import register_secret
from dynamic_providers.exchange.errors import BadTokenFile

_VARIABLE = "AZURE_FEDERATED_TOKEN_FILE"


def federated_token(file: str) -> Callable[[], str]:
    """What MSAL asks for each login: the file is read anew, since such tokens live for minutes.

    Raises BadTokenFile where it cannot be read or holds no token.
    """

    def read() -> str:
        try:
            text = Path(file).read_text(encoding="ascii").strip()
        except UnicodeDecodeError:
            raise _bad(file, "holds no token") from None
        except OSError as error:
            raise _bad(file, f"cannot be read: {error.strerror}") from None
        if text.count(".") != 2:
            raise _bad(file, "holds no token")
        register_secret(text)
        return text

    read()  # told here, not from inside of MSAL
    return read


def _bad(file: str, what: str) -> BadTokenFile:
    return BadTokenFile(
        f"the token file {file} {what}",
        where=_VARIABLE,
        fix="in a pipeline, run the command under `fleet pipeline identity`; elsewhere, unset it",
    )
