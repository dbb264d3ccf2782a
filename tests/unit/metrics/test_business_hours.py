"""What of a wait lay within the desk's hours, worked out by hand on the desk's own wall clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.figures.business_hours import LONGEST, BusinessHours

BERLIN = ZoneInfo("Europe/Berlin")
DESK = BusinessHours("Europe/Berlin")
"""Monday to Friday, 09:00 to 17:00."""
ALL_DAY = BusinessHours("Europe/Berlin", (1, 2, 3, 4, 5, 6, 7), 0, 24 * 60)
AT_NIGHT = BusinessHours("Europe/Berlin", (1, 2, 3, 4, 5, 6, 7), 60, 5 * 60)
"""Every day from 01:00 to 05:00: across the change of the clocks."""


def berlin(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    """Return what Berlin's clocks show in 2026; 29 March and 25 October are Sundays with a change."""
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("begun", "ended", "hours"),
    [
        # Within one day; from before it opens; until after it closes; wholly outside.
        (berlin(3, 2, 10), berlin(3, 2, 12, 30), 2.5),
        (berlin(3, 2, 7), berlin(3, 2, 10), 1),
        (berlin(3, 2, 16), berlin(3, 2, 22), 1),
        (berlin(3, 2, 18), berlin(3, 3, 8), 0),
        # Overnight: 16:00 to 17:00 and 09:00 to 09:30.
        (berlin(3, 2, 16), berlin(3, 3, 9, 30), 1.5),
        # Friday 16:00 to Monday 10:00: one hour on either side, none on the weekend.
        (berlin(3, 6, 16), berlin(3, 9, 10), 2),
        # The same over the weekend in which clocks go forward: 65 hours pass, 2 of them at the desk.
        (berlin(3, 27, 16), berlin(3, 30, 10), 2),
        # A week and a day: five days of eight hours, and one more.
        (berlin(3, 2, 9), berlin(3, 9, 17), 48),
    ],
)
def test_only_hours_of_the_desk_count(begun: datetime, ended: datetime, hours: float) -> None:
    assert DESK.within(begun, ended) == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("day", "at_night", "all_day"),
    [
        ((3, 28), 4, 24),
        # 02:00 to 03:00 does not exist.
        ((3, 29), 3, 23),
        # 02:00 to 03:00 is there twice.
        ((10, 25), 5, 25),
    ],
)
def test_a_day_on_which_clocks_change_has_as_many_hours_as_were_worked(
    day: tuple[int, int], at_night: int, all_day: int
) -> None:
    begun = datetime(2026, *day, tzinfo=BERLIN).astimezone(UTC)
    ended = (datetime(2026, *day, tzinfo=BERLIN) + timedelta(days=1)).astimezone(UTC)

    assert AT_NIGHT.within(begun, ended) == timedelta(hours=at_night)
    assert ALL_DAY.within(begun, ended) == timedelta(hours=all_day)


def test_of_an_endless_wait_the_first_400_days_count() -> None:
    """1 January 2026 is a Thursday; of 400 days 286 are weekdays: 57 weeks with 285, and a Thursday."""
    begun = berlin(1, 1, 0)

    assert DESK.within(begun, begun + 3 * LONGEST) == timedelta(hours=286 * 8)


moments = st.integers(0, 364 * 24 * 60).map(
    lambda minutes: berlin(1, 1, 0) + timedelta(minutes=minutes)
)


@given(st.lists(moments, min_size=3, max_size=3).map(sorted))
def test_hours_add_up_and_never_exceed_the_time_that_passed(three: list[datetime]) -> None:
    begun, between, ended = three

    whole = DESK.within(begun, ended)
    assert whole == DESK.within(begun, between) + DESK.within(between, ended)
    assert timedelta(0) <= whole <= ended - begun
    assert ALL_DAY.within(begun, ended) == ended - begun
