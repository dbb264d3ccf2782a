"""The index of who is due forgets what was planned before, and does not grow with it."""

from datetime import timedelta

from services.churn_predictor.due import DueIndex, WaitIndex
from tests.factories import DAY, HOUR, START


def test_only_the_latest_plan_counts() -> None:
    index = DueIndex()
    index.plan("c-1", START)
    index.plan("c-1", START + DAY)
    index.plan("c-2", START + 2 * DAY)
    index.plan("c-2", None)

    assert index.take(START) == set()
    assert index.next() == START + DAY
    assert index.take(START + 9 * DAY) == {"c-1"}
    assert index.next() is None


def test_the_first_is_taken_alone_by_instant_and_then_by_name() -> None:
    index = DueIndex()
    for name, days in (("c-3", 1), ("c-2", 1), ("c-1", 2), ("c-0", 0)):
        index.plan(name, START + days * DAY)
    index.plan("c-0", None)

    assert [index.take_first() for _ in range(4)] == ["c-2", "c-3", "c-1", None]
    assert len(index) == 0


def test_planning_anew_for_ever_takes_no_more_memory() -> None:
    index = DueIndex()
    for n in range(10_000):
        index.plan("c-1", START + timedelta(days=400 + n % 2))

    assert len(index) == 1
    assert len(index._heap) < 100
    assert index.take(START + 500 * DAY) == {"c-1"}


def test_who_waits_for_a_feed_is_freed_once_it_is_heard_late_enough() -> None:
    index = WaitIndex()
    index.plan("c-1", {"carrier:a": START, "carrier:b": START + HOUR})
    index.plan("c-2", {"carrier:b": START})

    assert set(index.take({"carrier:b": START, "carrier:other": START})) == {"c-2"}
    assert set(index.take({"carrier:b": START + HOUR})) == {"c-1"}
    assert set(index.take({"carrier:b": START + HOUR})) == set()


def test_feeds_nobody_waits_for_any_more_leave_nothing_behind() -> None:
    index = WaitIndex()
    for number in range(1_000):
        index.plan("c-1", {f"publisher:/pod-{number}": START})
    index.plan("c-2", {"publisher:/pod-7": START})
    for _ in index.take({"publisher:/pod-7": START}):
        pass

    assert len(index) == 1
    assert index._waiting.keys() == {"publisher:/pod-999"}
    index.plan("c-2", {})
    index.plan("c-1", {})
    assert not index._waiting
