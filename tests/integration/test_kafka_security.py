"""Kafka as in production: TLS, passwords, certificates, and exactly the permissions that are shipped."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from services.contracts import topics as t
from services.contracts.access import SERVICES, Grant
from services.contracts.envelope import STRUCTURED
from services.contracts.purchases import PaymentFailed, PaymentFailure
from services.kit.clock import SystemClock
from tests.factories import event
from tests.integration.test_outreach_webhook import hooked
from tests.integration.test_trace import PLAYBOOK
from tests.support import receiver
from tests.support.door import open_door
from tests.support.mail import Sink
from tests.support.outreach import here, live, states
from tests.support.secured_kafka import SecuredKafka, secured
from tests.support.service import run_to_end, running
from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """A Kafka where nothing is allowed that is not granted."""
    with secured(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def deployment(
    kafka: SecuredKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """Topics of the test's own there; the test itself may do everything."""
    for name, value in kafka.environment().items():
        monkeypatch.setenv(name, value)
    made = Deployment(kafka.bootstrap, topic_prefix)
    yield made
    made.close()


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
            tell(door, number)

        wait_for(lambda: states(database) == {"sent": 1}, "the webhook")
        metrics = wait_for(lambda: address(tmp_path / "metrics"), "metrics to listen")
        wait_for(lambda: counts_it(metrics), "the contact to be counted")


def tell(door: str, number: int) -> None:
    """Tell by the door that a payment for the same order failed."""
    failed = PaymentFailed(payment_id=f"p-{number}", reason=PaymentFailure.DECLINED, order_id="o-1")
    told = event(failed, at=SystemClock().now(), customer="c-1", event_id=f"failed-{number}")
    headers = {"content-type": STRUCTURED}
    answer = httpx.post(f"{door}/v1/events", content=told.encode(), headers=headers)
    assert answer.status_code == 202, answer.text


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
