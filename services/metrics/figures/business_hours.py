"""How much of a time lay within the desk's hours.  Pure: the zone's rules are data, no clock is read.

The hours are those of the desk's own wall clock, so that a working day across a change of the clocks has as
many hours as the clock says and its people worked.  Public holidays are not known: they count as what
weekday they are.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LONGEST = timedelta(days=400)
"""Of a longer wait the hours of the first so many days count: more tells nobody more."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """When the desk answers."""

    zone: str = "UTC"
    """IANA name."""
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5)
    """As ISO 8601 numbers them: 1 is Monday, 7 is Sunday."""
    opens: int = 9 * 60
    """Minutes after local midnight."""
    closes: int = 17 * 60
    """The same, later than it opens; 1,440 is the end of the day."""

    def within(self, begun: datetime, ended: datetime) -> timedelta:
        """Return how much of the time between these two instants the desk was open."""
        ended = min(ended, begun + LONGEST)
        zone = ZoneInfo(self.zone)
        day, last = begun.astimezone(zone).date(), ended.astimezone(zone).date()
        open_for = timedelta(0)
        while day <= last:
            if day.isoweekday() in self.weekdays:
                opened, closed = self._at(day, self.opens, zone), self._at(day, self.closes, zone)
                open_for += max(min(ended, closed) - max(begun, opened), timedelta(0))
            day += _DAY
        return open_for

    def _at(self, day: date, minutes: int, zone: ZoneInfo) -> datetime:
        """Return the instant at which the wall clock shows this time of this day."""
        wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
        return wall.astimezone(UTC)
