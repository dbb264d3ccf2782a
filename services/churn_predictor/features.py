"""Features of one parcel at one instant: the same code for the stream and for training.  Pure.

No feature is an amount of money: on recorded orders value and freight added nothing, and without
them a model means the same in any currency.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.churn_predictor.facts import Basket, ContactFacts, Facts, Stamp
from services.churn_predictor.histories import of_parcel
from services.churn_predictor.parcels import Parcel, first_of
from services.churn_predictor.rates import Rates, rates

_DAY = timedelta(days=1)
_WIDEST_DAYS = 60.0

FEATURES = (
    "days_past_promise",
    "days_past_ship_by",
    "is_with_carrier",
    "lines",
    "sellers",
    "estimate_moved_days",
    "contacts_about_order",
    "promise_days",
    "approval_days",
    "handling_days",
    "days_with_carrier",
    "slack_days",
    "slack_after_transit_days",
    "seller_bad_rate",
    "product_bad_rate",
    "category_bad_rate",
    "shop_bad_rate",
    "seller_late_rate",
)
"""Names a model of complaint risk may use."""

FROM_HISTORIES = frozenset(
    {
        "slack_after_transit_days",
        "seller_bad_rate",
        "product_bad_rate",
        "category_bad_rate",
        "shop_bad_rate",
        "seller_late_rate",
    }
)
"""Those that say more where histories are counted."""

Values = Mapping[str, float | None]


def features(parcel: Parcel, facts: Facts, now: datetime) -> Values:
    """Return the value of each feature as of `now`; None where it cannot be known.

    Days are signed: negative before the date.  Facts later than `now` do not count.
    """
    known = rates(_histories(parcel, now))
    return {
        **_dates(parcel, known, now),
        **_bought(_by(parcel.order.basket, now)),
        "estimate_moved_days": _moved(parcel, now),
        "contacts_about_order": float(_contacts(facts.contacts, parcel.shipment.order_id, now)),
        "seller_bad_rate": known.seller_bad,
        "product_bad_rate": known.product_bad,
        "category_bad_rate": known.category_bad,
        "shop_bad_rate": known.shop_bad,
        "seller_late_rate": known.seller_late,
    }


def _by(stamped: Basket | None, now: datetime) -> Basket | None:
    return stamped if stamped is not None and stamped.placed.at <= now else None


def _at(stamp: Stamp | None, now: datetime) -> datetime | None:
    return stamp.at if stamp is not None and stamp.at <= now else None


def _histories(parcel: Parcel, now: datetime) -> Mapping[str, tuple[float, float]]:
    """Return what the order was given at its approval: nothing before that."""
    if _at(parcel.order.approved, now) is None:
        return {}
    return of_parcel(parcel)


def _dates(parcel: Parcel, known: Rates, now: datetime) -> Values:
    promise = parcel.promise
    left = _at(first_of(parcel.shipment.handed_over, parcel.shipment.first_scan), now)
    basket = _by(parcel.order.basket, now)
    approved = _at(parcel.order.approved, now)
    bought = promise.told.at if basket is None else basket.placed.at
    reached = left or now
    handling = None if approved is None else (reached - approved) / _DAY
    slack = (promise.promised_by - reached) / _DAY + 1
    still_handling = 0.0 if left else max(0.0, known.handling_days - (handling or 0.0))
    return {
        "days_past_promise": _within(-_WIDEST_DAYS, (now - promise.promised_by) / _DAY),
        "days_past_ship_by": _past(promise.ship_by, reached),
        "is_with_carrier": float(left is not None),
        "promise_days": _within(0.0, (promise.promised_by - bought) / _DAY, 120.0),
        "approval_days": None if approved is None else _within(0.0, (approved - bought) / _DAY),
        "handling_days": None if handling is None else _within(-5.0, handling),
        "days_with_carrier": None if left is None else _within(0.0, (now - left) / _DAY, 90.0),
        "slack_days": _within(-_WIDEST_DAYS, slack, 90.0),
        "slack_after_transit_days": _within(
            -_WIDEST_DAYS, slack - known.transit_days - still_handling, 90.0
        ),
    }


def _past(limit: datetime | None, at: datetime) -> float | None:
    return None if limit is None else _within(-_WIDEST_DAYS, (at - limit) / _DAY)


def _within(least: float, days: float, most: float = _WIDEST_DAYS) -> float:
    return max(least, min(days, most))


def _bought(basket: Basket | None) -> Values:
    return {
        "lines": None if basket is None else float(basket.lines),
        "sellers": None if basket is None else float(basket.sellers),
    }


def _moved(parcel: Parcel, now: datetime) -> float:
    """Return how far the last estimate known by then lies behind the first promise."""
    told = [each for each in parcel.shipment.estimates if each.told.at <= now]
    if not told:
        return 0.0
    return _within(-_WIDEST_DAYS, (told[-1].promised_by - parcel.promise.promised_by) / _DAY)


def _contacts(contacts: Mapping[str, ContactFacts], order_id: str, now: datetime) -> int:
    return sum(
        contact.order_id == order_id and contact.asked is not None and contact.asked.at <= now
        for contact in contacts.values()
    )
