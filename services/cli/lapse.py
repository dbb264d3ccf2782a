"""The half of `care train` and `care evaluate` that is about lapse risk, learned from purchases."""

from collections.abc import Callable, Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from services.churn_predictor.scoring import Scorecard, read_scorecard
from services.churn_predictor.train.lapse import HORIZON_DAYS, train_lapse
from services.churn_predictor.train.lapse_evaluation import TooShort, evaluate_lapse
from services.churn_predictor.train.purchases import (
    Purchases,
    UnreadablePurchases,
    read_purchases,
)
from services.churn_predictor.train.unseen import SeenBefore
from services.kit.exits import EXIT_USAGE, leave
from services.kit.progress import Tell

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

horizon: Decorator = click.option(
    "--horizon", "horizon_days", type=click.IntRange(7, 365), default=None,
    show_default=str(HORIZON_DAYS), metavar="DAYS",
    help="Of lapse risk: nothing bought for so long is a lapse.",
)  # fmt: skip


def trained(purchases: Purchases, until: date | None, horizon_days: int, tell: Tell) -> Scorecard:
    """Return a model of lapse risk.

    Raises:
        TooFewPurchases: there is not enough to learn from.
    """
    shipped = files("services.churn_predictor") / "models" / "lapse-risk.json"
    judged = read_scorecard(shipped.read_bytes())
    return train_lapse(purchases, judged, until, horizon_days, tell)


def evaluated(
    card: Scorecard, purchases: Purchases, start: date, until: date | None
) -> Mapping[str, Any]:
    """Return the figures of a model of lapse risk; leaves with one line where there are none."""
    try:
        return evaluate_lapse(card, purchases, start, until).as_json()
    except (SeenBefore, TooShort) as error:
        leave(str(error), EXIT_USAGE)


def in_words(figures: Mapping[str, Any]) -> str:
    """Return the figures as lines; of the calibration a line for each group."""
    counts = figures["purchases"] or {}
    plain = {name: v for name, v in figures.items() if name not in {"purchases", "calibration"}}
    named = plain | {f"purchases {name}": value for name, value in counts.items()}
    lines = [f"{name.replace('_', ' '):<34}{_plainly(value)}" for name, value in named.items()]
    lines += [
        f"{'predicted, lapsed, customers':<34}"
        f"{group['predicted']:.3f}  {group['lapsed']:.3f}  {group['customers']}"
        for group in figures["calibration"]
    ]
    return "\n".join(lines)


def read_file(bought: Path, tell: Tell) -> Purchases:
    """Return the purchases in this file; leaves with one line where it holds none."""
    try:
        found = read_purchases(bought.expanduser())
    except UnreadablePurchases as error:
        leave(str(error), EXIT_USAGE)
    tell(f"{found.count:,} purchases of {len(found.by_customer):,} customers read")
    return found


def _plainly(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
