"""What each event type says, as far as facts need it.  Pure."""

from collections.abc import Callable, Mapping
from sys import intern
from typing import Any

from services.contracts import contacts, deliveries, purchases
from services.contracts.deliveries import CheckpointStatus
from services.contracts.envelope import Fact
from services.verifier.evidence import Said

ORDERS, CARTS, SHIPMENTS = "orders", "carts", "shipments"
CONTACTS, SEARCHES, SURVEYS, REFUNDS = "contacts", "searches", "surveys", "refunds"

HELP = "help"
"""The subject of a search that was about no order."""

IN_HAND = frozenset(
    {
        CheckpointStatus.IN_TRANSIT,
        CheckpointStatus.OUT_FOR_DELIVERY,
        CheckpointStatus.ATTEMPT_FAIL,
        CheckpointStatus.AVAILABLE_FOR_PICKUP,
        CheckpointStatus.DELIVERED,
        CheckpointStatus.EXCEPTION,
    }
)
"""Checkpoints that show that the carrier had the parcel in its hands."""


def says(fact: Fact) -> Said | None:
    """Return what this fact adds to what is known, or None where it adds nothing."""
    reader = _READERS.get(type(fact))
    return None if reader is None else reader(fact)


def carrier_heard(fact: Fact) -> str | None:
    """Return the carrier that was heard through this fact."""
    if isinstance(fact, deliveries.ShipmentCheckpoint | deliveries.ShipmentDelivered):
        return fact.carrier and intern(fact.carrier)
    return None


def voice(fact: Fact) -> str | None:
    """Return for whom the publisher of this fact spoke: a carrier, "" for itself; None: unknown."""
    match fact:
        case deliveries.ShipmentHandedOver():
            return None
        case deliveries.ShipmentPromised(promise_source=deliveries.PromiseSource.CARRIER):
            return None
        case _:
            return carrier_heard(fact) or ""


def is_scan(fact: Fact) -> bool:
    """Return whether a carrier with the parcel in its hands said this."""
    return isinstance(fact, deliveries.ShipmentCheckpoint) and fact.status in IN_HAND


def _placed(fact: purchases.OrderPlaced) -> Said:
    dearest = max(fact.lines, key=lambda line: line.price_minor)
    sold = {
        "lines": sum(line.quantity for line in fact.lines),
        "sellers": len({line.seller_id for line in fact.lines}),
        "total_minor": sum(line.quantity * line.price_minor for line in fact.lines),
        "freight_minor": fact.freight_minor,
        "product_id": dearest.product_id,
        "seller_id": dearest.seller_id,
        "category": dearest.category,
    }
    return ORDERS, intern(fact.order_id), "placed", sold


def _order(slot: str) -> Callable[[Any], Said]:
    return lambda fact: (ORDERS, intern(fact.order_id), slot)


def _abandoned(fact: purchases.CartAbandoned) -> Said:
    return CARTS, intern(fact.cart_id), "abandoned"


def _not_paid(fact: purchases.PaymentFailed) -> Said:
    if fact.order_id is not None:
        return ORDERS, intern(fact.order_id), "failed"
    return CARTS, intern(fact.cart_id or ""), "failed"


def _refund_promised(fact: purchases.RefundPromised) -> Said:
    return REFUNDS, intern(fact.refund_id), "promised", fact.order_id, fact.promised_by


def _refund_paid(fact: purchases.RefundPaid) -> Said:
    return REFUNDS, intern(fact.refund_id), "paid", fact.order_id


def _promised(fact: deliveries.ShipmentPromised) -> Said:
    promise = {
        "promised_by": fact.promised_by,
        "ship_by": fact.ship_by,
        "carrier": fact.carrier,
        "origin_region": fact.origin_region,
        "destination_region": fact.destination_region,
        "seller_id": fact.seller_id,
    }
    return _shipment(fact, "promised", None, promise, fact.time_zone)


def _handed_over(fact: deliveries.ShipmentHandedOver) -> Said:
    return _shipment(fact, "handed_over", fact.carrier)


def _delivered(fact: deliveries.ShipmentDelivered) -> Said:
    return _shipment(fact, "delivered", fact.carrier)


def _checkpoint(fact: deliveries.ShipmentCheckpoint) -> Said:
    if fact.status not in IN_HAND:
        return _shipment(fact, "announced", fact.carrier)
    name = fact.status.value if fact.substatus is None else f"{fact.status}/{fact.substatus}"
    return _shipment(fact, "scanned", fact.carrier, intern(name))


def _shipment(fact: Any, slot: str, carrier: str | None, *more: Any) -> Said:
    named = carrier and intern(carrier)
    return (SHIPMENTS, intern(fact.shipment_id), slot, intern(fact.order_id), named, *more)


def _opened(fact: contacts.ContactOpened) -> Said:
    slot = "opened" if fact.opened_by is contacts.OpenedBy.CUSTOMER else "opened_by_agent"
    return CONTACTS, intern(fact.contact_id), slot, fact.reason.value, fact.order_id


def _replied(fact: contacts.ContactReplied) -> Said | None:
    if fact.by is contacts.ReplyBy.BOT:
        return None
    return CONTACTS, intern(fact.contact_id), f"replied_by_{fact.by}"


def _contact(slot: str) -> Callable[[Any], Said]:
    return lambda fact: (CONTACTS, intern(fact.contact_id), slot)


def _searched(fact: contacts.HelpSearched) -> Said:
    return SEARCHES, intern(fact.order_id or HELP), "found" if fact.found else "unfound"


def _survey_sent(fact: contacts.SurveySent) -> Said:
    return SURVEYS, intern(fact.survey_id), "sent", fact.order_id, fact.contact_id, fact.kind.value


def _answered(fact: contacts.SurveyAnswered) -> Said:
    about = (fact.order_id, fact.contact_id, fact.kind.value, fact.score)
    return (SURVEYS, intern(fact.survey_id), "answered", *about)


_READERS: Mapping[type[Fact], Callable[[Any], Said | None]] = {
    purchases.CartAbandoned: _abandoned,
    purchases.PaymentFailed: _not_paid,
    purchases.OrderPlaced: _placed,
    purchases.OrderApproved: _order("approved"),
    purchases.OrderCancelled: _order("cancelled"),
    purchases.RefundPromised: _refund_promised,
    purchases.RefundPaid: _refund_paid,
    deliveries.ShipmentPromised: _promised,
    deliveries.ShipmentHandedOver: _handed_over,
    deliveries.ShipmentCheckpoint: _checkpoint,
    deliveries.ShipmentDelivered: _delivered,
    contacts.ContactOpened: _opened,
    contacts.ContactReplied: _replied,
    contacts.ContactResolved: _contact("resolved"),
    contacts.ContactReopened: _contact("reopened"),
    contacts.HelpSearched: _searched,
    contacts.SurveySent: _survey_sent,
    contacts.SurveyAnswered: _answered,
}
