"""Reading ends at the end, also behind a transaction's marker, and gives up on a broker that fell silent."""

from functools import partial
from itertools import count
from typing import Any

import pytest
from kafka import TopicPartition

from services.contracts import topics as t
from services.kit import topic_reader
from services.kit.exits import Unavailable
from services.kit.topic_reader import TopicReader
from tests.support.batches import BatchConsumer

PLACE = TopicPartition("x-purchases", 0)


Consumer = partial(BatchConsumer, PLACE)


def offsets(monkeypatch: pytest.MonkeyPatch, consumer: BatchConsumer, **more: Any) -> list[int]:
    monkeypatch.setattr(topic_reader, "open_consumer", lambda *_, **__: consumer)
    reader = TopicReader("kafka:9092", prefix="x-", partitions=1)
    found = list(reader.records([t.PURCHASES], **more))
    assert all(topic is t.PURCHASES for topic, _ in found)
    return [record.offset for _, record in found]


def test_all_up_to_the_end_is_read_and_nothing_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offsets(monkeypatch, Consumer([[3, 4], [6, 9]], begin=3, end=9)) == [3, 4, 6]


def test_a_marker_at_the_end_is_no_record_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offsets(monkeypatch, Consumer([[0]], end=2, behind=[2])) == [0]


def test_what_is_empty_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer([], begin=7, end=7)

    assert (offsets(monkeypatch, consumer), consumer.polls) == ([], 0)


def test_the_last_ones_are_read_from_where_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer([[7, 8]], begin=0, end=9)
    assert offsets(monkeypatch, consumer, last=2) == [7, 8]

    few = Consumer([[8]], begin=8, end=9)
    offsets(monkeypatch, few, last=2)
    assert few.polls == 1


def test_each_partition_is_read_from_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer([[7, 8]], begin=0, end=9)
    assert offsets(monkeypatch, consumer, since={0: 7}) == [7, 8]

    gone = Consumer([[8]], begin=8, end=9)
    assert offsets(monkeypatch, gone, since={0: 3}) == [8]
    assert TopicReader("kafka:9092", prefix="x-", partitions=1).bounds(t.PURCHASES) == {0: (8, 9)}


def test_progress_is_told_from_where_the_topic_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    consumer = Consumer([[3, 4], [5]], begin=3, end=6)
    offsets(monkeypatch, consumer, progress=lambda *seen: told.append(seen))

    assert told == [(0, 3), (2, 3)]


def test_a_broker_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_reader, "monotonic", count(0, 50).__next__)

    with pytest.raises(Unavailable, match="x-purchases could not be read to the end"):
        offsets(monkeypatch, Consumer([[0]], end=5))
