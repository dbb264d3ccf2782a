"""Outreach on a database older than what it said: nothing leaves until it is reconciled, nothing twice."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg
import pytest
from click.testing import CliRunner

from services.cli.__main__ import care
from services.contracts.topics import PROBLEMS
from services.outreach import migrate
from tests.factories import HOUR, START
from tests.support.mail import Sink
from tests.support.outreach import (
    Company,
    environment,
    here,
    live,
    log_lines,
    now_ish,
    opened,
    profile,
    query,
    states,
    step,
)
from tests.support.service import Service, running
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected

FIRST = [f"c-{n}" for n in range(12)]
LATER = [f"c-{n}" for n in range(12, 18)]
LAST = [f"c-{n}" for n in range(18, 21)]
BEFORE_THE_BACKUP = 4
NOON = START + 12 * HOUR


@pytest.fixture
def backup(database: str) -> Any:
    """The name of a copy of the database, gone afterwards."""
    name = f"{database.rsplit('/', 1)[1]}b"
    yield name
    on_server(database, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def on_server(database: str, statement: str) -> None:
    with psycopg.connect(f"{database.rsplit('/', 1)[0]}/postgres", autocommit=True) as connection:
        connection.execute(statement)


def copied(database: str, source: str, target: str) -> None:
    """Make a database that is another one as it stands; nobody is connected to that."""
    on_server(database, f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
    gone = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{source}' AND pid <> pg_backend_pid()"
    )
    on_server(database, gone)

    def try_it() -> bool:
        try:
            on_server(database, f"CREATE DATABASE {target} TEMPLATE {source}")
        except psycopg.errors.ObjectInUse:
            return False
        return True

    wait_for(try_it, "nobody to be connected")


def name_of(database: str) -> str:
    return database.rsplit("/", 1)[1]


def tell(company: Company, customers: list[str]) -> None:
    company.deployment.publish(*(here(c) for c in customers))
    company.deployment.publish(*(opened(c, now_ish()) for c in customers))


def gauge(log: Path) -> float:
    started = next(x for x in reversed(log_lines(log)) if x["event"] == "outreach_started")
    try:
        told = urlopen(f"{started['address']}/metrics").read().decode()
    except OSError:
        # It is just being started.
        return -1
    name = "care_outreach_reconciliations_open "
    return float(next(x for x in told.splitlines() if x.startswith(name)).split()[1])


def has_read_everything(database: str, company: Company) -> bool:
    done = "SELECT sum(next_offset) FROM source_positions WHERE topic = 'problems'"
    return bool(query(database, done)[0][0] == len(company.deployment.records(PROBLEMS)))


def reconciled(company: Company, database: str, *more: str) -> dict[str, Any]:
    d = company.deployment
    words = ["--bootstrap", d.bootstrap, "--prefix", d.prefix, "--partitions", str(d.partitions)]
    ran = CliRunner().invoke(
        care,
        ["reconcile", "--database-url", database, *words, "--by", "ada", "--json", *more],
        catch_exceptions=False,
    )
    assert ran.exit_code == 0, ran.output
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def dies_after_a_start(settings: Mapping[str, str], log: Path) -> None:
    """Run an outreach that is killed when its next start is published, and its message has not left."""
    with log.open("ab") as output:
        command = [sys.executable, "-m", "tests.faults.outreach_dying", "started", "1"]
        variables = {"PATH": "", "PYTHONPATH": str(Path.cwd()), **settings}
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output)
    try:
        assert process.wait(60) == -signal.SIGKILL
    finally:
        process.kill()


def refuses(outreach: Service, database: str, company: Company, sink: Sink) -> None:
    """Check that this one reads on, and neither decides nor sends."""
    before = len(sink.mails), query(database, "SELECT count(*) FROM decisions")
    wait_for(lambda: has_read_everything(database, company), "everything to be read")
    wait_for(lambda: gauge(outreach.log) == 1, "the gauge")
    lines = [x for x in log_lines(outreach.log) if x["event"] == "outreach_must_be_reconciled"]
    assert "care reconcile" in lines[-1]["do"]
    assert (len(sink.mails), query(database, "SELECT count(*) FROM decisions")) == before


def test_a_backup_from_the_middle_of_a_run_sends_the_rest_and_nothing_twice(
    company: Company, sink: Sink, database: str, backup: str, tmp_path: Path
) -> None:
    settings = live(company.deployment, database, sink.port)
    with running("outreach", settings, tmp_path / "log") as outreach:
        tell(company, FIRST)
        wait_for(lambda: len(sink.mails) >= BEFORE_THE_BACKUP, "some mails")
        outreach.kill()
        copied(database, name_of(database), backup)
        outreach.restart()
        tell(company, LATER)
        wait_for(lambda: sum(states(database).values()) == 18, "all to be decided")
        wait_for(lambda: {"sent", "unknown"} >= set(states(database)), "all mails")
        outreach.kill()
        doubted = states(database).get("unknown", 0)
        # One more is begun, and lost with the database.
        tell(company, LAST[:1])
        dies_after_a_start(settings, tmp_path / "dying")
        assert 18 - doubted <= len(sink.mails) <= 18

        copied(database, backup, name_of(database))
        tell(company, LAST[1:])
        outreach.restart()
        refuses(outreach, database, company, sink)

        trial = reconciled(company, database, "--dry-run")
        assert gauge(outreach.log) == 1
        found = reconciled(company, database)
        assert {**trial, "reconciled": True} == found
        wait_for(lambda: sum(states(database).values()) == 21, "the rest to be decided")
        wait_for(lambda: {"sent", "unknown"} >= set(states(database)), "the rest to be sent")
        wait_for(lambda: gauge(outreach.log) == 0, "the gauge to fall")
        wait_for(lambda: query(database, "SELECT count(*) FROM outbox") == [(0,)], "the outbox")
        assert outreach.terminate() == 0

    assert len(set(sink.steps())) == len(sink.steps())
    assert {*sink.steps()} >= {step(c) for c in LAST[1:]}
    # Of what is not there somebody is told.
    assert len(sink.mails) >= 21 - len(found["unknown"])
    lost = query(database, "SELECT customer_id FROM sends WHERE state = 'unknown'")
    assert (LAST[0],) in lost
    assert len(found["unknown"]) == len(lost) == doubted + 1
    assert {e["data"]["step_id"] for e in company.told("unknown")} == set(found["unknown"])


def test_an_empty_database_beside_what_was_said_writes_to_nobody_again(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    settings = live(company.deployment, database, sink.port)
    with running("outreach", settings, tmp_path / "log") as outreach:
        tell(company, FIRST)
        wait_for(lambda: states(database) == {"sent": 12}, "all mails")
        assert gauge(outreach.log) == 0
        outreach.kill()
        on_server(database, f"DROP DATABASE {name_of(database)} WITH (FORCE)")
        on_server(database, f"CREATE DATABASE {name_of(database)}")
        migrate.upgrade(database)
        outreach.restart()
        refuses(outreach, database, company, sink)

        found = reconciled(company, database)
        tell(company, LAST)
        wait_for(lambda: states(database) == {"sent": 15}, "the new ones")
        assert reconciled(company, database)["reconciled"] is False

    assert found["sends"] == {"sent": 12}
    assert found["learnt"] == {
        "care.outreach.decided.v1": 12,
        "care.outreach.sent.v1": 12,
        "care.outreach.started.v1": 12,
    }
    assert sorted(sink.steps()) == sorted(step(c) for c in [*FIRST, *LAST])


def test_in_simulated_time_no_barrier_is_echoed_until_it_is_reconciled(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    settings = environment(company.deployment, database, sink.port)
    with running("outreach", settings, tmp_path / "log") as outreach:
        company.deployment.publish(*(profile(c) for c in FIRST))
        company.echoes(company.reach(START))
        company.deployment.publish(*(opened(c, NOON) for c in FIRST))
        company.echoes(company.reach(NOON))
        assert states(database) == {"sent": 12}
        outreach.kill()
        on_server(database, f"DROP DATABASE {name_of(database)} WITH (FORCE)")
        on_server(database, f"CREATE DATABASE {name_of(database)}")
        migrate.upgrade(database)
        outreach.restart()
        company.deployment.publish(*(profile(c) for c in LAST), *(opened(c, NOON) for c in LAST))
        number = company.reach(NOON + HOUR)
        wait_for(lambda: gauge(outreach.log) == 1, "the gauge")
        assert {e.number for e in company.all_echoes()} == {0, 1}

        reconciled(company, database, "--clock", "ticks")
        company.echoes(number)

    assert states(database) == {"sent": 15}
    assert sorted(sink.steps()) == sorted(step(c) for c in [*FIRST, *LAST])
