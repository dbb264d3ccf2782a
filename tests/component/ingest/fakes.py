"""The door with hand-written ports: topics in memory, a clock one sets."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from prometheus_client.parser import text_string_to_metric_families

from services.contracts.topics import Topic
from services.ingest.access.gate import Gate
from services.ingest.access.opening import open_gate
from services.ingest.access.rates import Rate
from services.ingest.adapters.adapter import Adapters
from services.ingest.admission import Admission
from services.ingest.api import Ports, Terms, create_app
from services.ingest.fates import LookTerms
from services.ingest.records import Acknowledged, Outcome, Record, Unknown
from services.ingest.settings import Settings
from services.kit.clock import NoTimeYet
from services.kit.health import Verdict
from services.kit.kafka_clients import partition_of
from tests import factories

with warnings.catch_warnings():
    # It asks for a successor of httpx that its own releases do not need yet.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Written:
    """A record where it lies."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class FakePublisher:
    """Topics in memory.  `silence` lets acknowledgements stay away until `speak`."""

    def __init__(self, admission: Admission, patience_seconds: float = 0.05) -> None:
        self._admission = admission
        self._patience_seconds = patience_seconds
        self._logs: dict[tuple[str, int], list[Written]] = {}
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self.refuses: set[int] = set()
        """Positions within a call that the broker refuses."""

    async def publish(self, records: Sequence[Record]) -> list[Outcome]:
        """Return one outcome per record; see `Publisher`."""
        self._admission.enter(len(records), sum(record.size for record in records))
        tasks = [
            asyncio.create_task(self._write(index, record)) for index, record in enumerate(records)
        ]
        self._tasks.update(tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=self._patience_seconds)
        return [task.result() if task.done() else Unknown("silence") for task in tasks]

    def silence(self) -> None:
        """Acknowledge nothing."""
        self._speaks.clear()

    def speak(self) -> None:
        """Acknowledge again, also what was sent meanwhile."""
        self._speaks.set()

    async def caught_up(self) -> None:
        """Acknowledge again, and return when all of it is acknowledged."""
        self.speak()
        await asyncio.gather(*self._tasks)

    def written(self, topic: Topic) -> list[Written]:
        """Return what lies on a topic, by partition and offset."""
        return [w for p in range(PARTITIONS) for w in self._logs.get((topic.name, p), [])]

    async def _write(self, index: int, record: Record) -> Outcome:
        await self._speaks.wait()
        self._admission.leave(1, record.size)
        if index in self.refuses:
            return Unknown("refused")
        partition = partition_of(record.key, PARTITIONS)
        log = self._logs.setdefault((record.topic.name, partition), [])
        log.append(Written(partition, len(log), record.key, record.value, record.headers))
        return Acknowledged(partition, len(log) - 1)


@dataclass
class Door:
    """A running door and everything a test turns."""

    client: TestClient
    publisher: FakePublisher
    admission: Admission
    readiness: Verdict = field(default_factory=lambda: Verdict(ok=True))
    now: datetime | None = factories.START
    """By the deployment's clock."""
    machine_now: datetime = factories.START

    def metric(self, name: str, **labels: str) -> float:
        """Return what /metrics says under these labels, over all values of other labels."""
        found = [value for told, value in self.samples(name) if labels.items() <= told.items()]
        assert found, (name, labels)
        return sum(found)

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and the value of each sample of this name."""
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        return [
            (dict(sample.labels), sample.value)
            for family in families
            for sample in family.samples
            if sample.name == name
        ]


def open_to_all(machine_now: Callable[[], datetime]) -> Gate:
    """Return a gate that lets everybody publish everything."""
    return Gate(now=machine_now, elapsed=lambda: 0.0, rate=Rate(1, 1), is_open=True)


@contextmanager
def door(
    *,
    max_records: int = 1000,
    max_bytes: int = 8 * 1024 * 1024,
    body_seconds: float = 5,
    adapters: Adapters | None = None,
    looks: LookTerms | None = None,
    access: Settings | None = None,
    turned: Callable[[Gate], Gate] = lambda gate: gate,
) -> Iterator[Door]:
    """Yield a door that is up; open to everybody, or with the gate that these settings make."""
    admission = Admission(max_records, max_bytes)
    opened: list[Door] = []
    publishers: list[FakePublisher] = []

    def now() -> datetime:
        if opened[0].now is None:
            raise NoTimeYet
        return opened[0].now

    @asynccontextmanager
    async def open_ports() -> AsyncIterator[Ports]:
        publishers.append(FakePublisher(admission))
        ports = Ports(
            publishers[0],
            now,
            lambda: opened[0].readiness,
            admission,
            adapters or {},
            gate=open_to_all(lambda: opened[0].machine_now),
        )
        if looks is not None:
            ports = replace(ports, looks=looks)
        if access is None:
            yield ports
            return
        async with open_gate(access) as gate:
            yield replace(ports, gate=turned(gate))

    app = create_app(open_ports, Terms(retry_after_seconds=3, body_timeout_seconds=body_seconds))
    with TestClient(app, raise_server_exceptions=False) as client:
        opened.append(Door(client, publishers[0], admission))
        yield opened[0]
