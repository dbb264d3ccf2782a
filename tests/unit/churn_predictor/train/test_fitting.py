"""What is fitted adds up to what the library would say, in the file's own arithmetic."""

import math

import numpy as np
import pytest
from interpret.glassbox import ExplainableBoostingClassifier

from services.churn_predictor.scoring import Sheet, Table
from services.churn_predictor.train import fitting
from services.churn_predictor.train.calibration import folded, platt
from services.churn_predictor.train.fitting import Effort, bags_of, export, fit
from services.churn_predictor.train.samples import Numbers, Sample

QUICK = Effort(bags=3, max_rounds=40, smoothing_rounds=10)


def total(sheet: Sheet, names: list[str], row: list[float]) -> float:
    known = {n: None if math.isnan(v) else v for n, v in zip(names, row, strict=True)}
    points = [table.lookup(known[table.feature]) for table in sheet.tables]
    return math.fsum([sheet.intercept, *points])


def invented(rows: int = 800) -> Sample:
    dice = np.random.default_rng(0)
    values = np.column_stack(
        [dice.normal(size=rows), dice.integers(0, 4, rows), np.full(rows, 7.0)]
    ).astype(np.float64)
    values[dice.random(rows) < 0.2, 0] = np.nan
    log_odds = np.nan_to_num(values[:, 0]) - 0.5 * values[:, 1]
    is_bad = dice.random(rows) < 1 / (1 + np.exp(-log_odds))
    return Sample(("lines", "sellers", "promise_days"), values, is_bad, np.arange(rows) // 40)


def on_the_cuts(machine: ExplainableBoostingClassifier, values: Numbers) -> Numbers:
    """Rows whose first value is exactly where a bin begins, and just before."""
    cuts = machine.bins_[0][0]
    rows = np.repeat(values[:1], 2 * len(cuts), axis=0)
    rows[:, 0] = np.concatenate([cuts, np.nextafter(cuts, -np.inf)])
    return rows


def test_the_exported_sheet_scores_as_the_library_does() -> None:
    given = invented()
    machine = ExplainableBoostingClassifier(
        feature_names=list(given.names), feature_types=["continuous"] * 3,
        interactions=0, max_bins=16, outer_bags=2, max_rounds=40, n_jobs=1,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="Missing values"):
        machine.fit(given.values, given.is_bad.astype(int))
    rows = np.concatenate([given.values, on_the_cuts(machine, given.values)])

    sheet = export(machine)

    theirs = machine.decision_function(rows)
    ours = [total(sheet, list(given.names), row) for row in rows.tolist()]
    assert np.abs(theirs - np.array(ours)).max() < 1e-9


def test_neighbours_with_the_same_points_are_one_bin() -> None:
    table = fitting._table(
        "lines", np.array([1.0, 2.0, 3.0]), np.array([9.0, 0.0, 0.0, 5.0, 5.0, 0])
    )

    assert len(table.edges) == 1
    assert [table.lookup(v) for v in (None, 0.0, 1.5, 1.9999, 2.0, 7.0)] == [9, 0, 0, 0, 5, 5]


def test_what_never_varies_is_not_looked_at() -> None:
    fitted = fit(invented(), frozenset(), QUICK)

    assert [table.feature for table in fitted.sheet.tables] == ["lines", "sellers"]


def test_a_rising_feature_never_lowers_the_risk() -> None:
    # In the sample more sellers are a good sign; the constraint forbids to learn that.
    free = fit(invented(), frozenset(), QUICK).sheet.tables[1]
    bound = fit(invented(), frozenset({"sellers"}), QUICK).sheet.tables[1]

    assert list(free.points) != sorted(free.points)
    assert list(bound.points) == sorted(bound.points)


def test_every_week_is_left_out_whole_by_one_bag() -> None:
    weeks = np.arange(200) // 10
    bags = bags_of(weeks, Effort(bags=4))

    for week in range(20):
        assert len(np.unique(bags[weeks == week], axis=0)) == 1
    assert ((bags < 0).sum(axis=1) == 1).all()


def test_what_is_said_of_a_row_left_out_knows_nothing_of_its_outcome() -> None:
    given = invented()
    turned = given.is_bad.copy()
    week = given.weeks == 3
    turned[week] = ~turned[week]

    before = fit(given, frozenset(), QUICK).held_out
    after = fit(Sample(given.names, given.values, turned, given.weeks), frozenset(), QUICK).held_out

    # When to stop is the only thing that could have been learned from them.
    assert np.abs(before[week] - after[week]).max() < 0.35
    assert np.corrcoef(before[week], after[week])[0, 1] > 0.95


def test_calibration_finds_what_was_bent() -> None:
    dice = np.random.default_rng(1)
    honest = dice.normal(size=20_000)
    is_bad = dice.random(20_000) < 1 / (1 + np.exp(-honest))

    slope, offset = platt(honest / 1.5 - 0.7, is_bad)

    assert slope == pytest.approx(1.5, abs=0.1)
    assert offset == pytest.approx(1.05, abs=0.1)


@pytest.mark.parametrize("told", [np.zeros(50), np.linspace(1, -1, 50)])
def test_calibration_by_too_little_changes_nothing(told: Numbers) -> None:
    assert platt(told, np.arange(50) >= 25) == (1.0, 0.0)


def test_a_folded_sheet_says_the_calibrated_sum() -> None:
    sheet = Sheet(
        intercept=0.5, tables=(Table(feature="lines", edges=(1.0,), points=(1, 2), missing=3),)
    )

    bent = folded(sheet, 2.0, -1.0)

    for value in ([0.0], [5.0], [math.nan]):
        assert total(bent, ["lines"], value) == 2 * total(sheet, ["lines"], value) - 1
