"""How far each service is behind: the age of the oldest record it has not read.

Offsets say how many records wait, which says nothing to a customer; the age of the oldest does.  It
is found by reading the one record at each position that is short of the end.  Ages are measured
with the machine's clock against the records' own timestamps, in simulated time too: they tell how
long a record really waited.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from services.contracts import topics as t
from services.contracts.access import OUTREACH_GROUP, PREDICTOR_GROUP
from services.kit import logs
from services.kit.clock import epoch_seconds, monotonic
from services.kit.kafka_clients import begin_offsets, end_offsets

LONGEST_PROBE_SECONDS = 5.0
_POLL_MILLISECONDS = 100

Positions = Mapping[TopicPartition, int]
"""Partition → offset of the next record to read."""

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Reader:
    """A service that commits what it has read to a consumer group."""

    service: str
    group: str
    """Without the deployment's prefix."""
    always: tuple[t.Topic, ...]
    """Topics it must read: without a commit it is behind from their beginning.  Others count from
    its first commit on."""


READERS = (
    Reader("churn_predictor", PREDICTOR_GROUP, t.PREDICTOR_SOURCES),
    Reader("outreach", OUTREACH_GROUP, (t.PROBLEMS, t.CONTACTS)),
)


def by_place(offsets: Mapping[str, list[int]]) -> dict[TopicPartition, int]:
    """Return the offsets of each topic's partitions under the partitions themselves."""
    return {
        TopicPartition(name, partition): offset
        for name, found in offsets.items()
        for partition, offset in enumerate(found)
    }


def positions_of(
    reader: Reader, committed: Positions, begins: Positions, names: Mapping[str, t.Topic]
) -> dict[TopicPartition, int]:
    """Return where this reader stands in every partition of the topics it reads.

    Args:
        reader: The service.
        committed: Its group's offsets, of any topic.
        begins: The beginning of every partition that could be looked at.
        names: Broker name → topic of everything that could be looked at.
    """
    used = {place.topic for place in committed} | {
        name for name, topic in names.items() if topic in reader.always
    }
    return {
        place: max(begin, committed.get(place, begin))
        for place, begin in begins.items()
        if place.topic in used
    }


def oldest_age(
    positions: Positions, timestamps: Mapping[TopicPartition, float], now: float
) -> dict[str, float]:
    """Return topic → age in seconds of its oldest unread record, 0 where all is read.

    Args:
        positions: The partitions looked at.
        timestamps: Epoch seconds of the next record, for the partitions that have one.
        now: Epoch seconds.
    """
    ages: dict[str, float] = {}
    for place in positions:
        age = max(0.0, now - timestamps[place]) if place in timestamps else 0.0
        ages[place.topic] = max(age, ages.get(place.topic, 0.0))
    return ages


class LagProbe:
    """Looks at the broker.  Owned by one thread."""

    def __init__(
        self,
        admin: KafkaAdminClient,
        consumer: KafkaConsumer,
        topics: Iterable[t.Topic],
        *,
        partitions: int,
        prefix: str,
    ) -> None:
        self._admin = admin
        self._consumer = consumer
        self._prefix = prefix
        self._names = t.physical_names(topics, prefix)
        self._partitions = partitions

    def measure(self, own: Positions) -> dict[tuple[str, ...], float]:
        """Return (service, topic) → age in seconds of the oldest unread record.

        Args:
            own: Where the metrics service itself stands.

        Raises:
            KafkaError: the broker did not answer in time.
            KeyError: it does not know yet who leads a partition.
        """
        begins = by_place(begin_offsets(self._consumer, self._names, self._partitions))
        standing = {"metrics": dict(own)}
        for reader in READERS:
            committed = self._committed(f"{self._prefix}{reader.group}")
            standing[reader.service] = positions_of(reader, committed, begins, self._names)
        return {
            (service, self._names[topic].name): age
            for service, positions in standing.items()
            for topic, age in self._ages(positions).items()
        }

    def close(self) -> None:
        """Leave the broker."""
        self._admin.close()
        self._consumer.close()

    def _committed(self, group: str) -> Positions:
        found = self._admin.list_group_offsets(group).get(group, {})
        return {place: at.offset for place, at in found.items() if at.offset >= 0}

    def _ages(self, positions: Positions) -> dict[str, float]:
        topics = sorted({place.topic for place in positions})
        ends = by_place(end_offsets(self._consumer, topics, self._partitions))
        behind = {place: at for place, at in positions.items() if at < ends[place]}
        return oldest_age(positions, self._timestamps(behind, ends), epoch_seconds())

    def _timestamps(self, behind: Positions, ends: Positions) -> dict[TopicPartition, float]:
        """Return the timestamp of the first record at or after each position, where there is one."""
        waiting = set(behind)
        found: dict[TopicPartition, float] = {}
        self._consumer.assign(list(behind))
        # A partition that was paused stays so through a new assignment that has it again.
        self._consumer.resume(*behind)
        for place, position in behind.items():
            self._consumer.seek(place, position)
        give_up_at = monotonic() + LONGEST_PROBE_SECONDS
        while waiting:
            if monotonic() > give_up_at:
                raise KafkaError(f"no answer for {len(waiting)} partitions")
            found |= self._poll(waiting)
            # What is left between a position and the end may be transaction markers only.
            waiting -= {p for p in waiting if self._consumer.position(p) >= ends[p]}
            waiting -= found.keys()
        return found

    def _poll(self, waiting: set[TopicPartition]) -> dict[TopicPartition, float]:
        found: dict[TopicPartition, float] = {}
        polled: dict[TopicPartition, list[Any]] = self._consumer.poll(_POLL_MILLISECONDS)
        for place, records in polled.items():
            if place in waiting and records:
                found[place] = records[0].timestamp / 1000
                self._consumer.pause(place)
        return found


class LagWatch:
    """Measures in a thread of its own; says nothing while it cannot tell."""

    def __init__(
        self, probe: LagProbe, own: Callable[[], Positions], interval_seconds: float
    ) -> None:
        self._probe = probe
        self._own = own
        self._interval_seconds = interval_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lag", daemon=True)
        self._measured: tuple[float, dict[tuple[str, ...], float]] = (monotonic(), {})
        """When (monotonic seconds) and what."""

    def latest(self) -> dict[tuple[str, ...], float]:
        """Return (service, topic) → age in seconds; nothing where the last measurement is too old.

        No series rather than a stale one: an alert on absence says it better.
        """
        at, ages = self._measured
        still_true_for = self._interval_seconds + 2 * LONGEST_PROBE_SECONDS
        return ages if monotonic() - at <= still_true_for else {}

    def start(self) -> None:
        """Begin to measure."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and leave the broker."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=LONGEST_PROBE_SECONDS)
        self._probe.close()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._measured = (monotonic(), self._probe.measure(self._own()))
            except (KafkaError, KeyError) as error:
                self._measured = (monotonic(), {})
                _log.warning("lag_not_measured", error=type(error).__name__)
            except Exception:  # noqa: BLE001 - a dead thread would never measure again
                self._measured = (monotonic(), {})
                _log.exception("lag_not_measured")
            self._stop.wait(self._interval_seconds)
