"""Makes a sheet's probabilities mean what they say, without a step beside the addition.  Pure."""

import math

import numpy as np
from numpy.typing import NDArray

from services.churn_predictor.scoring import Sheet
from services.churn_predictor.train.samples import Numbers

METHOD = (
    "Platt: logistic regression of the outcome on the log-odds told by the bag that had left the "
    "row's week of purchase out; its slope and offset are multiplied and added into the points."
)

_LEAST_SLOPE, _MOST_SLOPE = 0.5, 2.0
"""A slope beyond means that there is too little to calibrate by."""
_STEPS = 50
_WIDEST = 500.0
"""Log-odds beyond which an exponential would overflow."""


def platt(told: Numbers, is_bad: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset that make these log-odds the likeliest; Newton's method.

    Source:
        Platt: "Probabilistic Outputs for Support Vector Machines", 1999, without its smoothing.
    """
    design = np.column_stack([told, np.ones(len(told))])
    found = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        probability = 1.0 / (1.0 + np.exp(-np.clip(design @ found, -_WIDEST, _WIDEST)))
        weight = probability * (1.0 - probability)
        # A trace of ridge, so that outcomes without a spread have an answer.
        curvature = (design * weight[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (is_bad - probability))
        found = found + step
        if float(np.abs(step).max()) < 1e-10:
            break
    slope, offset = float(found[0]), float(found[1])
    if not (_LEAST_SLOPE <= slope <= _MOST_SLOPE and math.isfinite(offset)):
        return 1.0, 0.0
    return slope, offset


def folded(sheet: Sheet, slope: float, offset: float) -> Sheet:
    """Return the sheet whose sum is `slope * sum + offset` of the given one's."""
    tables = [
        table.model_copy(
            update={
                "points": tuple(slope * points for points in table.points),
                "missing": slope * table.missing,
            }
        )
        for table in sheet.tables
    ]
    return Sheet(link=sheet.link, intercept=slope * sheet.intercept + offset, tables=tuple(tables))
