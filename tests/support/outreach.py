"""What stands in for the predictor and the company around outreach: problems, barriers, profiles."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from kafka import KafkaConsumer, TopicPartition

from services.contracts import ids
from services.contracts import topics as t
from services.contracts.envelope import BARRIER, Event
from services.contracts.people import ConsentChanged, CustomerUpdated
from services.contracts.problems import (
    TIERS_OF,
    ProblemChanged,
    ProblemCleared,
    ProblemKind,
    ProblemOpened,
    Tier,
)
from services.contracts.stream import Barrier
from services.contracts.topics import Topic
from services.kit.clock import SystemClock
from services.kit.kafka_clients import end_offsets, open_consumer, open_producer
from tests.factories import DAY, START, event
from tests.support.topics import Deployment, is_barrier, wait_for

PREDICTOR = "/care/churn-predictor"
CRM = "/crm"


def profile(customer: str, at: datetime = START, **fields: Any) -> Event[Any]:
    """Return a profile with an address and a zone of its own."""
    known = {"email": f"{customer}@example.org", "time_zone": "Europe/Berlin", **fields}
    return event(CustomerUpdated(**known), at=at, customer=customer, source=CRM)


def consent(customer: str, status: str, at: datetime = START, **fields: Any) -> Event[Any]:
    """Return a customer's word about service mails."""
    said = {"message_class": "service", "channel": "email", "status": status, **fields}
    return event(ConsentChanged(**said), at=at, customer=customer, source=CRM)


def opened(customer: str, at: datetime, tier: Tier = Tier.LATE, **fields: Any) -> Event[Any]:
    """Return a delivery problem of this customer's one order."""
    return _problem(ProblemOpened(**_named(customer, at, tier, **fields)), customer, at)


def changed(customer: str, at: datetime, tier: Tier = Tier.LATE, **fields: Any) -> Event[Any]:
    """Return the rise of that problem."""
    named = _named(customer, at, tier, **fields)
    return _problem(ProblemChanged(**named, previous_tier=Tier.AT_RISK), customer, at)


def cleared(
    customer: str, at: datetime, clearing: str = "solved", tier: Tier = Tier.LATE, **fields: Any
) -> Event[Any]:
    """Return the end of that problem."""
    named = _named(customer, at, tier, **fields)
    return _problem(ProblemCleared(**named, clearing=clearing), customer, at)


def trouble(
    customer: str,
    kind: ProblemKind,
    at: datetime,
    subject: str = "customer",
    order_id: str | None = None,
    **fields: Any,
) -> Event[Any]:
    """Return the opening of a problem of any kind, in its first tier; about no order and no date."""
    named = {
        "problem_id": ids.problem_id(customer, subject, kind, 1),
        "kind": kind,
        "subject": subject,
        "order_id": order_id,
        "promised_by": None,
    }
    tier = TIERS_OF[kind][0]
    return _problem(ProblemOpened(**_named(customer, at, tier, **named, **fields)), customer, at)


def problem_id(customer: str) -> str:
    """Return the id of that problem."""
    return str(ids.problem_id(customer, f"sh-{customer}", "delivery_delay", 1))


def step(customer: str, playbook: str = "delivery_late") -> tuple[str, str]:
    """Return problem and step as a mail's headers name them."""
    return problem_id(customer), f"{playbook}/notice"


class Company:
    """Drives one deployment's outreach: what the predictor says, and how far time has got."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.number = -1
        self._producer = open_producer(deployment.bootstrap)
        self._reader = open_consumer(deployment.bootstrap, fetch_max_wait_ms=10)
        self._partitions = [
            TopicPartition(t.OUTREACH.physical(deployment.prefix), partition)
            for partition in range(deployment.partitions)
        ]
        self._reader.assign(self._partitions)
        self._heard: list[Any] = []

    def close(self) -> None:
        """Close the clients."""
        self._producer.close(timeout=5)
        self._reader.close()

    def reach(self, at: datetime, next_due: datetime | None = None) -> int:
        """Say on every partition that it is `at` and everything before is told; return the number."""
        self.number += 1
        d = self.deployment
        names = {topic.physical(d.prefix): topic.name for topic in t.OUTSIDE}
        ends = end_offsets(self._reader, names, d.partitions)
        for partition in range(d.partitions):
            barrier = Barrier(
                barrier=f"b-{self.number}",
                number=self.number,
                at=at,
                partition=partition,
                ends={names[name]: found[partition] for name, found in ends.items()},
                next_due=next_due,
            )
            self._producer.send(
                t.PROBLEMS.physical(d.prefix),
                barrier.encode(),
                headers=[("content-type", BARRIER.encode())],
                partition=partition,
            )
        self._producer.flush(30)
        return self.number

    def heard(self) -> list[Any]:
        """Return every record outreach has published so far, each partition's in order."""
        self._heard += _unread(self._reader, self._partitions)
        return sorted(self._heard, key=lambda record: (record.partition, record.offset))

    def everything_on(self, topics: Iterable[Topic]) -> list[Any]:
        """Return every record of these topics, in no order."""
        d = self.deployment
        reader = open_consumer(d.bootstrap, fetch_max_wait_ms=10)
        names = [topic.physical(d.prefix) for topic in topics]
        partitions = [TopicPartition(name, p) for name in names for p in range(d.partitions)]
        # Knows every leader before it asks for offsets.
        end_offsets(reader, names, d.partitions)
        reader.assign(partitions)
        found = _unread(reader, partitions)
        reader.close()
        return found

    def echoes(self, number: int, seconds: float = 60) -> dict[int, Barrier]:
        """Wait until every partition has echoed this barrier; return them by partition."""

        def look() -> dict[int, Barrier] | None:
            found = {b.partition: b for b in self.all_echoes() if b.number == number}
            return found if len(found) == self.deployment.partitions else None

        found: dict[int, Barrier] = wait_for(look, f"echo {number}", seconds)
        return found

    def all_echoes(self) -> list[Barrier]:
        """Return every echo so far, repetitions included."""
        return [Barrier.model_validate_json(r.value) for r in self.heard() if is_barrier(r)]

    def told(self, kind: str = "") -> list[dict[str, Any]]:
        """Return what outreach said, each event once, of one kind (`decided`, `sent` …) or all."""
        said = (json.loads(r.value) for r in self.heard() if not is_barrier(r))
        values = {v["id"]: v for v in said}
        wanted = f"care.outreach.{kind}.v1"
        return [v for v in values.values() if not kind or v["type"] == wanted]


def environment(
    deployment: Deployment, database_url: str, smtp_port: int, **more: str
) -> Mapping[str, str]:
    """Return the settings of a live outreach."""
    return deployment.environment(
        DATABASE_URL=database_url,
        CARE_OUTREACH_MODE="live",
        CARE_OUTREACH_SESSION_SECONDS="6",
        CARE_OUTREACH_SMTP_PORT=str(smtp_port),
        **more,
    )


def live(
    deployment: Deployment, database_url: str, smtp_port: int, **more: str
) -> Mapping[str, str]:
    """Return the settings of one that goes by the system's clock."""
    return {**environment(deployment, database_url, smtp_port, **more), "CARE_CLOCK": "system"}


def now_ish() -> datetime:
    """Return a moment that has just passed."""
    return SystemClock().now() - timedelta(minutes=1)


def here(customer: str) -> Event[Any]:
    """Return a profile where it is about noon, so that no test waits for a morning."""
    hours = 12 - SystemClock().now().hour
    # POSIX signs: Etc/GMT-3 is three hours ahead.
    zone = f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"
    return profile(customer, now_ish(), time_zone=zone)


def query(database_url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return rows of outreach's database."""
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement, values).fetchall()


def states(database_url: str) -> dict[str, int]:
    """Return how many sends stand in each state."""
    return dict(query(database_url, "SELECT state, count(*) FROM sends GROUP BY state"))


def log_lines(log: Path) -> list[dict[str, Any]]:
    """Return a service's log lines that are JSON."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def _unread(reader: KafkaConsumer, partitions: list[TopicPartition]) -> list[Any]:
    """Read on from where the reader stands to where these partitions end now."""
    ends, found = reader.end_offsets(partitions), []
    while any(reader.position(tp) < ends[tp] for tp in partitions):
        for batch in reader.poll(timeout_ms=100).values():
            found += batch
    return found


def _named(customer: str, at: datetime, tier: Tier, **fields: Any) -> dict[str, Any]:
    return {
        "problem_id": ids.problem_id(customer, f"sh-{customer}", "delivery_delay", 1),
        "kind": "delivery_delay",
        "subject": f"sh-{customer}",
        "order_id": f"o-{customer}",
        "episode": 1,
        "tier": tier,
        "deadline": at,
        "promised_by": at - DAY,
        "actor": "us",
        **fields,
    }


def _problem(data: Any, customer: str, at: datetime) -> Event[Any]:
    name = f"{data.TYPE}-{data.problem_id}-{data.tier}-{at.isoformat()}"
    return event(data, at=at, customer=customer, source=PREDICTOR, event_id=str(ids.derive(name)))
