"""Membership of the group, with a client that only pretends and the real database behind it."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from kafka import TopicPartition
from sqlalchemy import Engine

from services.kit import logs
from services.kit.kafka_admin import FoundTopic
from services.outreach import migrate, positions
from services.outreach.batch import SOURCES
from services.outreach.database import open_engine
from services.outreach.group import Membership
from services.outreach.positions import Move, Superseded, advance

pytestmark = pytest.mark.connected

ME, OTHER = UUID(int=1), UUID(int=2)
EVERYTHING = [TopicPartition(f"x-{name}", p) for name in SOURCES for p in range(2)]


class FakeConsumer:
    """Remembers what it was told; hands out what it was given."""

    def __init__(self) -> None:
        self.sought: dict[TopicPartition, int] = {}
        self.waiting: dict[TopicPartition, list[object]] = {}
        self.subscribed = 0
        self.positions: dict[TopicPartition, int] = {}
        """None where the broker has not said yet."""

    def position(self, tp: TopicPartition, timeout_ms: int | None = None) -> int | None:
        return self.positions.get(tp)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.sought[tp] = offset

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[object]]:
        return self.waiting

    def partitions_for_topic(self, name: str) -> set[int]:
        return {0, 1}

    def subscribe(self, names: list[str], listener: object) -> None:
        self.subscribed += 1

    def unsubscribe(self) -> None:
        return None


@pytest.fixture
def engine(fresh_database: str) -> Iterator[Engine]:
    migrate.upgrade(fresh_database)
    made = open_engine(fresh_database)
    found = {n: FoundTopic(f"x-{n}", 2, UUID(int=i)) for i, n in enumerate(SOURCES)}
    positions.check_topic_ids(made, found)
    yield made
    made.dispose()


def member(engine: Engine, owner: UUID = ME) -> tuple[Membership, FakeConsumer]:
    consumer = FakeConsumer()
    return Membership(consumer, engine, owner, "x-", logs.get("test")), consumer


def move(engine: Engine, owner: UUID, expected: int, to: int) -> None:
    with engine.begin() as connection:
        advance(connection, owner, [Move(("contacts", 1), expected, to)])


def test_what_is_assigned_is_claimed_and_read_from_where_the_database_stands(
    engine: Engine,
) -> None:
    first, _ = member(engine)
    first.on_partitions_assigned(EVERYTHING)
    move(engine, ME, 0, 7)

    second, consumer = member(engine, OTHER)
    second.on_partitions_assigned(EVERYTHING)

    assert consumer.sought[TopicPartition("x-contacts", 1)] == 7
    assert consumer.sought[TopicPartition("x-contacts", 0)] == 0
    assert second.partitions == (0, 1)
    with pytest.raises(Superseded):
        move(engine, ME, 7, 8)
    move(engine, OTHER, 7, 8)


def test_a_partition_of_which_a_topic_is_missing_is_not_read(engine: Engine) -> None:
    membership, consumer = member(engine)
    membership.on_partitions_assigned(
        [tp for tp in EVERYTHING if tp != TopicPartition("x-consents", 1)]
    )
    consumer.waiting = {tp: ["record"] for tp in EVERYTHING}

    assert membership.partitions == (0,)
    assert {partition for _, partition in membership.poll(0)} == {0}


def test_what_keeps_a_claim_from_being_made_is_raised_and_not_lost_in_a_log(engine: Engine) -> None:
    membership, _ = member(engine)
    membership.on_partitions_assigned([TopicPartition("x-contacts", "none")])

    with pytest.raises(Exception, match="none"):
        membership.poll(0)


def test_who_let_go_reads_nothing(engine: Engine) -> None:
    membership, consumer = member(engine)
    membership.on_partitions_assigned(EVERYTHING)
    before = membership.generation
    membership.on_partitions_lost(EVERYTHING)
    consumer.waiting = {tp: ["record"] for tp in EVERYTHING}

    assert membership.poll(0) == {}
    assert membership.generation > before
    membership.rejoin()
    assert consumer.subscribed == 1


def test_what_was_polled_beyond_the_last_record_is_told_of_its_own_partitions(
    engine: Engine,
) -> None:
    membership, consumer = member(engine)
    membership.on_partitions_assigned([tp for tp in EVERYTHING if tp.partition == 1])
    membership.moved([Move(("contacts", 1), 0, 3), Move(("problems", 1), 0, 3)])
    consumer.positions = {
        TopicPartition("x-contacts", 1): 5,
        TopicPartition("x-problems", 1): 3,
        TopicPartition("x-contacts", 0): 9,
    }

    assert membership.passed(["contacts", "problems"]) == {("contacts", 1): 5}
