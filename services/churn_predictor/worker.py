"""The shell around the partitions: records in, one transaction out.  No rule of care lives here."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.churn_predictor.feeds import HeardFeeds
from services.churn_predictor.partition import Moved, Output, Partition, Refused
from services.churn_predictor.scoring import Scorecard
from services.churn_predictor.telemetry import Telemetry
from services.contracts import topics as t
from services.contracts.envelope import STRUCTURED
from services.contracts.stream import Tick
from services.contracts.topics import Topic
from services.kit import dead_letters
from services.kit.changelog import Follower, read_latest
from services.kit.clock import Clock
from services.kit.exits import Unavailable
from services.kit.faust_slices import HoleInStream, Slice
from services.kit.logs import get
from services.kit.records import read_event
from services.kit.suspects import Suspects
from services.kit.transactions import TransactionalWriter

GROUP = "churn-predictor"
SOURCES = (*t.PREDICTOR_SOURCES, t.TICKS)

_FEEDS_SECONDS = 30.0
_RESTORING = 8
_DEADLY = "deadly"
_log = get(__name__)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Which topics on which broker."""

    bootstrap: str
    prefix: str
    partitions: int
    topic_ids: Mapping[str, UUID]
    """Logical name → the topic's id on the broker."""


@dataclass(slots=True)
class _Owned:
    partition: Partition
    writer: TransactionalWriter


class Worker:
    """Hosts the partitions of this process (the `Host` of a slice app)."""

    def __init__(
        self,
        deployment: Deployment,
        card: Scorecard,
        telemetry: Telemetry,
        clock: Clock | None,
        suspects: Suspects,
    ) -> None:
        """Take no partition yet.  `clock` is None in simulated time: ticks alone tell the time."""
        self._deployment = deployment
        self._card = card
        self._telemetry = telemetry
        self._clock = clock
        self._suspects = suspects
        self._topics = t.physical_names(SOURCES, deployment.prefix)
        self._owned: dict[int, _Owned] = {}
        self._lock = threading.Lock()
        self._heard = HeardFeeds(deployment.partitions)
        self._feeds = Follower(
            deployment.bootstrap,
            t.FEEDS.physical(deployment.prefix),
            deployment.partitions,
            self._heard.keep,
        )

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partition numbers this worker owns now."""
        return tuple(self._owned)

    def own(self, partitions: frozenset[int]) -> Mapping[tuple[str, int], int | None]:
        """Fence former owners, rebuild each partition from its changelog, say where to read on."""
        with self._lock:
            # Mostly waiting for the broker: side by side it takes as long as the slowest.
            numbers = sorted(partitions)
            with ThreadPoolExecutor(_RESTORING) as pool:
                self._owned = dict(zip(numbers, pool.map(self._restore, numbers), strict=True))
            if partitions:
                self._feeds.catch_up(_FEEDS_SECONDS)
            self._telemetry.owned(owned.partition for owned in self._owned.values())
        return {
            (name, number): owned.partition.next_offset(topic)
            for number, owned in self._owned.items()
            for name, topic in self._topics.items()
        }

    def begin(self, starts: Mapping[tuple[str, int], int]) -> None:
        """Note from where each source is read, so that an empty one counts as read."""
        for (name, number), offset in starts.items():
            self._owned[number].partition.begin(self._topics[name], offset)

    def disown(self) -> None:
        """Commit what is open and forget every partition."""
        with self._lock:
            self.commit()
            self._owned = {}
            self._telemetry.owned(())

    def work(self, piece: Slice) -> None:
        """Apply a slice, then let every tick take effect that waited for it.

        Raises:
            HoleInStream: records before this slice were never delivered.
        """
        owned = self._owned.get(piece.partition)
        if owned is None:
            return
        topic = self._topics[piece.topic]
        known = owned.partition.next_offset(topic)
        if known is not None and piece.begins_at > known:
            raise HoleInStream(f"{piece.topic}-{piece.partition}: {known} to {piece.begins_at}")
        for letter in self._apply(owned.partition, topic, piece):
            self._dead_letter(owned, letter)
            if letter.reason == _DEADLY:
                # At once, or a second one in this slice would bring the first one back.
                self._write_changes(owned)
                owned.writer.commit()
        self._telemetry.applied(owned.partition)
        has_ticked = self._tick(owned)
        self._write_changes(owned)
        if has_ticked:
            # What a tick brought should be seen at once; everything else can wait for the commit timer.
            owned.writer.commit()

    def _apply(self, partition: Partition, topic: Topic, piece: Slice) -> Iterator[Refused]:
        now = self._now(partition)
        if topic is t.TICKS:
            # Never set aside: time must pass, and what ends the process lies in the facts.
            yield from partition.apply(topic, piece.records, piece.ends_at, now)
            return
        for portion in self._suspects.portions(topic.name, piece.partition, piece.records):
            if portion.is_deadly:
                yield partition.refuse(topic, portion.records[0], _DEADLY)
            else:
                ends_at = portion.records[-1].offset + 1
                yield from partition.apply(topic, portion.records, ends_at, now)
        yield from partition.apply(topic, (), piece.ends_at, now)
        self._suspects.done(piece.partition, topic.name, piece.ends_at)

    def commit(self) -> None:
        """Commit the open transaction of every partition."""
        for owned in self._owned.values():
            owned.writer.commit()

    def _restore(self, number: int) -> _Owned:
        deployment = self._deployment
        self._suspects.recall(number)
        name = f"{deployment.prefix}{GROUP}-{number}"
        writer = TransactionalWriter(deployment.bootstrap, name, t.MAX_STATE_BYTES)
        partition = Partition(number, self._card, read_event, deployment.topic_ids)
        changelog = t.FACTS_CHANGELOG.physical(deployment.prefix)
        try:
            partition.restore(read_latest(deployment.bootstrap, changelog, number))
        except Moved as moved:
            raise Unavailable(
                f"topic {deployment.prefix}{moved} was made anew since this state was written, so its "
                f"offsets mean nothing: make {changelog} anew too, to start from an empty state"
            ) from None
        _log.info("partition_owned", partition=number, customers=len(partition.customers))
        return _Owned(partition, writer)

    def _now(self, partition: Partition) -> datetime | None:
        return partition.state.at if self._clock is None else self._clock.now()

    def _tick(self, owned: _Owned) -> bool:
        has_ticked = False
        while (tick := owned.partition.ready()) is not None:
            self._read_feeds(tick)
            for output in owned.partition.advance(tick, self._heard.as_of(tick.number - 1)):
                self._write(owned, output)
            self._telemetry.ticked(tick.at)
            has_ticked = True
        return has_ticked

    def _read_feeds(self, tick: Tick) -> None:
        """Take in the other partitions' marks; in simulated time wait for the tick before this one."""
        if tick.barrier is None:
            self._feeds.read(0.0)
            return
        while not self._heard.complete(tick.number - 1):
            if not self._feeds.read(_FEEDS_SECONDS):
                raise TimeoutError(f"feeds of tick {tick.number - 1} are incomplete")

    def _write(self, owned: _Owned, output: Output) -> None:
        headers = [("content-type", (output.content_type or STRUCTURED).encode())]
        name = output.topic.physical(self._deployment.prefix)
        owned.writer.write(name, owned.partition.number, output.key, output.value, headers)

    def _write_changes(self, owned: _Owned) -> None:
        changelog = t.FACTS_CHANGELOG.physical(self._deployment.prefix)
        for key, value in owned.partition.take_changes():
            owned.writer.write(changelog, owned.partition.number, key, value)

    def _dead_letter(self, owned: _Owned, letter: Refused) -> None:
        record, number = letter.record, owned.partition.number
        headers = dead_letters.headers_for(
            service=GROUP,
            reason=letter.reason,
            detail=letter.detail,
            topic=letter.topic,
            partition=number,
            offset=record.offset,
            original=record.headers,
        )
        name = t.dead_letter(letter.topic).physical(self._deployment.prefix)
        body = dead_letters.body_for(letter.topic, record.value)
        owned.writer.write(name, number, record.key, body, headers)
        _log.warning(
            "dead_lettered",
            topic=letter.topic.name,
            partition=number,
            offset=record.offset,
            reason=letter.reason,
        )
