"""Days and hours as people live them, turned into instants."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

WAKES = 8
SLEEPS = 21
_SATURDAY = 5


def at_hour(moment: datetime, zone: str, *, days: int = 0, hour: float) -> datetime:
    """Return `hour` o'clock in `zone`, `days` after the local day of `moment`, in UTC.

    An hour the clocks skip is read as the hour after it.
    """
    local_day = moment.astimezone(ZoneInfo(zone)).date() + timedelta(days=days)
    midnight = datetime.combine(local_day, time(), ZoneInfo(zone))
    return (midnight + timedelta(hours=hour)).astimezone(UTC)


def at_work(moment: datetime, zone: str, *, days: int, hour: float) -> datetime:
    """Return `hour` o'clock in `zone`, so many weekdays (Monday to Friday) after the local day."""
    weekday, passed = moment.astimezone(ZoneInfo(zone)).weekday(), 0
    while days:
        passed += 1
        days -= (weekday + passed) % 7 < _SATURDAY
    return at_hour(moment, zone, days=passed, hour=hour)


def in_the_day(moment: datetime, zone: str) -> datetime:
    """Return `moment` with its local day pressed into nine to twenty o'clock; order is kept."""
    local = moment.astimezone(ZoneInfo(zone))
    part_of_day = (local.hour + local.minute / 60 + local.second / 3600) / 24
    return at_hour(moment, zone, hour=9 + 11 * part_of_day)


def awake(moment: datetime, zone: str) -> datetime:
    """Return `moment`, or 8:15 on the next morning where it falls into the person's night."""
    local = moment.astimezone(ZoneInfo(zone))
    if local.hour >= SLEEPS:
        return at_hour(moment, zone, days=1, hour=WAKES + 0.25)
    if local.hour < WAKES:
        return at_hour(moment, zone, hour=WAKES + 0.25)
    return moment
