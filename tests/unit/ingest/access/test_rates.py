"""How much may come: a burst at once, the rate in the long run, and no account for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.access.rates import Buckets, Rate

RATE = Rate(events_per_second=10, burst=5)


def test_a_burst_at_once_and_then_what_comes_back() -> None:
    buckets = Buckets()
    for _ in range(5):
        assert buckets.wait_seconds("a", RATE, 0) == 0
        buckets.take("a", RATE, 0, 1)

    assert buckets.wait_seconds("a", RATE, 0) == pytest.approx(0.1)
    assert buckets.wait_seconds("b", RATE, 0) == 0
    assert buckets.wait_seconds("a", RATE, 0.11) == 0
    assert buckets.room("a", RATE, 100) == 5


def test_a_batch_beyond_the_burst_comes_in_once_and_is_waited_for() -> None:
    buckets = Buckets()
    assert buckets.wait_seconds("a", RATE, 0) == 0
    buckets.take("a", RATE, 0, 500)

    assert buckets.wait_seconds("a", RATE, 0) == pytest.approx(49.6)
    assert buckets.wait_seconds("a", RATE, 49.7) == 0


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 500)), max_size=60),
    st.floats(0.5, 1000),
    st.integers(1, 1000),
)
def test_never_more_than_the_rate_a_burst_and_one_batch(
    asked: list[tuple[float, int]], per_second: float, burst: int
) -> None:
    rate, buckets, at, taken, last = Rate(per_second, burst), Buckets(), 0.0, 0, 0
    for pause, events in asked:
        at += pause
        if buckets.wait_seconds("a", rate, at) == 0:
            buckets.take("a", rate, at, events)
            taken, last = taken + events, events

    assert taken - last <= burst + at * per_second + 1e-6


def test_the_headers_say_how_much_is_left() -> None:
    buckets = Buckets()
    buckets.take("a", RATE, 0, 3)

    assert buckets.headers("a", RATE, 0) == {
        "ratelimit-policy": '"events";q=5;w=1',
        "ratelimit": '"events";r=2;t=1',
    }
    buckets.take("a", RATE, 0, 30)
    assert buckets.headers("a", RATE, 0)["ratelimit"] == '"events";r=0;t=4'


def test_no_more_accounts_are_remembered_than_there_is_room_for() -> None:
    buckets = Buckets(most=3)
    for number in range(10):
        buckets.take(f"a{number}", RATE, number / 100, 1 + number)

    assert len(buckets) == 3
    assert buckets.room("a9", RATE, 0.09) < 0
