"""A message from outside, hop by hop: taken by the gateway, handed to Microsoft 365, in the inbox."""

from dataclasses import dataclass

from dynamic_providers.clouds import SENDERS
from dynamic_providers.errors import ManagedError
from dynamic_providers.mailflow.bench import Bench
from dynamic_providers.mailflow.causes import SITUATIONS, Cause
from dynamic_providers.mailflow.following import Story
from dynamic_providers.mailflow.hops import Hops
from dynamic_providers.mailflow.message import probe
from dynamic_providers.mailflow.probe import Answer
from dynamic_providers.mailflow.replies import of_reply
from dynamic_providers.mailflow.trace import Traced
from dynamic_providers.mailflow.tracked import Tracked
from dynamic_providers.mailflow.waiting import Deadline

TO_GATEWAY = "probe → gateway"
AT_GATEWAY = "gateway: accepted"
TO_MICROSOFT = "gateway → Microsoft 365"
CONNECTOR = "Microsoft 365: connector"
INBOX = "Microsoft 365: inbox"


@dataclass(frozen=True)
class Door:
    """Where a message is sent: the host's name as settings or MX have it, and its address."""

    host: str
    address: str


@dataclass
class Arrival:
    """One message to one door, and its way into the mailbox."""

    bench: Bench
    door: Door
    token: str
    deadline: Deadline

    def attempt(self, number: int) -> Hops:
        """Send, follow, and say what happened at each hop."""
        hops, settings = Hops(), self.bench.settings
        message = probe(settings.probe_sender, settings.mailbox, self.token, number)
        answer = self.bench.smtp.send(message, self.door.host, self.door.address, stack=settings.stack)
        if not self._taken(hops, answer):
            return hops
        story = self.bench.follower.follow(message, self.deadline, self._ended, self._doubtful)
        self._at_gateway(hops, story)
        if self._to_microsoft(hops, story):
            self._connector(hops, story)
            self._inbox(hops, story)
        return hops

    # --- when to stop waiting -------------------------------------------------------------------------------

    def _ended(self, story: Story) -> bool:
        tracked, traced = story.tracked, story.traced
        if tracked is not None and tracked.over and not tracked.delivered:
            return True
        seen = traced is not None and traced.over and (traced.inbound_connector is not None)
        return seen and (not self.bench.tracking or (tracked is not None and tracked.over))

    def _doubtful(self, story: Story) -> bool:
        """Trace shows the end and tracking nothing, or tracking a wrong host, or a reply that stays so."""
        tracked, traced = story.tracked, story.traced
        if traced is not None:
            return traced.over
        if tracked is None:
            return False
        if tracked.over:
            return not self._at_microsofts(tracked)
        cause = of_reply("microsoft", tracked.said) if tracked.said else None
        return cause is not None and not cause.may_pass

    def _at_microsofts(self, tracked: Tracked) -> bool:
        known = self._microsoft_addresses()
        if not tracked.delivered_to or not known:
            return True  # not told: the trace decides
        return tracked.delivered_to in known or _names_microsoft(tracked.said)

    def _microsoft_addresses(self) -> tuple[str, ...]:
        """What the domain's own Microsoft MX means now, as far as that can be looked up."""
        flow = self.bench.settings.domains.get(self.bench.settings.domain)
        return self.bench.addresses_if_known(flow.microsoft_mx) if flow else ()

    def _is_gateway(self, address: str) -> bool:
        settings = self.bench.settings
        own = (host for member in settings.members for host in (member.inbound, member.outbound))
        return bool(address) and self.bench.is_at(address, own)

    # --- the hops -------------------------------------------------------------------------------------------

    def _taken(self, hops: Hops, answer: Answer) -> bool:
        shown = evidence_of(answer)
        if not answer.accepted:
            not_taken(self.bench, hops, answer)
            return False
        tls = f" by {answer.tls}" if answer.tls else " without TLS"
        hops.ok(TO_GATEWAY, f"{answer.host} took the message{tls}", shown)
        return True

    def _at_gateway(self, hops: Hops, story: Story) -> None:
        tracked = story.tracked
        if tracked is not None:
            hops.ok(AT_GATEWAY, f"MID {', '.join(tracked.mids)}: {tracked.status}", tracked.evidence())
            return
        hops.unproven(AT_GATEWAY, *not_tracked(self.bench, story, self.deadline))

    def _to_microsoft(self, hops: Hops, story: Story) -> bool:
        tracked, traced = story.tracked, story.traced
        shown = _delivery(tracked, traced)
        if tracked is not None and not tracked.delivered:
            self._held_or_refused(hops, tracked, shown)
            return False
        if traced is None:
            return self._not_in_trace(hops, story, shown)
        if traced.over and not traced.delivered and traced.folder != "quarantine":
            says = f"Microsoft 365 says {traced.status}: {traced.said or 'no reason given'}"
            hops.failed(TO_MICROSOFT, says, of_reply("microsoft", traced.said), shown)
            return False
        if tracked is not None and tracked.delivered_to and not (tracked.delivery_tls or traced.tls):
            says = f"delivered without TLS to {tracked.delivered_to}"
            hops.failed(TO_MICROSOFT, says, SITUATIONS["came without TLS"], shown)
            return False
        source = traced.from_ip or (tracked.delivered_from if tracked else "")
        hops.ok(TO_MICROSOFT, f"Microsoft 365 has it{f' from {source}' if source else ''}", shown)
        return True

    def _held_or_refused(self, hops: Hops, tracked: Tracked, shown: dict[str, str]) -> None:
        if tracked.dropped:
            by = f" by filter «{tracked.filter}»" if tracked.filter else ""
            hops.failed(TO_MICROSOFT, f"{tracked.status}{by}", SITUATIONS["gateway drops it"], shown)
            return
        cause = of_reply("microsoft", tracked.said) or held(tracked)
        unknown = "TenantAttribution" in tracked.said or "TenantInboundAttribution" in tracked.said
        found = self.bench.diagnosis.inbound_connector(tracked.delivered_from) if unknown else []
        known, to = self._microsoft_addresses(), tracked.delivered_to
        if self._is_gateway(to):
            cause = SITUATIONS["route in a circle"]
        elif unknown and known and to and to not in known:
            where = f"it went to {to}, the domain's Microsoft MX is at {', '.join(known)}"
            cause = cause.because(f"{SITUATIONS['wrong route'].cause}: {where}")
        hops.failed(TO_MICROSOFT, tracked.ended, cause, shown, found=found)

    def _not_in_trace(self, hops: Hops, story: Story, shown: dict[str, str]) -> bool:
        tracked = story.tracked
        if story.trace_trouble:
            if tracked is not None:
                hops.ok(TO_MICROSOFT, f"delivered: {tracked.said or tracked.status}", shown)
            hops.unproven(INBOX, f"message trace cannot be read: {story.trace_trouble}")
            return False
        if tracked is not None and not self._at_microsofts(tracked):
            itself = self._is_gateway(tracked.delivered_to)
            what = "the gateway itself" if itself else "not the domain's Microsoft MX"
            says = f"delivered to {tracked.delivered_to}, which is {what}"
            cause = SITUATIONS["route in a circle" if itself else "wrong route"]
            hops.failed(TO_MICROSOFT, says, cause, shown)
            return False
        says = f"message trace does not show it by {self.deadline}"
        if tracked is not None and tracked.delivered_to in self._microsoft_addresses():
            hops.ok(TO_MICROSOFT, f"delivered: {tracked.said or tracked.status}", shown)
            hops.unproven(INBOX, says, SITUATIONS["trace late"])
            return False
        hops.failed(TO_MICROSOFT, says, SITUATIONS["not in trace"], shown)
        return False

    def _connector(self, hops: Hops, story: Story) -> None:
        traced, wanted = story.traced, self.bench.settings.names.inbound_connector
        assert traced is not None
        took = traced.inbound_connector
        shown = {"connector": took or "", "from IP": traced.from_ip, "trace id": traced.id}
        if took is None:
            hops.unproven(CONNECTOR, "message trace does not say which connector took it", None, shown)
        elif took.casefold() == wanted.casefold():
            hops.ok(CONNECTOR, f"taken by «{took}»", shown)
        else:
            says = f"taken by {f'«{took}»' if took else 'no connector'}, not by «{wanted}»"
            found = self.bench.diagnosis.inbound_connector(traced.from_ip)
            cause = SITUATIONS["not our connector"]
            if took:
                cause = cause.because(f"another connector matches mail from {traced.from_ip} first: «{took}»")
            hops.failed(CONNECTOR, says, cause, shown, found=found)

    def _inbox(self, hops: Hops, story: Story) -> None:
        traced = story.traced
        assert traced is not None
        shown = {**traced.evidence(), "mailbox": self.bench.settings.mailbox}
        folder, seen_by = self._folder(traced)
        if folder == "inbox":
            hops.ok(INBOX, f"in the inbox of {self.bench.settings.mailbox} ({seen_by})", shown)
        elif folder == "junk" and self.bench.settings.filtered:
            says = f"in junk mail ({seen_by}), where Microsoft's filter may put it: no server of its sender's"
            hops.ok(
                INBOX, f"{says} domain has sent this probe, and inbound.spamBypass lets that count", shown
            )
        elif folder in ("junk", "quarantine"):
            found = self.bench.diagnosis.junk(traced.from_ip)
            place = "junk mail" if folder == "junk" else "quarantine"
            hops.failed(INBOX, f"in {place} ({seen_by})", SITUATIONS["junk"], shown, found=found)
        elif traced.delivered:
            hops.unproven(INBOX, f"delivered, in which folder is not told ({seen_by})", None, shown)
        else:
            hops.failed(INBOX, f"not delivered by {self.deadline}: {traced.status}", None, shown)

    def _folder(self, traced: Traced) -> tuple[str, str]:
        """Where it lies: the mailbox itself where we may look, else what trace says."""
        mailbox = self.bench.settings.mailbox
        try:
            folder = self.bench.mailbox.folder(mailbox, traced.message_id) if traced.message_id else ""
        except ManagedError:
            folder = ""
        return (folder, "seen in the mailbox") if folder else (traced.folder, "message trace")


def _names_microsoft(said: str) -> bool:
    """Whether a server's answer has the name of one of Microsoft's own: `[Hostname=…outlook.com]`."""
    return any(one.removeprefix(".") in said.lower() for one in ("outlook.com", *SENDERS))


def not_tracked(bench: Bench, story: Story, deadline: Deadline) -> tuple[str, Cause]:
    """Why tracking does not show a message: what to say, and the usual cause."""
    if not bench.tracking:
        return "tracking is not asked", SITUATIONS["no tracking"]
    if story.tracking_trouble:
        return story.tracking_trouble, SITUATIONS["tracking not asked"]
    return f"tracking does not show it by {deadline}", SITUATIONS["not in tracking"]


def held(tracked: Tracked) -> Cause:
    """Why the gateway has a message still, where no reply says it."""
    return SITUATIONS["gateway quarantines it" if tracked.quarantined else "gateway holds it"]


def not_taken(bench: Bench, hops: Hops, answer: Answer) -> None:
    """The gateway did not take it, or our own network does not let us speak SMTP."""
    shown = evidence_of(answer)
    if answer.stage == "connect" and answer.timed_out and _port_is_shut(bench):
        says = f"no connection to {answer.address}, nor to Microsoft 365: port 25 seems shut from here"
        hops.unproven(TO_GATEWAY, says, SITUATIONS["port 25 shut"], shown)
        return
    usual = of_reply("gateway", f"{answer.code} {answer.text}" if answer.code else "")
    cause = SITUATIONS["gateway not reached"] if answer.stage == "connect" else usual
    hops.failed(TO_GATEWAY, f"{answer.host} ({answer.address}) answers: {answer}", cause, shown)


def _port_is_shut(bench: Bench) -> bool:
    """Microsoft's front door is always open: where it cannot be reached either, it is our own network."""
    flow = bench.settings.domains.get(bench.settings.domain)
    known = bench.addresses_if_known(flow.microsoft_mx) if flow else ()
    return not any(bench.smtp.reaches(one) for one in known[:2])


def evidence_of(answer: Answer) -> dict[str, str]:
    """What an SMTP conversation leaves behind."""
    return {
        "host": answer.host,
        "address": answer.address,
        "answer": str(answer),
        "TLS": f"{answer.tls} {answer.cipher}".strip(),
        "seen at": f"{answer.at:%Y-%m-%dT%H:%M:%SZ}",
    }


def _delivery(tracked: Tracked | None, traced: Traced | None) -> dict[str, str]:
    shown: dict[str, str] = {}
    if tracked is not None:
        shown |= {
            "delivered from": tracked.delivered_from,
            "delivered to": tracked.delivered_to,
            "TLS": tracked.delivery_tls,
            "answer": tracked.said,
        }
    if traced is not None:
        shown |= {
            "from IP": traced.from_ip,
            "seen at": traced.received,
            "TLS": shown.get("TLS") or traced.tls,
        }
    return shown
