"""A running ingest, and publishers that keep its rules."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from services.contracts.envelope import BATCH, Event
from tests.support.service import Service, running
from tests.support.topics import wait_for


@dataclass
class Tally:
    """What publishers were told."""

    accepted: set[str] = field(default_factory=set)
    """Ids of events that got 202."""
    answers: dict[tuple[int, str], int] = field(default_factory=dict)
    """How often which status and kind of problem came."""

    def add(self, events: Iterable[Event[Any]], response: httpx.Response) -> None:
        """Note one answer to one batch."""
        told = response.json()
        kind = str(told.get("type", "")).rpartition(":")[2]
        key = (response.status_code, kind)
        self.answers[key] = self.answers.get(key, 0) + 1
        if response.status_code == 202:
            self.accepted.update(event.id for event in events)


@contextmanager
def open_door(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[Service, str]]:
    """Yield a running ingest and its address."""
    found = folder / "address"
    found.unlink(missing_ok=True)
    # Tests of who may publish say otherwise.
    told = {
        "CARE_INGEST_AUTHENTICATION": "none",
        **environment,
        "CARE_INGEST_ADDRESS_FILE": str(found),
    }
    with running("ingest", told, folder / "ingest.log") as service:
        wait_for(lambda: found.exists() or service.process.poll() is not None, "ingest to listen")
        assert service.process.poll() is None, service.output()
        yield service, found.read_text(encoding="utf-8").strip()


def post(client: httpx.Client, events: Iterable[Event[Any]]) -> httpx.Response:
    """Send a batch."""
    body = json.dumps([json.loads(event.encode()) for event in events])
    return client.post("/v1/events", content=body, headers={"content-type": BATCH})


def publish_for(
    address: str, next_batch: Callable[[], list[Event[Any]]], seconds: float, clients: int
) -> Tally:
    """Send batches from several clients for a while; nobody sends anything twice."""
    tally = Tally()
    until = time.monotonic() + seconds

    def one(_: int) -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            while time.monotonic() < until:
                batch = next_batch()
                response = post(client, batch)
                tally.add(batch, response)
                if response.status_code == 503:
                    assert int(response.headers["retry-after"]) >= 1
                    time.sleep(0.05)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, range(clients)))
    return tally
