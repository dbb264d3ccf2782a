"""A shipment with its order, as rules and models look at it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.churn_predictor.facts import Facts, OrderFacts, Promise, ShipmentFacts, Stamp


@dataclass(frozen=True, slots=True)
class Parcel:
    """A promised shipment."""

    shipment_id: str
    shipment: ShipmentFacts
    order: OrderFacts
    promise: Promise
    """The first."""

    @property
    def is_with_carrier(self) -> bool:
        """Whether the carrier has, or had, it."""
        return self.shipment.handed_over is not None or bool(self.shipment.scans)

    @property
    def ended(self) -> Stamp | None:
        """When it was delivered, or its order cancelled; the first of both."""
        return first_of(self.shipment.delivered, self.order.cancelled)


def parcels(facts: Facts) -> Sequence[Parcel]:
    """Return every promised shipment, in the order of their ids; an unpromised one expects nothing."""
    return [
        Parcel(shipment_id, shipment, facts.orders.get(shipment.order_id, OrderFacts()), promise)
        for shipment_id, shipment in sorted(facts.shipments.items())
        if (promise := shipment.first_promise) is not None
    ]


def by_order(facts: Facts) -> Iterator[tuple[str, OrderFacts, Sequence[Parcel]]]:
    """Yield every order of which a parcel was promised: its id, itself, and these parcels."""
    found: dict[str, list[Parcel]] = {}
    for parcel in parcels(facts):
        found.setdefault(parcel.shipment.order_id, []).append(parcel)
    for order_id, its in found.items():
        yield order_id, its[0].order, its


def first_of(*stamps: Stamp | None) -> Stamp | None:
    """Return the earliest of what is known, or None."""
    return min((stamp for stamp in stamps if stamp is not None), default=None)


def last_of(*stamps: Stamp | None) -> Stamp | None:
    """Return the latest of what is known, or None."""
    return max((stamp for stamp in stamps if stamp is not None), default=None)
