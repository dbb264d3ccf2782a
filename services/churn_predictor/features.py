"""Features of one parcel at one instant: the same code for the stream and for training."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.churn_predictor.facts import ContactFacts, Facts
from services.churn_predictor.parcels import Parcel

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
)
"""Names a model may use."""

Values = Mapping[str, float | None]


def features(parcel: Parcel, facts: Facts, now: datetime) -> Values:
    """Return the value of each feature as of `now`; None where it cannot be known.

    Days are signed: negative before the date.  Facts later than `now` do not count.
    """
    basket = parcel.order.basket
    return {
        "days_past_promise": _days(now - parcel.promise.promised_by),
        "days_past_ship_by": _past_ship_by(parcel, now),
        "is_with_carrier": float(_handed_over_at(parcel, now) is not None),
        "lines": None if basket is None else float(basket.lines),
        "sellers": None if basket is None else float(basket.sellers),
        "estimate_moved_days": _moved(parcel, now),
        "contacts_about_order": float(_contacts(facts.contacts, parcel.shipment.order_id, now)),
    }


def _days(span: timedelta) -> float:
    return max(-_WIDEST_DAYS, min(_WIDEST_DAYS, span / _DAY))


def _handed_over_at(parcel: Parcel, now: datetime) -> datetime | None:
    stamps = (parcel.shipment.handed_over, parcel.shipment.first_scan)
    return min((s.at for s in stamps if s is not None and s.at <= now), default=None)


def _past_ship_by(parcel: Parcel, now: datetime) -> float | None:
    limit = parcel.promise.ship_by
    if limit is None:
        return None
    return _days((_handed_over_at(parcel, now) or now) - limit)


def _moved(parcel: Parcel, now: datetime) -> float:
    newest = parcel.shipment.latest_promise
    if newest is None or newest.told.at > now:
        return 0.0
    return _days(newest.promised_by - parcel.promise.promised_by)


def _contacts(contacts: Mapping[str, ContactFacts], order_id: str, now: datetime) -> int:
    return sum(
        contact.order_id == order_id and contact.opened is not None and contact.opened.at <= now
        for contact in contacts.values()
    )
