"""The one-time rule of the forged check: for one mailbox and one word it sets a wrong header, and stops.

It stands above rule k and is removed whatever happens, also one that a run left which was cut.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from dynamic_providers.errors import register_secret
from dynamic_providers.exchange.client import named
from dynamic_providers.exchange.errors import NotFound, NotReadBack
from dynamic_providers.mailflow.mailflow_settings import PROBE_RULE, MailflowSettings
from dynamic_providers.mailflow.trace import Run
from dynamic_providers.mailflow.waiting import Deadline, Waiting

_READ_BACK_SECONDS = 90.0
_COMMENT = (
    "Made by a check of m365-secure-email for one message, and removed after it: delete it if it stays."
)


class ProbeRule:
    """Makes and removes the rule. Errors are those of `exchange.errors`: NotAllowed without the right."""

    def __init__(self, run: Run, settings: MailflowSettings, waiting: Waiting) -> None:
        self._run, self._settings, self._waiting = run, settings, waiting

    def remove(self) -> bool:
        """Remove the rule; whether there was one."""
        if not self._there():
            return False
        try:
            self._run("Remove-TransportRule", {"Identity": PROBE_RULE})
        except NotFound:
            return False  # by another run meanwhile
        return True

    @contextmanager
    def standing(self, token: str) -> Iterator[None]:
        """The rule, while the block runs; raises before the block where it cannot be made."""
        self.remove()
        wrong = secrets.token_hex(16)
        register_secret(wrong)
        try:
            self._run("New-TransportRule", self._parameters(token, wrong))
            self._read_back()
            yield
        finally:
            self.remove()

    def _parameters(self, token: str, wrong: str) -> dict[str, object]:
        return {
            "Name": PROBE_RULE,
            "Comments": _COMMENT,
            "Priority": 0,
            "Enabled": True,
            "Mode": "Enforce",
            "From": [self._settings.mailbox],
            "SentToScope": "NotInOrganization",
            "SubjectContainsWords": [token],
            "RouteMessageOutboundConnector": self._settings.names.outbound_connector,
            "SetHeaderName": self._settings.header,
            "SetHeaderValue": wrong,
            "StopRuleProcessing": True,
        }

    def _there(self) -> bool:
        """Picked from the list: asked by name, Exchange may answer with others."""
        return named(self._run("Get-TransportRule", {"ResultSize": "Unlimited"}), PROBE_RULE) is not None

    def _read_back(self) -> None:
        what = f"the rule «{PROBE_RULE}» to be readable"
        if not self._waiting.until(lambda: self._there() or None, what, Deadline(_READ_BACK_SECONDS)):
            raise NotReadBack(
                f"written, but it does not read back within {_READ_BACK_SECONDS:g} s",
                where=f"rule «{PROBE_RULE}»",
                fix="run the check again",
            )
