"""Asking that a customer be forgotten, and looking what is left, store by store."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from services.cli.person_topics import (
    AGEING,
    BY_CUSTOMER,
    COMPACTED,
    Asked,
    Lying,
    Topics,
    has_value,
)
from services.contracts import ids
from services.contracts.envelope import STRUCTURED, Event
from services.contracts.people import CustomerErased
from services.contracts.topics import CUSTOMERS, DEAD_LETTERS, IDENTITIES, PERSONAL, Topic
from services.kit.kafka_clients import close_producer, open_producer, partition_of, reaching
from services.outreach import identities
from services.outreach.about import erasures_at, pending_about, read_until, rows_about
from services.outreach.persons import Person

SOURCE = "/care/erase"
_ACK_SECONDS = 30
_ROWS = "outreach database"
_QUEUE = "messages waiting"


class State(StrEnum):
    """How far one store has got."""

    DONE = "done"
    AGEING = "ageing out"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Store:
    """What is left of a customer in one place."""

    name: str
    state: State
    left: int
    """Rows or records under an id of theirs."""
    words: str
    gone_by: datetime | None = None
    """When the last of it will have aged out."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is left of a customer everywhere."""

    names: tuple[str, ...]
    asked_at: datetime | None
    """When they were last to be forgotten; None: never."""
    stores: tuple[Store, ...]

    @property
    def pending(self) -> tuple[str, ...]:
        """The stores that have not forgotten yet."""
        return tuple(store.name for store in self.stores if store.state is State.PENDING)

    @property
    def is_over(self) -> bool:
        """Whether nothing is pending."""
        return not self.pending

    @property
    def is_heard(self) -> bool:
        """Whether outreach has forgotten."""
        return self.asked_at is not None and _ROWS not in self.pending

    @property
    def is_to_be_asked(self) -> bool:
        """Whether nobody was asked yet, or there is somebody again in what had forgotten."""
        has_rows = any(store.name == _ROWS and store.left > 0 for store in self.stores)
        return self.asked_at is None or (self.is_heard and has_rows)


def ask(topics: Topics, names: Sequence[str], by: str, now: datetime) -> None:
    """Say on `identities` that who has these names is to be forgotten.

    Raises:
        Unavailable: no broker answers.
    """
    with _producing(topics) as send:
        for name in names:
            event = Event[Any](
                id=str(ids.derive("erase", name, now.isoformat())),
                source=SOURCE,
                type=CustomerErased.TYPE,
                time=now,
                partitionkey=name,
                subject=f"by {by}"[:256],
                data=CustomerErased(),
            )
            send(IDENTITIES, name, event.encode())


def take_profiles(topics: Topics, names: Sequence[str]) -> None:
    """Write tombstones on `customers`: whoever reads it from its beginning finds nobody.

    In each partition that was ever the name's: a publisher may have written to one of before.

    Raises:
        Unavailable: no broker answers.
    """
    with _producing(topics) as send:
        for name in names:
            for partition in topics.homes_of(name):
                send(CUSTOMERS, name, None, partition)


Connect = Callable[[], AbstractContextManager[Connection]]
"""Opens a connection to outreach's database, in one transaction."""


def report_of(connect: Connect, topics: Topics, customer: str) -> Report:
    """Return what is left of a customer.

    The topics may take minutes, and the database ends who holds a transaction that long: none is open
    meanwhile.

    Raises:
        Unavailable: no broker or database answers, or a topic is missing.
    """
    told, asked = topics.known_as(customer)
    with connect() as connection:
        known = identities.person_of(connection, customer)
    person = Person(customer, dict.fromkeys((told.names | known.names) - {customer}, _ANY))
    lying = list(topics.lying(person.names, BY_CUSTOMER))
    with connect() as connection:
        counting = _counting(connection, asked)
        in_database = tuple(_in_database(connection, person, asked, counting))
    asked = counting
    return Report(
        tuple(sorted(person.names)),
        asked[-1].at if asked else None,
        (
            *in_database,
            *(_compacted(topic, lying, bool(asked)) for topic in COMPACTED),
            *(_ageing(topic, lying) for topic in (*AGEING, *DEAD_LETTERS)),
            Store("metrics", State.DONE, 0, "counts only; nobody is in them"),
        ),
    )


_ANY = datetime.min.replace(tzinfo=UTC)


def _counting(connection: Connection, asked: Sequence[Asked]) -> tuple[Asked, ...]:
    """Return those that outreach has not read yet, and those it has done; it refuses what is of the future.

    Of several it keeps the latest, by its instant, so of the earlier ones nothing is to be seen.
    """
    done, instants = read_until(connection, IDENTITIES.name), erasures_at(connection)
    return tuple(a for a in asked if done.get(a.partition, 0) <= a.offset or a.at in instants)


def _in_database(
    connection: Connection, person: Person, asked: Sequence[Asked], counting: Sequence[Asked]
) -> Iterator[Store]:
    done = read_until(connection, IDENTITIES.name)
    is_heard = bool(counting) and all(done.get(a.partition, 0) > a.offset for a in counting)
    state = State.DONE if is_heard else State.PENDING
    rows, waiting = rows_about(connection, person), pending_about(connection, person)
    words = "outreach has not read that they are to be forgotten"
    if asked and not counting:
        words = "outreach has read that they are to be forgotten, and refused it: ask again"
    if is_heard:
        words = "newer than the erasure" if rows else "counts stay, under no name"
    yield Store(_ROWS, state, rows, words)
    yield Store(_QUEUE, state, waiting, "none is sent" if is_heard else words)


def _compacted(topic: Topic, lying: Sequence[Lying], is_asked: bool) -> Store:
    mine = [one for one in lying if one.topic is topic]
    if has_value(mine, topic) or not is_asked:
        words = f"the latest value is still there; {topic.written_by[0]} takes it away"
        if topic is CUSTOMERS:
            words = "the latest profile is still there"
        if not has_value(mine, topic):
            words = "not asked yet"
        return Store(topic.name, State.PENDING, len(mine), words)
    return Store(
        topic.name,
        State.DONE,
        len(mine),
        "a tombstone, or nothing; older records go when Kafka compacts",
    )


def _ageing(topic: Topic, lying: Sequence[Lying]) -> Store:
    mine = [one for one in lying if one.topic is topic]
    if not mine or topic.retention is None:
        return Store(topic.name, State.DONE, 0, "nothing is there")
    gone_by = max(one.at for one in mine) + topic.retention
    what = "records with the pseudonymous id"
    if topic.name in {f"{personal.name}-dlq" for personal in PERSONAL}:
        what = "pointers without content"
    words = f"{what}; the last ages out by {gone_by.date().isoformat()}"
    return Store(topic.name, State.AGEING, len(mine), words, gone_by)


@contextmanager
def _producing(topics: Topics) -> Iterator[Any]:
    producer = open_producer(topics.bootstrap)

    def send(topic: Topic, name: str, value: bytes | None, partition: int | None = None) -> None:
        home = partition_of(name.encode(), topics.partitions)
        producer.send(
            topic.physical(topics.prefix),
            value,
            key=name.encode(),
            partition=home if partition is None else partition,
            headers=[("content-type", STRUCTURED.encode())],
        ).get(_ACK_SECONDS)

    try:
        with reaching(topics.bootstrap):
            yield send
    finally:
        close_producer(producer)
