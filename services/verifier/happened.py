"""When the events came at which a parcel is scored: approval of its order, hand-over, delivery.  Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from services.contracts.problems import DecisionPoint
from services.verifier.lives import Lives
from services.verifier.says import ORDERS, SHIPMENTS
from services.verifier.slots import Slots
from services.verifier.timeline import Timeline

SLOT_OF: Mapping[DecisionPoint, str] = {
    DecisionPoint.APPROVAL: "approved",
    DecisionPoint.HANDOVER: "handed_over",
    DecisionPoint.DELIVERY: "delivered",
}
"""Decision point → the slot of the event that brings it; the first is the order's."""

Happened = dict[tuple[str, str, DecisionPoint], list[datetime]]
"""(customer, parcel, point) → the moments at which it can have been said: known, and not ahead."""


def happened(customer: str, life: Lives, timeline: Timeline) -> Happened:
    """Return for each promised parcel from when on its events were known and had happened.

    An event before the first tick brings nothing: nobody is scored about the past.
    """
    found: Happened = {}
    for (kind, name), views in life.views.items():
        if kind != SHIPMENTS or not any("first_promise" in view for _, view in _known(views)):
            continue
        orders = {view["order_id"] for _, view in _known(views)}
        of_orders = [each for order in orders for each in life.views.get((ORDERS, order), ())]
        for point, slot in SLOT_OF.items():
            source = of_orders if point is DecisionPoint.APPROVAL else views
            moments = list(_moments(source, slot, timeline))
            if moments:
                found[customer, name, point] = moments
    return found


def _known(views: Iterable[tuple[int, Slots | None]]) -> Iterator[tuple[int, Slots]]:
    return ((index, view) for index, view in views if view is not None)


def _moments(
    views: Iterable[tuple[int, Slots | None]], slot: str, timeline: Timeline
) -> Iterator[datetime]:
    for index, view in _known(views):
        at = view[slot]["at"] if slot in view else None
        if at is not None and index < len(timeline) and at >= timeline.ats[0]:
            yield max(at, timeline.ats[index])
