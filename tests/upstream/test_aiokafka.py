"""What aiokafka does under Faust, on a real Kafka where it needs one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import Producer
from kafka import KafkaAdminClient
from kafka import TopicPartition as Place

from services.kit.faust_slices import SliceApp
from services.kit.kafka_admin import delete_topics
from tests.upstream.conftest import MakeTopic, create_topic

SECONDS = 20


def alone(look: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run one look inside an event loop of its own."""
    asyncio.run(asyncio.wait_for(look(), 60))


def publish(bootstrap: str, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(count):
        producer.produce(topic, str(number).encode())
    producer.flush(SECONDS)


@asynccontextmanager
async def consuming(bootstrap: str, **changes: Any) -> AsyncIterator[Any]:
    """Yield a consumer with the settings Faust gives it."""
    settings = {
        "bootstrap_servers": bootstrap,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "fetch_max_wait_ms": 50,
    }
    consumer = AIOKafkaConsumer(**(settings | changes))
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def offsets(consumer: Any, count: int) -> list[int]:
    """Return the offsets of the next records; fewer do not end the wait."""
    records = [await asyncio.wait_for(consumer.getone(), SECONDS) for _ in range(count)]
    return [record.offset for record in records]


@pytest.mark.connected
@pytest.mark.parametrize("committed", [None, 0], ids=["nothing", "zero"])
def test_a_partition_that_has_not_begun_is_not_sought_to_its_beginning(
    kafka_bootstrap: str, make_topic: MakeTopic, topic_prefix: str, committed: int | None
) -> None:
    """Avoided: `_SliceConsumer._take_over` seeks every partition, to its beginning if need be."""
    topic = make_topic("unsought")
    publish(kafka_bootstrap, topic, 3)

    async def look() -> None:
        place = TopicPartition(topic, 0)
        async with consuming(kafka_bootstrap, group_id=f"{topic_prefix}unsought") as consumer:
            consumer.subscribe([topic])
            assert await offsets(consumer, 2) == [0, 1]
            if committed is not None:
                await consumer.commit({place: OffsetAndMetadata(committed, "")})

            # As after a rebalance at which what was read has been thrown away.
            assert await consumer.seek_to_committed() == {place: committed}
            assert await offsets(consumer, 1) == [2]

    alone(look)


@pytest.mark.connected
def test_records_that_retention_deleted_are_jumped_over_in_silence(
    kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    """Avoided: `_SliceConsumer._explain_jump` ends the process, the next start counts them."""
    topic = make_topic("retained")
    publish(kafka_bootstrap, topic, 5)
    delete_before(kafka_bootstrap, topic, 3)

    async def look() -> None:
        async with consuming(kafka_bootstrap) as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            consumer.seek(TopicPartition(topic, 0), 1)

            assert await offsets(consumer, 2) == [3, 4]

    alone(look)


def delete_before(bootstrap: str, topic: str, offset: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.delete_records({Place(topic, 0): offset})
    finally:
        admin.close()


@pytest.mark.connected
def test_a_topic_made_anew_is_read_from_its_beginning_in_silence(
    kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    """Avoided: `_SliceConsumer._explain_jump`, and topic ids at a start (`Vault._check`)."""
    topic = make_topic("anew")
    publish(kafka_bootstrap, topic, 5)

    async def look() -> None:
        async with consuming(kafka_bootstrap, metadata_max_age_ms=500) as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            assert await offsets(consumer, 5) == [0, 1, 2, 3, 4]
            await asyncio.to_thread(make_anew, kafka_bootstrap, topic)

            assert await offsets(consumer, 2) == [0, 1]

    alone(look)


def make_anew(bootstrap: str, topic: str) -> None:
    delete_topics(bootstrap, [topic])
    create_topic(bootstrap, topic)
    publish(bootstrap, topic, 2)


@pytest.mark.connected
def test_the_position_passes_markers_that_no_record_stands_behind(
    kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    """Relied on: `_SliceConsumer._pass_markers` tells the host where only markers are left."""
    topic = make_topic("markers")
    writer = Producer({"bootstrap.servers": kafka_bootstrap, "transactional.id": topic})
    writer.init_transactions(SECONDS)
    writer.begin_transaction()
    writer.produce(topic, b"0")
    writer.commit_transaction(SECONDS)

    async def look() -> None:
        place = TopicPartition(topic, 0)
        async with consuming(kafka_bootstrap) as consumer:
            consumer.assign([place])
            assert await offsets(consumer, 1) == [0]
            async with asyncio.timeout(SECONDS):
                while await consumer.position(place) < 2:
                    assert await consumer.getmany(timeout_ms=100) == {}

            assert consumer.highwater(place) == 2

    alone(look)


@pytest.mark.connected
def test_one_unforeseen_error_leaves_a_consumer_alive_outside_its_group_for_ever(
    kafka_bootstrap: str,
    make_topic: MakeTopic,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Avoided: `Watchdog` ends a process that stays outside its group (`SliceApp.is_member`).

    A start while the broker is frozen brings such an error about; here it is handed in.
    """
    topic = make_topic("outside")
    asked = 0
    look_up = AIOKafkaClient.coordinator_lookup

    async def fail_once(self: Any, *arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise TypeError("unforeseen")
        return await look_up(self, *arguments)

    monkeypatch.setattr(AIOKafkaClient, "coordinator_lookup", fail_once)

    async def look() -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka_bootstrap, group_id=f"{topic_prefix}outside"
        )
        await consumer.start()
        consumer.subscribe([topic])
        coordination = consumer._coordinator._coordination_task
        await asyncio.wait([coordination], timeout=SECONDS)

        assert "unforeseen" in str(coordination.exception())
        assert asked == 1
        assert consumer.assignment() == set()
        # Faust's fetch waits for an assignment, whatever time it was given.
        fetch = asyncio.create_task(consumer._fetcher.fetched_records([], timeout=0.01))
        assert (await asyncio.wait([fetch], timeout=0.5))[1] == {fetch}
        fetch.cancel()
        assert not is_member(consumer)
        await consumer.stop()

    alone(look)


@pytest.mark.connected
def test_a_member_has_a_coordinator_and_a_heartbeat_and_nobody_else_has(
    kafka_bootstrap: str, make_topic: MakeTopic, topic_prefix: str
) -> None:
    """Relied on: `SliceApp.is_member` looks at both."""
    topic = make_topic("joined")
    publish(kafka_bootstrap, topic, 1)

    async def look() -> None:
        async with consuming(kafka_bootstrap, group_id=f"{topic_prefix}joined") as consumer:
            assert not is_member(consumer)
            consumer.subscribe([topic])
            await offsets(consumer, 1)
            assert is_member(consumer)
        assert not is_member(consumer)

    alone(look)


def is_member(consumer: Any) -> bool:
    """Return what an app of ours says whose consumer this is."""
    theirs = SimpleNamespace(_thread=SimpleNamespace(_consumer=consumer))
    app: Any = SimpleNamespace(consumer=theirs, _consumer=theirs)
    return SliceApp.is_member(app)


@pytest.mark.parametrize(("instance", "leaves"), [(None, True), ("worker-1", False)])
def test_a_member_with_a_static_id_never_leaves(instance: str | None, leaves: bool) -> None:
    """Avoided: `create_app` gives none, so that SIGTERM hands partitions over at once."""
    sent: list[Any] = []

    async def send(request: Any) -> None:
        sent.append(request)

    member = SimpleNamespace(
        generation=1,
        _group_instance_id=instance,
        group_id="churn-predictor",
        member_id="m",
        _send_req=send,
        reset_generation=lambda: None,
    )

    asyncio.run(GroupCoordinator._maybe_leave_group(member))

    assert bool(sent) is leaves
