"""Ingest as a process on a real Kafka: what 202 means, how it starts, how it leaves."""

import dataclasses
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.contracts.envelope import STRUCTURED, Event
from services.contracts.topics import DELIVERIES, OUTSIDE, PURCHASES
from services.ingest.documents import PROBLEM, ProblemKind
from services.kit.clock import SystemClock
from services.kit.kafka_admin import apply_topics
from services.kit.kafka_clients import partition_of
from services.kit.records import read_event
from services.local.ports import free_port
from tests import factories
from tests.support.door import open_door, post
from tests.support.service import run_to_end
from tests.support.topics import PARTITIONS, Deployment, wait_for

LOCAL = {"CARE_LOG_FORMAT": "json", "CARE_INGEST_AUTHENTICATION": "none"}
pytestmark = pytest.mark.connected


def send(client: httpx.Client, event: Event[Any]) -> httpx.Response:
    """Send one event."""
    headers = {"content-type": STRUCTURED}
    return client.post("/v1/events", content=event.encode(), headers=headers)


def test_every_202_is_a_record_where_it_says(deployment: Deployment, tmp_path: Path) -> None:
    told: dict[str, dict[str, Any]] = {}

    def publisher(number: int) -> None:
        with httpx.Client(base_url=address, timeout=30) as client:
            for n in range(5):
                one = factories.promised(shipment=f"s-{number}-{n}", customer=f"c-{number}")
                many = [factories.placed(order=f"o-{number}-{n}-{i}") for i in range(10)]
                single, batch = send(client, one), post(client, many)
                assert (single.status_code, batch.status_code) == (202, 202)
                told.update({r["id"]: r for r in [single.json(), *batch.json()["results"]]})

    environment = deployment.environment(CARE_CLOCK="system")
    with open_door(environment, tmp_path) as (service, address):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(publisher, range(8)))
        assert service.terminate() == 0

    assert len(told) == 8 * 5 * 11
    for topic in (PURCHASES, DELIVERIES):
        records = {(r.partition, r.offset): r for r in deployment.records(topic)}
        mine = [answer for answer in told.values() if answer["topic"] == topic.name]
        assert len(records) == len(mine)
        for answer in mine:
            record = records[answer["partition"], answer["offset"]]
            event = read_event(topic, record.key, record.value, record.headers)
            assert (event.id, event.source) == (answer["id"], answer["source"])
            assert record.partition == partition_of(record.key, PARTITIONS)


def test_simulated_time_is_the_clock(deployment: Deployment, tmp_path: Path) -> None:
    later = factories.placed(at=factories.START + timedelta(days=3))
    with (
        open_door(deployment.environment(), tmp_path) as (service, address),
        httpx.Client(base_url=address) as client,
    ):
        assert client.get("/readyz").status_code == 200
        early = send(client, factories.placed())
        deployment.tick(factories.START)
        wait_for(lambda: send(client, factories.placed()).status_code == 202, "the first tick")
        ahead = send(client, later)
        deployment.tick(factories.START + timedelta(days=2, seconds=1))
        wait_for(lambda: send(client, later).status_code == 202, "the second tick")
        assert service.terminate() == 0

    assert early.json()["type"].endswith(ProblemKind.NO_TIME_YET)
    assert (ahead.status_code, ahead.json()["errors"][0]["pointer"]) == (422, "/time")


def test_paused_it_is_ready_and_sends_everybody_away_without_a_broker(tmp_path: Path) -> None:
    """Nobody listens at that port: whatever becomes of the topics meanwhile is none of its business."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "CARE_INGEST_PAUSED": "1"}
    with (
        open_door(environment, tmp_path) as (service, address),
        httpx.Client(base_url=address) as client,
    ):
        assert client.get("/livez").status_code == client.get("/readyz").status_code == 200
        answers = [
            send(client, factories.placed()),
            post(client, [factories.placed(), factories.promised()]),
            client.post("/v1/webhooks/shopify", content=b"{}"),
            client.get("/v1/events/shop/e-1"),
        ]
        figures = client.get("/metrics").text
        assert service.terminate() == 0

    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert answer.json()["type"].endswith(ProblemKind.PAUSED)
    assert 'care_ingest_rejected_total{reason="paused",source="other"}' in figures


def test_a_record_that_the_broker_refuses_does_not_close_the_door(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    """kafka-python itself refuses every later record too (see services/ingest/producers.py)."""
    narrow = dataclasses.replace(PURCHASES, max_message_bytes=2000)
    topics = [narrow, *(topic for topic in OUTSIDE if topic is not PURCHASES)]
    apply_topics(kafka_bootstrap, partitions=PARTITIONS, prefix=topic_prefix, topics=topics)
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "CARE_TOPIC_PREFIX": topic_prefix,
        "CARE_PARTITIONS": str(PARTITIONS),
    }
    with (
        open_door(environment, tmp_path) as (service, address),
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        refused = send(client, factories.placed(lines=100))
        broken = send(client, factories.promised())
        wait_for(lambda: send(client, factories.promised()).status_code == 202, "a new producer")
        assert send(client, factories.placed()).status_code == 202
        assert service.terminate() == 0

    assert refused.json()["type"].endswith(ProblemKind.OUTCOME_UNKNOWN)
    assert broken.status_code == 503, "upstream mended: the replacement can be dropped"


def test_what_is_wrong_is_told_and_the_next_event_is_handled(
    deployment: Deployment, tmp_path: Path
) -> None:
    good = json.loads(factories.placed().encode())
    in_two_days = (SystemClock().now() + timedelta(days=2)).isoformat()
    wrong = [
        (b"{", 400, ""),
        (json.dumps({**good, "type": 5}).encode(), 422, "/type"),
        (json.dumps({**good, "type": "care.nothing.done.v1"}).encode(), 422, "/type"),
        (json.dumps({**good, "time": in_two_days}).encode(), 422, "/time"),
        (json.dumps({**good, "subject": "x" * 1024 * 1024}).encode(), 413, None),
    ]
    environment = deployment.environment(CARE_CLOCK="system")
    with (
        open_door(environment, tmp_path) as (service, address),
        httpx.Client(base_url=address) as client,
    ):
        for body, status, pointer in wrong:
            headers = {"content-type": STRUCTURED}
            refused = client.post("/v1/events", content=body, headers=headers)
            assert refused.status_code == status
            assert refused.headers["content-type"] == PROBLEM
            told = [error["pointer"] for error in refused.json()["errors"]]
            assert told == ([] if pointer is None else [pointer])
            assert send(client, factories.placed()).status_code == 202
        assert service.terminate() == 0

    assert len(deployment.records(PURCHASES)) == len(wrong)


class TestLeaving:
    def test_on_sigterm_it_is_not_ready_at_once_and_finishes_what_came(
        self, deployment: Deployment, tmp_path: Path
    ) -> None:
        environment = deployment.environment(
            CARE_CLOCK="system", CARE_INGEST_DRAIN_DELAY_SECONDS="1"
        )
        with open_door(environment, tmp_path) as (service, address):
            host, port = address.removeprefix("http://").split(":")
            body = factories.placed().encode()
            head = (
                f"POST /v1/events HTTP/1.1\r\nhost: {host}\r\ncontent-type: {STRUCTURED}\r\n"
                f"content-length: {len(body)}\r\n\r\n"
            )
            with (
                socket.create_connection((host, int(port))) as slow,
                httpx.Client(base_url=address) as client,
            ):
                slow.sendall(head.encode() + body[:10])
                assert client.get("/readyz").status_code == 200
                service.process.terminate()
                wait_for(lambda: client.get("/readyz").status_code == 503, "not ready")
                assert send(client, factories.placed()).status_code == 202
                client.close()
                time.sleep(1.2)
                slow.sendall(body[10:])
                answer = slow.recv(65_536)
            assert b" 202 " in answer.splitlines()[0]
            assert service.process.wait(20) == 0
        lines = [json.loads(line) for line in service.output().splitlines()]
        assert [line["event"] for line in lines if line["event"] != "events_received"] == [
            "listening",
            "draining",
            "drained",
        ]

    def test_no_202_is_lost_by_sigterm(self, deployment: Deployment, tmp_path: Path) -> None:
        accepted: set[str] = set()
        leaving = threading.Event()

        def publisher(number: int) -> None:
            with httpx.Client(base_url=address, timeout=30) as client:
                while not leaving.is_set():
                    events = [factories.placed(customer=f"c-{number}") for _ in range(20)]
                    try:
                        response = post(client, events)
                    except httpx.TransportError:
                        return
                    assert response.status_code == 202
                    accepted.update(event.id for event in events)

        environment = deployment.environment(CARE_CLOCK="system")
        with (
            open_door(environment, tmp_path) as (service, address),
            ThreadPoolExecutor(4) as pool,
        ):
            publishing = [pool.submit(publisher, number) for number in range(4)]
            time.sleep(0.5)
            assert service.terminate() == 0
            leaving.set()
            for done in publishing:
                done.result()

        found = {value["id"] for value in deployment.values(PURCHASES)}
        assert accepted
        assert accepted <= found


class TestStartingWithoutWhatItNeeds:
    """One line that says what to do, exit code 75, no traceback."""

    @staticmethod
    def gives_up(environment: dict[str, str]) -> str:
        ended = run_to_end("ingest", {**LOCAL, **environment}, seconds=30)
        assert ended.returncode == 75, ended.stderr
        assert "Traceback" not in ended.stderr + ended.stdout
        return ended.stderr.splitlines()[-1]

    def test_no_broker(self) -> None:
        started = time.monotonic()

        line = self.gives_up({"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"})

        assert "KAFKA_BOOTSTRAP_SERVERS" in line
        assert time.monotonic() - started < 20

    def test_missing_topics(self, kafka_bootstrap: str, topic_prefix: str) -> None:
        line = self.gives_up(
            {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "CARE_TOPIC_PREFIX": topic_prefix}
        )

        assert f"{topic_prefix}purchases" in line
        assert "care topics apply" in line

    def test_another_partition_count(self, deployment: Deployment) -> None:
        line = self.gives_up(
            {**deployment.environment(CARE_CLOCK="system"), "CARE_PARTITIONS": "7"}
        )

        assert f"CARE_PARTITIONS={PARTITIONS}" in line

    def test_an_address_that_is_taken(self, deployment: Deployment) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            line = self.gives_up(
                {**deployment.environment(CARE_CLOCK="system"), "CARE_INGEST_PORT": port}
            )

        assert "CARE_INGEST_PORT" in line
