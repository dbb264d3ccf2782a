"""Outreach killed between two sends, after a start, between DATA and its 250; one of two lost or frozen."""

import hashlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
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
    here,
    live,
    now_ish,
    opened,
    profile,
    query,
    states,
    step,
)
from tests.support.service import Service, running
from tests.support.topics import Deployment, wait_for

pytestmark = [pytest.mark.connected, pytest.mark.alone]

EVERYONE = [f"c-{n}" for n in range(40)]
NOON = START + 12 * HOUR


@dataclass
class Stage:
    """Everything around one outreach."""

    company: Company
    sink: Sink
    database: str
    settings: Mapping[str, str]
    log: Path


@contextmanager
def set_up(kafka_bootstrap: str, database: str, log: Path) -> Iterator[Stage]:
    deployment = Deployment(kafka_bootstrap, f"t{uuid4().hex[:10]}-")
    company = Company(deployment)
    try:
        with listening(Sink()) as sink:
            settings = environment(deployment, database, sink.port)
            yield Stage(company, sink, database, settings, log)
    finally:
        company.close()
        deployment.close()


@dataclass
class Stories:
    """What happened in each story.  A story that failed raises where it is asked for."""

    undisturbed: "Future[Told]"
    killed_before_a_send: "Future[Told]"
    killed_after_a_start: "Future[Told]"
    killed_after_data: "Future[Told]"
    one_of_two_killed: "Future[Shared]"
    one_of_two_frozen: "Future[Shared]"


@pytest.fixture(scope="module")
def stories(
    kafka_bootstrap: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stories]:
    """All stories at once, each on topics and a database of its own.

    Most of a story is waiting until the group notices a death; they can wait together.
    """
    names = [f"t{uuid4().hex[:10]}" for _ in range(6)]
    head = database_url[: database_url.rindex("/")]
    logs = tmp_path_factory.mktemp("killed")

    one_at_a_time = threading.Lock()

    def played(number: int, story: Callable[[Stage], Any]) -> Any:
        url = f"{head}/{names[number]}"
        with ExitStack() as stack:
            # Six times all topics at once is more than a broker on a busy machine makes in time.
            with one_at_a_time:
                stage = stack.enter_context(set_up(kafka_bootstrap, url, logs / f"log-{number}"))
            return story(stage)

    with psycopg.connect(database_url, autocommit=True) as connection, ThreadPoolExecutor() as pool:
        connection.execute(f"CREATE DATABASE {names[0]}")
        migrate.upgrade(f"{head}/{names[0]}")
        for name in names[1:]:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {names[0]}")
        try:
            playing = [
                pool.submit(played, number, story)
                for number, story in enumerate(
                    (
                        nobody_dies,
                        dies_before_a_send,
                        dies_after_a_start,
                        dies_after_data,
                        one_of_two_dies,
                        one_of_two_freezes,
                    )
                )
            ]
            wait(playing)
            yield Stories(*playing)
        finally:
            for name in names:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


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
    unknown: list[dict[str, Any]]
    most_attempts: int


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
        unknown=stage.company.told("unknown"),
        most_attempts=query(stage.database, "SELECT max(attempt) FROM sends")[0][0],
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


def nobody_dies(stage: Stage) -> Told:
    with running("outreach", stage.settings, stage.log):
        tell(stage.company)
        return told(stage)


def dies(stage: Stage, how: str, number: int) -> Told:
    process = dying(stage.settings, stage.log, how, number)
    with succeeded(process, stage.settings, stage.log):
        tell(stage.company)
        return told(stage)


def dies_before_a_send(stage: Stage) -> Told:
    return dies(stage, "before", 7)


def dies_after_a_start(stage: Stage) -> Told:
    return dies(stage, "started", 5)


def dies_after_data(stage: Stage) -> Told:
    hangs = {"c-2@example.org"}
    stage.sink.manner_of = lambda to: Manner.TAKES_AND_HANGS if to in hangs else Manner.TAKES
    company = stage.company
    with running("outreach", stage.settings, stage.log) as outreach:
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
        return told(stage)


@dataclass
class Shared:
    """What became of the mails of two replicas."""

    wanted: list[tuple[str, str]]
    mails: list[tuple[str, str]]
    sent_events: int
    outbox: int
    profiles: int
    exit_code: int


@contextmanager
def two_replicas(stage: Stage) -> Iterator[tuple[Service, Service]]:
    settings = live(stage.company.deployment, stage.database, stage.sink.port)
    with (
        running("outreach", settings, stage.log.with_suffix(".one")) as one,
        running("outreach", settings, stage.log.with_suffix(".two")) as two,
    ):
        wait_for(lambda: shares(one) and shares(two), "both to have partitions")
        yield one, two


def shares(service: Service) -> bool:
    """Whether this replica's latest assignment is two of the four partitions."""
    found = re.findall(r'"partitions": \[([0-9, ]*)\]', service.output())
    return bool(found) and len(found[-1].split(",")) == 2


def shared(stage: Stage, customers: list[str], exit_code: int) -> Shared:
    applied = "SELECT sum(applied + duplicate) FROM source_positions WHERE topic = 'customers'"
    return Shared(
        wanted=sorted(step(customer) for customer in customers),
        mails=sorted(stage.sink.steps()),
        sent_events=len(stage.company.told("sent")),
        outbox=query(stage.database, "SELECT count(*) FROM outbox")[0][0],
        profiles=query(stage.database, applied)[0][0],
        exit_code=exit_code,
    )


def one_of_two_dies(stage: Stage) -> Shared:
    first, second = [f"c-{n}" for n in range(20)], [f"c-{n}" for n in range(20, 40)]
    publish = stage.company.deployment.publish
    with two_replicas(stage) as (one, two):
        publish(*(here(c) for c in first + second))
        publish(*(opened(c, now_ish()) for c in first))
        wait_for(lambda: states(stage.database) == {"sent": 20}, "the first mails")
        one.kill()
        publish(*(opened(c, now_ish()) for c in second))
        wait_for(lambda: states(stage.database) == {"sent": 40}, "the rest")
        return shared(stage, first + second, two.terminate())


def one_of_two_freezes(stage: Stage) -> Shared:
    everyone = [f"c-{n}" for n in range(20)]
    publish = stage.company.deployment.publish
    with two_replicas(stage) as (one, two):
        one.pause()
        publish(*(here(c) for c in everyone))
        publish(*(opened(c, now_ish()) for c in everyone))
        wait_for(lambda: states(stage.database) == {"sent": 20}, "the other to take over")
        one.resume()
        wait_for(lambda: shares(one) and shares(two), "the first to be back")
        publish(here("c-99"), opened("c-99", now_ish()))
        wait_for(lambda: states(stage.database) == {"sent": 21}, "one more")
        codes = [service.terminate() for service in (one, two)]
        return shared(stage, [*everyone, "c-99"], max(codes))


def test_the_story_is_worth_telling(stories: Stories) -> None:
    undisturbed = stories.undisturbed.result()

    assert len(undisturbed.mails) > 10
    assert len(set(undisturbed.mails)) == len(undisturbed.mails)
    assert set(undisturbed.states) == {"sent"}


def test_killed_between_two_sends_everything_goes_out_and_nothing_twice(stories: Stories) -> None:
    assert stories.killed_before_a_send.result() == stories.undisturbed.result()


def test_killed_after_a_start_that_one_is_unknown_and_all_others_go_out(stories: Stories) -> None:
    undisturbed, after = stories.undisturbed.result(), stories.killed_after_a_start.result()

    assert after.digest == undisturbed.digest
    assert after.states == {"sent": undisturbed.states["sent"] - 1, "unknown": 1}
    assert len(after.mails) == len(set(after.mails)) == len(undisturbed.mails) - 1
    (unknown,) = after.unknown
    (doubtful,) = set(undisturbed.mails) - set(after.mails)
    assert unknown["data"]["problem_id"] == doubtful[0]


def test_killed_between_data_and_its_250_that_one_is_unknown_and_not_sent_again(
    stories: Stories,
) -> None:
    after = stories.killed_after_data.result()

    assert after.mails == sorted(step(f"c-{n}") for n in range(5))
    assert after.states == {"sent": 4, "unknown": 1}
    (unknown,) = after.unknown
    assert unknown["partitionkey"] == "c-2"
    assert after.most_attempts == 1


def test_two_replicas_send_each_mail_once_and_one_goes_on_when_the_other_is_killed(
    stories: Stories,
) -> None:
    after = stories.one_of_two_killed.result()

    assert after.mails == after.wanted
    assert (after.sent_events, after.outbox, after.exit_code) == (40, 0, 0)


def test_a_frozen_replica_that_returns_moves_nothing_that_is_no_longer_its_own(
    stories: Stories,
) -> None:
    after = stories.one_of_two_frozen.result()

    assert after.mails == after.wanted
    assert (after.profiles, after.exit_code) == (21, 0)
