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

_LAST = 10
"""Offsets of one partition that are read first.  A tick's mark is the last of what is said at it; behind it
lies a transaction's marker, and what workers that died on the way had begun to say."""
_WIDER = 10
"""So many times as many are read where no mark is among them."""


def layouts_of(bootstrap: str, *, prefix: str, partitions: int) -> Layouts:
    """Return the numbers of partitions there have been, as the predictor last told them.

    Raises:
        Unavailable: no broker answers, or it fell silent.
    """
    with closing(TopicReader(bootstrap, prefix=prefix, partitions=partitions)) as reader:
        told = _last_told(reader)
    return told or (partitions,)


def _last_told(reader: TopicReader) -> Layouts | None:
    last = _LAST
    while True:
        found = reader.records([FEEDS], last=last, only=[0])
        told = latest_in(record.value for _, record in found)
        if told is not None:
            return told
        begin, end = reader.bounds(FEEDS)[0]
        if last >= end - begin:
            return None
        last *= _WIDER


def latest_in(values: Iterable[bytes | None]) -> Layouts | None:
    """Return what the last mark of a tick among these tells; (): none tells any; None: none is a mark."""
    told: Layouts | None = None
    for value in values:
        try:
            record = FEED_RECORD.validate_json(value or b"")
        except ValidationError:
            continue
        if isinstance(record, TickMark):
            told = record.layouts or told or ()
    return told


def homes_of(key: bytes, layouts: Layouts) -> frozenset[int]:
    """Return the partitions in which records under this key may lie."""
    return frozenset(partition_of(key, partitions) for partitions in layouts)
