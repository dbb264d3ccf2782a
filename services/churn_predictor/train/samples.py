"""Cases become a table of numbers for each decision point.  Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from services.churn_predictor.train.replay import Case, Outcome, Snapshot
from services.contracts.problems import DecisionPoint

Numbers = NDArray[np.float64]

_WEEK_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Sample:
    """What was known at one decision point, and what became of it; a row for each parcel."""

    names: tuple[str, ...]
    values: Numbers
    """NaN: not known."""
    is_bad: NDArray[np.bool_]
    weeks: NDArray[np.int64]
    """Number of the week in which it was bought."""


def answered_before(cases: Iterable[Case], until: datetime) -> tuple[Case, ...]:
    """Return those that were bought and answered before this instant."""
    return tuple(
        case
        for case in cases
        if case.bought_at < until and case.outcome is not None and case.outcome.at < until
    )


def asked_at(outcome: Outcome) -> datetime:
    """Return when the customer was asked, or spoke without being asked."""
    return outcome.asked_at or outcome.at


def sample(cases: Sequence[Case], point: DecisionPoint, names: Sequence[str]) -> Sample:
    """Return what these features were at this point, wherever the customer was not asked yet."""
    rows = list(_at(cases, point))
    values = [[_number(snapshot.values[name]) for name in names] for snapshot, _, _ in rows]
    bought = [case.bought_at.timestamp() for _, case, _ in rows]
    return Sample(
        names=tuple(names),
        values=np.array(values, dtype=np.float64).reshape(len(rows), len(names)),
        is_bad=np.array([outcome.is_bad for _, _, outcome in rows], dtype=np.bool_),
        weeks=np.array(bought, dtype=np.float64).astype(np.int64) // _WEEK_SECONDS,
    )


def _at(cases: Sequence[Case], point: DecisionPoint) -> Iterator[tuple[Snapshot, Case, Outcome]]:
    for case in cases:
        if case.outcome is None:
            continue
        for snapshot in case.snapshots:
            if snapshot.point is point and snapshot.at < asked_at(case.outcome):
                yield snapshot, case, case.outcome


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def cases_digest(cases: Iterable[Case]) -> str:
    """Return SHA-256 of all that is fitted on: ids, instants, values and outcomes."""
    found = sha256()
    for case in cases:
        for snapshot in case.snapshots:
            values = sorted(snapshot.values.items())
            found.update(repr((case.shipment_id, snapshot.point, snapshot.at, values)).encode())
        found.update(repr((case.bought_at, case.outcome)).encode())
    return found.hexdigest()
