"""Quiet hours on a person's own clock: over midnight, through clock changes, in any zone.

Pure arithmetic.  Instants go in and come out in UTC; only the comparison is local.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end` on the local clock, `end` not included; may run over midnight."""

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("quiet hours must not start when they end: say which hours are free")

    def contain(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Whether the local clock shows a quiet time at this instant."""
        shown = moment.astimezone(zone).time()
        if self.start < self.end:
            return self.start <= shown < self.end
        return shown >= self.start or shown < self.end

    def free_from(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return `moment` itself where it is free, else when these quiet hours end, in UTC.

        Where a clock change skips the end, it is that much later on the new clock.
        """
        if not self.contain(moment, zone):
            return moment
        return min(
            end
            for end in self._ends_around(moment, zone)
            if end > moment and not self.contain(end, zone)
        )

    def _ends_around(self, moment: datetime, zone: ZoneInfo) -> list[datetime]:
        today = moment.astimezone(zone).date()
        return [
            # Both readings of an hour that comes twice, or never, in the night of a clock change.
            datetime.combine(today + timedelta(days=day), self.end, zone)
            .replace(fold=fold)
            .astimezone(UTC)
            for day in (0, 1, 2)
            for fold in (0, 1)
        ]


@dataclass(frozen=True, slots=True)
class ZoneFound:
    """A zone and where it was found: `profile`, `shipment`, `country`, `language` or `default`."""

    zone: ZoneInfo
    found_in: str


def zone_for(
    time_zone: str | None,
    country: str | None,
    language: str | None,
    zone_of_country: Mapping[str, str],
    default: ZoneInfo,
    destination: str | None = None,
) -> ZoneFound:
    """Return the customer's zone: the profile's, else where their parcel goes, else their country's, else
    their language's region's.

    Args:
        time_zone: IANA name from the profile.
        country: ISO 3166 alpha-2 code from the profile.
        language: BCP 47 tag; only its region says something about time.
        zone_of_country: Country code → the zone most of its people live in.
        default: The deployment's zone, used where nothing else is known.
        destination: IANA name of the zone of the address that the parcel in question goes to.
    """
    for name, told_by in ((time_zone, "profile"), (destination, "shipment")):
        if name is not None:
            return ZoneFound(ZoneInfo(name), told_by)
    for code, found_in in ((country, "country"), (_region(language), "language")):
        if code is not None and code in zone_of_country:
            return ZoneFound(ZoneInfo(zone_of_country[code]), found_in)
    return ZoneFound(default, "default")


def _region(language: str | None) -> str | None:
    parts = (language or "").split("-")[1:]
    return next((part.upper() for part in parts if len(part) == 2), None)
