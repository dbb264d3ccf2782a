"""What kafka-python does while its broker hangs, and after it came back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from services.kit.kafka_clients import end_offsets, open_consumer
from services.local.parts import Parts
from tests.upstream.conftest import create_topic

pytestmark = pytest.mark.connected

SECONDS = 20
JAVA_BUFFER_MEMORY = 32 * 1024 * 1024
"""What the Java client takes at most before a send waits."""

Open = Callable[..., Any]


@pytest.fixture
def topic(disposable: Parts, topic_prefix: str) -> str:
    return create_topic(disposable.kafka_bootstrap, f"{topic_prefix}frozen")


@pytest.fixture
def open_warm(disposable: Parts, topic: str) -> Iterator[Open]:
    """How to open a producer that has its producer id and knows the topic."""
    opened: list[Any] = []

    def open_one(**changes: Any) -> Any:
        producer = KafkaProducer(
            bootstrap_servers=disposable.kafka_bootstrap, enable_idempotence=True, **changes
        )
        opened.append(producer)
        producer.send(topic, b"warm").get(SECONDS)
        return producer

    yield open_one
    for producer in opened:
        end(producer)


def end(producer: Any) -> None:
    """Close a producer without `close`, which raises with unsent records."""
    producer._unregister_cleanup()
    producer._closed = True
    producer._sender.force_close()
    producer._sender.join(SECONDS)


@contextmanager
def frozen(parts: Parts) -> Iterator[None]:
    parts.kafka.pause()
    try:
        yield
    finally:
        parts.kafka.resume()


def written(bootstrap: str, topic: str) -> int:
    consumer = open_consumer(bootstrap)
    try:
        return end_offsets(consumer, [topic], 1)[topic][0]
    finally:
        consumer.close()


def test_a_batch_that_expires_ends_an_idempotent_producer(
    disposable: Parts, topic: str, open_warm: Open
) -> None:
    """Avoided: `open_producer` lets none expire (`delivery_timeout_ms`)."""
    impatient = open_warm(delivery_timeout_ms=2_500, request_timeout_ms=800)
    with frozen(disposable), pytest.raises(KafkaTimeoutError, match="Expiring"):
        impatient.send(topic, b"0").get(SECONDS)

    patient = open_warm()

    with pytest.raises(KafkaTimeoutError, match="waiting for 2 secs"):
        impatient.send(topic, b"1").get(2)
    patient.send(topic, b"1").get(SECONDS)
    assert not impatient._transaction_manager.has_producer_id()


def test_a_record_nobody_waits_for_any_more_is_written_all_the_same(
    disposable: Parts, topic: str, open_warm: Open
) -> None:
    """Avoided: it is sent again under the same id, and readers count by id."""
    producer = open_warm()
    before = written(disposable.kafka_bootstrap, topic)
    with frozen(disposable), pytest.raises(KafkaTimeoutError):
        producer.send(topic, b"late").get(0.2)

    producer.flush(SECONDS)

    assert written(disposable.kafka_bootstrap, topic) == before + 1


def test_sends_are_taken_without_end_or_wait(
    disposable: Parts, topic: str, open_warm: Open
) -> None:
    """Avoided: `ingest.admission.Admission` counts records and bytes in flight."""
    producer, value = open_warm(), bytes(64 * 1024)
    count = 2 * JAVA_BUFFER_MEMORY // len(value)
    with frozen(disposable):
        sent = [producer.send(topic, value) for _ in range(count)]

        assert not any(future.is_done for future in sent)
    producer.flush(SECONDS)


def test_close_raises_with_unsent_records_and_leaves_its_thread(
    disposable: Parts, topic: str, open_warm: Open
) -> None:
    """Avoided: `close_producer`; the thread is a daemon and goes with the process."""
    producer = open_warm()
    with frozen(disposable):
        producer.send(topic, b"0")
        with pytest.raises(KafkaTimeoutError):
            producer.close(timeout=0.2)

        assert producer._sender.is_alive()
