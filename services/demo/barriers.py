"""Ticks out, echoes back: the shell of simulated time on Kafka."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from kafka import TopicPartition
from kafka.errors import KafkaError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.contracts import topics
from services.contracts.envelope import BARRIER, JSON
from services.contracts.stream import Barrier, Tick
from services.contracts.topics import Topic, physical_names
from services.kit.clock import monotonic
from services.kit.dead_letters import read_header
from services.kit.kafka_clients import close_producer, end_offsets, open_consumer, open_producer
from services.shop.timeline import Poison

PATIENCE_SECONDS = 180.0
"""How long an echo may take: a killed predictor needs up to a minute to be back."""

_POLL_MS = 250
_FETCH_WAIT_MS = 100
_LOOK_BACK = 500
_LOOK_SECONDS = 5.0
_PAUSE_SECONDS = 0.5

T = TypeVar("T")


class NoEcho(Exception):
    """Time stands still; the message says in which partition and which service to look at."""


class Barriers:
    """Writes ticks to every partition and waits for the echo of each on `outreach`."""

    def __init__(
        self,
        bootstrap: str,
        *,
        prefix: str,
        partitions: int,
        run: str,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._partitions = partitions
        self._run = run
        self._patience_seconds = patience_seconds
        self._producer = open_producer(bootstrap, linger_ms=0)
        self._consumer = _reader(bootstrap, topics.OUTREACH, prefix, partitions)
        # Everything, also behind the markers of transactions: these may come after the echo.
        self._scout = open_consumer(bootstrap, isolation_level="read_uncommitted")

    def close(self) -> None:
        """Close the Kafka clients."""
        close_producer(self._producer)
        self._consumer.close()
        self._scout.close()

    def spoil(self, poison: Sequence[Poison]) -> None:
        """Write what a careless publisher wrote past the door; return when the broker has it."""
        self._settle(
            self._send(p.topic.physical(self._prefix), key=p.key, value=p.value) for p in poison
        )

    def write(self, number: int, at: datetime) -> str:
        """Write tick `number` to every partition and return its barrier's name.

        The ends are read now: everything published before this call lies before them.
        """
        barrier = f"{self._run}-{number}"
        ends = self._patiently(self._ends)
        self._settle(
            self._send(
                topics.TICKS.physical(self._prefix),
                partition=partition,
                value=Tick(
                    number=number,
                    at=at,
                    ends={name: found[partition] for name, found in ends.items()},
                    barrier=barrier,
                ).encode(),
                headers=[("content-type", JSON.encode())],
            )
            for partition in range(self._partitions)
        )
        return barrier

    def wait(self, barrier: str, watch: Callable[[], None]) -> list[Barrier]:
        """Return the echo of every partition.

        Args:
            barrier: As `write` named it.
            watch: Called while waiting; what it raises ends the waiting.

        Raises:
            NoEcho: a partition stayed silent longer than the patience.
        """
        found: dict[int, Barrier] = {}
        deadline = monotonic() + self._patience_seconds
        while len(found) < self._partitions:
            for echo in _read_barriers(self._consumer, _POLL_MS):
                if echo.barrier == barrier:
                    found[echo.partition] = echo
            watch()
            if len(found) < self._partitions and monotonic() > deadline:
                raise NoEcho(
                    self._explain(barrier, sorted(set(range(self._partitions)) - set(found)))
                )
        return [found[partition] for partition in sorted(found)]

    def _ends(self) -> dict[str, list[int]]:
        """Return logical topic name → the end of each partition."""
        outside = physical_names(topics.OUTSIDE, self._prefix)
        inside = physical_names(topics.INTERNAL, self._prefix)
        found = end_offsets(self._consumer, outside, self._partitions)
        told = end_offsets(self._scout, inside, self._partitions)
        named = physical_names((*topics.OUTSIDE, *topics.INTERNAL), self._prefix)
        return {topic.name: (found | told)[name] for name, topic in named.items()}

    def _send(self, topic: str, **record: Any) -> Any:
        return self._patiently(lambda: self._producer.send(topic, **record))

    def _settle(self, sent: Iterable[Any]) -> None:
        # All are on their way before the first is waited for.
        for future in list(sent):
            future.get(timeout=self._patience_seconds)

    def _patiently(self, call: Callable[[], T]) -> T:
        """Return what the call gives; an outage of the broker is waited for as an echo is."""
        again = Retrying(
            retry=retry_if_exception_type(KafkaError),
            wait=wait_fixed(_PAUSE_SECONDS),
            stop=stop_after_delay(self._patience_seconds),
            reraise=True,
        )
        return again(call)

    def _explain(self, barrier: str, silent: Sequence[int]) -> str:
        forwarded = self._forwarded(barrier)
        suspects = {
            "outreach" if partition in forwarded else "churn_predictor" for partition in silent
        }
        listed = ", ".join(str(partition) for partition in silent)
        return (
            f"no echo of {barrier} from partition {listed} within {self._patience_seconds:.0f} s: "
            f"look at the log of {' and '.join(sorted(suspects))}"
        )

    def _forwarded(self, barrier: str) -> set[int]:
        """Return the partitions in which the predictor has passed the barrier on."""
        reader = _reader(self._bootstrap, topics.PROBLEMS, self._prefix, self._partitions)
        try:
            name = topics.PROBLEMS.physical(self._prefix)
            ends = end_offsets(reader, [name], self._partitions)[name]
            for partition, end in enumerate(ends):
                reader.seek(TopicPartition(name, partition), max(0, end - _LOOK_BACK))
            deadline = monotonic() + _LOOK_SECONDS
            seen: list[Barrier] = []
            while _has_more(reader, name, ends) and monotonic() < deadline:
                seen += _read_barriers(reader, _POLL_MS)
        finally:
            reader.close()
        return {found.partition for found in seen if found.barrier == barrier}


def _reader(bootstrap: str, topic: Topic, prefix: str, partitions: int) -> Any:
    consumer = open_consumer(bootstrap, fetch_max_wait_ms=_FETCH_WAIT_MS)
    consumer.assign([TopicPartition(topic.physical(prefix), p) for p in range(partitions)])
    consumer.seek_to_beginning()
    return consumer


def _has_more(consumer: Any, name: str, ends: Sequence[int]) -> bool:
    return any(consumer.position(TopicPartition(name, p)) < end for p, end in enumerate(ends))


def _read_barriers(consumer: Any, timeout_ms: int) -> Iterable[Barrier]:
    polled = consumer.poll(timeout_ms=timeout_ms)
    return [
        Barrier.model_validate_json(record.value)
        for records in polled.values()
        for record in records
        if read_header(record.headers, "content-type") == BARRIER
    ]
