"""Where each thing in the state of one partition belongs once there are more partitions."""

import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.churn_predictor import state as st
from services.churn_predictor.exchange import HISTORY_KEY, NEWS_KEY
from services.churn_predictor.feed_rhythm import Rhythm
from services.churn_predictor.identities import MOVE_KEY, NAME_KEY, SAMPLE_KEY
from services.churn_predictor.moves import Move
from services.churn_predictor.relocation import (
    DamagedEntry,
    Layout,
    UnknownEntry,
    digest_of,
    divided,
    mark_of,
    readdressed,
    together,
    told_apart,
)
from services.churn_predictor.state import (
    FORMAT,
    PARTITION,
    CustomerState,
    PartitionState,
    SourceState,
)
from services.contracts.stream import Answered, Asked, HistoryNews, Observed
from services.kit.kafka_clients import partition_of
from tests.factories import START

LAYOUT = Layout(4, 8)
IDS = some.text("abcdef0123456789-", min_size=1, max_size=12)
TOPIC = UUID(int=7)


def home(key: bytes) -> int:
    return partition_of(key, LAYOUT.after)


def owned(number: int, **fields: object) -> PartitionState:
    """Return the state of a partition that has read something."""
    source = SourceState(TOPIC, next_offset=9, applied=9)
    state = PartitionState(
        sources={"purchases": source}, since=START, number=5, at=START + timedelta(hours=5)
    )
    return replace(state, **fields)  # type: ignore[arg-type]


@given(IDS, some.integers(1, 12), some.integers(2, 4))
def test_a_key_belongs_to_a_sibling_of_the_partition_it_was_in(
    key: str, before: int, times: int
) -> None:
    layout = Layout(before, before * times)
    number = partition_of(key.encode(), layout.before)

    assert layout.siblings(number)[0] == number
    assert partition_of(key.encode(), layout.after) in layout.siblings(number)
    assert len(layout.siblings(number)) == times


def test_customers_and_histories_go_home_and_the_rest_is_told_apart() -> None:
    entries = {
        st.partition_key(1): PARTITION.dump_json(owned(1)),
        b"c-1": b"one",
        b"c-2": b"two",
        HISTORY_KEY + b"seller:s-1": b"history",
        NAME_KEY + b"ab12": b"known",
        SAMPLE_KEY: b"sample",
        NEWS_KEY + b"17": HistoryNews(partition=1, tick=4).encode(),
        MOVE_KEY + b"3": Move(1, 4, "c-1", (), CustomerState()).encode(),
    }

    found = told_apart(1, entries, home)

    assert found.state == owned(1)
    assert found.customers == 2
    assert found.settled == {
        b"c-1": home(b"c-1"),
        b"c-2": home(b"c-2"),
        HISTORY_KEY + b"seller:s-1": home(b"seller:s-1"),
    }
    assert found.leaving == {key: to for key, to in found.settled.items() if to != 1}
    assert sorted(found.shared) == sorted([NAME_KEY + b"ab12", SAMPLE_KEY])
    assert (found.news, found.moves) == ([NEWS_KEY + b"17"], [MOVE_KEY + b"3"])


def test_what_nobody_knows_is_not_left_behind() -> None:
    with pytest.raises(UnknownEntry, match="whatever"):
        told_apart(1, {st.INTERNAL + b"whatever-1": b""}, home)


@pytest.mark.parametrize("key", [MOVE_KEY + b"3", st.partition_key(1)])
def test_what_a_newer_version_wrote_is_known_before_anything_is_moved(key: bytes) -> None:
    newer = b'{"format": %d}' % (FORMAT + 1)

    with pytest.raises(UnknownEntry, match=f"entries in format {FORMAT + 1}"):
        told_apart(1, {key: newer}, home)


@pytest.mark.parametrize("key", [MOVE_KEY + b"3", NEWS_KEY + b"17", st.partition_key(1)])
@pytest.mark.parametrize("value", [b"no such thing", b'{"tick": "tomorrow", "since": []}'])
def test_what_cannot_be_read_is_known_before_anything_is_moved(key: bytes, value: bytes) -> None:
    with pytest.raises(DamagedEntry, match=re.escape(f"{key!r} of partition 1")):
        told_apart(1, {key: value}, home)


def test_a_sibling_begins_where_time_is_and_counts_nothing_anew() -> None:
    names = [f"carrier:{n}" for n in range(99)]
    rhythms = {n: Rhythm(START) for n in names if partition_of(n.encode(), LAYOUT.before) == 1}
    own = owned(1, rhythms=rhythms, changelog_id=TOPIC)

    states = divided(own, {}, LAYOUT, home, 1)

    assert sorted(states) == [1, 5]
    assert states[1].sources == own.sources
    assert states[5].sources == {}
    for state in states.values():
        assert (state.since, state.number, state.at) == (own.since, own.number, own.at)
        assert (state.changelog_id, state.layouts) == (TOPIC, (4, 8))
    assert states[1].rhythms.keys() | states[5].rhythms.keys() == rhythms.keys()
    elsewhere = {feed for feed in rhythms if home(feed.encode()) == 5}
    assert states[5].rhythms.keys() == elsewhere
    assert elsewhere


def test_divided_twice_is_divided_once() -> None:
    feed = next(f"carrier:{n}" for n in range(99) if home(f"carrier:{n}".encode()) == 5)
    states = divided(owned(1, rhythms={feed: Rhythm(START)}), {}, LAYOUT, home, 1)

    again = divided(states[1], {5: states[5]}, LAYOUT, home, 1)

    assert again == states
    assert feed in again[5].rhythms


def test_letters_go_to_whom_they_concern_and_are_answered_where_the_customer_is() -> None:
    news = HistoryNews(
        partition=1,
        tick=4,
        observed=(Observed("seller:s-1", "late", "sh-1", START, 1),),
        asked=(Asked("c-1", "o-1", "seller:s-2", START),),
        answered=(Answered("c-2", "o-2", "shop", {}),),
    )

    seen, asked, answered = readdressed(news, home)

    assert seen[0] == home(b"seller:s-1")
    assert (asked[0], asked[1].partition) == (home(b"seller:s-2"), home(b"c-1"))
    assert answered[0] == home(b"c-2")
    told = [piece for _, piece in (seen, asked, answered)]
    assert [len(p.observed) + len(p.asked) + len(p.answered) for p in told] == [1, 1, 1]
    assert {piece.tick for piece in told} == {4}


@given(some.dictionaries(some.binary(max_size=8), some.binary(max_size=8)), some.integers(1, 5))
def test_a_digest_knows_neither_order_nor_division(entries: dict[bytes, bytes], parts: int) -> None:
    items = list(entries.items())
    pieces = [items[n::parts][::-1] for n in range(parts)]

    assert together(map(digest_of, pieces)) == digest_of(items)
    if items:
        assert digest_of(items[1:]) != digest_of(items)


def test_a_mark_says_for_how_many_partitions_it_is_one() -> None:
    mark = mark_of(5, owned(5, layouts=(4, 8)))

    assert mark is not None
    assert (mark.partition, mark.tick, mark.layouts) == (5, 5, (4, 8))
    assert mark_of(5, PartitionState()) is None
