"""Business days: weekdays in somebody's own zone, at the same time of day."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.expectations.business_days import business_days_after

EARLIEST, LATEST = datetime(2020, 1, 1), datetime(2030, 1, 1)  # noqa: DTZ001 - as Hypothesis wants them
THURSDAY = datetime(2026, 1, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (THURSDAY, 1, datetime(2026, 1, 2, 10, tzinfo=UTC)),
        (THURSDAY, 2, datetime(2026, 1, 5, 10, tzinfo=UTC)),
        (datetime(2026, 1, 3, 10, tzinfo=UTC), 1, datetime(2026, 1, 5, 10, tzinfo=UTC)),
        (datetime(2026, 1, 4, 10, tzinfo=UTC), 5, datetime(2026, 1, 9, 10, tzinfo=UTC)),
    ],
)
def test_saturdays_and_sundays_are_not_counted(start: datetime, days: int, end: datetime) -> None:
    assert business_days_after(start, days, "UTC") == end


def test_the_weekend_is_the_recipients() -> None:
    """Friday 23:00 in UTC is Saturday morning in Auckland: one day later is Monday there."""
    friday = datetime(2026, 1, 2, 23, tzinfo=UTC)

    assert business_days_after(friday, 1, "UTC") == datetime(2026, 1, 5, 23, tzinfo=UTC)
    assert business_days_after(friday, 1, "Pacific/Auckland") == datetime(
        2026, 1, 4, 23, tzinfo=UTC
    )


def test_the_time_of_day_stays_over_a_clock_change() -> None:
    """Berlin leaves winter time on 29 March 2026: 10:00 there is 09:00 and then 08:00 in UTC."""
    friday = datetime(2026, 3, 27, 9, tzinfo=UTC)

    assert business_days_after(friday, 1, "Europe/Berlin") == datetime(2026, 3, 30, 8, tzinfo=UTC)


def test_a_time_that_does_not_exist_is_taken_as_before_the_change() -> None:
    """Cairo skips the first hour of Friday 24 April 2026."""
    thursday = datetime(2026, 4, 22, 22, 30, tzinfo=UTC)  # 00:30 on 23 April in Cairo

    # 00:30 on 24 April does not exist there: with the old offset it is 22:30 in UTC.
    assert business_days_after(thursday, 1, "Africa/Cairo") == datetime(
        2026, 4, 23, 22, 30, tzinfo=UTC
    )


@given(
    start=st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
    days=st.integers(1, 30),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Auckland"]),
)
def test_more_days_are_later(start: datetime, days: int, zone: str) -> None:
    assert (
        start < business_days_after(start, days, zone) < business_days_after(start, days + 1, zone)
    )
