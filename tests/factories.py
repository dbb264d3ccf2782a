"""Small valid events to vary, for tests of every service."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from services.contracts.contacts import ContactChannel, ContactOpened, ContactReason, OpenedBy
from services.contracts.deliveries import (
    CheckpointStatus,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentHandedOver,
    ShipmentPromised,
)
from services.contracts.envelope import Event, Fact
from services.contracts.purchases import CancelledBy, OrderCancelled, OrderLine, OrderPlaced

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CUSTOMER = "c-1"
SHOP = "/shop/orders"

_ids = count(1)


def event(
    data: Fact,
    *,
    at: datetime = START,
    customer: str = CUSTOMER,
    source: str = SHOP,
    event_id: str | None = None,
) -> Event[Any]:
    """Return this fact in an envelope, under an id nobody else has."""
    return Event[Any](
        id=event_id or f"e-{next(_ids)}",
        source=source,
        type=data.TYPE,
        time=at,
        partitionkey=customer,
        data=data,
    )


def placed(order: str = "o-1", lines: int = 1, sellers: int = 1, **envelope: Any) -> Event[Any]:
    """Return an order of so many lines, spread over so many sellers."""
    items = tuple(
        OrderLine(product_id=f"p-{i}", seller_id=f"s-{i % sellers}", price_minor=1000)
        for i in range(lines)
    )
    return event(OrderPlaced(order_id=order, currency="EUR", lines=items), **envelope)


def cancelled(order: str = "o-1", **envelope: Any) -> Event[Any]:
    """Return the end of an order."""
    return event(OrderCancelled(order_id=order, cancelled_by=CancelledBy.CUSTOMER), **envelope)


def promised(
    shipment: str = "sh-1",
    order: str = "o-1",
    by: datetime = START + 10 * DAY,
    ship_by: datetime | None = None,
    carrier: str | None = None,
    **envelope: Any,
) -> Event[Any]:
    """Return a promised delivery."""
    data = ShipmentPromised(
        shipment_id=shipment, order_id=order, promised_by=by, ship_by=ship_by, carrier=carrier
    )
    return event(data, **envelope)


def handed_over(
    shipment: str = "sh-1", order: str = "o-1", carrier: str = "dhl", **envelope: Any
) -> Event[Any]:
    """Return the carrier's taking over."""
    data = ShipmentHandedOver(shipment_id=shipment, order_id=order, carrier=carrier)
    return event(data, **envelope)


def scanned(
    shipment: str = "sh-1",
    order: str = "o-1",
    carrier: str = "dhl",
    status: CheckpointStatus = CheckpointStatus.IN_TRANSIT,
    **envelope: Any,
) -> Event[Any]:
    """Return a scan by the carrier."""
    data = ShipmentCheckpoint(shipment_id=shipment, order_id=order, carrier=carrier, status=status)
    return event(data, **envelope)


def delivered(
    shipment: str = "sh-1", order: str = "o-1", carrier: str | None = "dhl", **envelope: Any
) -> Event[Any]:
    """Return the delivery."""
    data = ShipmentDelivered(shipment_id=shipment, order_id=order, carrier=carrier)
    return event(data, **envelope)


def wrote(
    contact: str = "k-1",
    order: str | None = "o-1",
    reason: ContactReason = ContactReason.WHERE_IS_MY_ORDER,
    by: OpenedBy = OpenedBy.CUSTOMER,
    **envelope: Any,
) -> Event[Any]:
    """Return a customer's message, or what an agent began."""
    data = ContactOpened(
        contact_id=contact,
        channel=ContactChannel.EMAIL,
        reason=reason,
        order_id=order,
        opened_by=by,
    )
    return event(data, **envelope)
