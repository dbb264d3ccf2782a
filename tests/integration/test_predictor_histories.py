"""Histories on real Kafka: an order carries its seller's past, as training sees it, whoever is killed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.churn_predictor.features import Values
from services.churn_predictor.settings import Settings
from services.churn_predictor.train.replay import replay
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.problems import DecisionPoint
from services.contracts.tolerances import Tolerances
from services.kit.clock import SystemClock
from tests.factories import DAY, HOUR, START, delivered, handed_over, placed, promised
from tests.support.service import running
from tests.support.topics import Deployment, by_customer, wait_for
from tests.unit.churn_predictor.happenings import answered, approved

pytestmark = pytest.mark.connected

BUYERS = 24
STEPS = 12
LOOKED_AT = ("seller_bad_rate", "seller_late_rate", "slack_after_transit_days")
"""What the model of this test looks at beside what the shipped one does; all of it from histories."""


def story(step: int) -> list[Event[Any]]:
    """Return what happens in one step of six hours: later buyers buy what earlier ones complained of."""
    at, told = START + step * 6 * HOUR, list[Event[Any]]()
    for n in range(BUYERS):
        who: dict[str, Any] = {"customer": f"c-{n}", "at": at - HOUR}
        names: dict[str, Any] = {"shipment": f"sh-{n}", "order": f"o-{n}"}
        begins = 1 + n % 6
        if step == begins:
            told += [placed(f"o-{n}", lines=1 + n % 3, event_id=f"p-{n}", **who)]
            told += [
                promised(**names, by=at + 9 * DAY, ship_by=at + 4 * HOUR, event_id=f"s-{n}", **who)
            ]
            told += [approved(f"o-{n}", event_id=f"a-{n}", **who)]
        if step == begins + 1:
            told += [handed_over(**names, event_id=f"h-{n}", **who)]
        if step == begins + 2:
            told += [delivered(**names, event_id=f"d-{n}", **who)]
            told += [answered(1 + n % 5, survey=f"v-{n}", order=f"o-{n}", event_id=f"v-{n}", **who)]
    return told


def model(folder: Path) -> Path:
    """Write the shipped model, looking at histories too wherever something happens."""
    shipped = json.loads(Settings.model_fields["model"].default.read_bytes())
    for point in ("approval", "handover", "delivery"):
        tables = shipped["points"][point]["tables"]
        tables += [{"feature": f, "edges": [0.2], "points": [0.0, 1.0]} for f in LOOKED_AT]
    path = folder / "model.json"
    path.write_text(json.dumps(shipped))
    return path


def tell(
    deployment: Deployment, environments: list[dict[str, str]], logs: Path, kills: Mapping[int, int]
) -> dict[str, Any]:
    """Tell the story to two workers; kill one of them in the middle of these steps; return what was said."""
    with (
        running("churn_predictor", environments[0], logs / "0") as first,
        running("churn_predictor", environments[1], logs / "1") as second,
    ):
        deployment.await_barrier(deployment.tick(START))
        for step in range(1, STEPS):
            deployment.publish(*story(step))
            number = deployment.tick(START + step * 6 * HOUR)
            if step in kills:
                killed = (first, second)[kills[step]]
                killed.kill()
                killed.restart()
            deployment.await_barrier(number)
    return {
        "assessments": by_customer(deployment.values(t.ASSESSMENTS)),
        "problems": by_customer(deployment.values(t.PROBLEMS)),
    }


def test_orders_carry_what_training_sees_and_kills_change_nothing(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    found = []
    for run, kills in (("calm", {}), ("killed", {3: 0, 5: 1})):
        deployment = Deployment(kafka_bootstrap, f"{topic_prefix}{run}-")
        logs = tmp_path / run
        logs.mkdir()
        environments = [
            {
                **deployment.environment(),
                "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6",
                "CARE_CHURN_PREDICTOR_FOLDER": str(logs / f"folder-{worker}"),
                "CARE_CHURN_PREDICTOR_MODEL": str(model(tmp_path)),
            }
            for worker in range(2)
        ]
        found.append(tell(deployment, environments, logs, kills))
        assert deployment.records(t.dead_letter(t.HISTORIES)) == []
        deployment.close()
    calm, killed = found

    assert killed["assessments"] == calm["assessments"]
    assert killed["problems"] == calm["problems"]
    assert len(trained()) == 3 * BUYERS
    assert streamed(calm["assessments"]) == trained()
    # Somebody's seller had a past by then.
    assert max(values["seller_bad_rate"] or 0.0 for values in trained().values()) > 0.2


def test_by_the_machines_clock_an_order_is_scored_with_its_sellers_past_within_seconds(
    deployment: Deployment, tmp_path: Path
) -> None:
    environment = {
        **deployment.environment(CARE_CLOCK="system"),
        "CARE_CHURN_PREDICTOR_FOLDER": str(tmp_path / "folder"),
        "CARE_CHURN_PREDICTOR_MODEL": str(model(tmp_path)),
    }
    with running("churn_predictor", environment, tmp_path / "log"):
        wait_for(lambda: deployment.values(t.FEEDS), "a first tick")
        now = SystemClock().now()
        for n in range(2):
            who: dict[str, Any] = {"customer": f"c-{n}", "at": now}
            deployment.publish(
                placed(f"o-{n}", **who), promised(f"sh-{n}", f"o-{n}", by=now + 9 * DAY, **who)
            )
        deployment.publish(answered(1, survey="v-0", order="o-0", customer="c-0", at=now))
        wait_for(lambda: deployment.records(t.HISTORIES), "the bad review to be told")
        deployment.publish(approved("o-1", customer="c-1", at=SystemClock().now()))
        wait_for(lambda: streamed(by_customer(deployment.values(t.ASSESSMENTS))), "the score")

    ((name, values),) = streamed(by_customer(deployment.values(t.ASSESSMENTS))).items()
    assert name == ("sh-1", "approval")
    # One bad review of one, beside twenty usual ones; and of the shop, of which it is the only one too.
    assert values["seller_bad_rate"] == pytest.approx(
        (1 + 20 * (1 + 20 * 0.15) / 21) / 21, rel=1e-3
    )


def streamed(assessments: Mapping[str, list[dict[str, Any]]]) -> dict[tuple[str, str], Values]:
    """Return (shipment, decision point) → the values that its score rests on, where events brought it."""
    return {
        (data["subject"], data["decision_point"]): {
            part["feature"]: part["value"]
            for part in data["contributions"]
            if part["feature"] in LOOKED_AT
        }
        for told in assessments.values()
        for data in (each["data"] for each in told)
        if data["decision_point"] in ("approval", "handover", "delivery")
    }


def trained() -> dict[tuple[str, str], Values]:
    """Return the same as training computes it from the recorded story."""
    events = [event for step in range(1, STEPS) for event in story(step)]
    return {
        (case.shipment_id, snapshot.point.value): {
            name: value for name, value in snapshot.values.items() if name in LOOKED_AT
        }
        for case in replay(events, Tolerances())
        for snapshot in case.snapshots
        if snapshot.point
        in (DecisionPoint.APPROVAL, DecisionPoint.HANDOVER, DecisionPoint.DELIVERY)
    }
