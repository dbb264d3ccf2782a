"""Kafka as in production: TLS, passwords, certificates, and exactly the permissions that are shipped."""

import asyncio
import os
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
import trustme
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from click.testing import CliRunner
from confluent_kafka import KafkaException, Producer
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from kafka import KafkaConsumer

from services.cli.__main__ import care
from services.contracts import topics as t
from services.contracts.access import (
    SERVICES,
    Grant,
    Operation,
)
from services.contracts.envelope import STRUCTURED
from services.contracts.purchases import PaymentFailed, PaymentFailure
from services.kit import kafka_security
from services.kit.clock import SystemClock
from services.kit.exits import Unavailable
from services.kit.kafka_clients import open_consumer
from services.kit.watchdog import broker_answers
from tests.factories import event
from tests.integration.test_outreach_webhook import hooked
from tests.integration.test_trace import PLAYBOOK
from tests.support import receiver
from tests.support.door import open_door
from tests.support.mail import Sink
from tests.support.outreach import here, live, states
from tests.support.secured_kafka import SecuredKafka, secured, tell_this_process
from tests.support.service import run_to_end, running
from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected


@pytest.fixture
def deployment(secured_deployment: Deployment) -> Deployment:
    """Topics of the test's own there; the test itself may do everything."""
    return secured_deployment


def test_the_story_runs_with_exactly_what_is_granted(
    kafka: SecuredKafka, deployment: Deployment, database: str, sink: Sink, tmp_path: Path
) -> None:
    prefix = deployment.prefix
    with ExitStack() as stack:
        hook = stack.enter_context(receiver.receiving())
        hooks = hooked(tmp_path, f"http://127.0.0.1:{hook.port}/hook")
        (tmp_path / "playbooks" / "delivery_late.yaml").write_text(PLAYBOOK)
        told = {
            service: {
                **live(deployment, database, sink.port, **hooks),
                "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6",
                "CARE_CHURN_PREDICTOR_FOLDER": str(tmp_path / "folder"),
                "CARE_METRICS_ADDRESS_FILE": str(tmp_path / "metrics"),
                "CARE_METRICS_LAG_INTERVAL_SECONDS": "0.2",
                **kafka.admit(service, prefix),
            }
            for service in SERVICES
        }
        for service in ("churn_predictor", "outreach", "metrics"):
            stack.enter_context(running(service, told[service], tmp_path / f"{service}.log"))
        _, door = stack.enter_context(open_door(told["ingest"], tmp_path))
        deployment.publish(here("c-1"))
        wait_for(lambda: deployment.values(t.ACCOUNTS), "the first tick")
        for number in (1, 2):
            assert tell(door, number) == 202

        wait_for(lambda: states(database) == {"sent": 1}, "the webhook")
        metrics = wait_for(lambda: address(tmp_path / "metrics"), "metrics to listen")
        wait_for(lambda: counts_it(metrics), "the contact to be counted")


def tell(door: str, number: int) -> int:
    """Tell by the door that a payment for the same order failed; return the answer's status."""
    failed = PaymentFailed(payment_id=f"p-{number}", reason=PaymentFailure.DECLINED, order_id="o-1")
    told = event(failed, at=SystemClock().now(), customer="c-1", event_id=f"failed-{number}")
    headers = {"content-type": STRUCTURED}
    answer = httpx.post(f"{door}/v1/events", content=told.encode(), headers=headers, timeout=30)
    return answer.status_code


def address(file: Path) -> str:
    """Return what was written there, if anything."""
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""


def counts_it(metrics: str) -> bool:
    """Whether the contact is counted, and the others' lag is known."""
    told = httpx.get(f"{metrics}/metrics").text
    lines = [line for line in told.splitlines() if not line.startswith("#")]
    lag = any(line.startswith("care_lag") and 'service="outreach"' in line for line in lines)
    sent = [line for line in lines if line.startswith("care_") and 'outcome="sent"' in line]
    return lag and any(float(line.rpartition(" ")[2]) == 1 for line in sent)


@pytest.mark.parametrize(
    ("service", "lacking"),
    [
        ("ingest", "Write topic purchases"),
        ("churn_predictor", "Read topic churn-predictor-facts-changelog"),
        ("churn_predictor", "Write transactionalId churn-predictor-*"),
        ("outreach", "Write topic outreach"),
        ("outreach", "Read group outreach"),
        ("metrics", "Describe group churn-predictor"),
        ("metrics", "Write transactionalId metrics"),
    ],
)
def test_a_service_names_what_it_lacks(
    service: str,
    lacking: str,
    kafka: SecuredKafka,
    deployment: Deployment,
    database: str,
    tmp_path: Path,
) -> None:
    operation, resource, name = lacking.split()
    told = f"{operation} {resource} {deployment.prefix}{name}"

    def is_it(grant: Grant) -> bool:
        its = f"{grant.resource} {grant.name}{'*' if grant.is_prefix else ''}"
        return told == f"{operation} {its}"

    mine = kafka.admit(service, deployment.prefix, but=is_it)
    own = {
        "CARE_INGEST_AUTHENTICATION": "none",
        "CARE_CHURN_PREDICTOR_FOLDER": str(tmp_path),
    }
    ended = run_to_end(service, {**live(deployment, database, 1), **own, **mine})

    assert ended.returncode == 75, ended.stderr
    assert told in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("service", "at_work", "operation", "topic"),
    [
        ("churn_predictor", "partition_owned", Operation.READ, t.PURCHASES),
        ("churn_predictor", "partition_owned", Operation.WRITE, t.FACTS_CHANGELOG),
        ("outreach", "outreach_assigned", Operation.READ, t.CONTACTS),
        ("metrics", "caught_up", Operation.READ, t.PURCHASES),
    ],
)
def test_what_is_taken_away_from_a_service_at_work_ends_it_by_name(
    service: str,
    at_work: str,
    operation: Operation,
    topic: t.Topic,
    kafka: SecuredKafka,
    deployment: Deployment,
    database: str,
    tmp_path: Path,
) -> None:
    mine = kafka.admit(service, deployment.prefix)
    own = {"CARE_CHURN_PREDICTOR_FOLDER": str(tmp_path)}
    told = {**live(deployment, database, 1), **own, **mine}
    with running(service, told, tmp_path / "log") as process:
        wait_for(lambda: f'"event": "{at_work}"' in process.output(), f"{service} to work")
        if service == "churn_predictor":
            wait_for(lambda: deployment.values(t.ACCOUNTS), "its first tick")

        kafka.revoke(mine["KAFKA_SASL_USERNAME"], operation, topic.physical(deployment.prefix))

        assert process.process.wait(60) == 75, process.output()
        last = process.output().strip().splitlines()[-1]
        assert f"Kafka user {mine['KAFKA_SASL_USERNAME']} may not" in last
        assert "grant it; `care topics acls` prints" in last
        # Of a transaction the broker says no more than that a topic of it is refused.
        assert topic.physical(deployment.prefix) in last or topic is t.FACTS_CHANGELOG


def test_the_door_accepts_nothing_that_it_may_no_longer_write(
    kafka: SecuredKafka, deployment: Deployment, tmp_path: Path
) -> None:
    mine = kafka.admit("ingest", deployment.prefix)
    told = deployment.environment(CARE_CLOCK="system", **mine)
    with open_door(told, tmp_path) as (_, door):
        assert tell(door, 1) == 202
        topic = t.PURCHASES.physical(deployment.prefix)
        kafka.revoke(mine["KAFKA_SASL_USERNAME"], Operation.WRITE, topic)

        assert tell(door, 2) == 503


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_does_not_speak_to_kafka_in_the_clear_in_production(service: str) -> None:
    told = {"CARE_DEPLOYMENT": "production", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    ended = run_to_end(service, {**told, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})

    assert ended.returncode == 2, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "KAFKA_SECURITY_PROTOCOL: PLAINTEXT is refused in production: set SASL_SSL" in line
    assert "CARE_DEPLOYMENT=dev" in line


def test_nor_does_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARE_DEPLOYMENT", "production")
    for words in (("topics", "list"), ("verify",), ("why", "c-1")):
        ended = CliRunner().invoke(care, [*words, "--bootstrap", "127.0.0.1:1"])

        assert ended.exit_code == 2, (words, ended.output)
        assert "KAFKA_SECURITY_PROTOCOL: PLAINTEXT is refused in production" in ended.output


async def faust_reaches(bootstrap: str) -> bool:
    """Whether Faust's client gets in by what Faust is told."""
    auth = credentials_to_aiokafka_auth(kafka_security.faust_credentials())
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000, **auth)
    try:
        await client.bootstrap()
    except KafkaConnectionError:
        return False
    finally:
        await client.close()
    return True


def who_gets_in(bootstrap: str) -> set[str]:
    """Return which of the three client libraries get in by the settings in force."""
    found = {"librdkafka"} if broker_answers(bootstrap) else set()
    with suppress(Unavailable):
        open_consumer(bootstrap).close()
        found.add("kafka-python")
    if asyncio.run(faust_reaches(bootstrap)):
        found.add("aiokafka")
    return found


EVERYBODY = {"librdkafka", "kafka-python", "aiokafka"}


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256"])
def test_a_password_gets_every_client_in_and_another_none(
    mechanism: str, kafka: SecuredKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.add_user(mechanism, "right", mechanism)
    tell_this_process(kafka.environment(mechanism, "right"), monkeypatch)
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", mechanism)

    assert who_gets_in(kafka.bootstrap) == EVERYBODY
    kafka.add_user(mechanism, "changed", mechanism)
    assert who_gets_in(kafka.bootstrap) == set()
    # Read again: this process was told nothing but the file's name.
    Path(os.environ["KAFKA_SASL_PASSWORD_FILE"]).write_text("changed\n")
    assert who_gets_in(kafka.bootstrap) == EVERYBODY


def test_who_is_not_let_in_is_named(kafka: SecuredKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    tell_this_process(kafka.environment("stranger", "secret-word"), monkeypatch)

    with pytest.raises(
        Unavailable, match="does not take the password of Kafka user stranger"
    ) as told:
        open_consumer(kafka.bootstrap)
    assert "secret-word" not in str(told.value)


def test_clients_made_before_a_password_changed_show_the_new_one(
    kafka: SecuredKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.add_user("rotated", "new")
    tell_this_process(kafka.environment("rotated", "old"), monkeypatch)
    settings = kafka_security.kafka_python(kafka.bootstrap)
    renewal = kafka_security.Renewal()
    producer = Producer({**kafka_security.librdkafka(kafka.bootstrap), "log_level": 0})
    with pytest.raises(KafkaException):
        producer.list_topics(timeout=1)

    Path(os.environ["KAFKA_SASL_PASSWORD_FILE"]).write_text("new")
    renewal.give(producer)

    producer.list_topics(timeout=20)
    KafkaConsumer(**settings).close()


def test_while_an_authority_is_exchanged_a_file_with_both_gets_everybody_in(
    kafka: SecuredKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_this_process(kafka.environment(), monkeypatch)
    another = trustme.CA().cert_pem.bytes()
    file = tmp_path / "both.pem"
    monkeypatch.setenv("KAFKA_SSL_CA_FILE", str(file))

    file.write_bytes(another + kafka.broker.authority.cert_pem.bytes())
    assert who_gets_in(kafka.bootstrap) == EVERYBODY
    file.write_bytes(another)
    assert who_gets_in(kafka.bootstrap) == set()


def test_another_hosts_certificate_is_refused_by_every_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with secured(tmp_path, host="kafka.example") as elsewhere:
        tell_this_process(elsewhere.environment(), monkeypatch)

        assert who_gets_in(elsewhere.bootstrap) == set()


def test_a_certificate_gets_every_client_in_and_none_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with secured(tmp_path, "SSL") as found:
        tell_this_process(found.environment(), monkeypatch)
        assert who_gets_in(found.bootstrap) == EVERYBODY

        for name in ("KAFKA_SSL_CERTIFICATE_FILE", "KAFKA_SSL_KEY_FILE"):
            monkeypatch.delenv(name)
        assert who_gets_in(found.bootstrap) == set()
