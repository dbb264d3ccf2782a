"""Which problems and assessments a watch leads to, tick by tick, from the contracts' words.  Pure.

Every tick is a look at every watch, but what stands changes at few of them only: where news came, where a
deadline has passed, where its silence was believed, where it ended, where it was given up.  Those are
looked at, in their order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
from services.contracts.tolerances import Tolerances
from services.contracts.topics import HORIZON
from services.verifier.evidence import Stamp, as_json
from services.verifier.heard import Heard, is_scans_feed
from services.verifier.scores import Score, Scores
from services.verifier.timeline import Timeline
from services.verifier.watches import Step, Watch


@dataclass(slots=True)
class Problem:
    """One episode, as far as it has got."""

    number: int
    anchor: Stamp
    """The one it was opened with."""
    tier: Tier
    deadline: datetime
    promised_by: datetime | None
    order_id: str | None
    feed: FeedEvidence | None
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
    order_id: str | None
    feed: str | None = None
    """Why it was believed that nothing had come, as JSON."""


@dataclass(slots=True)
class Course:
    """What one watch leads to."""

    expected: list[Expected] = field(default_factory=list)
    scored: list[Scored] = field(default_factory=list)
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What is the same for everything in a partition."""

    timeline: Timeline
    heard: Heard
    tolerances: Tolerances = field(default_factory=Tolerances)

    @property
    def since(self) -> datetime:
        """The first tick: promises broken before it are nobody's news."""
        return self.timeline.ats[0]

    def heard_at(self, index: int, feed: str) -> datetime | None:
        """Return when a feed was last heard, as known at this tick: as of the one before.

        None: never, or so long ago by then that it was forgotten.
        """
        heard, before = self.heard.as_of(feed, self.timeline.numbers[index] - 1), index - 1
        if heard is not None and before >= 0 and heard < self.timeline.ats[before] - HORIZON:
            return None
        return heard

    def believed_from(self, step: Step, index: int = 0) -> int:
        """Return the index of the first tick from this one on at which this step has passed.

        It may not have at a later one: a carrier whose scans were not heard for the horizon is
        forgotten, and then its silence means nothing.  `len` of all ticks: it has at none.
        """
        timeline, passed = self.timeline, max(index, self.timeline.first_from(step.at))
        if not step.feeds:
            return passed
        given_up = max(index, timeline.first_from(step.at + self.tolerances.feed_cap))
        given_up = max(self._means_something_from(feed, given_up) for feed in step.feeds)
        told = step.at + self.tolerances.feed_settle
        heard = max(self._known_from(self.heard.first_number(f, told)) for f in step.feeds)
        return max(passed, min(heard, given_up))

    def _means_something_from(self, feed: str, index: int) -> int:
        """Return the index of the first tick from this one on at which a feed's silence means something.

        That of scans only where there are any.
        """
        if not is_scans_feed(feed) or not 0 < index < len(self.timeline):
            return index
        if self.heard_at(index, feed) is not None:
            return index
        oldest = self.timeline.ats[index - 1] - HORIZON
        return max(index, self._known_from(self.heard.first_number(feed, oldest)))

    def _known_from(self, number: int | None) -> int:
        """Return the index of the first tick at which is known what was said at this one."""
        return len(self.timeline) if number is None else self.timeline.first_after_number(number)


@dataclass(slots=True)
class Teller:
    """Follows one watch of one kind through the ticks."""

    customer: str
    subject: str
    kind: ProblemKind
    world: World
    scores: Scores
    course: Course = field(default_factory=Course)
    _watch: Watch | None = None
    _actor: Actor = Actor.NOBODY
    """Of the watch there was last."""
    _looked_at: int = 0
    _scored: set[DecisionPoint] = field(default_factory=set)

    def learn(self, index: int, watch: Watch | None, *, is_forgotten: bool = False) -> None:
        """Take the watch as it is from this tick on, after all that came before.

        Args:
            index: Of the tick.
            watch: As the facts tell it; None: there is none.
            is_forgotten: Whether it is gone because facts fell behind the horizon.
        """
        self.follow(index)
        if watch is None and is_forgotten:
            self.course.problem = None
        if watch != self._watch:
            self._watch = watch
            self._actor = Actor.NOBODY if watch is None else watch.actor
            self._look(index)

    def follow(self, end: int) -> None:
        """Look at the ticks before this one."""
        while (turn := self._turn()) < min(end, len(self.world.timeline)):
            self._look(turn)

    def _turn(self) -> int:
        """Return the index, behind the one looked at last, at which what stands may change next."""
        first_from, problem = self.world.timeline.first_from, self._open_problem()
        steps = () if self._watch is None else self._watch.steps
        turns = [self.world.believed_from(step, self._looked_at) for step in steps]
        if self._watch is not None and self._watch.end is not None:
            turns.append(first_from(self._watch.end.at))
        if problem is not None:
            deadlines = (problem.deadline, *(step.at for step in steps))
            turns += [first_from(self._expires(deadline)) for deadline in deadlines]
        turns += [self.world.timeline.index_of(tick) for tick in self.scores.revised]
        turns = [turn for turn in turns if turn > self._looked_at]
        return min(turns, default=len(self.world.timeline))

    def _expires(self, deadline: datetime) -> datetime:
        """Return when what was to be by then is no news any more."""
        return deadline + self.world.tolerances.expires_after(self.kind)

    def _look(self, index: int) -> None:
        self._looked_at = index
        if index >= len(self.world.timeline):
            return
        now, watch = self.world.timeline.ats[index], self._watch
        if watch is None:
            self._end_without_watch(index, now)
        elif watch.end is not None and watch.end.at <= now:
            self._end(index, watch.end)
        else:
            self._stand(watch, index, now)

    def _end_without_watch(self, index: int, now: datetime) -> None:
        """Facts that came late do not bear the watch any more."""
        if (problem := self._open_problem()) is not None:
            is_news = now < self._expires(problem.deadline)
            self._clear(index, Clearing.RETRACTED if is_news else Clearing.EXPIRED, None)

    def _end(self, index: int, ended: Stamp) -> None:
        """An open problem is over by what ended or renewed it."""
        if (problem := self._open_problem()) is not None:
            never_was = ended.at <= problem.deadline
            clearing = Clearing.RETRACTED if never_was else Clearing.SOLVED
            self._clear(index, clearing, ended)

    def _stand(self, watch: Watch, index: int, now: datetime) -> None:
        """What has not ended may be another watch now, no news any more, or no trouble; or it is one."""
        standing, problem = self._standing(watch, index), self._open_problem()
        if problem is not None and watch.anchor > problem.anchor:
            self._end(index, watch.renewed_by or watch.anchor)
            problem = None
        deadline = standing.at if standing else problem.deadline if problem else None
        if deadline is not None and now >= self._expires(deadline):
            if problem is not None:
                self._clear(index, Clearing.EXPIRED, None)
        elif problem is not None and (
            all(step.at > now for step in watch.steps)
            or (standing is None and self._never_was(problem, watch, index))
        ):
            self._clear(index, Clearing.RETRACTED, watch.anchor)
        elif standing is not None:
            self._worsen(watch, index, standing)

    def _open_problem(self) -> Problem | None:
        problem = self.course.problem
        return problem if problem is not None and problem.is_open else None

    def _standing(self, watch: Watch, index: int) -> Step | None:
        """Return the worst step that has passed; score on the way."""
        worst: Step | None = None
        for step in watch.steps:
            if step.at < self.world.since:
                continue
            if self.world.believed_from(step, index) > index:
                break
            if step.point is not None:
                self._score(watch, index, step, step.point)
            if self._counts(step, index) and (worst is None or step.tier.rank > worst.tier.rank):
                worst = step
        return worst

    def _counts(self, step: Step, index: int) -> bool:
        if step.point is None or step.tier is not Tier.AT_RISK:
            return True
        said = self._said(step, index)
        return said is not None and said.band is not Band.LOW

    def _said(self, step: Step, index: int) -> Score | None:
        if step.point is None:
            return None
        return self.scores.at(step.point, self.world.timeline.numbers[index])

    def _never_was(self, problem: Problem, watch: Watch, index: int) -> bool:
        """Whether there was only a risk, and its score, made again, is low."""
        if problem.tier is not Tier.AT_RISK:
            return False
        scores = [
            self._said(step, index)
            for step in watch.steps
            if step.tier is Tier.AT_RISK
            and step.at >= self.world.since
            and self.world.believed_from(step, index) <= index
        ]
        return any(score is not None and score.band is Band.LOW for score in scores)

    def _score(self, watch: Watch, index: int, step: Step, point: DecisionPoint) -> None:
        if point not in self._scored:
            self._scored.add(point)
            feed = as_json(self._silence(index, step))
            scored = Scored(index, self.customer, self.subject, point, watch.order_id, feed)
            self.course.scored.append(scored)

    def _worsen(self, watch: Watch, index: int, step: Step) -> None:
        problem = self.course.problem
        if problem is None or not problem.is_open:
            self._open(watch, index, step, 1 if problem is None else problem.number + 1)
        elif step.tier.rank > problem.tier.rank:
            before, problem.tier, problem.deadline = problem.tier, step.tier, step.at
            problem.feed, problem.risk = self._silence(index, step), self._risk(step, index)
            more = {"previous_tier": before}
            self._say(index, ProblemChanged, more, None, "problem.changed", step.tier)

    def _open(self, watch: Watch, index: int, step: Step, number: int) -> None:
        self.course.problem = Problem(
            number,
            watch.anchor,
            step.tier,
            step.at,
            watch.promised_by,
            watch.order_id,
            self._silence(index, step),
            self._risk(step, index),
        )
        self._say(index, ProblemOpened, {}, None, "problem.opened")

    def _silence(self, index: int, step: Step) -> FeedEvidence | None:
        if not step.feeds:
            return None
        told = step.at + self.world.tolerances.feed_settle
        moments = {feed: self.world.heard_at(index, feed) for feed in step.feeds}
        never = [feed for feed, at in moments.items() if at is None]
        named = never[0] if never else min(moments, key=lambda feed: moments[feed] or told)
        is_silent = any(at is None or at < told for at in moments.values())
        return FeedEvidence(feed=named, silent=is_silent, heard_at=moments[named])

    def _risk(self, step: Step, index: int) -> float | None:
        said = self._said(step, index)
        return None if said is None else said.probability

    def _clear(self, index: int, clearing: Clearing, ended: Stamp | None) -> None:
        if (problem := self.course.problem) is not None:
            problem.is_open = False
            self._say(index, ProblemCleared, {"clearing": clearing}, ended, "problem.cleared")

    def _say(
        self,
        index: int,
        fact: type[ProblemOpened | ProblemChanged | ProblemCleared],
        more: Mapping[str, Any],
        ended: Stamp | None,
        *name: str,
    ) -> None:
        problem = self.course.problem
        if problem is None:
            return
        identity = problem_id(self.customer, self.subject, self.kind, problem.number)
        evidence = [*self._rests_on(problem), *([] if ended is None else [ended])]
        named = dict.fromkeys((stamp.source, stamp.id) for stamp in evidence)
        data = fact(
            problem_id=identity,
            kind=self.kind,
            subject=self.subject,
            order_id=problem.order_id,
            episode=problem.number,
            tier=problem.tier,
            deadline=problem.deadline,
            promised_by=problem.promised_by,
            destination_time_zone=None if self._watch is None else self._watch.destination_zone,
            actor=self._actor,
            evidence=tuple(EventRef(source=source, id=event_id) for source, event_id in named),
            feed=problem.feed,
            complaint_risk=problem.risk,
            **more,
        )
        # The same name at every telling, or a consumer would take a repetition for news.
        event_id = str(derive(*name, str(identity)))
        said = Expected(index, self.customer, event_id, fact.TYPE, data.model_dump(mode="json"))
        self.course.expected.append(said)

    def _rests_on(self, problem: Problem) -> tuple[Stamp, ...]:
        """Return what the watch rests on: what it names, else what the episode was opened with."""
        named = () if self._watch is None else self._watch.rests_on
        return named or (problem.anchor,)
