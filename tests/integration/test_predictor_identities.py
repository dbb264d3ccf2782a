"""Merged and erased customers on real Kafka: across partitions, whoever is killed, in either store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.churn_predictor import state as st
from services.churn_predictor.facts import Facts
from services.churn_predictor.learning import learn
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.people import CustomerErased, CustomerMerged
from tests.factories import DAY, HOUR, START, delivered, event, handed_over, placed, promised
from tests.support.service import run_to_end, running
from tests.support.topics import Deployment, by_customer

pytestmark = pytest.mark.connected

PEOPLE = 8
STEPS = 8
MERGED_AT, ERASED_AT = 3, 5
GONE = "p-0"
"""Merged like all others, and erased."""


def story(step: int) -> list[Event[Any]]:
    """Return what happens in one step: parcels come late; everybody has two ids until the third step."""
    at, told = START + step * 6 * HOUR, list[Event[Any]]()
    for n in range(PEOPLE):
        ids = (f"p-{n}", f"q-{n}")
        who: dict[str, Any] = {"customer": ids[step % 2], "at": at - HOUR}
        names: dict[str, Any] = {"shipment": f"sh-{n}-{step}", "order": f"o-{n}-{step}"}
        told += [placed(names["order"], event_id=f"a-{n}-{step}", **who)]
        told += [promised(**names, by=at + 3 * HOUR, event_id=f"b-{n}-{step}", **who)]
        told += [handed_over(**names, event_id=f"c-{n}-{step}", **who)]
        if step > MERGED_AT:
            names = {"shipment": f"sh-{n}-{step - 3}", "order": f"o-{n}-{step - 3}"}
            # The carrier still calls everybody by the old id.
            told += [delivered(**names, customer=ids[0], at=at, event_id=f"d-{n}-{step}")]
        if step == MERGED_AT:
            told += [event(CustomerMerged(into=ids[1]), customer=ids[0], at=at, event_id=f"m-{n}")]
    if step == ERASED_AT:
        told += [event(CustomerErased(), customer=GONE, at=at, event_id="x-0")]
    return told


def tell(
    deployment: Deployment, environments: list[dict[str, str]], logs: Path, kills: Mapping[int, int]
) -> None:
    """Tell the story to two workers; kill one of them in the middle of these steps."""
    with (
        running("churn_predictor", environments[0], logs / "0") as first,
        running("churn_predictor", environments[1], logs / "1") as second,
    ):
        deployment.await_barrier(deployment.tick(START))
        for step in range(1, STEPS + 2):
            deployment.publish(*(story(step) if step < STEPS else ()))
            number = deployment.tick(START + step * 6 * HOUR)
            if step in kills:
                killed = (first, second)[kills[step]]
                killed.kill()
                killed.restart()
            deployment.await_barrier(number)


def states(deployment: Deployment) -> dict[str, st.CustomerState]:
    """Return what the changelog has of every customer in the end."""
    latest = {r.key: r.value for r in deployment.records(t.FACTS_CHANGELOG)}
    return {
        key.decode(): st.CUSTOMER.validate_json(value)
        for key, value in latest.items()
        if value is not None and not key.startswith(st.INTERNAL)
    }


def expected() -> dict[str, Facts]:
    """Return what each survivor should know: all that was told of both ids, of one what came later."""
    known = {f"q-{n}": Facts() for n in range(PEOPLE)}
    for told in (each for step in range(1, STEPS) for each in story(step)):
        number = told.partitionkey.partition("-")[2]
        if number != "0" or told.time > START + ERASED_AT * 6 * HOUR:
            learn(known[f"q-{number}"], told)
    return known


def run(
    bootstrap: str, prefix: str, folder: Path, store: str, kills: Mapping[int, int]
) -> tuple[dict[str, st.CustomerState], dict[str, list[dict[str, Any]]]]:
    """Return the states and the problems by customer after the story in a deployment of its own."""
    deployment = Deployment(bootstrap, f"{prefix}{store}-")
    (folder / store).mkdir()
    (folder / "key").write_text("a secret that is long enough")
    environments = [
        {
            **deployment.environment(),
            "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6",
            "CARE_CHURN_PREDICTOR_STORE": store,
            "CARE_CHURN_PREDICTOR_FOLDER": str(folder / store / f"folder-{worker}"),
            "CARE_CHURN_PREDICTOR_SUPPRESSION_KEY_FILE": str(folder / "key"),
        }
        for worker in range(2)
    ]
    tell(deployment, environments, folder / store, kills)
    assert deployment.records(t.dead_letter(t.MOVES)) == []
    found = states(deployment), by_customer(deployment.values(t.PROBLEMS))
    deployment.close()
    return found


def test_survivors_know_what_one_id_would_whoever_is_killed_in_either_store(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    runs = [
        # Killed while everybody moves, and while what came late and the erasure follow them.
        run(kafka_bootstrap, topic_prefix, tmp_path, "memory", {MERGED_AT: 0, ERASED_AT + 1: 1}),
        run(kafka_bootstrap, topic_prefix, tmp_path, "rocksdb", {MERGED_AT + 1: 1, ERASED_AT: 0}),
    ]
    for known, problems in runs:
        assert {who: known[who].facts for who in expected()} == expected()
        assert all(known[f"p-{n}"].facts == Facts() for n in range(1, PEOPLE))
        opened: list[str] = [
            each["data"]["problem_id"]
            for told in problems.values()
            for each in told
            if each["type"] == "care.problem.opened.v1"
        ]
        assert len(opened) == len(set(opened)) > 4 * PEOPLE
        # One parcel's lateness was told of once, under whichever id it was known then.
        late = [
            each["data"]["subject"]
            for told in problems.values()
            for each in told
            if each["type"] == "care.problem.opened.v1" and each["data"]["kind"] == "delivery_delay"
        ]
        assert len(late) == len(set(late))
    assert runs[0][1] == runs[1][1]
    assert runs[0][0] == runs[1][0]


def test_another_key_than_that_of_before_is_refused(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    deployment = Deployment(kafka_bootstrap, topic_prefix)
    key = tmp_path / "key"
    environment = {
        **deployment.environment(),
        "CARE_CHURN_PREDICTOR_FOLDER": str(tmp_path / "folder"),
        "CARE_CHURN_PREDICTOR_SUPPRESSION_KEY_FILE": str(key),
    }
    key.write_text("a secret that is long enough")
    with running("churn_predictor", environment, tmp_path / "log"):
        deployment.publish(event(CustomerErased(), at=START - DAY))
        deployment.await_barrier(deployment.tick(START))
    key.write_text("a secret of somebody else altogether")
    ended = run_to_end("churn_predictor", environment)
    assert ended.returncode == 75
    assert "SUPPRESSION_KEY_FILE as it was then" in ended.stderr
    key.write_text("short")
    assert "fewer than 16" in run_to_end("churn_predictor", environment).stderr
    deployment.close()
