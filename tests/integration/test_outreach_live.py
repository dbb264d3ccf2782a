"""Outreach by the system's clock: real sends, and what it does without its parts."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

import psycopg
import pytest

from services.contracts import topics as t
from services.kit.clock import SystemClock
from services.kit.dead_letters import REASON, read_header
from services.kit.kafka_admin import FoundTopic, apply_topics
from services.outreach import migrate, positions
from services.outreach.channels.smtp import Tls
from services.outreach.database import open_engine
from tests.factories import HOUR, wrote
from tests.support.mail import Manner, Sink, free_port
from tests.support.outreach import (
    Company,
    cleared,
    here,
    live,
    now_ish,
    opened,
    query,
    states,
)
from tests.support.relay import PASSWORD, USER, Relay, relaying, vouching
from tests.support.service import run_to_end, running
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected


def test_what_waits_for_a_busy_server_is_withdrawn_when_it_is_no_longer_needed(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    sink.manner_of = lambda _: Manner.BUSY_AT_RECIPIENT
    publish = company.deployment.publish
    with running("outreach", live(company.deployment, database, sink.port), tmp_path / "log"):
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


def test_it_logs_in_where_its_settings_say_so(
    company: Company, database: str, tmp_path: Path
) -> None:
    password = tmp_path / "smtp-password"
    password.write_text(f"{PASSWORD}\n")
    told = {
        "CARE_OUTREACH_SMTP_IMPLICIT_TLS": "true",
        "CARE_OUTREACH_SMTP_CA_FILE": str(vouching(tmp_path)),
        "CARE_OUTREACH_SMTP_USERNAME": USER,
        "CARE_OUTREACH_SMTP_PASSWORD_FILE": str(password),
    }
    with relaying(Relay(), Tls.IMPLICIT) as relay:
        settings = live(company.deployment, database, relay.port, **told)
        with running("outreach", settings, tmp_path / "log"):
            company.deployment.publish(here("c-1"))
            company.deployment.publish(opened("c-1", now_ish()))
            wait_for(lambda: states(database) == {"sent": 1}, "the mail")

    assert relay.shown == [("PLAIN", USER, PASSWORD)]
    assert len(relay.mails) == 1
    assert PASSWORD not in (tmp_path / "log").read_text()


def test_what_comes_from_the_future_is_put_aside_at_once(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    d = company.deployment
    with running("outreach", live(company.deployment, database, sink.port), tmp_path / "log"):
        d.publish(wrote(at=SystemClock().now() + 25 * HOUR))
        letters = wait_for(lambda: d.records(t.by_name("contacts-dlq")), "the dead letter")

    assert read_header(letters[0].headers, REASON) == "future"


def test_it_says_where_it_listens_and_what_it_knows(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    file = tmp_path / "address"
    settings = live(company.deployment, database, sink.port, CARE_OUTREACH_ADDRESS_FILE=str(file))
    with running("outreach", settings, tmp_path / "log"):
        wait_for(file.exists, "the address")
        address = file.read_text().strip()
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


MISSING = {
    "broker": "KAFKA_BOOTSTRAP_SERVERS",
    "database": "DATABASE_URL",
    "schema": "care db upgrade",
    "topics": "care topics apply",
    "partitions": "CARE_PARTITIONS=2",
}
"""What may be missing, and what is said then."""


@pytest.fixture(scope="module")
def without(
    kafka_bootstrap: str, database_url: str
) -> Iterator[dict[str, "subprocess.CompletedProcess[str]"]]:
    """How the service ended without each of them; all at once, as most of it is waiting."""
    name = f"t{uuid4().hex[:10]}"
    url = f"{database_url[: database_url.rindex('/')]}/{name}"
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "DATABASE_URL": url,
        "CARE_TOPIC_PREFIX": f"{name}-",
        "CARE_PARTITIONS": "2",
    }
    changes = {
        "broker": {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"},
        "database": {"DATABASE_URL": f"postgresql://care:s3cret@127.0.0.1:{free_port()}/care"},
        "schema": {"DATABASE_URL": database_url},
        "topics": {"CARE_TOPIC_PREFIX": f"{name}-none-"},
        "partitions": {"CARE_PARTITIONS": "3"},
    }
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        migrate.upgrade(url)
        apply_topics(kafka_bootstrap, partitions=2, prefix=f"{name}-")
        with ThreadPoolExecutor() as pool:
            ends = {
                missing: pool.submit(run_to_end, "outreach", {**settings, **change})
                for missing, change in changes.items()
            }
        yield {missing: end.result() for missing, end in ends.items()}
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("missing", MISSING)
def test_without_what_it_needs_it_says_what_to_do_and_leaves_with_75(
    without: dict[str, "subprocess.CompletedProcess[str]"], missing: str
) -> None:
    ended = without[missing]

    assert ended.returncode == 75, ended.stderr
    assert MISSING[missing] in ended.stderr.strip().splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert "s3cret" not in ended.stderr


def test_topics_made_anew_are_refused(company: Company, sink: Sink, database: str) -> None:
    former = {topic.name: FoundTopic(topic.name, 4, uuid4()) for topic in t.OUTSIDE}
    engine = open_engine(database)
    positions.check_topic_ids(engine, former)
    engine.dispose()

    ended = run_to_end("outreach", live(company.deployment, database, sink.port))

    assert ended.returncode == 75
    assert "made anew" in ended.stderr


def test_a_wrong_playbook_ends_the_start_with_its_name(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    settings = live(company.deployment, database, sink.port, CARE_OUTREACH_PLAYBOOKS=str(tmp_path))

    ended = run_to_end("outreach", settings)

    assert ended.returncode == 2
    assert "mine.yaml" in ended.stderr
