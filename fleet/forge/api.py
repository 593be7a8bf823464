"""Asking a forge (GitHub, Azure DevOps, GitLab): one way to send, to page, and to tell what failed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from dynamic_providers.errors import ManagedError, clean

_SECONDS = 60.0
_PAGES = 20
"""So many pages of a list are read: a request has no two thousand comments."""


class ForgeError(ManagedError):
    """The forge does not do what it was asked."""


@dataclass(frozen=True)
class Api:
    """The API of one forge. `base` ends without a slash; `headers` carry the job's own token."""

    base: str
    headers: Mapping[str, str] = field(repr=False)

    def ask(self, method: str, path: str, body: object = None, **parameters: str) -> Any:
        """One answer, parsed. Raises ForgeError."""
        answer = self._send(method, path, body, parameters)
        try:
            return answer.json()
        except ValueError:
            raise ForgeError("answers with what is no JSON", where=self.base) from None

    def pages(self, path: str, **parameters: str) -> Iterator[Any]:
        """The rows of a list, page after page as the `Link` header names them (GitHub and GitLab)."""
        url: str | None = path
        for _ in range(_PAGES):
            if url is None:
                return
            answer = self._send("GET", url, None, parameters if url == path else {})
            rows = answer.json()
            yield from rows
            url = answer.links.get("next", {}).get("url")

    def file(self, path: str, name: str, **parameters: str) -> bytes:
        """One file: the answer itself, or out of the archive that the forge packs artifacts into."""
        content = self._send("GET", path, None, parameters).content
        if not zipfile.is_zipfile(io.BytesIO(content)):
            return content
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = [one for one in archive.namelist() if one.rpartition("/")[2] == name]
            if not found:
                raise ForgeError(f"the artifact holds no {name}", where=self.base)
            return archive.read(found[0])

    def _send(self, method: str, path: str, body: object, parameters: Mapping[str, str]) -> requests.Response:
        url = path if path.startswith(f"{self.base}/") else f"{self.base}{path}"
        try:
            answer = requests.request(
                method, url, params=dict(parameters), json=body, headers=dict(self.headers), timeout=_SECONDS
            )
        except requests.RequestException as error:
            raise ForgeError(f"cannot be reached: {type(error).__name__}", where=self.base) from None
        if not answer.ok:
            said = clean(answer.text)[:300]
            raise ForgeError(
                f"refuses {method} {path.partition('?')[0]} ({answer.status_code}): {said}",
                where=self.base,
                fix="check what the job's token is allowed to do; pipelines/README.md lists it",
            )
        return answer
