"""Killed again and again while it is scraped: the figures go on as if nothing had been."""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition

from services.contracts import topics as t
from services.contracts.metric_names import EVENTS, METRICS, Kind
from services.contracts.outreach import OutreachSent
from services.kit.kafka_admin import apply_topics, delete_topics
from services.kit.kafka_clients import open_producer
from services.kit.topic_reader import TopicReader
from services.metrics.decode import READ_TOPICS
from tests.support.metrics_process import PARTITIONS, Broker, Service, run, until
from tests.unit.metrics.stories import (
    Read,
    answered,
    barrier,
    cleared,
    complained,
    opened,
    placed,
    sent,
)

pytestmark = [pytest.mark.connected, pytest.mark.timeout(400)]

KILLS = int(os.environ.get("CARE_TEST_KILLS", "5"))
"""More of them take longer and say the same: 10 take two minutes."""
OF_THE_TOPICS = tuple(
    metric.name for metric in METRICS[METRICS.index(EVENTS) :] if metric.kind is not Kind.GAUGE
)
"""What is counted of the topics; what a process tells of itself begins anew with each."""
ORDERS = 40
PATIENCE_SECONDS = 60
SNAPSHOTS = {"CARE_METRICS_SNAPSHOT_INTERVAL_SECONDS": "1"}


@pytest.fixture
def broker(kafka_bootstrap: str, topic_prefix: str) -> Iterator[Broker]:
    """A broker that has the topics."""
    apply_topics(kafka_bootstrap, partitions=PARTITIONS, prefix=topic_prefix)
    found = Broker(kafka_bootstrap, topic_prefix)
    yield found
    for producer in found.producers:
        producer.close(timeout=5)


@dataclass
class Publisher:
    """Publishes what may be late until told to stop: of few orders, so that much is withdrawn."""

    broker: Broker
    chance: random.Random
    stopped: threading.Event = field(default_factory=threading.Event)
    hours: float = 0

    def run(self) -> None:
        producer = self.broker.producer(max_block_ms=60_000)
        while not self.stopped.is_set():
            self.hours += 1
            told = [self.one() for _ in range(self.chance.randint(5, 40))]
            self.chance.shuffle(told)
            marks = [barrier(self.hours, partition=p) for p in range(PARTITIONS)]
            self.broker.write(producer, *told, *marks)
            self.stopped.wait(self.chance.random() * 0.1)

    def one(self) -> Read:
        number = self.chance.randrange(ORDERS)
        order, partition = f"o-{number}", number % PARTITIONS
        at = self.hours - self.chance.random() * self.chance.choice((1, 1, 100))
        told = self.chance.choice((placed, complained, poor, sent, opened, cleared))(order, at)
        return Read(told.topic, told.record, partition)


def poor(order: str, hours: float) -> Read:
    """Return a poor answer to a survey of its own."""
    return answered(order, hours, 1, f"s-{order}-{hours}")


@dataclass
class Scraper:
    """Scrapes whoever serves, and remembers what fell."""

    service: Service | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    last: dict[str, float] = field(default_factory=dict)
    fallen: list[str] = field(default_factory=list)
    scrapes: int = 0

    def run(self) -> None:
        while not self.stopped.is_set():
            if self.service is not None and (found := self.service.figures()):
                self.look(found)
            time.sleep(0.02)

    def look(self, found: dict[str, float]) -> None:
        self.scrapes += 1
        self.fallen += [
            f"{name}: {n} → {found.get(name, 0)}"
            for name, n in self.last.items()
            if name.startswith(OF_THE_TOPICS)
            and name.split("{", maxsplit=1)[0].endswith(("_total", "_bucket", "_count"))
            and found.get(name, 0) < n
        ]
        self.last = found


@dataclass
class Company:
    """A broker with a metrics service that is started and ended."""

    broker: Broker
    folder: Path
    scraper: Scraper = field(default_factory=Scraper)
    services: list[Service] = field(default_factory=list)

    def start(self, **more: str) -> Service:
        """Start the service and wait until it is ready."""
        service = self.begin(**more)
        until(lambda: service.get("/readyz")[0] == 200)
        return service

    def begin(self, **more: str) -> Service:
        address_file = self.folder / f"address-{len(self.services)}"
        settings = SNAPSHOTS | more | {"CARE_METRICS_ADDRESS_FILE": str(address_file)}
        process = run(self.broker.bootstrap, self.broker.prefix, more=settings)
        self.services.append(Service(process, address_file))
        self.scraper.service = self.services[-1]
        return self.services[-1]

    def records(self) -> list[tuple[t.Topic, Any]]:
        """Return everything that lies on the topics."""
        reader = TopicReader(
            self.broker.bootstrap, prefix=self.broker.prefix, partitions=PARTITIONS
        )
        found = list(reader.records(READ_TOPICS))
        reader.close()
        return found


@pytest.fixture
def company(broker: Broker, tmp_path: Path) -> Iterator[Company]:
    made = Company(broker, tmp_path)
    yield made
    for service in made.services:
        service.process.kill()
        service.process.communicate()


def words(service: Service) -> dict[str, dict[str, Any]]:
    """Return what an ended process logged, by event; of several the last."""
    output, _ = service.process.communicate(timeout=30)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {line["event"]: line for line in lines}


def recount(records: list[tuple[t.Topic, Any]]) -> dict[str, float]:
    """Return the figures that follow from the records, counted without the service's own code."""
    told = [(topic.name, json.loads(record.value)) for topic, record in records]
    events = [(topic, each) for topic, each in told if "specversion" in each]
    types = Counter((topic, each["type"]) for topic, each in events)
    said, wrote = first(events, complains), first(events, is_message)
    ahead = [order for order in said if order in wrote and wrote[order] < said[order]]
    return {
        **{
            f"care_events_total{{topic={topic},type={name}}}": n
            for (topic, name), n in types.items()
        },
        "care_complaints_total{reached_first=true}": len(ahead),
        "care_complaints_total{reached_first=false}": len(said) - len(ahead),
        "care_problems_opened_total{kind=delivery_delay}": len(
            {e["data"]["problem_id"] for _, e in events if e["type"].endswith("problem.opened.v1")}
        ),
    }


def first(events: list[tuple[str, Any]], wanted: Any) -> dict[str, datetime]:
    """Return order → the earliest instant of such an event about it."""
    found: dict[str, datetime] = {}
    for _, event in events:
        if wanted(event):
            order, at = event["data"]["order_id"], datetime.fromisoformat(event["time"])
            found[order] = min(found.get(order, at), at)
    return found


def complains(event: dict[str, Any]) -> bool:
    return event["type"] in ("care.contact.opened.v1", "care.survey.answered.v1")


def is_message(event: dict[str, Any]) -> bool:
    return bool(event["type"] == OutreachSent.TYPE)


def net_of(samples: dict[str, float]) -> dict[str, float]:
    """Return the figures that `recount` tells, less what was withdrawn."""
    found = {n: v for n, v in samples.items() if n.startswith(("care_events", "care_problems_op"))}
    found.pop("care_problems_open{kind=delivery_delay,tier=overdue}", None)
    for label in ("true", "false"):
        withdrawn = samples.get(f"care_complaints_withdrawn_total{{reached_first={label}}}", 0)
        name = f"care_complaints_total{{reached_first={label}}}"
        found[name] = samples.get(name, 0) - withdrawn
    return found


def test_no_counter_falls_and_the_totals_are_those_of_the_topics(company: Company) -> None:
    chance = random.Random(7)
    publisher = Publisher(company.broker, chance)
    threads = [threading.Thread(target=run_) for run_ in (publisher.run, company.scraper.run)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(KILLS):
            service = company.start()
            time.sleep(chance.random() * 3)
            service.end(signal.SIGKILL)
        last = company.start()
        publisher.stopped.set()
        threads[0].join()
        wanted = recount(company.records())
        until(lambda: net_of(last.samples()) == wanted, PATIENCE_SECONDS)
    finally:
        publisher.stopped.set()
        company.scraper.stopped.set()
        for thread in threads:
            thread.join()

    assert company.scraper.fallen == []
    assert company.scraper.scrapes > KILLS
    withdrawn = last.samples()["care_complaints_withdrawn_total{reached_first=false}"]
    assert withdrawn > 0, "the story is of no use: nothing was judged anew"
    said = [words(service) for service in company.services[1:KILLS]]
    assert all(each["begins"]["from_snapshot"] for each in said)
    total = sum(n for name, n in wanted.items() if name.startswith("care_events"))
    # How much is read again is how long the last snapshot was ago; never all of it.
    assert said[-1]["caught_up"]["records"] < total


def test_after_an_orderly_end_nothing_is_read_again(company: Company) -> None:
    producer = company.broker.producer()
    company.broker.write(producer, *(placed(f"o-{n}") for n in range(50)))
    first_life = company.start()
    assert first_life.end(signal.SIGTERM) == 0

    second = company.start()
    samples = second.samples()
    second.end(signal.SIGKILL)

    assert samples["care_events_total{topic=purchases,type=care.order.placed.v1}"] == 50
    assert samples["care_metrics_state_bytes{}"] > 0
    assert words(second)["caught_up"]["records"] == 0


def test_a_topic_made_anew_meanwhile_is_refused_until_the_operator_decides(
    company: Company,
) -> None:
    producer = company.broker.producer()
    company.broker.write(producer, placed("o-1"))
    company.start().end(signal.SIGTERM)
    make_anew(company.broker, t.PURCHASES)
    for number in range(5):
        company.broker.write(company.broker.producer(), placed(f"n-{number}"))

    refused = company.begin()
    output, _ = refused.process.communicate(timeout=30)
    assert refused.process.returncode == 75
    assert "purchases is not the topic that was read" in output
    assert "delete the topic metrics-state" in output

    make_anew(company.broker, t.METRICS_STATE)
    samples = company.start().samples()
    assert samples["care_events_total{topic=purchases,type=care.order.placed.v1}"] == 5


def make_anew(broker: Broker, topic: t.Topic) -> None:
    """Delete the topic and create it again, empty."""
    delete_topics(broker.bootstrap, [topic.physical(broker.prefix)])
    time.sleep(0.5)
    apply_topics(broker.bootstrap, partitions=PARTITIONS, prefix=broker.prefix)


def test_what_retention_took_meanwhile_is_counted_as_missed(company: Company) -> None:
    producer = company.broker.producer()
    company.broker.write(producer, placed("o-1"))
    company.start().end(signal.SIGTERM)
    company.broker.write(producer, *(placed(f"later-{n}") for n in range(5)))
    delete_records(company.broker, t.PURCHASES, before=4)

    samples = company.start().samples()

    assert samples["care_metrics_missed_records_total{topic=purchases}"] == 3
    assert samples["care_events_total{topic=purchases,type=care.order.placed.v1}"] == 3


def delete_records(broker: Broker, topic: t.Topic, before: int) -> None:
    """Let the broker delete the records of partition 0 before this offset, as retention would."""
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_records({TopicPartition(topic.physical(broker.prefix), 0): before})
    admin.close()


def test_a_snapshot_nobody_can_read_is_said_and_the_topics_are_counted_from_their_beginning(
    company: Company,
) -> None:
    company.broker.write(company.broker.producer(), placed("o-1"))
    company.start().end(signal.SIGTERM)
    vandal = open_producer(company.broker.bootstrap)
    name = t.METRICS_STATE.physical(company.broker.prefix)
    vandal.send(name, b"\x81\xa6format\x63", key=b"header", partition=0).get(timeout=10)
    vandal.close(timeout=5)

    service = company.start()
    samples = service.samples()
    service.end(signal.SIGKILL)

    assert samples["care_events_total{topic=purchases,type=care.order.placed.v1}"] == 1
    assert "its format is 99" in words(service)["snapshot_unreadable"]["because"]


def test_of_two_the_later_one_counts_and_the_earlier_ends(company: Company) -> None:
    producer = company.broker.producer()
    company.broker.write(producer, placed("o-1"))
    earlier = company.start()
    later = company.start()
    company.broker.write(producer, placed("o-2"))

    output, _ = earlier.process.communicate(timeout=30)
    assert earlier.process.returncode == 75
    assert f"another process has taken over {company.broker.prefix}metrics" in output
    name = "care_events_total{topic=purchases,type=care.order.placed.v1}"
    until(lambda: later.samples()[name] == 2)
    assert isinstance(later.process, subprocess.Popen)
