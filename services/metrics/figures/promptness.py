"""From the opening of a problem to the first message about it, and whether something stood in the way.

What is given to a person of ours is no message: the customer has not heard yet.

Both facts come from two topics, and the first message of several counts: a duration is counted once
everything said up to that message has been read.  What becomes known later is withdrawn and counted
anew, so that no counter ever falls.

*Held* is a message that could not be written at once, however quick we are: a decision about its step was
deferred first (quiet hours, a cap, room kept, an approval); an earlier step of its playbook had its turn
before; or the problem changed or ended before the step was decided about, so that it is about that and not
about the opening.  All others speak for our own speed, among them what waited for a channel's provider or
for the end of a pause, of which the topics say nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from services.contracts import metric_names as names
from services.contracts.envelope import Event, Fact
from services.contracts.outreach import Outcome, OutreachDecided, OutreachSent
from services.contracts.problems import ProblemChanged, ProblemCleared, ProblemOpened
from services.metrics.figures.measures import Distributions, Measured, earlier


class Message(NamedTuple):
    """A message that left; of several about one problem the earliest is the first."""

    at: datetime
    step_id: UUID


class Taken(NamedTuple):
    """How long the first message took, and whether it was held."""

    duration: timedelta
    is_held: bool

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it is counted under."""
        return (str(self.is_held).lower(),)


@dataclass(slots=True)
class Considered:
    """When one step was first decided about, and when first deferred."""

    playbook: str
    decided_at: datetime
    deferred_at: datetime | None = None


@dataclass(slots=True)
class Reaction:
    """When one problem opened, and when we first wrote about it."""

    opened_at: datetime | None = None
    opened_at_as_sent: datetime | None = None
    """As the message says, should the opening itself be unread or gone."""
    first_sent: Message | None = None
    turned_at: datetime | None = None
    """When the problem first changed or ended."""
    considered: dict[UUID, Considered] = field(default_factory=dict)
    """Step → what was decided about it."""
    counted: Taken | None = None
    """What the counts hold of this problem now."""

    def taken(self, until: datetime | None) -> Taken | None:
        """Return how long it took; None: not both known, or the message came after `until`."""
        opened_at, first = self.opened_at or self.opened_at_as_sent, self.first_sent
        if opened_at is None or first is None or until is None or first.at > until:
            return None
        return Taken(first.at - opened_at, self._is_held(first))

    def consider(self, decision: OutreachDecided, at: datetime) -> None:
        """Note a decision about a step."""
        step = self.considered.setdefault(decision.step_id, Considered(decision.playbook, at))
        step.decided_at = min(step.decided_at, at)
        if decision.outcome is Outcome.DEFERRED:
            step.deferred_at = earlier(step.deferred_at, at)

    def _is_held(self, message: Message) -> bool:
        step = self.considered.get(message.step_id)
        if step is None:
            return False
        is_deferred = step.deferred_at is not None and step.deferred_at <= message.at
        has_turned = self.turned_at is not None and self.turned_at <= step.decided_at
        return is_deferred or has_turned or self._is_a_later_step(step)

    def _is_a_later_step(self, step: Considered) -> bool:
        return any(
            other.playbook == step.playbook and other.decided_at < step.decided_at
            for other in self.considered.values()
        )


@dataclass(slots=True)
class Promptness:
    """Problems and the first message about each."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset(
        {
            ProblemOpened,
            ProblemChanged,
            ProblemCleared,
            OutreachDecided,
            OutreachSent,
        }
    )

    taken: Distributions = field(default_factory=Distributions)
    withdrawn: Distributions = field(default_factory=Distributions)
    reactions: dict[UUID, Reaction] = field(default_factory=dict)
    waiting: set[UUID] = field(default_factory=set)
    """Problems with a message whose duration is not counted yet."""
    settled_until: datetime | None = None

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in what a problem, a decision or a message says; see `Figures`."""
        del partition
        match event.data:
            case ProblemOpened() as told:
                reaction = self._of(told.problem_id)
                reaction.opened_at = earlier(reaction.opened_at, event.time)
            case ProblemChanged() | ProblemCleared() as told:
                reaction = self._of(told.problem_id)
                reaction.turned_at = earlier(reaction.turned_at, event.time)
            case OutreachDecided() as told:
                reaction = self._of(told.problem_id)
                reaction.consider(told, event.time)
            case OutreachSent(is_to_customer=True) as told:
                reaction = self._of(told.problem_id)
                message = Message(event.time, told.step_id)
                reaction.first_sent = min(reaction.first_sent or message, message)
                reaction.opened_at_as_sent = reaction.opened_at_as_sent or told.problem_opened_at
            case _:
                return
        self._count(told.problem_id, reaction)

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
        taken = reaction.taken(self.settled_until)
        if taken is None and reaction.first_sent is not None:
            self.waiting.add(problem_id)
        else:
            self.waiting.discard(problem_id)
        if taken != reaction.counted:
            was = reaction.counted
            if was is not None:
                metric = names.DETECTION_TO_CONTACT_WITHDRAWN
                self.withdrawn.add(metric, was.labels, was.duration)
            if taken is not None:
                self.taken.add(names.DETECTION_TO_CONTACT, taken.labels, taken.duration)
            reaction.counted = taken
