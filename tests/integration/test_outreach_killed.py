"""Outreach killed between two sends, after a start, and between DATA and its 250."""

import hashlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from services.contracts.problems import Tier
from services.outreach import migrate
from tests.factories import HOUR, START, wrote
from tests.support.mail import Manner, Sink, listening
from tests.support.outreach import (
    Company,
    cleared,
    environment,
    opened,
    profile,
    query,
    states,
    step,
)
from tests.support.service import Service, running
from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected

EVERYONE = [f"c-{n}" for n in range(40)]
NOON = START + 12 * HOUR


@dataclass
class Stage:
    """Everything around one outreach."""

    company: Company
    sink: Sink
    database: str
    settings: Mapping[str, str]


@contextmanager
def set_up(kafka_bootstrap: str, database_url: str) -> Iterator[Stage]:
    name = f"t{uuid4().hex[:10]}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = database_url[: database_url.rindex("/")] + f"/{name}"
    migrate.upgrade(url)
    deployment = Deployment(kafka_bootstrap, f"{name}-")
    company = Company(deployment)
    try:
        with listening(Sink()) as sink:
            yield Stage(company, sink, url, environment(deployment, url, sink.port))
    finally:
        company.close()
        deployment.close()
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def stage(kafka_bootstrap: str, database_url: str) -> Iterator[Stage]:
    with set_up(kafka_bootstrap, database_url) as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(
    kafka_bootstrap: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> "Told":
    """What is decided and sent when nobody dies."""
    log = tmp_path_factory.mktemp("undisturbed") / "log"
    with (
        set_up(kafka_bootstrap, database_url) as made,
        running("outreach", made.settings, log),
    ):
        tell(made.company)
        return told(made)


def steps() -> Iterator[tuple[Any, list[Any]]]:
    """Return what happens to forty customers over three days, in steps of six hours."""
    yield START, [profile(customer) for customer in EVERYONE]
    for n in range(12):
        at = START + n * 6 * HOUR
        events: list[Any] = []
        for i, customer in enumerate(EVERYONE):
            if i % 12 == n:
                events.append(opened(customer, at, Tier.AT_RISK if i % 3 else Tier.LATE))
            if i % 12 == n - 1 and i % 4 == 0:
                events.append(wrote(f"k-{i}", f"o-{customer}", customer=customer, at=at))
            if i % 12 == n - 2 and i % 5 == 0:
                events.append(cleared(customer, at))
        yield at, events


def tell(company: Company) -> None:
    """Tell the story, step by step."""
    for at, events in steps():
        company.deployment.publish(*events)
        company.echoes(company.reach(at))


@dataclass
class Told:
    """What became of the story."""

    digest: str
    mails: list[tuple[str, str]]
    echoes: set[tuple[int, int, Any]]
    states: dict[str, int]


def told(stage: Stage) -> Told:
    lines = sorted(
        f"{e['partitionkey']} {e['data']['step_id']} {e['data']['outcome']} {e['time']}"
        for e in stage.company.told("decided")
    )
    return Told(
        digest=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        mails=sorted(stage.sink.steps()),
        echoes={(e.number, e.partition, e.next_due) for e in stage.company.all_echoes()},
        states=states(stage.database),
    )


def dying(settings: Mapping[str, str], log: Path, how: str, number: int) -> Any:
    """Start an outreach that kills itself at its n-th send."""
    with log.open("ab") as output:
        command = [sys.executable, "-m", "tests.faults.outreach_dying", how, str(number)]
        environment = {"PATH": "", "PYTHONPATH": str(Path.cwd()), **settings}
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output)


@contextmanager
def succeeded(process: Any, settings: Mapping[str, str], log: Path) -> Iterator[None]:
    """Start an ordinary outreach as soon as this one is dead."""
    services: list[Service] = []

    def watch() -> None:
        assert process.wait(60) == -signal.SIGKILL
        services.append(Service("outreach", settings, log))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        process.kill()
        watcher.join()
        for service in services:
            service.kill()


def test_the_story_is_worth_telling(undisturbed: Told) -> None:
    assert len(undisturbed.mails) > 10
    assert len(set(undisturbed.mails)) == len(undisturbed.mails)
    assert set(undisturbed.states) == {"sent"}


@pytest.mark.parametrize("number", [2, 7])
def test_killed_between_two_sends_everything_goes_out_and_nothing_twice(
    stage: Stage, undisturbed: Told, tmp_path: Path, number: int
) -> None:
    process = dying(stage.settings, tmp_path / "log", "before", number)
    with succeeded(process, stage.settings, tmp_path / "log"):
        tell(stage.company)

    assert told(stage) == undisturbed


def test_killed_after_a_start_that_one_is_unknown_and_all_others_go_out(
    stage: Stage, undisturbed: Told, tmp_path: Path
) -> None:
    process = dying(stage.settings, tmp_path / "log", "started", 5)
    with succeeded(process, stage.settings, tmp_path / "log"):
        tell(stage.company)

    after = told(stage)
    assert after.digest == undisturbed.digest
    assert after.states == {"sent": undisturbed.states["sent"] - 1, "unknown": 1}
    assert len(after.mails) == len(set(after.mails)) == len(undisturbed.mails) - 1
    (unknown,) = stage.company.told("unknown")
    (doubtful,) = set(undisturbed.mails) - set(after.mails)
    assert unknown["data"]["problem_id"] == doubtful[0]


def test_killed_between_data_and_its_250_that_one_is_unknown_and_not_sent_again(
    stage: Stage, tmp_path: Path
) -> None:
    hangs = {"c-2@example.org"}
    stage.sink.manner_of = lambda to: Manner.TAKES_AND_HANGS if to in hangs else Manner.TAKES
    company = stage.company
    with running("outreach", stage.settings, tmp_path / "log") as outreach:
        company.deployment.publish(*(profile(f"c-{n}") for n in range(5)))
        company.echoes(company.reach(START))
        company.deployment.publish(*(opened(f"c-{n}", NOON) for n in range(5)))
        number = company.reach(NOON)
        wait_for(lambda: step("c-2") in stage.sink.steps(), "the mail that is not acknowledged")
        outreach.kill()
        hangs.clear()
        outreach.restart()
        company.echoes(number)
        company.echoes(company.reach(NOON + HOUR))

    assert sorted(stage.sink.steps()) == sorted(step(f"c-{n}") for n in range(5))
    assert states(stage.database) == {"sent": 4, "unknown": 1}
    (unknown,) = company.told("unknown")
    assert unknown["partitionkey"] == "c-2"
    assert query(stage.database, "SELECT max(attempt) FROM sends") == [(1,)]
