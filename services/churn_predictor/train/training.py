"""From cases to a model file: a sheet for every decision point, calibrated, with bands and figures."""

import json
import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from sklearn.metrics import roc_auc_score

from services.churn_predictor.features import FEATURES, Values
from services.churn_predictor.scoring import (
    POINTS_OF,
    Bands,
    Scorecard,
    Sheet,
    Span,
)
from services.churn_predictor.train.calibration import METHOD, folded, platt
from services.churn_predictor.train.fitting import Effort, fit
from services.churn_predictor.train.measures import by, threshold_for, useful_scores
from services.churn_predictor.train.replay import Case
from services.churn_predictor.train.samples import Sample, answered_before, cases_digest, sample
from services.churn_predictor.train.shares import with_shares
from services.churn_predictor.train.version import versioned
from services.contracts.problems import DecisionPoint, RiskKind
from services.kit.progress import Tell

RISING = frozenset(
    {
        "lines",
        "sellers",
        "days_past_promise",
        "days_past_ship_by",
        "estimate_moved_days",
        "contacts_about_order",
        "seller_bad_rate",
        "product_bad_rate",
        "category_bad_rate",
        "shop_bad_rate",
        "seller_late_rate",
    }
)
"""More of it has never made anybody happier; the fit may not say otherwise by chance."""

FEWEST_ROWS = 50
"""Of each outcome: with fewer, a decision point is given its base rate and no tables."""

_ELEVATED_SHARE, _HIGH_SHARE = 0.2, 0.1
"""Of the orders whose promise has passed, so many are meant to reach the band."""
_HYSTERESIS = 0.02


class TooLittle(Exception):
    """The records do not hold what can be learned from; the message is one line."""


def train(
    cases: Sequence[Case], until: datetime, provenance: str, effort: Effort, tell: Tell
) -> Scorecard:
    """Return a model of complaint risk fitted to what was bought and answered before `until`.

    Raises:
        TooLittle: no such orders, or all of them ended well, or badly.
    """
    known = answered_before(cases, until)
    bad = sum(case.outcome.is_bad for case in known if case.outcome is not None)
    if not 0 < bad < len(known):
        raise TooLittle(
            f"of {len(known)} orders bought and answered before {until:%Y-%m-%d}, "
            f"{bad} ended badly: both kinds are needed"
        )
    metrics = {"orders": float(len(known)), "bad_share": bad / len(known)}
    points = {}
    for point in (each for each in DecisionPoint if each in POINTS_OF[RiskKind.COMPLAINT]):
        sheet, figures = _sheet(sample(known, point, FEATURES), effort)
        points[point] = with_shares(sheet, _looked_at(cases, point, until))
        metrics |= {f"{point}.{name}": value for name, value in figures.items()}
        tell(f"{point}: {figures['rows']:,.0f} rows")
    body = {
        "format": 1,
        "name": "complaint-risk",
        "version": "unversioned",
        "kind": RiskKind.COMPLAINT,
        "provenance": provenance,
        "span": Span.model_validate({"from": known[0].bought_at.date(), "until": until.date()}),
        "data_digest": cases_digest(known),
        "calibration": METHOD,
        "metrics": metrics,
        "bands": Bands(elevated=0.3, high=0.6),
        "points": points,
    }
    return versioned(with_bands(Scorecard.model_validate(body), cases, until), until.date())


def _looked_at(cases: Sequence[Case], point: DecisionPoint, until: datetime) -> Sequence[Values]:
    """Return what the stream would have looked at here: also where nobody answered, or was asked before.

    The rows that are fitted are fewer.  Held against them, what is scored would seem to have moved
    although nothing did.
    """
    return [
        seen.values
        for case in cases
        if case.bought_at < until
        for seen in case.snapshots
        if seen.point is point and seen.at < until
    ]


def _sheet(given: Sample, effort: Effort) -> tuple[Sheet, dict[str, float]]:
    bad, rows = int(given.is_bad.sum()), len(given.is_bad)
    figures = {"rows": float(rows), "bad_share": bad / rows if rows else 0.0}
    if min(bad, rows - bad) < FEWEST_ROWS:
        # A half added to each, so that nothing is impossible.
        return Sheet(intercept=math.log((bad + 0.5) / (rows - bad + 0.5)), tables=()), figures
    fitted = fit(given, RISING, effort)
    slope, offset = platt(fitted.held_out, given.is_bad)
    figures |= {
        "held_out_roc_auc": float(roc_auc_score(given.is_bad, fitted.held_out)),
        "calibration_slope": slope,
        "calibration_offset": offset,
    }
    return folded(fitted.sheet, slope, offset), figures


def with_bands(card: Scorecard, cases: Sequence[Case], until: datetime) -> Scorecard:
    """Return the card with bands that flag their share of the orders whose promise has passed.

    Not of the answered ones: who was let down answers sooner, and a threshold set on those flags
    far more than it was meant to.
    """
    passed = [case for case in cases if case.bought_at < until and case.promised_by < until]
    highest = [
        max((p for at, _, p in useful_scores(case, by(card)) if at < until), default=0.0)
        for case in passed
    ]
    if not highest:
        return card
    high = _between(0.1, threshold_for(_HIGH_SHARE, highest), 0.95)
    elevated = _between(0.05, threshold_for(_ELEVATED_SHARE, highest), high - _HYSTERESIS)
    flagged = {
        "elevated_share": float(np.mean([p >= elevated for p in highest])),
        "high_share": float(np.mean([p >= high for p in highest])),
    }
    return card.model_copy(
        update={
            "bands": Bands(elevated=elevated, high=high, hysteresis=_HYSTERESIS),
            "metrics": card.metrics | flagged,
        }
    )


def _between(least: float, value: float, most: float) -> float:
    return max(least, min(value, most))


def to_text(card: Scorecard) -> str:
    """Return the model's file: JSON with a line for each table, to be read and compared by people."""
    body = card.model_dump(mode="json", by_alias=True)
    points, expected = body.pop("points"), body.pop("expected_purchases")
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in body.items()]
    if expected is not None:
        lines.append(f'  "expected_purchases": {_sheet_text(expected)},')
    sheets = ",\n".join(f"    {json.dumps(p)}: {_sheet_text(sheet)}" for p, sheet in points.items())
    return "\n".join(["{", *lines, '  "points": {', sheets, "  }", "}", ""])


def _sheet_text(sheet: dict[str, object]) -> str:
    tables = sheet.pop("tables")
    assert isinstance(tables, list)
    head = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in sheet.items())
    rows = ",\n".join(f"      {json.dumps(table)}" for table in tables)
    return f'{{{head}, "tables": [\n{rows}\n    ]}}' if rows else f'{{{head}, "tables": []}}'
