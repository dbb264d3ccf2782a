"""What is expected of customers: that they come back at a pace of their own."""

from collections.abc import Iterator

from services.churn_predictor.expectations.watch import Step, Watch
from services.churn_predictor.facts import Basket, Facts
from services.churn_predictor.parcels import last_of
from services.churn_predictor.rhythm import Purchase, looks
from services.contracts.problems import DecisionPoint, ProblemKind, Tier

THE_CUSTOMER = "customer"
"""The subject of what is about the customer as a whole."""


def purchases(facts: Facts) -> list[Purchase]:
    """Return every order that was not cancelled."""
    return [Purchase(basket.placed.at, float(basket.total_minor)) for basket in _bought(facts)]


def rhythm_watch(facts: Facts) -> Iterator[Watch]:
    """Yield the silence since the last purchase, looked at as often as the customer's own pace asks."""
    last = last_of(*(basket.placed for basket in _bought(facts)))
    if last is None:
        return
    yield Watch(
        kind=ProblemKind.LAPSE_RISK,
        subject=THE_CUSTOMER,
        anchor=last,
        steps=tuple(
            Step(Tier.AT_RISK, at, point=DecisionPoint.SILENCE) for at in looks(purchases(facts))
        ),
    )


def _bought(facts: Facts) -> Iterator[Basket]:
    for order in facts.orders.values():
        if order.basket is not None and order.cancelled is None:
            yield order.basket
