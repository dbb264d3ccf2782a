"""What librdkafka (confluent-kafka) does otherwise than its users expect."""

from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from services.kit.clock import monotonic
from services.kit.kafka_clients import partition_of
from tests.upstream.conftest import MakeTopic

pytestmark = pytest.mark.connected

SECONDS = 20
PARTITIONS = 12
KEYS = [f"c-{n}".encode() for n in range(40)]


def test_consume_waits_for_a_full_batch(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    """Avoided: `changelog._take` polls for one and takes what else is there."""
    topic = make_topic("single")
    placed(kafka_bootstrap, topic, [b"c-1"])
    consumer = Consumer({"bootstrap.servers": kafka_bootstrap, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        # Connected from here on, with the one record at hand.
        consumer.poll(SECONDS)
        consumer.seek(TopicPartition(topic, 0, 0))
        began = monotonic()

        assert len(consumer.consume(2, timeout=1.0)) == 1
        assert monotonic() - began >= 0.95
    finally:
        consumer.close()


def test_keys_go_to_other_partitions_than_every_other_client_gives_them(
    kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    """Avoided: `TransactionalWriter` names the partitioner, and writes to explicit partitions."""
    topic, ours = make_topic("keyed", PARTITIONS), [partition_of(k, PARTITIONS) for k in KEYS]

    assert placed(kafka_bootstrap, topic, KEYS) != ours
    assert placed(kafka_bootstrap, topic, KEYS, partitioner="murmur2_random") == ours


def placed(bootstrap: str, topic: str, keys: list[bytes], **settings: str) -> list[int]:
    """Write a record for each key; return the partitions they went to."""
    places: dict[Any, Any] = {}
    producer = Producer({"bootstrap.servers": bootstrap, **settings})
    for key in keys:
        producer.produce(
            topic, b"0", key, on_delivery=lambda _, m: places.update({m.key(): m.partition()})
        )
    producer.flush(SECONDS)
    return [places[key] for key in keys]
