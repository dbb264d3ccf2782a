"""The moments in a parcel's life at which its complaint risk is looked at.  Pure.

A point is there once everything that makes it is known, and only while the parcel is still open
just then: not delivered, not cancelled.  The delivery itself is a point too.  Nothing is looked at
before the date was promised: what happened, or passed, before that is looked at as of the promise.
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
    found = (*event_points(parcel), *_open(parcel, _timers(parcel, tolerances)))
    return tuple(sorted(found, key=lambda moment: (moment[1], _ORDER[moment[0]])))


def event_points(parcel: Parcel) -> Iterator[Moment]:
    """Yield the decision points that an event brings, as far as such events are known."""
    shipment = parcel.shipment
    events = (
        (DecisionPoint.APPROVAL, parcel.order.approved),
        (DecisionPoint.HANDOVER, first_of(shipment.handed_over, shipment.first_scan)),
        (DecisionPoint.DELIVERY, shipment.delivered),
    )
    return _open(parcel, ((point, stamp.at) for point, stamp in events if stamp is not None))


def looked_at(parcel: Parcel, at: datetime) -> datetime:
    """Return as of when the parcel is looked at for what happens at this instant."""
    return max(at, parcel.promise.told.at)


_ORDER = {point: number for number, point in enumerate(DecisionPoint)}


def _timers(parcel: Parcel, tolerances: Tolerances) -> Iterator[Moment]:
    promised_by = parcel.promise.promised_by
    if parcel.promise.ship_by is not None:
        yield DecisionPoint.HANDOVER_LIMIT, parcel.promise.ship_by
    yield DecisionPoint.BEFORE_PROMISE, promised_by - tolerances.at_risk_before_promise
    yield DecisionPoint.PROMISE, promised_by
    yield DecisionPoint.AFTER_PROMISE, promised_by + tolerances.late_after_promise


def _open(parcel: Parcel, moments: Iterable[Moment]) -> Iterator[Moment]:
    for point, moment in moments:
        at = looked_at(parcel, moment)
        if not _is_over(parcel, point, at):
            yield point, at


def _is_over(parcel: Parcel, point: DecisionPoint, at: datetime) -> bool:
    ends = [parcel.order.cancelled]
    if point is not DecisionPoint.DELIVERY:
        ends.append(parcel.shipment.delivered)
    if point is DecisionPoint.HANDOVER_LIMIT:
        ends += [parcel.shipment.handed_over, parcel.shipment.first_scan]
    return any(end is not None and end.at <= at for end in ends)
