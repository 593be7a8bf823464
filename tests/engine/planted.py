"""Defects that TEST_PLANTED names, put into a plugin before it begins: see warm_python.py.

`bug`: of the kind that shows everything: whatever is sent to Exchange is remembered, and thrown in the
operator's face when a secret is among it. `redaction off`: ours. `impatient`: what was written must be there
within a second, not within minutes.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import requests

from dynamic_providers import errors
from dynamic_providers.exchange import admin_api, client

_planted = os.environ["TEST_PLANTED"].split(", ")
_sent: list[str] = []
_send = requests.Session.send


def _broken(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
    _sent.append(f"{dict(request.headers)} {request.body!r}")
    if "SetHeaderValue" in _sent[-1]:
        raise RuntimeError(f"who thought of this? {_sent}")
    return _send(self, request, **options)


if "bug" in _planted:
    requests.Session.send = _broken  # type: ignore[method-assign] # that is what it is for
if "redaction off" in _planted:
    errors.redact = lambda text: text
if "impatient" in _planted:
    vars(client)["Patience"] = partial(admin_api.Patience, read_back=1.0)
