"""Reads ahead: gathers records until it is decided which of them belong to the next step."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import LogTruncationError, OffsetOutOfRangeError

from services.kit.clock import monotonic
from services.kit.exits import Unavailable
from services.kit.kafka_clients import begin_offsets, end_offsets
from services.metrics.lag import by_place

POLL_MILLISECONDS = 200
POLL_RECORDS = 5_000
POSITION_MILLISECONDS = 1_000
LOOK_EVERY_SECONDS = 1.0
MOST_AHEAD = 40_000
"""Records held for later steps before only what the next one lacks is read."""

WHAT_TO_DO = (
    "it was made anew, or the broker has lost records, so what was counted of it cannot be told from what "
    "it holds now: restore the topic, or delete the topic metrics-state and run `care topics apply`; "
    "the service then counts from the beginning of what is there, once, with lower counters"
)

Offsets = Mapping[TopicPartition, int]


class Intake:
    """Owns the consumer.  Used by one thread."""

    def __init__(self, consumer: KafkaConsumer, topics: Collection[str], partitions: int) -> None:
        self._consumer = consumer
        self._topics = topics
        self._partitions = partitions
        self._places = [TopicPartition(name, p) for name in topics for p in range(partitions)]
        self._records: dict[TopicPartition, list[Any]] = {}
        self._paused: set[TopicPartition] = set()
        self._looked_at = 0.0
        self.ahead = 0
        """Records gathered and not taken."""
        self.reached: dict[TopicPartition, int] = {}
        """Partition → where reading goes on: everything before was gathered."""

    def begin(self, positions: Offsets) -> dict[str, int]:
        """Stand at these positions, or at the beginning of partitions that have none.

        Returns:
            Broker name → offsets that retention had passed by then.

        Raises:
            Unavailable: a partition ends before its position.
        """
        self._consumer.assign(self._places)
        begins = self.begins()
        self.reached = begins | dict(positions)
        self.refuse_lost(self.reached)
        return self._skip_to(begins)

    def begins(self) -> dict[TopicPartition, int]:
        """Return the first offset that each partition still has."""
        return by_place(begin_offsets(self._consumer, self._topics, self._partitions))

    def ends(self) -> dict[TopicPartition, int]:
        """Return where each partition ends now."""
        return by_place(end_offsets(self._consumer, self._topics, self._partitions))

    def gather(self, lacking: Collection[TopicPartition]) -> dict[str, int]:
        """Read on for a moment.

        Args:
            lacking: Partitions that must move on, if only past the markers that a transaction leaves.

        Returns:
            Broker name → offsets that retention passed before they were read.

        Raises:
            Unavailable: a topic was made anew, or lost its end.
        """
        self._hold_back(lacking)
        try:
            polled = self._consumer.poll(POLL_MILLISECONDS, max_records=POLL_RECORDS)
            moved = self._look_where(polled, lacking)
        except (OffsetOutOfRangeError, LogTruncationError):
            self.refuse_lost(self.reached)
            return self._skip_to(self.begins())
        for place, records in polled.items():
            self._records.setdefault(place, []).extend(records)
            self.ahead += len(records)
        self.reached |= moved
        return {}

    def take(self, ends: Offsets) -> dict[TopicPartition, list[Any]]:
        """Return what was gathered before these ends, in the order of offsets; it is gathered no more."""
        taken: dict[TopicPartition, list[Any]] = {}
        for place, end in ends.items():
            held = self._records.pop(place, [])
            if held and held[-1].offset >= end:
                self._records[place] = [r for r in held if r.offset >= end]
                held = [r for r in held if r.offset < end]
            if held:
                taken[place] = held
                self.ahead -= len(held)
        return taken

    def refuse_lost(self, positions: Offsets) -> None:
        """Raise `Unavailable` where a partition ends before its position."""
        ends = self.ends()
        lost = sorted({place.topic for place, offset in positions.items() if offset > ends[place]})
        if lost:
            raise Unavailable(f"{', '.join(lost)} ended later when last read: {WHAT_TO_DO}")

    def _look_where(
        self, polled: Iterable[TopicPartition], lacking: Collection[TopicPartition]
    ) -> dict[TopicPartition, int]:
        places: Collection[TopicPartition] = {*polled, *lacking}
        if monotonic() - self._looked_at > LOOK_EVERY_SECONDS:
            self._looked_at = monotonic()
            places = self._places
        found = {p: self._consumer.position(p, timeout_ms=POSITION_MILLISECONDS) for p in places}
        return {place: offset for place, offset in found.items() if offset is not None}

    def _hold_back(self, lacking: Collection[TopicPartition]) -> None:
        """While much is gathered, read nothing that the next step does not lack."""
        held = set(self._places) - set(lacking) if self.ahead > MOST_AHEAD and lacking else set()
        if resumed := self._paused - held:
            self._consumer.resume(*resumed)
        if paused := held - self._paused:
            self._consumer.pause(*paused)
        self._paused = held

    def _skip_to(self, begins: Offsets) -> dict[str, int]:
        """Go on behind what is gone."""
        gone: dict[str, int] = {}
        for place, offset in self.reached.items():
            if begins[place] > offset:
                gone[place.topic] = gone.get(place.topic, 0) + begins[place] - offset
        self.reached = {p: max(offset, begins[p]) for p, offset in self.reached.items()}
        for place, offset in self.reached.items():
            self._consumer.seek(place, offset)
        return gone
