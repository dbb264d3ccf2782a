"""A send waits while something of its partition is unread; a real database, and a broker that pretends."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import select

from services.contracts.people import Channel
from services.contracts.topics import CONTACTS, PROBLEMS
from services.kit import logs
from services.outreach import ledger
from services.outreach.batch import Batch
from services.outreach.heard import HEARD, Bounds, Watch
from services.outreach.hearing import Hearing
from services.outreach.sender import Sender
from services.outreach.tables import SOURCE_POSITIONS
from services.outreach.telemetry import StartMeter
from tests.component.outreach.desk import NOON, Desk, FakeRecord, execute, topic_of
from tests.factories import wrote
from tests.support.outreach import cleared, opened, profile, query, states

pytestmark = pytest.mark.connected

PARTITIONS = (0, 1, 2, 3)
PATIENCE = 30.0


class Broker:
    """Ends where it is told to, in the time it is told."""

    def __init__(self) -> None:
        self.ends: dict[tuple[str, int], int] = {}
        self.is_away = False
        self.questions = 0
        self.now = 100.0

    def end_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[Any, int]:
        self.questions += 1
        if self.is_away:
            raise KafkaTimeoutError
        return {tp: self.ends.get((tp.topic.removeprefix("x-"), tp.partition), 0) for tp in places}


class Listener:
    """A desk whose sender looks what is unread, and hears when told to."""

    def __init__(self, url: str) -> None:
        self.desk = Desk(url)
        self.broker = Broker()
        self.registry = CollectorRegistry()
        watch = Watch(self.broker.now, PARTITIONS, Bounds(patience_seconds=PATIENCE))
        self.hearing = Hearing(
            self.broker,
            self.desk.engine,
            watch,
            "x-",
            StartMeter(self.registry),
            logs.get("test"),
            lambda: self.broker.now,
        )
        self.desk.out = replace(self.desk.out, ears=self.hearing)
        self.desk.sender = Sender(self.desk.engine, self.desk.out, logs.get("test"))

    def unread(self, topic: str, partition: int = 0) -> None:
        """Let a record lie on the broker that is not in the database."""
        source = (topic, partition)
        self.broker.ends[source] = self.desk.offsets.get(source, 0) + 1

    def look(self, seconds: float = 0.5) -> bool:
        self.broker.now += seconds
        return self.hearing.look()

    def notice_for(self, *customers: str) -> None:
        self.desk.learn(*(profile(name) for name in customers))
        self.desk.learn(*(opened(name, NOON) for name in customers))
        assert self.desk.decide() == ["contact"] * len(customers)
        self.broker.ends.update(self.desk.offsets)

    def measured(self) -> list[str]:
        told = generate_latest(self.registry).decode().splitlines()
        return [line for line in told if not line.startswith("#") and "_bucket" not in line]


@pytest.fixture
def listener(url: str) -> Iterator[Listener]:
    made = Listener(url)
    yield made
    made.desk.engine.dispose()


def test_what_is_read_to_the_end_is_sent_and_the_window_is_measured(listener: Listener) -> None:
    listener.notice_for("c-1")
    assert listener.look()
    listener.broker.now += 0.25

    assert listener.desk.send() == 1
    assert "care_outreach_start_window_seconds_count 1.0" in listener.measured()
    assert "care_outreach_start_window_seconds_sum 0.25" in listener.measured()
    assert "care_outreach_started_unheard_total 0.0" in listener.measured()


@pytest.mark.parametrize("topic", HEARD)
def test_a_notice_waits_while_a_word_is_unread_and_is_withdrawn_once_it_is_read(
    listener: Listener, topic: str
) -> None:
    word = (
        cleared("c-1", NOON)
        if topic == PROBLEMS.name
        else wrote(order="o-c-1", customer="c-1", at=NOON)
    )
    assert topic_of(word) == topic
    listener.notice_for("c-1")
    listener.unread(topic)
    listener.look()

    assert listener.desk.send() == 0
    assert states(listener.desk.url) == {"pending": 1}
    assert "care_outreach_lagging_partitions 1.0" in listener.measured()

    listener.desk.learn(word)
    assert states(listener.desk.url) == {"withdrawn": 1}
    assert listener.desk.send() == 0


def test_a_word_of_somebody_else_delays_a_notice_until_it_is_read(listener: Listener) -> None:
    listener.notice_for("c-1")
    listener.unread(CONTACTS.name)
    listener.look()
    assert listener.desk.send() == 0

    listener.desk.learn(wrote("k-9", "o-9", customer="c-9", at=NOON))

    assert listener.desk.send() == 1


def test_a_look_tells_when_what_waited_may_start(listener: Listener) -> None:
    listener.notice_for("c-1")
    listener.unread(CONTACTS.name)
    assert listener.look()  # The other partitions.
    assert not listener.look()

    listener.desk.learn(wrote("k-9", "o-9", customer="c-9", at=NOON))
    assert listener.look()
    assert not listener.look()


def test_a_word_that_is_published_between_the_look_and_the_start_is_seen_at_the_start(
    listener: Listener,
) -> None:
    listener.notice_for("c-1")
    listener.look()
    with listener.desk.engine.begin() as connection:
        (found,) = ledger.waiting(connection, listener.desk.out.rules, None, list(Channel), NOON)

    listener.unread(CONTACTS.name)
    listener.look(seconds=2)

    assert not listener.desk.sender.attempt(found, lambda: NOON)
    assert states(listener.desk.url) == {"pending": 1}
    assert listener.desk.told() == ["decided"]


def test_what_waits_keeps_nobody_of_another_partition_waiting(listener: Listener) -> None:
    listener.notice_for("c-1", "c-2")
    execute(listener.desk.url, "UPDATE sends SET partition = 1 WHERE customer_id = 'c-2'")
    listener.unread(CONTACTS.name, partition=0)
    listener.look()

    assert listener.desk.sender.send_due(None, lambda: NOON, limit=1) == 1
    rows = query(listener.desk.url, "SELECT customer_id, state FROM sends ORDER BY 1")
    assert rows == [("c-1", "pending"), ("c-2", "sent")]


def test_what_has_waited_for_long_goes_on_and_is_counted(listener: Listener) -> None:
    listener.notice_for("c-1")
    listener.look()
    listener.unread(CONTACTS.name)
    while listener.broker.now < 100 + PATIENCE:
        listener.look()
        assert listener.broker.now < 102 or listener.desk.send() == 0
    listener.look()
    listener.look()

    assert listener.desk.send() == 1
    assert "care_outreach_started_unheard_total 1.0" in listener.measured()
    assert "care_outreach_start_window_seconds_count 1.0" in listener.measured()


def test_while_the_broker_is_away_nothing_starts_until_patience_ends(listener: Listener) -> None:
    listener.notice_for("c-1")
    listener.look()
    listener.broker.is_away = True
    listener.look(seconds=2)
    assert listener.desk.send() == 0

    for _ in range(20):
        listener.look(seconds=2)
    assert listener.desk.send() == 1
    assert "care_outreach_started_unheard_total 1.0" in listener.measured()


def test_a_start_asks_the_database_and_not_the_broker(listener: Listener) -> None:
    listener.notice_for("c-1", "c-2", "c-3")
    listener.look()
    asked = listener.broker.questions

    assert listener.desk.send() == 3
    assert listener.broker.questions == asked


def test_what_an_inbound_contact_took_is_measured(listener: Listener) -> None:
    timed, untimed = FakeRecord(0, None, None, NOON), FakeRecord(1, None, None)
    listener.hearing.taken_in({(CONTACTS.name, 0): [timed, untimed], (PROBLEMS.name, 0): [timed]})

    assert "care_outreach_contact_intake_seconds_count 1.0" in listener.measured()


def test_a_position_moves_over_what_is_no_record_and_counts_nothing(desk: Desk) -> None:
    source = (CONTACTS.name, 0)
    desk.learn(wrote(customer="c-1", at=NOON))
    batch = Batch(NOON, desk.out.rules)
    batch.reach(source, 1, 4)
    with desk.engine.begin() as connection:
        batch.write(connection)
        batch.advance(connection, desk.owner)

    columns = SOURCE_POSITIONS.c
    with desk.engine.connect() as connection:
        (found,) = connection.execute(
            select(columns.next_offset, columns.applied, columns.dead_lettered).where(
                columns.topic == source[0], columns.partition == 0
            )
        )
    assert tuple(found) == (4, 1, 0)
