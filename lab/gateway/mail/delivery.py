"""Delivery: connections within the destination controls, TLS as they say, and what the other side answers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby

from lab.gateway.mail.appliance import Appliance
from lab.gateway.mail.limits import Control, Slots, control_of
from lab.gateway.mail.queue import Item, LaneKey, Queue
from lab.gateway.mail.routing import Hop, Way, find_way
from lab.gateway.mail.tracking import BOUNCED, DELIVERED, PROCESSING
from lab.mail.client import SmtpClient, Tls
from lab.mail.envelope import Outcome

EXPIRED = "5.4.7 - Delivery expired (message too old)"
HARD = "5.1.0 - Unknown address error"
SOFT = "4.1.0 - Unknown address error"


class Delivery:
    """Delivers the mail of one gateway."""

    def __init__(self, appliance: Appliance) -> None:
        self.slots = Slots()
        self._appliance = appliance
        self._tracking = appliance.tracking
        self._switches = appliance.switches
        self._names = appliance.network.resolver()
        self._turns = itertools.count()
        self.queue = Queue(appliance.member.host, appliance.switches.delivery_threads, self._serve)

    def send(self, item: Item) -> None:
        """Queue a message for its domain."""
        item.tracked.say(f"Message {item.mid} queued for delivery.")
        self.queue.put(item)

    def clear(self) -> None:
        """Forget what waits, and what names meant."""
        self.queue.clear()
        self.queue.wait_until_empty(10)
        self._names.forget()

    def _serve(self, lane: LaneKey) -> None:
        """One connection's worth of work for a lane, unless its domain has as many as it may."""
        if not self.queue.waiting(lane):
            return
        tables = self._appliance.tables
        way = find_way(tables, self._names, lane.domain, lane.mail_host)
        if not way.hops:
            self._all_in(lane, lambda item: self._nowhere(item, way))
            return
        control = control_of(tables, lane.domain)
        failures: list[Outcome] = []
        for hop in self._in_turn(way):
            key = _slot(lane, hop, control)
            if not self.slots.take(key, control.connections):
                return  # whoever ends a connection to this domain comes back for what waits
            try:
                failed = self._connect(lane, hop, control)
            finally:
                self.slots.give_back(key)
            if failed is None:
                self.queue.nudge(lane.domain)
                return
            failures.append(failed)
        self._all_in(lane, lambda item: self._settle(item, failures[-1], way.hops[-1], failures))

    def _in_turn(self, way: Way) -> list[Hop]:
        """The hops by priority; equal ones take turns."""
        turn = next(self._turns)
        groups = groupby(way.hops, key=lambda hop: hop.priority)
        equal = [list(hops) for _, hops in groups]
        return [hop for hops in equal for hop in hops[turn % len(hops) :] + hops[: turn % len(hops)]]

    def _all_in(self, lane: LaneKey, act: Callable[[Item], None]) -> None:
        while (item := self.queue.take(lane)) is not None:
            act(item)

    def _nowhere(self, item: Item, way: Way) -> None:
        if way.thrown_away:
            item.tracked.say(f"Message {item.mid} thrown away by an SMTP route to /dev/null.")
            item.tracked.set(item.mid, DELIVERED)
            self.queue.done(item)
        else:
            self._bounce(item, f"5.1.2 - Bad destination host ('000', ['{way.nowhere}'])")

    def _connect(self, lane: LaneKey, hop: Hop, control: Control) -> Outcome | None:
        """One connection: what was in its way, or None when it came about."""
        tls: Tls = "required" if lane.tls_required else control.tls
        client = SmtpClient(
            self._appliance.network,
            self._appliance.interfaces[lane.interface],
            hop.address,
            hop.port,
            helo=self._appliance.member.host,
            tls=tls,
            timeout=self._switches.smtp_timeout,
            identity=self._appliance.identity,
        )
        with client:
            failed = client.connect()
            if failed is None:
                self._deliver(lane, hop, control, client)
        return failed

    def _deliver(self, lane: LaneKey, hop: Hop, control: Control, client: SmtpClient) -> None:
        dcid = self._tracking.next_dcid()
        for _ in range(control.messages):
            item = self.queue.take(lane)
            if item is None:
                return
            if not self.slots.may_send(lane.domain, control, len(item.envelope.recipients)):
                item.tracked.say(f"Message {item.mid} waits: recipient limit of {lane.domain}.")
                self._wait(item)
                continue
            self._tell_opened(item, dcid, hop, client)
            outcome = client.send(item.envelope)
            self._settle(item, outcome, hop)
            if outcome.code in {0, 421}:
                return

    def _tell_opened(self, item: Item, dcid: int, hop: Hop, client: SmtpClient) -> None:
        tracked, source = item.tracked, self._appliance.interfaces[item.lane.interface]
        tracked.connected(dcid)
        tracked.say(
            f"SMTP delivery connection (DCID {dcid}) opened from Cisco IronPort interface {source} "
            f"({item.lane.interface}) to IP address {hop.address} on port {hop.port}."
        )
        if client.tls:
            tracked.say(
                f"Delivery connection (DCID {dcid}) successfully accepted TLS protocol {client.tls} "
                f"cipher {client.cipher}."
            )
        to = ", ".join(item.envelope.recipients)
        tracked.say(f"(DCID {dcid}) Delivery started for message {item.mid} to {to}.")

    def _settle(self, item: Item, outcome: Outcome, hop: Hop, failures: list[Outcome] | None = None) -> None:
        """What an answer means for a message: delivered, another try, or a bounce."""
        item.attempts += 1
        reply = "; ".join(f"{one.code or '000'} {one.text}" for one in failures or [outcome])
        if outcome.delivered:
            self._delivered(item, outcome, hop)
        elif outcome.temporary:
            self._postpone(item, reply)
        else:
            self._bounce(item, f"{HARD} ('{outcome.code}', ['{outcome.text}'])", reply)

    def _delivered(self, item: Item, outcome: Outcome, hop: Hop) -> None:
        for recipient in item.envelope.recipients:
            if recipient not in outcome.refused:
                item.tracked.say(
                    f"Message {item.mid} to {recipient} received remote SMTP response '{outcome.text}'."
                )
                self._appliance.record(
                    "delivered", mid=item.mid, to=recipient, address=hop.address, tls=outcome.tls
                )
        item.tracked.set(item.mid, DELIVERED)
        again = [to for to, reply in outcome.refused.items() if reply.startswith("4")]
        hard = {to: reply for to, reply in outcome.refused.items() if to not in again}
        for recipient, reply in hard.items():
            item.tracked.say(f"Message {item.mid} to {recipient} bounced. Reason: {HARD} ('{reply}')")
            item.tracked.set(item.mid, BOUNCED)
            self._appliance.record("bounced", mid=item.mid, reply=reply)
        if again:
            item.envelope = replace(item.envelope, recipients=tuple(again))
            self._postpone(item, outcome.refused[again[0]])
        else:
            self.queue.done(item)

    def _postpone(self, item: Item, reply: str) -> None:
        item.tracked.say(f"Message {item.mid} delayed. Reason: {SOFT} ('{reply}')")
        if time.time() - item.since >= self._switches.queue_seconds:
            self._bounce(item, EXPIRED, reply)
        else:
            item.tracked.set(item.mid, PROCESSING)
            self._wait(item)

    def _wait(self, item: Item) -> None:
        times = self._switches.retry_seconds
        self.queue.later(item, times[min(max(item.attempts, 1), len(times)) - 1])

    def _bounce(self, item: Item, reason: str, reply: str = "") -> None:
        to = ", ".join(item.envelope.recipients)
        item.tracked.say(f"Message {item.mid} to {to} bounced. Reason: {reason}")
        item.tracked.set(item.mid, BOUNCED)
        self._appliance.record("bounced", mid=item.mid, reply=reply or reason)
        self.queue.done(item)


def _slot(lane: LaneKey, hop: Hop, control: Control) -> str:
    """Whose connections are counted together: a domain's, or each exchanger's and interface's apart."""
    exchanger = hop.address if control.per_exchanger else ""
    interface = lane.interface if control.per_interface else ""
    return "/".join([lane.domain, exchanger, interface])
