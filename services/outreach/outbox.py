"""The outbox: what is said is committed with what it tells of, and published in that order afterwards.

A crash between publishing and deleting publishes again, byte for byte, with the same ids.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from sqlalchemy import Connection, Engine, delete, func, insert, select

from services.contracts.envelope import BARRIER, STRUCTURED, Event
from services.contracts.events import TOPIC_OF
from services.contracts.stream import Barrier
from services.contracts.topics import OUTREACH
from services.outreach.tables import OUTBOX

_WRITER = "outreach"
_CONTENT_TYPE = "content-type"
_ACK_SECONDS = 15
_AT_ONCE = 500
_PUBLISHER_LOCK = 0x6F757462  # any number, as long as every replica uses the same


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish on a topic's explicit partition; `topic` is the logical name."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def event_record(event: Event[Any], partition: int) -> Record:
    """Return the record of one of our events on its type's topic, under its customer's key and partition.

    Raises:
        ValueError: the event's topic is not one that outreach writes.
    """
    topic = TOPIC_OF[type(event.data)]
    if _WRITER not in topic.written_by:
        raise ValueError(f"{event.type} lives on {topic.name}, which outreach does not write")
    headers = ((_CONTENT_TYPE, STRUCTURED.encode()),)
    return Record(topic.name, partition, event.customer_id.encode(), event.encode(), headers)


def barrier_record(barrier: Barrier) -> Record:
    """Return the echo of a barrier on its own partition."""
    headers = ((_CONTENT_TYPE, BARRIER.encode()),)
    return Record(OUTREACH.name, barrier.partition, None, barrier.encode(), headers)


def put(connection: Connection, records: Iterable[Record]) -> None:
    """Add records, in this order, to the caller's transaction."""
    rows = [
        {
            "topic": record.topic,
            "partition": record.partition,
            "key": record.key,
            "value": record.value,
            "headers": [[name, b64encode(value).decode()] for name, value in record.headers],
        }
        for record in records
    ]
    if rows:
        connection.execute(insert(OUTBOX), rows)


def waiting(connection: Connection) -> int:
    """Return how many records are committed and not yet deleted."""
    return int(connection.execute(select(func.count()).select_from(OUTBOX)).scalar_one())


class Publisher:
    """Publishes what is committed.  One per process; not for several threads."""

    def __init__(self, engine: Engine, producer: KafkaProducer, prefix: str) -> None:
        self._engine = engine
        self._producer = producer
        self._prefix = prefix
        self._acknowledged: list[int] = []

    def publish_all(self) -> int:
        """Publish everything waiting unless another replica is at it; return how many records.

        Raises:
            KafkaError: the broker did not acknowledge; nothing is deleted then.
        """
        published = 0
        while True:
            with self._engine.begin() as connection:
                if not connection.execute(select(_try_lock())).scalar_one():
                    return published
                rows = connection.execute(_next_rows()).all()
                self._send(rows)
                _forget(connection, [row.seq for row in rows])
            published += len(rows)
            if len(rows) < _AT_ONCE:
                return published

    def publish_partitions(self, connection: Connection, partitions: Sequence[int]) -> int:
        """Publish what waits for these partitions, whose only writer is the caller.

        What was acknowledged is deleted by `forget`, in a later transaction of the caller, which
        saves a commit per barrier.
        """
        rows = connection.execute(
            _next_rows(limit=None)
            .where(OUTBOX.c.partition.in_(partitions))
            .where(OUTBOX.c.seq.not_in(self._acknowledged))
        ).all()
        self._send(rows)
        self._acknowledged += [row.seq for row in rows]
        return len(rows)

    def forget(self, connection: Connection) -> list[int]:
        """Delete what was acknowledged; return it, to be given to `forgotten` after the commit."""
        _forget(connection, self._acknowledged)
        return list(self._acknowledged)

    def forgotten(self, seqs: Sequence[int]) -> None:
        """Note that the deletion was committed."""
        gone = set(seqs)
        self._acknowledged = [seq for seq in self._acknowledged if seq not in gone]

    def _send(self, rows: Sequence[Any]) -> None:
        futures = [
            self._producer.send(
                f"{self._prefix}{row.topic}",
                key=row.key,
                value=_value_of(row),
                partition=row.partition,
                headers=[(name, b64decode(value)) for name, value in row.headers],
            )
            for row in rows
        ]
        for future in futures:
            future.get(timeout=_ACK_SECONDS)


def _value_of(row: Any) -> bytes | None:
    # A pointer to what had a personal key holds neither key nor bytes, and kafka-python refuses such.
    return b"" if row.key is None and row.value is None else row.value


def _try_lock() -> Any:
    return func.pg_try_advisory_xact_lock(_PUBLISHER_LOCK)


def _next_rows(limit: int | None = _AT_ONCE) -> Any:
    return select(OUTBOX).order_by(OUTBOX.c.seq).limit(limit)


def _forget(connection: Connection, seqs: Sequence[int]) -> None:
    if seqs:
        connection.execute(delete(OUTBOX).where(OUTBOX.c.seq.in_(seqs)))
