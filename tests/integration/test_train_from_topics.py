"""Models fitted to what lies on the topics of a real Kafka are those of the same events, told directly."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from services.churn_predictor.rhythm import Purchase
from services.churn_predictor.scoring import read_scorecard
from services.churn_predictor.train.fitting import Effort
from services.churn_predictor.train.lapse import train_lapse
from services.churn_predictor.train.purchases import Purchases
from services.churn_predictor.train.replay import replay
from services.churn_predictor.train.training import to_text, train
from services.churn_predictor.train.version import versioned
from services.cli.__main__ import care
from services.contracts import topics as t
from services.contracts.contacts import SurveyAnswered, SurveyKind, SurveySent
from services.contracts.envelope import Event
from services.contracts.purchases import OrderApproved
from services.contracts.tolerances import Tolerances
from tests.factories import (
    DAY,
    HOUR,
    START,
    cancelled,
    delivered,
    event,
    handed_over,
    placed,
    promised,
)
from tests.support.topics import Deployment

pytestmark = pytest.mark.connected

CUSTOMERS = 130
DAYS = 110
UNTIL = START + 100 * DAY
HORIZON = 21
ROUNDS = 20


def order(name: str, who: str, at: Any, dice: Random) -> list[Event[Any]]:
    """Return an order; many items and late deliveries end badly, and one of ten is cancelled."""
    ids, lines, is_late = (f"sh-{name}", f"o-{name}"), dice.randint(1, 3), dice.random() < 0.3
    arrived = at + (14 if is_late else 5) * DAY
    bought = [
        placed(ids[1], lines, customer=who, at=at),
        promised(*ids, by=at + 9 * DAY, ship_by=at + 3 * DAY, customer=who, at=at),
    ]
    if dice.random() < 0.1:
        return [*bought, cancelled(ids[1], customer=who, at=at + HOUR)]
    is_bad = dice.random() < 0.1 + 0.2 * (lines - 1) + 0.4 * is_late
    survey: dict[str, Any] = {"survey_id": f"y-{name}", "order_id": ids[1]}
    asked = SurveySent(kind=SurveyKind.CSAT, **survey)
    answer = SurveyAnswered(kind=SurveyKind.CSAT, score=1 if is_bad else 5, **survey)
    return [
        *bought,
        event(OrderApproved(order_id=ids[1]), customer=who, at=at + HOUR),
        handed_over(*ids, customer=who, at=at + (6 if is_late else 2) * DAY),
        delivered(*ids, customer=who, at=arrived),
        event(asked, customer=who, at=arrived + HOUR),
        event(answer, customer=who, at=arrived + DAY),
    ]


def shop() -> list[Event[Any]]:
    """Return what happens in a shop whose customers each buy at a pace of their own."""
    dice, told = Random(3), []
    for customer in range(CUSTOMERS):
        day, gap, number = dice.uniform(0, 30), dice.uniform(5, 60), 0
        while day < DAYS:
            at = START + timedelta(seconds=int(day * 86_400))
            told += order(f"{customer}-{number}", f"somebody-{customer}", at, dice)
            day, number = day + dice.expovariate(1 / gap), number + 1
    return told


EVENTS = shop()


@pytest.fixture(scope="module")
def played(kafka_bootstrap: str) -> Iterator[Deployment]:
    """The shop on the topics, in no order, with repeats and what nobody can read."""
    deployment = Deployment(kafka_bootstrap, f"tr{uuid4().hex[:10]}-")
    mixed = EVENTS + EVENTS[:50]
    Random(5).shuffle(mixed)
    deployment.publish(*mixed)
    deployment.tick(START + (DAYS + 20) * DAY)
    deployment.publish(placed("o-far", customer="somebody-0", at=START + 500 * DAY))
    deployment.put(t.PURCHASES, b"{", b"somebody-0")
    yield deployment
    deployment.close()


def run(deployment: Deployment, *words: object) -> Result:
    place = ("--bootstrap", deployment.bootstrap, "--prefix", deployment.prefix)
    told = [str(word) for word in (*words, *place, "--partitions", deployment.partitions)]
    return CliRunner().invoke(care, told, prog_name="care")


def names_nobody(text: str) -> bool:
    return not any(name in text for name in ("somebody", "o-1-", "sh-1-", "y-1-"))


def quietly(_: str) -> None:
    """Say nothing."""


def test_complaint_risk_is_what_the_same_events_teach_directly(
    played: Deployment, tmp_path: Path
) -> None:
    out = tmp_path / "complaint.json"
    words = ("--until", UNTIL.date(), "--out", out, "--rounds", ROUNDS)
    done = run(played, "train", "--topics", "complaint", *words)
    assert done.exit_code == 0, done.output

    written = read_scorecard(out.read_bytes())
    cases = replay(EVENTS, Tolerances())
    direct = train(cases, UNTIL, written.provenance, Effort(max_rounds=ROUNDS), quietly)
    assert out.read_text() == to_text(direct)
    assert any(sheet.tables for sheet in written.points.values())
    assert "the events on a deployment's own topics" in written.provenance
    assert written.span is not None
    assert written.span.until == UNTIL.date()
    assert names_nobody(out.read_text())
    counts = f"{len(EVENTS):,} events read; 2 unreadable and 50 repeated ones passed over"
    assert counts in done.stderr

    shown = run(
        played,
        "evaluate",
        "--topics",
        "complaint",
        "--model",
        out,
        "--from",
        UNTIL.date(),
        "--json",
    )
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)["calibration"]["points"]
    assert told["approval"]["scores"] > 10


def bought(events: Sequence[Event[Any]]) -> Purchases:
    """Return what was bought, found in another way than the product finds it."""
    gone = {e.data.order_id for e in events if e.type.startswith("care.order.cancelled")}
    found: dict[str, list[Purchase]] = {}
    orders = [e for e in events if e.type.startswith("care.order.placed")]
    for each in sorted(orders, key=lambda e: (e.partitionkey, e.time)):
        if each.data.order_id not in gone:
            spent = sum(line.price_minor for line in each.data.lines)
            found.setdefault(each.partitionkey, []).append(Purchase(each.time, float(spent)))
    return Purchases(found, rows=len(orders), returns=len(gone))


def test_lapse_risk_is_what_the_same_purchases_teach_directly(
    played: Deployment, tmp_path: Path
) -> None:
    out = tmp_path / "lapse.json"
    words = ("--until", UNTIL.date(), "--horizon", HORIZON, "--out", out)
    done = run(played, "train", "--topics", "lapse", *words)
    assert done.exit_code == 0, done.output

    written = read_scorecard(out.read_bytes())
    models = Path(__file__).parents[2] / "services" / "churn_predictor" / "models"
    judged = read_scorecard((models / "lapse-risk.json").read_bytes())
    direct = train_lapse(bought(EVENTS), judged, UNTIL.date(), HORIZON)
    told = "Fitted by `care train` to the events on a deployment's own topics. "
    assert written.provenance == told + direct.provenance
    renamed = direct.model_copy(update={"provenance": written.provenance})
    assert written == versioned(renamed, UNTIL.date())
    assert names_nobody(out.read_text())


def test_no_broker_ends_with_75_and_one_line(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "services.cli",
        "train",
        "--topics",
        "lapse",
        "--out",
        str(tmp_path / "m"),
    ]
    done = subprocess.run(
        command,
        env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 75
    assert "Kafka does not answer at 127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
