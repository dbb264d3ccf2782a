"""What lies on a deployment's topics under one customer's names."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.contracts.events import Unreadable
from services.contracts.identities import Merge
from services.contracts.people import CustomerErased, CustomerMerged
from services.contracts.topics import DEAD_LETTERS, FEEDS, IDENTITIES, TOPICS, Topic
from services.kit.kafka_admin import check_topics
from services.kit.layouts import homes_of, layouts_of
from services.kit.records import read_event
from services.kit.topic_reader import TopicReader
from services.outreach.persons import Person, people_of, person_among

BY_CUSTOMER: tuple[Topic, ...] = tuple(
    topic for topic in TOPICS if topic.key.startswith(("customer_id", "as on"))
)
"""Topics whose records may lie under a customer's id."""

COMPACTED: tuple[Topic, ...] = tuple(topic for topic in BY_CUSTOMER if topic.retention is None)
"""Those of which the latest value is kept for ever, until a tombstone takes it away."""

AGEING: tuple[Topic, ...] = tuple(
    topic for topic in BY_CUSTOMER if topic.retention is not None and topic not in DEAD_LETTERS
)


@dataclass(frozen=True, slots=True)
class Lying:
    """One record under a name of the customer."""

    topic: Topic
    name: str
    partition: int
    offset: int
    at: datetime
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A word on `identities` that the customer is to be forgotten."""

    at: datetime
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one deployment."""

    bootstrap: str
    prefix: str
    partitions: int

    def known_as(self, customer: str) -> tuple[Person, tuple[Asked, ...]]:
        """Return the customer with all names, and every time they were to be forgotten.

        Raises:
            Unavailable: no broker answers, or the topic is missing.
        """
        told = list(self._told())
        merges = [Merge(e.customer_id, e.data.into, e.time) for e, _ in _of(told, CustomerMerged)]
        person = person_among(people_of(merges), customer)
        asked = (
            Asked(event.time, record.partition, record.offset)
            for event, record in _of(told, CustomerErased)
            if event.customer_id in person.names
        )
        return person, tuple(sorted(asked, key=lambda a: a.at))

    def lying(self, names: Iterable[str], wanted: Sequence[Topic]) -> Iterator[Lying]:
        """Yield what lies under these names on these topics.

        Raises:
            Unavailable: no broker answers, or a topic is missing.
        """
        keys = {name.encode(): name for name in names}
        self._check([*wanted, FEEDS])
        only = {home for name in keys.values() for home in self.homes_of(name)}
        for topic, record in self._records(wanted, only):
            if record.key in keys:
                at = datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC)
                place = (record.partition, record.offset)
                yield Lying(topic, keys[record.key], *place, at, record.value)

    def homes_of(self, name: str) -> frozenset[int]:
        """Return the partitions in which records under this name may lie.

        Raises:
            Unavailable: no broker answers.
        """
        told = layouts_of(self.bootstrap, prefix=self.prefix, partitions=self.partitions)
        return homes_of(name.encode(), told)

    def _told(self) -> Iterator[tuple[Any, Any]]:
        for topic, record in self._records([IDENTITIES], None):
            try:
                yield read_event(topic, record.key, record.value, record.headers), record
            except Unreadable:
                continue

    def _check(self, wanted: Sequence[Topic]) -> None:
        check_topics(self.bootstrap, wanted, partitions=self.partitions, prefix=self.prefix)

    def _records(
        self, wanted: Sequence[Topic], only: set[int] | None
    ) -> Iterator[tuple[Topic, Any]]:
        self._check(wanted)
        reader = TopicReader(self.bootstrap, prefix=self.prefix, partitions=self.partitions)
        with closing(reader):
            yield from reader.records(wanted, only=only)


def has_value(records: Iterable[Lying], topic: Topic) -> bool:
    """Return whether the latest record under any name on a compacted topic is no tombstone.

    In any partition: where there are more than there were, the name's own is another one by now.
    """
    latest = {(one.name, one.partition): one.value for one in records if one.topic is topic}
    return any(value is not None for value in latest.values())


def _of(told: Iterable[tuple[Any, Any]], kind: type) -> Iterator[tuple[Any, Any]]:
    return ((event, record) for event, record in told if isinstance(event.data, kind))
