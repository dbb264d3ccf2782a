"""What each event type says, as far as facts need it.  Pure."""

from collections.abc import Callable, Mapping
from sys import intern
from typing import Any

from services.contracts import contacts, deliveries, purchases
from services.contracts.deliveries import CheckpointStatus
from services.contracts.envelope import Fact
from services.verifier.evidence import Said

ORDERS, SHIPMENTS, CONTACTS, SURVEYS = "orders", "shipments", "contacts", "surveys"

NOT_WITH_THE_CARRIER = frozenset(
    {
        CheckpointStatus.PENDING,
        CheckpointStatus.INFO_RECEIVED,
        CheckpointStatus.EXPIRED,
        CheckpointStatus.UNKNOWN,
    }
)
"""Checkpoints that do not show that the carrier had the parcel in its hands."""


def says(fact: Fact) -> Said | None:
    """Return what this fact adds to what is known, or None where it adds nothing."""
    reader = _READERS.get(type(fact))
    return None if reader is None else reader(fact)


def carrier_heard(fact: Fact) -> str | None:
    """Return the carrier that was heard through this fact."""
    if isinstance(fact, deliveries.ShipmentCheckpoint | deliveries.ShipmentDelivered):
        return fact.carrier and intern(fact.carrier)
    return None


def _placed(fact: purchases.OrderPlaced) -> Said:
    sold = {
        "lines": sum(line.quantity for line in fact.lines),
        "sellers": len({line.seller_id for line in fact.lines}),
        "total_minor": sum(line.quantity * line.price_minor for line in fact.lines),
        "freight_minor": fact.freight_minor,
    }
    return ORDERS, intern(fact.order_id), "placed", sold


def _order(slot: str) -> Callable[[Any], Said]:
    return lambda fact: (ORDERS, intern(fact.order_id), slot)


def _promised(fact: deliveries.ShipmentPromised) -> Said:
    promise = {"promised_by": fact.promised_by, "ship_by": fact.ship_by, "carrier": fact.carrier}
    return _shipment(fact, "promised", None, promise)


def _handed_over(fact: deliveries.ShipmentHandedOver) -> Said:
    return _shipment(fact, "handed_over", fact.carrier)


def _delivered(fact: deliveries.ShipmentDelivered) -> Said:
    return _shipment(fact, "delivered", fact.carrier)


def _checkpoint(fact: deliveries.ShipmentCheckpoint) -> Said:
    if fact.status is CheckpointStatus.DELIVERED:
        slot = "scanned_delivered"
    else:
        slot = "announced" if fact.status in NOT_WITH_THE_CARRIER else "scanned"
    return _shipment(fact, slot, fact.carrier)


def _shipment(fact: Any, slot: str, carrier: str | None, *more: Any) -> Said:
    named = carrier and intern(carrier)
    return (SHIPMENTS, intern(fact.shipment_id), slot, intern(fact.order_id), named, *more)


def _opened(fact: contacts.ContactOpened) -> Said:
    return CONTACTS, intern(fact.contact_id), "opened", fact.reason.value, fact.order_id


def _replied(fact: contacts.ContactReplied) -> Said | None:
    if fact.by is not contacts.ReplyBy.AGENT:
        return None
    return CONTACTS, intern(fact.contact_id), "replied_by_agent"


def _contact(slot: str) -> Callable[[Any], Said]:
    return lambda fact: (CONTACTS, intern(fact.contact_id), slot)


def _survey_sent(fact: contacts.SurveySent) -> Said:
    return SURVEYS, intern(fact.survey_id), "sent", fact.order_id


def _answered(fact: contacts.SurveyAnswered) -> Said:
    return SURVEYS, intern(fact.survey_id), "answered", fact.order_id, fact.score


_READERS: Mapping[type[Fact], Callable[[Any], Said | None]] = {
    purchases.OrderPlaced: _placed,
    purchases.OrderApproved: _order("approved"),
    purchases.OrderCancelled: _order("cancelled"),
    deliveries.ShipmentPromised: _promised,
    deliveries.ShipmentHandedOver: _handed_over,
    deliveries.ShipmentCheckpoint: _checkpoint,
    deliveries.ShipmentDelivered: _delivered,
    contacts.ContactOpened: _opened,
    contacts.ContactReplied: _replied,
    contacts.ContactResolved: _contact("resolved"),
    contacts.ContactReopened: _contact("reopened"),
    contacts.SurveySent: _survey_sent,
    contacts.SurveyAnswered: _answered,
}
