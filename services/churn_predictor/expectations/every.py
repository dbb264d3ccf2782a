"""Everything that is watched for one customer."""

from collections.abc import Iterator

from services.churn_predictor.expectations.deliveries import delivery_watches
from services.churn_predictor.expectations.desk import desk_watches
from services.churn_predictor.expectations.money import money_watches
from services.churn_predictor.expectations.watch import Watch
from services.churn_predictor.facts import Facts
from services.contracts.tolerances import Tolerances


def watches(facts: Facts, tolerances: Tolerances) -> Iterator[Watch]:
    """Yield all of it: always in the same order for the same facts."""
    yield from delivery_watches(facts, tolerances)
    yield from money_watches(facts, tolerances)
    yield from desk_watches(facts, tolerances)
