"""The parcels in a Shopify order: what was promised, and what the carrier has said of each.

A fulfilment is the shop's word that it has packed; only `shipment_status` is the carrier's.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC

from services.contracts.deliveries import (
    CheckpointStatus,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentHandedOver,
    ShipmentPromised,
)
from services.ingest.adapters.findings import Finding, Reason, Refused
from services.ingest.adapters.moments import instant, until
from services.ingest.adapters.parcel_names import shipment_id_of
from services.ingest.adapters.payload import at, id_at, items_at, text_at
from services.ingest.adapters.shopify_terms import Order, ParcelName

STATUSES: Mapping[str, CheckpointStatus] = {
    "label_printed": CheckpointStatus.INFO_RECEIVED,
    "label_purchased": CheckpointStatus.INFO_RECEIVED,
    "confirmed": CheckpointStatus.INFO_RECEIVED,
    "carrier_picked_up": CheckpointStatus.IN_TRANSIT,
    "in_transit": CheckpointStatus.IN_TRANSIT,
    "out_for_delivery": CheckpointStatus.OUT_FOR_DELIVERY,
    "attempted_delivery": CheckpointStatus.ATTEMPT_FAIL,
    "ready_for_pickup": CheckpointStatus.AVAILABLE_FOR_PICKUP,
    "picked_up": CheckpointStatus.DELIVERED,
    "delivered": CheckpointStatus.DELIVERED,
    "delayed": CheckpointStatus.EXCEPTION,
    "failure": CheckpointStatus.EXCEPTION,
}
"""By Shopify's `shipment_status`."""

_NOT_YET_THEIRS = (CheckpointStatus.INFO_RECEIVED, CheckpointStatus.UNKNOWN)
"""Statuses that do not say that the carrier has the parcel."""

_MOST_PARCELS = 50
"""Of one fulfilment."""
_OTHER_THAN_SLUG = re.compile(r"[^a-z0-9]+")


def parcels_in(order: Order) -> Iterator[Finding]:
    """Yield what the order tells of its parcels."""
    for fulfillment in items_at(order.body, "fulfillments"):
        # One that was cancelled or failed is no parcel.
        if at(fulfillment, "status") in ("success", "open", "pending"):
            for name in _names(order, fulfillment):
                yield from _parcel(order, fulfillment, name)


def _names(order: Order, fulfillment: object) -> list[str]:
    if order.options.parcel_name is ParcelName.FULFILLMENT:
        name = id_at(fulfillment, "id")
        return [name] if name else []
    numbers = items_at(fulfillment, "tracking_numbers") or [at(fulfillment, "tracking_number")]
    names = (shipment_id_of(number) for number in numbers[:_MOST_PARCELS])
    return list(dict.fromkeys(name for name in names if name))


def _parcel(order: Order, fulfillment: object, name: str) -> Iterator[Finding]:
    carrier = carrier_slug(text_at(fulfillment, "tracking_company"))
    yield from _promised(order, name)
    told = text_at(fulfillment, "shipment_status")
    if told is not None:
        yield from _seen(order, fulfillment, name, carrier, told)


def _promised(order: Order, name: str) -> Iterator[Finding]:
    """Yield the date.  It names no carrier: one that tells nothing itself would be waited for."""
    promised_by = until(_promised_date(order), order.options.zone)
    if promised_by is None:
        return
    body = order.body
    yield order.publisher.event(
        ShipmentPromised,
        (order.id, name, promised_by.isoformat()),
        instant(at(body, "processed_at"), UTC) or instant(at(body, "created_at"), UTC),
        shipment_id=name,
        order_id=order.id,
        promised_by=promised_by.isoformat(),
    )


def _promised_date(order: Order) -> object:
    wanted = order.options.promise_attribute
    for attribute in items_at(order.body, "note_attributes"):
        if wanted is not None and at(attribute, "name") == wanted:
            return at(attribute, "value")
    return None


def _seen(
    order: Order, fulfillment: object, name: str, carrier: str | None, told: str
) -> Iterator[Finding]:
    """Yield what the carrier last said: each status once, for nothing tells one scan from another."""
    status = STATUSES.get(told, CheckpointStatus.UNKNOWN)
    when = instant(at(fulfillment, "updated_at"), UTC)
    named: dict[str, object] = {"shipment_id": name, "order_id": order.id, "carrier": carrier}
    say = order.publisher.event
    if status is CheckpointStatus.DELIVERED:
        yield say(ShipmentDelivered, (order.id, name), when, **named)
    if carrier is None:
        yield Refused(Reason.NO_CARRIER, "a fulfilment with a status names no tracking_company")
        return
    if status not in _NOT_YET_THEIRS:
        yield say(ShipmentHandedOver, (order.id, name), when, **named)
    raw = told[:64] if status is CheckpointStatus.UNKNOWN else None
    ids = (order.id, name, told)
    yield say(ShipmentCheckpoint, ids, when, **named, status=status, raw_code=raw)


def carrier_slug(company: str | None) -> str | None:
    """Return a carrier's name as a slug: `DHL Express` is `dhl-express`; None where none is left."""
    plain = unicodedata.normalize("NFKD", company or "").encode("ascii", "ignore").decode().lower()
    return _OTHER_THAN_SLUG.sub("-", plain).strip("-")[:64].strip("-") or None
