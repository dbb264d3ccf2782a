"""Two customers turn out to be one: what is known of both, as if it had been told of one.  Pure.

Every slot is the least or greatest of what it was offered, or the first few of it, so the same holds for
two of them: the facts are the same in whatever order, and however often, they are merged.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from services.churn_predictor.facts import (
    TURNS_KEPT,
    CartFacts,
    ContactFacts,
    Facts,
    OrderFacts,
    Promise,
    RefundFacts,
    SearchFacts,
    ShipmentFacts,
    Sighting,
    Stamp,
    SurveyFacts,
)
from services.churn_predictor.learning import ESTIMATES_KEPT, FAILURES_KEPT
from services.churn_predictor.state import Assessed, CustomerState, Episode

V = TypeVar("V")
Key = Callable[[Any], Any]


def merge(one: Facts, other: Facts) -> Facts:
    """Return the facts that the events of both would have led to.

    The result may share its parts with both: neither is to be changed any more.
    """
    return Facts(
        orders=_each(one.orders, other.orders, _orders),
        carts=_each(one.carts, other.carts, _carts),
        shipments=_each(one.shipments, other.shipments, _shipments),
        contacts=_each(one.contacts, other.contacts, _contacts),
        searches=_each(one.searches, other.searches, _searches),
        surveys=_each(one.surveys, other.surveys, _surveys),
        refunds=_each(one.refunds, other.refunds, _refunds),
    )


def merge_into(state: CustomerState, moved: CustomerState) -> list[Episode]:
    """Add to `state` what was known of the same person under another name.

    Returns the open problems that one of the other name stands for, too: they are over.  What waits for
    answers is not taken along: it is asked anew.
    """
    state.facts = merge(state.facts, moved.facts)
    state.seen = {**state.seen, **moved.seen}
    state.assessed = _each(state.assessed, moved.assessed, _assessed)
    state.told = _each(state.told, moved.told, lambda a, b: sorted({*a, *b}))
    state.numbered = max(state.numbered, moved.numbered)
    state.fresh = {**state.fresh, **moved.fresh}
    state.touched = True
    both = [(state.episodes[k], moved.episodes[k]) for k in state.episodes if k in moved.episodes]
    state.episodes = _each(state.episodes, moved.episodes, _episodes)
    stay = {episode.problem_id for episode in state.episodes.values()}
    return [each for pair in both for each in pair if each.is_open and each.problem_id not in stay]


def _each(one: Mapping[str, V], other: Mapping[str, V], how: Callable[[V, V], V]) -> dict[str, V]:
    common = {name: how(one[name], other[name]) for name in one if name in other}
    return {**one, **other, **common}


def _told(value: Any) -> tuple[Stamp, str]:
    """What a promise, a carrier or a zone is ordered by: of two that one event told, any fixed one."""
    return value.told, repr(value)


def _itself(value: Any) -> Any:
    return value


def _first(one: V | None, other: V | None, key: Key = _itself) -> V | None:
    return min((v for v in (one, other) if v is not None), key=key, default=None)


def _last(one: V | None, other: V | None, key: Key = _itself) -> V | None:
    return max((v for v in (one, other) if v is not None), key=key, default=None)


def _all(one: Iterable[Any], other: Iterable[Any]) -> list[Any]:
    return sorted({*one, *other})


def _orders(one: OrderFacts, other: OrderFacts) -> OrderFacts:
    return OrderFacts(
        basket=_first(one.basket, other.basket, lambda basket: (basket.placed, repr(basket))),
        approved=_first(one.approved, other.approved),
        cancelled=_first(one.cancelled, other.cancelled),
        failures=_all(one.failures, other.failures)[:FAILURES_KEPT],
        histories=_first(one.histories, other.histories, lambda known: sorted(known.items())),
    )


def _carts(one: CartFacts, other: CartFacts) -> CartFacts:
    return CartFacts(
        abandoned=_first(one.abandoned, other.abandoned),
        failures=_all(one.failures, other.failures)[:FAILURES_KEPT],
    )


def _shipments(one: ShipmentFacts, other: ShipmentFacts) -> ShipmentFacts:
    first, *others = _promises(one, other) or [None]
    return ShipmentFacts(
        order_id=min(one.order_id, other.order_id),
        first_promise=first,
        latest_promise=_last(one.latest_promise, other.latest_promise, _told),
        estimates=[promise for promise in others if promise is not None][:ESTIMATES_KEPT],
        first_zone=_first(one.first_zone, other.first_zone, _told),
        last_zone=_last(one.last_zone, other.last_zone, _told),
        handed_over=_first(one.handed_over, other.handed_over),
        carrier_told=_last(one.carrier_told, other.carrier_told, _told),
        scans=_each(one.scans, other.scans, _sightings),
        delivered=_first(one.delivered, other.delivered),
    )


def _promises(*shipments: ShipmentFacts) -> list[Promise | None]:
    """The earliest of both, each once, sorted."""
    known = [
        p for each in shipments for p in (each.first_promise, *each.estimates) if p is not None
    ]
    by_stamp = {promise.told: promise for promise in sorted(known, key=_told, reverse=True)}
    return [by_stamp[told] for told in sorted(by_stamp)]


def _sightings(one: Sighting, other: Sighting) -> Sighting:
    return Sighting(min(one.first, other.first), max(one.last, other.last))


def _contacts(one: ContactFacts, other: ContactFacts) -> ContactFacts:
    opened = _first(one, other, _opening) or one
    merged = ContactFacts(
        opened=opened.opened,
        opened_by=opened.opened_by,
        reason=opened.reason,
        order_id=opened.order_id,
        replied_by_agent=_last(one.replied_by_agent, other.replied_by_agent),
        resolved=_last(one.resolved, other.resolved),
        reopened=_last(one.reopened, other.reopened),
        turns=_all(one.turns, other.turns)[:TURNS_KEPT],
    )
    answered = merged.answered
    words = _all(one.waiting, other.waiting)
    merged.waiting = [word for word in words if answered is None or word > answered]
    return merged


def _opening(contact: ContactFacts) -> tuple[Any, ...]:
    if contact.opened is None:
        return (True,)
    by = contact.opened_by or ""
    return False, contact.opened, contact.reason or "", contact.order_id or "", by


def _searches(one: SearchFacts, other: SearchFacts) -> SearchFacts:
    found = _last(one.found, other.found)
    tried = _all(one.unfound, other.unfound)
    return SearchFacts(found, [each for each in tried if found is None or each > found])


def _surveys(one: SurveyFacts, other: SurveyFacts) -> SurveyFacts:
    answers = [each for each in (one, other) if each.answered is not None]
    first = min(answers, key=lambda each: (each.answered, each.score, each.kind), default=None)
    return SurveyFacts(
        sent=_first(one.sent, other.sent),
        answered=None if first is None else first.answered,
        score=None if first is None else first.score,
        kind=_first(one.kind, other.kind) if first is None else first.kind,
        order_id=_first(one.order_id, other.order_id),
        contact_id=_first(one.contact_id, other.contact_id),
    )


def _refunds(one: RefundFacts, other: RefundFacts) -> RefundFacts:
    return RefundFacts(
        order_id=min(one.order_id, other.order_id),
        promised=_first(one.promised, other.promised, _told),
        paid=_first(one.paid, other.paid),
    )


def _assessed(one: Assessed, other: Assessed) -> Assessed:
    return max(one, other, key=lambda each: (each.revision, each.as_of, each.probability))


def _episodes(one: Episode, other: Episode) -> Episode:
    """Of two on one thing the open one stays, of two open ones that which was opened first.

    It takes the greater number, so that none is given twice.
    """
    stays = min(one, other, key=_standing)
    return replace(stays, number=max(one.number, other.number))


def _standing(episode: Episode) -> tuple[Any, ...]:
    return not episode.is_open, episode.opened_at, str(episode.problem_id)
