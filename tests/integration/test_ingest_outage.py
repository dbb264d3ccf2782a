"""Ingest while its broker is frozen or dead: bounded, honest, and back by itself afterwards."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from services.contracts.envelope import Event
from services.contracts.topics import PURCHASES, Topic
from services.ingest.admission import Admission
from services.ingest.publisher import KafkaPublisher
from services.ingest.settings import Settings
from services.ingest.wiring import open_ports
from services.kit.health import Verdict
from services.local.parts import Parts
from tests import factories
from tests.component.ingest.fakes import PARTITIONS, Written
from tests.component.ingest.publisher_suite import Opened, PublisherSuite
from tests.support.door import open_door, post, publish_for
from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected

MEMORY_MIB = 64
CLIENTS = 16


@pytest.fixture
def parts(disposable_parts: Parts) -> Parts:
    """A broker to be frozen and killed; the database is not needed here."""
    return disposable_parts


@pytest.fixture
def deployment(parts: Parts) -> Iterator[Deployment]:
    opened = Deployment(parts.kafka_bootstrap, f"t{uuid4().hex[:10]}-", PARTITIONS)
    try:
        yield opened
    finally:
        opened.close()


class TestKafkaPublisher(PublisherSuite):
    """What the publisher in memory keeps, the real one keeps."""

    @pytest.fixture(autouse=True)
    def on(self, parts: Parts, deployment: Deployment) -> None:
        self.parts = parts
        self.deployment = deployment

    @asynccontextmanager
    async def opened(self, *, max_records: int = 1000) -> AsyncIterator[Opened]:
        settings = Settings(
            kafka_bootstrap_servers=self.deployment.bootstrap,
            topic_prefix=self.deployment.prefix,
            partitions=PARTITIONS,
            acknowledgement_timeout_seconds=1,
            authentication="none",
        )
        admission = Admission(max_records, 10**6)
        async with open_ports(settings, lambda: Verdict(ok=True)) as ports:
            assert isinstance(ports.publisher, KafkaPublisher)
            ports.publisher._admission = admission
            kafka = self.parts.kafka
            yield Opened(ports.publisher, admission, self.written, kafka.pause, kafka.resume)

    def written(self, topic: Topic) -> list[Written]:
        return [
            Written(r.partition, r.offset, r.key, r.value, tuple(r.headers))
            for r in self.deployment.records(topic)
        ]


def batch() -> list[Event[Any]]:
    """Return a hundred events that nobody sent before."""
    return [factories.placed(order=f"o-{n}", customer=f"c-{n}") for n in range(100)]


@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_an_outage_is_told_bounded_and_over_when_it_is_over(
    how: str, parts: Parts, deployment: Deployment, tmp_path: Path
) -> None:
    kafka = parts.kafka
    environment = deployment.environment(
        CARE_CLOCK="system",
        CARE_INGEST_ACKNOWLEDGEMENT_TIMEOUT_SECONDS="2",
        CARE_INGEST_MAX_IN_FLIGHT_RECORDS="2000",
    )
    with open_door(environment, tmp_path) as (service, address):
        before = publish_for(address, batch, 1, CLIENTS)
        memory_before = psutil.Process(service.process.pid).memory_info().rss
        (kafka.pause if how == "frozen" else kafka.kill)()
        try:
            during = publish_for(address, batch, 4, CLIENTS)
            memory_during = psutil.Process(service.process.pid).memory_info().rss
        finally:
            (kafka.resume if how == "frozen" else kafka.start)()
        after = _publish_until_accepted(address)

        assert before.answers.keys() == {(202, "")}
        assert during.answers.keys() <= {(202, ""), (503, "outcome-unknown"), (503, "overloaded")}
        assert during.answers[503, "outcome-unknown"] > 0
        assert during.answers[503, "overloaded"] > 0
        assert memory_during - memory_before <= MEMORY_MIB * 1024 * 1024
        found = {json.loads(record.value)["id"] for record in deployment.records(PURCHASES)}
        assert before.accepted | during.accepted | after <= found
        assert service.terminate() == 0


def _publish_until_accepted(address: str) -> set[str]:
    def accepted() -> set[str] | None:
        events = batch()
        response = post(client, events)
        return {event.id for event in events} if response.status_code == 202 else None

    with httpx.Client(base_url=address, timeout=30) as client:
        found: set[str] = wait_for(accepted, "202 after the outage")
    return found


def test_the_process_leaves_in_time_though_its_broker_is_frozen(
    parts: Parts, deployment: Deployment, tmp_path: Path
) -> None:
    environment = deployment.environment(
        CARE_CLOCK="system", CARE_INGEST_ACKNOWLEDGEMENT_TIMEOUT_SECONDS="1"
    )
    with open_door(environment, tmp_path) as (service, address):
        publish_for(address, batch, 0.2, 1)
        parts.kafka.pause()
        try:
            publish_for(address, batch, 0.2, 2)
            assert service.terminate() == 0
        finally:
            parts.kafka.resume()
        assert "producer_closed_with_unsent_records" in service.output()
        assert "Traceback" not in service.output()
