"""Membership of the consumer group: which partitions are ours, claimed in the database, read from there."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from sqlalchemy import Engine

from services.kit.clock import monotonic
from services.outreach import positions
from services.outreach.batch import SOURCES, KafkaRecord
from services.outreach.positions import Move, Source

_COMMIT_EVERY_SECONDS = 1.0


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads what is ours, from where the database says.  For one thread, as its consumer is."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        engine: Engine,
        owner: UUID,
        prefix: str,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._consumer = consumer
        self._engine = engine
        self._owner = owner
        self._prefix = prefix
        self._log = log
        self._failure: Exception | None = None
        self._committed_at = monotonic()
        self.positions: dict[Source, int] = {}
        self.partitions: tuple[int, ...] = ()
        self.generation = 0
        """Grows with every change of assignment: what was read before counts no more."""

    def join(self) -> None:
        """Subscribe; partitions come with the polls that follow."""
        names = [topic.physical(self._prefix) for topic in SOURCES.values()]
        for name in names:
            # Who leads the group shares out what its client knows: let it know every topic first.
            self._consumer.partitions_for_topic(name)
        self._consumer.subscribe(names, listener=self)

    def rejoin(self) -> None:
        """Leave the group and join it anew, after somebody else moved a position of ours."""
        self._log.warning("outreach_superseded", partitions=list(self.partitions))
        self._consumer.unsubscribe()
        self._let_go()
        self.join()

    def poll(self, timeout_ms: int) -> dict[Source, list[KafkaRecord]]:
        """Return records of our partitions, each list in order.

        Raises:
            Exception: whatever kept an assignment from being claimed.
        """
        polled = self._consumer.poll(timeout_ms=timeout_ms)
        if self._failure is not None:
            raise self._failure
        by_source = {self._source(tp): records for tp, records in polled.items()}
        return {
            source: records for source, records in by_source.items() if source in self.positions
        }

    def position(self, source: Source) -> int:
        """Return the offset up to which this source was polled, gaps without records included."""
        return int(self._consumer.position(self._topic_partition(source)) or 0)

    def passed(self, topics: Iterable[str]) -> dict[Source, int]:
        """Return how far these topics were polled, where that is beyond what is committed; asks nobody.

        After a poll whose records are in the same batch.  The last of what was polled may be no record: a
        transaction ends with a marker, and aborted records are not given.
        """
        sources = [(topic, p) for topic in topics for p in self.partitions]
        found = {source: self._known_position(source) for source in sources}
        return {source: at for source, at in found.items() if at > self.positions[source]}

    def _known_position(self, source: Source) -> int:
        try:
            place = self._topic_partition(source)
            return int(self._consumer.position(place, timeout_ms=0) or 0)
        except KafkaError:
            # It was out of range, and the broker has not said yet where the partition begins.
            return 0

    def moved(self, moves: Iterable[Move]) -> None:
        """Note what was committed; tell Kafka now and then, for tools that show the lag."""
        for move in moves:
            self.positions[move.source] = move.next_offset
        if monotonic() - self._committed_at >= _COMMIT_EVERY_SECONDS:
            self._committed_at = monotonic()
            self.tell_kafka()

    def tell_kafka(self) -> None:
        """Commit our positions to Kafka.  Nothing depends on it, so nothing waits for it."""
        offsets = {
            self._topic_partition(source): OffsetAndMetadata(offset, "", -1)
            for source, offset in self.positions.items()
        }
        if offsets:
            self._consumer.commit_async(offsets, callback=lambda *_: None)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Claim what is ours and read it from where the database stands."""
        try:
            self._take_over([self._source(tp) for tp in assigned])
        except Exception as error:  # noqa: BLE001 - the client would log it and read on
            self._failure = error

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let go; nothing is under way between two polls."""
        self._let_go()

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Let go; somebody else may have them already."""
        self._let_go()

    def _take_over(self, sources: list[Source]) -> None:
        with self._engine.begin() as connection:
            claimed = positions.claim(connection, self._owner, sources)
        for source, offset in claimed.items():
            self._consumer.seek(self._topic_partition(source), offset)
        self.partitions = _complete(claimed)
        self.positions = {s: offset for s, offset in claimed.items() if s[1] in self.partitions}
        self.generation += 1
        self._log.info("outreach_assigned", partitions=list(self.partitions))

    def _let_go(self) -> None:
        self.positions = {}
        self.partitions = ()
        self.generation += 1

    def _source(self, tp: TopicPartition) -> Source:
        return (tp.topic.removeprefix(self._prefix), tp.partition)

    def _topic_partition(self, source: Source) -> Any:
        return TopicPartition(f"{self._prefix}{source[0]}", source[1])


def _complete(claimed: Mapping[Source, int]) -> tuple[int, ...]:
    """Return the partitions of which every topic is ours: a customer's story must not be shared.

    An incomplete one comes only from a leader that does not know every topic yet; it shares out
    anew as soon as it does, and until then such a partition is not read.
    """
    numbers = {partition for _, partition in claimed}
    return tuple(sorted(p for p in numbers if all((topic, p) in claimed for topic in SOURCES)))
