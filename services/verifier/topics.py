"""Reads whole topics from Kafka, committed records only: the verifier's one shell."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.contracts.topics import Topic
from services.verifier.collect import TOPICS, Collector
from services.verifier.evidence import Evidence, Record

_BOOTSTRAP_MS = 5_000
_POLL_MS = 500
_SILENT_POLLS = 120
"""Empty polls in a row after which nobody waits any longer: a minute."""
_AT_ONCE = 5_000


class Unreachable(Exception):
    """Kafka or a topic is not there; the message is one line and says what to do."""


class TopicsMissing(Unreachable):
    """Topics are not there, or are kept from whoever asks."""


def read(
    bootstrap: str,
    *,
    prefix: str,
    partitions: int,
    connecting: Mapping[str, Any] | None = None,
) -> Evidence:
    """Return all that lies on the topics of a deployment now: up to the ends as they are at the call.

    Args:
        bootstrap: The brokers.
        prefix: The deployment's.
        partitions: Of every topic.
        connecting: The client's settings for its connections, beyond these addresses.

    Raises:
        Unreachable: no broker answers, a topic is missing, or the broker fell silent on the way.
    """
    try:
        consumer = KafkaConsumer(
            **{"bootstrap_servers": bootstrap.split(","), **(connecting or {})},
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            bootstrap_timeout_ms=_BOOTSTRAP_MS,
            max_partition_fetch_bytes=8 * 1024 * 1024,
        )
    except KafkaError as error:
        raise _away(bootstrap, error) from error
    try:
        return _read_all(consumer, prefix, partitions)
    except KafkaError as error:
        raise _away(bootstrap, error) from error
    finally:
        consumer.close()


def _away(bootstrap: str, error: KafkaError) -> Unreachable:
    return Unreachable(
        f"Kafka does not answer at {bootstrap} ({type(error).__name__}): start it, or set "
        "KAFKA_BOOTSTRAP_SERVERS to where it runs"
    )


def _read_all(consumer: Any, prefix: str, partitions: int) -> Evidence:
    _check(consumer, prefix, partitions)
    places = {
        TopicPartition(topic.physical(prefix), number): topic
        for topic in TOPICS
        for number in range(partitions)
    }
    ends = _ask(consumer.end_offsets, list(places))
    begins = _ask(consumer.beginning_offsets, list(places))
    collector = Collector(partitions)
    for place, topic in places.items():
        collector.begins(topic.name, place.partition, begins[place])
    for topic in TOPICS:
        # One topic after the other: what is waiting to be taken in stays small.
        wanted = [place for place, its in places.items() if its is topic]
        _read_topic(consumer, topic, {p: (begins[p], ends[p]) for p in wanted}, collector)
    return collector.evidence


def _check(consumer: Any, prefix: str, partitions: int) -> None:
    there = consumer.topics()
    missing = [t.physical(prefix) for t in TOPICS if t.physical(prefix) not in there]
    if missing:
        raise TopicsMissing(
            f"there is no topic {missing[0]} ({len(missing)} are missing): set CARE_TOPIC_PREFIX to the "
            "deployment's, or make the topics with `care topics apply`"
        )
    for topic in TOPICS:
        found = consumer.partitions_for_topic(topic.physical(prefix)) or set()
        if len(found) != partitions:
            raise Unreachable(
                f"topic {topic.physical(prefix)} has {len(found)} partitions, not {partitions}: set "
                "CARE_PARTITIONS to the deployment's"
            )


def _ask(
    ask: Callable[[list[TopicPartition]], Mapping[TopicPartition, int]],
    places: Sequence[TopicPartition],
) -> dict[TopicPartition, int]:
    # kafka-python 3.0.12 leaves out partitions whose leader it does not know yet (KeyError).
    again = Retrying(
        retry=retry_if_exception_type(KeyError),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(10),
        reraise=True,
    )
    found = again(ask, list(places))
    return {place: int(found[place]) for place in places}


def _read_topic(
    consumer: Any,
    topic: Topic,
    spans: Mapping[TopicPartition, tuple[int, int]],
    collector: Collector,
) -> None:
    # What is empty is not asked for: a fetch at its end would only wait.
    open_spans = {place: span for place, span in spans.items() if span[0] < span[1]}
    consumer.assign(list(open_spans))
    for place, (begin, _) in open_spans.items():
        consumer.seek(place, begin)
    silent = 0
    while open_spans:
        polled = consumer.poll(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        silent = 0 if polled else silent + 1
        for place, records in polled.items():
            for record in records:
                if record.offset < spans[place][1]:
                    collector.take(_record(topic, record))
        for place in [p for p, (_, end) in open_spans.items() if consumer.position(p) >= end]:
            consumer.pause(place)
            del open_spans[place]
        if silent > _SILENT_POLLS:
            raise Unreachable(f"topic {topic.name} could not be read to its end: is Kafka well?")


def _record(topic: Topic, record: Any) -> Record:
    return Record(
        topic=topic.name,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
