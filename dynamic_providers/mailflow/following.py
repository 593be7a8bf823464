"""Follows one message: asks tracking and trace until both are done with it, or it is clear how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from dynamic_providers.errors import ManagedError
from dynamic_providers.exchange.errors import LoginRefused, NotAllowed, UnknownParameter
from dynamic_providers.mailflow.errors import CannotLook
from dynamic_providers.mailflow.message import Probe
from dynamic_providers.mailflow.trace import Traced
from dynamic_providers.mailflow.tracked import Tracked
from dynamic_providers.mailflow.waiting import Deadline, Waiting


class LooksAtGateway(Protocol):
    """Message tracking of one host."""

    def find(self, word: str, since: datetime) -> list[Tracked]:
        """Messages with that word in the subject."""


class LooksAtTenant(Protocol):
    """Message trace of one tenant."""

    def find(self, word: str, recipient: str, since: datetime) -> Traced | None:
        """The message with that word in the subject."""


@dataclass
class Story:
    """What is known of a message so far. A trouble is why one of the two could not be asked."""

    message: Probe
    tracked: Tracked | None = None
    traced: Traced | None = None
    tracking_trouble: str = ""
    trace_trouble: str = ""


Ended = Callable[[Story], bool]


@dataclass
class Follower:
    """Asks everybody there is to ask."""

    tracking: tuple[LooksAtGateway, ...]
    trace: LooksAtTenant
    waiting: Waiting

    def follow(self, message: Probe, deadline: Deadline, ended: Ended, doubtful: Ended) -> Story:
        """The story of a message until `ended`, or as it is at the deadline.

        `doubtful`: what is known points to an end already; what is still missing gets its grace, no more.
        """
        story = Story(message)
        shown_at: list[datetime] = []

        def look() -> Story | None:
            self._ask_gateways(story)
            self._ask_tenant(story)
            if ended(story) or self._nobody_left(story):
                return story
            if not doubtful(story):
                return None
            shown_at.append(datetime.now(UTC))
            waited = (shown_at[-1] - shown_at[0]).total_seconds()
            return story if waited >= self.waiting.patience.grace else None

        what = f"«{message.word}» to show in {'tracking and ' if self.tracking else ''}message trace"
        self.waiting.until(look, what, deadline)
        return story

    def _ask_gateways(self, story: Story) -> None:
        if story.tracked is not None and story.tracked.over:
            return
        for one in self.tracking:
            try:
                found = one.find(story.message.word, story.message.sent_at)
            except CannotLook as error:
                story.tracking_trouble = str(error)
                continue
            if found:
                story.tracked = max(found, key=lambda row: (row.over, len(row.lines)))
                story.tracking_trouble = ""
                return

    def _ask_tenant(self, story: Story) -> None:
        if story.trace_trouble:
            return
        message = story.message
        try:
            found = self.trace.find(message.word, message.recipient, message.sent_at)
        except (NotAllowed, LoginRefused, UnknownParameter) as error:
            story.trace_trouble = str(error)
        except ManagedError as error:  # the client has tried again already; the next look may do
            self.waiting.progress(f"message trace cannot be read now: {error}")
        else:
            story.traced = found or story.traced

    def _nobody_left(self, story: Story) -> bool:
        """Whether nothing more can be learned: trace is shut, and tracking is done or not there."""
        tracking_done = not self.tracking or (story.tracked is not None and story.tracked.over)
        return bool(story.trace_trouble) and tracking_done
