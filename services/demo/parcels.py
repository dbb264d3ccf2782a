"""Invented orders and the lives of their parcels: some hand-overs late, some lanes slow, some lost.  Pure."""

from collections.abc import Iterator, Mapping
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
from services.contracts.purchases import (
    CancelledBy,
    OrderApproved,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
)
from services.demo.local_time import at_hour
from services.demo.parameters import Carrier, ShopParameters
from services.demo.people import Person
from services.demo.timeline import Publication, publication

_ORDERS = "/shop/orders"
_SHIPPING = "/shop/shipping"
_PROMISES_ARE_MADE_AFTER = timedelta(minutes=5)

Lanes = Mapping[tuple[str, str], bool]
"""Whether the lane from carrier to country is slow."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One order with its one parcel: what was promised and what really happens."""

    person: Person
    order_id: str
    shipment_id: str
    carrier: Carrier
    placed_at: datetime
    approved_at: datetime
    ship_by: datetime
    promised_by: datetime
    handed_over_at: datetime | None
    """None: cancelled before."""
    delivered_at: datetime | None
    """None: cancelled or lost."""
    new_estimate: datetime | None = None
    lines: tuple[OrderLine, ...] = ()

    @property
    def is_cancelled(self) -> bool:
        """Whether nothing will be delivered because the order was taken back."""
        return self.handed_over_at is None


def draw_lanes(parameters: ShopParameters, rng: Random) -> Lanes:
    """Return which of the carriers' lanes are slow in this shop."""
    return {
        (carrier.slug, home.country): rng.random() < carrier.slow_lanes
        for carrier in parameters.carriers
        for home in parameters.homes
    }


def orders_of(
    person: Person, parameters: ShopParameters, lanes: Lanes, rng: Random
) -> Iterator[Parcel]:
    """Yield what this person orders during the demo."""
    expected = parameters.orders_per_customer_month * parameters.days / 30
    count = int(expected) + (rng.random() < expected - int(expected))
    for number in range(1, count + 1):
        yield _order(person, number, parameters, lanes, rng)


def _order(
    person: Person, number: int, parameters: ShopParameters, lanes: Lanes, rng: Random
) -> Parcel:
    zone = parameters.shop_zone
    carrier = rng.choices(parameters.carriers, [c.share for c in parameters.carriers])[0]
    is_slow = lanes[carrier.slug, person.home.country]
    day = rng.randrange(parameters.days)
    placed = at_hour(parameters.start, person.home.time_zone, days=day, hour=9 + 11 * rng.random())
    approved = placed + timedelta(minutes=rng.randint(8, 60))
    promised = at_hour(
        placed, zone, days=rng.choice(parameters.promise_days), hour=parameters.promise_hour
    )
    ship_by = at_hour(placed, zone, days=parameters.ship_by_days, hour=parameters.ship_by_hour)
    handed_over = _handed_over(placed, ship_by, parameters, rng)
    transit = rng.choice(carrier.transit_days) + (
        rng.choice(carrier.slow_extra_days) if is_slow else 0
    )
    is_lost = rng.random() < carrier.lost
    delivered = at_hour(handed_over, zone, days=transit, hour=9 + 8 * rng.random())
    is_cancelled = rng.random() < parameters.cancelled
    names_new_date = rng.random() < parameters.re_estimated and delivered > promised
    order_id = f"{person.customer_id}-o{number}"
    return Parcel(
        person=person,
        order_id=order_id,
        shipment_id=f"{order_id}-s1",
        carrier=carrier,
        placed_at=placed,
        approved_at=approved,
        ship_by=ship_by,
        promised_by=promised,
        handed_over_at=None if is_cancelled else handed_over,
        delivered_at=None if is_cancelled or is_lost else delivered,
        new_estimate=at_hour(promised, zone, days=2, hour=parameters.promise_hour)
        if names_new_date
        else None,
        lines=tuple(_lines(parameters, rng)),
    )


def _handed_over(
    placed: datetime, ship_by: datetime, parameters: ShopParameters, rng: Random
) -> datetime:
    hour = 13 + 2.5 * rng.random()
    if rng.random() < parameters.late_handover:
        days = rng.choice(parameters.late_handover_days)
        return at_hour(ship_by, parameters.shop_zone, days=days, hour=hour)
    return at_hour(placed, parameters.shop_zone, days=rng.choice((1, 1, 2)), hour=hour)


def _lines(parameters: ShopParameters, rng: Random) -> Iterator[OrderLine]:
    for _ in range(2 if rng.random() < parameters.multi_line_share else 1):
        seller = rng.randint(1, 12)
        yield OrderLine(
            product_id=f"p-{seller:02d}-{rng.randint(1, 40):02d}",
            seller_id=f"seller-{seller:02d}",
            quantity=rng.choice((1, 1, 1, 2)),
            price_minor=rng.randint(500, 18_000),
        )


def life_of(parcel: Parcel, parameters: ShopParameters) -> Iterator[Publication]:
    """Yield the shop's and the carrier's events about this order, as they happen."""
    yield from _purchase(parcel)
    if parcel.handed_over_at is None:
        cancelled = OrderCancelled(order_id=parcel.order_id, cancelled_by=CancelledBy.CUSTOMER)
        yield _say(parcel, cancelled, _ORDERS, parcel.approved_at + timedelta(hours=1))
        return
    yield from _transport(parcel, parcel.handed_over_at, parameters)


def _purchase(parcel: Parcel) -> Iterator[Publication]:
    yield _say(
        parcel,
        OrderPlaced(
            order_id=parcel.order_id, currency="EUR", lines=parcel.lines, freight_minor=490
        ),
        _ORDERS,
        parcel.placed_at,
    )
    yield _say(parcel, OrderApproved(order_id=parcel.order_id), _ORDERS, parcel.approved_at)
    yield _promise(
        parcel,
        parcel.promised_by,
        PromiseSource.COMPANY,
        _SHIPPING,
        parcel.approved_at + _PROMISES_ARE_MADE_AFTER,
    )


def _transport(
    parcel: Parcel, handed_over_at: datetime, parameters: ShopParameters
) -> Iterator[Publication]:
    carrier = _carrier_source(parcel)
    fact = ShipmentHandedOver(
        shipment_id=parcel.shipment_id, order_id=parcel.order_id, carrier=parcel.carrier.slug
    )
    yield _say(parcel, fact, carrier, handed_over_at)
    zone = parameters.shop_zone
    evening = at_hour(handed_over_at, zone, hour=19)
    yield _checkpoint(parcel, CheckpointStatus.IN_TRANSIT, evening)
    if parcel.new_estimate is not None:
        told = at_hour(parcel.promised_by, zone, days=-1, hour=15)
        if told > handed_over_at:
            yield _promise(parcel, parcel.new_estimate, PromiseSource.CARRIER, carrier, told)
    if parcel.delivered_at is None:
        return
    yield _checkpoint(
        parcel, CheckpointStatus.OUT_FOR_DELIVERY, at_hour(parcel.delivered_at, zone, hour=7.5)
    )
    arrived = ShipmentDelivered(
        shipment_id=parcel.shipment_id, order_id=parcel.order_id, carrier=parcel.carrier.slug
    )
    yield _say(parcel, arrived, carrier, parcel.delivered_at)


def _promise(
    parcel: Parcel, promised_by: datetime, origin: PromiseSource, source: str, at: datetime
) -> Publication:
    fact = ShipmentPromised(
        shipment_id=parcel.shipment_id,
        order_id=parcel.order_id,
        promised_by=promised_by,
        ship_by=parcel.ship_by,
        promise_source=origin,
        carrier=parcel.carrier.slug,
        seller_id=parcel.lines[0].seller_id if parcel.lines else None,
    )
    return _say(parcel, fact, source, at, suffix=f"-{origin}")


def _checkpoint(parcel: Parcel, status: CheckpointStatus, at: datetime) -> Publication:
    fact = ShipmentCheckpoint(
        shipment_id=parcel.shipment_id,
        order_id=parcel.order_id,
        carrier=parcel.carrier.slug,
        status=status,
    )
    return _say(parcel, fact, _carrier_source(parcel), at, suffix=f"-{status}")


def _carrier_source(parcel: Parcel) -> str:
    return f"/carriers/{parcel.carrier.slug}"


def _say(parcel: Parcel, fact: Fact, source: str, at: datetime, *, suffix: str = "") -> Publication:
    noun, verb = fact.TYPE.split(".")[1:3]
    return publication(
        fact,
        source=source,
        event_id=f"{parcel.order_id}-{noun}-{verb}{suffix}",
        time=at,
        customer_id=parcel.person.customer_id,
    )
