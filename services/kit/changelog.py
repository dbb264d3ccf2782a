"""Reading logs with librdkafka: a changelog partition up to its end, a small topic all along."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from services.contracts.access import NO_GROUP
from services.kit import kafka_security

_BATCH = 2_000
_SILENCE_SECONDS = 30.0


def _open(bootstrap: str, partitions: Iterable[tuple[str, int]], *, out_of_range: str) -> Consumer:
    consumer = Consumer(
        {
            **kafka_security.librdkafka(bootstrap),
            # Required by the client and never used: partitions are assigned, nothing is committed.
            "group.id": NO_GROUP,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": out_of_range,
            "fetch.wait.max.ms": 20,
            "fetch.message.max.bytes": 4 * 1024 * 1024,
        }
    )
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for topic, p in partitions])
    return consumer


class Truncated(Exception):
    """The changelog does not reach back to, or as far as, the position it was to be read from."""


class Expired(Truncated):
    """It does not reach back so far: what lay there was deleted, by its age or as it was overwritten."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some changes in the order of the changelog, and the position behind them."""

    changes: Sequence[tuple[bytes, bytes | None]]
    position: int


def read_on(bootstrap: str, topic: str, partition: int, position: int | None) -> Iterator[Stretch]:
    """Yield what this partition holds from a position (None: its beginning) up to its end.

    Open the partition's transactional writer before, so that nobody can still write to it.

    Raises:
        Truncated: the position lies outside the log.
        KafkaException: the broker cannot be read.
        TimeoutError: nothing came for half a minute.
    """
    # A jump to the end would look like all of it.
    consumer = _open(bootstrap, [(topic, partition)], out_of_range="error")
    try:
        if position is not None:
            _seek(consumer, TopicPartition(topic, partition, position))
        while True:
            batch = _take(consumer, _SILENCE_SECONDS)
            if not batch:
                raise TimeoutError(f"{topic}-{partition} gave nothing for {_SILENCE_SECONDS} s")
            messages = [message for message in batch if not _is_end(message)]
            if messages:
                yield Stretch([_change(m) for m in messages], _behind(messages[-1]))
            if len(messages) < len(batch):
                return
    finally:
        consumer.close()


def _seek(consumer: Consumer, to: TopicPartition) -> None:
    low, high = consumer.get_watermark_offsets(to, timeout=_SILENCE_SECONDS)
    if not low <= to.offset <= high:
        kind = Expired if to.offset < low else Truncated
        raise kind(f"{to.topic}-{to.partition} holds {low} to {high}, not {to.offset}")
    consumer.assign([to])


def _behind(message: Message) -> int:
    return (message.offset() or 0) + 1


def _change(message: Message) -> tuple[bytes, bytes | None]:
    return message.key() or b"", message.value()


def _take(consumer: Consumer, timeout_seconds: float) -> list[Message]:
    """Wait for one message and take what else is here; `consume` alone would wait for a full batch."""
    first = consumer.poll(timeout_seconds)
    return [] if first is None else [first, *consumer.consume(_BATCH, timeout=0)]


def _is_end(message: Message) -> bool:
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
        return True
    raise KafkaException(error)


class Follower:
    """Follows every partition of a small topic from its beginning, in the caller's own thread."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partitions: int,
        keep: Callable[[bytes, bytes | None], Any],
    ) -> None:
        """Begin at the beginning; `keep` is given each record's key and value."""
        self._topic, self._numbers = topic, range(partitions)
        self._next: dict[int, int] = {}
        """Partition → where to read on."""
        everything = [(topic, number) for number in self._numbers]
        # Before the client: a password that comes in between is given to it, if once more, and not missed.
        self._renewal = kafka_security.Renewal()
        self._consumer = _open(bootstrap, everything, out_of_range="earliest")
        self._keep = keep
        self._ends_missing: set[int] = set()

    def read(self, timeout_seconds: float) -> bool:
        """Hand on what has come; wait at most so long for the first.  Returns whether any came."""
        self._renewal.give(self._consumer)
        batch = _take(self._consumer, timeout_seconds)
        for message in batch:
            if _is_end(message):
                self._ends_missing.discard(message.partition())
            else:
                self._keep(*_change(message))
                # Asked for its position, the client knows none where nothing came since it was assigned.
                self._next[message.partition() or 0] = _behind(message)
        return bool(batch)

    def catch_up(self, timeout_seconds: float) -> None:
        """Read until every partition's end of now has been seen.

        Raises:
            TimeoutError: nothing came for so long.
        """
        # Read on where it stood: the client tells a partition's end once, and anew after this.
        places = ((number, self._next.get(number, OFFSET_BEGINNING)) for number in self._numbers)
        self._consumer.assign([TopicPartition(self._topic, *place) for place in places])
        self._ends_missing = set(self._numbers)
        while self._ends_missing:
            if not self.read(timeout_seconds):
                raise TimeoutError("the topic's end was not reached")

    def close(self) -> None:
        """Stop following."""
        self._consumer.close()
