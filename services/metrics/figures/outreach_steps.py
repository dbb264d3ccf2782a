"""Is what outreach says of each step a whole story?  One told twice, one without an end, one without a start.

A *step* is one message of one playbook about one problem.  Its story: decided to contact (not in shadow),
started (once for each attempt), and an end: sent, failed, unknown, or withdrawn.  A deferred attempt ends
with nothing but the next start.  These hold of every step:

* *told twice*: nothing is sent twice.  A message sent again has another attempt or another instant; a
  record published twice has the same of both.
* *unexplained*: whatever was sent or left unknown was started with that attempt; what failed was at least
  decided.  (What fails before its first start, at its use-by for example, was never started.)
* *balance*: steps decided = waiting + unfinished + ended, from the first record of the topic on.

Retention: the start may have been deleted while the end is still there.  So an end of which nothing else is
known is unexplained only where it comes `LONGEST_STORY` after the first record of its partition; one whose
decision is known is so at once.  Merges: a step's records may lie in two partitions; only its id counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple, TypeVar
from uuid import UUID

from services.contracts import step_metrics as names
from services.contracts.envelope import Event, Fact
from services.contracts.outreach import (
    Mode,
    Outcome,
    OutreachDecided,
    OutreachFailed,
    OutreachSent,
    OutreachStarted,
    OutreachUnknown,
    OutreachWithdrawn,
)
from services.metrics.figures.measures import Latest, Measured, RevisedTally, Tally, earlier

LONGEST_STORY = timedelta(days=31)
"""A message may wait for 30 days at most until its use-by (`use_by_hours` of a playbook); a day of slack."""

KEPT_IN_DOUBT = timedelta(days=400)
"""A step left unknown may get its end from a person much later; as long as the topic holds it."""

_FORGET_EVERY = timedelta(hours=1)

DECIDED, STARTED, ENDED = "decided", "started", "ended"
STAGES = (DECIDED, STARTED, ENDED)
SENT, FAILED, UNKNOWN = "sent", "failed", "unknown"

T = TypeVar("T")
_NAMES = {OutreachSent: SENT, OutreachFailed: FAILED, OutreachUnknown: UNKNOWN}


class End(NamedTuple):
    """What became of one attempt."""

    outcome: str
    attempt: int
    at: datetime
    partition: int


@dataclass(slots=True)
class Step:
    """The story of one step, as far as it is known.  There are many: tuples, which are small."""

    is_decided: bool = False
    has_ended: bool = False
    attempts: tuple[int, ...] = ()
    """Those started."""
    started_at: datetime | None = None
    """The latest start."""
    ends: tuple[End, ...] = ()
    is_told_twice: bool = False
    unexplained: int = 0
    """How many of its ends the counts hold as unexplained now."""
    last_at: datetime | None = None

    @property
    def stages(self) -> frozenset[str]:
        """The stages that are known of."""
        reached = ((DECIDED, self.is_decided), (STARTED, self.attempts), (ENDED, self.has_ended))
        return frozenset(stage for stage, is_known in reached if is_known)

    def take(self, event: Event[Any], partition: int) -> None:
        """Take in one more record of this step; twice is as good as once."""
        match event.data:
            case OutreachDecided():
                self.is_decided = True
            case OutreachStarted(attempt=attempt):
                self.attempts = _with(self.attempts, attempt)
                self.started_at = _later(self.started_at, event.time)
            case OutreachSent() | OutreachFailed() | OutreachUnknown() as fact:
                self.has_ended = True
                end = End(_NAMES[type(fact)], fact.attempt, event.time, partition)
                self.ends = _with(self.ends, end)
            case OutreachWithdrawn():
                self.has_ended = True
        self.last_at = _later(self.last_at, event.time)

    @property
    def is_waiting(self) -> bool:
        """Whether it is still to be started."""
        return self.is_decided and not self.attempts and not self.has_ended

    @property
    def unfinished_since(self) -> datetime | None:
        """When it was started last; None: it was not, or it has ended."""
        return None if self.has_ended else self.started_at

    @property
    def was_sent_twice(self) -> bool:
        """Whether two messages left."""
        return len({(e.attempt, e.at) for e in self.ends if e.outcome == SENT}) > 1

    @property
    def is_in_doubt(self) -> bool:
        """Whether a person may still say what became of it."""
        outcomes = {end.outcome for end in self.ends}
        return UNKNOWN in outcomes and len(outcomes) == 1

    def explains(self, end: End) -> bool:
        """Return whether this end follows from what is known."""
        if end.attempt in self.attempts:
            return True
        return end.outcome == FAILED and self.is_decided

    def is_over(self, until: datetime) -> bool:
        """Return whether nothing more can be said of it by now."""
        if not self.has_ended or self.last_at is None:
            return False
        return until - self.last_at > (KEPT_IN_DOUBT if self.is_in_doubt else LONGEST_STORY)


@dataclass(slots=True)
class OutreachSteps:
    """Every step that may still go on, and what is wrong with those that were heard of."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset(
        {
            OutreachDecided,
            OutreachStarted,
            OutreachWithdrawn,
            OutreachSent,
            OutreachFailed,
            OutreachUnknown,
        }
    )

    counted: Tally = field(default_factory=Tally)
    told_twice: Tally = field(default_factory=Tally)
    unexplained: RevisedTally = field(default_factory=RevisedTally)
    steps: dict[UUID, Step] = field(default_factory=dict)
    waiting: set[UUID] = field(default_factory=set)
    unfinished: dict[UUID, datetime] = field(default_factory=dict)
    """Those started and not ended → their latest start."""
    suspects: set[UUID] = field(default_factory=set)
    """Those with an end that does not follow from what is known."""
    first_heard: dict[int, datetime] = field(default_factory=dict)
    """Partition → the instant of its first record."""
    settled_until: datetime | None = None
    forgot_until: datetime | None = None

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in a decision, a start or an end; see `Figures`."""
        if not _is_of_a_story(event.data):
            return
        self.first_heard[partition] = earlier(self.first_heard.get(partition), event.time)
        step = self.steps.setdefault(event.data.step_id, Step())
        before = step.stages
        step.take(event, partition)
        for stage in step.stages - before:
            self.counted.add((stage,))
        self._follow(event.data.step_id, step)

    def settle(self, until: datetime) -> None:
        """Judge the ends up to this instant, and forget the steps that are over."""
        self.settled_until = until
        for step_id in sorted(self.suspects):
            self._judge(step_id, self.steps[step_id])
        if self.forgot_until is None or until - self.forgot_until > _FORGET_EVERY:
            self.forgot_until = until
            for step_id in [s for s, step in self.steps.items() if step.is_over(until)]:
                del self.steps[step_id]
                self.suspects.discard(step_id)

    def measured(self) -> Iterator[Measured]:
        """Return the balance of steps, and what is wrong."""
        yield names.OUTREACH_STEPS, self.counted
        yield names.OUTREACH_WAITING, Tally({(): len(self.waiting)})
        yield names.OUTREACH_UNFINISHED, Tally({(): len(self.unfinished)})
        oldest = min(self.unfinished.values(), default=None)
        yield names.OUTREACH_UNFINISHED_SINCE, Latest({} if oldest is None else {(): oldest})
        yield names.TOLD_TWICE, self.told_twice
        yield names.UNEXPLAINED, self.unexplained.counted
        yield names.UNEXPLAINED_WITHDRAWN, self.unexplained.withdrawn

    def _follow(self, step_id: UUID, step: Step) -> None:
        """Bring the counts in line with what is now known of this step."""
        (self.waiting.add if step.is_waiting else self.waiting.discard)(step_id)
        since = step.unfinished_since
        if since is None:
            self.unfinished.pop(step_id, None)
        else:
            self.unfinished[step_id] = since
        if not step.is_told_twice and step.was_sent_twice:
            step.is_told_twice = True
            self.told_twice.add(())
        self._judge(step_id, step)

    def _judge(self, step_id: UUID, step: Step) -> None:
        doubtful = [end for end in step.ends if not step.explains(end)]
        (self.suspects.add if doubtful else self.suspects.discard)(step_id)
        found = len({end[:2] for end in doubtful if self._is_to_be_explained(step, end)})
        self.unexplained.move((), found - step.unexplained)
        step.unexplained = found

    def _is_to_be_explained(self, step: Step, end: End) -> bool:
        if self.settled_until is None or end.at > self.settled_until:
            return False
        is_whole = end.at - self.first_heard[end.partition] > LONGEST_STORY
        return step.is_decided or bool(step.attempts) or is_whole


def _is_of_a_story(fact: Any) -> bool:
    if isinstance(fact, OutreachDecided):
        return fact.outcome is Outcome.CONTACT and fact.mode is not Mode.SHADOW
    return isinstance(
        fact, OutreachStarted | OutreachWithdrawn | OutreachSent | OutreachFailed | OutreachUnknown
    )


def _with(known: tuple[T, ...], told: T) -> tuple[T, ...]:
    return known if told in known else (*known, told)


def _later(known: datetime | None, told: datetime) -> datetime:
    return told if known is None else max(known, told)
