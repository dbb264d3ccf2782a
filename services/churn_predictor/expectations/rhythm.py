"""What is expected of customers: that they come back at a pace of their own."""

from collections.abc import Iterator
from datetime import datetime

from services.churn_predictor.expectations.watch import Step, Watch
from services.churn_predictor.facts import Facts, OrderFacts
from services.churn_predictor.parcels import last_of
from services.churn_predictor.rhythm import Purchase, looks
from services.contracts.problems import DecisionPoint, ProblemKind, Tier

THE_CUSTOMER = "customer"
"""The subject of what is about the customer as a whole."""


def purchases(facts: Facts, as_of: datetime) -> list[Purchase]:
    """Return every order that was placed, and not yet cancelled, at this instant."""
    return [
        purchase
        for order in facts.orders.values()
        if order.cancelled is None or order.cancelled.at > as_of
        for purchase in _bought(order)
        if purchase.at <= as_of
    ]


def rhythm_watch(facts: Facts) -> Iterator[Watch]:
    """Yield the silence since the last purchase, looked at as often as the customer's own pace asks.

    An order that was cancelled, whenever, is no purchase: it has nothing to do with this silence.
    """
    kept = [order for order in facts.orders.values() if order.cancelled is None]
    last = last_of(*(order.basket.placed for order in kept if order.basket is not None))
    if last is None:
        return
    bought = [purchase for order in kept for purchase in _bought(order)]
    yield Watch(
        kind=ProblemKind.LAPSE_RISK,
        subject=THE_CUSTOMER,
        anchor=last,
        steps=tuple(Step(Tier.AT_RISK, at, point=DecisionPoint.SILENCE) for at in looks(bought)),
    )


def _bought(order: OrderFacts) -> Iterator[Purchase]:
    if order.basket is not None:
        yield Purchase(order.basket.placed.at, float(order.basket.total_minor))
