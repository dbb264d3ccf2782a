"""Whatever the order and the repeats: customers, attempts, trials and useful messages."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts import customer_metrics
from services.contracts.contacts import ContactReason
from services.contracts.metric import Metric
from services.contracts.outreach import Outcome
from services.contracts.problems import Clearing
from services.metrics.figures.customers import Customers
from services.metrics.figures.usefulness import Usefulness
from tests.unit.metrics.customer_stories import (
    DELAY,
    LAPSE,
    absence,
    bought,
    cancelled,
    complaint,
    drawn,
    ended,
    erased,
    lapse,
    merged,
    of,
    over,
    wrote,
)
from tests.unit.metrics.stories import Read, answered, fold_all, series
from tests.unit.metrics.test_fold_laws import figures as with_zeros
from tests.unit.metrics.test_fold_laws import is_counter

IDS = st.sampled_from(["c-1", "c-2", "c-3"])
ORDERS = st.sampled_from(["o-1", "o-2", "o-3"])
DEADLINES = {"o-1": 0.5, "o-2": 1, "o-3": 1.5}
PLAYBOOKS = st.sampled_from([DELAY, LAPSE])
EARLY = st.integers(0, 48).map(lambda hours: hours / 24)
ARMS = st.sampled_from([Outcome.CONTACT, Outcome.HELD_OUT, Outcome.SUPPRESSED])
OF_CUSTOMERS = tuple(
    metric.name for metric in vars(customer_metrics).values() if isinstance(metric, Metric)
)
MERGES = st.builds(merged, st.just("c-2"), st.just("c-1"), EARLY)


def figures(records: list[Read]) -> dict[str, float]:
    """Return the figures of these families less what was withdrawn; whether a 0 is shown does not matter.

    Others forget sooner what they know a repeat by.
    """
    return {
        name: value
        for name, value in with_zeros(records).items()
        if value and name.startswith(OF_CUSTOMERS)
    }


def orders(days: st.SearchStrategy[float]) -> st.SearchStrategy[Read]:
    """Return purchases and cancellations on these days."""
    return st.one_of(st.builds(bought, ORDERS, days, IDS), st.builds(cancelled, ORDERS, days, IDS))


def stories(*records: st.SearchStrategy[Read]) -> st.SearchStrategy[list[Read]]:
    """Return stories of such records, each told once."""
    return st.lists(st.one_of(*records), max_size=25, unique_by=repr)


RHYTHM = stories(
    orders(st.sampled_from([0.0, 0.5, 60, 90, 91, 100, 200, 300, 301])),
    MERGES,
    st.builds(over, st.sampled_from([1.0, 30, 90.5, 95, 150, 181, 250, 303])),
)
"""Told months late: of purchases nothing is forgotten."""

CARE = stories(
    orders(st.sampled_from([0.0, 1, 20, 31, 32])),
    MERGES,
    st.builds(lapse, IDS, EARLY),
    st.builds(drawn, IDS, EARLY, ARMS, PLAYBOOKS, st.one_of(st.none(), ORDERS)),
    st.builds(wrote, IDS, EARLY, PLAYBOOKS),
    st.builds(wrote, IDS, EARLY, st.just(DELAY), ORDERS),
    st.builds(complaint, IDS, EARLY, ORDERS, st.sampled_from(list(ContactReason))),
    st.builds(of, IDS, st.builds(answered, ORDERS, st.integers(0, 48), st.integers(1, 5))),
    ORDERS.map(lambda order: absence(order, 2, DEADLINES[order])),
    st.builds(
        lambda order, day, how: ended(order, day, DEADLINES[order], how),
        ORDERS,
        EARLY,
        st.sampled_from(list(Clearing)),
    ),
    st.builds(over, st.sampled_from([0.5, 1, 2, 14.5, 15.5, 17, 31, 33])),
)
"""Told within the slack, so that nothing is forgotten yet."""

ERASURES = stories(
    orders(EARLY),
    MERGES,
    st.builds(lapse, IDS, EARLY),
    st.builds(drawn, IDS, EARLY, ARMS, PLAYBOOKS, ORDERS),
    st.builds(erased, IDS, st.integers(24, 48).map(lambda hours: hours / 24)),
    st.builds(over, EARLY),
)
"""Told within a day of the erasure, so that nothing is forgotten yet."""


@settings(max_examples=150)
@given(story=st.one_of(RHYTHM, CARE, ERASURES), data=st.data())
def test_repeated_and_shuffled_records_give_the_same_figures(
    story: list[Read], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(story), max_size=10)) if story else []
    shuffled = data.draw(st.permutations(story + repeats))

    assert figures(shuffled) == figures(story)


@settings(max_examples=100)
@given(story=st.one_of(RHYTHM, CARE, ERASURES))
def test_no_counter_ever_falls_and_no_gauge_is_negative(story: list[Read]) -> None:
    before: dict[str, float] = {}
    for length in range(1, len(story) + 1):
        now = series(fold_all(story[:length]))
        assert {n for n, v in before.items() if is_counter(n) and now.get(n, 0) < v} == set()
        gauges = [n for n in now if n.startswith(("care_customers_active", "care_customers_by_"))]
        assert [name for name in gauges if now[name] < 0] == []
        before = now


@settings(max_examples=100)
@given(story=st.one_of(RHYTHM, CARE, ERASURES), cut=st.integers(0, 25))
def test_a_snapshot_goes_on_as_if_nothing_had_been(story: list[Read], cut: int) -> None:
    state = fold_all(story[:cut])
    for name, family in (("customers", Customers), ("usefulness", Usefulness)):
        packed = msgspec.msgpack.encode(getattr(state, name))
        assert msgspec.msgpack.decode(packed, type=family) == getattr(state, name)


@settings(max_examples=100)
@given(story=st.one_of(RHYTHM, CARE))
def test_late_facts_beyond_the_slack_count_nothing_twice(story: list[Read]) -> None:
    """Long after everything was forgotten the whole story is told again."""
    once = figures([*story, over(340)])

    assert figures([*story, over(340), *story, over(341)]) == once | figures([*story, over(341)])
