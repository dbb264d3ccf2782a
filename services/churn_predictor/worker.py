"""The shell around the partitions: records in, one transaction out.  No rule of care lives here."""

import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from services.churn_predictor.heard_feeds import HeardFeeds
from services.churn_predictor.latency import waited
from services.churn_predictor.outputs import Output
from services.churn_predictor.partition import Partition, Refused
from services.churn_predictor.telemetry import Telemetry
from services.churn_predictor.told import SliceNotes, log_said
from services.churn_predictor.trust import WrittenByNewer
from services.churn_predictor.vault import (
    Deployment,
    Owned,
    Vault,
    laid_out_otherwise,
    written_by_newer,
)
from services.contracts import topics as t
from services.contracts.access import PREDICTOR_GROUP
from services.contracts.problems import RiskAssessed
from services.contracts.stream import Tick
from services.contracts.topics import Topic
from services.kit import dead_letters
from services.kit.changelog import Follower
from services.kit.clock import Clock, monotonic
from services.kit.logs import get
from services.kit.slices import HoleInStream, Slice
from services.kit.suspects import Suspects
from services.kit.tracing import NO_SPANS, Spans

GROUP = PREDICTOR_GROUP
SOURCES = (*t.TICKED, t.TICKS)

_FEEDS_SECONDS = 30.0
_FEEDS_PATIENCE_SECONDS = 0.2
"""How long a tick of simulated time holds everything up for marks that are on their way."""
_DEADLY = "deadly"
_log = get(__name__)


class Worker:
    """Hosts the partitions of this process (the `Host` of a slice app)."""

    def __init__(
        self,
        deployment: Deployment,
        vault: Vault,
        telemetry: Telemetry,
        clock: Clock | None,
        suspects: Suspects,
        spans: Spans = NO_SPANS,
    ) -> None:
        """Take no partition yet.  `clock` is None in simulated time: ticks alone tell the time."""
        self._spans = spans
        self._group = f"{deployment.prefix}{GROUP}"
        self._deployment = deployment
        self._vault = vault
        self._telemetry = telemetry
        self._clock = clock
        self._suspects = suspects
        self._topics = t.physical_names(SOURCES, deployment.prefix)
        self._owned: dict[int, Owned] = {}
        self._is_working = False
        """Whether the owned partitions have begun: between `begin` and `disown`."""
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
        """Fence former owners, bring each partition up to date, say where to read on."""
        with self._lock:
            self._owned = self._vault.fetch(partitions)
            for number in partitions:
                self._suspects.recall(number)
            if partitions:
                self._feeds.catch_up(_FEEDS_SECONDS)
                self._refuse_other_layouts()
            self._telemetry.owned(owned.partition for owned in self._owned.values())
        return {
            (name, number): owned.partition.next_offset(topic)
            for number, owned in self._owned.items()
            for name, topic in self._topics.items()
        }

    def _refuse_other_layouts(self) -> None:
        """End where others' state belongs to another number of partitions: one that is new holds no state."""
        for before in sorted(self._heard.layouts - {self._deployment.partitions}):
            raise laid_out_otherwise(str(before), self._deployment.partitions)

    def begin(self, starts: Mapping[tuple[str, int], int]) -> None:
        """Note from where each source is read, so that an empty one counts as read."""
        for (name, number), offset in starts.items():
            owned = self._owned[number]
            missed = owned.partition.begin(self._topics[name], offset)
            if missed:
                # Else it would be missed anew at the next start, until something comes.
                owned.has_news = True
                self._telemetry.missed(self._topics[name], missed)
                _log.error("records_expired_unread", topic=name, partition=number, records=missed)
        self._is_working = True

    def disown(self) -> None:
        """Commit what is open and let go of every partition."""
        with self._lock:
            self._is_working = False
            self.commit()
            self._vault.put_back(self._owned)
            self._owned = {}
            self._telemetry.disowned()

    def work(self, piece: Slice) -> None:
        """Apply a slice, then let every tick take effect that waited for it.

        Raises:
            HoleInStream: records before this slice were never delivered.
        """
        owned = self._owned.get(piece.partition)
        if owned is None:
            return
        begun = monotonic()
        topic = self._topics[piece.topic]
        known = owned.partition.next_offset(topic)
        if known is not None and piece.begins_at > known:
            raise HoleInStream(f"{piece.topic}-{piece.partition}: {known} to {piece.begins_at}")
        owned.has_news = True
        notes = SliceNotes.begin(owned.partition, topic, piece, self._group, self._spans)
        for letter in self._apply(owned.partition, topic, piece):
            self._dead_letter(owned, letter)
            if letter.reason == _DEADLY:
                # At once, or a second one in this slice would bring the first one back.
                owned.commit()
                owned.has_news = True
        self._telemetry.applied(owned.partition)
        notes.applied(owned.partition)
        self._tick(owned)
        notes.end()
        self._telemetry.worked(monotonic() - begun)

    def idle(self) -> None:
        """Try again the ticks that had to wait for what other partitions heard."""
        if self._is_working:
            for owned in self._owned.values():
                self._tick(owned)

    def _apply(self, partition: Partition, topic: Topic, piece: Slice) -> Iterator[Refused]:
        try:
            yield from self._apply_noted(partition, topic, piece)
        except WrittenByNewer as newer:
            # It is no fault of the record: nothing is noted that could set it aside one day.
            self._suspects.done(piece.partition, topic.name, 0)
            raise written_by_newer(newer) from None

    def _apply_noted(self, partition: Partition, topic: Topic, piece: Slice) -> Iterator[Refused]:
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
            owned.commit()

    def _now(self, partition: Partition) -> datetime | None:
        return partition.state.at if self._clock is None else self._clock.now()

    def _tick(self, owned: Owned) -> None:
        has_ticked, said = False, list[Output]()
        while (tick := owned.partition.ready()) is not None and self._has_heard(tick):
            before = tick.number - 1
            heard, known_at = self._heard.as_of(before), self._heard.known_at(before)
            relays = self._heard.relays(before, heard)
            for output in owned.partition.advance(tick, heard, known_at, relays=relays):
                self._write(owned, output)
                if output.said is not None:
                    said.append(output)
            self._tell_failures(owned.partition)
            self._telemetry.counted(owned.partition)
            self._telemetry.ticked(tick.at, owned.partition)
            has_ticked = owned.has_news = True
        if has_ticked:
            # What a tick brought should be seen at once; everything else can wait for the commit timer.
            owned.commit()
            # Only now: what is not committed was not said, and will be said again.
            self._telemetry.assessed(_assessments(said))
            self._tell_latency(owned.partition)
            log_said(said, owned.partition.number)

    def _tell_latency(self, partition: Partition) -> None:
        accepted = partition.undecided.take()
        if self._clock is not None:
            # In simulated time records and ticks follow different clocks: nothing could be said.
            now = self._clock.now().timestamp()
            self._telemetry.decided(waited(accepted, partition.state.since, now))

    def _tell_failures(self, partition: Partition) -> None:
        for failure in partition.failures:
            self._telemetry.failed()
            _log.error(
                "rule_failed",
                partition=partition.number,
                customer=failure.customer_id,
                error="".join(traceback.format_exception(failure.error)),
            )
        partition.failures.clear()

    def _has_heard(self, tick: Tick) -> bool:
        """Take in the other partitions' marks; in simulated time those of the tick before must be in."""
        self._feeds.read(0.0)
        if tick.barrier is None:
            return True
        until = monotonic() + _FEEDS_PATIENCE_SECONDS
        while not self._heard.complete(tick.number - 1):
            if monotonic() > until:
                return False
            self._feeds.read(_FEEDS_PATIENCE_SECONDS)
        return True

    def _write(self, owned: Owned, output: Output) -> None:
        name = output.topic.physical(self._deployment.prefix)
        number = owned.partition.number if output.partition is None else output.partition
        owned.writer.write(name, number, output.key, output.record_value, output.headers)

    def _dead_letter(self, owned: Owned, letter: Refused) -> None:
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


def _assessments(said: Iterable[Output]) -> Iterator[RiskAssessed]:
    events = (output.said for output in said)
    return (e.data for e in events if e is not None and isinstance(e.data, RiskAssessed))
