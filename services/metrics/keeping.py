"""Kafka shell of what outlives the process: snapshots of the state, and the steps since the last one.

Both are written in transactions of one identity that every process of a deployment shares.  Whoever
opens it last is the only writer: what was read by then is all there will ever be, and an earlier
process ends at its next step, before anything of it could be exposed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from confluent_kafka import KafkaException

from services.contracts import topics as t
from services.contracts.access import METRICS_WRITER
from services.contracts.topics import Topic
from services.kit import logs
from services.kit.exits import Unavailable
from services.kit.topic_reader import TopicReader
from services.kit.transactions import Delivered, TransactionalWriter
from services.metrics import snapshot, steps
from services.metrics.exporter import Kept
from services.metrics.intake import WHAT_TO_DO
from services.metrics.snapshot import Changed, Header, Section, Standing, Undecodable
from services.metrics.state import State
from services.metrics.steps import Step

PARTITION = 0
"""All of it lies in one partition: the order of steps is their meaning."""

_HEADER_KEY = b"header"
_MOST_WAITING_BYTES = 16 << 20
"""Of a snapshot, so much waits for the broker at a time."""
_ATTEMPTS = 3

TopicIds = Mapping[str, UUID]
"""Logical topic → id on the broker."""

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Restored:
    """A state as it was kept."""

    state: State
    standing: Standing
    kept: Kept


class Keeper(Protocol):
    """Where state and steps outlive the process."""

    def restore(self) -> Restored | None:
        """Return the last snapshot; None where there is none that can be read."""
        ...

    def take_over(self) -> None:
        """Become the only writer."""
        ...

    def steps(self, since: int) -> list[Step]:
        """Return the steps from this offset on."""
        ...

    def append(self, step: Step) -> None:
        """Write a step down; returns when it can no longer be lost."""
        ...

    def keep(
        self, state: State, positions: Mapping[str, dict[int, int]], now: datetime
    ) -> Kept | None:
        """Write a snapshot down, whole or not at all; None: not now."""
        ...


class KafkaKeeper:
    """Keeps on the deployment's own topics.  Owned by one thread."""

    def __init__(
        self, bootstrap: str, *, prefix: str, partitions: int, topic_ids: Callable[[], TopicIds]
    ) -> None:
        """Connect for reading; raises `Unavailable` where no broker answers.

        Args:
            bootstrap: The brokers.
            prefix: The deployment's.
            partitions: Of every topic.
            topic_ids: Tells the ids that the topics to be read have now; raises `Unavailable`.
        """
        self._bootstrap = bootstrap
        self._look_up = topic_ids
        self._topic_ids = topic_ids()
        self._prefix = prefix
        self._reader = TopicReader(bootstrap, prefix=prefix, partitions=partitions)
        self._opened: TransactionalWriter | None = None
        self._chunks: dict[str, int] = {}
        """Section → chunks of it that lie on the topic."""
        self._next_step = 0

    def close(self) -> None:
        """Leave the broker."""
        self._reader.close()
        self._opened = None

    def restore(self) -> Restored | None:
        """Return the last snapshot; None where there is none, or none that can be read: that is said.

        Raises:
            Unavailable: a topic was made anew since.
        """
        try:
            restored = self._restored(_ATTEMPTS)
        except Undecodable as error:
            _log.error(
                "snapshot_unreadable",
                because=str(error),
                consequence="counting from the beginning of what the topics still hold; counters "
                "can begin lower than they ended",
            )
            return None
        if restored is not None:
            _refuse_others(restored.standing.topic_ids, self._topic_ids)
        return restored

    def take_over(self) -> None:
        """Become the only writer: earlier ones fail from now on, and what they left open is aborted."""
        name = f"{self._prefix}{METRICS_WRITER}"
        try:
            self._opened = TransactionalWriter(
                self._bootstrap, name, most_waiting_bytes=_MOST_WAITING_BYTES
            )
        except KafkaException as error:
            raise Unavailable(
                f"Kafka does not let {name} write ({error}): start this again"
            ) from error
        self._next_step = self._reader.bounds(t.METRICS_STEPS)[PARTITION][1]

    def steps(self, since: int) -> list[Step]:
        """Return the steps from this offset on; those that are gone already are said to be."""
        begin, end = self._reader.bounds(t.METRICS_STEPS)[PARTITION]
        if not begin <= since <= end:
            _log.error(
                "steps_gone",
                wanted_from=since,
                found_from=begin,
                consequence="what was counted after the last snapshot is counted again, perhaps "
                "in another order: counters can fall once",
            )
            return []
        found = self._read(t.METRICS_STEPS, since)
        return [steps.read(record.value) for record in found]

    def append(self, step: Step) -> None:
        """Write a step down; returns when the broker has it for good.

        Raises:
            Unavailable: another process took over, or the broker refused; nothing is lost.
        """

        def note(error: Any, message: Any) -> None:
            if error is None:
                self._next_step = message.offset() + 1

        self._write(t.METRICS_STEPS, None, steps.encode(step), note)
        self._writer.commit()

    def keep(
        self, state: State, positions: Mapping[str, dict[int, int]], now: datetime
    ) -> Kept | None:
        """Write a snapshot down, whole or not at all; None: the broker does not answer now.

        Raises:
            Unavailable: a topic was made anew, another process took over, or the broker refused;
                nothing is lost.
        """
        try:
            found = self._look_up()
        except Unavailable as error:
            _log.warning("snapshot_postponed", because=str(error))
            return None
        _refuse_others(self._topic_ids, found)
        standing = Standing(dict(positions), dict(found), self._next_step)
        sections, size = self._write_sections(state)
        header = Header(snapshot.FORMAT, now, standing, sections, size)
        self._write(t.METRICS_STATE, _HEADER_KEY, snapshot.encode_header(header))
        self._writer.commit()
        self._chunks = {name: section.chunks for name, section in sections.items()}
        return Kept(now, size)

    def _restored(self, attempts: int) -> Restored | None:
        records = {record.key: record.value for record in self._read(t.METRICS_STATE, 0)}
        raw = records.pop(_HEADER_KEY, None)
        chunks = {_place_of(key): value for key, value in records.items() if value is not None}
        for name, number in chunks:
            self._chunks[name] = max(self._chunks.get(name, 0), number + 1)
        if raw is None:
            return None
        header = snapshot.decode_header(raw)
        try:
            state = snapshot.decode(header, chunks)
        except Changed:
            if attempts <= 1:
                raise
            return self._restored(attempts - 1)
        return Restored(state, header.standing, Kept(header.written_at, header.state_bytes))

    def _read(self, topic: Topic, since: int) -> Iterator[Any]:
        wanted = self._reader.records([topic], since={PARTITION: since}, only=[PARTITION])
        return (record for _, record in wanted)

    def _write_sections(self, state: State) -> tuple[dict[str, Section], int]:
        sections, size = {}, 0
        for name, raw_bytes, chunks in snapshot.encode(state):
            digest, number = snapshot.Digest(), 0
            for number, content in enumerate(chunks, start=1):
                digest.add(content)
                self._write(t.METRICS_STATE, _key_of(name, number - 1), content)
            for surplus in range(number, self._chunks.get(name, 0)):
                self._write(t.METRICS_STATE, _key_of(name, surplus), None)
            sections[name] = Section(number, digest.text())
            size += raw_bytes
        return sections, size

    def _write(
        self,
        topic: Topic,
        key: bytes | None,
        value: bytes | None,
        delivered: Delivered | None = None,
    ) -> None:
        name = topic.physical(self._prefix)
        self._writer.write(name, PARTITION, key, value, delivered=delivered)

    @property
    def _writer(self) -> TransactionalWriter:
        if self._opened is None:
            raise RuntimeError("nothing is kept before `take_over`")
        return self._opened


def _key_of(section: str, number: int) -> bytes:
    return f"{section}/{number}".encode()


def _place_of(key: bytes) -> tuple[str, int]:
    section, _, number = key.decode().rpartition("/")
    return section, int(number)


def _refuse_others(known: TopicIds, found: TopicIds) -> None:
    anew = sorted(name for name, id_ in known.items() if found.get(name, id_) != id_)
    if anew:
        raise Unavailable(f"{', '.join(anew)} is not the topic that was read: {WHAT_TO_DO}")
