"""Outreach by the system's clock while somebody's word lies unread on a real Kafka, between markers too."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka import Producer
from prometheus_client import generate_latest

from services.contracts.envelope import STRUCTURED
from services.contracts.outreach import Mode
from services.contracts.topics import CONTACTS, PROBLEMS, Topic
from services.kit import logs
from services.kit.clock import SystemClock
from services.kit.kafka_clients import end_offsets, open_consumer, partition_of
from services.kit.settings import ClockSource
from services.local.parts import Parts
from services.outreach import pauses, worker
from services.outreach.database import open_engine
from services.outreach.group import Membership
from services.outreach.pauses import EVERYTHING, Pause
from services.outreach.settings import Settings
from services.outreach.worker import Worker
from tests.factories import wrote
from tests.support.mail import Sink
from tests.support.outreach import Company, here, now_ish, opened, query, states
from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected

CUSTOMER = "c-1"


class HeldBack(Membership):
    """Reads nothing while it is held."""

    held, holds = threading.Event(), threading.Event()
    """Whether it is to be held, and whether it is."""

    def poll(self, timeout_ms: int) -> dict[Any, Any]:
        if self.held.is_set():
            self.holds.set()
            time.sleep(timeout_ms / 1000)
            return {}
        return super().poll(timeout_ms)


class Replica:
    """One outreach in this process, whose reader can be held back."""

    def __init__(self, deployment: Deployment, database: str, sink: Sink, patience: float) -> None:
        self.settings = Settings(
            database_url=database,
            kafka_bootstrap_servers=deployment.bootstrap,
            topic_prefix=deployment.prefix,
            partitions=deployment.partitions,
            clock=ClockSource.SYSTEM,
            mode=Mode.LIVE,
            smtp_port=sink.port,
            contacts_patience_seconds=patience,
        )
        self.engine = open_engine(database)
        self.worker = Worker(self.settings, UUID(int=1), logs.get("test"))
        self._stop = threading.Event()

    @contextmanager
    def at_work(self) -> Iterator["Replica"]:
        with ExitStack() as stack:
            stack.callback(self.engine.dispose)
            self.worker._check(self.engine)
            loop = self.worker._open(self.engine, stack)
            thread = threading.Thread(target=self._turn, args=(loop,))
            stack.callback(thread.join)
            stack.callback(self._stop.set)
            thread.start()
            yield self

    def _turn(self, loop: Any) -> None:
        while not self._stop.is_set():
            loop.turn()

    def measured(self) -> list[str]:
        return generate_latest(self.worker._registry).decode().splitlines()

    def ends_known(self) -> set[tuple[str, int]]:
        """Topic and end of every partition, as the broker told last."""
        hearing: Any = self.worker._loop._hearing  # type: ignore[union-attr]
        readings = hearing._watch.readings[-1:]
        return {(topic, end) for r in readings for (topic, _), end in r.offsets.items()}

    def lags(self, partitions: int) -> bool:
        return f"care_outreach_lagging_partitions {float(partitions)}" in self.measured()

    def pause(self) -> None:
        with self.engine.begin() as connection:
            pause = Pause(EVERYTHING, SystemClock().now(), "ada", "a test")
            pauses.pause(connection, pause)

    def resume(self) -> None:
        with self.engine.begin() as connection:
            pauses.resume(connection, EVERYTHING, "ada", SystemClock().now())


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is set, what is published is not read."""
    monkeypatch.setattr(worker, "Membership", HeldBack)
    HeldBack.held.clear()
    HeldBack.holds.clear()
    yield HeldBack.held
    HeldBack.held.clear()


def complains_unread(
    replica: Replica, company: Company, database: str, reader: threading.Event
) -> None:
    """A notice is about to leave, and its customer's complaint lies unread."""
    replica.pause()
    company.deployment.publish(here(CUSTOMER))
    company.deployment.publish(opened(CUSTOMER, now_ish()))
    wait_for(lambda: states(database) == {"pending": 1}, "the decision")
    reader.set()
    assert HeldBack.holds.wait(60)
    company.deployment.publish(wrote(order=f"o-{CUSTOMER}", customer=CUSTOMER, at=now_ish()))
    wait_for(lambda: (CONTACTS.name, 1) in replica.ends_known(), "the complaint to be known of")
    wait_for(lambda: replica.lags(1), "the lag to be noticed")
    replica.resume()


def test_a_notice_waits_for_a_complaint_that_is_unread_and_is_withdrawn_when_it_is_read(
    company: Company, sink: Sink, database: str, reader: threading.Event
) -> None:
    with Replica(company.deployment, database, sink, patience=600).at_work() as replica:
        complains_unread(replica, company, database, reader)
        looked = threading.Event()
        for sender in replica.worker._loop._senders.values():  # type: ignore[union-attr]
            _note_looks(sender, looked)
        wait_for(looked.is_set, "the senders to have looked")
        assert states(database) == {"pending": 1}

        reader.clear()
        wait_for(lambda: states(database) == {"withdrawn": 1}, "the withdrawal")
        wait_for(lambda: replica.lags(0), "the lag to be over")

    assert sink.mails == []
    assert "care_outreach_contact_intake_seconds_count 1.0" in replica.measured()


def test_a_notice_does_not_wait_for_longer_than_the_patience(
    company: Company, sink: Sink, database: str, reader: threading.Event
) -> None:
    with Replica(company.deployment, database, sink, patience=0).at_work() as replica:
        complains_unread(replica, company, database, reader)
        wait_for(lambda: states(database) == {"sent": 1}, "the mail")

    assert "care_outreach_started_unheard_total 1.0" in replica.measured()


def test_while_the_broker_hangs_no_start_can_be_told_so_nothing_leaves_until_it_is_back(
    disposable_parts: Parts, topic_prefix: str, sink: Sink, database: str
) -> None:
    d = Deployment(disposable_parts.kafka_bootstrap, topic_prefix)
    with Replica(d, database, sink, patience=1).at_work() as replica:
        replica.pause()
        d.publish(here(CUSTOMER))
        d.publish(opened(CUSTOMER, now_ish()))
        wait_for(lambda: states(database) == {"pending": 1}, "the decision")
        # With anything still to be published, the broker would be known to be away, and no start tried.
        wait_for(
            lambda: query(database, "SELECT FROM outbox") == [], "the decision to be published"
        )
        disposable_parts.kafka.pause()
        try:
            wait_for(lambda: replica.lags(d.partitions), "the readings to be too old")
            replica.resume()
            wait_for(lambda: put_back(database), "a start that nobody could be told of")
            assert sink.mails == []
        finally:
            disposable_parts.kafka.resume()
        wait_for(lambda: states(database) == {"sent": 1}, "the mail")
    d.close()

    assert len(sink.mails) == 1
    # Its patience is over long before, so that is not what it waited for.
    assert "care_outreach_started_unheard_total 0.0" not in replica.measured()


def put_back(database: str) -> bool:
    """Whether a start was given up because it could not be published."""
    found = query(database, "SELECT state, attempt > 0 FROM sends")
    return found == [("pending", True)]


def test_no_notice_waits_for_the_marker_of_a_transaction(
    company: Company, sink: Sink, database: str
) -> None:
    d = company.deployment
    with Replica(d, database, sink, patience=600).at_work() as replica:
        d.publish(here(CUSTOMER))
        in_a_transaction(d, PROBLEMS, opened(CUSTOMER, now_ish()), commit=True)
        # Not one record is left of this one, and of that one nothing but its end.
        in_a_transaction(d, CONTACTS, wrote(customer=CUSTOMER, at=now_ish()), commit=False)

        wait_for(lambda: states(database) == {"sent": 1}, "the mail")
        wait_for(lambda: positions_of(database) == ends_of(d), "the markers to be passed")
        assert replica.lags(0)

    assert "care_outreach_started_unheard_total 0.0" in replica.measured()


def in_a_transaction(d: Deployment, topic: Topic, event: Any, *, commit: bool) -> None:
    name = f"{d.prefix}{topic.name}"
    producer = Producer({"bootstrap.servers": d.bootstrap, "transactional.id": name})
    producer.init_transactions(30)
    producer.begin_transaction()
    key = event.partitionkey.encode()
    headers: dict[str, str | bytes | None] = {"content-type": STRUCTURED}
    partition = partition_of(key, d.partitions)
    producer.produce(name, event.encode(), key, partition, headers=headers)
    producer.flush(30)
    (producer.commit_transaction if commit else producer.abort_transaction)(30)


def positions_of(database: str) -> dict[tuple[str, int], int]:
    rows = query(database, "SELECT topic, partition, next_offset FROM source_positions")
    return {(topic, p): at for topic, p, at in rows if topic in (CONTACTS.name, PROBLEMS.name)}


def ends_of(d: Deployment) -> dict[tuple[str, int], int]:
    consumer = open_consumer(d.bootstrap)
    names = {topic.physical(d.prefix): topic.name for topic in (CONTACTS, PROBLEMS)}
    found = end_offsets(consumer, names, d.partitions)
    consumer.close()
    return {(names[n], p): end for n, ends in found.items() for p, end in enumerate(ends)}


def _note_looks(sender: Any, looked: threading.Event) -> None:
    ask = sender.send_due

    def asked(*args: Any, **more: Any) -> Any:
        changed = ask(*args, **more)
        looked.set()
        return changed

    sender.send_due = asked
