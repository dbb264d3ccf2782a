"""The moments in a parcel's life at which its complaint risk is looked at.  Pure.

A point is there once everything that makes it is known, and only while the parcel is still open
just then: not delivered, not cancelled.  The delivery itself is a point too.
"""

from collections.abc import Iterator
from datetime import datetime

from services.churn_predictor.parcels import Parcel, first_of
from services.contracts.problems import DecisionPoint
from services.contracts.tolerances import Tolerances

Moment = tuple[DecisionPoint, datetime]


def decision_points(parcel: Parcel, tolerances: Tolerances) -> tuple[Moment, ...]:
    """Return every decision point of this parcel with its instant, by rising instant.

    Points in the future are as today's facts make them: what is told until then may undo them.
    """
    found = [
        (point, at)
        for point, at in (*_events(parcel), *_timers(parcel, tolerances))
        if not _is_over(parcel, point, at)
    ]
    return tuple(sorted(found, key=lambda moment: (moment[1], _ORDER[moment[0]])))


_ORDER = {point: number for number, point in enumerate(DecisionPoint)}


def _events(parcel: Parcel) -> Iterator[Moment]:
    """What happened, or, where the date was promised only later, that promise."""
    shipment = parcel.shipment
    for point, stamp in (
        (DecisionPoint.APPROVAL, parcel.order.approved),
        (DecisionPoint.HANDOVER, first_of(shipment.handed_over, shipment.first_scan)),
        (DecisionPoint.DELIVERY, shipment.delivered),
    ):
        if stamp is not None:
            yield point, max(stamp.at, parcel.promise.told.at)


def _timers(parcel: Parcel, tolerances: Tolerances) -> Iterator[Moment]:
    """Dates that passed; one that had passed when it was promised says nothing."""
    promised_by = parcel.promise.promised_by
    for point, at in (
        (DecisionPoint.HANDOVER_LIMIT, parcel.promise.ship_by),
        (DecisionPoint.BEFORE_PROMISE, promised_by - tolerances.at_risk_before_promise),
        (DecisionPoint.PROMISE, promised_by),
        (DecisionPoint.AFTER_PROMISE, promised_by + tolerances.late_after_promise),
    ):
        if at is not None and at >= parcel.promise.told.at:
            yield point, at


def _is_over(parcel: Parcel, point: DecisionPoint, at: datetime) -> bool:
    ends = [parcel.order.cancelled]
    if point is not DecisionPoint.DELIVERY:
        ends.append(parcel.shipment.delivered)
    if point is DecisionPoint.HANDOVER_LIMIT:
        ends += [parcel.shipment.handed_over, parcel.shipment.first_scan]
    return any(end is not None and end.at <= at for end in ends)
