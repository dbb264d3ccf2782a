"""Fits the two sheets of a lapse model: the probability of a lapse, and the purchases to expect."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from math import log, sqrt

import numpy as np
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
from numpy.typing import NDArray

from services.churn_predictor.scoring import Link, Sheet, Table
from services.churn_predictor.train.fitting import export, sum_of_tables
from services.churn_predictor.train.samples import Numbers

LEARNED_FROM = ("purchases_per_month", "recent_purchases", "recency_in_gaps", "gap_days")
"""Features that mean the same however long the file is.  The plain number of purchases and the age
grow with every week of it: a model that weighs them expects too much of the weeks to come."""
_PACE = LEARNED_FROM[0]
_SIGN = {"purchases_per_month": 1, "recent_purchases": 1, "recency_in_gaps": -1, "gap_days": 0}
"""Which way each may move the purchases to come.  A gap may mean either: long, or never seen."""

_PACE_STEPS = tuple(round(0.06 * 1.1**step, 4) for step in range(66))
"""From one purchase in REACH to one a day: bins a tenth wide for what is a straight line."""

_BAGS = 8
_VALIDATION_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Known:
    """Everything known at all cut-offs, row by row."""

    values: Numbers
    """A column for each of `LEARNED_FROM`; NaN where it is not known."""
    bought: Numbers
    weights: Numbers
    customers: Sequence[str]


def lapse_sheet(known: Known) -> Sheet:
    """Return the sheet whose sum is the log-odds of no purchase within the span `known` counts."""
    machine = ExplainableBoostingClassifier(
        monotone_constraints=[-_SIGN[name] for name in LEARNED_FROM], **_settings()
    )
    _fit(machine, known, (known.bought == 0).astype(int))
    return export(machine)


def expected_sheet(known: Known, counted: timedelta, horizon: timedelta) -> Sheet:
    """Return the sheet whose sum is the logarithm of the purchases to expect within the horizon.

    `known` counts them within `counted`; the rest of the horizon is taken to go on alike.  What is
    fitted are corrections of "goes on at this pace", and the sheet holds both, added up.
    """
    pace = _carried_forward(counted)
    machine = ExplainableBoostingRegressor(
        objective="poisson_deviance",
        monotone_constraints=[_SIGN[name] for name in LEARNED_FROM],
        **_settings(),
    )
    start = np.array([pace.lookup(float(value)) for value in known.values[:, 0]])
    _fit(machine, known, known.bought, start)
    sheet = export(machine, Link.LOG)
    return Sheet(
        link=Link.LOG,
        intercept=sheet.intercept + log(horizon / counted),
        tables=(sum_of_tables(pace, sheet.tables[0]), *sheet.tables[1:]),
    )


def _carried_forward(span: timedelta) -> Table:
    """Return the logarithm of the purchases within the span if everyone kept their pace."""
    months = span / timedelta(days=30)
    middles = [sqrt(low * high) for low, high in pairwise(_PACE_STEPS)]
    middles = [_PACE_STEPS[0], *middles, _PACE_STEPS[-1]]
    return Table(
        feature=_PACE, edges=_PACE_STEPS, points=tuple(log(pace * months) for pace in middles)
    )


def _settings() -> dict[str, object]:
    return {
        "feature_names": list(LEARNED_FROM),
        "feature_types": ["continuous"] * len(LEARNED_FROM),
        "interactions": 0,
        "outer_bags": _BAGS,
        "max_bins": 64,
        "min_samples_leaf": 10,
        "random_state": 1,
        "n_jobs": 1,
    }


def _fit(
    machine: ExplainableBoostingClassifier | ExplainableBoostingRegressor,
    known: Known,
    outcome: Numbers,
    start: Numbers | None = None,
) -> None:
    with warnings.catch_warnings():
        # It cannot draw missing values; the sheet has a number for them.
        warnings.filterwarnings("ignore", message="Missing values detected")
        machine.fit(
            known.values,
            outcome,
            sample_weight=known.weights,
            bags=_bags(known.customers),
            init_score=start,
        )


def _bags(customers: Sequence[str]) -> NDArray[np.int8]:
    """Draw by customer who only validates in which bag: one person's cut-offs are much alike."""
    draws = {name: [_is_held_out(name, bag) for bag in range(_BAGS)] for name in {*customers}}
    return np.array([[-1 if out else 1 for out in draws[name]] for name in customers], np.int8)


def _is_held_out(customer: str, bag: int) -> bool:
    drawn = sha256(f"{bag} {customer}".encode()).digest()
    return int.from_bytes(drawn[:4], "big") < _VALIDATION_SHARE * 2**32
