"""Why, asked on real Kafka about what the real predictor said."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import care
from services.contracts import ids
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.people import CustomerMerged
from services.kit.kafka_clients import partition_of
from tests.factories import (
    DAY,
    HOUR,
    START,
    delivered,
    event,
    handed_over,
    placed,
    promised,
    scanned,
)
from tests.support.service import running
from tests.support.topics import Deployment
from tests.unit.why.events import decided, sent

pytestmark = pytest.mark.connected

CUSTOMER = "c-7"
NUMBER = partition_of(CUSTOMER.encode(), 4)
NEIGHBOUR = next(
    name for name in (f"c-{n}" for n in range(100, 200)) if partition_of(name.encode(), 4) == NUMBER
)
"""Another customer in the same partition."""
PROMISE = START + 5 * DAY
PROBLEM = ids.problem_id(CUSTOMER, "sh-1", "delivery_delay", 1)


def story(day: int) -> list[Event[Any]]:
    """Return what happens on one day: two parcels come two days late, and the carrier tells of a third."""
    at = START + day * DAY - HOUR
    # Half an hour later: heard at a deadline itself, the feed would have to settle.
    told = [scanned("sh-x", "o-x", customer="c-x", at=at + HOUR / 2)]
    for who in (CUSTOMER, NEIGHBOUR):
        if day == 1:
            told += [placed(lines=3, sellers=2, customer=who, at=at)]
            told += [promised(by=PROMISE, ship_by=START + 2 * DAY, customer=who, at=at)]
            told += [handed_over(customer=who, at=START + 30 * DAY)]
        if day == 2:
            told += [handed_over(customer=who, at=at)]
        if day == 8:
            told += [delivered(customer=who, at=at)]
    return told


@pytest.fixture(scope="module")
def played(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A parcel that came two days late, told to a predictor that has left."""
    deployment = Deployment(kafka_bootstrap, f"w{uuid4().hex[:10]}-")
    environment = deployment.environment(CARE_CHURN_PREDICTOR_SESSION_SECONDS="6")
    log: Path = tmp_path_factory.mktemp("predictor") / "log"
    with running("churn_predictor", environment, log) as service:
        deployment.await_barrier(deployment.tick(START))
        for n in range(1, 9):
            deployment.publish(*story(n))
            deployment.await_barrier(deployment.tick(START + n * DAY))
        assert service.terminate() == 0
    deployment.publish(
        decided(PROBLEM, customer=CUSTOMER, at=PROMISE + HOUR),
        sent(PROBLEM, customer=CUSTOMER, at=PROMISE + 2 * HOUR),
    )
    yield deployment
    deployment.close()


def ask(deployment: Deployment, *words: str) -> Result:
    place = ["--bootstrap", deployment.bootstrap, "--prefix", deployment.prefix]
    return CliRunner().invoke(care, ["why", *words, *place, "--partitions", "4"], prog_name="care")


def test_what_the_predictor_said_is_made_again_and_told(played: Deployment) -> None:
    shown = ask(played, CUSTOMER)

    assert shown.exit_code == 0, shown.output
    assert shown.stdout.rstrip().endswith("assessments made again: same, byte for byte.")
    for said in (
        "Parcel sh-1 of order o-1 was promised for 6 January 2026, 00:00",
        "(set aside by churn-predictor: future)",
        "Problem opened: parcel sh-1 may miss its promise",
        "before: parcel sh-1 is past its promise",
        "Believed although no word came from the carrier dhl since",
        "Believed because word came from the scans of dhl on",
        "the order has 3 lines: +0.75",
        "Contacted, the channel took the message",
    ):
        assert said in shown.stdout


def test_only_this_customers_records_are_told(played: Deployment) -> None:
    told = json.loads(ask(played, CUSTOMER, "--json").stdout)

    assert told["customer"] == CUSTOMER
    assert NEIGHBOUR not in json.dumps(told)
    said = [v for v in played.values(t.ASSESSMENTS) if v["partitionkey"] == CUSTOMER]
    assert told["reruns"] == {"same": len(said), "differs": 0, "model_missing": 0}
    assert len(said) > 2


def test_a_record_somebody_tampered_with_is_found(played: Deployment) -> None:
    honest = next(r for r in played.records(t.ASSESSMENTS) if r.key == NEIGHBOUR.encode())
    lie = honest.value.replace(b'"band":"', b'"band":"low","was":"', 1)
    played.put(t.ASSESSMENTS, lie, NEIGHBOUR.encode(), partition=NUMBER)

    shown = ask(played, NEIGHBOUR)

    assert shown.exit_code == 1
    assert "DIFFERS from the record" in shown.stdout
    assert "data.was" in shown.stdout


def test_who_is_unknown_is_said_so(played: Deployment) -> None:
    shown = ask(played, "c-nobody")

    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "nothing is recorded about customer c-nobody" in shown.stderr


def test_missing_topics_end_with_75(kafka_bootstrap: str, topic_prefix: str) -> None:
    place = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "CARE_TOPIC_PREFIX": topic_prefix}
    command = [sys.executable, "-m", "services.cli", "why", CUSTOMER]
    done = subprocess.run(
        command, env=os.environ | place, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 75
    assert "topics are missing" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_who_was_merged_is_told_of_under_both_ids(played: Deployment) -> None:
    other = "c-merged"
    played.publish(
        event(CustomerMerged(into=CUSTOMER), customer=other, at=START),
        placed("o-of-before", customer=other, at=START - DAY),
    )

    for who in (CUSTOMER, other):
        shown = ask(played, who)
        assert shown.exit_code == 0, shown.output
        assert f"The customer turned out to be {CUSTOMER}" in shown.stdout
        assert "rder o-of-before was placed" in shown.stdout
        assert "parcel sh-1 may miss its promise" in shown.stdout
