"""How scores are judged: only by what could have been used, and to the customer's word."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from services.churn_predictor.train.measures import (
    Judged,
    after_promise,
    alerts,
    at_threshold,
    by,
    calibration,
    evaluation,
    judge,
    threshold_for,
    useful_scores,
    with_interval,
)
from services.churn_predictor.train.replay import Outcome
from services.contracts.problems import DecisionPoint as Point
from tests.factories import DAY, HOUR, START
from tests.unit.churn_predictor.stream import CARD
from tests.unit.churn_predictor.train.cases import case, snapshot


def order(*scores: float, is_bad: bool = True, word: timedelta = 9 * DAY) -> Judged:
    return Judged(
        tuple((START + n * DAY, Point.APPROVAL, p) for n, p in enumerate(scores)),
        Outcome(START + word, is_bad),
    )


@pytest.mark.parametrize(
    ("delivered", "asked", "points"),
    [
        (START + 2 * DAY, START + 9 * DAY, [Point.APPROVAL]),
        (START + 9 * DAY, START + 2 * DAY, [Point.APPROVAL]),
        (None, None, [Point.APPROVAL, Point.HANDOVER]),
    ],
)
def test_a_score_after_delivery_or_survey_is_of_no_use(
    delivered: datetime | None, asked: datetime | None, points: list[Point]
) -> None:
    looked = (snapshot(Point.APPROVAL, START), snapshot(Point.HANDOVER, START + 2 * DAY))
    word = None if asked is None else Outcome(START + 20 * DAY, True, asked)
    found = useful_scores(case(1, START, *looked, delivered=delivered, outcome=word), by(CARD))

    assert [point for _, point, _ in found] == points


def test_without_a_survey_the_word_itself_ends_what_is_of_use() -> None:
    looked = (snapshot(Point.APPROVAL, START), snapshot(Point.HANDOVER, START + 2 * DAY))
    spoke = Outcome(START + DAY, True)

    assert len(useful_scores(case(1, START, *looked, outcome=spoke), by(CARD))) == 1


def test_orders_without_a_word_are_not_judged() -> None:
    assert judge([case(1, START)], by(CARD)) == ()


def test_the_first_score_that_reaches_the_threshold_alerts() -> None:
    found = alerts([order(0.2, 0.6, 0.9), order(0.1), order(0.5, is_bad=False)], at_threshold(0.5))

    assert found == {
        "flagged": 2 / 3,
        "precision": 0.5,
        "recall": 0.5,
        "lead_hours_p50": 8 * 24.0,
        "lead_hours_p10": 8 * 24.0,
    }


def test_where_nothing_is_flagged_there_is_no_precision() -> None:
    found = alerts([order(0.2, is_bad=False)], at_threshold(0.5))

    assert found == {
        "flagged": 0.0,
        "precision": None,
        "recall": None,
        "lead_hours_p50": None,
        "lead_hours_p10": None,
    }


def test_the_rule_alerts_a_day_after_the_promise() -> None:
    at = START + 3 * DAY
    late = Judged(((START, Point.APPROVAL, 0.9), (at, Point.AFTER_PROMISE, 0.1)), order().outcome)

    assert after_promise(late) == at
    assert after_promise(order(0.99)) is None


@pytest.mark.parametrize(("share", "threshold"), [(0.1, 0.9), (0.2, 0.8), (0.25, 0.7), (1.0, 0.0)])
def test_a_threshold_flags_its_share(share: float, threshold: float) -> None:
    scores = [n / 10 for n in range(10)]

    assert threshold_for(share, scores) == threshold
    assert sum(score >= threshold for score in scores) / 10 >= share


def test_a_threshold_of_no_orders_is_refused() -> None:
    with pytest.raises(ValueError, match="needs orders"):
        threshold_for(0.1, [])


def test_an_interval_holds_its_value_and_is_the_same_again() -> None:
    is_bad = np.arange(200) % 3 == 0
    told = np.where(is_bad, 0.6, 0.4) + np.linspace(-0.3, 0.3, 200)

    def share(wrong: np.ndarray, said: np.ndarray) -> float:
        return float(((said > 0.5) == wrong).mean())

    found = with_interval(share, is_bad, told)

    assert found == with_interval(share, is_bad, told)
    assert found["low"] < found["value"] < found["high"]


def test_calibration_compares_what_was_said_with_what_was() -> None:
    late = Judged(((START, Point.PROMISE, 0.6),), Outcome(START + 9 * DAY, True))
    found = calibration([order(0.02, 0.02), order(0.02, is_bad=False), late])

    assert found["bins"] == [
        {"scores": 3, "predicted": pytest.approx(0.02), "observed": pytest.approx(2 / 3)},
        {"scores": 1, "predicted": 0.6, "observed": 1.0},
    ]
    assert found["points"] == {"approval": found["bins"][0], "promise": found["bins"][1]}
    assert found["expected_error"] == pytest.approx((3 * (2 / 3 - 0.02) + 0.4) / 4)
    assert found["brier"] == pytest.approx((2 * 0.98**2 + 0.02**2 + 0.4**2) / 4)


def test_an_evaluation_ranks_by_the_latest_score() -> None:
    orders = [order(0.1, 0.9), order(0.9, 0.1, is_bad=False), order(0.2, 0.8)]

    found = evaluation(orders)

    assert set(found) == {
        "roc_auc",
        "pr_auc",
        "at_10_percent",
        "at_threshold_0_5",
        "rule",
        "calibration",
    }
    assert found["roc_auc"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_an_evaluation_of_one_kind_of_outcome_is_refused() -> None:
    with pytest.raises(ValueError, match="ended well and orders that ended badly"):
        evaluation([order(0.1), order(0.2), order(is_bad=False)])


def test_the_lead_is_to_the_word_not_to_the_survey() -> None:
    asked = Judged(order(0.9).scores, Outcome(START + 5 * HOUR, True, START + HOUR))

    assert alerts([asked], at_threshold(0.5))["lead_hours_p50"] == 5
