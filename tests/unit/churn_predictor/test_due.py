"""The index of who is due forgets what was planned before, and does not grow with it."""

from datetime import timedelta

from services.churn_predictor.due import DueIndex
from tests.factories import DAY, START


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


def test_planning_anew_for_ever_takes_no_more_memory() -> None:
    index = DueIndex()
    for n in range(10_000):
        index.plan("c-1", START + timedelta(days=400 + n % 2))

    assert len(index) == 1
    assert len(index._heap) < 100
    assert index.take(START + 500 * DAY) == {"c-1"}
