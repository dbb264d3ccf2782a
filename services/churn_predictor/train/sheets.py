"""What an explainable boosting machine learned, as the tables of a model file."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.churn_predictor.scoring import Link, Sheet, Table

Floats = NDArray[np.float64]


class Machine(Protocol):
    """A fitted `ExplainableBoostingClassifier` or `ExplainableBoostingRegressor`."""

    intercept_: Any
    bins_: Any
    term_scores_: Any


def sheet_of(machine: Machine, features: Sequence[str], seen: Floats, link: Link) -> Sheet:
    """Return the sheet that adds up to what this fitted machine does, on the rows it has `seen`.

    The machine must add: one feature a term, no interactions.
    """
    return Sheet(
        link=link,
        intercept=float(np.ravel(machine.intercept_)[0]),
        tables=tuple(
            _table(name, machine.bins_[number][0], machine.term_scores_[number], seen[:, number])
            for number, name in enumerate(features)
        ),
    )


def sum_of_tables(first: Table, second: Table) -> Table:
    """Return one table with the points of both; they are about the same feature."""
    edges = sorted({*first.edges, *second.edges})
    points = [first.lookup(edge) + second.lookup(edge) for edge in (*edges, math.inf)]
    return _without_idle_edges(first.feature, edges, points, first.missing + second.missing)


def _table(name: str, cuts: Floats, scores: Floats, seen: Floats) -> Table:
    # The first score is for missing values, the last for categories never seen.
    points = [float(score) for score in scores[1:-1]]
    edges = [_edge(float(cut), seen) for cut in cuts]
    return _without_idle_edges(name, edges, points, float(scores[0]))


def _edge(cut: float, seen: Floats) -> float:
    # There a value on the cut belongs to the upper bin, here to the lower.
    return math.nextafter(cut, -math.inf) if bool(np.any(seen == cut)) else cut


def _without_idle_edges(
    name: str, edges: Sequence[float], points: Sequence[float], missing: float
) -> Table:
    kept = [number for number in range(len(edges)) if points[number] != points[number + 1]]
    return Table(
        feature=name,
        edges=tuple(edges[number] for number in kept),
        points=(*(points[number] for number in kept), points[-1]),
        missing=missing,
    )
