"""What is known of feeds over all partitions, as of a tick."""

from collections.abc import Sequence
from datetime import datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.feeds import MAX_FEEDS, Forgotten, forget
from services.churn_predictor.heard_feeds import HeardFeeds
from services.churn_predictor.state import FeedState
from services.contracts.stream import FeedMark, FeedSilent, TickMark
from services.contracts.topics import HORIZON
from tests.factories import DAY, HOUR, START
from tests.unit.churn_predictor.heard import heard_feeds, keep, tick_mark

FEED = "carrier:dhl"

Spoken = FeedMark | TickMark | Forgotten


def mark(partition: int, tick: int, heard_at: datetime, feed: str = FEED) -> FeedMark:
    return FeedMark(feed=feed, partition=partition, tick=tick, heard_at=heard_at, events=1)


def test_what_was_heard_is_told_as_of_a_tick_over_all_partitions() -> None:
    feeds = heard_feeds(mark(0, 1, START), mark(1, 2, START + DAY), mark(0, 3, START + 2 * DAY))

    assert feeds.as_of(0) == {}
    assert feeds.as_of(1) == {FEED: START}
    assert feeds.as_of(2) == {FEED: START + DAY}
    assert feeds.as_of(9) == {FEED: START + 2 * DAY}


def test_what_was_said_counts_once_the_partition_has_said_all_of_its_tick() -> None:
    feeds = HeardFeeds(2)
    keep(feeds, mark(0, 1, START))

    assert feeds.as_of(1) == {}
    keep(feeds, tick_mark(0, 1))
    assert feeds.as_of(1) == {FEED: START}


def test_a_tick_is_complete_when_every_partition_has_spoken() -> None:
    feeds = HeardFeeds(2)
    keep(feeds, tick_mark(0, 4))

    assert feeds.complete(-1)
    assert not feeds.complete(4)
    keep(feeds, tick_mark(1, 4))
    assert feeds.complete(4)


def test_what_was_heard_is_known_up_to_where_the_slowest_partition_is() -> None:
    feeds = HeardFeeds(2)
    keep(feeds, *(tick_mark(0, tick) for tick in range(3, 20)))
    assert feeds.known_at(19) is None
    keep(feeds, tick_mark(1, 12))

    assert feeds.known_at(19) == START + 12 * HOUR
    keep(feeds, tick_mark(1, 19))
    assert feeds.known_at(19) == START + 19 * HOUR
    assert feeds.known_at(13) == START + 12 * HOUR
    # Of the first partition only the last few ticks are kept.
    assert feeds.known_at(5) is None


def test_a_notice_of_a_silence_is_no_mark_of_a_feed() -> None:
    feeds = HeardFeeds(2)
    silent = FeedSilent(
        feed=FEED,
        partition=0,
        tick=3,
        at=START,
        heard_at=START,
        silent_from=START,
        usual_gap_seconds=0,
    )

    keep(feeds, silent)

    assert (feeds.as_of(9), feeds.known_at(9)) == ({}, None)


_ELSEWHERE = mark(7, 1, START)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"x|0", b"{"),
        (b"x|0", b"[]"),
        (_ELSEWHERE.key.encode(), _ELSEWHERE.model_dump_json().encode()),
        (b"x|7", None),
        (b"x", None),
        (b"|0", None),
        (b"state|x", None),
    ],
)
def test_a_feed_record_nobody_can_read_is_passed_over(key: bytes, value: bytes | None) -> None:
    feeds = HeardFeeds(2)

    feeds.keep(key, value)
    keep(feeds, tick_mark(0, 1), tick_mark(1, 1))

    assert feeds.as_of(9) == {}


def test_a_feed_that_every_partition_has_forgotten_is_gone() -> None:
    feeds = HeardFeeds(2)
    keep(feeds, mark(0, 1, START), mark(1, 1, START + DAY), tick_mark(0, 1), tick_mark(1, 1))
    keep(feeds, Forgotten(f"{FEED}|1"), tick_mark(1, 2))

    assert feeds.as_of(1) == {FEED: START + DAY}
    assert feeds.as_of(2) == {FEED: START}
    keep(feeds, Forgotten(f"{FEED}|0"), tick_mark(0, 2))
    assert feeds.as_of(2) == {}


def test_a_partition_far_behind_learns_late_what_was_heard_and_never_too_early() -> None:
    feeds = HeardFeeds(2)
    for tick in range(1, 301):
        keep(feeds, mark(0, tick, START + tick * HOUR), tick_mark(0, tick))

    known = [feeds.as_of(tick).get(FEED) for tick in range(301)]

    assert all(at is None or at <= START + tick * HOUR for tick, at in enumerate(known))
    assert known[-60:] == [START + tick * HOUR for tick in range(241, 301)]
    assert known[100] is None
    keep(feeds, tick_mark(1, 300))
    assert feeds.as_of(300) == {FEED: START + 300 * HOUR}


_TURNS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40) | st.none()), max_size=3),
    ),
    max_size=30,
)


@given(_TURNS)
def test_whatever_was_said_the_answer_is_made_of_each_partitions_last_word(
    turns: Sequence[tuple[int, Sequence[tuple[str, int | None]]]],
) -> None:
    feeds, said, done = HeardFeeds(3), list[tuple[int, tuple[str, int], int | None]](), [-1, -1, -1]
    for partition, words in turns:
        done[partition] += 1
        for feed, hours in words:
            said.append((done[partition], (feed, partition), hours))
            if hours is None:
                keep(feeds, Forgotten(f"{feed}|{partition}"))
            else:
                keep(feeds, mark(partition, done[partition], START + hours * HOUR, feed))
        keep(feeds, tick_mark(partition, done[partition]))
        for asked in range(min(done), max(done) + 1):
            last = {place: hours for tick, place, hours in said if tick <= asked}
            heard: dict[str, datetime] = {}
            for (feed, _), hours in last.items():
                if hours is not None:
                    heard[feed] = max(heard.get(feed, START), START + hours * HOUR)
            assert feeds.as_of(asked) == heard


def test_of_too_many_feeds_publishers_go_first_the_least_lately_heard() -> None:
    feeds = {f"publisher:/{n}": FeedState(START + n * HOUR) for n in range(1, MAX_FEEDS + 2)}
    feeds["scans:slow"] = FeedState(START)

    gone = forget(feeds, 0, START + DAY + MAX_FEEDS * HOUR)

    assert gone == [Forgotten(f"publisher:/{n}|0", is_crowded_out=True) for n in (1, 2)]
    assert len(feeds) == MAX_FEEDS


def test_a_feed_of_long_ago_is_forgotten_and_its_mark_taken_back() -> None:
    feeds = {FEED: FeedState(START, changed=False), "carrier:new": FeedState(START + DAY)}

    assert forget(feeds, 4, START + HORIZON + HOUR) == [Forgotten(f"{FEED}|4")]
    assert feeds.keys() == {"carrier:new"}


def logs(chance: Random, partitions: int, ticks: int) -> list[list[Spoken]]:
    """What each partition said: at most of its ticks a word about one of sixty feeds."""
    found: list[list[Spoken]] = []
    for partition in range(partitions):
        log: list[Spoken] = []
        for tick in range(ticks):
            feed, heard_at = f"carrier:{chance.randrange(60)}", START + chance.randrange(400) * HOUR
            if chance.random() < 0.1:
                log.append(Forgotten(f"{feed}|{partition}"))
            elif chance.random() < 0.5:
                log.append(mark(partition, tick, heard_at, feed))
            log.append(tick_mark(partition, tick))
        found.append(log)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_who_reads_one_partition_after_the_other_knows_the_same(seed: int) -> None:
    """So a worker that starts reads the topic; for more ticks than are told apart."""
    chance = Random(seed)
    written = logs(chance, 4, 200)
    lived_through, restarted = HeardFeeds(4), HeardFeeds(4)
    for log in chance.sample(written, 4):
        keep(restarted, *log)
    for tick in range(200):
        for log in written:
            keep(lived_through, *of_tick(log, tick))

    assert restarted.as_of(199) == lived_through.as_of(199)


def of_tick(log: Sequence[Spoken], tick: int) -> list[Spoken]:
    """What lies between the mark of the tick before this one and its own."""
    ends = [-1, *(n for n, said in enumerate(log) if isinstance(said, TickMark))]
    return list(log[ends[tick] + 1 : ends[tick + 1] + 1])


def test_a_forgotten_voice_is_no_voice() -> None:
    feeds = HeardFeeds(2)
    ours = FeedMark(
        feed="publisher:/x", partition=0, tick=1, heard_at=START, events=1, voices=("dhl",)
    )
    theirs = ours.model_copy(update={"partition": 1, "voices": ()})
    keep(feeds, ours, theirs, tick_mark(0, 1), tick_mark(1, 1))
    assert feeds.relays(1, feeds.as_of(1)) == {"publisher:/x"}

    keep(feeds, Forgotten(ours.key), tick_mark(0, 2))
    assert feeds.relays(2, feeds.as_of(2)) == frozenset()
    keep(feeds, tick_mark(1, 2))
    assert feeds.relays(2, feeds.as_of(2)) == frozenset()


def test_of_how_many_partitions_the_state_is_one_is_known_also_of_those_beyond_ours() -> None:
    feeds = HeardFeeds(2)
    unsaid = TickMark(partition=0, tick=1, at=START)
    keep(feeds, unsaid)
    assert feeds.layouts == frozenset()

    keep(feeds, unsaid.model_copy(update={"layouts": (2,)}))
    keep(feeds, TickMark(partition=3, tick=1, at=START, layouts=(2, 4)))

    assert feeds.layouts == {2, 4}
