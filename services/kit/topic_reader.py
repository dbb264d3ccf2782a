"""Reads whole topics of one deployment, committed records only."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kafka import TopicPartition

from services.contracts.topics import Topic, physical_names
from services.kit.clock import monotonic
from services.kit.exits import Unavailable
from services.kit.kafka_clients import begin_offsets, end_offsets, open_consumer, reaching

PATIENCE_SECONDS = 120.0
"""Without a single record."""

Progress = Callable[[int, int], None]
"""Is told how many offsets lie behind the reader, and how many there are."""


class TopicReader:
    """Reads up to where the topics end when it is asked."""

    def __init__(
        self,
        bootstrap: str,
        *,
        prefix: str,
        partitions: int,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Connect; raises `Unavailable` where no broker answers."""
        self._bootstrap = bootstrap
        self._consumer = open_consumer(bootstrap, fetch_max_wait_ms=100)
        self._prefix = prefix
        self._partitions = partitions
        self._patience_seconds = patience_seconds

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def records(
        self,
        wanted: Iterable[Topic],
        *,
        last: int | None = None,
        since: Mapping[int, int] | None = None,
        only: Collection[int] | None = None,
        progress: Progress = lambda *_: None,
    ) -> Iterator[tuple[Topic, Any]]:
        """Yield every record that lies on these topics now, with its topic.

        Each partition's come in the order of their offsets; partitions and topics are mixed.

        Args:
            wanted: The topics.
            last: Only what lies at so many last offsets of each partition; None: all.
            since: Partition → the first offset wanted, of each of these topics; others are read whole.
            only: These partitions; None: all.
            progress: Told now and then.

        Raises:
            Unavailable: the broker stopped answering on the way.
        """
        by_name = physical_names(wanted, self._prefix)
        with reaching(self._bootstrap):
            spans = self._spans(by_name, last, since or {}, only)
            self._consumer.assign(list(spans))
            for place, (begin, _) in spans.items():
                self._consumer.seek(place, begin)
            for place, record in self._read(spans, progress):
                yield by_name[place.topic], record

    def lengths(self, wanted: Sequence[Topic]) -> dict[str, int]:
        """Return logical topic → records on it; only right where no transactions write."""
        by_name = physical_names(wanted, self._prefix)
        begins = begin_offsets(self._consumer, by_name, self._partitions)
        ends = end_offsets(self._consumer, by_name, self._partitions)
        return {topic.name: sum(ends[n]) - sum(begins[n]) for n, topic in by_name.items()}

    def bounds(self, topic: Topic) -> dict[int, tuple[int, int]]:
        """Return partition → the first offset it still has, and the one its next record gets."""
        name = topic.physical(self._prefix)
        with reaching(self._bootstrap):
            spans = self._spans([name], None, {}, None)
        return {place.partition: span for place, span in spans.items()}

    def _spans(
        self,
        names: Collection[str],
        last: int | None,
        since: Mapping[int, int],
        only: Collection[int] | None,
    ) -> dict[TopicPartition, tuple[int, int]]:
        begins = begin_offsets(self._consumer, names, self._partitions)
        ends = end_offsets(self._consumer, names, self._partitions)
        return {
            TopicPartition(name, number): (
                max(begin, since.get(number, 0), 0 if last is None else end - last),
                end,
            )
            for name in names
            for number, (begin, end) in enumerate(zip(begins[name], ends[name], strict=True))
            if only is None or number in only
        }

    def _read(
        self, spans: Mapping[TopicPartition, tuple[int, int]], progress: Progress
    ) -> Iterator[tuple[TopicPartition, Any]]:
        total = sum(end - begin for begin, end in spans.values())
        give_up = monotonic() + self._patience_seconds
        while (left := self._left(spans)) > 0:
            progress(total - left, total)
            batch = self._consumer.poll(timeout_ms=200, max_records=5_000)
            for place, records in batch.items():
                yield from ((place, each) for each in records if each.offset < spans[place][1])
            if batch or self._left(spans) < left:
                give_up = monotonic() + self._patience_seconds
            elif monotonic() > give_up:
                names = ", ".join(sorted({place.topic for place in spans}))
                raise Unavailable(f"{names} could not be read to the end: is Kafka well?")

    def _left(self, spans: Mapping[TopicPartition, tuple[int, int]]) -> int:
        return sum(max(0, end - self._consumer.position(p)) for p, (_, end) in spans.items())
