"""Fits one additive sheet with an explainable boosting machine, and writes down what one has learned."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
from numpy.typing import NDArray

from services.churn_predictor.scoring import Link, Sheet, Table
from services.churn_predictor.train.samples import Numbers, Sample

_ROWS_WORTH_A_PROCESS = 5_000
"""With fewer it takes longer to start another process than to do its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How hard to try; the defaults were chosen on time splits of a recorded shop."""

    bags: int = 8
    max_rounds: int = 2000
    learning_rate: float = 0.04
    smoothing_rounds: int = 200
    seed: int = 1
    jobs: int = 2


@dataclass(frozen=True, slots=True)
class Fitted:
    """A sheet, and what it says of rows while knowing nothing of their weeks."""

    sheet: Sheet
    held_out: Numbers
    """Log-odds by the bag that left the row's week out."""


def fit(sample: Sample, rising: frozenset[str], effort: Effort) -> Fitted:
    """Return a sheet fitted to this sample; `rising` features may only raise the risk.

    Raises:
        ValueError: there are not both good and bad outcomes.
    """
    used = [n for n, _ in enumerate(sample.names) if _varies(sample.values[:, n])]
    names = [sample.names[n] for n in used]
    values = sample.values[:, used]
    bags = bags_of(sample.weeks, effort)
    machine = ExplainableBoostingClassifier(
        feature_names=names,
        feature_types=["continuous"] * len(names),
        monotone_constraints=[int(name in rising) for name in names],
        interactions=0,
        max_bins=32,
        max_leaves=2,
        min_samples_leaf=50,
        greedy_ratio=5,
        early_stopping_rounds=50,
        outer_bags=effort.bags,
        max_rounds=effort.max_rounds,
        learning_rate=effort.learning_rate,
        smoothing_rounds=effort.smoothing_rounds,
        random_state=effort.seed,
        n_jobs=effort.jobs if len(values) >= _ROWS_WORTH_A_PROCESS else 1,
    )
    with warnings.catch_warnings():
        # It cannot draw missing values; the sheet has a number for them.
        warnings.filterwarnings("ignore", message="Missing values detected")
        machine.fit(values, sample.is_bad.astype(np.int64), bags=bags)
    return Fitted(export(machine), _held_out(machine, values, bags))


def _varies(column: Numbers) -> bool:
    known = column[~np.isnan(column)]
    return known.size > 0 and float(known.min()) < float(known.max())


def bags_of(weeks: NDArray[np.int64], effort: Effort) -> NDArray[np.int8]:
    """Return for each row and bag 1: learn from it, or -1: left out, to know when to stop.

    Every week of purchase is left out, whole, by one bag.
    """
    known = np.random.default_rng(effort.seed).permutation(np.unique(weeks))
    bags = np.ones((len(weeks), effort.bags), dtype=np.int8)
    for bag in range(effort.bags):
        bags[np.isin(weeks, known[bag :: effort.bags]), bag] = -1
    return bags


def export(
    machine: ExplainableBoostingClassifier | ExplainableBoostingRegressor, link: Link = Link.LOGIT
) -> Sheet:
    """Return what the machine adds up, as a sheet that adds up the same."""
    tables = [
        _table(name, machine.bins_[n][0], machine.term_scores_[n])
        for n, name in enumerate(machine.feature_names_in_)
    ]
    # A classifier has one intercept for each class but the first, a regressor has the number alone.
    intercept = float(np.ravel(machine.intercept_)[0])
    return Sheet(link=link, intercept=intercept, tables=tuple(tables))


def sum_of_tables(first: Table, second: Table) -> Table:
    """Return one table with the points of both; they are about the same feature."""
    edges = sorted({*first.edges, *second.edges})
    points = [first.lookup(edge) + second.lookup(edge) for edge in (*edges, np.inf)]
    return _joined(first.feature, edges, points, first.missing + second.missing)


def _table(name: str, cuts: Numbers, scores: Numbers) -> Table:
    """The machine's bins begin at their cut; ours end at their edge: the number just below it."""
    edges = np.nextafter(np.asarray(cuts, dtype=np.float64), -np.inf).tolist()
    points = [float(score) for score in scores[1 : len(edges) + 2]]
    return _joined(name, edges, points, float(scores[0]))


def _joined(name: str, edges: Sequence[float], points: Sequence[float], missing: float) -> Table:
    """Neighbours with the same points are one bin."""
    kept = [n for n, (left, right) in enumerate(pairwise(points)) if left != right]
    return Table(
        feature=name,
        edges=tuple(edges[n] for n in kept),
        points=(*(points[n] for n in kept), points[-1]),
        missing=missing,
    )


def _held_out(
    machine: ExplainableBoostingClassifier, values: Numbers, bags: NDArray[np.int8]
) -> Numbers:
    places = [_places(values[:, n], machine.bins_[n][0]) for n in range(values.shape[1])]
    told = np.zeros(len(values))
    for bag in range(bags.shape[1]):
        of_bag = np.full(len(values), float(np.ravel(machine.bagged_intercept_[bag])[0]))
        for n, place in enumerate(places):
            of_bag += machine.bagged_scores_[n][bag][place]
        told += np.where(bags[:, bag] < 0, of_bag, 0.0)
    return told


def _places(column: Numbers, cuts: Numbers) -> NDArray[np.intp]:
    places = np.searchsorted(cuts, column, side="right") + 1
    places[np.isnan(column)] = 0
    return places
