"""A running ingest on a broker of its own, and who watches its memory and its health."""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil

from services.contracts.envelope import Event
from services.kit.clock import monotonic
from services.local.parts import Parts, running
from tests import factories
from tests.faults.outreach.outcome import Outcome
from tests.support.door import open_door
from tests.support.topics import Deployment

MIB = 2**20
HEALTH_SECONDS = 5.0
"""How long a platform waits for a probe, at most, before it counts as failed."""
_EVERY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """What a row is given."""

    row: str
    folder: Path
    quick: bool
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Door:
    """A running ingest and what it stands on."""

    address: str
    process: psutil.Process
    deployment: Deployment
    parts: Parts

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])

    def rss_mib(self) -> float:
        """Return its resident memory."""
        return float(self.process.memory_info().rss) / MIB


@contextmanager
def opened(scene: Scene, **settings: str) -> Iterator[Door]:
    """Yield ingest with these settings beside its defaults; anybody may publish."""
    with running(environment={}) as parts:
        deployment = Deployment(parts.kafka_bootstrap, f"row-{secrets.token_hex(3)}-")
        try:
            environment = deployment.environment(CARE_CLOCK="system", **settings)
            with open_door(environment, scene.folder) as (service, address):
                yield Door(address, psutil.Process(service.process.pid), deployment, parts)
                assert service.process.poll() is None, service.output()[-2000:]
        finally:
            deployment.close()


@dataclass
class Watch:
    """Looks at memory and both probes twice a second while it is entered."""

    door: Door
    is_green: bool = True
    slowest_seconds: float = 0.0
    looks: int = 0
    peak_mib: float = 0.0
    faults: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look for the last time."""
        self._over.set()
        assert self._thread is not None
        self._thread.join()

    def figures(self) -> Mapping[str, int | float | str]:
        """Return what it saw."""
        return {
            "probes": self.looks,
            "slowest probe, seconds": round(self.slowest_seconds, 2),
            "peak memory, MiB": round(self.peak_mib, 1),
        }

    def _run(self) -> None:
        with httpx.Client(base_url=self.door.address, timeout=HEALTH_SECONDS) as client:
            while True:
                self.peak_mib = max(self.peak_mib, self.door.rss_mib())
                for path in ("/livez", "/readyz"):
                    self._probe(client, path)
                if self._over.wait(_EVERY_SECONDS):
                    return

    def _probe(self, client: httpx.Client, path: str) -> None:
        began = monotonic()
        try:
            status: int | str = client.get(path).status_code
        except httpx.HTTPError as error:
            status = type(error).__name__
        self.looks += 1
        self.slowest_seconds = max(self.slowest_seconds, monotonic() - began)
        if status != 200:
            self.is_green = False
            self.faults.append(f"{path} said {status}")


def batch(events: int = 100) -> list[Event[Any]]:
    """Return events that nobody sent before."""
    return [factories.placed(order=f"o-{n}", customer=f"c-{n}") for n in range(events)]


def outcome(
    scene: Scene,
    began: float,
    figures: Mapping[str, int | float | str],
    faults: list[str],
) -> Outcome:
    """Return the end of this row; nothing here is drawn by chance but by a fixed seed."""
    return Outcome(scene.row, 0, scene.quick, monotonic() - began, figures, faults)
