"""When the events came at which a parcel is scored: approval of its order, hand-over, delivery.  Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import product

from services.contracts.problems import DecisionPoint
from services.verifier.lives import Lives
from services.verifier.says import ORDERS, SHIPMENTS
from services.verifier.slots import Slots
from services.verifier.timeline import Timeline

Happened = dict[tuple[str, str, DecisionPoint], list[datetime]]
"""(customer, parcel, point) → the moments at which it can have been said: known, and not ahead."""

_View = tuple[int, Slots | None]
_Sight = tuple[int, datetime]
"""From which tick on something was known, and when it happened."""


def happened(customer: str, life: Lives, timeline: Timeline) -> Happened:
    """Return for each promised parcel from when on its events were known and had happened.

    What happened before the date was promised counts as of the promise.  What lies before the first
    tick brings nothing: nobody is scored about the past.
    """
    found: Happened = {}
    for (kind, name), views in life.views.items():
        promises = list(_seen(views, _promised)) if kind == SHIPMENTS else []
        orders = {view["order_id"] for _, view in _known(views)} if promises else set()
        of_orders = [each for order in orders for each in life.views.get((ORDERS, order), ())]
        for point, at_of in AT_OF.items():
            events = _seen(of_orders if point is DecisionPoint.APPROVAL else views, at_of)
            moments = list(_moments(events, promises, timeline))
            if moments:
                found[customer, name, point] = moments
    return found


def _promised(view: Slots) -> datetime | None:
    promise = view.get("first_promise")
    return None if promise is None else promise["told"]["at"]


def _slot(name: str) -> Callable[[Slots], datetime | None]:
    return lambda view: view[name]["at"] if name in view else None


def _with_carrier(view: Slots) -> datetime | None:
    seen = [scan["first"]["at"] for scan in view.get("scans", {}).values()]
    handed_over = _slot("handed_over")(view)
    return min(seen if handed_over is None else [*seen, handed_over], default=None)


AT_OF: Mapping[DecisionPoint, Callable[[Slots], datetime | None]] = {
    DecisionPoint.APPROVAL: _slot("approved"),
    DecisionPoint.HANDOVER: _with_carrier,
    DecisionPoint.DELIVERY: _slot("delivered"),
}
"""Decision point → when the event was that brings it; the first is the order's."""


def _known(views: Iterable[_View]) -> Iterator[tuple[int, Slots]]:
    return ((index, view) for index, view in views if view is not None)


def _seen(views: Iterable[_View], at_of: Callable[[Slots], datetime | None]) -> Iterator[_Sight]:
    for index, view in _known(views):
        at = at_of(view)
        if at is not None:
            yield index, at


def _moments(
    events: Iterable[_Sight], promises: Iterable[_Sight], timeline: Timeline
) -> Iterator[datetime]:
    for (index, at), (promised_index, promised_at) in product(events, promises):
        known, counts = max(index, promised_index), max(at, promised_at)
        if known < len(timeline) and counts >= timeline.ats[0]:
            yield max(counts, timeline.ats[known])
