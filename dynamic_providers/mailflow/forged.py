"""A message with a wrong header: it has to be dropped, or quarantined, and by our filter's name.

A probe from outside never reaches that filter (its host has no name of Microsoft's), so the tenant sends it:
a rule above k, for the probe's mailbox and a one-time word only, sets a wrong header and stops.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from dynamic_providers.errors import ManagedError
from dynamic_providers.mailflow.arrival import not_tracked
from dynamic_providers.mailflow.bench import Bench
from dynamic_providers.mailflow.causes import SITUATIONS
from dynamic_providers.mailflow.following import Story
from dynamic_providers.mailflow.hops import Hops, proof, until_it_works
from dynamic_providers.mailflow.mailflow_settings import PROBE_RULE
from dynamic_providers.mailflow.message import new_token
from dynamic_providers.mailflow.outbound import FILTER, TO_GATEWAY, is_ours, not_handed_over, sent
from dynamic_providers.mailflow.proof import Proof
from dynamic_providers.mailflow.waiting import Deadline

RULE = "Microsoft 365: one-time rule"


def forged(bench: Bench) -> list[Proof]:
    """One proof; whatever keeps us from forging makes it «not proven», never «ok»."""
    started, token, deadline = datetime.now(UTC), new_token(), bench.deadline()
    hops = _why_not(bench)
    if hops is None:
        hops = _forge(bench, token, deadline)
    else:
        _clean_up(bench)
    return [proof("forged", bench.settings.domain, started, token, hops)]


def _why_not(bench: Bench) -> Hops | None:
    reasons = (
        (not bench.settings.forge, "forging is switched off (checks.forge)"),
        (bench.settings.outbound == "none", "outbound is set to none: nothing leads to the gateway"),
        (not bench.tracking, "tracking is not asked, and only tracking shows a dropped message"),
    )
    why = next((text for holds, text in reasons if holds), "")
    if not why:
        return None
    hops = Hops()
    hops.unproven(RULE, why)
    return hops


def _clean_up(bench: Bench) -> None:
    """A rule that a cut run left goes, even where no new one is made."""
    try:
        if bench.probe_rule.remove():
            bench.progress(f"the rule «{PROBE_RULE}», left by an earlier run, was removed")
    except ManagedError as error:
        bench.progress(f"whether an earlier run left the rule «{PROBE_RULE}» could not be seen: {error}")


def _forge(bench: Bench, token: str, deadline: Deadline) -> Hops:
    hops = Hops()
    try:
        with bench.probe_rule.standing(token):
            forgery = Forgery(bench, token, deadline)
            hops = until_it_works(bench.waiting, deadline, forgery.attempt)
    except ManagedError as error:  # the rule could not be made, or not be removed
        hops.unproven(RULE, str(error))
    return _less_sure(hops)


def _less_sure(hops: Hops) -> Hops:
    """At the deadline, a message that went by rule k proves nothing: neither that it works nor that not."""
    late = SITUATIONS["rule not ours"].cause
    for at, one in enumerate(hops.hops):
        if one.verdict == "failed" and one.cause == late:
            hops.hops[at] = one.model_copy(update={"verdict": "notProven"})
    return hops


@dataclass
class Forgery:
    """One message under the one-time rule."""

    bench: Bench
    token: str
    deadline: Deadline

    def attempt(self, number: int) -> Hops:
        """Send, and see whether our filter drops it. A message that went by rule k proves nothing."""
        hops = Hops()
        hops.ok(RULE, f"«{PROBE_RULE}» stands above the outbound rule", {"rule": PROBE_RULE})
        message = sent(self.bench, hops, self.token, number)
        if message is None:
            return hops
        story = self.bench.follower.follow(message, self.deadline, self._ended, self._doubtful)
        self._judge(hops, story)
        return hops

    def _ended(self, story: Story) -> bool:
        """Both are done: trace is what says by which rule it went."""
        tracked, traced = story.tracked, story.traced
        if tracked is None or not tracked.over:
            if traced is None or not traced.over:
                return False
            past = bool(traced.to_ip) and not is_ours(self.bench, traced.to_ip)
            return traced.outbound_connector == "" or past or not traced.delivered
        return traced is not None and traced.over and traced.rules is not None

    @staticmethod
    def _doubtful(story: Story) -> bool:
        tracked, traced = story.tracked, story.traced
        return (tracked is not None and tracked.over) or (traced is not None and traced.over)

    def _judge(self, hops: Hops, story: Story) -> None:
        tracked, ours = story.tracked, self.bench.settings.names.filter
        wanted = self.bench.settings.names.sender_group
        rules = story.traced.rules if story.traced is not None else None
        by_probe = None if rules is None else PROBE_RULE.casefold() in {one.casefold() for one in rules}
        if tracked is None or not tracked.over:
            self._no_end(hops, story)
            return
        shown = {
            **tracked.evidence(),
            "filter": tracked.stopped_by,
            "rules": ", ".join(rules or ()) or "not told by message trace",
        }
        stopped, does = (
            tracked.dropped or tracked.quarantined,
            "Dropped" if tracked.dropped else "Quarantined",
        )
        if by_probe is False:
            # Failed for now, so that it is sent again; what is left at the deadline is «not proven».
            hops.failed(FILTER, f"went by {shown['rules']}", SITUATIONS["rule not ours"], shown)
        elif not stopped and tracked.sender_group.casefold() != wanted.casefold():
            group = f"it came in by sender group {tracked.sender_group}, not {wanted}"
            hops.failed(FILTER, f"not dropped: {tracked.status}; {group}", SITUATIONS["wrong group"], shown)
        elif not stopped:
            surely = by_probe is True or self._header_outside(story.message.word)
            self._got_through(hops, tracked.status, shown, surely=surely)
        elif tracked.stopped_by.casefold() == ours.casefold():
            hops.ok(FILTER, f"{tracked.status}: {does} by filter '{tracked.stopped_by}'", shown)
        else:
            by = tracked.stopped_by or "not named"
            cause = SITUATIONS["other filter dropped"]
            hops.failed(FILTER, f"{tracked.status}: {does} by filter '{by}', not by '{ours}'", cause, shown)

    def _no_end(self, hops: Hops, story: Story) -> None:
        """Nothing is proven of the filter where the message did not come to it: see outbound."""
        traced = story.traced
        why = not_handed_over(self.bench, traced) if story.tracked is None else None
        if why is not None and traced is not None:
            hops.unproven(TO_GATEWAY, *why, traced.evidence())
        elif story.tracked is not None:
            says = f"tracking does not show its end by {self.deadline}: {story.tracked.ended}"
            hops.unproven(FILTER, says, SITUATIONS["gateway holds it"], story.tracked.evidence())
        else:
            hops.unproven(FILTER, *not_tracked(self.bench, story, self.deadline))

    def _header_outside(self, word: str) -> bool:
        """Whether the message is seen outside with the header still in it: by whichever rule, a hole."""
        try:
            arrived = self.bench.outside.find(word) if self.bench.outside is not None else None
        except ManagedError:
            return False
        return arrived is not None and arrived.header

    @staticmethod
    def _got_through(hops: Hops, status: str, shown: dict[str, str], *, surely: bool) -> None:
        """Surely forged, it is a hole; else it may have gone by rule k, and is sent again."""
        if surely:
            hops.failed(FILTER, f"not dropped: {status}", SITUATIONS["forged got through"], shown)
        else:
            says = f"not dropped ({status}), by which rule it went is not told"
            hops.failed(FILTER, says, SITUATIONS["rule not ours"], shown)
