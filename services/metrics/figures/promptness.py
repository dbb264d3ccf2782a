"""From the opening of a problem to the first message about it.

Both facts come from two topics, and the first message of several counts: a duration is counted once
everything said up to that message has been read.  What becomes known later is withdrawn and counted
anew, so that no counter ever falls.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.contracts import metric_names as names
from services.contracts.envelope import Event
from services.contracts.outreach import OutreachSent
from services.contracts.problems import ProblemOpened
from services.metrics.figures.measures import Distributions, Measured, earlier


@dataclass(slots=True)
class Reaction:
    """When one problem opened, and when we first wrote about it."""

    opened_at: datetime | None = None
    opened_at_as_sent: datetime | None = None
    """As the message says, should the opening itself be unread or gone."""
    first_sent_at: datetime | None = None
    counted: timedelta | None = None
    """What the counts hold of this problem now."""

    def duration(self, until: datetime | None) -> timedelta | None:
        """Return how long it took; None: not both known, or the message came after `until`."""
        opened_at = self.opened_at or self.opened_at_as_sent
        if opened_at is None or self.first_sent_at is None:
            return None
        if until is None or self.first_sent_at > until:
            return None
        return self.first_sent_at - opened_at


@dataclass(slots=True)
class Promptness:
    """Problems and the first message about each."""

    taken: Distributions = field(default_factory=Distributions)
    withdrawn: Distributions = field(default_factory=Distributions)
    reactions: dict[UUID, Reaction] = field(default_factory=dict)
    waiting: set[UUID] = field(default_factory=set)
    """Problems with a message whose duration is not counted yet."""
    settled_until: datetime | None = None

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in an opening or a message; see `Figures`."""
        del partition
        match event.data:
            case ProblemOpened() as told:
                reaction = self._of(told.problem_id)
                reaction.opened_at = earlier(reaction.opened_at, event.time)
                self._count(told.problem_id, reaction)
            case OutreachSent() as sent:
                reaction = self._of(sent.problem_id)
                reaction.first_sent_at = earlier(reaction.first_sent_at, event.time)
                reaction.opened_at_as_sent = reaction.opened_at_as_sent or sent.problem_opened_at
                self._count(sent.problem_id, reaction)

    def settle(self, until: datetime) -> None:
        """Count the first messages up to this instant."""
        self.settled_until = until
        for problem_id in sorted(self.waiting):
            self._count(problem_id, self.reactions[problem_id])

    def measured(self) -> Iterator[Measured]:
        """Return the time from problem to contact."""
        yield names.DETECTION_TO_CONTACT, self.taken
        yield names.DETECTION_TO_CONTACT_WITHDRAWN, self.withdrawn

    def _of(self, problem_id: UUID) -> Reaction:
        return self.reactions.setdefault(problem_id, Reaction())

    def _count(self, problem_id: UUID, reaction: Reaction) -> None:
        taken = reaction.duration(self.settled_until)
        if taken is None and reaction.first_sent_at is not None:
            self.waiting.add(problem_id)
        else:
            self.waiting.discard(problem_id)
        if taken != reaction.counted:
            if reaction.counted is not None:
                self.withdrawn.add(names.DETECTION_TO_CONTACT_WITHDRAWN, (), reaction.counted)
            if taken is not None:
                self.taken.add(names.DETECTION_TO_CONTACT, (), taken)
            reaction.counted = taken
