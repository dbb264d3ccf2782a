"""Due index, heard feeds, features."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.due import DueIndex
from services.churn_predictor.facts import Facts
from services.churn_predictor.features import features
from services.churn_predictor.feeds import HeardFeeds
from services.churn_predictor.learning import learn
from services.churn_predictor.parcels import parcels
from services.contracts.stream import FeedMark, FeedSilent, TickMark
from tests.factories import DAY, HOUR, START, promised

plans = st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 20)), max_size=30)


@given(plans=plans, until=st.integers(0, 20))
def test_the_due_index_agrees_with_a_plain_dictionary(
    plans: list[tuple[str, int | None]], until: int
) -> None:
    index, model = DueIndex(), dict[str, datetime]()
    for customer, hours in plans:
        at = None if hours is None else START + hours * HOUR
        index.plan(customer, at)
        model.pop(customer, None)
        if at is not None:
            model[customer] = at
    now = START + until * HOUR

    assert index.next() == min(model.values(), default=None)
    assert index.take(now) == {customer for customer, at in model.items() if at <= now}
    assert index.next() == min((at for at in model.values() if at > now), default=None)


def _mark(partition: int, tick: int, heard_at: datetime) -> bytes:
    mark = FeedMark(feed="carrier:dhl", partition=partition, tick=tick, heard_at=heard_at, events=1)
    return mark.model_dump_json().encode()


def test_what_was_heard_is_told_as_of_a_tick_over_all_partitions() -> None:
    feeds = HeardFeeds(2)
    feeds.keep(_mark(0, 1, START))
    feeds.keep(_mark(1, 2, START + DAY))
    feeds.keep(_mark(0, 3, START + 2 * DAY))

    assert feeds.as_of(0) == {}
    assert feeds.as_of(1) == {"carrier:dhl": START}
    assert feeds.as_of(2) == {"carrier:dhl": START + DAY}
    assert feeds.as_of(9) == {"carrier:dhl": START + 2 * DAY}


def test_a_tick_is_complete_when_every_partition_has_spoken() -> None:
    feeds = HeardFeeds(2)
    feeds.keep(TickMark(partition=0, tick=4, at=START).model_dump_json().encode())

    assert feeds.complete(-1)
    assert not feeds.complete(4)
    feeds.keep(TickMark(partition=1, tick=4, at=START).model_dump_json().encode())
    assert feeds.complete(4)


def _tick_mark(partition: int, tick: int, at: datetime) -> bytes:
    return TickMark(partition=partition, tick=tick, at=at).model_dump_json().encode()


def test_what_was_heard_is_known_up_to_where_the_slowest_partition_is() -> None:
    feeds = HeardFeeds(2)
    for tick in range(3, 20):
        feeds.keep(_tick_mark(0, tick, START + tick * HOUR))
    assert feeds.known_at(19) is None
    feeds.keep(_tick_mark(1, 12, START + 12 * HOUR))

    assert feeds.known_at(19) == START + 12 * HOUR
    feeds.keep(_tick_mark(1, 19, START + 19 * HOUR))
    assert feeds.known_at(19) == START + 19 * HOUR
    assert feeds.known_at(13) == START + 12 * HOUR
    # Of the first partition only the last few ticks are kept.
    assert feeds.known_at(5) is None


def test_a_notice_of_a_silence_is_no_mark_of_a_feed() -> None:
    feeds = HeardFeeds(2)
    silent = FeedSilent(
        feed="carrier:dhl",
        partition=0,
        tick=3,
        at=START,
        heard_at=START,
        silent_from=START,
        usual_gap_seconds=0,
    )

    feeds.keep(silent.model_dump_json().encode())

    assert (feeds.as_of(9), feeds.known_at(9)) == ({}, None)


@pytest.mark.parametrize("record", [b"{", b"[]", _mark(7, 1, START)])
def test_a_feed_record_nobody_can_read_is_passed_over(record: bytes) -> None:
    feeds = HeardFeeds(2)

    feeds.keep(record)

    assert feeds.as_of(9) == {}


def test_an_estimate_told_after_the_decision_point_does_not_count_in_it() -> None:
    facts = Facts()
    learn(facts, promised(by=START + 5 * DAY, at=START))
    learn(facts, promised(by=START + 9 * DAY, at=START + 4 * DAY))
    (parcel,) = parcels(facts)

    assert features(parcel, facts, START + 3 * DAY)["estimate_moved_days"] == 0
    assert features(parcel, facts, START + 4 * DAY)["estimate_moved_days"] == 4
