"""Lapse risk from recorded purchases: two additive sheets, fitted on cut-offs in the past.

One tells how likely a customer buys nothing within the horizon, the other how many purchases to
expect.  What purchases cannot tell (experience) comes from the model that is handed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import chain, pairwise
from math import log, sqrt

import numpy as np
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor

from services.churn_predictor.rhythm import EXPERIENCE_FEATURES
from services.churn_predictor.scoring import Link, Scorecard, Sheet, Span, Table
from services.churn_predictor.train.lapse_evaluation import TooShort, evaluate_lapse
from services.churn_predictor.train.origins import BETWEEN_ORIGINS, Example, examples, origins
from services.churn_predictor.train.purchases import NothingBought, Purchases, midnight
from services.churn_predictor.train.sheets import Floats, sheet_of, sum_of_tables
from services.contracts.problems import DecisionPoint, RiskKind

HORIZON_DAYS = 56

LEARNED_FROM = ("purchases_per_month", "recent_purchases", "recency_in_gaps", "gap_days")
"""Features that mean the same however long the file is.  The plain number of purchases and the age
grow with every week of it: a model that weighs them expects too much of the weeks to come."""
_PACE = LEARNED_FROM[0]
_SIGN = {"purchases_per_month": 1, "recent_purchases": 1, "recency_in_gaps": -1, "gap_days": 0}
"""Which way each may move the purchases to come.  A gap may mean either: long, or never seen."""

_PACE_STEPS = tuple(round(0.06 * 1.1**step, 4) for step in range(66))
"""From one purchase in REACH to one a day: bins a tenth wide for what is a straight line."""

_WEIGHT_HALVES = timedelta(days=28)
_BAGS = 8
_VALIDATION_SHARE = 0.15
FEWEST_CUSTOMERS = 100
MOST_CUSTOMERS = 50_000
"""More tell the tables nothing new and cost memory; which ones is drawn by a hash of their ids."""


class TooFewPurchases(Exception):
    """There is not enough to learn from; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Everything known at all cut-offs, row by row."""

    features: Floats
    bought: Floats
    weights: Floats
    customers: Sequence[str]


def train_lapse(
    purchases: Purchases,
    judged: Scorecard,
    until: date | None = None,
    horizon_days: int = HORIZON_DAYS,
) -> Scorecard:
    """Return a model of lapse risk fitted on what was bought before `until` (None: all).

    `judged` gives the bands and the points of experience.  The metrics are of the same training
    with the last horizon held out, where there is enough for that.

    Raises:
        TooFewPurchases: no cut-off has a warm-up before and a horizon behind it, there are fewer
            than `FEWEST_CUSTOMERS` customers, or all of them came back, or none.
    """
    end = purchases.end if until is None else midnight(until)
    horizon = timedelta(days=horizon_days)
    card = _fitted(purchases, judged, end, horizon)
    return card.model_copy(update={"metrics": _metrics(purchases, judged, end, horizon)})


def _fitted(
    purchases: Purchases, judged: Scorecard, end: datetime, horizon: timedelta
) -> Scorecard:
    seen = _known_before(purchases, end)
    known = _gather(seen, end, horizon)
    digest = seen.digest
    return Scorecard(
        format=1,
        name="lapse-risk",
        version=f"{end.date()}-{horizon.days}-{digest[:12]}",
        kind=RiskKind.LAPSE,
        provenance=_provenance(seen, known),
        span=Span(**{"from": seen.first.date(), "until": end.date()}),
        data_digest=digest,
        bands=judged.bands,
        points={DecisionPoint.SILENCE: _lapse_sheet(known, judged)},
        horizon_days=horizon.days,
        expected_purchases=_expected_sheet(known, horizon),
    )


def _metrics(
    purchases: Purchases, judged: Scorecard, end: datetime, horizon: timedelta
) -> dict[str, float]:
    held_out = end - horizon
    try:
        card = _fitted(purchases, judged, held_out, horizon)
        return evaluate_lapse(card, purchases, held_out.date(), end.date()).figures()
    except (TooFewPurchases, TooShort):
        return {}


def _known_before(purchases: Purchases, end: datetime) -> Purchases:
    try:
        return purchases.before(end)
    except NothingBought as error:
        raise TooFewPurchases(str(error)) from error


def _gather(purchases: Purchases, end: datetime, horizon: timedelta) -> _Known:
    drawn = _drawn(purchases)
    cutoffs = origins(purchases.first, end, horizon)
    rows = [list(examples(drawn, cutoff, horizon)) for cutoff in cutoffs]
    found = list(chain.from_iterable(rows))
    _check(found, horizon)
    halving = BETWEEN_ORIGINS / _WEIGHT_HALVES
    return _Known(
        features=np.array([_columns(example) for example in found]),
        bought=np.array([float(example.bought) for example in found]),
        weights=np.repeat([0.5 ** (halving * n) for n in range(len(rows))], [*map(len, rows)]),
        customers=[example.customer for example in found],
    )


def _drawn(purchases: Purchases) -> Purchases:
    names = sorted(purchases.by_customer, key=lambda name: sha256(name.encode()).digest())
    chosen = {name: purchases.by_customer[name] for name in names[:MOST_CUSTOMERS]}
    return Purchases(chosen, purchases.rows, purchases.returns)


def _check(found: Sequence[Example], horizon: timedelta) -> None:
    if not found:
        raise TooFewPurchases(
            f"no cut-off has eight weeks before it and {horizon.days} days behind it"
        )
    customers = len({example.customer for example in found})
    if customers < FEWEST_CUSTOMERS:
        raise TooFewPurchases(f"{customers} customers; {FEWEST_CUSTOMERS} are needed")
    if len({example.bought == 0 for example in found}) == 1:
        raise TooFewPurchases("all customers came back, or none: there is nothing to tell apart")


def _columns(example: Example) -> list[float]:
    values = (example.values[name] for name in LEARNED_FROM)
    return [np.nan if value is None else value for value in values]


def _lapse_sheet(known: _Known, judged: Scorecard) -> Sheet:
    machine = ExplainableBoostingClassifier(
        monotone_constraints=[-_SIGN[name] for name in LEARNED_FROM],
        **_settings(),
    )
    machine.fit(
        known.features,
        (known.bought == 0).astype(int),
        sample_weight=known.weights,
        bags=_bags(known.customers),
    )
    sheet = sheet_of(machine, LEARNED_FROM, known.features, Link.LOGIT)
    return sheet.model_copy(update={"tables": (*sheet.tables, *_experience(judged))})


def _experience(judged: Scorecard) -> tuple[Table, ...]:
    tables = judged.points[DecisionPoint.SILENCE].tables
    return tuple(table for table in tables if table.feature in EXPERIENCE_FEATURES)


def _expected_sheet(known: _Known, horizon: timedelta) -> Sheet:
    """Fit corrections of "goes on at this pace", and add both up."""
    pace = _carried_forward(horizon)
    machine = ExplainableBoostingRegressor(
        objective="poisson_deviance",
        monotone_constraints=[_SIGN[name] for name in LEARNED_FROM],
        **_settings(),
    )
    machine.fit(
        known.features,
        known.bought,
        sample_weight=known.weights,
        bags=_bags(known.customers),
        init_score=np.array([pace.lookup(float(value)) for value in known.features[:, 0]]),
    )
    sheet = sheet_of(machine, LEARNED_FROM, known.features, Link.LOG)
    tables = (sum_of_tables(pace, sheet.tables[0]), *sheet.tables[1:])
    return sheet.model_copy(update={"tables": tables})


def _carried_forward(horizon: timedelta) -> Table:
    """Return the logarithm of the purchases within the horizon if each kept their pace."""
    months = horizon / timedelta(days=30)
    middles = [sqrt(low * high) for low, high in pairwise(_PACE_STEPS)]
    middles = [_PACE_STEPS[0], *middles, _PACE_STEPS[-1]]
    return Table(
        feature=_PACE, edges=_PACE_STEPS, points=tuple(log(pace * months) for pace in middles)
    )


def _settings() -> dict[str, object]:
    return {
        "feature_names": list(LEARNED_FROM),
        "interactions": 0,
        "outer_bags": _BAGS,
        "max_bins": 64,
        "min_samples_leaf": 10,
        "random_state": 1,
        "n_jobs": 1,
    }


def _bags(customers: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    """Draw by customer who only validates in which bag: one person's cut-offs are much alike."""
    draws = {name: [_is_held_out(name, bag) for bag in range(_BAGS)] for name in {*customers}}
    return np.array([[-1 if out else 1 for out in draws[name]] for name in customers], np.int8)


def _is_held_out(customer: str, bag: int) -> bool:
    drawn = sha256(f"{bag} {customer}".encode()).digest()
    return int.from_bytes(drawn[:4], "big") < _VALIDATION_SHARE * 2**32


def _provenance(seen: Purchases, known: _Known) -> str:
    return (
        f"Fitted on {seen.count} purchases of {len(seen.by_customer)} customers: what was known of "
        f"them at cut-offs two weeks apart, and what they bought after each; {len(known.customers)} "
        "examples, later ones weighing more. The points of experience are judgement and were not "
        "fitted: purchases do not tell it."
    )
