"""Times as other systems write them.  A time without a zone is read in the zone one is told."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

_UTC_NAME = " UTC"
"""Ruby's way to write UTC, which ISO 8601 does not know."""


def instant(value: object, zone: tzinfo) -> datetime | None:
    """Return the point in time, in UTC; None where this is none.

    Args:
        value: Seconds since 1970, or ISO 8601; of a date without a time the day's first moment.
        zone: Of what names no zone.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _since_1970(value)
    if not isinstance(value, str):
        return None
    return _parsed(value.strip(), zone)


def until(value: object, zone: tzinfo) -> datetime | None:
    """Return the instant from which this counts as over, in UTC: a date without a time lasts all day."""
    if isinstance(value, str):
        day = _as_date(value.strip())
        if day is not None:
            return _next_midnight(day, zone)
    return instant(value, zone)


def _since_1970(seconds: float) -> datetime | None:
    # Zero is how programs write that they do not know.
    if seconds == 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _parsed(text: str, zone: tzinfo) -> datetime | None:
    if text.endswith(_UTC_NAME):
        text = f"{text.removesuffix(_UTC_NAME)}+00:00"
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _as_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _next_midnight(day: date, zone: tzinfo) -> datetime | None:
    try:
        return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    except OverflowError:
        return None
