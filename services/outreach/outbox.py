"""The outbox: what is said is committed with what it tells of, and published in that order afterwards.

A crash between publishing and deleting publishes again, byte for byte, with the same ids.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import KafkaProducer
from kafka.errors import KafkaError
from sqlalchemy import Connection, Engine, delete, func, insert, select, text
from sqlalchemy.exc import OperationalError

from services.contracts.envelope import BARRIER, STRUCTURED, Event
from services.contracts.events import TOPIC_OF
from services.contracts.stream import Barrier
from services.contracts.topics import OUTREACH
from services.contracts.trace_context import TraceContext, of_event
from services.kit.exits import Unavailable
from services.outreach import reconciliation, said
from services.outreach.said import Gap
from services.outreach.tables import OUTBOX

T = TypeVar("T")

_WRITER = "outreach"
_CONTENT_TYPE = "content-type"
_ACK_SECONDS = 15
_SOON_SECONDS = 5
"""How long a start waits for the broker, and before that for others who publish."""
_LOCK_NOT_AVAILABLE = "55P03"
_AT_ONCE = 500
_PUBLISHER_LOCK = 0x6F757462  # any number, as long as every replica uses the same


class NotPublished(Exception):
    """What was committed could not be published for certain, so nothing may be done that it tells of."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish on a topic's explicit partition; `topic` is the logical name."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def event_record(event: Event[Any], partition: int, trace: TraceContext | None = None) -> Record:
    """Return the record of one of our events on its type's topic, under its customer's key and partition.

    It is in this trace; None: in its own.

    Raises:
        ValueError: the event's topic is not one that outreach writes.
    """
    topic = TOPIC_OF[type(event.data)]
    if _WRITER not in topic.written_by:
        raise ValueError(f"{event.type} lives on {topic.name}, which outreach does not write")
    headers = ((_CONTENT_TYPE, STRUCTURED.encode()), *(trace or of_event(event)).headers)
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
    """Publishes what is committed, and notes up to where it lies on `outreach`.  One per process.

    `publish_all` and `publish_now` are for any thread, the others for one.
    """

    def __init__(
        self,
        engine: Engine,
        producer: KafkaProducer,
        prefix: str,
        compare: Callable[[], object] = lambda: None,
    ) -> None:
        """Work with `compare`, which is asked where something lies on `outreach` that nobody noted.

        It moves what is known behind it, or finds that this database is older than what was said.
        """
        self._engine = engine
        self._producer = producer
        self._prefix = prefix
        self._compare = compare
        self._acknowledged: list[int] = []
        self._spans: dict[int, said.Span] = {}

    def publish_all(self) -> int:
        """Publish everything waiting unless another is at it; return how many records.

        Nothing is published while the database has to be reconciled.

        Raises:
            KafkaError: the broker did not acknowledge; nothing is deleted then.
            Gap: something new lies on the topic each time; it is published again then.
        """
        return self._again_after_a_gap(lambda: self._drain(self._try_lock, _ACK_SECONDS))

    def publish_now(self) -> None:
        """Publish everything waiting, and return once the broker has all that was committed before.

        One that waits for another is carried by it: each publication takes whatever is there.

        Raises:
            NotPublished: the broker or the lock could not be had in time, or the database has to be
                reconciled.
        """
        try:
            self._again_after_a_gap(lambda: self._drain(self._lock, _SOON_SECONDS))
        except (KafkaError, Unavailable, Gap) as error:
            raise NotPublished(type(error).__name__) from error
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            raise NotPublished("others publish all the time") from error

    def publish_of(self, partitions: Sequence[int]) -> None:
        """Publish what waits for these partitions, whose only writer is the caller, and forget it.

        Raises:
            NotPublished: the broker did not acknowledge, or the database has to be reconciled.
        """

        def publish() -> None:
            with self._engine.begin() as connection:
                if reconciliation.is_needed(connection):
                    raise NotPublished("the database has to be reconciled")
                self.publish_partitions(connection, partitions)
                forgotten = self.forget(connection)
            self.forgotten(forgotten)

        try:
            self._again_after_a_gap(publish)
        except (KafkaError, Unavailable, Gap) as error:
            raise NotPublished(type(error).__name__) from error

    def publish_partitions(self, connection: Connection, partitions: Sequence[int]) -> int:
        """Publish what waits for these partitions, whose only writer is the caller; return how much.

        What was acknowledged is deleted by `forget`, in a later transaction of the caller, which
        saves a commit per barrier.

        Raises:
            KafkaError: the broker did not acknowledge.
            Gap: something lies between; see `reset`.
        """
        if reconciliation.is_needed(connection):
            return 0
        rows = connection.execute(
            _next_rows(limit=None)
            .where(OUTBOX.c.partition.in_(partitions))
            .where(OUTBOX.c.seq.not_in(self._acknowledged))
        ).all()
        written = self._send(rows, _ACK_SECONDS)
        self._acknowledged += [row.seq for row in rows]
        self._spans = said.joined(self._spans, written)
        return len(rows)

    def forget(self, connection: Connection) -> list[int]:
        """Delete what was acknowledged; return it, to be given to `forgotten` after the commit.

        Raises:
            Gap: something lies before it that nobody noted; roll back, and see `reset`.
        """
        _forget(connection, self._acknowledged)
        said.follow(connection, self._spans)
        return list(self._acknowledged)

    def forgotten(self, seqs: Sequence[int]) -> None:
        """Note that the deletion was committed."""
        gone = set(seqs)
        self._acknowledged = [seq for seq in self._acknowledged if seq not in gone]
        self._spans = {}

    def reset(self) -> None:
        """After a gap: look at what lies there, so that the next publication lies where it is expected."""
        self._spans = {}
        self._compare()

    def _again_after_a_gap(self, publish: Callable[[], T]) -> T:
        try:
            return publish()
        except Gap:
            self.reset()
            return publish()

    def _drain(self, lock: Callable[[Connection], bool], seconds: float) -> int:
        published = 0
        while True:
            with self._engine.begin() as connection:
                if not lock(connection):
                    return published
                rows = connection.execute(_next_rows()).all()
                written = self._send(rows, seconds)
                _forget(connection, [row.seq for row in rows])
                said.follow(connection, said.joined({}, written))
            published += len(rows)
            if len(rows) < _AT_ONCE:
                return published

    @staticmethod
    def _try_lock(connection: Connection) -> bool:
        is_ours = connection.execute(
            select(func.pg_try_advisory_xact_lock(_PUBLISHER_LOCK))
        ).scalar_one()
        return bool(is_ours) and not reconciliation.is_needed(connection)

    @staticmethod
    def _lock(connection: Connection) -> bool:
        connection.execute(text(f"SET LOCAL lock_timeout = '{_SOON_SECONDS}s'"))
        connection.execute(select(func.pg_advisory_xact_lock(_PUBLISHER_LOCK)))
        if reconciliation.is_needed(connection):
            raise NotPublished("the database has to be reconciled")
        return True

    def _send(self, rows: Sequence[Any], seconds: float) -> list[tuple[int, int]]:
        """Send these, and return partition and offset of each that lies on `outreach` now."""
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
        acknowledged = [future.get(timeout=seconds) for future in futures]
        return [
            (row.partition, one.offset)
            for row, one in zip(rows, acknowledged, strict=True)
            if row.topic == OUTREACH.name
        ]


def _value_of(row: Any) -> bytes | None:
    # A pointer to what had a personal key holds neither key nor bytes, and kafka-python refuses such.
    return b"" if row.key is None and row.value is None else row.value


def _next_rows(limit: int | None = _AT_ONCE) -> Any:
    return select(OUTBOX).order_by(OUTBOX.c.seq).limit(limit)


def _forget(connection: Connection, seqs: Sequence[int]) -> None:
    if seqs:
        connection.execute(delete(OUTBOX).where(OUTBOX.c.seq.in_(seqs)))
