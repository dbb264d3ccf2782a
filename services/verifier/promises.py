"""Which problems and assessments a parcel's story leads to, tick by tick, from the contracts' words.  Pure.

What stands at a tick changes at few of them only: where news came, where a deadline has passed, where
its silence was believed, where it ended, where it was given up.  Those are looked at, in their order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from services.contracts.ids import derive, problem_id
from services.contracts.problems import (
    Actor,
    Band,
    Clearing,
    DecisionPoint,
    EventRef,
    FeedEvidence,
    ProblemChanged,
    ProblemCleared,
    ProblemKind,
    ProblemOpened,
    Tier,
)
from services.verifier.heard import Heard, carrier_feed, publisher_feed
from services.verifier.slots import Slots
from services.verifier.timeline import Timeline

SILENT_FOR = timedelta(hours=24)
"""After so long behind a deadline, a silent feed no longer holds an alarm back."""

GIVEN_UP_AFTER = timedelta(days=60)
"""So long after its deadline an open problem nobody heard of ends."""

_DELIVERY_TIERS = (
    (Tier.AT_RISK, DecisionPoint.BEFORE_PROMISE, timedelta(days=-3)),
    (Tier.OVERDUE, DecisionPoint.PROMISE, timedelta()),
    (Tier.LATE, DecisionPoint.AFTER_PROMISE, timedelta(hours=24)),
)

ByDecisionPoint = Callable[[DecisionPoint], tuple[float, Band] | None]
"""What the model said of a parcel there; None: it is on no topic."""


class Deadline(NamedTuple):
    """When a tier is reached unless something happened."""

    at: datetime
    tier: Tier
    point: DecisionPoint


@dataclass(frozen=True, slots=True)
class Known:
    """One parcel as known from one tick's index on."""

    index: int
    parcel: Slots
    cancelled: Slots | None

    @property
    def promise(self) -> Slots:
        """The first promise."""
        found: Slots = self.parcel["first_promise"]
        return found

    @property
    def is_with_carrier(self) -> bool:
        """Whether the carrier has it, as far as known."""
        return "handed_over" in self.parcel or "first_scan" in self.parcel

    def feed(self, kind: ProblemKind) -> str:
        """Return whose silence would explain that nothing was heard."""
        is_carriers = kind is ProblemKind.DELIVERY_DELAY and self.is_with_carrier
        if is_carriers and "carrier" in self.parcel:
            return carrier_feed(self.parcel["carrier"])
        return publisher_feed(self.promise["told"]["source"])

    def deadlines(self, kind: ProblemKind) -> list[Deadline]:
        """Return what was promised of this kind, by rising instant."""
        if kind is ProblemKind.DELIVERY_DELAY:
            by = self.promise["promised_by"]
            return [Deadline(by + off, tier, point) for tier, point, off in _DELIVERY_TIERS]
        limit = self.promise.get("ship_by")
        if limit is None:
            return []
        return [Deadline(limit, Tier.OVERDUE, DecisionPoint.HANDOVER_LIMIT)]

    def end(self, kind: ProblemKind) -> Slots | None:
        """Return the stamp of what met the promise or made it void, or None."""
        found = [self.parcel.get("delivered"), self.cancelled]
        if kind is ProblemKind.HANDOVER_OVERDUE:
            found += [self.parcel.get("handed_over"), self.parcel.get("first_scan")]
        stamps = (stamp for stamp in found if stamp is not None)
        return min(stamps, key=lambda s: (s["at"], s["source"], s["id"]), default=None)


@dataclass(slots=True)
class Problem:
    """One episode, as far as it has got."""

    number: int
    tier: Tier
    deadline: datetime
    promised_by: datetime
    order_id: str
    feed: FeedEvidence
    risk: float | None
    is_open: bool = True


class Expected(NamedTuple):
    """One record that should be on `problems`."""

    step: int
    """Index of the tick at which."""
    customer: str
    id: str
    type: str
    data: dict[str, Any]


class Scored(NamedTuple):
    """One record that should be on `assessments`."""

    step: int
    """Index of the tick at which."""
    customer: str
    subject: str
    point: DecisionPoint
    order_id: str


@dataclass(slots=True)
class Course:
    """What one parcel leads to, of one kind."""

    expected: list[Expected] = field(default_factory=list)
    scored: list[Scored] = field(default_factory=list)
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What is the same for every parcel of a partition."""

    timeline: Timeline
    heard: Heard

    @property
    def since(self) -> datetime:
        """The first tick: promises broken before it are nobody's news."""
        return self.timeline.ats[0]

    def heard_at(self, index: int, feed: str) -> datetime | None:
        """Return when a feed was last heard, as known at this tick: as of the one before."""
        return self.heard.as_of(feed, self.timeline.numbers[index] - 1)

    def believed_from(self, deadline: datetime, feed: str) -> int:
        """Return the index of the first tick at which silence over this deadline is believed."""
        passed = self.timeline.first_from(deadline)
        given_up = self.timeline.first_from(deadline + SILENT_FOR)
        number = self.heard.first_number(feed, deadline)
        heard = given_up if number is None else self.timeline.first_after_number(number)
        return max(passed, min(heard, given_up))


def course(
    customer: str,
    subject: str,
    kind: ProblemKind,
    story: Sequence[Known | None],
    ends: Sequence[int],
    world: World,
    model: ByDecisionPoint,
) -> Course:
    """Return what a parcel leads to of one kind.

    Args:
        customer: Whose it is.
        subject: The parcel's id.
        kind: Of problem.
        story: What was known of it from one index on to the next; None: nothing (any more).
        ends: For each of these, the index at which the next begins.
        world: Ticks and feeds.
        model: What the model said of it.
    """
    teller = _Teller(customer, subject, kind, world, model)
    for known, end in zip(story, ends, strict=True):
        if known is None:
            teller.course.problem = None
        elif "first_promise" in known.parcel:
            teller.tell(known, end)
    return teller.course


@dataclass(slots=True)
class _Teller:
    customer: str
    subject: str
    kind: ProblemKind
    world: World
    model: ByDecisionPoint
    course: Course = field(default_factory=Course)
    scored_at: set[DecisionPoint] = field(default_factory=set)

    def tell(self, known: Known, end: int) -> None:
        """Look at every tick from where this is known to where something else is."""
        end = min(end, len(self.world.timeline))
        index = known.index
        while index < end:
            self._look(known, index)
            index = min((i for i in self._turns(known) if i > index), default=end)

    def _turns(self, known: Known) -> list[int]:
        """Return the indices at which what stands may change."""
        first_from = self.world.timeline.first_from
        turns = [
            self.world.believed_from(deadline.at, known.feed(self.kind))
            for deadline in known.deadlines(self.kind)
        ]
        if (ended := known.end(self.kind)) is not None:
            turns.append(first_from(ended["at"]))
        problem = self.course.problem
        if problem is not None and problem.is_open:
            turns.append(first_from(problem.deadline + GIVEN_UP_AFTER))
        return turns

    def _look(self, known: Known, index: int) -> None:
        now = self.world.timeline.ats[index]
        ended, problem = known.end(self.kind), self.course.problem
        if ended is not None and ended["at"] <= now:
            if problem is not None and problem.is_open:
                never_was = ended["at"] <= problem.deadline
                self._clear(known, index, Clearing.RETRACTED if never_was else Clearing.SOLVED)
            return
        worst = self._worst(known, index)
        is_given_up = problem is not None and now >= problem.deadline + GIVEN_UP_AFTER
        if problem is not None and problem.is_open and is_given_up:
            self._clear(known, index, Clearing.EXPIRED)
        elif worst is not None and not is_given_up:
            self._worsen(known, index, worst)

    def _worst(self, known: Known, index: int) -> Deadline | None:
        """Return the worst tier whose deadline passed in a silence that is believed; score on the way."""
        worst = None
        for deadline in known.deadlines(self.kind):
            if deadline.at < self.world.since:
                continue
            if self.world.believed_from(deadline.at, known.feed(self.kind)) > index:
                break
            self._score(known, index, deadline.point)
            said = self.model(deadline.point)
            is_calm = said is None or said[1] is Band.LOW
            if deadline.tier is not Tier.AT_RISK or not is_calm:
                worst = deadline
        return worst

    def _score(self, known: Known, index: int, point: DecisionPoint) -> None:
        if point not in self.scored_at:
            self.scored_at.add(point)
            order_id = known.parcel["order_id"]
            self.course.scored.append(Scored(index, self.customer, self.subject, point, order_id))

    def _worsen(self, known: Known, index: int, worst: Deadline) -> None:
        problem, evidence = self.course.problem, self._silence(known, index, worst.at)
        said = self.model(worst.point)
        risk = None if said is None else said[0]
        if problem is None or not problem.is_open:
            number = 1 if problem is None else problem.number + 1
            by, order_id = known.promise["promised_by"], known.parcel["order_id"]
            new = Problem(number, worst.tier, worst.at, by, order_id, evidence, risk)
            self.course.problem = new
            self._say(known, index, ProblemOpened, {}, "problem.opened")
        elif worst.tier.rank > problem.tier.rank:
            before, problem.tier = problem.tier, worst.tier
            problem.deadline, problem.feed, problem.risk = worst.at, evidence, risk
            more = {"previous_tier": before}
            self._say(known, index, ProblemChanged, more, "problem.changed", worst.tier)

    def _silence(self, known: Known, index: int, deadline: datetime) -> FeedEvidence:
        heard_at = self.world.heard_at(index, known.feed(self.kind))
        is_silent = heard_at is None or heard_at < deadline
        return FeedEvidence(feed=known.feed(self.kind), silent=is_silent, heard_at=heard_at)

    def _clear(self, known: Known, index: int, clearing: Clearing) -> None:
        if self.course.problem is not None:
            self.course.problem.is_open = False
        ended = None if clearing is Clearing.EXPIRED else known.end(self.kind)
        more = {"clearing": clearing}
        self._say(known, index, ProblemCleared, more, "problem.cleared", ended=ended)

    def _say(
        self,
        known: Known,
        index: int,
        fact: type[ProblemOpened | ProblemChanged | ProblemCleared],
        more: Mapping[str, Any],
        *name: str,
        ended: Slots | None = None,
    ) -> None:
        problem = self.course.problem
        if problem is None:
            return
        identity = problem_id(self.customer, self.subject, self.kind, problem.number)
        data = fact(
            problem_id=identity,
            kind=self.kind,
            subject=self.subject,
            order_id=problem.order_id,
            episode=problem.number,
            tier=problem.tier,
            deadline=problem.deadline,
            promised_by=problem.promised_by,
            actor=Actor.NOBODY if known.is_with_carrier else Actor.US,
            evidence=_evidence(known, ended),
            feed=problem.feed,
            complaint_risk=problem.risk,
            **more,
        )
        # The same name at every telling, or a consumer would take a repetition for news.
        event_id = str(derive(*name, str(identity)))
        said = Expected(index, self.customer, event_id, fact.TYPE, data.model_dump(mode="json"))
        self.course.expected.append(said)


def _evidence(known: Known, ended: Slots | None) -> tuple[EventRef, ...]:
    """Name what it rests on: the promise, the hand-over, and what ended it; each once."""
    rests_on = (known.promise["told"], known.parcel.get("handed_over"), ended)
    named = dict.fromkeys((stamp["source"], stamp["id"]) for stamp in rests_on if stamp is not None)
    return tuple(EventRef(source=source, id=event_id) for source, event_id in named)
