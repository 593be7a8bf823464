"""What happens to a message that the tenant has taken, from outside or from a mailbox of its own.

Rules run for each recipient by itself; recipients with the same outcome go on in one copy: into a mailbox,
out through the connector that a rule names, or out by MX.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes

from lab.journal import Journal
from lab.mail.envelope import Envelope
from lab.tenant.mail.configuration import Configuration, domain_of
from lab.tenant.mail.enhanced_filtering import Source
from lab.tenant.mail.facts import Facts
from lab.tenant.mail.junk import SpamVerdict, folder, verdict
from lab.tenant.mail.mailboxes import FOLDERS, Item, Mailboxes
from lab.tenant.mail.outbound import Outbound, Parcel
from lab.tenant.mail.predicates import in_ranges
from lab.tenant.mail.rule_run import Ruled, run
from lab.tenant.mail.trace import Traced, Traces
from lab.tenant.store import Record
from lab.tenant.switches import Switches


@dataclass(frozen=True)
class Arrived:
    """A message that was taken; `peer`, `tls` and `connector` are "" for one from a mailbox of ours.

    `source`: whom it is judged by, of one from outside.
    """

    envelope: Envelope
    internal: bool
    peer: str = ""
    tls: str = ""
    connector: str = ""
    server: str = ""
    source: Source | None = None


@dataclass(frozen=True)
class Judged:
    """What the filters have found in a message, and what SPF says of its source."""

    found: SpamVerdict
    spf: str = "none"


Spf = Callable[[str, str, str], str]
"""What SPF says of an address, for a sender and the name that it greeted with."""


@dataclass
class Transport:
    """Runs rules and passes on; `points_elsewhere` says whether a domain's MX is not Microsoft's."""

    switches: Switches
    configuration: Callable[[], Configuration]
    traces: Traces
    mailboxes: Mailboxes
    outbound: Outbound
    journal: Journal
    points_elsewhere: Callable[[str], bool]
    spf: Spf
    _unanswered: set[str] = field(default_factory=set)

    def accept(self, arrived: Arrived) -> uuid.UUID:
        """Trace, rule and pass on; returns the message's trace id."""
        entries = _entries(arrived)
        self.traces.begin(list(entries.values()))
        for entry in entries.values():
            self._trace_arrival(entry, arrived)
        configuration = self.configuration()
        judged = self._judged(arrived, configuration)
        facts = _facts(arrived, judged.found.scl, self.switches)
        groups: dict[tuple[Ruled, bool], list[Traced]] = {}
        for recipient, entry in entries.items():
            accepted = configuration.accepts(domain_of(recipient))
            mine = replace(facts, recipient=recipient, accepted=accepted)
            twice = self.switches.routed_twice
            ruled = run(configuration.rules, mine, configuration.groups, routed_twice=twice)
            groups.setdefault((ruled, accepted), []).append(entry)
        for (ruled, accepted), some in groups.items():
            self._pass_on(arrived, judged, ruled, some, configuration, accepted=accepted)
        return next(iter(entries.values())).trace_id

    def _judged(self, arrived: Arrived, configuration: Configuration) -> Judged:
        """Spam filtering of the whole message; mail of our own is not filtered."""
        source = arrived.source
        if arrived.internal or source is None:
            return Judged(SpamVerdict(-1) if arrived.internal else verdict(arrived.envelope))
        direct = self.switches.judges_direct_mail and not arrived.connector
        judged_by = source.address if source.explicit else arrived.peer
        spf = self.spf(judged_by, arrived.envelope.sender, source.name)
        allowed_as = judged_by if self.switches.allow_list_sees == "source" else arrived.peer
        allowed = in_ranges(configuration.allowed, allowed_as)
        counts = source.explicit or direct
        return Judged(verdict(arrived.envelope, spf=spf if counts else "none", allowed=allowed), spf)

    def _trace_arrival(self, entry: Traced, arrived: Arrived) -> None:
        if not arrived.peer:
            self.traces.add(entry, "Submit", "The message was submitted.")
            return
        how = f"using {arrived.tls}" if arrived.tls else "without TLS"
        self.traces.add(
            entry,
            "Receive",
            f"Message received by: {arrived.server} {how}",
            ConnectorId=arrived.connector or f"Default {arrived.server.partition('.')[0]}",
            ClientIP=arrived.peer,
            ServerHostName=arrived.server,
        )

    def _pass_on(
        self,
        arrived: Arrived,
        judged: Judged,
        ruled: Ruled,
        entries: list[Traced],
        configuration: Configuration,
        *,
        accepted: bool,
    ) -> None:
        self._trace_rules(entries, ruled)
        if ruled.fate:
            self._end(arrived, entries, ruled)
            return
        envelope = as_ruled(arrived.envelope, ruled)
        connector = _connector(configuration, ruled, entries[0].recipient, accepted=accepted)
        if accepted and connector is None:
            for entry in entries:
                self._into_mailbox(envelope, arrived, judged, ruled, entry)
            return
        if arrived.peer:
            self._journal(arrived, entries, "relayed")
        for same in _by_domain(entries) if connector is None else [entries]:
            recipients = tuple(entry.recipient for entry in same)
            self.outbound.put(
                Parcel(
                    replace(envelope, recipients=recipients),
                    {entry.recipient: entry for entry in same},
                    connector,
                    require_tls=ruled.require_tls,
                    stamped=bool(ruled.headers),
                )
            )

    def _trace_rules(self, entries: list[Traced], ruled: Ruled) -> None:
        for entry in entries:
            for fired in ruled.fired:
                said = f"Transport rule: '{fired.name}', ID: ({fired.guid})"
                actions = ",".join(fired.actions)
                self.traces.add(
                    entry, "Transport rule", said, action=actions, RuleName=fired.name, RuleId=fired.guid
                )
        for what in ruled.unanswered:
            if what not in self._unanswered:
                self._unanswered.add(what)
                self.journal.record("tenant", "unanswered", condition=what)

    def _end(self, arrived: Arrived, entries: list[Traced], ruled: Ruled) -> None:
        """A rule deletes, rejects or quarantines the message."""
        self._journal(arrived, entries, ruled.fate)
        for entry in entries:
            said = ruled.reply or f"The message was {ruled.fate} by a transport rule."
            self.traces.add(
                entry, {"rejected": "Fail", "deleted": "Drop"}.get(ruled.fate, "Quarantine"), said
            )
            self.traces.settle(entry, "Quarantined" if ruled.fate == "quarantined" else "Failed")

    def _into_mailbox(
        self, envelope: Envelope, arrived: Arrived, judged: Judged, ruled: Ruled, entry: Traced
    ) -> None:
        found = judged.found
        scl, where = folder(found, ruled.scl, elsewhere=self.points_elsewhere(domain_of(entry.recipient)))
        if found.spam:
            self.traces.add(entry, "Spam", f"Spam detected; SCL {found.scl}, treated as SCL {scl}.")
        self._journal(arrived, [entry], where)
        if where == "quarantine":
            self.traces.add(entry, "Quarantine", "The message was sent to quarantine.")
            self.traces.settle(entry, "Quarantined")
            return
        stamped = _reported(replace(envelope, recipients=(entry.recipient,)), arrived, judged, scl)
        stamped = stamped.with_header("X-MS-Exchange-Organization-SCL", str(scl))
        self.mailboxes.put(
            Item(
                entry.recipient.lower(),
                where,
                stamped,
                scl,
                peer=arrived.peer,
                tls=arrived.tls,
                connector=arrived.connector,
            )
        )
        name = FOLDERS[where].replace(" ", "")
        said = f"The message was successfully delivered to the folder: DefaultFolderType:{name}"
        self.traces.add(entry, "Deliver", said)
        self.traces.settle(entry, self.switches.junk_status if where == "junkemail" else "Delivered")

    def _journal(self, arrived: Arrived, entries: Iterable[Traced], what: str) -> None:
        for entry in entries if arrived.peer else ():
            self.journal.record(
                "tenant",
                "received",
                peer=arrived.peer,
                connector=arrived.connector,
                verdict=what,
                sender=entry.sender,
                recipient=entry.recipient,
                message_id=entry.message_id,
            )


def as_ruled(envelope: Envelope, ruled: Ruled) -> Envelope:
    """The message with the headers and the subject that the rules gave it."""
    for name in ruled.removed:
        envelope = envelope.without_header(name)
    for name, value in ruled.headers:
        envelope = envelope.without_header(name).with_header(name, value)
    if ruled.prefix:
        subject = ruled.prefix + (envelope.header("Subject") or "")
        envelope = envelope.without_header("Subject").with_header("Subject", subject)
    return envelope


def header_fields(envelope: Envelope) -> list[tuple[str, str]]:
    """All headers as text, in their order."""
    head = envelope.content.partition(b"\r\n\r\n")[0]
    return [(name, str(value)) for name, value in message_from_bytes(head + b"\r\n\r\n").items()]


def _reported(envelope: Envelope, arrived: Arrived, judged: Judged, scl: int) -> Envelope:
    """With the headers that tell what the filters have found, on mail from outside."""
    source = arrived.source
    if arrived.internal or source is None:
        return envelope
    by = source.address if source.explicit else arrived.peer
    found = judged.found
    why = "SPM" if scl >= 5 else "SKN" if scl < 0 else "NSPM"
    report = (
        f"CIP:{by};CTRY:;LANG:en;SCL:{scl};SRV:;IPV:{'CAL' if found.skipped else 'NLI'};SFV:{why};"
        f"H:{source.name};PTR:;CAT:{found.category};SFS:;DIR:INB;"
    )
    results = (
        f"spf={judged.spf} (sender IP is {by}) smtp.mailfrom={domain_of(envelope.sender)}; "
        f"dkim=none (message not signed); compauth={'fail reason=001' if found.spoof else 'pass reason=100'}"
    )
    return envelope.with_header("Authentication-Results", results).with_header(
        "X-Forefront-Antispam-Report", report
    )


def _facts(arrived: Arrived, scl: int, switches: Switches) -> Facts:
    envelope, source = arrived.envelope, arrived.source
    fields = [(name, value) for name, value in header_fields(envelope) if name.lower() != "subject"]
    return Facts(
        sender=envelope.sender,
        recipient="",
        headers=(*fields, ("Subject", envelope.subject)),
        peer=source.address if source and switches.rules_see == "source" else arrived.peer,
        internal=arrived.internal,
        body=envelope.body.decode("utf-8", "replace"),
        size=len(envelope.content),
        scl=scl,
    )


def _entries(arrived: Arrived) -> dict[str, Traced]:
    envelope, trace_id, now = arrived.envelope, uuid.uuid4(), datetime.now(UTC)
    return {
        recipient: Traced(
            trace_id,
            envelope.message_id,
            now,
            envelope.sender,
            recipient,
            envelope.subject,
            len(envelope.content),
            from_ip=arrived.peer,
        )
        for recipient in envelope.recipients
    }


def _connector(
    configuration: Configuration, ruled: Ruled, recipient: str, *, accepted: bool
) -> Record | None:
    """The connector to leave through: a rule's, else one for the recipient's domain; None: by MX."""
    if ruled.connector is not None:
        named = configuration.connector(ruled.connector)
        if named is not None and named["Enabled"]:
            return named
    if accepted:
        return None
    domain = domain_of(recipient)
    for row in configuration.outbound:
        if row["Enabled"] and not row["IsTransportRuleScoped"] and not row["TestMode"]:
            spaces = [space.lower() for space in row["RecipientDomains"]]
            if any(_covers(space, domain) for space in spaces):
                return row
    return None


def _covers(space: str, domain: str) -> bool:
    return space in ("*", domain) or (space.startswith("*.") and domain.endswith(space[1:]))


def _by_domain(entries: list[Traced]) -> list[list[Traced]]:
    found: dict[str, list[Traced]] = {}
    for entry in entries:
        found.setdefault(domain_of(entry.recipient), []).append(entry)
    return list(found.values())
