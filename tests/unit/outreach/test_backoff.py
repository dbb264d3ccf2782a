"""Trying again: patient, spread out, and never past the use-by."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.outreach.backoff import AT_ONCE, PATIENT

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
STEP = UUID(int=12345)


@given(st.integers(1, 500), st.integers(0, 10**6), st.uuids())
def test_an_attempt_never_falls_behind_the_use_by(attempt: int, seconds: int, step: UUID) -> None:
    use_by = NOW + timedelta(seconds=seconds)

    at = PATIENT.next_attempt(NOW, attempt, use_by, step)

    assert at is None or NOW < at <= use_by - PATIENT.room


def test_an_attempt_at_the_last_moment_is_given_up_while_there_is_time_for_another_way() -> None:
    at = PATIENT.next_attempt(NOW, 1, NOW + timedelta(days=1), STEP)
    assert at is not None

    assert PATIENT.next_attempt(NOW, 1, at + PATIENT.room, STEP) == at
    assert PATIENT.next_attempt(NOW, 1, at + timedelta(seconds=9), STEP) is None


def test_waits_grow_up_to_a_limit() -> None:
    far = NOW + timedelta(days=30)
    waits = [PATIENT.next_attempt(NOW, n, far, STEP) for n in range(1, 12)]

    assert all(wait is not None for wait in waits)
    assert waits[0] is not None
    assert waits[0] - NOW >= timedelta(seconds=30)
    assert all(wait is not None and wait - NOW <= timedelta(minutes=90) for wait in waits)


def test_two_steps_do_not_come_back_together() -> None:
    far = NOW + timedelta(days=30)

    times = {PATIENT.next_attempt(NOW, 3, far, UUID(int=n * 7919)) for n in range(1, 50)}

    assert len(times) == 49


def test_where_time_stands_still_three_attempts_are_enough() -> None:
    far = NOW + timedelta(days=1)

    found = [AT_ONCE.next_attempt(NOW, n, far, STEP) for n in (1, 2, 3)]

    assert found == [NOW, NOW, None]
