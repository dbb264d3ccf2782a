"""A shop whose deployment is moved to more partitions in the middle of its story, and what comes of it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg

from services.churn_predictor import state as st
from services.contracts import topics as t
from services.contracts.stream import Barrier
from services.demo.barriers import Barriers
from services.demo.door import Door
from services.demo.figures import Report
from services.demo.replay import Moments, Replayer, Step
from services.demo.run import Options, open_world, report_on
from services.demo.stage import Stage, standing
from services.kit.clock import monotonic
from services.kit.kafka_clients import partition_of
from services.kit.topic_reader import TopicReader
from services.outreach import relocating
from services.outreach.database import open_engine
from services.shop.timeline import Poison

STOPPED = ("churn_predictor", "outreach", "metrics")


@dataclass
class Lives:
    """What is known of the customers in the end, by id, and whether each lies where it belongs."""

    states: dict[str, Any] = field(default_factory=dict)
    misplaced: list[str] = field(default_factory=list)


@dataclass
class Played:
    """A play that is over."""

    report: Report
    lives: Lives
    decided: list[tuple[Any, ...]]
    """Every decision, without the partition in which it was made."""
    sent: list[tuple[Any, ...]]
    misplaced: dict[str, int]
    """Table of outreach → customers with rows under another partition than theirs."""


class Time:
    """Writes ticks to as many partitions as there are now."""

    def __init__(self, stage: Stage, patience_seconds: float) -> None:
        self._stage = stage
        self._patience_seconds = patience_seconds
        self.partitions = stage.partitions
        self._now = self._open()

    def grow(self, partitions: int) -> None:
        """Go on with so many."""
        self._now.close()
        self.partitions = partitions
        self._now = self._open()

    def spoil(self, poison: Sequence[Poison]) -> None:
        """See `TimeKeeper`."""
        self._now.spoil(poison)

    def write(self, number: int, at: datetime) -> str:
        """See `TimeKeeper`."""
        return self._now.write(number, at)

    def wait(self, barrier: str, watch: Callable[[], None]) -> list[Barrier]:
        """See `TimeKeeper`."""
        return self._now.wait(barrier, watch)

    def close(self) -> None:
        """Close the clients."""
        self._now.close()

    def _open(self) -> Barriers:
        return Barriers(
            self._stage.kafka_bootstrap,
            prefix=self._stage.topic_prefix,
            partitions=self.partitions,
            run=self._stage.topic_prefix.rstrip("-"),
            patience_seconds=self._patience_seconds,
        )


Between = Callable[[Stage], int]
"""What is done between two steps; returns how many partitions there are afterwards."""


def play(
    options: Options, after: timedelta = timedelta.max, between: Between | None = None
) -> Played:
    """Play a shop; do what is to be done after so much of its time, once everything is quiet."""
    world, began = open_world(options), monotonic()
    with standing(options.folder, lambda _: None, options.cast) as stage, _time(stage) as time:

        def after_echo(step: Step) -> None:
            if between and time.partitions == stage.partitions and step.at - world.start >= after:
                time.grow(between(stage))

        moments = Moments(after_echo=after_echo, while_waiting=stage.services.check)
        door = Door(stage.services.address("ingest"), key=stage.publishing_key)
        with closing(door):
            replayer = Replayer(world, door, time, stage.mails, options.step, moments)
            ticks = replayer.run()
        grown = replace(stage, partitions=time.partitions)
        report = report_on(world, grown, options, ticks, lambda: monotonic() - began)
        return Played(report, lives(grown), decided(stage), sent(stage), misplaced(grown))


@contextmanager
def _time(stage: Stage) -> Iterator[Time]:
    time = Time(stage, 180.0)
    try:
        yield time
    finally:
        time.close()


def pause(stage: Stage) -> None:
    """End what the guide says is to be ended, in its order."""
    stage.services.halt("ingest")
    stage.services.tell("CARE_INGEST_PAUSED", "1")
    stage.services.begin("ingest")
    for name in STOPPED:
        stage.services.halt(name)


def go_on(stage: Stage, partitions: int) -> None:
    """Start everything with the new number."""
    stage.services.halt("ingest")
    stage.services.tell("CARE_INGEST_PAUSED", "0")
    stage.services.tell("CARE_PARTITIONS", str(partitions))
    names = ("ingest", *STOPPED)
    for name in names:
        stage.services.begin(name)
    stage.services.wait_until_live(*names)


def command(stage: Stage, before: int, after: int, *more: str) -> "subprocess.Popen[str]":
    """Start `care partitions move` on this stage, as a process of its own."""
    where = {
        "KAFKA_BOOTSTRAP_SERVERS": stage.kafka_bootstrap,
        "CARE_TOPIC_PREFIX": stage.topic_prefix,
        "DATABASE_URL": stage.database_url,
        "CARE_DEPLOYMENT": "dev",
    }
    words = ["partitions", "move", "--from", str(before), "--to", str(after), "--json", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli", *words],
        env={**os.environ, **where},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def moved(stage: Stage, before: int, after: int, *more: str) -> dict[str, Any]:
    """Return what `care partitions move` says, which must be that all is well."""
    process = command(stage, before, after, *more)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, (said, errors)
    found: dict[str, Any] = json.loads(said)
    return found


def lives(stage: Stage) -> Lives:
    """Return what the predictor's changelog has of every customer; traces are drawn anew in each run."""
    found, latest = Lives(), dict[tuple[int, bytes], bytes | None]()
    reader = TopicReader(
        stage.kafka_bootstrap, prefix=stage.topic_prefix, partitions=stage.partitions
    )
    with closing(reader):
        for _, record in reader.records([t.FACTS_CHANGELOG]):
            latest[record.partition, record.key] = record.value
    for (partition, key), value in latest.items():
        if value is None or key.startswith(st.INTERNAL):
            continue
        state = json.loads(value) | {"fresh": {}}
        if key.decode() in found.states or partition_of(key, stage.partitions) != partition:
            found.misplaced.append(key.decode())
        found.states[key.decode()] = state
    return found


def rows(stage: Stage, statement: str) -> list[tuple[Any, ...]]:
    """Return what the stage's database answers."""
    with psycopg.connect(stage.database_url) as connection:
        return connection.execute(statement).fetchall()


def decided(stage: Stage) -> list[tuple[Any, ...]]:
    """Return every decision in the database."""
    return rows(
        stage,
        "SELECT decision_id, customer_id, step_id, decided_at, outcome FROM decisions ORDER BY 1",
    )


def sent(stage: Stage) -> list[tuple[Any, ...]]:
    """Return every send in the ledger."""
    return rows(stage, "SELECT step_id, customer_id, state, attempt FROM sends ORDER BY 1")


def misplaced(stage: Stage) -> dict[str, int]:
    """Return table → customers whose rows stand under another partition than theirs."""
    engine = open_engine(stage.database_url)
    found = relocating.misplaced(engine, stage.partitions)
    engine.dispose()
    return dict(found)
