"""A message to the outside: by rule and connector to the gateway, through its filter, header gone outside."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from dynamic_providers.mailflow.arrival import held, not_tracked
from dynamic_providers.mailflow.bench import Bench
from dynamic_providers.mailflow.causes import SITUATIONS, Cause
from dynamic_providers.mailflow.errors import CannotLook, CannotSend
from dynamic_providers.mailflow.following import Story
from dynamic_providers.mailflow.hops import Hops, proof, until_it_works
from dynamic_providers.mailflow.message import Probe, new_token, probe
from dynamic_providers.mailflow.outside_mailbox import Arrived, Step
from dynamic_providers.mailflow.proof import Proof
from dynamic_providers.mailflow.replies import of_reply
from dynamic_providers.mailflow.trace import Traced
from dynamic_providers.mailflow.tracked import Tracked
from dynamic_providers.mailflow.waiting import Deadline

SENT = "mailbox → Microsoft 365"
CONNECTOR = "Microsoft 365: rule and connector"
TO_GATEWAY = "Microsoft 365 → gateway"
FILTER = "gateway: filter"
TO_OUTSIDE = "gateway → outside"
HEADER = "outside: header"


def outbound(bench: Bench) -> list[Proof]:
    """One proof: a message from the tenant's mailbox to the mailbox outside."""
    started, token, deadline = datetime.now(UTC), new_token(), bench.deadline()
    settings = bench.settings
    if settings.outbound == "none":
        hops = Hops()
        hops.unproven(SENT, "outbound is set to none: nothing leads to the gateway")
    else:
        departure = Departure(bench, token, deadline)
        hops = until_it_works(bench.waiting, deadline, departure.attempt)
    return [proof("outbound", settings.domain, started, token, hops)]


@dataclass
class Departure:
    """One message of the tenant's mailbox, and its way out."""

    bench: Bench
    token: str
    deadline: Deadline

    def attempt(self, number: int) -> Hops:
        """Send, follow, and say what happened at each hop."""
        hops = Hops()
        message = sent(self.bench, hops, self.token, number)
        if message is None:
            return hops
        story = self.bench.follower.follow(message, self.deadline, self._ended, self._doubtful)
        if self._connector(hops, story) and self._to_gateway(hops, story) and self._filter(hops, story):
            self._outside(hops, story)
        return hops

    # --- when to stop waiting -------------------------------------------------------------------------------

    def _ended(self, story: Story) -> bool:
        tracked, traced = story.tracked, story.traced
        if tracked is not None and tracked.over and not tracked.delivered:
            return True
        if traced is None or not traced.over or traced.outbound_connector is None:
            return False
        if not self._ours(traced) or not traced.delivered or self._elsewhere(traced):
            return True  # it went elsewhere, or nowhere: the gateway will not see it
        return not self.bench.tracking or (tracked is not None and tracked.over)

    @staticmethod
    def _doubtful(story: Story) -> bool:
        """One of the two shows the end, or the gateway has refused it for now."""
        tracked, traced = story.tracked, story.traced
        told = traced is not None and (traced.over or bool(traced.said))
        return told or (tracked is not None and tracked.over)

    def _ours(self, traced: Traced) -> bool:
        wanted = self.bench.settings.names.outbound_connector
        return (traced.outbound_connector or "").casefold() == wanted.casefold()

    # --- the hops -------------------------------------------------------------------------------------------

    def _connector(self, hops: Hops, story: Story) -> bool:
        traced, tracked = story.traced, story.tracked
        if traced is None:
            return self._not_in_trace(hops, story)
        wanted = self.bench.settings.names.outbound_connector
        shown = {"connector": traced.outbound_connector or "", **traced.evidence()}
        if self._ours(traced):
            hops.ok(CONNECTOR, f"left by «{wanted}»", shown)
            return True
        if traced.outbound_connector is None and tracked is not None:
            hops.ok(CONNECTOR, "seen at the gateway; message trace does not name the connector", shown)
            return True
        if traced.outbound_connector is None and not traced.delivered and self._on_its_way(traced):
            hops.ok(CONNECTOR, "on its way to the gateway; message trace names no connector yet", shown)
            return True
        by = f"«{traced.outbound_connector}»" if traced.outbound_connector else "no connector"
        says = f"left by {by}, past the gateway{f', to {traced.to_ip}' if traced.to_ip else ''}"
        found = self.bench.diagnosis.outbound_route(traced.outbound_connector or "")
        hops.failed(CONNECTOR, says, SITUATIONS["left by mx"], shown, found=found)
        return False

    def _on_its_way(self, traced: Traced) -> bool:
        """Not sent yet, or refused: whether it is for the gateway, by its rule or by its address."""
        rule = self.bench.settings.names.outbound_rule.casefold()
        by_rule = rule in {one.casefold() for one in traced.rules or ()}
        return by_rule or (bool(traced.to_ip) and self._is_ours(traced.to_ip))

    def _not_in_trace(self, hops: Hops, story: Story) -> bool:
        why = story.trace_trouble or f"message trace does not show it by {self.deadline}"
        hops.unproven(CONNECTOR, why, None if story.trace_trouble else SITUATIONS["trace late"])
        return story.tracked is not None

    def _to_gateway(self, hops: Hops, story: Story) -> bool:
        traced, tracked = story.traced, story.tracked
        if tracked is None:
            return self._not_at_gateway(hops, story)
        wanted, shown = self.bench.settings.names.sender_group, tracked.evidence()
        if tracked.sender_group.casefold() != wanted.casefold():
            says = (
                f"MID {', '.join(tracked.mids)} came in by sender group {tracked.sender_group}, not {wanted}"
            )
            hops.failed(TO_GATEWAY, says, SITUATIONS["wrong group"], shown)
            return False
        if tracked.lines and not tracked.tls and not (traced is not None and traced.tls):
            found = self.bench.diagnosis.outbound_tls()
            hops.failed(TO_GATEWAY, "taken without TLS", SITUATIONS["no TLS out"], shown, found=found)
            return False
        tls = f" by {tracked.tls}" if tracked.tls else ""
        hops.ok(TO_GATEWAY, f"MID {', '.join(tracked.mids)}: taken in {wanted}{tls}", shown)
        return True

    def _not_at_gateway(self, hops: Hops, story: Story) -> bool:
        traced = story.traced
        shown = traced.evidence() if traced is not None else {}
        why = not_handed_over(self.bench, traced)
        if why is not None:
            hops.failed(TO_GATEWAY, *why, shown, found=self._found(why[1]))
            return False
        hops.unproven(TO_GATEWAY, *not_tracked(self.bench, story, self.deadline), shown)
        return True

    def _found(self, cause: Cause) -> list[str]:
        """What the connector says of its smart hosts; a secret that was sent elsewhere is told besides."""
        found = self.bench.diagnosis.smart_hosts(lambda host: leads_to_data2(self.bench, host))
        return [*found, cause.cause] if found and cause is SITUATIONS["wrong smart host"] else found

    def _elsewhere(self, traced: Traced) -> bool:
        return bool(traced.to_ip) and not self._is_ours(traced.to_ip)

    def _filter(self, hops: Hops, story: Story) -> bool:
        tracked, ours = story.tracked, self.bench.settings.names.filter
        if tracked is None:
            cause = not_tracked(self.bench, story, self.deadline)[1]
            hops.unproven(FILTER, "only tracking shows what the filter did", cause)
            return True
        shown = {"MID": ", ".join(tracked.mids), "filter": tracked.stopped_by, "status": tracked.status}
        if tracked.dropped or tracked.stopped_by:
            self._dropped(hops, tracked, shown)
            return False
        hops.ok(FILTER, f"«{ours}» let it pass", shown)
        return self._delivered(hops, tracked)

    def _dropped(self, hops: Hops, tracked: Tracked, shown: dict[str, str]) -> None:
        does = "Dropped" if tracked.dropped else "Quarantined"
        says = f"{tracked.status}: {does} by filter '{tracked.stopped_by or 'not named'}'"
        if tracked.stopped_by.casefold() == self.bench.settings.names.filter.casefold():
            found = self.bench.diagnosis.header()
            hops.failed(FILTER, says, SITUATIONS["own filter dropped"], shown, found=found)
        else:
            hops.failed(FILTER, says, SITUATIONS["other filter dropped"], shown)

    def _delivered(self, hops: Hops, tracked: Tracked) -> bool:
        shown = {
            "delivered from": tracked.delivered_from,
            "delivered to": tracked.delivered_to,
            "TLS": tracked.delivery_tls,
            "answer": tracked.said,
        }
        if tracked.delivered:
            hops.ok(TO_OUTSIDE, f"delivered: {tracked.said or tracked.status}", shown)
            return True
        cause = of_reply("outside", tracked.said) or held(tracked)
        hops.failed(TO_OUTSIDE, tracked.ended, cause, shown)
        return False

    def _outside(self, hops: Hops, story: Story) -> None:
        word = story.message.word
        header, looker = self.bench.settings.header, self.bench.outside
        if looker is None:
            hops.unproven(HEADER, f"whether {header} is gone is seen only outside: checks.imap is not set")
            return
        look = looker.find
        what = f"«{word}» in the outside mailbox"
        try:
            arrived = self.bench.waiting.until(lambda: look(word), what, self.deadline)
        except CannotLook as error:
            hops.unproven(HEADER, str(error))
            return
        if arrived is None:
            says = f"not in the outside mailbox by {self.deadline}"
            hops.failed(HEADER, says, SITUATIONS["not outside"])
            return
        self._arrived(hops, arrived, story.tracked)

    def _arrived(self, hops: Hops, arrived: Arrived, tracked: Tracked | None) -> None:
        header, last = self.bench.settings.header, arrived.last(self._is_ours)
        address = last.address if last is not None else ""
        shown = {"message id": arrived.message_id, "received": last.text[:300] if last else ""}
        if last is not None and (tracked is None or self._is_ours(address)):
            # Else the server outside left no line of its own, and this one is the gateway's.
            shown |= {"from address": address, "TLS": last.tls}
        if arrived.header:
            hops.failed(HEADER, f"{header} is still in the message", SITUATIONS["header outside"], shown)
        elif tracked is None and address and not self._is_ours(address) and not self._stamped(last):
            says = f"arrived from {address}, which is not the gateway"
            hops.failed(HEADER, says, SITUATIONS["past the gateway"], shown)
        else:
            source = f" from {address}" if address and self._is_ours(address) else ""
            hops.ok(HEADER, f"arrived{source}, {header} is gone", shown)

    def _stamped(self, step: Step | None) -> bool:
        """Whether a gateway of ours wrote that line: then the server outside has written none."""
        names = {member.name.lower() for member in self.bench.settings.members}
        by = re.search(r"\bby (\S+)", step.text) if step is not None else None
        return by is not None and by[1].lower() in names

    def _is_ours(self, address: str) -> bool:
        return is_ours(self.bench, address)


def sent(bench: Bench, hops: Hops, token: str, number: int) -> Probe | None:
    """A message of the tenant's mailbox to the mailbox outside; None where it could not be sent."""
    settings = bench.settings
    message = probe(settings.mailbox, settings.outside, token, number)
    try:
        bench.mailbox.send(message, settings.stack)
    except CannotSend as error:
        hops.unproven(SENT, str(error))
        return None
    hops.ok(SENT, f"sent as {settings.mailbox}", {"subject": message.subject, "to": settings.outside})
    return message


def is_ours(bench: Bench, address: str) -> bool:
    """Whether an address is one of the gateway's."""
    settings = bench.settings
    hosts = (host for member in settings.members for host in (member.inbound, member.outbound))
    return bench.is_at(address, [*settings.sender_addresses, *hosts])


def leads_to_data2(bench: Bench, host: str) -> bool:
    """Whether a smart host is where the gateways take mail from Microsoft 365, or may be."""
    hosts = [member.outbound for member in bench.settings.members if member.outbound]
    known = bench.addresses_if_known(host)
    return host in hosts or not known or any(bench.is_at(one, hosts) for one in known)


def not_handed_over(bench: Bench, traced: Traced | None) -> tuple[str, Cause] | None:
    """Why the gateway did not get a message, as message trace tells it; None where it tells of no trouble."""
    if traced is None:
        return None
    if not traced.over or not traced.delivered:
        said = traced.said
        usual = SITUATIONS["outbound refused" if said or traced.over else "not handed over yet"]
        return f"{traced.status}: {said or 'no reason given'}", of_reply("relay", said) or usual
    if traced.to_ip and not is_ours(bench, traced.to_ip):
        return f"handed to {traced.to_ip}, which is not the gateway", SITUATIONS["wrong smart host"]
    return None
