"""Recorded events become cases: what was known of each parcel at each of its decision points.  Pure.

Facts are learned and features computed by the code of the stream; a case holds no more than the
stream would have known at its instants, and, apart from that, what became of the order.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.churn_predictor.decision_points import decision_points
from services.churn_predictor.facts import Facts, OrderFacts
from services.churn_predictor.features import Values, features
from services.churn_predictor.histories import (
    Histories,
    KeyHistory,
    Observation,
    Question,
    kept,
    observations,
    questions,
)
from services.churn_predictor.learning import learn
from services.churn_predictor.parcels import Parcel, by_order, parcels
from services.contracts.contacts import COMPLAINT_REASONS
from services.contracts.envelope import Event
from services.contracts.problems import DecisionPoint
from services.contracts.tolerances import Tolerances


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One decision point of one parcel."""

    point: DecisionPoint
    at: datetime
    values: Values


@dataclass(frozen=True, slots=True)
class Outcome:
    """The customer's first word about the order."""

    at: datetime
    is_bad: bool
    """A poor answer to a survey, or a complaint without being asked."""
    asked_at: datetime | None = None
    """When the survey went out."""


@dataclass(frozen=True, slots=True)
class Case:
    """One parcel from purchase to the customer's word, or without one."""

    shipment_id: str
    bought_at: datetime
    promised_by: datetime
    delivered_at: datetime | None
    snapshots: tuple[Snapshot, ...]
    """By rising instant."""
    outcome: Outcome | None


def replay(events: Iterable[Event[Any]], tolerances: Tolerances) -> tuple[Case, ...]:
    """Return a case for every promised parcel whose purchase is known, by time of purchase."""
    customers: dict[str, Facts] = {}
    for event in events:
        learn(customers.setdefault(event.partitionkey, Facts()), event)
    give_histories(customers.values())
    found = [case for facts in customers.values() for case in _cases(facts, tolerances)]
    return tuple(sorted(found, key=lambda case: (case.bought_at, case.shipment_id)))


def give_histories(customers: Iterable[Facts]) -> None:
    """Answer every approved order's questions as of its approval, and keep the answers with it."""
    asked: list[tuple[datetime, str, OrderFacts, Sequence[Parcel]]] = []
    seen: list[Observation] = []
    for facts in customers:
        seen += observations(facts)
        asked += [(o.approved.at, name, o, its) for name, o, its in by_order(facts) if o.approved]
    asked.sort(key=lambda each: each[:2])
    seen.sort(key=lambda each: each.at)
    keys: dict[str, KeyHistory] = {}
    coming = iter(seen)
    ahead = next(coming, None)
    for at, _, order, its in asked:
        while ahead is not None and ahead.at <= at:
            keys.setdefault(ahead.key, KeyHistory()).observe(ahead)
            ahead = next(coming, None)
        order.histories = kept(_answers(keys, its, at))


def _answers(
    keys: Mapping[str, KeyHistory], its: Sequence[Parcel], at: datetime
) -> Iterator[tuple[Question, Histories]]:
    for question in dict.fromkeys(question for parcel in its for question in questions(parcel)):
        known = keys.get(question.key)
        yield question, {} if known is None else known.answer(question, at)


def _cases(facts: Facts, tolerances: Tolerances) -> Iterator[Case]:
    for parcel in parcels(facts):
        basket, delivered = parcel.order.basket, parcel.shipment.delivered
        if basket is None:
            continue
        yield Case(
            shipment_id=parcel.shipment_id,
            bought_at=basket.placed.at,
            promised_by=parcel.promise.promised_by,
            delivered_at=None if delivered is None else delivered.at,
            snapshots=tuple(
                Snapshot(point, at, features(parcel, facts, at))
                for point, at in decision_points(parcel, tolerances)
            ),
            outcome=outcome(facts, parcel.shipment.order_id),
        )


def outcome(facts: Facts, order_id: str) -> Outcome | None:
    """Return the customer's first word about this order: an answer, or a complaint; None: silence."""
    words = [*_answers_about(facts, order_id), *_complaints_about(facts, order_id)]
    return min(words, key=lambda word: word.at, default=None)


def _answers_about(facts: Facts, order_id: str) -> Iterator[Outcome]:
    for survey in facts.surveys.values():
        if survey.order_id != order_id or survey.answered is None:
            continue
        if survey.score is not None and survey.kind is not None:
            is_bad = survey.is_poor
            yield Outcome(survey.answered.at, is_bad, survey.sent.at if survey.sent else None)


def _complaints_about(facts: Facts, order_id: str) -> Iterator[Outcome]:
    for contact in facts.contacts.values():
        is_complaint = contact.order_id == order_id and contact.reason in COMPLAINT_REASONS
        if is_complaint and contact.asked is not None:
            yield Outcome(contact.asked.at, is_bad=True)
