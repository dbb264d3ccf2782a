"""Simulated time stays on its grid, skips what is empty and never leaps past what the door allows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.topics import MAX_FUTURE_SKEW
from services.demo.steps import MAX_LEAP, check_step, next_tick

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=30)
HOUR = timedelta(hours=1)


def after(now: datetime, due: datetime | None, step: timedelta = HOUR) -> datetime:
    return next_tick(now, due, start=START, end=END, step=step)


def test_an_event_within_the_next_hour_is_reached_at_its_end() -> None:
    assert after(START, START + timedelta(minutes=20)) == START + HOUR


def test_an_event_on_the_grid_is_reached_exactly() -> None:
    assert after(START, START + 3 * HOUR) == START + 3 * HOUR


def test_empty_hours_are_skipped() -> None:
    assert after(START, START + timedelta(hours=6, minutes=1)) == START + 7 * HOUR


def test_what_is_overdue_already_is_reached_in_the_next_step() -> None:
    assert after(START + 5 * HOUR, START) == START + 6 * HOUR


def test_without_anything_due_time_goes_to_the_end_in_leaps() -> None:
    assert after(END - 3 * HOUR, None) == END
    assert after(START, None) == START + MAX_LEAP


def test_two_leaps_fit_into_what_the_door_allows() -> None:
    assert 2 * MAX_LEAP <= MAX_FUTURE_SKEW


MOMENTS = st.integers(-24 * 60, 60 * 24 * 60).map(lambda n: START + timedelta(minutes=n))


@given(
    step=st.integers(1, 720).map(lambda n: timedelta(minutes=n)),
    number=st.integers(0, 1000),
    due=st.none() | MOMENTS,
)
def test_a_tick_is_later_on_the_grid_and_not_too_far(
    step: timedelta, number: int, due: datetime | None
) -> None:
    now = START + number * step
    if now >= END:
        return
    at = after(now, due, step)
    assert now < at <= now + MAX_LEAP
    assert (at - START) % step == timedelta(0)
    assert at <= END + step
    # Nothing due is passed over: the tick before this one lay before it.
    assert due is None or at - step < max(due, now + timedelta(microseconds=1))


@pytest.mark.parametrize("step", [timedelta(0), timedelta(seconds=59), MAX_LEAP + HOUR])
def test_steps_the_door_or_patience_cannot_bear_are_refused(step: timedelta) -> None:
    with pytest.raises(ValueError, match="a step lasts"):
        check_step(step)
