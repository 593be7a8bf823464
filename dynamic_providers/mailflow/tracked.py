"""What message tracking knows of one message; its processing lines read.

The lines are worded as in the guide, «Testar email de saída»; those of a delivery as AsyncOS 14 words them.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from dynamic_providers.errors import clean

_LINES: Final = {
    "interface": r"interface (?P<one>[A-Za-z]+ ?[0-9]*) +\(IP (?P<two>[^)]+)\)",
    "tls": r"[Ii]ncoming connection .*accepted TLS protocol (?P<one>\S+) cipher (?P<two>[^\s.]+)",
    "delivery tls": r"[Dd]elivery connection .*accepted TLS protocol (?P<one>\S+) cipher (?P<two>[^\s.]+)",
    "delivery": r"opened from .*?interface (?P<one>\S+) (?:\(.*?\) )?to (?:IP )?address (?P<two>[\d.]+\d)",
    "filter": r"[Dd]ropped by filter '(?P<one>[^']+)'",
    "held by": r"[Qq]uarantined to \"[^\"]*\" \(message filter: ?(?P<one>[^)]+)\)",
    "answer": r"received remote SMTP response '(?P<one>.*?)'",
    "bounce": r"(?P<one>[Bb]ounced.*)",
    "quarantine": r"(?P<one>[Qq]uarantined to .*)",
    "delay": r"(?P<one>(?:delayed|[Dd]elivery (?:error|attempt)|deferred|soft bounced).*)",
    "refused": r"(?P<one>(?:REJECT|[Rr]ejected|TCPREFUSE).*)",
}
_OVER: Final = re.compile(r"deliver|drop|bounce|abort|quarantin|reject", re.IGNORECASE)
_GOING_ON: Final = re.compile(r"queued|in progress|processing|delayed|soft bounced", re.IGNORECASE)


@dataclass(frozen=True)
class Tracked:
    """What tracking knows of one message: a message that was split has several MIDs."""

    mids: tuple[str, ...]
    status: str
    sender_group: str
    sender_ip: str
    subject: str
    at: str
    icid: str = ""
    host: str = ""
    policy: str = ""
    message_id: str = ""
    lines: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Whether the gateway is done with it."""
        return bool(_OVER.search(self.status)) and not _GOING_ON.search(self.status)

    @property
    def delivered(self) -> bool:
        """Whether the next server took it."""
        return "delivered" in self.status.lower() and not _GOING_ON.search(self.status)

    @property
    def dropped(self) -> bool:
        """Whether a filter dropped it."""
        return "dropped" in self.status.lower() or bool(self.filter)

    @property
    def quarantined(self) -> bool:
        """Whether it lies in a quarantine."""
        return "quarantin" in self.status.lower()

    @property
    def filter(self) -> str:
        """The message filter that dropped it."""
        return self._found("filter")[0]

    @property
    def stopped_by(self) -> str:
        """The message filter that dropped it, or put it into a quarantine."""
        return self.filter or self._found("held by")[0]

    @property
    def tls(self) -> str:
        """TLS by which it came."""
        return self._found("tls")[0]

    @property
    def delivery_tls(self) -> str:
        """TLS by which it left."""
        return self._found("delivery tls")[0]

    @property
    def delivered_from(self) -> str:
        """The address that it left from."""
        return self._found("delivery")[0]

    @property
    def delivered_to(self) -> str:
        """The address that it was delivered to."""
        return self._found("delivery")[1]

    @property
    def said(self) -> str:
        """What the next server said, word by word, or what went wrong."""
        names = ("bounce", "quarantine", "answer", "delay")
        return next((one for one in (self._found(name)[0] for name in names) if one), "")

    @property
    def ended(self) -> str:
        """Its status, and what was said."""
        said = self.said or "it says no more"
        return said if said.lower().startswith(self.status.lower()) else f"{self.status}: {said}"

    @cached_property
    def _facts(self) -> dict[str, tuple[str, str]]:
        facts: dict[str, tuple[str, str]] = {}
        for line in self.lines:
            for name, pattern in _LINES.items():
                found = re.search(pattern, line)
                if found:
                    parts = found.groupdict()
                    facts[name] = (parts["one"].strip(), str(parts.get("two") or "").strip())
        return facts

    def _found(self, name: str) -> tuple[str, str]:
        return self._facts.get(name, ("", ""))

    def evidence(self) -> dict[str, str]:
        """What an operator looks for in tracking's own page."""
        interface = " ".join(one for one in self._found("interface") if one)
        shown = {
            "MID": ", ".join(self.mids),
            "status": self.status,
            "time": self.at,
            "gateway": self.host,
            "sender group": self.sender_group,
            "policy": self.policy,
            "interface": interface,
            "sender IP": self.sender_ip,
            "TLS": " ".join(one for one in self._found("tls") if one),
            "message id": self.message_id,
        }
        return {label: clean(value) for label, value in shown.items() if value}
