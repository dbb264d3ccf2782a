"""Complaints are published while notices leave through two real replicas: how much is said unheard.

A round is a customer with a queued notice, and a complaint that is published at a random moment around
the one at which the notices may leave.  Each way of running is played in turn, on topics and a database
of its own: with the wait for what is unread and without it, with readers that are well and with one that
is frozen for some seconds while the other replica sends for its partitions.
"""

import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import sleep

import psycopg

from services.kit.clock import SystemClock, monotonic
from services.local.parts import Parts
from services.outreach import migrate, pauses
from services.outreach import worker as outreach
from services.outreach.database import open_engine
from services.outreach.pauses import EVERYTHING, Pause
from tests.factories import wrote
from tests.support.mail import Sink, listening
from tests.support.outreach import here, live, now_ish, opened, query, states
from tests.support.service import Service, running
from tests.support.topics import Deployment, wait_for

NOTES = """
CREATE TABLE noted (seq bigint GENERATED ALWAYS AS IDENTITY, customer text, what text,
                    at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO noted (customer, what) VALUES (NEW.customer_id, TG_ARGV[0]);
  RETURN NEW;
END $$;
CREATE TRIGGER started AFTER UPDATE ON sends FOR EACH ROW
  WHEN (NEW.state = 'started') EXECUTE FUNCTION note('started');
CREATE TRIGGER complained AFTER INSERT ON inbound_contacts FOR EACH ROW
  EXECUTE FUNCTION note('complained');
"""
"""Who writes here holds the customer's lock until the commit: the numbers are the order of the commits."""

_RESUMED_AT, _LAST_COMPLAINT_AT, _THAWED_AT = 1.5, 3.5, 4.5
"""Seconds into a cycle: the notices may leave, all is said, the frozen reader goes on."""
_AT_ONCE = 20


@dataclass(frozen=True)
class Way:
    """One way to run."""

    reader: str
    """`well`, or `frozen` for some seconds, and with it half of the partitions."""
    waits: bool
    """Whether sends wait for what is unread."""

    @property
    def settings(self) -> dict[str, str]:
        """What makes the difference, for the service's environment."""
        return {"CARE_OUTREACH_CONTACTS_PATIENCE_SECONDS": "30" if self.waits else "0"}


WAYS = tuple(Way(reader, waits) for reader in ("well", "frozen") for waits in (True, False))

Noted = tuple[str, str, datetime]
"""Customer, `started` or `complained`, and when, in the order of the commits."""


@dataclass(frozen=True)
class Outcome:
    """How the rounds of one way ended."""

    rounds: int
    started_before_the_complaint: int
    """Before the broker had acknowledged it."""
    never_started: int
    started_after_it_was_committed: int
    """What must never be."""
    started_in_the_window: int
    """After it was acknowledged, and before it was committed."""
    window_seconds: Mapping[str, float]
    """From the acknowledgement to the start, of those in the window: median, 90 % and longest."""


def judged(published: Mapping[str, datetime], noted: Iterable[Noted]) -> Outcome:
    """Return how the rounds ended.

    Args:
        published: When each customer's complaint was acknowledged.
        noted: What was committed.
    """
    orders: dict[str, list[tuple[str, datetime]]] = {name: [] for name in published}
    for customer, what, at in noted:
        orders[customer].append((what, at))
    counts: Counter[str] = Counter()
    windows = []
    for customer, order in orders.items():
        names = [what for what, _ in order]
        started = dict(order).get("started")
        if started is None:
            counts["never"] += 1
        elif names == ["complained", "started"]:
            counts["after"] += 1
        elif started < published[customer]:
            counts["before"] += 1
        else:
            windows.append((started - published[customer]).total_seconds())
    return Outcome(
        rounds=len(published),
        started_before_the_complaint=counts["before"],
        never_started=counts["never"],
        started_after_it_was_committed=counts["after"],
        started_in_the_window=len(windows),
        window_seconds=_spread(windows),
    )


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    tenths = quantiles(values, n=10) if len(values) > 1 else [*values] * 9
    found = {"median": median(values), "p90": min(tenths[-1], max(values)), "max": max(values)}
    return {name: round(value, 3) for name, value in found.items()}


def race_published(
    parts: Parts, rounds: int, seed: int, say: Callable[[str], None]
) -> dict[str, Outcome]:
    """Play so many rounds in each way; return the outcomes by the way's name."""
    outcomes = {}
    for way in WAYS:
        name = f"reader {way.reader}, {'with' if way.waits else 'without'} the wait"
        say(f"{name} ...")
        with _stage(parts, way) as stage:
            outcomes[name] = stage.play(rounds, random.Random(seed))
    return outcomes


@contextmanager
def _stage(parts: Parts, way: Way) -> Iterator["_Stage"]:
    name = f"t{secrets.token_hex(5)}"
    database = f"{parts.database_url[: parts.database_url.rindex('/')]}/{name}"
    with psycopg.connect(parts.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    migrate.upgrade(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(NOTES)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        deployment = Deployment(parts.kafka_bootstrap, f"{name}-")
        stack.callback(deployment.close)
        sink = stack.enter_context(listening(Sink()))
        settings = {
            **live(deployment, database, sink.port, **way.settings),
            "CARE_OUTREACH_PLAYBOOKS": str(_unlimited(folder)),
            # Longer than it is frozen: it keeps its partitions.
            "CARE_OUTREACH_SESSION_SECONDS": "30",
        }
        replicas = [
            stack.enter_context(running("outreach", settings, folder / f"log-{n}"))
            for n in range(2)
        ]
        wait_for(lambda: _shared(database), "both replicas to have partitions")
        yield _Stage(deployment, database, way, replicas[0])


def _unlimited(folder: Path) -> Path:
    """Return playbooks of which the volume breaker never stops the notice."""
    found = (Path(outreach.__file__).parent / "playbooks" / "delivery_late.yaml").read_text("utf-8")
    made = folder / "playbooks"
    made.mkdir()
    (made / "delivery_late.yaml").write_text(f"{found}\ncontacts_per_day: 1000000\n", "utf-8")
    return made


def _shared(database: str) -> bool:
    owners = query(database, "SELECT count(*) FROM source_positions GROUP BY owner")
    return len(owners) == 2 and len(set(owners)) == 1


class _Stage:
    """Two replicas with all that is around them."""

    def __init__(self, deployment: Deployment, database: str, way: Way, freezable: Service) -> None:
        self._publish = deployment.publish
        self._database = database
        self._way = way
        self._freezable = freezable
        self._published: dict[str, datetime] = {}

    def play(self, rounds: int, chance: random.Random) -> Outcome:
        customers = [f"c-{n}" for n in range(rounds)]
        self._publish(*(here(name) for name in customers))
        known = "SELECT count(*) FROM profiles"
        wait_for(lambda: query(self._database, known) == [(rounds,)], "the profiles")
        for first in range(0, rounds, _AT_ONCE):
            self._cycle(customers[first : first + _AT_ONCE], chance)
        noted = query(self._database, "SELECT customer, what, at FROM noted ORDER BY seq")
        return judged(self._published, [(name, what, at) for name, what, at in noted])

    def _cycle(self, customers: list[str], chance: random.Random) -> None:
        self._pause()
        self._publish(*(opened(name, now_ish()) for name in customers))
        wait_for(lambda: states(self._database).get("pending") == len(customers), "the decisions")
        is_frozen = self._way.reader == "frozen"
        acts: list[tuple[float, Callable[[], None]]] = [(_RESUMED_AT, self._resume)]
        acts += [
            (chance.uniform(0, _LAST_COMPLAINT_AT), self._complaint_of(name)) for name in customers
        ]
        acts.append((_THAWED_AT, self._freezable.resume))
        if is_frozen:
            self._freezable.pause()
        _perform(sorted(acts, key=lambda act: act[0]))
        wait_for(self._is_settled, "the end of the cycle")

    def _complaint_of(self, customer: str) -> Callable[[], None]:
        def complain() -> None:
            self._publish(wrote(f"k-{customer}", f"o-{customer}", customer=customer, at=now_ish()))
            self._published[customer] = SystemClock().now()

        return complain

    def _is_settled(self) -> bool:
        heard = query(self._database, "SELECT count(*) FROM inbound_contacts")
        found = states(self._database)
        return heard == [(len(self._published),)] and not found.keys() & {"pending", "started"}

    def _pause(self) -> None:
        engine = open_engine(self._database)
        with engine.begin() as connection:
            pauses.pause(connection, Pause(EVERYTHING, SystemClock().now(), "bench", "a race"))
        engine.dispose()

    def _resume(self) -> None:
        engine = open_engine(self._database)
        with engine.begin() as connection:
            pauses.resume(connection, EVERYTHING, "bench", SystemClock().now())
        engine.dispose()


def _perform(acts: Iterable[tuple[float, Callable[[], None]]]) -> None:
    began = monotonic()
    for at, act in acts:
        sleep(max(0.0, began + at - monotonic()))
        act()
