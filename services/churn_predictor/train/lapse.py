"""Lapse risk from recorded purchases: two additive sheets, fitted on cut-offs in the past.

One tells how likely a customer buys nothing within the horizon, the other how many purchases to
expect.  What purchases cannot tell (experience) comes from the model that is handed in.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import chain

import numpy as np

from services.churn_predictor.features import Values
from services.churn_predictor.rhythm import EXPERIENCE_FEATURES, features
from services.churn_predictor.scoring import Bands, Scorecard, Sheet, Span, score
from services.churn_predictor.train.lapse_evaluation import TooShort, evaluate_lapse
from services.churn_predictor.train.lapse_fitting import (
    LEARNED_FROM,
    Known,
    expected_sheet,
    lapse_sheet,
)
from services.churn_predictor.train.origins import (
    BETWEEN_ORIGINS,
    MOST_ORIGINS,
    WARM_UP,
    Example,
    examples,
    origins,
    silences,
)
from services.churn_predictor.train.purchases import NothingBought, Purchases, midnight
from services.churn_predictor.train.shares import with_shares
from services.churn_predictor.train.version import versioned
from services.contracts.problems import DecisionPoint, RiskKind
from services.kit.progress import Tell

HORIZON_DAYS = 56

FEWEST_CUSTOMERS = 100
MOST_CUSTOMERS = 50_000
"""More tell the tables nothing new and cost memory; which ones is drawn by a hash of their ids."""

_WEIGHT_HALVES = timedelta(days=28)

_ELEVATED_SHARE, _HIGH_SHARE = 0.3, 0.1
"""At least so many customers reach the band, silent or not; more where many are told the same."""
_HYSTERESIS = 0.02


class TooFewPurchases(Exception):
    """There is not enough to learn from; the message says what is missing."""


def train_lapse(
    purchases: Purchases,
    judged: Scorecard,
    until: date | None = None,
    horizon_days: int = HORIZON_DAYS,
    tell: Tell = lambda _: None,
) -> Scorecard:
    """Return a model of lapse risk fitted on what was bought before `until` (None: all).

    `judged` gives the points of experience, and bands to begin with.  The metrics are of the same training
    with the last horizon held out, where there is enough for that.

    Raises:
        TooFewPurchases: no cut-off has a warm-up before and a horizon behind it, there are fewer
            than `FEWEST_CUSTOMERS` customers, or all of them came back, or none.
    """
    end = purchases.end if until is None else midnight(until)
    horizon = timedelta(days=horizon_days)
    tell("fitting")
    card = _with_bands(_fitted(purchases, judged, end, horizon), purchases, end)
    tell("fitting again, with the last horizon held out")
    card = card.model_copy(update={"metrics": _metrics(purchases, judged, end, horizon)})
    return versioned(card, end.date())


def _fitted(
    purchases: Purchases, judged: Scorecard, end: datetime, horizon: timedelta
) -> Scorecard:
    seen = _known_before(purchases, end)
    known, counted = _gather(seen, end, horizon), _counted(horizon)
    learned = with_shares(lapse_sheet(known), list(_looked_at(_drawn(seen), end)))
    lapse = learned.model_copy(update={"tables": (*learned.tables, *_experience(judged).tables)})
    expected = expected_sheet(_gather(seen, end, counted), counted, horizon)
    return Scorecard(
        format=1,
        name="lapse-risk",
        version="unversioned",
        kind=RiskKind.LAPSE,
        provenance=_provenance(seen, known),
        span=Span.model_validate({"from": seen.first.date(), "until": end.date()}),
        data_digest=seen.digest,
        bands=judged.bands,
        points={DecisionPoint.SILENCE: lapse},
        horizon_days=horizon.days,
        expected_purchases=expected,
    )


def _looked_at(purchases: Purchases, end: datetime) -> Iterator[Values]:
    """Yield what the stream would have looked at in the time of the cut-offs.

    Not what was known at these: the stream asks of those alone who have fallen silent.
    """
    start = max(purchases.first + WARM_UP, end - MOST_ORIGINS * BETWEEN_ORIGINS)
    for bought in purchases.by_customer.values():
        for at in silences(bought, start, end):
            yield features(bought, at)


def _with_bands(card: Scorecard, purchases: Purchases, end: datetime) -> Scorecard:
    """Return the card with bands that single out the riskiest of those known at the end."""
    known = examples(purchases.before(end), end, BETWEEN_ORIGINS)
    told = [score(card, DecisionPoint.SILENCE, one.values).probability for one in known]
    bounds = np.quantile(told, [1 - _ELEVATED_SHARE, 1 - _HIGH_SHARE], method="lower").tolist()
    high = float(np.clip(bounds[1], 0.1, 0.98))
    elevated = float(np.clip(bounds[0], 0.05, high - _HYSTERESIS))
    bands = Bands(elevated=elevated, high=high, hysteresis=_HYSTERESIS)
    return card.model_copy(update={"bands": bands})


def _counted(horizon: timedelta) -> timedelta:
    """Return how long purchases are counted to learn what to expect: half the horizon, whole days.

    The cut-offs then reach closer to today, which is worth more than what is assumed of the rest.
    """
    return timedelta(days=max(1, horizon.days // 2))


def _experience(judged: Scorecard) -> Sheet:
    sheet = judged.points[DecisionPoint.SILENCE]
    tables = tuple(table for table in sheet.tables if table.feature in EXPERIENCE_FEATURES)
    return sheet.model_copy(update={"tables": tables})


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


def _gather(purchases: Purchases, end: datetime, span: timedelta) -> Known:
    """Return everything known at each cut-off, with what was bought within the span behind it."""
    drawn = _drawn(purchases)
    rows = [list(examples(drawn, cutoff, span)) for cutoff in origins(purchases.first, end, span)]
    found = list(chain.from_iterable(rows))
    _check(found, span)
    halving = BETWEEN_ORIGINS / _WEIGHT_HALVES
    return Known(
        values=np.array([_columns(example) for example in found]),
        bought=np.array([float(example.bought) for example in found]),
        # Later ones weigh more: they are more like the days to come.
        weights=np.repeat([0.5 ** (halving * n) for n in range(len(rows))], [*map(len, rows)]),
        customers=[example.customer for example in found],
    )


def _drawn(purchases: Purchases) -> Purchases:
    names = sorted(purchases.by_customer, key=lambda name: sha256(name.encode()).digest())
    chosen = {name: purchases.by_customer[name] for name in names[:MOST_CUSTOMERS]}
    return Purchases(chosen, purchases.rows, purchases.returns)


def _check(found: Sequence[Example], span: timedelta) -> None:
    if not found:
        raise TooFewPurchases(
            f"no cut-off has eight weeks before it and {span.days} days behind it"
        )
    customers = len({example.customer for example in found})
    if customers < FEWEST_CUSTOMERS:
        raise TooFewPurchases(f"{customers} customers; {FEWEST_CUSTOMERS} are needed")
    if len({example.bought == 0 for example in found}) == 1:
        raise TooFewPurchases("all customers came back, or none: there is nothing to tell apart")


def _columns(example: Example) -> list[float]:
    values = (example.values[name] for name in LEARNED_FROM)
    return [np.nan if value is None else value for value in values]


def _provenance(seen: Purchases, known: Known) -> str:
    return (
        f"Fitted on {seen.count} purchases of {len(seen.by_customer)} customers: what was known of "
        f"them at cut-offs two weeks apart, and what they bought after each; {len(known.customers)} "
        "examples, later ones weighing more. The points of experience are judgement and were not "
        "fitted: purchases do not tell it."
    )
