"""How near the glass box comes to a black box that may look at the same, and to the plain rule.

    python -m bench.complaint_model --olist <folder> --split 2018-01-01:2018-03-01

For each split both are trained on what was bought and answered before its first day and judged, by the
code of `care evaluate`, on what was bought from then until its second.  The black box is LightGBM with
the same features at the same decision points, the mean of three seeds; it may also combine features,
which the additive model may not.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from rich.console import Console

from services.churn_predictor.features import FEATURES
from services.churn_predictor.scoring import POINTS_OF
from services.churn_predictor.train.fitting import Effort
from services.churn_predictor.train.measures import Probability, by, evaluation, judge
from services.churn_predictor.train.replay import Case, Snapshot
from services.churn_predictor.train.samples import Numbers, Sample, answered_before, sample
from services.churn_predictor.train.training import train
from services.cli.records import midnight, read_cases
from services.contracts.problems import DecisionPoint, RiskKind
from services.kit.clock import monotonic

_SEEDS = 3
_MANY_ROWS = 15_000


def main() -> None:
    """Train and judge on each split, and print one JSON object."""
    options = _options()
    cases = read_cases(options.olist, _say)
    result = {f"{start}:{end}": _split(cases, start, end) for start, end in options.split}
    Console().print_json(json.dumps(result))


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--olist", type=Path, required=True)
    parser.add_argument("--split", type=_days, action="append", required=True)
    return parser.parse_args()


def _days(text: str) -> tuple[date, date]:
    start, _, end = text.partition(":")
    return date.fromisoformat(start), date.fromisoformat(end)


def _split(cases: Sequence[Case], start: date, end: date) -> dict[str, object]:
    _say(f"{start} to {end}")
    first, last = midnight(start), midnight(end)
    chosen = [case for case in cases if first <= case.bought_at < last]
    began = monotonic()
    card = train(cases, first, "bench", Effort(), lambda _: None)
    fitted = monotonic()
    black = _black_box(answered_before(cases, first), chosen)
    done = monotonic()
    return {
        "glass_box": {"seconds": round(fitted - began, 1), **_judged(chosen, by(card))},
        "lightgbm": {"seconds": round(done - fitted, 1), **_judged(chosen, black)},
        "rule": _judged(chosen, _rule),
    }


def _judged(cases: Sequence[Case], says: Probability) -> dict[str, object]:
    figures = evaluation(judge(cases, says))
    del figures["rule"]
    return figures


def _rule(_: Case, seen: Snapshot) -> float:
    return float(seen.point is DecisionPoint.AFTER_PROMISE)


def _black_box(known: Sequence[Case], asked: Sequence[Case]) -> Probability:
    told: dict[tuple[str, DecisionPoint], float] = {}
    for point in POINTS_OF[RiskKind.COMPLAINT]:
        machines = _machines(sample(known, point, FEATURES))
        seen = [(case, s) for case in asked for s in case.snapshots if s.point is point]
        if not seen:
            continue
        values = np.array([_row(snapshot) for _, snapshot in seen], dtype=np.float64)
        means = np.mean([_probabilities(machine, values) for machine in machines], axis=0)
        for (case, _), probability in zip(seen, means.tolist(), strict=True):
            told[case.shipment_id, point] = probability
    return lambda case, snapshot: told[case.shipment_id, snapshot.point]


def _row(snapshot: Snapshot) -> list[float]:
    known = (snapshot.values[name] for name in FEATURES)
    return [float("nan") if value is None else value for value in known]


def _probabilities(machine: LGBMClassifier, values: Numbers) -> Numbers:
    return np.asarray(machine.predict_proba(values), dtype=np.float64)[:, 1]


def _machines(given: Sample) -> list[LGBMClassifier]:
    return [_machine(given.values, given.is_bad.astype(np.int64), seed) for seed in range(_SEEDS)]


def _machine(values: Numbers, is_bad: NDArray[np.int64], seed: int) -> LGBMClassifier:
    machine = LGBMClassifier(
        n_estimators=250 if len(values) > _MANY_ROWS else 120,
        learning_rate=0.03,
        num_leaves=12,
        min_child_samples=60,
        subsample=0.7,
        subsample_freq=1,
        colsample_bytree=0.6,
        reg_lambda=10,
        random_state=seed,
        n_jobs=1,
        verbose=-1,
    )
    machine.fit(values, is_bad)
    return machine


if __name__ == "__main__":
    main()
