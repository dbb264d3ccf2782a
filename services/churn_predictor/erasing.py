"""A customer is to be forgotten up to an instant: what is left is what was dated later.  Pure.

A slot that keeps only the earliest or latest word of several has no other: where that one goes, the slot
is empty, although a later word may have been told before the erasure was.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from services.churn_predictor.facts import (
    Basket,
    CarrierTold,
    ContactFacts,
    Facts,
    OrderFacts,
    Promise,
    RefundPromise,
    ShipmentFacts,
    Sighting,
    Stamp,
    SurveyFacts,
    Turn,
    ZoneTold,
    forget_facts,
)
from services.churn_predictor.state import CustomerState, Episode

_JUST_AFTER = timedelta(microseconds=1)


def erase(state: CustomerState, until: datetime) -> list[Episode]:
    """Forget what is dated no later than `until`; return the problems that were open: they are over.

    All problems go, with the numbers they were given remembered: what is still wrong by what was told
    later is a problem of somebody new.
    """
    was_open = [episode for episode in state.episodes.values() if episode.is_open]
    numbers = (episode.number for episode in state.episodes.values())
    state.numbered = max(state.numbered, *numbers, 0)
    state.episodes = {}
    cut(state.facts, until)
    state.seen = {name: at for name, at in state.seen.items() if at > until}
    state.fresh = {name: trace for name, trace in state.fresh.items() if name in state.seen}
    state.assessed = {name: each for name, each in state.assessed.items() if each.as_of > until}
    facts = state.facts
    subjects = facts.orders.keys() | facts.shipments.keys() | facts.surveys.keys()
    state.told = {subject: kinds for subject, kinds in state.told.items() if subject in subjects}
    state.asked = {
        order: questions
        for order, questions in state.asked.items()
        if order in facts.orders and facts.orders[order].approved is not None
    }
    state.touched, state.due, state.waits = True, None, {}
    return was_open


def cut(facts: Facts, until: datetime) -> None:
    """Forget every word of these facts that is dated no later than `until`."""
    forget_facts(facts, until + _JUST_AFTER)
    for group in fields(facts):
        known = getattr(facts, group.name)
        for name, fact in known.items():
            known[name] = _of_one(fact, until)


def _of_one(fact: Any, until: datetime) -> Any:
    """Return one thing without its words up to `until`, and without what only these had said."""
    slots = {slot.name: getattr(fact, slot.name) for slot in fields(fact)}
    left = replace(fact, **{name: _later(value, until) for name, value in slots.items()})
    match left:
        case OrderFacts(approved=None):
            left.histories = None
        case ContactFacts(opened=None):
            left.opened_by = left.reason = left.order_id = None
        case SurveyFacts(answered=None):
            left.score = None
            left.kind = None if left.sent is None else left.kind
        case ShipmentFacts(first_promise=None, estimates=[first, *others]):
            left.first_promise, left.estimates = first, others
        case ShipmentFacts(first_promise=None):
            left.first_promise = left.latest_promise
        case _:
            pass
    return left


def _later(value: Any, until: datetime) -> Any:
    """Return a slot's value without what is dated up to `until`."""
    match value:
        case Sighting(first, last) if first.at <= until < last.at:
            return Sighting(last, last)
        case list():
            return [each for each in value if not _is_over(each, until)]
        case dict():
            return _later_each(value, until)
        case _ if _is_over(value, until):
            return None
    return value


def _later_each(values: Mapping[str, Any], until: datetime) -> dict[str, Any]:
    left = {name: _later(value, until) for name, value in values.items()}
    return {name: value for name, value in left.items() if value is not None}


def _is_over(value: Any, until: datetime) -> bool:
    match value:
        case Stamp(at=at) | Basket(placed=Stamp(at=at)) | Turn(said=Stamp(at=at)):
            return at <= until
        case Promise() | ZoneTold() | CarrierTold() | RefundPromise():
            return value.told.at <= until
        case Sighting():
            return value.last.at <= until
    return False
