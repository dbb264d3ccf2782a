"""Reads one customer's records: of each topic only the partitions that hold them; and all merges.  Shell."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from kafka import TopicPartition

from services.contracts.events import Unreadable
from services.contracts.moved import is_moved
from services.contracts.topics import DEAD_LETTERS, FEEDS, IDENTITIES, Topic, dead_letter
from services.kit import dead_letters
from services.kit.clock import monotonic
from services.kit.dead_letters import read_header
from services.kit.exits import Unavailable
from services.kit.kafka_admin import check_topics
from services.kit.kafka_clients import (
    begin_offsets,
    end_offsets,
    open_consumer,
    reaching,
)
from services.kit.layouts import homes_of, layouts_of
from services.kit.records import read_event
from services.kit.topic_reader import TopicReader
from services.why.names import names
from services.why.story import Found

PATIENCE_SECONDS = 60.0
"""Without a single record."""

Progress = Callable[[str, int, int], None]
"""Is told a topic's name, how many offsets of its partition lie behind the reader, and how many there are."""


def read_customer(
    bootstrap: str,
    *,
    prefix: str,
    partitions: int,
    customer_id: str,
    wanted: Sequence[Topic],
    progress: Progress,
) -> Iterator[Found]:
    """Yield every committed record of this customer that lies on these topics now, topic by topic.

    Raises:
        Unavailable: no broker answers, a topic is missing or has another number of partitions, or
            the broker fell silent on the way.
    """
    letters = [topic for topic in map(dead_letter, wanted) if topic in DEAD_LETTERS]
    check_topics(bootstrap, (*wanted, *letters, FEEDS), partitions=partitions, prefix=prefix)
    key = customer_id.encode()
    told = layouts_of(bootstrap, prefix=prefix, partitions=partitions)
    numbers = sorted(homes_of(key, told))
    consumer = open_consumer(bootstrap, fetch_max_wait_ms=100)

    def own(topic: Topic) -> Iterator[Any]:
        for number in numbers:
            place = TopicPartition(topic.physical(prefix), number)
            for record in _records(consumer, place, partitions, topic, progress):
                # What was only moved was told before.
                if record.key == key and not is_moved(record.headers):
                    yield record

    try:
        with reaching(bootstrap):
            set_aside = _set_aside(letter for topic in letters for letter in own(topic))
            for topic in wanted:
                for record in own(topic):
                    where = (topic.name, record.partition, record.offset)
                    yield _found(topic, record, set_aside.get(where, ()))
    finally:
        consumer.close()


def read_names(
    bootstrap: str, *, prefix: str, partitions: int, customer_id: str, progress: Progress
) -> tuple[str, ...]:
    """Return this id and those under which the same person is known, by what was said of merges.

    Raises:
        Unavailable: as `read_customer`.
    """
    check_topics(bootstrap, (IDENTITIES,), partitions=partitions, prefix=prefix)
    reader = TopicReader(
        bootstrap, prefix=prefix, partitions=partitions, patience_seconds=PATIENCE_SECONDS
    )
    with closing(reader):
        told = reader.records([IDENTITIES], progress=partial(progress, IDENTITIES.name))
        found = [_found(topic, record, ()).event for topic, record in told]
    return names(customer_id, [event for event in found if event is not None])


def _set_aside(letters: Iterable[Any]) -> dict[tuple[str, int, int], tuple[str, ...]]:
    """Return which record, by topic, partition and offset, was set aside by which services, and why."""
    found: dict[tuple[str, int, int], tuple[str, ...]] = {}
    for letter in letters:
        names = (dead_letters.TOPIC, dead_letters.OFFSET, dead_letters.SERVICE, dead_letters.REASON)
        topic, offset, service, reason = (read_header(letter.headers, name) for name in names)
        if topic is not None and offset is not None and offset.isdecimal():
            # It lies in the partition of what it is about.
            place = topic, int(letter.partition), int(offset)
            found[place] = (*found.get(place, ()), f"{service}: {reason}")
    return found


def _records(
    consumer: Any, place: TopicPartition, partitions: int, topic: Topic, progress: Progress
) -> Iterator[Any]:
    begin = begin_offsets(consumer, [place.topic], partitions)[place.topic][place.partition]
    end = end_offsets(consumer, [place.topic], partitions)[place.topic][place.partition]
    consumer.assign([place])
    consumer.seek(place, begin)
    give_up = monotonic() + PATIENCE_SECONDS
    # What is empty is not asked for: a fetch at its end would only wait.
    while (position := consumer.position(place) if begin < end else end) < end:
        progress(topic.name, position - begin, end - begin)
        batch = consumer.poll(timeout_ms=200, max_records=5_000).get(place, ())
        yield from (record for record in batch if record.offset < end)
        if batch or consumer.position(place) > position:
            give_up = monotonic() + PATIENCE_SECONDS
        elif monotonic() > give_up:
            raise Unavailable(f"topic {place.topic} could not be read to its end: is Kafka well?")


def _found(topic: Topic, record: Any, set_aside: tuple[str, ...]) -> Found:
    value = record.value or b""
    try:
        event = read_event(topic, record.key, record.value, record.headers)
    except Unreadable as error:
        return Found(topic.name, record.offset, value, None, error.reason, set_aside)
    return Found(topic.name, record.offset, value, event, None, set_aside)
