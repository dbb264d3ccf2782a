"""Outreach by the system's clock: several replicas, real sends, and what it does without its parts."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest

from services.contracts import topics as t
from services.contracts.problems import Tier
from services.kit.clock import SystemClock
from services.kit.dead_letters import REASON, read_header
from services.kit.kafka_admin import apply_topics
from services.outreach import migrate
from tests.factories import HOUR, wrote
from tests.support.mail import Manner, Sink, free_port, listening
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
from tests.support.service import Service, run_to_end, running
from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected


@pytest.fixture
def company(kafka_bootstrap: str, topic_prefix: str) -> Iterator[Company]:
    deployment = Deployment(kafka_bootstrap, topic_prefix)
    made = Company(deployment)
    yield made
    made.close()
    deployment.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening(Sink()) as made:
        yield made


@pytest.fixture
def database(fresh_database: str) -> str:
    migrate.upgrade(fresh_database)
    return fresh_database


def free_zone() -> str:
    """Return a zone in which it is about noon, so that no test waits for a morning."""
    hours = 12 - SystemClock().now().hour
    # POSIX signs: Etc/GMT-3 is three hours ahead.
    return f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"


def live(company: Company, database: str, port: int, **more: str) -> dict[str, str]:
    return {**environment(company.deployment, database, port, **more), "CARE_CLOCK": "system"}


def now_ish() -> Any:
    return SystemClock().now() - timedelta(minutes=1)


def here(customer: str) -> Any:
    return profile(customer, now_ish(), time_zone=free_zone())


def test_two_replicas_send_each_mail_once_and_one_goes_on_when_the_other_is_killed(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    settings = live(company, database, sink.port)
    first, second = [f"c-{n}" for n in range(20)], [f"c-{n}" for n in range(20, 40)]
    publish = company.deployment.publish
    with (
        running("outreach", settings, tmp_path / "one") as one,
        running("outreach", settings, tmp_path / "two") as two,
    ):
        both = [one, two]
        wait_for(lambda: all(shares(service) for service in both), "both to have partitions")
        publish(*(here(c) for c in first + second))
        publish(*(opened(c, now_ish()) for c in first))
        wait_for(lambda: states(database) == {"sent": 20}, "the first mails")
        one.kill()
        publish(*(opened(c, now_ish()) for c in second))
        wait_for(lambda: states(database) == {"sent": 40}, "the rest")
        assert two.terminate() == 0

    assert sorted(sink.steps()) == sorted(step(c) for c in first + second)
    assert len(company.told("sent")) == 40
    assert query(database, "SELECT count(*) FROM outbox") == [(0,)]


def shares(service: Service) -> bool:
    """Whether this replica's latest assignment is two of the four partitions."""
    found = re.findall(r'"partitions": \[([0-9, ]*)\]', service.output())
    return bool(found) and len(found[-1].split(",")) == 2


def test_what_waits_for_a_busy_server_is_withdrawn_when_it_is_no_longer_needed(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    sink.manner_of = lambda _: Manner.BUSY_AT_RECIPIENT
    publish = company.deployment.publish
    with running("outreach", live(company, database, sink.port), tmp_path / "log"):
        publish(*(here(f"c-{n}") for n in range(3)))
        publish(*(opened(f"c-{n}", now_ish()) for n in range(3)))
        wait_for(
            lambda: query(database, "SELECT count(*) FROM sends WHERE attempt > 0") == [(3,)],
            "the first attempts",
        )
        publish(
            cleared("c-0", now_ish(), "retracted"),
            wrote(order="o-c-1", customer="c-1", at=now_ish()),
        )
        wait_for(lambda: states(database) == {"pending": 1, "withdrawn": 2}, "both withdrawals")
        wait_for(lambda: len(company.told("withdrawn")) == 2, "both events")

    reasons = {e["partitionkey"]: e["data"]["reason"] for e in company.told("withdrawn")}
    assert reasons == {"c-0": "problem_cleared", "c-1": "customer_wrote"}
    assert sink.mails == []


def test_a_frozen_replica_that_returns_moves_nothing_that_is_no_longer_its_own(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    settings = live(company, database, sink.port)
    publish = company.deployment.publish
    everyone = [f"c-{n}" for n in range(20)]
    with (
        running("outreach", settings, tmp_path / "one") as one,
        running("outreach", settings, tmp_path / "two") as two,
    ):
        both = [one, two]
        wait_for(lambda: all(shares(service) for service in both), "both to have partitions")
        one.pause()
        publish(*(here(c) for c in everyone))
        publish(*(opened(c, now_ish(), Tier.LATE) for c in everyone))
        wait_for(lambda: states(database) == {"sent": 20}, "the other to take over")
        one.resume()
        wait_for(lambda: all(shares(service) for service in both), "the first to be back")
        publish(here("c-99"), opened("c-99", now_ish()))
        wait_for(lambda: states(database) == {"sent": 21}, "one more")

    assert sorted(sink.steps()) == sorted(step(c) for c in [*everyone, "c-99"])
    totals = query(
        database, "SELECT sum(applied + duplicate) FROM source_positions WHERE topic = 'customers'"
    )
    assert totals == [(21,)]


def test_what_comes_from_the_future_is_put_aside_at_once(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    d = company.deployment
    with running("outreach", live(company, database, sink.port), tmp_path / "log"):
        d.publish(wrote(at=SystemClock().now() + 25 * HOUR))
        letters = wait_for(lambda: d.records(t.by_name("contacts-dlq")), "the dead letter")

    assert read_header(letters[0].headers, REASON) == "future"


def test_it_says_where_it_listens_and_what_it_knows(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    file = tmp_path / "address"
    settings = live(company, database, sink.port, CARE_OUTREACH_ADDRESS_FILE=str(file))
    with running("outreach", settings, tmp_path / "log"):
        wait_for(file.exists, "the address")
        address = file.read_text()
        wait_for(lambda: status(f"{address}/readyz") == 200, "readiness")
        company.deployment.publish(here("c-1"), here("c-1"))
        sample = 'care_outreach_profile_records{outcome="applied",topic="customers"} 2.0'
        wait_for(lambda: sample in body(f"{address}/metrics"), "the accounts")
        assert status(f"{address}/livez") == 200
        assert "care_outreach_outbox_records 0.0" in body(f"{address}/metrics")


def status(url: str) -> int:
    try:
        with urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except OSError as error:
        return int(getattr(error, "code", 0))


def body(url: str) -> str:
    with urlopen(url, timeout=5) as answer:
        text: str = answer.read().decode()
        return text


@pytest.mark.parametrize("missing", ["broker", "database", "schema", "topics", "partitions"])
def test_without_what_it_needs_it_says_what_to_do_and_leaves_with_75(
    kafka_bootstrap: str, topic_prefix: str, fresh_database: str, missing: str
) -> None:
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "DATABASE_URL": fresh_database,
        "CARE_TOPIC_PREFIX": topic_prefix,
        "CARE_PARTITIONS": "2",
    }
    if missing != "schema":
        migrate.upgrade(fresh_database)
    if missing not in {"topics", "broker"}:
        apply_topics(kafka_bootstrap, partitions=2, prefix=topic_prefix)
    changes = {
        "broker": {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"},
        "database": {"DATABASE_URL": f"postgresql://care:s3cret@127.0.0.1:{free_port()}/care"},
        "partitions": {"CARE_PARTITIONS": "3"},
    }
    said = {
        "broker": "KAFKA_BOOTSTRAP_SERVERS",
        "database": "DATABASE_URL",
        "schema": "care db upgrade",
        "topics": "care topics apply",
        "partitions": "CARE_PARTITIONS=2",
    }

    ended = run_to_end("outreach", {**settings, **changes.get(missing, {})})

    assert ended.returncode == 75, ended.stderr
    assert said[missing] in ended.stderr.strip().splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert "s3cret" not in ended.stderr


def test_topics_made_anew_are_refused(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    settings = live(company, database, sink.port)
    with running("outreach", settings, tmp_path / "log") as outreach:
        wait_for(lambda: "outreach_assigned" in outreach.output(), "its partitions")
        outreach.terminate()
    other = f"t{uuid4().hex[:10]}-"
    apply_topics(company.deployment.bootstrap, partitions=4, prefix=other)

    # Another set of topics under the names this database knows.
    ended = run_to_end("outreach", {**settings, "CARE_TOPIC_PREFIX": other})

    assert ended.returncode == 75
    assert "made anew" in ended.stderr


def test_a_wrong_playbook_ends_the_start_with_its_name(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    settings = live(company, database, sink.port, CARE_OUTREACH_PLAYBOOKS=str(tmp_path))

    ended = run_to_end("outreach", settings)

    assert ended.returncode == 2
    assert "mine.yaml" in ended.stderr
