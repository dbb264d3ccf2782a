"""Business days, counted by hand: over weekends, in zones, over changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.verifier.weekdays import business_days_after

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "days", "expected"),
    [
        # 2026-01-01 is a Thursday.
        ("2026-01-01T10:00Z", 1, "2026-01-02T10:00Z"),
        ("2026-01-02T10:00Z", 1, "2026-01-05T10:00Z"),
        ("2026-01-03T10:00Z", 1, "2026-01-05T10:00Z"),
        ("2026-01-04T10:00Z", 1, "2026-01-05T10:00Z"),
        ("2026-01-04T10:00Z", 5, "2026-01-09T10:00Z"),
        ("2026-01-01T10:00Z", 2, "2026-01-05T10:00Z"),
        ("2026-01-01T10:00Z", 4, "2026-01-07T10:00Z"),
        ("2026-01-02T10:00Z", 5, "2026-01-09T10:00Z"),
        ("2026-01-02T10:00Z", 6, "2026-01-12T10:00Z"),
        ("2026-01-03T10:00Z", 10, "2026-01-16T10:00Z"),
    ],
)
def test_weekends_on_the_way_are_not_counted(moment: str, days: int, expected: str) -> None:
    assert business_days_after(utc(moment), days, "UTC") == utc(expected)


def test_the_day_of_the_week_is_the_zones() -> None:
    # Friday evening in Sao Paulo is Saturday in UTC; Sunday evening there is Monday in UTC.
    assert business_days_after(utc("2026-01-03T01:00Z"), 1, "America/Sao_Paulo") == utc(
        "2026-01-06T01:00Z"
    )
    assert business_days_after(utc("2026-01-03T01:00Z"), 1, "UTC") == utc("2026-01-05T01:00Z")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        # Friday noon to Monday noon, over the last Sunday in March: an hour less has passed.
        ("2026-03-27T12:00+01:00", "2026-03-30T12:00+02:00"),
        ("2026-10-23T12:00+02:00", "2026-10-26T12:00+01:00"),
    ],
)
def test_the_time_of_day_stays_over_a_change_of_the_clock(moment: str, expected: str) -> None:
    assert business_days_after(utc(moment), 1, "Europe/Berlin") == utc(expected)


def test_a_time_that_does_not_exist_or_exists_twice_is_the_one_of_fold_0() -> None:
    # Clocks change on a weekday here: Cairo on Friday 2026-04-24, 00:00 to 01:00 does not exist; what
    # would be 00:30 is taken with the offset from before, two hours.
    assert business_days_after(utc("2026-04-23T00:30+02:00"), 1, "Africa/Cairo") == utc(
        "2026-04-24T00:30+02:00"
    )
    # On Thursday 2026-10-29 Cairo goes back from 24:00 to 23:00: 23:30 exists twice, the first is meant.
    assert business_days_after(utc("2026-10-28T23:30+03:00"), 1, "Africa/Cairo") == utc(
        "2026-10-29T23:30+03:00"
    )
    second = datetime(2026, 10, 29, 23, 30, fold=1, tzinfo=ZoneInfo("Africa/Cairo"))
    assert second.astimezone(UTC) == utc("2026-10-29T23:30+02:00")
    # From the second of the two one day on there is only one.
    assert business_days_after(second.astimezone(UTC), 1, "Africa/Cairo") == utc(
        "2026-10-30T23:30+02:00"
    )


@given(
    moment=st.integers(0, 2 * 365 * 24 * 60).map(
        lambda minutes: BEGIN + timedelta(minutes=minutes)
    ),
    days=st.integers(1, 30),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Africa/Cairo", "Pacific/Auckland"]),
)
def test_as_many_weekdays_lie_on_the_way(moment: datetime, days: int, zone: str) -> None:
    local = moment.astimezone(ZoneInfo(zone)).date()
    walked = 0
    while walked < days:
        local += timedelta(days=1)
        walked += local.weekday() < 5

    found = business_days_after(moment, days, zone).astimezone(ZoneInfo(zone))

    # A time that does not exist is shown an hour later; the day may be the next then, never another.
    assert (
        found.date() == local or found.utcoffset() != moment.astimezone(ZoneInfo(zone)).utcoffset()
    )
