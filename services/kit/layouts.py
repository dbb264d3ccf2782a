"""How many partitions a deployment's topics have had, and where a customer's records may lie by that."""

from collections.abc import Iterable
from contextlib import closing

from pydantic import ValidationError

from services.contracts.stream import FEED_RECORD, TickMark
from services.contracts.topics import FEEDS
from services.kit.kafka_clients import partition_of
from services.kit.topic_reader import TopicReader

Layouts = tuple[int, ...]
"""Numbers of partitions in the order in which they held; the last one holds now."""

_LAST_MARKS = 10
"""Of one partition; the tick's mark is the last of what is said at a tick, before a transaction's marker."""


def layouts_of(bootstrap: str, *, prefix: str, partitions: int) -> Layouts:
    """Return the numbers of partitions there have been, as the predictor last told them.

    Raises:
        Unavailable: no broker answers, or it fell silent.
    """
    with closing(TopicReader(bootstrap, prefix=prefix, partitions=partitions)) as reader:
        found = reader.records([FEEDS], last=_LAST_MARKS, only=[0])
        told = latest_in(record.value for _, record in found)
    return told or (partitions,)


def latest_in(values: Iterable[bytes | None]) -> Layouts:
    """Return what the last mark of a tick among these tells; (): none tells any."""
    told: Layouts = ()
    for value in values:
        try:
            record = FEED_RECORD.validate_json(value or b"")
        except ValidationError:
            continue
        if isinstance(record, TickMark) and record.layouts:
            told = record.layouts
    return told


def homes_of(key: bytes, layouts: Layouts) -> frozenset[int]:
    """Return the partitions in which records under this key may lie."""
    return frozenset(partition_of(key, partitions) for partitions in layouts)
