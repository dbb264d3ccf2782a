"""What a customer was promised, as deadlines: derived from the facts, never stored beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.churn_predictor.facts import Facts, OrderFacts, Promise, ShipmentFacts, Stamp
from services.contracts.problems import DecisionPoint, ProblemKind, Tier

AT_RISK_BEFORE_PROMISE = timedelta(days=3)
"""Early enough to act, late enough to mean something (precision falls quickly before)."""

LATE_AFTER_PROMISE = timedelta(hours=24)
"""The promised day is over; one day is nearly forgiven, the break comes after it."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Something that should have happened to this parcel by `deadline`."""

    kind: ProblemKind
    tier: Tier
    point: DecisionPoint
    deadline: datetime
    feed: str
    """Whose silence would explain that we heard nothing."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A shipment with its order, as the rules look at it."""

    shipment_id: str
    shipment: ShipmentFacts
    order: OrderFacts
    promise: Promise

    def ended(self, kind: ProblemKind) -> Stamp | None:
        """Return when the expectations of this kind were met or became void, or None."""
        return min((stamp for stamp in self._ends(kind) if stamp is not None), default=None)

    def _ends(self, kind: ProblemKind) -> tuple[Stamp | None, ...]:
        over = (self.shipment.delivered, self.order.cancelled)
        if kind is ProblemKind.HANDOVER_OVERDUE:
            return (*over, self.shipment.handed_over, self.shipment.first_scan)
        return over


def parcels(facts: Facts) -> Sequence[Parcel]:
    """Return every promised shipment, in the order of their ids; an unpromised one expects nothing."""
    return [
        Parcel(shipment_id, shipment, facts.orders.get(shipment.order_id, OrderFacts()), promise)
        for shipment_id, shipment in sorted(facts.shipments.items())
        if (promise := shipment.first_promise) is not None
    ]


def expectations(parcel: Parcel, kind: ProblemKind) -> Sequence[Expectation]:
    """Return what this parcel owes the customer of this kind, by rising deadline."""
    if kind is ProblemKind.HANDOVER_OVERDUE:
        return _hand_over(parcel)
    return _delivery(parcel)


def _hand_over(parcel: Parcel) -> Sequence[Expectation]:
    limit = parcel.promise.ship_by
    if limit is None:
        return ()
    return (
        Expectation(
            ProblemKind.HANDOVER_OVERDUE,
            Tier.OVERDUE,
            DecisionPoint.HANDOVER_LIMIT,
            limit,
            _publisher(parcel),
        ),
    )


def _delivery(parcel: Parcel) -> Sequence[Expectation]:
    promised_by = parcel.promise.promised_by
    feed = _feed(parcel)
    steps = (
        (Tier.AT_RISK, DecisionPoint.BEFORE_PROMISE, promised_by - AT_RISK_BEFORE_PROMISE),
        (Tier.OVERDUE, DecisionPoint.PROMISE, promised_by),
        (Tier.LATE, DecisionPoint.AFTER_PROMISE, promised_by + LATE_AFTER_PROMISE),
    )
    return [
        Expectation(ProblemKind.DELIVERY_DELAY, tier, point, deadline, feed)
        for tier, point, deadline in steps
    ]


def _feed(parcel: Parcel) -> str:
    """Once the carrier has it, the carrier must have been heard; before, whoever promised."""
    shipment = parcel.shipment
    with_carrier = shipment.handed_over is not None or shipment.first_scan is not None
    if with_carrier and shipment.carrier is not None:
        return carrier_feed(shipment.carrier)
    return _publisher(parcel)


def _publisher(parcel: Parcel) -> str:
    return publisher_feed(parcel.promise.told.source)


def carrier_feed(carrier: str) -> str:
    """Return the name of a carrier's feed."""
    return f"carrier:{carrier}"


def publisher_feed(source: str) -> str:
    """Return the name of a publisher's feed."""
    return f"publisher:{source}"
