"""What kafka-python does where nothing is wrong with the broker."""

import asyncio
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from time import sleep
from typing import Any

import pytest
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaConfigurationError, KafkaError, KafkaTimeoutError
from kafka.errors import MessageSizeTooLargeError as TooLarge
from kafka.future import Future
from kafka.net.sasl.scram import SaslMechanismScram
from kafka.producer.transaction_manager import TransactionManager, TransactionState

from services.kit.clock import monotonic
from services.kit.kafka_clients import RejoiningConsumer
from tests.support.topics import wait_for
from tests.upstream.conftest import MakeTopic

SECONDS = 20


@contextmanager
def producing(bootstrap: str, **changes: Any) -> Iterator[Any]:
    producer = KafkaProducer(bootstrap_servers=bootstrap, **changes)
    try:
        yield producer
    finally:
        producer.close(timeout=5)


@contextmanager
def consuming(bootstrap: str, **changes: Any) -> Iterator[Any]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, **changes)
    try:
        yield consumer
    finally:
        consumer.close()


@pytest.mark.connected
def test_one_refused_record_makes_a_producer_refuse_all_others(
    kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    """Avoided: `ingest.producers.Producers` puts another in its place."""
    narrow, wide = make_topic("narrow", **{"max.message.bytes": "2000"}), make_topic("wide")
    with producing(kafka_bootstrap, enable_idempotence=True) as producer:
        producer.send(wide, b"0").get(SECONDS)
        with pytest.raises(TooLarge):
            producer.send(narrow, b"0" * 5_000).get(SECONDS)

        for _ in range(2):
            with pytest.raises(TooLarge):
                producer.send(wide, b"0").get(SECONDS)


@pytest.mark.connected
def test_a_send_cannot_be_awaited(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    """Avoided: `ingest.publisher._Acknowledgements` carries the result to the loop."""
    topic = make_topic("awaited")

    async def send() -> None:
        # What was acknowledged before it is awaited has nothing to wait for.
        with producing(kafka_bootstrap, linger_ms=500) as producer:
            await producer.send(topic, b"0")

    with pytest.raises(RuntimeError, match="Task got bad yield"):
        asyncio.run(send())


@pytest.mark.connected
def test_a_send_holds_its_caller_up_while_a_topic_is_unknown(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    """Avoided: `ingest.wiring._open_producer` asks for every topic first, in a thread."""
    with producing(kafka_bootstrap, max_block_ms=300) as producer:
        began = monotonic()
        with pytest.raises(KafkaTimeoutError):
            producer.send(f"{topic_prefix}absent", b"0")

        assert monotonic() - began >= 0.25


@pytest.mark.connected
def test_a_setting_in_conflict_switches_idempotence_off(kafka_bootstrap: str) -> None:
    """Avoided: `open_producer` asks for it by name; then the conflict is an error."""
    with producing(kafka_bootstrap, acks=1) as producer:
        assert not producer.config["enable_idempotence"]

    with pytest.raises(KafkaConfigurationError, match="incompatible"):
        KafkaProducer(bootstrap_servers=kafka_bootstrap, acks=1, enable_idempotence=True)


@pytest.mark.connected
def test_offsets_of_a_topic_it_does_not_know_yet_are_a_key_error(
    kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    """Avoided: `kafka_clients._offsets` asks again."""
    known, unknown = TopicPartition(make_topic("known"), 0), TopicPartition(make_topic("new"), 0)
    with consuming(kafka_bootstrap) as consumer:
        consumer.end_offsets([known])

        with pytest.raises(KeyError):
            consumer.end_offsets([known, unknown])


class Failing(ConsumerRebalanceListener):  # type: ignore[misc]
    """Cannot take over what it is given."""

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        if assigned:
            raise ValueError("the database is away")

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        return None


@pytest.mark.connected
def test_what_a_listener_could_not_take_over_is_read_all_the_same(
    kafka_bootstrap: str, make_topic: MakeTopic, topic_prefix: str
) -> None:
    """Avoided: `outreach.group.Membership` keeps the failure and raises it at every poll."""
    topic = make_topic("listened")
    with producing(kafka_bootstrap) as producer:
        producer.send(topic, b"0").get(SECONDS)
    with consuming(
        kafka_bootstrap, group_id=f"{topic_prefix}listened", auto_offset_reset="earliest"
    ) as consumer:
        consumer.subscribe([topic], listener=Failing())
        told: list[str] = []

        def poll() -> bool:
            try:
                return bool(consumer.poll(timeout_ms=200))
            except KafkaError as error:
                told.append(str(error))
                return False

        wait_for(poll, "the record", SECONDS)

        # Once, and without what was wrong.
        assert told == ["KafkaError: User rebalance callback throws an error"]


def stands_in_the_door(consumer: KafkaConsumer) -> bool:
    """Let the client find changed metadata, poll too shortly for the join, then poll in peace."""
    wait_for(lambda: consumer.poll(timeout_ms=200) or consumer.assignment(), "the group", SECONDS)
    coordinator = consumer._coordinator
    wait_for(lambda: consumer.poll(timeout_ms=200) or not coordinator.rejoining, "calm", SECONDS)
    coordinator._assignment_snapshot = {}

    def has_given_up() -> bool:
        consumer.poll(timeout_ms=1)
        return coordinator._join_task is not None

    wait_for(has_given_up, "a join that outlasts its poll", SECONDS)
    sleep(1)  # meanwhile the client's own thread joins
    for _ in range(20):
        consumer.poll(timeout_ms=200)
    return bool(coordinator.rejoining)


@pytest.mark.parametrize(
    ("kind", "is_forgotten"), [(KafkaConsumer, True), (RejoiningConsumer, False)]
)
def test_a_join_that_outlasts_a_poll_is_forgotten(
    kind: Any, is_forgotten: bool, kafka_bootstrap: str, make_topic: MakeTopic, topic_prefix: str
) -> None:
    """Avoided: `kit.kafka_clients.RejoiningConsumer` asks for it again."""
    topic = make_topic("joined")
    consumer = kind(bootstrap_servers=kafka_bootstrap, group_id=f"{topic_prefix}{kind.__name__}")
    try:
        consumer.subscribe([topic])

        assert stands_in_the_door(consumer) is is_forgotten
    finally:
        with suppress(KafkaTimeoutError):  # leaving takes a coordinator, too
            consumer.close(autocommit=False, timeout_ms=2000)


def test_a_batch_that_expired_takes_the_producer_id_along_for_ever() -> None:
    """Avoided: `open_producer` lets none expire (`delivery_timeout_ms`)."""
    manager = TransactionManager(api_version=(4, 0))
    manager.init_producer_id()
    manager._transition_to(TransactionState.READY)
    manager.next_request_handler(False)

    manager.reset_producer_id()
    manager.init_producer_id()

    assert not manager.has_producer_id()
    assert manager._current_state is TransactionState.READY
    assert manager.next_request_handler(False) is None


def test_memory_cannot_be_limited() -> None:
    """Avoided: `ingest.admission.Admission` counts records and bytes in flight."""
    with pytest.raises(ValueError, match="buffer_memory"):
        KafkaProducer(bootstrap_servers="127.0.0.1:1", buffer_memory=1024)


def test_an_error_in_a_callback_is_logged_only(caplog: pytest.LogCaptureFixture) -> None:
    """Avoided: `ingest.publisher._Acknowledgements` does nothing there that can fail."""
    sent: Any = Future()
    sent.add_callback(lambda _: 1 / 0)

    with caplog.at_level(logging.ERROR):
        sent.success(None)

    assert "Error processing callback" in caplog.text


def test_a_consumer_skips_commits_and_reads_aborted_records_by_default() -> None:
    """Avoided: `open_consumer` states each."""
    defaults = KafkaConsumer.DEFAULT_CONFIG

    assert defaults["auto_offset_reset"] == "latest"
    assert defaults["enable_auto_commit"]
    assert defaults["isolation_level"] == "read_uncommitted"


def test_waits_are_long_by_default() -> None:
    """Avoided: `open_producer` and `open_consumer` state each."""
    defaults = KafkaProducer.DEFAULT_CONFIG

    assert defaults["max_block_ms"] == 60_000
    assert defaults["delivery_timeout_ms"] == 120_000
    assert defaults["bootstrap_timeout_ms"] == 30_000
    assert KafkaConsumer.DEFAULT_CONFIG["bootstrap_timeout_ms"] == 30_000


def test_credentials_in_the_clear_are_worth_a_warning_and_empty_ones_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not avoided yet: there is no setting for credentials; with one, refuse both there."""
    with caplog.at_level(logging.WARNING):
        SaslMechanismScram(
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username="",
            sasl_plain_password="",
        )

    assert "in the clear" in caplog.text
