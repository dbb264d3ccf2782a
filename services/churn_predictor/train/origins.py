"""Cut-offs in the past, what was known of each customer at them, and what was bought afterwards.

Pure.  The future of a cut-off is looked at for its label and for nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from services.churn_predictor.features import Values
from services.churn_predictor.rhythm import REACH, Purchase, features, looks
from services.churn_predictor.train.purchases import Purchases

BETWEEN_ORIGINS = timedelta(days=14)
WARM_UP = timedelta(days=56)
"""Before that, a file's customers are hardly known."""
MOST_ORIGINS = 13
"""Half a year of them."""


@dataclass(frozen=True, slots=True)
class Example:
    """One customer at one cut-off."""

    customer: str
    values: Values
    bought: int
    """On how many days within the horizon."""


def origins(first: datetime, until: datetime, horizon: timedelta) -> list[datetime]:
    """Return the cut-offs whose horizon ends by `until`, the latest first.

    They lie `BETWEEN_ORIGINS` apart and at least `WARM_UP` behind `first`; there may be none.
    """
    latest = until - horizon
    candidates = (latest - number * BETWEEN_ORIGINS for number in range(MOST_ORIGINS))
    return [origin for origin in candidates if origin >= first + WARM_UP]


def examples(purchases: Purchases, cutoff: datetime, horizon: timedelta) -> Iterator[Example]:
    """Yield every customer who had bought before `cutoff`, within reach, with what came after it."""
    for customer, bought in purchases.by_customer.items():
        past = [purchase for purchase in bought if cutoff - REACH <= purchase.at < cutoff]
        if past:
            days = {p.at.date() for p in bought if cutoff <= p.at < cutoff + horizon}
            yield Example(customer, features(past, cutoff), len(days))


def silences(bought: Sequence[Purchase], start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield every instant between at which the stream would have looked at this customer's silence."""
    begun = [start, *(purchase.at for purchase in bought if start < purchase.at < end)]
    for now, renewed in pairwise([*begun, end]):
        known = [purchase for purchase in bought if purchase.at <= now]
        yield from (look for look in looks(known) if now < look < renewed)
