"""The metrics service as a process, and records written by hand."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from kafka import KafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from services.contracts import topics as t
from services.contracts.envelope import BARRIER, STRUCTURED, Event
from services.kit.kafka_clients import open_producer
from tests.unit.metrics.stories import CUSTOMER, Read

PARTITIONS = 2
STRUCTURED_HEADERS = [("content-type", STRUCTURED.encode())]
BARRIER_HEADERS = [("content-type", BARRIER.encode())]
START_SECONDS = 60


@dataclass
class Service:
    """A metrics process and where it listens."""

    process: subprocess.Popen[str]
    address_file: Path

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body; status 0 while nothing listens."""
        try:
            with urlopen(self.address_file.read_text().strip() + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except (URLError, FileNotFoundError, ConnectionError, HTTPException):
            return 0, ""

    def samples(self) -> dict[str, float]:
        """Return every sample that is not 0, labels sorted: `name{label=value,…}` → value.

        Empty while it exposes nothing.
        """
        status, body = self.get("/metrics")
        families = text_string_to_metric_families(body if status == 200 else "")
        return {
            f"{s.name}{{{','.join(f'{k}={v}' for k, v in sorted(s.labels.items()))}}}": s.value
            for family in families
            for s in family.samples
            if s.value
        }

    def figures(self) -> dict[str, float]:
        """Return the samples that follow from the topics alone."""
        own = ("care_lag", "care_metrics_", "care_build_info", "process_", "python_")
        return {k: v for k, v in self.samples().items() if not k.startswith(own)}

    def end(self, number: signal.Signals) -> int:
        """Send this signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=10)


@dataclass
class Broker:
    """Writes records by hand."""

    bootstrap: str
    prefix: str
    producers: list[KafkaProducer] = field(default_factory=list)

    def producer(self, **changes: object) -> KafkaProducer:
        """Return a producer that is closed with the test."""
        self.producers.append(open_producer(self.bootstrap, **changes))
        return self.producers[-1]

    def write(self, producer: KafkaProducer, *reads: Read, age_seconds: float = 0) -> None:
        """Write these events and barriers and wait for the acknowledgement."""
        when = int((time.time() - age_seconds) * 1000)
        for read in reads:
            as_event = isinstance(read.record, Event)
            producer.send(
                read.topic.physical(self.prefix),
                key=CUSTOMER.encode() if as_event else None,
                value=read.record.encode(),  # type: ignore[union-attr]
                headers=STRUCTURED_HEADERS if as_event else BARRIER_HEADERS,
                partition=read.partition,
                timestamp_ms=when,
            )
        producer.flush(timeout=10)

    def raw(self, producer: KafkaProducer, topic: t.Topic, **record: object) -> None:
        """Write one record as it is."""
        producer.send(topic.physical(self.prefix), **record).get(timeout=10)


def run(
    bootstrap: str, prefix: str, partitions: int = PARTITIONS, more: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start the service as a process of its own."""
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CARE_TOPIC_PREFIX": prefix,
        "CARE_PARTITIONS": str(partitions),
        "CARE_LOG_FORMAT": "json",
        "CARE_METRICS_LAG_INTERVAL_SECONDS": "0.2",
        **(more or {}),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "services.metrics"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(holds: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Wait until this holds."""
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at, "it did not come true in time"
        time.sleep(0.05)
