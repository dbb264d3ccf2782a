"""One customer at one tick: facts in; new episodes, assessments and what to publish out.  Pure."""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from services.churn_predictor import problems
from services.churn_predictor.asking import waits_until
from services.churn_predictor.assess import (
    DigestOfFacts,
    assess,
    assess_silence,
    experience_at,
    facts_digest,
)
from services.churn_predictor.decision_points import event_points
from services.churn_predictor.expectations.every import watches
from services.churn_predictor.expectations.watch import Step, Watch
from services.churn_predictor.facts import Stamp
from services.churn_predictor.parcels import Parcel, parcels
from services.churn_predictor.problems import Change, Cleared, Escalated, LookAgain, Moment, Opened
from services.churn_predictor.rules import Rules
from services.churn_predictor.state import Assessed, CustomerState, Episode
from services.contracts.envelope import Event
from services.contracts.ids import derive
from services.contracts.problems import (
    Actor,
    DecisionPoint,
    EventRef,
    Experience,
    FeedEvidence,
    ProblemChanged,
    ProblemCleared,
    ProblemOpened,
    RiskAssessed,
    RiskKind,
)
from services.contracts.topics import HORIZON

SOURCE = "/care/churn-predictor"


Said = list[Event[Any]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that failed for one customer, who is looked at again a while later."""

    customer_id: str
    error: Exception


def decide(customer_id: str, state: CustomerState, moment: Moment, rules: Rules) -> Said:
    """Return what to say about this customer now; its episodes and assessments are moved along.

    Afterwards `state.due` and `state.waits` say when to look again if no event comes.
    """
    # Facts do not change while they are looked at: what is made of all of them is made once.
    its = parcels(state.facts)
    look = _Look(
        customer_id,
        state,
        moment,
        rules,
        its,
        _settled(its, state, moment),
        cache(lambda: facts_digest(state)),
        cache(lambda: _experience(state, moment, rules)),
    )
    look.score_events()
    watched = set()
    for watch in watches(state.facts, rules.tolerances, look.settled):
        watched.add(watch.name)
        look.at(watch)
    look.abandon_all_but(watched)
    state.touched = False
    state.due, state.waits = look.due, look.waits
    return look.said


def _settled(its: Iterable[Parcel], state: CustomerState, moment: Moment) -> set[str]:
    """Return the shipments that are over and have no open problem: nothing can come of a look at them.

    Most shipments of a good customer are such, and to work out their dates costs the most of a look.
    """
    troubled = {each.subject for each in state.episodes.values() if each.is_open}
    return {
        parcel.shipment_id
        for parcel in its
        if parcel.shipment_id not in troubled
        and parcel.ended is not None
        and parcel.ended.at <= moment.now
    }


@dataclass(slots=True)
class _Look:
    """One look at one customer."""

    customer_id: str
    state: CustomerState
    moment: Moment
    rules: Rules
    parcels: Iterable[Parcel]
    settled: AbstractSet[str]
    _digest: DigestOfFacts
    _experience: Callable[[], Experience]
    said: Said = field(default_factory=list)
    due: datetime | None = None
    waits: dict[str, datetime] = field(default_factory=dict)

    def score_events(self) -> None:
        """Score each parcel at what happened to it, once what its order asked is answered."""
        for parcel in self.parcels:
            waits = waits_until(self.state, parcel.shipment.order_id, self.moment)
            for point, at in event_points(parcel):
                if at > self.moment.now:
                    self._look_again(LookAgain(at=at))
                elif at < self.moment.since:
                    continue
                elif waits is not None:
                    self._look_again(LookAgain(at=waits))
                else:
                    self._assess(parcel, point, at)

    def at(self, watch: Watch) -> None:
        """See what has become of one watch."""
        tolerances, known = self.rules.tolerances, self.state.episodes.get(watch.name)
        outcome = problems.advance(
            self.customer_id,
            watch,
            known,
            self.moment,
            tolerances,
            self._score,
            numbered=self.state.numbered,
        )
        self._look_again(outcome.again)
        for change in outcome.changes:
            self.state.episodes[watch.name] = change.episode
            self.said.append(self._problem(change, watch))

    def abandon_all_but(self, watched: AbstractSet[str]) -> None:
        """Clear what is open of what no fact speaks of any more.

        A closed episode stays as long as facts could bring its watch back: no number is given twice.
        """
        for name in self.state.episodes.keys() - watched:
            episode = self.state.episodes[name]
            if episode.subject in self.settled:
                continue
            for change in problems.abandon(episode):
                self.state.episodes[name] = change.episode
                self.said.append(self._problem(change, None))
            if not episode.is_open and episode.deadline < self.moment.now - HORIZON:
                del self.state.episodes[name]

    def _score(self, watch: Watch, step: Step, feed: FeedEvidence | None) -> Assessed | None:
        if step.point is DecisionPoint.SILENCE:
            found = assess_silence(self.state, step.deadline, self.rules, self._digest)
            return self._tell(found)
        if step.point is None or watch.parcel is None:
            return None
        return self._assess(watch.parcel, step.point, step.deadline, feed)

    def _assess(
        self,
        parcel: Parcel,
        point: DecisionPoint,
        as_of: datetime,
        feed: FeedEvidence | None = None,
    ) -> Assessed:
        anew = self.state.touched and parcel.shipment_id not in self.settled
        found = assess(
            self.state, parcel, point, as_of, self.rules, self._digest, feed=feed, anew=anew
        )
        return self._tell(found)

    def _tell(self, found: tuple[Assessed, RiskAssessed | None]) -> Assessed:
        assessed, news = found
        if news is not None:
            at_tick = news.model_copy(update={"tick": self.moment.tick})
            self.said.append(risk_event(self.customer_id, at_tick, self.moment.now))
        return assessed

    def _look_again(self, again: LookAgain) -> None:
        if again.at is not None:
            self.due = again.at if self.due is None else min(self.due, again.at)
        if again.feed is not None and again.heard_from is not None:
            known = self.waits.get(again.feed, again.heard_from)
            self.waits[again.feed] = min(known, again.heard_from)

    def _problem(self, change: Change, watch: Watch | None) -> Event[Any]:
        return _problem(self.customer_id, change, watch, self._experience(), self.moment.now)


def expire(
    customer_id: str,
    state: CustomerState,
    episodes: Iterable[Episode],
    moment: Moment,
    rules: Rules,
) -> Said:
    """Return that these problems are over for a reason that lies outside the customer's facts."""
    changes = [change for episode in episodes for change in problems.expire(episode)]
    if not changes:
        return []
    experience = _experience(state, moment, rules)
    return [_problem(customer_id, change, None, experience, moment.now) for change in changes]


def _problem(
    customer_id: str, change: Change, watch: Watch | None, experience: Experience, at: datetime
) -> Event[Any]:
    common = _common(change.episode, watch) | {"experience": experience}
    grounds = _grounds(change, watch)
    match change:
        case Opened():
            data: Any = ProblemOpened(**common, evidence=_evidence(grounds))
            name: tuple[str, ...] = ("problem.opened",)
        case Escalated():
            data = ProblemChanged(
                **common, previous_tier=change.previous, evidence=_evidence(grounds)
            )
            name = ("problem.changed", change.episode.tier)
        case Cleared():
            data = ProblemCleared(
                **common,
                clearing=change.clearing,
                evidence=_evidence((*grounds, change.ended)),
            )
            name = ("problem.cleared",)
    return _event(customer_id, data, at, *name, str(change.episode.problem_id))


def _experience(state: CustomerState, moment: Moment, rules: Rules) -> Experience:
    found = experience_at(state.facts, moment.now, rules.tolerances)
    return Experience(
        balance=found.balance, unresolved=found.unresolved, strikes_left=found.strikes_left
    )


def risk_event(customer_id: str, fact: RiskAssessed, at: datetime) -> Event[Any]:
    """Return an assessment as it is published: the same whenever it is made again from its record."""
    names: tuple[str, ...] = ("risk", customer_id, fact.subject, fact.decision_point)
    if fact.kind is RiskKind.LAPSE and fact.as_of is not None:
        # The same point comes again after each purchase.
        names = (*names, fact.as_of.isoformat())
    if fact.revision:
        names = (*names, str(fact.revision))
    return _event(customer_id, fact, at, *names)


def _event(customer_id: str, data: Any, at: datetime, *identity: str) -> Event[Any]:
    return Event[Any](
        id=str(derive(*identity)),
        source=SOURCE,
        type=data.TYPE,
        time=at,
        partitionkey=customer_id,
        data=data,
    )


def _common(episode: Episode, watch: Watch | None) -> dict[str, Any]:
    return {
        "problem_id": episode.problem_id,
        "kind": episode.kind,
        "subject": episode.subject,
        "order_id": episode.order_id,
        "episode": episode.number,
        "tier": episode.tier,
        "deadline": episode.deadline,
        "promised_by": episode.promised_by,
        "destination_time_zone": _destination_zone(watch),
        "actor": Actor.NOBODY if watch is None else watch.actor,
        "feed": episode.feed,
        "complaint_risk": episode.complaint_risk,
    }


def _destination_zone(watch: Watch | None) -> str | None:
    """Return the zone that the latest promise of the watched parcel to name one named."""
    told = None if watch is None or watch.parcel is None else watch.parcel.shipment.last_zone
    return None if told is None else told.name


def _grounds(change: Change, watch: Watch | None) -> tuple[Stamp | None, ...]:
    """Return what a change rests on; where nothing is named, what had started the clock."""
    if watch is not None and watch.grounds:
        return watch.grounds
    return (change.episode.anchor,)


def _evidence(stamps: Iterable[Stamp | None]) -> tuple[EventRef, ...]:
    """Name each of these events once."""
    named = dict.fromkeys((s.source, s.id) for s in stamps if s is not None)
    return tuple(EventRef(source=source, id=event_id) for source, event_id in named)
