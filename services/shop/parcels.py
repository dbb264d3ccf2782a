"""One seller's parcel: its promise and its way, drawn at once and told as it happens.  Pure.

Some hand-overs are late, some lanes slow, some parcels held up, unseen for days, brought in vain, fetched
from a shop (or forgotten there), damaged or lost.  What was drawn first is drawn with the order's own
generator; what came later has numbers of its own, so that a shop of old stays what it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

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
from services.shop.parameters import Carrier, Home, ShopParameters
from services.shop.premises import Premises, feed_of
from services.shop.timeline import Publication, said

SHIPPING = "/shop/shipping"
_DAY = timedelta(days=1)
_LOST_AFTER_DAYS = 10
_HUB_EVERY_DAYS = 2
"""A parcel on a long way is scanned where it changes vans."""

_HELD_UP, _UNPAID, _WRONG_ADDRESS, _DAMAGED, _LOST, _ABSENT = (
    "005", "006", "007", "012", "013", "002",
)  # fmt: skip
"""Sub-statuses of the taxonomy that the contract names."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """What befalls a parcel on its way."""

    days: int = 0
    """By how much it takes longer."""
    says: str | None = None
    """The sub-status of the exception the carrier tells, if it tells one."""
    is_unseen: bool = False
    """Whether nobody scans it until these days are over; else it is scanned once, on the first day."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """The first attempt to bring a parcel."""

    is_in_vain: bool = False
    waits_in_shop: bool = False
    more_days: int = 0
    """Until it is brought again, or fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What one seller sends for one order: what was promised and what really happens."""

    order_id: str
    shipment_id: str
    seller_id: str
    origin: str
    """The seller's country."""
    carrier: Carrier
    ship_by: datetime
    promised_by: datetime
    handed_over_at: datetime
    delivered_at: datetime | None
    """None: lost."""
    mishap: Mishap
    attempted_at: datetime | None
    """When nobody was at home."""
    waits_in_shop: bool
    """Whether the customer fetches it after that attempt."""
    new_estimate: datetime | None
    is_damaged: bool
    is_damage_seen: bool
    """Of a damaged one: whether the carrier says so."""

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
    zone, shipment_id = parameters.shop_zone, f"{order_id}-s{number}"
    carrier = rng.choices(parameters.carriers, [c.share for c in parameters.carriers])[0]
    promised = at_hour(
        placed, zone, days=rng.choice(parameters.promise_days), hour=parameters.promise_hour
    )
    ship_by = at_hour(placed, zone, days=parameters.ship_by_days, hour=parameters.ship_by_hour)
    handed_over = _handed_over(placed, ship_by, parameters, rng)
    is_slow = (carrier.slug, country) in premises.slow_lanes
    transit = rng.choice(carrier.transit_days)
    transit += rng.choice(carrier.slow_extra_days) if is_slow else 0
    mishap = _mishap(shipment_id, carrier, premises, rng)
    transit += mishap.days
    first_attempt = at_hour(handed_over, zone, days=transit, hour=9 + 8 * rng.random())
    visit = _first_visit(shipment_id, carrier, premises, rng)
    delivered = at_hour(first_attempt, zone, days=visit.more_days, hour=9.5 + 9 * rng.random())
    arrives = delivered if visit.is_in_vain else first_attempt
    is_lost = rng.random() < carrier.lost
    names_new_date = rng.random() < parameters.re_estimated and arrives > promised
    return Parcel(
        order_id=order_id,
        shipment_id=shipment_id,
        seller_id=seller,
        origin=country_of_seller(seller, premises),
        carrier=carrier,
        ship_by=ship_by,
        promised_by=promised,
        handed_over_at=handed_over,
        delivered_at=None if is_lost else arrives,
        mishap=mishap,
        attempted_at=first_attempt if visit.is_in_vain and not is_lost else None,
        waits_in_shop=visit.waits_in_shop,
        new_estimate=at_hour(promised, zone, days=2, hour=parameters.promise_hour)
        if names_new_date
        else None,
        is_damaged=rng.random() < carrier.damaged,
        is_damage_seen=premises.uniform(shipment_id, "damage") < carrier.damage_seen,
    )


def country_of_seller(seller: str, premises: Premises) -> str:
    """Return where this seller sends from."""
    countries, shares = zip(*premises.parameters.seller_countries, strict=True)
    found: str = premises.draws(seller, "country").choices(countries, shares)[0]
    return found


def _mishap(shipment_id: str, carrier: Carrier, premises: Premises, rng: Random) -> Mishap:
    """Return what befalls a parcel between hand-over and first attempt: one thing at most."""
    if rng.random() < carrier.held_up:
        return Mishap(rng.choice(carrier.held_up_days), says=_HELD_UP)
    drawn = premises.uniform(shipment_id, "mishap")
    which = premises.uniform(shipment_id, "mishap-days")
    for share, days, says, is_unseen in (
        (carrier.wrong_address, carrier.mended_after_days, _WRONG_ADDRESS, False),
        (carrier.unpaid_duties, carrier.mended_after_days, _UNPAID, False),
        (carrier.scans_stop, carrier.scans_stop_days, None, False),
        (carrier.first_scan_late, carrier.first_scan_late_days, None, True),
    ):
        drawn -= share
        if drawn < 0:
            return Mishap(days[int(which * len(days))], says=says, is_unseen=is_unseen)
    return Mishap()


def _first_visit(shipment_id: str, carrier: Carrier, premises: Premises, rng: Random) -> _Visit:
    if rng.random() >= carrier.absent:
        return _Visit()
    waits = rng.random() < carrier.to_pick_up
    more_days = rng.choice((1, 1, 2, 3) if waits else (1,))
    slow = carrier.fetched_late if waits else carrier.brought_again_late
    drawn = premises.uniform(shipment_id, "second-visit")
    if drawn < slow:
        days = carrier.fetched_late_days if waits else carrier.brought_again_late_days
        more_days = days[int(drawn / slow * len(days))]
    return _Visit(is_in_vain=True, waits_in_shop=waits, more_days=more_days)


def _handed_over(
    placed: datetime, ship_by: datetime, parameters: ShopParameters, rng: Random
) -> datetime:
    hour = 13 + 2.5 * rng.random()
    if rng.random() < parameters.late_handover:
        days = rng.choice(parameters.late_handover_days)
        return at_hour(ship_by, parameters.shop_zone, days=days, hour=hour)
    return at_hour(placed, parameters.shop_zone, days=rng.choice((1, 1, 2)), hour=hour)


def promise(parcel: Parcel, customer_id: str, home: Home, at: datetime) -> Publication:
    """Return the shop's promise, which knows where the parcel comes from and goes to."""
    fact = ShipmentPromised(
        **_named(parcel),
        promised_by=parcel.promised_by,
        promise_source=PromiseSource.COMPANY,
        time_zone=home.time_zone,
        origin_region=parcel.origin,
        destination_region=home.country,
    )
    return _promised(fact, SHIPPING, at, customer_id)


def _estimate(parcel: Parcel, customer_id: str, at: datetime, new: datetime) -> Publication:
    """Return the carrier's new date; it knows the parcel and nothing of the customer."""
    source = PromiseSource.CARRIER
    fact = ShipmentPromised(**_named(parcel), promised_by=new, promise_source=source)
    return _promised(fact, feed_of(parcel.carrier), at, customer_id)


def _named(parcel: Parcel) -> dict[str, Any]:
    return {
        "shipment_id": parcel.shipment_id,
        "order_id": parcel.order_id,
        "ship_by": parcel.ship_by,
        "carrier": parcel.carrier.slug,
        "seller_id": parcel.seller_id,
    }


def _promised(fact: ShipmentPromised, source: str, at: datetime, customer_id: str) -> Publication:
    about, more = fact.shipment_id, f"-{fact.promise_source}"
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
        yield _estimate(parcel, customer_id, told_at, parcel.new_estimate)
    if parcel.delivered_at is not None:
        yield say(ShipmentDelivered(**names), parcel.delivered_at)


_Scan = tuple[datetime, CheckpointStatus, str | None]


def _checkpoints(parcel: Parcel, parameters: ShopParameters) -> Iterator[_Scan]:
    """Yield when the carrier saw the parcel between hand-over and delivery, in order."""
    zone = parameters.shop_zone
    yield from _on_the_way(parcel, zone)
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


def _on_the_way(parcel: Parcel, zone: str) -> Iterator[_Scan]:
    """Yield the scans up to the first attempt: the first, why it waits, and one at every other hub."""
    mishap, taken_at = parcel.mishap, parcel.handed_over_at
    seen_after = mishap.days if mishap.is_unseen else 0
    yield at_hour(taken_at, zone, days=seen_after, hour=19), CheckpointStatus.IN_TRANSIT, None
    if mishap.says is not None:
        yield at_hour(taken_at, zone, days=1, hour=21), CheckpointStatus.EXCEPTION, mishap.says
    arrives_at = parcel.attempted_at or parcel.delivered_at
    if arrives_at is None:
        # Lost: after its first scans nobody sees it any more.
        return
    if parcel.is_damaged and parcel.is_damage_seen and mishap.says is None:
        seen_at = at_hour(taken_at, zone, days=seen_after, hour=22)
        yield seen_at, CheckpointStatus.EXCEPTION, _DAMAGED
    goes_on_after = mishap.days + (mishap.says is not None)
    leaves_at = at_hour(arrives_at, zone, hour=7)
    hub_at = at_hour(taken_at, zone, days=goes_on_after + _HUB_EVERY_DAYS, hour=4.5)
    while hub_at < leaves_at:
        yield hub_at, CheckpointStatus.IN_TRANSIT, None
        hub_at = at_hour(hub_at, zone, days=_HUB_EVERY_DAYS, hour=4.5)


def admitted_lost_at(parcel: Parcel, parameters: ShopParameters) -> datetime:
    """Return when the carrier says that this parcel will not come."""
    return at_hour(parcel.handed_over_at, parameters.shop_zone, days=_LOST_AFTER_DAYS, hour=17)
