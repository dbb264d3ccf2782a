"""What the histories an order was given say, drawn towards what is usual where they say little.  Pure.

A rate is `(s + k * parent) / (n + k)`: `k` observations' worth of the wider group.
"""

from dataclasses import dataclass

from services.churn_predictor.histories import Histories

_BAD = 0.15
_LATE = 0.1
_HANDLING_DAYS = 3.0
_TRANSIT_DAYS = 10.0
"""What is usual where nothing at all is known: round numbers of parcel shops."""

_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares in 0 to 1, and days."""

    shop_bad: float
    seller_bad: float
    product_bad: float
    category_bad: float
    seller_late: float
    handling_days: float
    transit_days: float


def rates(histories: Histories) -> Rates:
    """Return every rate; a history that is missing gives its parent's, or the prior."""

    def drawn(name: str, k: float, parent: float, unit: float = 1.0) -> float:
        n, s = histories.get(name, (0.0, 0.0))
        return (s / unit + k * parent) / (n + k)

    def days(name: str, k: float, parent: float) -> float:
        return drawn(name, k, parent, _DAY_SECONDS)

    shop_bad = drawn("shop_bad", 20, _BAD)
    return Rates(
        shop_bad=shop_bad,
        seller_bad=drawn("seller_bad", 20, shop_bad),
        product_bad=drawn("product_bad", 10, drawn("seller_bad_lately", 20, shop_bad)),
        category_bad=drawn("category_bad", 30, shop_bad),
        seller_late=drawn("seller_late", 5, drawn("shop_late", 20, _LATE)),
        handling_days=days("seller_handling", 3, days("shop_handling", 20, _HANDLING_DAYS)),
        transit_days=days(
            "lane_transit",
            5,
            days("destination_transit", 5, days("shop_transit", 20, _TRANSIT_DAYS)),
        ),
    )
