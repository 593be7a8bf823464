"""What rules and connectors look at in a message, apart from the wire it came over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import getaddresses

from lab.tenant.mail.configuration import domain_of


@dataclass(frozen=True)
class Facts:
    """One message for one recipient, as it comes to the rules.

    `internal`: from a mailbox of the tenant, signed in, or over a connector whose mail counts as such.
    `peer`: the address that handed the message over, "" if nobody outside did. `headers`: in their order.
    """

    sender: str
    recipient: str
    headers: Sequence[tuple[str, str]] = ()
    peer: str = ""
    internal: bool = False
    accepted: bool = True
    """Whether the recipient's domain is one of the tenant's."""
    body: str = ""
    size: int = 0
    scl: int = -1

    def header(self, name: str) -> list[str]:
        """All values of that header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def subject(self) -> str:
        """The subject, or ""."""
        return next(iter(self.header("Subject")), "")

    def addresses(self, *names: str) -> list[str]:
        """The addresses in these headers, in lower case."""
        values = [value for name in names for value in self.header(name)]
        return [address.lower() for _name, address in getaddresses(values) if address]

    def senders(self, location: str) -> list[str]:
        """The sender's addresses that a rule looks at: SenderAddressLocation."""
        header = self.addresses("From")[:1]
        envelope = [self.sender.lower()] if self.sender else []
        return {"Header": header, "Envelope": envelope}.get(location, [*header, *envelope])

    @property
    def recipient_domain(self) -> str:
        """The domain of the one recipient."""
        return domain_of(self.recipient)
