"""Kafka shell: reads every topic from its beginning, folds, and says when it has caught up.

The state is the topics': it is rebuilt at each start, without a consumer group, and nothing is
exposed before the ends seen at the start are reached, so that a restart never shows a smaller
counter.  The reach of that is the topics' retention: what was deleted in the meantime is not counted
again, and Prometheus then takes the smaller counters for a reset.
"""

import threading
from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError
from prometheus_client.core import Metric as Family

from services.contracts.topics import Topic, physical_names
from services.kit import logs
from services.kit.clock import monotonic
from services.kit.exits import Unavailable
from services.kit.health import Verdict
from services.kit.kafka_clients import begin_offsets, end_offsets
from services.metrics import exporter
from services.metrics.decode import READ_TOPICS, decode
from services.metrics.figures.saves import SAVE_WINDOW
from services.metrics.figures.trials import TRIAL_WINDOW
from services.metrics.fold import Unread, fold
from services.metrics.lag import by_place
from services.metrics.state import State

POLL_MILLISECONDS = 200
POLL_RECORDS = 2_000
POSITION_MILLISECONDS = 1_000
LOOK_EVERY_SECONDS = 1.0
STUCK_AFTER_SECONDS = 30.0

_log = logs.get(__name__)


class Worker:
    """Owns the consumer and the state.  `run` is one thread; the verdicts and `families` any."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        *,
        partitions: int,
        prefix: str,
        save: timedelta = SAVE_WINDOW,
        trial: timedelta = TRIAL_WINDOW,
    ) -> None:
        self._consumer = consumer
        self._topics = physical_names(READ_TOPICS, prefix)
        self._partitions = partitions
        self._places = [TopicPartition(name, p) for name in self._topics for p in range(partitions)]
        self._lock = threading.Lock()
        self._state = State()
        self._state.look_for(save=save, trial=trial)
        self._positions: dict[TopicPartition, int] = {}
        self._behind: dict[TopicPartition, int] = {}
        """Partition → end seen at the last look, for those not read up to there yet."""
        self._over: datetime | None = None
        """The instant that was over when the ends were looked at."""
        self._settled: datetime | None = None
        self._began = self._caught_up = False
        self.turned_at = self._looked_at = monotonic()

    def begin(self) -> None:
        """Stand at the beginning of every partition and note where each ends now."""
        self._consumer.assign(self._places)
        begins = begin_offsets(self._consumer, self._topics, self._partitions)
        self._positions = by_place(begins)
        for place, offset in self._positions.items():
            self._consumer.seek(place, offset)
        self._aim()
        self._began = True

    def run(self, stop: threading.Event) -> None:
        """Fold until told to stop.

        Raises:
            Unavailable: records were deleted before they could be read, or a topic was made anew.
        """
        while not stop.is_set():
            self.turn()

    def turn(self) -> None:
        """Fold what has come since the last turn."""
        try:
            polled = self._consumer.poll(POLL_MILLISECONDS, max_records=POLL_RECORDS)
            moved = self._look_where(polled)
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            raise Unavailable(
                f"records are gone that were to be read next ({error}): retention deleted them or "
                "the topic was made anew; start the metrics service again, it counts from the "
                "beginning of what is there"
            ) from error
        with self._lock:
            for place, records in polled.items():
                self._fold(place, records)
            self._positions |= moved
            self._reach()
        self.turned_at = monotonic()

    def families(self, lags: exporter.Lags, playbooks: tuple[str, ...]) -> list[Family]:
        """Return the series of this moment."""
        with self._lock:
            return exporter.render(self._state, lags, playbooks)

    def positions(self) -> dict[TopicPartition, int]:
        """Return the offset to be read next, by partition."""
        with self._lock:
            return dict(self._positions)

    def live(self) -> Verdict:
        """Return whether the loop turns; says nothing of the broker."""
        idle = monotonic() - self.turned_at
        return Verdict(idle < STUCK_AFTER_SECONDS, f"last turn {idle:.1f} s ago")

    def caught_up(self) -> Verdict:
        """Return whether the ends seen at the start were reached, so that no count is too small."""
        if not self._began:
            return Verdict(False, "has not begun to read")
        behind = 0 if self._caught_up else len(self._behind)
        return Verdict(
            self._caught_up, f"{behind} partitions not yet read up to their end at start"
        )

    def _look_where(self, polled: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the positions that may have moved.

        When nothing came, one may have moved all the same: past the markers a transaction leaves.
        """
        places: Collection[TopicPartition] = polled or self._behind
        if not places and monotonic() - self._looked_at > LOOK_EVERY_SECONDS:
            self._looked_at = monotonic()
            places = self._places
        found = {p: self._consumer.position(p, timeout_ms=POSITION_MILLISECONDS) for p in places}
        return {place: offset for place, offset in found.items() if offset is not None}

    def _fold(self, place: TopicPartition, records: list[Any]) -> None:
        topic = self._topics[place.topic]
        unread: Counter[str] = Counter()
        for record in records:
            decoded = decode(topic, record)
            if isinstance(decoded, Unread):
                unread[decoded.reason] += 1
            if decoded is not None:
                fold(self._state, topic, place.partition, decoded)
        if unread:
            _warn(topic, place.partition, records, unread)

    def _aim(self) -> None:
        """Note where every partition ends now, and which instant is over.

        What was said of that instant lies before those ends: once they are reached, nothing that is
        still unread can change what is judged of it.
        """
        over = self._state.over(self._partitions)
        ends = by_place(end_offsets(self._consumer, self._topics, self._partitions))
        self._behind = {p: end for p, end in ends.items() if end > self._positions[p]}
        self._over = over

    def _reach(self) -> None:
        for place in [p for p, end in self._behind.items() if self._positions[p] >= end]:
            del self._behind[place]
        if self._behind:
            return
        if self._over is not None and self._over != self._settled:
            self._state.settle(self._over)
            self._settled = self._over
        over = self._state.over(self._partitions)
        if not self._caught_up and (over is None or self._settled is not None):
            # Not before the first settling: a restart would show what it has not judged again yet.
            self._caught_up = True
            _log.info("caught_up", partitions=len(self._places))
        if over != self._settled:
            self._look_ahead()

    def _look_ahead(self) -> None:
        try:
            self._aim()
        except (KafkaError, KeyError) as error:
            # The next turn tries again; until then nothing more is judged.
            _log.warning("ends_not_known", error=type(error).__name__)


def _warn(topic: Topic, partition: int, records: list[Any], unread: Counter[str]) -> None:
    """Say it once for a batch: whoever owns the topic dead-letters each record, we only read."""
    _log.warning(
        "records_unreadable",
        topic=topic.name,
        partition=partition,
        from_offset=records[0].offset,
        to_offset=records[-1].offset,
        reasons=dict(unread),
    )
