"""The moments in a parcel's life at which its complaint risk is looked at.  Pure.

A point is there once everything that makes it is known, and only while the parcel is still open
just then: not delivered, not cancelled.  The delivery itself is a point too.  What happened before the
date was promised is looked at as of the promise; a date that had passed by then says nothing.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from services.churn_predictor.parcels import Parcel, first_of
from services.contracts.problems import DecisionPoint
from services.contracts.tolerances import Tolerances

Moment = tuple[DecisionPoint, datetime]


def decision_points(parcel: Parcel, tolerances: Tolerances) -> tuple[Moment, ...]:
    """Return every decision point of this parcel with its instant, by rising instant.

    Points in the future are as today's facts make them: what is told until then may undo them.
    """
    found = (*event_points(parcel), *_still_open(parcel, _timers(parcel, tolerances)))
    return tuple(sorted(found, key=lambda moment: (moment[1], _ORDER[moment[0]])))


def event_points(parcel: Parcel) -> Iterator[Moment]:
    """Yield the decision points that an event brings, as far as such events are known."""
    shipment = parcel.shipment
    events = (
        (DecisionPoint.APPROVAL, parcel.order.approved),
        (DecisionPoint.HANDOVER, first_of(shipment.handed_over, shipment.first_scan)),
        (DecisionPoint.DELIVERY, shipment.delivered),
    )
    told = parcel.promise.told.at
    known = ((point, max(stamp.at, told)) for point, stamp in events if stamp is not None)
    return _still_open(parcel, known)


_ORDER = {point: number for number, point in enumerate(DecisionPoint)}


def _timers(parcel: Parcel, tolerances: Tolerances) -> Iterator[Moment]:
    promised_by = parcel.promise.promised_by
    for point, at in (
        (DecisionPoint.HANDOVER_LIMIT, parcel.promise.ship_by),
        (DecisionPoint.BEFORE_PROMISE, promised_by - tolerances.at_risk_before_promise),
        (DecisionPoint.PROMISE, promised_by),
        (DecisionPoint.AFTER_PROMISE, promised_by + tolerances.late_after_promise),
    ):
        if at is not None and at > parcel.promise.told.at:
            yield point, at


def _still_open(parcel: Parcel, moments: Iterable[Moment]) -> Iterator[Moment]:
    return ((point, at) for point, at in moments if not _is_over(parcel, point, at))


def _is_over(parcel: Parcel, point: DecisionPoint, at: datetime) -> bool:
    ends = [parcel.order.cancelled]
    if point is not DecisionPoint.DELIVERY:
        ends.append(parcel.shipment.delivered)
    if point is DecisionPoint.HANDOVER_LIMIT:
        ends += [parcel.shipment.handed_over, parcel.shipment.first_scan]
    return any(end is not None and end.at <= at for end in ends)
