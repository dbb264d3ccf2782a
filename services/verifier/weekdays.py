"""Business days: the same time of day in a zone, so many weekdays further on.  Pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_FRIDAY = 4
_WEEK = 5
"""Weekdays in a week."""


def business_days_after(moment: datetime, days: int, zone: str) -> datetime:
    """Return the instant `days` weekdays after this one, at the same time of day in the zone.

    Weekdays are Monday to Friday.  Of a local time that exists twice, or not at all, `fold=0` is taken.
    """
    local = moment.astimezone(ZoneInfo(zone))
    weekday = local.weekday()
    # From a weekend one counts as from the Friday before it.
    counted_from = min(weekday, _FRIDAY)
    weeks, rest = divmod(days, _WEEK)
    weekend = 2 if counted_from + rest > _FRIDAY else 0
    later = local.replace(fold=0) + timedelta(
        days=7 * weeks + rest + weekend - (weekday - counted_from)
    )
    return later.astimezone(UTC)
