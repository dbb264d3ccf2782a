"""How good a model of lapse risk is at a cut-off it has not seen, beside what needs no model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import numpy as np
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from services.churn_predictor.features import Values
from services.churn_predictor.scoring import Scorecard, expect, score
from services.churn_predictor.train.origins import Example, examples
from services.churn_predictor.train.purchases import NothingBought, Purchases, midnight
from services.churn_predictor.train.samples import Numbers
from services.churn_predictor.train.unseen import check_unseen
from services.contracts.problems import DecisionPoint, RiskKind

_GROUPS = 10


class TooShort(Exception):
    """The cut-off leaves too little before or behind it; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Group:
    """Customers with about the same predicted probability."""

    customers: int
    predicted: float
    lapsed: float


@dataclass(frozen=True, slots=True)
class Counts:
    """Purchases expected within the horizon, against those made."""

    bought: int
    expected: float
    correlation: float
    correlation_of_pace: float
    """Of the past pace carried forward, which needs no model."""
    mae: float
    mae_of_pace: float
    mae_of_none: float
    """Of expecting nobody to come back."""
    rmse: float


@dataclass(frozen=True, slots=True)
class LapseEvaluation:
    """What came of a model's words at one cut-off; shares are 0 to 1."""

    model: str
    version: str
    cutoff: date
    horizon_days: int
    customers: int
    lapsed: float
    predicted: float
    roc_auc: float
    roc_auc_of_purchases: float
    """Of ranking by the number of purchases, fewest first; the longer silence breaks ties."""
    roc_auc_of_recency: float
    log_loss: float
    log_loss_of_base_rate: float
    """Of telling everyone the share that lapsed here, which nobody could know."""
    brier: float
    calibration_error: float
    """Mean distance of predicted and actual over the groups."""
    calibration: tuple[Group, ...]
    purchases: Counts | None
    """None: the model tells no number of purchases."""

    def as_json(self) -> dict[str, object]:
        """Return this as a mapping for `json.dumps`."""
        return asdict(self) | {"cutoff": self.cutoff.isoformat()}

    def figures(self) -> dict[str, float]:
        """Return the few figures that belong into a model file."""
        found = {
            "held_out_customers": float(self.customers),
            "lapsed": self.lapsed,
            "roc_auc": self.roc_auc,
            "roc_auc_of_purchases": self.roc_auc_of_purchases,
            "log_loss": self.log_loss,
            "calibration_error": self.calibration_error,
        }
        if self.purchases is not None:
            found |= {
                "correlation": self.purchases.correlation,
                "mae": self.purchases.mae,
                "expected_per_bought": self.purchases.expected / self.purchases.bought,
            }
        return {name: round(figure, 4) for name, figure in found.items()}


def evaluate_lapse(
    card: Scorecard, purchases: Purchases, cutoff: date, until: date | None = None
) -> LapseEvaluation:
    """Return how this model does at the beginning (UTC) of the day `cutoff`.

    Everybody who had bought before it is scored with what was known then, and held against the
    model's horizon.  The purchases are taken to be complete up to `until` (None: the last of them).

    Raises:
        SeenBefore: the model was fitted on days from the cut-off on.
        TooShort: the horizon is not over by `until`, nobody had bought before, or everybody, or
            nobody, came back.
        ValueError: it is no model of lapse risk.
    """
    if card.kind is not RiskKind.LAPSE or card.horizon_days is None:
        raise ValueError(f"{card.name} is a model of {card.kind} risk")
    start, horizon = midnight(cutoff), timedelta(days=card.horizon_days)
    end = purchases.end if until is None else min(midnight(until), purchases.end)
    check_unseen(card, cutoff)
    if start + horizon > end:
        raise TooShort(
            f"{card.horizon_days} days from {cutoff} end on {(start + horizon).date()}, "
            f"but the purchases end on {end.date()}"
        )
    found = _found(purchases, start, horizon, end)
    return _evaluation(card, cutoff, found)


def _found(
    purchases: Purchases, start: datetime, horizon: timedelta, end: datetime
) -> list[Example]:
    try:
        found = list(examples(purchases.before(end), start, horizon))
    except NothingBought as error:
        raise TooShort(str(error)) from error
    if len({example.bought == 0 for example in found}) < 2:
        raise TooShort(f"nobody had bought before {start.date()}, or all came back, or none")
    return found


def _evaluation(card: Scorecard, cutoff: date, found: Sequence[Example]) -> LapseEvaluation:
    risk = np.array([_risk(card, example.values) for example in found])
    bought = np.array([float(example.bought) for example in found])
    lapsed = (bought == 0).astype(np.float64)
    recency = _column(found, "recency_days")
    groups = _calibration(risk, lapsed)
    return LapseEvaluation(
        model=card.name,
        version=card.version,
        cutoff=cutoff,
        horizon_days=card.horizon_days or 0,
        customers=len(found),
        lapsed=float(lapsed.mean()),
        predicted=float(risk.mean()),
        roc_auc=float(roc_auc_score(lapsed, risk)),
        roc_auc_of_purchases=float(roc_auc_score(lapsed, _fewest_first(found))),
        roc_auc_of_recency=float(roc_auc_score(lapsed, recency)),
        log_loss=float(log_loss(lapsed, risk)),
        log_loss_of_base_rate=float(log_loss(lapsed, np.full(len(lapsed), lapsed.mean()))),
        brier=float(brier_score_loss(lapsed, risk)),
        calibration_error=_distance(groups),
        calibration=groups,
        purchases=_counts(card, found, bought),
    )


def _risk(card: Scorecard, values: Values) -> float:
    return score(card, DecisionPoint.SILENCE, values).probability


def _column(found: Sequence[Example], feature: str) -> Numbers:
    return np.array([example.values[feature] for example in found], dtype=np.float64)


def _fewest_first(found: Sequence[Example]) -> Numbers:
    # A silence is shorter than REACH, so that it never outweighs a purchase.
    return _column(found, "recency_days") / 1000 - _column(found, "purchases")


def _calibration(risk: Numbers, lapsed: Numbers) -> tuple[Group, ...]:
    order = np.argsort(risk, kind="stable")
    return tuple(
        Group(len(part), float(risk[part].mean()), float(lapsed[part].mean()))
        for part in np.array_split(order, _GROUPS)
        if len(part)
    )


def _distance(groups: Sequence[Group]) -> float:
    total = sum(group.customers for group in groups)
    return sum(abs(g.predicted - g.lapsed) * g.customers for g in groups) / total


def _counts(card: Scorecard, found: Sequence[Example], bought: Numbers) -> Counts | None:
    told = [expect(card, example.values) for example in found]
    expected = np.array([one.purchases for one in told if one is not None])
    if len(expected) < len(found):
        return None
    pace = _column(found, "purchases_per_month") * (card.horizon_days or 0) / 30
    return Counts(
        bought=int(bought.sum()),
        expected=float(expected.sum()),
        correlation=_correlation(expected, bought),
        correlation_of_pace=_correlation(pace, bought),
        mae=float(np.abs(expected - bought).mean()),
        mae_of_pace=float(np.abs(pace - bought).mean()),
        mae_of_none=float(bought.mean()),
        rmse=float(np.sqrt(((expected - bought) ** 2).mean())),
    )


def _correlation(one: Numbers, other: Numbers) -> float:
    # What is the same for everybody goes along with nothing.
    return float(np.corrcoef(one, other)[0, 1]) if np.ptp(one) and np.ptp(other) else 0.0
