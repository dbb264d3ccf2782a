"""Everything that is watched for one customer."""

from collections.abc import Container, Iterator

from services.churn_predictor.expectations.deliveries import delivery_watches
from services.churn_predictor.expectations.desk import desk_watches
from services.churn_predictor.expectations.money import money_watches
from services.churn_predictor.expectations.rhythm import rhythm_watch
from services.churn_predictor.expectations.watch import Watch
from services.churn_predictor.facts import Facts
from services.contracts.tolerances import Tolerances


def watches(
    facts: Facts, tolerances: Tolerances, settled: Container[str] = frozenset()
) -> Iterator[Watch]:
    """Yield all of it, but for settled shipments: always in the same order for the same facts."""
    yield from delivery_watches(facts, tolerances, settled)
    yield from money_watches(facts, tolerances)
    yield from desk_watches(facts, tolerances)
    yield from rhythm_watch(facts)
