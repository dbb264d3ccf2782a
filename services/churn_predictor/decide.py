"""One customer at one tick: facts in; new episodes, assessments and what to publish out.  Pure."""

from datetime import datetime
from hashlib import sha256
from typing import Any

from services.churn_predictor import problems
from services.churn_predictor.expectations import Expectation, Parcel, parcels
from services.churn_predictor.facts import Stamp
from services.churn_predictor.features import features
from services.churn_predictor.problems import Change, Cleared, Escalated, Moment, Opened
from services.churn_predictor.scoring import Score, Scorecard, score
from services.churn_predictor.state import CUSTOMER, Assessed, CustomerState, Episode
from services.contracts.envelope import Event
from services.contracts.ids import derive
from services.contracts.problems import (
    Actor,
    EventRef,
    ProblemChanged,
    ProblemCleared,
    ProblemKind,
    ProblemOpened,
    RiskAssessed,
    RiskKind,
)

SOURCE = "/care/churn-predictor"


Said = list[Event[Any]]


def decide(customer_id: str, state: CustomerState, moment: Moment, card: Scorecard) -> Said:
    """Return what to say about this customer now; its episodes and assessments are moved along.

    Afterwards `state.due` says when to look again if no event comes.
    """
    said: Said = []
    dues: list[datetime] = []

    def assess(parcel: Parcel, expectation: Expectation) -> Assessed:
        return _assess(customer_id, state, parcel, expectation, moment.now, card, said)

    for parcel in parcels(state.facts):
        for kind in ProblemKind:
            key = f"{kind}|{parcel.shipment_id}"
            change, due = problems.advance(
                customer_id, parcel, kind, state.episodes.get(key), moment, assess
            )
            if due is not None:
                dues.append(due)
            if change is not None:
                state.episodes[key] = change.episode
                said.append(_problem_event(customer_id, parcel, change, moment.now))
    state.touched = False
    state.due = min(dues, default=None)
    return said


def _assess(
    customer_id: str,
    state: CustomerState,
    parcel: Parcel,
    expectation: Expectation,
    now: datetime,
    card: Scorecard,
    said: Said,
) -> Assessed:
    """Return the one assessment of this parcel at this decision point; say it when it is made."""
    key = f"{parcel.shipment_id}|{expectation.point}"
    if key not in state.assessed:
        # As of the deadline, not of the look at it: the same whenever the tick came.
        values = features(parcel, state.facts, expectation.deadline)
        result = score(card, expectation.point, values)
        state.assessed[key] = Assessed(result.probability, result.band)
        said.append(_risk_event(customer_id, state, parcel, expectation, now, result, card))
    return state.assessed[key]


def _problem_event(customer_id: str, parcel: Parcel, change: Change, now: datetime) -> Event[Any]:
    common = _common(parcel, change.episode)
    match change:
        case Opened():
            data: Any = ProblemOpened(**common, evidence=_evidence(parcel, None))
            name: tuple[str, ...] = ("problem.opened",)
        case Escalated():
            data = ProblemChanged(
                **common, previous_tier=change.previous, evidence=_evidence(parcel, None)
            )
            name = ("problem.changed", change.episode.tier)
        case Cleared():
            data = ProblemCleared(
                **common, clearing=change.clearing, evidence=_evidence(parcel, change.ended)
            )
            name = ("problem.cleared",)
    return _event(customer_id, now, data, *name, str(change.episode.problem_id))


def _common(parcel: Parcel, episode: Episode) -> dict[str, Any]:
    has_left = parcel.shipment.handed_over is not None or parcel.shipment.first_scan is not None
    return {
        "problem_id": episode.problem_id,
        "kind": episode.kind,
        "subject": episode.subject,
        "order_id": episode.order_id,
        "episode": episode.number,
        "tier": episode.tier,
        "deadline": episode.deadline,
        "promised_by": episode.promised_by,
        "actor": Actor.NOBODY if has_left else Actor.US,
        "feed": episode.feed,
        "complaint_risk": episode.complaint_risk,
    }


def _evidence(parcel: Parcel, ended: Stamp | None) -> tuple[EventRef, ...]:
    """Name the events this rests on: the promise, the hand-over, and what ended it."""
    stamps = (parcel.promise.told, parcel.shipment.handed_over, ended)
    named = dict.fromkeys((s.source, s.id) for s in stamps if s is not None)
    return tuple(EventRef(source=source, id=event_id) for source, event_id in named)


def _risk_event(
    customer_id: str,
    state: CustomerState,
    parcel: Parcel,
    expectation: Expectation,
    now: datetime,
    result: Score,
    card: Scorecard,
) -> Event[Any]:
    data = RiskAssessed(
        kind=RiskKind.COMPLAINT,
        order_id=parcel.shipment.order_id,
        subject=parcel.shipment_id,
        decision_point=expectation.point,
        probability=result.probability,
        band=result.band,
        model=card.name,
        model_version=card.version,
        intercept_log_odds=result.intercept,
        contributions=result.contributions,
        facts_digest=facts_digest(state),
    )
    return _event(
        customer_id, now, data, "risk", customer_id, parcel.shipment_id, expectation.point
    )


def facts_digest(state: CustomerState) -> str:
    """Return SHA-256 of the facts, the same whatever order they were learned in."""
    facts = CUSTOMER.dump_python(state, mode="json", include={"facts"})
    return sha256(repr(_sorted(facts)).encode()).hexdigest()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, _sorted(value[key])) for key in sorted(value)]
    return value


def _event(customer_id: str, now: datetime, data: Any, *identity: str) -> Event[Any]:
    return Event[Any](
        id=str(derive(*identity)),
        source=SOURCE,
        type=data.TYPE,
        time=now,
        partitionkey=customer_id,
        data=data,
    )
