"""One seller's parcel: its promise and its way, drawn at once and told as it happens.  Pure.

Some hand-overs are late, some lanes slow, some parcels held up, brought in vain, fetched from a shop,
damaged or lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from services.contracts.deliveries import (
    CheckpointStatus,
    PromiseSource,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentHandedOver,
    ShipmentPromised,
)
from services.contracts.envelope import Fact
from services.shop.local_time import at_hour
from services.shop.parameters import Carrier, ShopParameters
from services.shop.premises import Premises, feed_of
from services.shop.timeline import Publication, said

SHIPPING = "/shop/shipping"
_DAY = timedelta(days=1)
_LOST_AFTER_DAYS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What one seller sends for one order: what was promised and what really happens."""

    order_id: str
    shipment_id: str
    seller_id: str
    carrier: Carrier
    ship_by: datetime
    promised_by: datetime
    handed_over_at: datetime
    delivered_at: datetime | None
    """None: lost."""
    held_up_at: datetime | None
    attempted_at: datetime | None
    """When nobody was at home."""
    waits_in_shop: bool
    """Whether the customer fetches it after that attempt."""
    new_estimate: datetime | None
    is_damaged: bool

    @property
    def days_late(self) -> int | None:
        """Days begun between promise and delivery; 0: in time; None: never arrived."""
        if self.delivered_at is None:
            return None
        return max(0, -((self.promised_by - self.delivered_at) // _DAY))


def draw_parcel(
    order_id: str,
    number: int,
    seller: str,
    country: str,
    placed: datetime,
    premises: Premises,
    rng: Random,
) -> Parcel:
    """Return this order's parcel of this seller with its fate."""
    parameters = premises.parameters
    zone = parameters.shop_zone
    carrier = rng.choices(parameters.carriers, [c.share for c in parameters.carriers])[0]
    promised = at_hour(
        placed, zone, days=rng.choice(parameters.promise_days), hour=parameters.promise_hour
    )
    ship_by = at_hour(placed, zone, days=parameters.ship_by_days, hour=parameters.ship_by_hour)
    handed_over = _handed_over(placed, ship_by, parameters, rng)
    is_slow = (carrier.slug, country) in premises.slow_lanes
    transit = rng.choice(carrier.transit_days)
    transit += rng.choice(carrier.slow_extra_days) if is_slow else 0
    is_held_up = rng.random() < carrier.held_up
    transit += rng.choice(carrier.held_up_days) if is_held_up else 0
    first_attempt = at_hour(handed_over, zone, days=transit, hour=9 + 8 * rng.random())
    is_absent = rng.random() < carrier.absent
    waits = is_absent and rng.random() < carrier.to_pick_up
    more_days = rng.choice((1, 1, 2, 3) if waits else (1,)) if is_absent else 0
    delivered = at_hour(first_attempt, zone, days=more_days, hour=9.5 + 9 * rng.random())
    arrives = delivered if is_absent else first_attempt
    is_lost = rng.random() < carrier.lost
    names_new_date = rng.random() < parameters.re_estimated and arrives > promised
    return Parcel(
        order_id=order_id,
        shipment_id=f"{order_id}-s{number}",
        seller_id=seller,
        carrier=carrier,
        ship_by=ship_by,
        promised_by=promised,
        handed_over_at=handed_over,
        delivered_at=None if is_lost else arrives,
        held_up_at=at_hour(handed_over, zone, days=1, hour=21) if is_held_up else None,
        attempted_at=first_attempt if is_absent and not is_lost else None,
        waits_in_shop=waits,
        new_estimate=at_hour(promised, zone, days=2, hour=parameters.promise_hour)
        if names_new_date
        else None,
        is_damaged=rng.random() < carrier.damaged,
    )


def _handed_over(
    placed: datetime, ship_by: datetime, parameters: ShopParameters, rng: Random
) -> datetime:
    hour = 13 + 2.5 * rng.random()
    if rng.random() < parameters.late_handover:
        days = rng.choice(parameters.late_handover_days)
        return at_hour(ship_by, parameters.shop_zone, days=days, hour=hour)
    return at_hour(placed, parameters.shop_zone, days=rng.choice((1, 1, 2)), hour=hour)


def promise(
    parcel: Parcel, customer_id: str, at: datetime, new: datetime | None = None
) -> Publication:
    """Return the shop's promise, or the carrier's new one."""
    fact = ShipmentPromised(
        shipment_id=parcel.shipment_id,
        order_id=parcel.order_id,
        promised_by=new or parcel.promised_by,
        ship_by=parcel.ship_by,
        promise_source=PromiseSource.CARRIER if new else PromiseSource.COMPANY,
        carrier=parcel.carrier.slug,
        seller_id=parcel.seller_id,
    )
    source = feed_of(parcel.carrier) if new else SHIPPING
    about, more = parcel.shipment_id, f"-{fact.promise_source}"
    return said(fact, source=source, time=at, customer_id=customer_id, about=about, more=more)


def transport(
    parcel: Parcel, customer_id: str, parameters: ShopParameters
) -> Iterator[Publication]:
    """Yield what the carrier says about this parcel from the hand-over on, as it happens."""
    names = {
        "shipment_id": parcel.shipment_id,
        "order_id": parcel.order_id,
        "carrier": parcel.carrier.slug,
    }

    def say(fact: Fact, at: datetime, more: str = "") -> Publication:
        feed, about = feed_of(parcel.carrier), parcel.shipment_id
        return said(fact, source=feed, time=at, customer_id=customer_id, about=about, more=more)

    yield say(ShipmentHandedOver(**names), parcel.handed_over_at)
    for number, (at, status, substatus) in enumerate(_checkpoints(parcel, parameters), start=1):
        scan = ShipmentCheckpoint(**names, status=status, substatus=substatus)
        yield say(scan, at, f"-{number}")
    told_at = at_hour(parcel.promised_by, parameters.shop_zone, days=-1, hour=15)
    if parcel.new_estimate is not None and told_at > parcel.handed_over_at:
        yield promise(parcel, customer_id, told_at, parcel.new_estimate)
    if parcel.delivered_at is not None:
        yield say(ShipmentDelivered(**names), parcel.delivered_at)


_Scan = tuple[datetime, CheckpointStatus, str | None]


def _checkpoints(parcel: Parcel, parameters: ShopParameters) -> Iterator[_Scan]:
    """Yield when the carrier saw the parcel between hand-over and delivery, in order."""
    zone = parameters.shop_zone
    yield at_hour(parcel.handed_over_at, zone, hour=19), CheckpointStatus.IN_TRANSIT, None
    if parcel.held_up_at is not None:
        yield parcel.held_up_at, CheckpointStatus.EXCEPTION, _HELD_UP
    if parcel.delivered_at is None:
        yield admitted_lost_at(parcel, parameters), CheckpointStatus.EXCEPTION, _LOST
        return
    attempted = parcel.attempted_at
    if attempted is not None:
        yield at_hour(attempted, zone, hour=7.5), CheckpointStatus.OUT_FOR_DELIVERY, None
        yield attempted, CheckpointStatus.ATTEMPT_FAIL, _ABSENT
        if parcel.waits_in_shop:
            evening = at_hour(attempted, zone, hour=19)
            yield evening, CheckpointStatus.AVAILABLE_FOR_PICKUP, None
            return
    morning = at_hour(parcel.delivered_at, zone, hour=7.5)
    yield morning, CheckpointStatus.OUT_FOR_DELIVERY, None


_HELD_UP, _LOST, _ABSENT = "005", "013", "002"
"""Sub-statuses of the taxonomy that the contract names."""


def admitted_lost_at(parcel: Parcel, parameters: ShopParameters) -> datetime:
    """Return when the carrier says that this parcel will not come."""
    return at_hour(parcel.handed_over_at, parameters.shop_zone, days=_LOST_AFTER_DAYS, hour=17)
