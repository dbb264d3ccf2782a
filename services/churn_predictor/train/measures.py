"""How good scores were: judged by what an outreach could have used, before delivery and survey.  Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from services.churn_predictor.scoring import Scorecard, score
from services.churn_predictor.train.replay import Case, Outcome, Snapshot
from services.churn_predictor.train.samples import Numbers, asked_at
from services.contracts.problems import DecisionPoint

_HOUR = timedelta(hours=1)
_RESAMPLES = 300
_CALIBRATION_EDGES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

Scored = tuple[datetime, DecisionPoint, float]
"""Instant, decision point and probability."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An evaluated order: what was scored while it was of use, and the customer's word."""

    scores: tuple[Scored, ...]
    """By rising instant."""
    outcome: Outcome

    @property
    def highest(self) -> float:
        """Its highest score; below any where it has none."""
        return max((each[2] for each in self.scores), default=-1.0)

    def first_alert(self, threshold: float) -> datetime | None:
        """Return when a score first reached the threshold."""
        return next((at for at, _, p in self.scores if p >= threshold), None)


Probability = Callable[[Case, Snapshot], float]
"""What a model says of a case at one of its decision points."""


def by(card: Scorecard) -> Probability:
    """Return what this card says."""
    return lambda _, seen: score(card, seen.point, seen.values).probability


def judge(cases: Sequence[Case], says: Probability) -> tuple[Judged, ...]:
    """Return every order with a known outcome, scored."""
    return tuple(
        Judged(useful_scores(case, says), case.outcome)
        for case in cases
        if case.outcome is not None
    )


def useful_scores(case: Case, says: Probability) -> tuple[Scored, ...]:
    """Return the case's scores before its delivery, and before the customer was asked."""
    ends = [case.delivered_at, None if case.outcome is None else asked_at(case.outcome)]
    end = min((at for at in ends if at is not None), default=None)
    return tuple(
        (seen.at, seen.point, says(case, seen))
        for seen in case.snapshots
        if end is None or seen.at < end
    )


def threshold_for(share: float, highest: Sequence[float]) -> float:
    """Return the highest threshold that flags at least this share of orders, by their highest score.

    Raises:
        ValueError: there are no orders.
    """
    if not highest:
        raise ValueError("a threshold needs orders")
    ranked = sorted(highest, reverse=True)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


Figures = dict[str, float | None]
Alert = Callable[[Judged], datetime | None]


def alerts(orders: Sequence[Judged], alert: Alert) -> Figures:
    """Return how many orders were flagged, how rightly, and how long before the customer's word.

    Shares in 0 to 1; None where there is nothing to take a share of.
    """
    flagged = [(at, order.outcome) for order in orders if (at := alert(order)) is not None]
    right = [(outcome.at - at) / _HOUR for at, outcome in flagged if outcome.is_bad]
    bad = sum(order.outcome.is_bad for order in orders)
    return {
        "flagged": _share(len(flagged), len(orders)),
        "precision": _share(len(right), len(flagged)),
        "recall": _share(len(right), bad),
        "lead_hours_p50": float(np.quantile(right, 0.5)) if right else None,
        "lead_hours_p10": float(np.quantile(right, 0.1)) if right else None,
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def at_threshold(threshold: float) -> Alert:
    """Return the rule that alerts at the first score that reaches the threshold."""
    return lambda order: order.first_alert(threshold)


def after_promise(order: Judged) -> datetime | None:
    """Alert where the promised day was over and nothing was delivered: the rule to beat."""
    over = (at for at, point, _ in order.scores if point is DecisionPoint.AFTER_PROMISE)
    return next(over, None)


def evaluation(orders: Sequence[Judged]) -> dict[str, object]:
    """Return every figure of an evaluation.

    Raises:
        ValueError: there are not both good and bad outcomes among the scored orders.
    """
    scored = [order for order in orders if order.scores]
    latest = np.array([order.scores[-1][2] for order in scored])
    is_bad = np.array([order.outcome.is_bad for order in scored], dtype=np.bool_)
    if len(set(is_bad.tolist())) < 2:
        raise ValueError("an evaluation needs orders that ended well and orders that ended badly")
    tenth = threshold_for(0.1, [order.highest for order in orders])
    return {
        "roc_auc": with_interval(roc_auc_score, is_bad, latest),
        "pr_auc": with_interval(average_precision_score, is_bad, latest),
        "at_10_percent": alerts(orders, at_threshold(tenth)),
        "at_threshold_0_5": alerts(orders, at_threshold(0.5)),
        "rule": alerts(orders, after_promise),
        "calibration": calibration(orders),
    }


Measure = Callable[[NDArray[np.bool_], Numbers], float]


def with_interval(measure: Measure, is_bad: NDArray[np.bool_], told: Numbers) -> dict[str, float]:
    """Return a measure with its 95 % bootstrap interval; the same for the same orders."""
    dice = np.random.default_rng(0)
    found = []
    for _ in range(_RESAMPLES):
        drawn = dice.integers(0, len(told), len(told))
        if 0 < int(is_bad[drawn].sum()) < len(told):
            found.append(measure(is_bad[drawn], told[drawn]))
    low, high = np.quantile(found, [0.025, 0.975]).tolist()
    return {"value": float(measure(is_bad, told)), "low": low, "high": high}


def calibration(orders: Sequence[Judged]) -> dict[str, object]:
    """Return how far probabilities were from what happened: every score, at its own decision point.

    Not the latest ones alone: whose promise is kept has no later score, so that the scores that
    stayed the last would look too high, and be right.
    """
    scores = [(point, p, order.outcome.is_bad) for order in orders for _, point, p in order.scores]
    told = np.array([p for _, p, _ in scores])
    is_bad = np.array([bad for _, _, bad in scores], dtype=np.float64)
    places = np.searchsorted(_CALIBRATION_EDGES, told, side="right")
    points = np.array([list(DecisionPoint).index(point) for point, _, _ in scores])
    bins = [_bin(told, is_bad, places == n) for n in np.unique(places)]
    error = sum(each["scores"] * abs(each["predicted"] - each["observed"]) for each in bins)
    return {
        "expected_error": error / len(told),
        "brier": float(np.mean((told - is_bad) ** 2)),
        "bins": bins,
        "points": {
            list(DecisionPoint)[n].value: _bin(told, is_bad, points == n) for n in np.unique(points)
        },
    }


def _bin(told: Numbers, is_bad: Numbers, held: NDArray[np.bool_]) -> dict[str, float]:
    return {
        "scores": int(held.sum()),
        "predicted": float(told[held].mean()),
        "observed": float(is_bad[held].mean()),
    }
