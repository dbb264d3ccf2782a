"""Whatever changes in a model's file, its version changes too."""

from datetime import date
from typing import Any

import pytest

from services.churn_predictor.scoring import Bands, Link
from services.churn_predictor.train.version import versioned
from services.contracts.problems import DecisionPoint
from tests.unit.churn_predictor.stream import RULES

UNTIL = date(2026, 3, 1)
LAPSE = RULES.lapse.card
SILENCE = LAPSE.points[DecisionPoint.SILENCE]


def version(**changes: Any) -> str:
    return versioned(LAPSE.model_copy(update=changes), UNTIL).version


def at_silence(**changes: Any) -> dict[DecisionPoint, Any]:
    return {DecisionPoint.SILENCE: SILENCE.model_copy(update=changes)}


@pytest.mark.parametrize(
    "changes",
    [
        {"bands": Bands(elevated=0.7, high=0.85, hysteresis=0.04)},
        {"horizon_days": 85},
        {"expected_purchases": None},
        {"points": at_silence(link=Link.LOG)},
        {"points": at_silence(intercept=0.5)},
        {"points": at_silence(tables=SILENCE.tables[1:])},
        {"metrics": {"roc_auc": 0.5}},
    ],
    ids="-".join,
)
def test_a_change_is_another_version(changes: dict[str, Any]) -> None:
    assert version(**changes) != version()


def test_the_version_begins_with_the_day_and_does_not_hang_on_the_one_before() -> None:
    assert version(version="whatever") == version()
    assert version().startswith("2026-03-01-")
    assert versioned(LAPSE, date(2026, 3, 2)).version != version()
