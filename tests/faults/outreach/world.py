"""What a row works with: topics, a database and a mail server of its own, and the processes of outreach."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg

from services.kit.clock import monotonic
from services.outreach import migrate
from tests.backends import Addresses
from tests.faults.outreach.evidence import Evidence, Wanted, ledger_of, outbox_of, said_by
from tests.faults.outreach.server import MailServer
from tests.support.outreach import Company, here, live, query
from tests.support.service import LEAVE_SECONDS, Service
from tests.support.topics import PARTITIONS, Deployment, wait_for

_GONE_SECONDS = 15.0
_MAKING = threading.Lock()
_TEMPLATE = "care_outreach_faults"
_STARTED = "SELECT step_id::text FROM sends WHERE state = 'started'"
_CONNECTED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND application_name = 'care-outreach'
"""

PLAYBOOK = """
name: delivery_late
version: 1
mode: live
message_class: service
contacts_per_day: 1000000
trigger: {kind: delivery_delay, tiers: [late]}
steps: [{name: notice, action: send, channels: [email], template: delivery_late, use_by_hours: 48}]
"""
"""Mail alone, and no breaker: so many at once are the point here."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a row is given."""

    addresses: Addresses
    folder: Path
    """For its logs; they are all the evidence there is of what a process did."""
    seed: int
    quick: bool
    say: Callable[[str], None]

    def random(self, purpose: str) -> Random:
        """Return what draws for one purpose, so that another one's draws change nothing of it."""
        return Random(f"{self.seed} {purpose}")


@dataclass
class World:
    """One deployment of outreach and all around it."""

    name: str
    company: Company
    database: str
    server: MailServer
    settings: Mapping[str, str]
    folder: Path
    replicas: dict[str, Service] = field(default_factory=dict)

    def start(self, name: str) -> Service:
        """Start a replica."""
        log = self.folder / f"{self.name}-{name}.log"
        self.replicas[name] = Service("outreach", self.settings, log)
        return self.replicas[name]

    def revive(self) -> list[str]:
        """Start again, as a platform does, what ended by itself; return its names."""
        ended = [name for name, one in self.replicas.items() if one.process.poll() is not None]
        for name in ended:
            self.replicas[name].restart()
        return ended

    def introduce(self, customers: list[str], seconds: float = 90) -> None:
        """Let a running replica know these customers, so that nobody is written to before that."""
        self.company.deployment.publish(*(here(customer) for customer in customers))
        count = "SELECT count(*) FROM profiles"
        wait_for(
            lambda: query(self.database, count)[0][0] >= len(customers), "every profile", seconds
        )

    def started_by_the_dead(self) -> set[str]:
        """Return what stands as started once PostgreSQL has noticed that nobody is there any more."""
        wait_for(
            lambda: query(self.database, _CONNECTED) == [(0,)], "the dead to go", _GONE_SECONDS
        )
        return {step_id for (step_id,) in query(self.database, _STARTED)}

    def unsettled(self, wanted: list[Wanted]) -> int:
        """Return how many wanted steps have not ended, or are not published."""
        ended = {
            entry.name
            for entry in ledger_of(self.database)
            if entry.state not in ("pending", "started")
        }
        return sum(want.name not in ended for want in wanted) + outbox_of(self.database)

    def settle(self, wanted: list[Wanted], seconds: float) -> None:
        """Wait until every wanted step has ended, but no longer than so many seconds for the next one.

        What has not ended then the judge tells by name; a slow machine alone is no fault.
        """
        left, until = self.unsettled(wanted), monotonic() + seconds
        while left and monotonic() < until:
            time.sleep(0.2)
            before, left = left, self.unsettled(wanted)
            if left < before:
                until = monotonic() + seconds

    def evidence(self, wanted: list[Wanted]) -> Evidence:
        """Return what is known of the run by now."""
        return Evidence(
            wanted=tuple(wanted),
            mails=tuple(self.server.mails),
            ledger=ledger_of(self.database),
            said=said_by(self.company),
            outbox=outbox_of(self.database),
        )


@contextmanager
def opened(
    scene: Scene,
    name: str,
    server: MailServer,
    playbooks: Mapping[str, str],
    partitions: int = PARTITIONS,
    **settings: str,
) -> Iterator[World]:
    """Yield a world whose mail server is serving already; nothing of it is left but its logs."""
    made = f"f{hashlib.sha256(f'{scene.folder} {name}'.encode()).hexdigest()[:10]}"
    folder = scene.folder / f"{name}-playbooks"
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in playbooks.items():
        (folder / f"{file}.yaml").write_text(text, encoding="utf-8")
    with ExitStack() as stack:
        database = stack.enter_context(_database(scene.addresses.database_url, made))
        deployment = Deployment(scene.addresses.kafka_bootstrap, f"{made}-", partitions)
        stack.callback(deployment.close)
        company = Company(deployment)
        stack.callback(company.close)
        chosen = {"CARE_OUTREACH_PLAYBOOKS": str(folder), **settings}
        environment = live(deployment, database, server.port, **chosen)
        world = World(name, company, database, server, environment, scene.folder)
        stack.callback(_end_all, world)
        yield world


@contextmanager
def _database(url: str, name: str) -> Iterator[str]:
    head = url.partition("?")[0].rpartition("/")[0]
    with psycopg.connect(url, autocommit=True) as connection:
        # Neither Alembic nor the template of new databases is for several threads.
        with _MAKING:
            _make_template(connection, head)
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}".encode())
        try:
            yield f"{head}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _make_template(connection: psycopg.Connection, head: str) -> None:
    """Make a database with outreach's tables to copy from, unless it is there."""
    there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_TEMPLATE,))
    if there.fetchone() is None:
        connection.execute(f"CREATE DATABASE {_TEMPLATE}".encode())
        migrate.upgrade(f"{head}/{_TEMPLATE}")


def _end_all(world: World) -> None:
    for service in world.replicas.values():
        if service.process.poll() is None:
            service.resume()
            service.kill()


def left_in_order(service: Service) -> bool:
    """End a replica as a platform does; whether it went with 0."""
    service.process.terminate()
    return service.process.wait(LEAVE_SECONDS * 3) == 0
