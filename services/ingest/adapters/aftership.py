"""AfterShip's Tracking webhooks (`tracking_update`, `edd_revise`) as facts about parcels.

The body's `msg` is the tracking with all its checkpoints, told again each time: only ids that a
repeat gives again keep that harmless.  Times come as `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM:SS`, or with
a zone, or not at all; without one they are the carrier's local times.  `latest_estimated_delivery`
is the one date that AfterShip shows, with its source; `order_promised_delivery_date` is the shop's.

Sources: "Webhook Specifications" and the models "Tracking" and "Checkpoint" of AfterShip's Tracking
API, versions 2025-01 to 2026-07 (https://www.aftership.com/docs/tracking).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from services.contracts.deliveries import (
    PromiseSource,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentPromised,
)
from services.ingest.adapters.aftership_codes import STATUSES, code_of
from services.ingest.adapters.findings import (
    Finding,
    Headers,
    Publisher,
    Reason,
    Refused,
    customer_of,
    unmapped,
)
from services.ingest.adapters.moments import instant, until
from services.ingest.adapters.parcel_names import shipment_id_of
from services.ingest.adapters.payload import at, id_at, items_at, text_at

SOURCE = "/adapters/aftership"
EVENTS = ("tracking_update", "edd_revise", "tracking_pending_time")
"""What `event` says of a body that holds a tracking."""

_DELIVERED = "Delivered"


@dataclass(frozen=True, slots=True)
class Options:
    """How this deployment uses AfterShip."""

    customer_field: str = "customer_id"
    """The custom field of a tracking that holds the customer's id."""
    zone: tzinfo = UTC
    """Of times that come without one."""
    promises: frozenset[PromiseSource] = frozenset(PromiseSource)
    """Whose dates customers are told; others are no promises."""


@dataclass(frozen=True, slots=True)
class _Parcel:
    msg: object
    tracking_id: str
    shipment_id: str
    order_id: str
    publisher: Publisher
    options: Options

    @property
    def carrier(self) -> str | None:
        return text_at(self.msg, "slug")


def findings(body: object, _: Headers, options: Options) -> list[Finding]:
    """Return what one webhook tells: promises, checkpoints, the delivery."""
    name = text_at(body, "event")
    if name not in EVENTS:
        return [unmapped("an event of this name", f": {' and '.join(EVENTS[:2])} are")]
    parcel = _parcel(at(body, "msg"), options)
    if isinstance(parcel, Refused):
        return [parcel]
    found = [*_promises(parcel, at(body, "ts")), *_checkpoints(parcel), *_delivered(parcel)]
    return found or [unmapped("a tracking without dates and checkpoints")]


def _parcel(msg: object, options: Options) -> _Parcel | Refused:
    where = f"msg.custom_fields.{options.customer_field}"
    customer = customer_of(at(msg, "custom_fields", options.customer_field), where)
    if isinstance(customer, Refused):
        return customer
    order_id = id_at(msg, "order_id") or id_at(msg, "order_number")
    if order_id is None:
        return Refused(Reason.NO_ORDER, "msg.order_id is empty: give each tracking its order's id")
    number = shipment_id_of(at(msg, "tracking_number"))
    if number is None:
        return Refused(Reason.NO_SHIPMENT, "msg.tracking_number is empty")
    tracking_id = id_at(msg, "id") or number
    return _Parcel(msg, tracking_id, number, order_id, Publisher(SOURCE, customer), options)


def _promises(parcel: _Parcel, told_at: object) -> Iterator[Finding]:
    """Yield each date once; who delivered needs none."""
    msg, options = parcel.msg, parcel.options
    if text_at(msg, "tag") == _DELIVERED:
        return
    ordered = _first_instant(options.zone, at(msg, "order_date"), at(msg, "created_at"))
    updated = _first_instant(
        options.zone, at(msg, "updated_at"), told_at, at(msg, "last_updated_at")
    )
    promised = _date_in(at(msg, "order_promised_delivery_date"))
    dates = [(promised, PromiseSource.COMPANY, ordered or updated), (*_shown(msg), updated)]
    seen: set[datetime] = set()
    for value, whose, told in dates:
        promised_by = until(value, options.zone)
        if promised_by is None or promised_by in seen or whose not in options.promises:
            continue
        seen.add(promised_by)
        yield _promise(parcel, promised_by, whose, told)


def _promise(
    parcel: _Parcel, promised_by: datetime, whose: PromiseSource, told: datetime | None
) -> Finding:
    # Not the time it was told: each webhook tells the same date again.
    ids = (parcel.tracking_id, promised_by.isoformat())
    return parcel.publisher.event(
        ShipmentPromised,
        ids,
        told,
        shipment_id=parcel.shipment_id,
        order_id=parcel.order_id,
        promised_by=promised_by.isoformat(),
        promise_source=whose,
        carrier=parcel.carrier,
    )


def _shown(msg: object) -> tuple[object, PromiseSource]:
    """Return the date that AfterShip shows and whose it is; older versions know the carrier's alone."""
    latest = at(msg, "latest_estimated_delivery")
    if latest is None:
        return at(msg, "expected_delivery"), PromiseSource.CARRIER
    return _date_in(latest), _who_worked_out(text_at(latest, "source"))


def _date_in(value: object) -> object:
    """Return the last date of a range, and a single date as it is."""
    if not isinstance(value, dict):
        return value
    return value.get("datetime_max") or value.get("datetime")


def _who_worked_out(source: str | None) -> PromiseSource:
    """Return whose date it is: `Order EDD`, `Carrier EDD`, or AfterShip's own prediction."""
    words = (source or "").lower()
    if "order" in words or "custom" in words:
        return PromiseSource.COMPANY
    return PromiseSource.CARRIER if "carrier" in words else PromiseSource.MODEL


def _checkpoints(parcel: _Parcel) -> Iterator[Finding]:
    for item in items_at(parcel.msg, "checkpoints"):
        yield _checkpoint(parcel, item)


def _checkpoint(parcel: _Parcel, item: object) -> Finding:
    carrier = text_at(item, "slug") or parcel.carrier
    if carrier is None:
        return Refused(Reason.NO_CARRIER, "a checkpoint names no carrier: set the tracking's slug")
    tag, subtag = text_at(item, "tag"), text_at(item, "subtag")
    code = code_of(tag, subtag)
    said = (str(at(item, "checkpoint_time") or at(item, "created_at")), tag or "", subtag or "")
    return parcel.publisher.event(
        ShipmentCheckpoint,
        (parcel.tracking_id, *said, text_at(item, "raw_tag") or "", carrier),
        _seen(parcel, item),
        shipment_id=parcel.shipment_id,
        order_id=parcel.order_id,
        carrier=carrier,
        status=code.status,
        substatus=code.substatus,
        raw_code=code.raw,
    )


def _seen(parcel: _Parcel, item: object) -> datetime | None:
    zone = parcel.options.zone
    return _first_instant(zone, at(item, "checkpoint_time"), at(item, "created_at"))


def _delivered(parcel: _Parcel) -> Iterator[Finding]:
    """Yield the one delivery: the first scan that says so, or the tracking where no scan does."""
    scans = [item for item in items_at(parcel.msg, "checkpoints") if _is_delivered(item)]
    times = [seen for seen in (_seen(parcel, item) for item in scans) if seen is not None]
    if not scans and not _is_delivered(parcel.msg):
        return
    msg, zone = parcel.msg, parcel.options.zone
    told = _first_instant(zone, at(msg, "shipment_delivery_date"), at(msg, "updated_at"))
    yield parcel.publisher.event(
        ShipmentDelivered,
        (parcel.tracking_id,),
        min(times, default=told),
        shipment_id=parcel.shipment_id,
        order_id=parcel.order_id,
        carrier=parcel.carrier,
    )


def _is_delivered(item: object) -> bool:
    code = code_of(text_at(item, "tag"), text_at(item, "subtag"))
    return code.status is STATUSES[_DELIVERED]


def _first_instant(zone: tzinfo, *values: object) -> datetime | None:
    return next((found for value in values if (found := instant(value, zone)) is not None), None)
