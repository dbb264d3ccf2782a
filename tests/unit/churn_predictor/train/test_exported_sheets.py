"""A sheet adds up to what the machine learned; two tables make one."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor

from services.churn_predictor.scoring import Link, Sheet, Table
from services.churn_predictor.train.fitting import export, sum_of_tables
from services.churn_predictor.train.samples import Numbers

NAMES = ("gap_days", "recency_days")

tables = st.lists(st.integers(-20, 20), unique=True, max_size=6).flatmap(
    lambda edges: st.builds(
        lambda points, missing: Table(
            feature="gap_days",
            edges=tuple(map(float, sorted(edges))),
            points=tuple(points),
            missing=missing,
        ),
        st.lists(st.floats(-3, 3), min_size=len(edges) + 1, max_size=len(edges) + 1),
        st.floats(-3, 3),
    )
)


def rows() -> Numbers:
    """Whole numbers, so that many lie on a cut; some are missing."""
    chance = np.random.default_rng(5)
    found = chance.integers(0, 12, (400, 2)).astype(np.float64)
    found[::9, 0] = np.nan
    return found


def totals(sheet: Sheet, seen: Numbers) -> list[float]:
    return [
        math.fsum(
            [
                sheet.intercept,
                *(
                    table.lookup(None if math.isnan(value) else float(value))
                    for table, value in zip(sheet.tables, row, strict=True)
                ),
            ]
        )
        for row in seen
    ]


@pytest.mark.filterwarnings("ignore:Missing values detected")
def test_a_sheet_gives_the_log_odds_of_the_classifier() -> None:
    seen = rows()
    lapsed = (seen[:, 1] + np.random.default_rng(6).normal(size=len(seen)) > 6).astype(int)
    machine = ExplainableBoostingClassifier(
        feature_names=list(NAMES), interactions=0, outer_bags=2, max_bins=8, n_jobs=1
    ).fit(seen, lapsed)

    sheet = export(machine)

    assert totals(sheet, seen) == pytest.approx(machine.decision_function(seen), abs=1e-9)


@pytest.mark.filterwarnings("ignore:Missing values detected")
def test_a_sheet_gives_the_logarithm_of_the_count_of_the_regressor() -> None:
    seen = rows()
    bought = np.random.default_rng(7).poisson(np.exp(1 - seen[:, 1] / 6)).astype(float)
    machine = ExplainableBoostingRegressor(
        feature_names=list(NAMES),
        interactions=0,
        outer_bags=2,
        max_bins=8,
        n_jobs=1,
        objective="poisson_deviance",
    ).fit(seen, bought)

    sheet = export(machine, Link.LOG)

    assert totals(sheet, seen) == pytest.approx(np.log(machine.predict(seen)), abs=1e-9)


@given(first=tables, second=tables, value=st.none() | st.integers(-25, 25).map(lambda n: n / 2))
def test_two_tables_make_one(first: Table, second: Table, value: float | None) -> None:
    both = sum_of_tables(first, second)

    assert both.lookup(value) == first.lookup(value) + second.lookup(value)
    assert all(point != later for point, later in pairwise(both.points))
