"""Business days: Monday to Friday in somebody's own zone.  Holidays are not known."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.churn_predictor.facts import Facts, ShipmentFacts

_SATURDAY = 5


def business_days_after(start: datetime, days: int, zone: str) -> datetime:
    """Return the same time of day so many weekdays later, in UTC.

    A local time that does not exist, or exists twice, is taken with `fold=0`.
    """
    local = start.astimezone(ZoneInfo(zone))
    day, left = local.date(), days
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < _SATURDAY
    at = time(local.hour, local.minute, local.second, local.microsecond)
    return datetime.combine(day, at, tzinfo=local.tzinfo).astimezone(UTC)


def zone_of_customer(facts: Facts, default: str) -> str:
    """Return the zone named by the latest of all promises that names one, else the default."""
    told = (shipment.last_zone for shipment in facts.shipments.values())
    known = [each for each in told if each is not None]
    return max(known, key=lambda each: each.told).name if known else default


def zone_of_shipment(shipment: ShipmentFacts, otherwise: str) -> str:
    """Return the zone named by the first promise of this shipment that names one."""
    return otherwise if shipment.first_zone is None else shipment.first_zone.name
