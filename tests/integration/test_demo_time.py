"""Simulated time on a real broker: ticks know the ends, echoes end the waiting, silence is explained."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import TopicPartition

from services.contracts import topics
from services.contracts.envelope import BARRIER, STRUCTURED
from services.contracts.stream import Barrier, Tick
from services.contracts.topics import Topic
from services.demo.barriers import Barriers, NoEcho
from services.kit.kafka_admin import apply_topics
from services.kit.kafka_clients import open_consumer, open_producer
from services.kit.topic_reader import TopicReader
from services.recount.topics import read
from services.shop.timeline import Poison
from tests.factories import placed

pytestmark = pytest.mark.connected

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PARTITIONS = 2


@pytest.fixture
def prefix(kafka_bootstrap: str, topic_prefix: str) -> str:
    apply_topics(kafka_bootstrap, partitions=PARTITIONS, prefix=topic_prefix)
    return topic_prefix


@pytest.fixture
def producer(kafka_bootstrap: str) -> Iterator[Any]:
    opened = open_producer(kafka_bootstrap)
    yield opened
    opened.close(timeout=5)


@pytest.fixture
def barriers(kafka_bootstrap: str, prefix: str) -> Iterator[Barriers]:
    opened = Barriers(
        kafka_bootstrap, prefix=prefix, partitions=PARTITIONS, run="run", patience_seconds=1
    )
    yield opened
    opened.close()


@pytest.fixture
def pass_on(producer: Any, prefix: str) -> Callable[[Topic, str, int], None]:
    def write(topic: Topic, barrier: str, partition: int) -> None:
        record = Barrier(barrier=barrier, number=1, at=NOON, partition=partition, ends={})
        headers = [("content-type", BARRIER.encode())]
        producer.send(
            topic.physical(prefix), record.encode(), headers=headers, partition=partition
        ).get(10)

    return write


def content(bootstrap: str, name: str) -> dict[int, list[Any]]:
    consumer = open_consumer(bootstrap)
    places = [TopicPartition(name, p) for p in range(PARTITIONS)]
    consumer.assign(places)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(places)
    found: dict[int, list[Any]] = {p: [] for p in range(PARTITIONS)}
    while any(consumer.position(place) < ends[place] for place in places):
        for place, records in consumer.poll(timeout_ms=200).items():
            found[place.partition] += records
    consumer.close()
    return found


def test_a_tick_carries_the_ends_of_its_own_partition(
    kafka_bootstrap: str, prefix: str, barriers: Barriers, producer: Any
) -> None:
    for _ in range(3):
        producer.send(topics.DELIVERIES.physical(prefix), b"x", partition=1).get(10)
    poison = [Poison(NOON, topic, b"key", b"?") for topic in (topics.CONSENTS, topics.CONSENTS)]
    barriers.spoil(poison)
    assert barriers.write(7, NOON) == "run-7"
    written = content(kafka_bootstrap, topics.TICKS.physical(prefix))
    ticks = {p: Tick.model_validate_json(record.value) for p, (record,) in written.items()}
    assert {tick.number for tick in ticks.values()} == {7}
    assert {tick.at for tick in ticks.values()} == {NOON}
    assert {tick.barrier for tick in ticks.values()} == {"run-7"}
    names = {topic.name for topic in (*topics.OUTSIDE, *topics.INTERNAL)}
    assert set(ticks[0].ends) == set(ticks[1].ends) == names
    assert (ticks[0].ends["deliveries"], ticks[1].ends["deliveries"]) == (0, 3)
    assert ticks[0].ends["consents"] + ticks[1].ends["consents"] == 2


def test_waiting_ends_with_the_echo_of_every_partition(
    barriers: Barriers, pass_on: Callable[[Topic, str, int], None], producer: Any, prefix: str
) -> None:
    pass_on(topics.OUTREACH, "run-0", 0)
    producer.send(topics.OUTREACH.physical(prefix), b"{}", partition=0).get(10)
    pass_on(topics.OUTREACH, "run-1", 1)
    pass_on(topics.OUTREACH, "run-1", 0)
    echoes = barriers.wait("run-1", lambda: None)
    assert [(echo.barrier, echo.partition) for echo in echoes] == [("run-1", 0), ("run-1", 1)]


def test_silence_names_the_partition_and_the_service(
    barriers: Barriers, pass_on: Callable[[Topic, str, int], None]
) -> None:
    pass_on(topics.PROBLEMS, "run-1", 0)
    pass_on(topics.PROBLEMS, "run-1", 1)
    pass_on(topics.OUTREACH, "run-1", 0)
    with pytest.raises(NoEcho, match=r"from partition 1 within 1 s: look at the log of outreach$"):
        barriers.wait("run-1", lambda: None)


def test_silence_before_the_predictor_names_the_predictor(
    barriers: Barriers, pass_on: Callable[[Topic, str, int], None]
) -> None:
    pass_on(topics.PROBLEMS, "run-0", 0)
    with pytest.raises(NoEcho, match=r"partition 0, 1 .*log of churn_predictor$"):
        barriers.wait("run-1", lambda: None)


def test_what_the_watch_raises_ends_the_waiting(barriers: Barriers) -> None:
    def lost() -> None:
        raise RuntimeError("given up")

    with pytest.raises(RuntimeError, match="given up"):
        barriers.wait("run-1", lost)


def test_the_report_reads_each_event_once_and_counts_every_record(
    kafka_bootstrap: str, prefix: str, producer: Any, pass_on: Callable[[Topic, str, int], None]
) -> None:
    purchases = topics.PURCHASES.physical(prefix)
    first, second = placed("o-1"), placed("o-2")
    headers = [("content-type", STRUCTURED.encode())]
    for told in (first, second, first):
        key = told.customer_id.encode()
        producer.send(purchases, told.encode(), key=key, headers=headers).get(10)
    producer.send(purchases, b"not JSON", key=b"c-1").get(10)
    pass_on(topics.OUTREACH, "run-1", 0)
    reader = TopicReader(kafka_bootstrap, prefix=prefix, partitions=PARTITIONS)
    try:
        assert {fact.id for fact in read(reader).events.values()} == {first.id, second.id}
        lengths = reader.lengths(topics.OUTSIDE)
    finally:
        reader.close()
    assert lengths["purchases"] == 4
    assert sum(lengths.values()) == 4
