"""Merged and erased customers on real Kafka: across partitions, whoever is killed, in either store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.churn_predictor import state as st
from services.churn_predictor.app import suppression
from services.churn_predictor.facts import Facts
from services.churn_predictor.learning import learn
from services.churn_predictor.settings import Settings
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.people import CustomerErased, CustomerMerged
from services.contracts.problems import ProblemKind
from services.kit.exits import Unavailable
from tests.factories import HOUR, START, delivered, event, handed_over, placed, promised
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


def environments(deployment: Deployment, folder: Path) -> list[dict[str, str]]:
    """Return those of two workers, one with its store in memory and one with it on disk."""
    (folder / "key").write_text("a secret that is as long as it has to be")
    return [
        {
            **deployment.environment(),
            "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6",
            "CARE_CHURN_PREDICTOR_STORE": store,
            "CARE_CHURN_PREDICTOR_FOLDER": str(folder / store),
            "CARE_CHURN_PREDICTOR_SUPPRESSION_KEY_FILE": str(folder / "key"),
        }
        for store in ("memory", "rocksdb")
    ]


def test_survivors_know_what_one_id_would_whoever_is_killed_in_either_store(
    deployment: Deployment, tmp_path: Path
) -> None:
    workers = environments(deployment, tmp_path)
    # Killed while everybody moves, and while what came late and the erasure follow them.
    tell(deployment, workers, tmp_path, {MERGED_AT: 0, ERASED_AT: 1})

    known = states(deployment)
    assert {who: known[who].facts for who in expected()} == expected()
    assert all(known[f"p-{n}"].facts == Facts() for n in range(1, PEOPLE))
    assert GONE not in known or known[GONE].facts == Facts()
    opened = [
        each["data"]
        for told in by_customer(deployment.values(t.PROBLEMS)).values()
        for each in told
        if each["type"] == "care.problem.opened.v1"
    ]
    ids = [problem["problem_id"] for problem in opened]
    assert len(ids) == len(set(ids)) > 4 * PEOPLE
    # One parcel's lateness was told of once, under whichever id it was known then.
    late = [p["subject"] for p in opened if p["kind"] == ProblemKind.DELIVERY_DELAY]
    assert len(late) == len(set(late))
    assert deployment.records(t.dead_letter(t.MOVES)) == []

    (tmp_path / "key").write_text("a secret of somebody else altogether, as long as it has to be")
    ended = run_to_end("churn_predictor", workers[0])
    assert ended.returncode == 75
    assert "SUPPRESSION_KEY_FILE as it was then" in ended.stderr


def test_a_key_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("short")
    settings = Settings(
        kafka_bootstrap_servers="127.0.0.1:1", suppression_key_file=tmp_path / "key"
    )

    with pytest.raises(Unavailable, match="each of 32 characters or more"):
        suppression(settings)
