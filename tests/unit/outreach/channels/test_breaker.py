"""A provider in trouble is left alone, one that asks to wait is waited for, and none is asked too fast."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.outreach.channels.breaker import Breaker, Patience, Phase
from services.outreach.channels.endings import Delivery, Ending

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)
PATIENCE = Patience(failures=3, cool_down=30 * SECOND, longest_cool_down=100 * SECOND)

TAKEN = Delivery(Ending.TAKEN)
DEFERRED = Delivery(Ending.DEFERRED)
UNKNOWN = Delivery(Ending.UNKNOWN)
REFUSED = Delivery(Ending.REFUSED)
GREYLISTED = Delivery(Ending.DEFERRED, about_recipient=True)

patiences = st.builds(
    Patience,
    failures=st.integers(1, 4),
    cool_down=st.timedeltas(TICK, 60 * SECOND),
    longest_cool_down=st.timedeltas(60 * SECOND, 600 * SECOND),
    interval=st.timedeltas(timedelta(0), 10 * SECOND),
    burst=st.integers(1, 5),
)
deliveries = st.builds(
    Delivery,
    st.sampled_from(Ending),
    retry_after=st.none() | st.timedeltas(timedelta(0), 60 * SECOND),
)
waits = st.timedeltas(timedelta(0), 40 * SECOND)


def attempted(breaker: Breaker, delivery: Delivery, now: datetime) -> Breaker:
    assert breaker.may_send(now) is None
    return breaker.begun(now).ended(delivery, now)


def opened(now: datetime = NOW) -> Breaker:
    breaker = Breaker(PATIENCE)
    for _ in range(3):
        breaker = attempted(breaker, DEFERRED, now)
    return breaker


def test_a_new_one_lets_everything_through() -> None:
    assert Breaker().may_send(NOW) is None
    assert Breaker().phase(NOW) is Phase.CLOSED


@pytest.mark.parametrize("trouble", [DEFERRED, UNKNOWN])
def test_so_many_failures_in_a_row_open_the_circuit_for_a_while(trouble: Delivery) -> None:
    breaker = Breaker(PATIENCE)
    for _ in range(2):
        breaker = attempted(breaker, trouble, NOW)
    assert breaker.phase(NOW) is Phase.CLOSED

    breaker = attempted(breaker, trouble, NOW)

    assert breaker.phase(NOW) is Phase.OPEN
    assert breaker.may_send(NOW) == NOW + 30 * SECOND
    assert breaker.may_send(NOW + 30 * SECOND - TICK) == NOW + 30 * SECOND
    assert breaker.may_send(NOW + 30 * SECOND) is None
    assert breaker.phase(NOW + 30 * SECOND) is Phase.HALF_OPEN


@pytest.mark.parametrize("answer", [TAKEN, REFUSED, GREYLISTED])
def test_an_answer_in_between_begins_the_count_anew(answer: Delivery) -> None:
    breaker = Breaker(PATIENCE)
    for delivery in (DEFERRED, DEFERRED, answer, DEFERRED, DEFERRED):
        breaker = attempted(breaker, delivery, NOW)

    assert breaker.phase(NOW) is Phase.CLOSED


def test_a_server_that_puts_off_each_new_recipient_is_not_left_alone() -> None:
    breaker = Breaker()
    for number in range(50):
        breaker = attempted(breaker, GREYLISTED, NOW + number * SECOND)

    assert breaker.phase(NOW + 50 * SECOND) is Phase.CLOSED
    assert breaker.may_send(NOW + 50 * SECOND) is None


def test_half_open_lets_one_through_and_the_next_waits_for_its_end() -> None:
    then = NOW + 30 * SECOND
    probing = opened().begun(then)

    assert probing.may_send(then) == then + 30 * SECOND
    assert probing.ended(TAKEN, then + SECOND).may_send(then + SECOND) is None
    assert probing.ended(TAKEN, then + SECOND).phase(then + SECOND) is Phase.CLOSED
    assert probing.ended(DEFERRED, then + SECOND).phase(then + SECOND) is Phase.OPEN


def test_one_that_never_ends_is_not_waited_for_without_end() -> None:
    then = NOW + 30 * SECOND
    probing = opened().begun(then)

    assert probing.may_send(then + 30 * SECOND) is None


def test_each_time_it_stays_open_twice_as_long_up_to_a_limit() -> None:
    breaker, now, waited = opened(), NOW, []
    for _ in range(40):
        until = breaker.may_send(now)
        assert until is not None
        waited.append((until - now) / SECOND)
        now = until
        breaker = attempted(breaker, UNKNOWN, now)

    assert waited[:4] == [30, 60, 100, 100]
    assert set(waited[2:]) == {100}
    closed = attempted(breaker, TAKEN, now + 100 * SECOND)
    assert closed == Breaker(PATIENCE, full_at=closed.full_at)


def test_what_was_begun_before_it_opened_lengthens_nothing_by_failing() -> None:
    late = opened()

    for _ in range(5):
        late = late.ended(DEFERRED, NOW + SECOND)

    assert late == opened()


@pytest.mark.parametrize("delivery", [DEFERRED, REFUSED, TAKEN, UNKNOWN])
def test_a_provider_that_asks_to_wait_is_waited_for_at_once(delivery: Delivery) -> None:
    asked = attempted(Breaker(PATIENCE), replace(delivery, retry_after=90 * SECOND), NOW)

    assert asked.may_send(NOW) == NOW + 90 * SECOND
    assert asked.may_send(NOW + 90 * SECOND) is None


def test_a_shorter_wait_does_not_take_back_a_longer_one() -> None:
    asked = Breaker(PATIENCE).ended(replace(DEFERRED, retry_after=90 * SECOND), NOW)

    assert asked.ended(replace(DEFERRED, retry_after=SECOND), NOW).may_send(NOW) == (
        NOW + 90 * SECOND
    )


def test_after_a_pause_so_many_go_at_once_and_then_one_at_a_time() -> None:
    breaker, now, sent = Breaker(Patience(interval=SECOND, burst=3)), NOW, []
    for _ in range(6):
        now = breaker.may_send(now) or now
        sent.append((now - NOW) / SECOND)
        breaker = breaker.begun(now).ended(TAKEN, now)

    assert sent == [0, 0, 0, 1, 2, 3]
    assert breaker.may_send(now + 5 * SECOND) is None


@given(patiences, st.lists(waits, max_size=40))
def test_no_window_of_time_sees_more_than_the_pace_allows(
    patience: Patience, pauses: list[timedelta]
) -> None:
    breaker, now, sent = Breaker(patience), NOW, []
    for pause in pauses:
        now = breaker.may_send(now + pause) or now + pause
        sent.append(now)
        breaker = breaker.begun(now).ended(TAKEN, now)

    for first, begun in enumerate(sent):
        for last in range(first, len(sent)):
            needed = patience.interval * max(0, last - first + 1 - patience.burst)
            assert sent[last] - begun >= needed


@given(patiences, st.lists(st.tuples(waits, deliveries), max_size=30))
def test_whatever_happened_it_says_the_first_instant_at_which_it_lets_one_through(
    patience: Patience, history: list[tuple[timedelta, Delivery]]
) -> None:
    breaker, now = Breaker(patience), NOW
    for wait, delivery in history:
        now += wait
        breaker = breaker.begun(now) if breaker.may_send(now) is None else breaker
        breaker = breaker.ended(delivery, now)

        until = breaker.may_send(now)
        if until is not None:
            assert until > now
            assert breaker.may_send(until) is None
            assert breaker.may_send(until - TICK) == until


@given(patiences, st.lists(st.tuples(waits, st.sampled_from([DEFERRED, UNKNOWN])), max_size=60))
def test_of_a_provider_that_stays_away_no_more_is_asked_than_one_for_each_time_it_opened(
    patience: Patience, history: list[tuple[timedelta, Delivery]]
) -> None:
    breaker, now, asked = Breaker(patience), NOW, 0
    for wait, delivery in history:
        now += wait
        if breaker.may_send(now) is None:
            asked += 1
            breaker = attempted(breaker, delivery, now)

    assert asked <= patience.failures + (now - NOW) / patience.cool_down


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"failures": 0}, "failures and burst"),
        ({"burst": 0}, "failures and burst"),
        ({"interval": -TICK}, "interval"),
        ({"cool_down": timedelta(0)}, "cool_down"),
        ({"cool_down": timedelta(days=1)}, "cool_down"),
    ],
)
def test_patience_without_sense_is_noticed(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        replace(PATIENCE, **wrong)
