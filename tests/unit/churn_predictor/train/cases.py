"""Invented cases: a tiny shop in which late hand-overs and many items end badly."""

import random
from collections.abc import Sequence
from datetime import datetime

from services.churn_predictor.features import FEATURES
from services.churn_predictor.scoring import POINTS_OF
from services.churn_predictor.train.replay import Case, Outcome, Snapshot
from services.contracts.problems import DecisionPoint, RiskKind
from tests.factories import DAY, HOUR, START

POINTS = [point for point in DecisionPoint if point in POINTS_OF[RiskKind.COMPLAINT]]
UNTIL = START + 200 * DAY


def snapshot(point: DecisionPoint, at: datetime, **values: float | None) -> Snapshot:
    return Snapshot(point, at, dict.fromkeys(FEATURES, None) | values)


def case(
    number: int = 1,
    bought: datetime = START,
    *snapshots: Snapshot,
    delivered: datetime | None = None,
    outcome: Outcome | None = None,
) -> Case:
    return Case(f"sh-{number}", bought, bought + 10 * DAY, delivered, snapshots, outcome)


def shop(orders: int = 600, seed: int = 1) -> Sequence[Case]:
    """Return orders bought over a hundred days; half of them are looked at after the promise."""
    dice = random.Random(seed)
    found = []
    for number in range(orders):
        bought = START + number * 100 * DAY / orders
        items, late = float(dice.randint(1, 3)), dice.uniform(-3, 3)
        is_bad = dice.random() < (0.1 + 0.2 * (items - 1) + 0.3 * (late > 0))
        is_late = dice.random() < 0.5
        snapshots = [
            snapshot(DecisionPoint.APPROVAL, bought + HOUR, lines=items),
            snapshot(DecisionPoint.HANDOVER, bought + 2 * DAY, lines=items, days_past_ship_by=late),
        ]
        if is_late:
            after = bought + 11 * DAY
            snapshots.append(snapshot(DecisionPoint.AFTER_PROMISE, after, lines=items))
        arrived = bought + (15 if is_late else 5) * DAY
        told = Outcome(arrived + 2 * DAY, is_bad, asked_at=arrived + HOUR)
        found.append(case(number, bought, *snapshots, delivered=arrived, outcome=told))
    return found
