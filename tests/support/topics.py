"""Writing events and ticks straight to the topics, and reading back what was said."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from kafka import TopicPartition

from services.contracts import topics as t
from services.contracts.envelope import BARRIER, STRUCTURED, Event
from services.contracts.events import TOPIC_OF
from services.contracts.stream import Barrier, Tick
from services.contracts.topics import Topic
from services.kit.kafka_admin import apply_topics
from services.kit.kafka_clients import end_offsets, open_consumer, open_producer

T = TypeVar("T")

PARTITIONS = 4
WAIT_SECONDS = 60.0


class Deployment:
    """One prefix on the test broker, with all its topics."""

    def __init__(self, bootstrap: str, prefix: str, partitions: int = PARTITIONS) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.partitions = partitions
        self._number = -1
        apply_topics(bootstrap, partitions=partitions, prefix=prefix)
        self._producer = open_producer(bootstrap)
        self._reader = open_consumer(bootstrap, fetch_max_wait_ms=10)
        # What a transaction wrote counts, whether or not its marker is there already.
        self._scout = open_consumer(bootstrap, isolation_level="read_uncommitted")
        self._following: dict[Topic, tuple[Any, list[Barrier]]] = {}

    def environment(self, **more: str) -> Mapping[str, str]:
        """Return what a service of this deployment needs to be told."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "CARE_DEPLOYMENT": "dev",
            "CARE_TOPIC_PREFIX": self.prefix,
            "CARE_PARTITIONS": str(self.partitions),
            "CARE_CLOCK": "ticks",
            "CARE_LOG_FORMAT": "json",
            **more,
        }

    def close(self) -> None:
        """Close the clients."""
        self._producer.close(timeout=5)
        self._reader.close()
        self._scout.close()
        for consumer, _ in self._following.values():
            consumer.close()

    def publish(self, *events: Event[Any]) -> None:
        """Put events on their topics, as a publisher beside ingest would."""
        for event in events:
            self._send(TOPIC_OF[type(event.data)], event.encode(), event.partitionkey.encode())
        self._producer.flush(WAIT_SECONDS)

    def put(self, topic: Topic, value: bytes | None, key: bytes | None, **more: Any) -> None:
        """Put any record on a topic."""
        self._send(topic, value, key, **more).get(WAIT_SECONDS)

    def _send(self, topic: Topic, value: bytes | None, key: bytes | None, **more: Any) -> Any:
        headers = [("content-type", STRUCTURED.encode())]
        return self._producer.send(
            topic.physical(self.prefix), value, key=key, headers=headers, **more
        )

    def tick(self, at: datetime) -> int:
        """Write a tick with a barrier on every partition; return its number."""
        self._number += 1
        sources = (*t.OUTSIDE, *t.INTERNAL)
        names = [topic.physical(self.prefix) for topic in sources]
        ends = end_offsets(self._scout, names, self.partitions)
        for partition in range(self.partitions):
            tick = Tick(
                number=self._number,
                at=at,
                barrier=f"b-{self._number}",
                ends={x.name: ends[x.physical(self.prefix)][partition] for x in sources},
            )
            self.put(t.TICKS, tick.encode(), None, partition=partition)
        return self._number

    def records(self, topic: Topic) -> list[Any]:
        """Return every committed record of a topic, by partition and offset."""
        consumer = open_consumer(self.bootstrap, fetch_max_wait_ms=10)
        name = topic.physical(self.prefix)
        consumer.assign([TopicPartition(name, p) for p in range(self.partitions)])
        ends = end_offsets(consumer, [name], self.partitions)[name]
        found: list[Any] = []
        while any(consumer.position(TopicPartition(name, p)) < end for p, end in enumerate(ends)):
            for batch in consumer.poll(timeout_ms=100).values():
                found += batch
        consumer.close()
        return sorted(found, key=lambda record: (record.partition, record.offset))

    def values(self, topic: Topic) -> list[dict[str, Any]]:
        """Return every committed record of a topic that is no barrier, as JSON."""
        return [json.loads(r.value) for r in self.records(topic) if not is_barrier(r)]

    def await_barrier(
        self, number: int, topic: Topic = t.PROBLEMS, seconds: float = WAIT_SECONDS
    ) -> list[Barrier]:
        """Wait until every partition of a topic carries this barrier; return them."""

        consumer, seen = self._followed(topic)

        def reached() -> list[Barrier]:
            for batch in consumer.poll(timeout_ms=50).values():
                seen.extend(Barrier.model_validate_json(r.value) for r in batch if is_barrier(r))
            these = {b.partition: b for b in seen if b.number == number}
            return list(these.values()) if len(these) == self.partitions else []

        return wait_for(reached, f"barrier {number} on {topic.name}", seconds)

    def _followed(self, topic: Topic) -> tuple[Any, list[Barrier]]:
        """Return a consumer that goes on where it was, and the barriers it has read so far."""
        if topic not in self._following:
            consumer = open_consumer(self.bootstrap, fetch_max_wait_ms=10)
            name = topic.physical(self.prefix)
            consumer.assign([TopicPartition(name, p) for p in range(self.partitions)])
            self._following[topic] = consumer, []
        return self._following[topic]


def is_barrier(record: Any) -> bool:
    """Whether a record is a barrier and no event."""
    return ("content-type", BARRIER.encode()) in record.headers


def wait_for(look: Callable[[], T | None], what: str, seconds: float = WAIT_SECONDS) -> T:
    """Return the first true value of `look`; fail with `what` when none comes in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


def by_customer(values: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return events by customer, each customer's in the order of the topic."""
    told: dict[str, list[dict[str, Any]]] = {}
    for value in values:
        told.setdefault(value["partitionkey"], []).append(value)
    return told
