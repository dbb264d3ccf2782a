"""Lapse risk against what needs no model, and against Pareto/NBD, at several cut-offs of one file.

python -m bench.online_retail <online_retail.csv.gz> purchases.csv.gz
pip install lifetimes==0.11.3   # not in the locks (no release since 2020); without it two rows are missing
python -m bench.lapse_model purchases.csv.gz --at 2011-07-07 --at 2011-06-09/84

Every model of a cut-off is fitted on what had been bought before it.  Differences are model less
other, with the middle 95 % of 200 draws of customers with replacement.
"""

import importlib
import importlib.util
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from services.churn_predictor.rhythm import Purchase, features
from services.churn_predictor.scoring import Scorecard, expect, read_scorecard, score
from services.churn_predictor.train.lapse import HORIZON_DAYS, train_lapse
from services.churn_predictor.train.origins import Example, examples, silences
from services.churn_predictor.train.purchases import Purchases, midnight, read_purchases
from services.churn_predictor.train.samples import Numbers
from services.contracts.problems import DecisionPoint

Rows = NDArray[np.int64]

_SHIPPED = Path("services/churn_predictor/models/lapse-risk.json")
_DRAWS = 200
_WEEK_DAYS = 7.0
_LIBRARY = "lifetimes"
_FITTERS = ("ModifiedBetaGeoFitter", "ParetoNBDFitter")


@dataclass(frozen=True, slots=True)
class Told:
    """What one method says of each customer."""

    name: str
    risk: Numbers
    """Any number that rises with the risk."""
    expected: Numbers | None
    """Purchases within the horizon; None: it tells no number."""


@dataclass(frozen=True, slots=True)
class Split:
    """One cut-off, with the length of what is to be foretold."""

    cutoff: date
    horizon_days: int


def told_by_model(name: str, card: Scorecard, found: Sequence[Example], horizon_days: int) -> Told:
    """Return what a model file says; the number only where it is about the same horizon."""
    risk = [score(card, DecisionPoint.SILENCE, example.values).probability for example in found]
    expected = [expect(card, example.values) for example in found]
    known = [one.purchases for one in expected if one is not None]
    is_same = card.horizon_days == horizon_days and len(known) == len(found)
    return Told(name, np.array(risk), np.array(known) if is_same else None)


def told_without_model(found: Sequence[Example], horizon_days: int) -> Iterator[Told]:
    """Yield what counting tells."""
    purchases, recency, pace = (
        np.array([example.values[name] for example in found], dtype=np.float64)
        for name in ("purchases", "recency_days", "purchases_per_month")
    )
    yield Told("number of purchases", -purchases, None)
    yield Told("  the longer silence breaks ties", recency / 1000 - purchases, None)
    yield Told("recency", recency, None)
    yield Told("pace carried forward", -pace, pace * horizon_days / 30)
    yield Told("nobody comes back", np.zeros(len(found)), np.zeros(len(found)))


def told_by_library(found: Sequence[Example], horizon_days: int) -> Iterator[Told]:
    """Yield what MBG/NBD and Pareto/NBD tell, fitted on the same customers; in weeks.

    Ranked by the expected number: P(alive) is 1 where the fit sees no dropout.
    """
    if importlib.util.find_spec(_LIBRARY) is None:
        return
    columns = [[e.values[n] for e in found] for n in ("purchases", "age_days", "recency_days")]
    purchases, age, recency = (np.array(column, dtype=np.float64) for column in columns)
    history = (purchases - 1, (age - recency) / _WEEK_DAYS, age / _WEEK_DAYS)
    for name in _FITTERS:
        expected = _fitted(name, history, horizon_days / _WEEK_DAYS)
        if expected is None:
            click.echo(f"  {_LIBRARY}.{name} does not converge here", err=True)
        else:
            yield Told(f"{_LIBRARY}.{name}", -expected, expected)


def _fitted(name: str, history: Sequence[Numbers], weeks: float) -> Numbers | None:
    fitter = getattr(importlib.import_module(_LIBRARY), name)()
    try:
        # It prints what its optimizer found before it gives up.
        with redirect_stdout(io.StringIO()):
            fitter.fit(*history)
    except importlib.import_module(f"{_LIBRARY}.utils").ConvergenceError:
        return None
    ahead = fitter.conditional_expected_number_of_purchases_up_to_time
    return np.asarray(ahead(weeks, *history), dtype=np.float64)


def rows(found: Sequence[Example], all_told: Sequence[Told]) -> Iterator[str]:
    """Yield a line for each method, the first being the model the others are held against."""
    bought = np.array([float(example.bought) for example in found])
    figures = partial(_figures, bought)
    drawn = [np.random.default_rng(n).integers(0, len(bought), len(bought)) for n in range(_DRAWS)]
    model = all_told[0]
    for told in all_told:
        line = f"  {told.name:<34}" + "".join(_cell(value) for value in figures(told).values())
        yield line + (_difference(figures, model, told, drawn) if told is not model else "")


def _figures(bought: Numbers, told: Told, rows: Rows | None = None) -> dict[str, float]:
    chosen = np.arange(len(bought)) if rows is None else rows
    actual, risk = bought[chosen], told.risk[chosen]
    found = {"roc-auc": float(roc_auc_score(actual == 0, risk))}
    if told.expected is not None:
        expected = told.expected[chosen]
        same = np.ptp(expected) == 0
        found["correlation"] = 0.0 if same else float(np.corrcoef(expected, actual)[0, 1])
        found["mae"] = float(np.abs(expected - actual).mean())
        found["expected/actual"] = float(expected.sum() / actual.sum())
    return found


def _cell(value: float) -> str:
    return f"{value:>10.4f}"


def _difference(
    figures: Callable[..., dict[str, float]], model: Told, told: Told, drawn: Sequence[Rows]
) -> str:
    said = []
    for name in figures(told).keys() - {"expected/actual"}:
        gaps = [figures(model, chosen)[name] - figures(told, chosen)[name] for chosen in drawn]
        low, high = np.quantile(gaps, [0.025, 0.975])
        said.append(f"{name} {low:+.4f} … {high:+.4f}")
    return "   " + "; ".join(sorted(said))


def at_looks(card: Scorecard, purchases: Purchases, cutoff: datetime) -> str:
    """Return how the model does at the instants at which the stream would ask it."""
    horizon = timedelta(days=card.horizon_days or 0)
    asked = [
        (
            score(card, DecisionPoint.SILENCE, features(bought, at)).probability,
            _lapses(bought, at, horizon),
        )
        for bought in purchases.by_customer.values()
        for at in silences(bought, cutoff, purchases.end - horizon)
    ]
    if len({lapsed for _, lapsed in asked}) < 2:
        return "  at looks: too few"
    risk, lapsed = (np.array(column, dtype=np.float64) for column in zip(*asked, strict=True))
    return (
        f"  at looks: {len(asked)} of {len(purchases.by_customer)} customers in "
        f"{(purchases.end - horizon - cutoff).days} days, lapsed {lapsed.mean():.3f}, "
        f"predicted {risk.mean():.3f}, roc-auc {roc_auc_score(lapsed, risk):.4f}"
    )


def _lapses(bought: Sequence[Purchase], at: datetime, horizon: timedelta) -> bool:
    return not any(at < purchase.at <= at + horizon for purchase in bought)


def _split(text: str) -> Split:
    day, _, days = text.partition("/")
    return Split(date.fromisoformat(day), int(days) if days else HORIZON_DAYS)


def compare(purchases: Purchases, shipped: Scorecard, split: Split) -> Iterator[str]:
    """Yield the report of one cut-off, line by line."""
    start = midnight(split.cutoff)
    card = train_lapse(purchases, shipped, split.cutoff, split.horizon_days)
    found = list(examples(purchases, start, timedelta(days=split.horizon_days)))
    lapsed = np.mean([example.bought == 0 for example in found])
    yield f"{split.cutoff}, {split.horizon_days} days: {len(found)} customers, lapsed {lapsed:.3f}"
    yield " " * 38 + "roc-auc   correl.       mae  exp/act   difference, model less this"
    yield from rows(
        found,
        [
            told_by_model("trained model", card, found, split.horizon_days),
            *told_without_model(found, split.horizon_days),
            *told_by_library(found, split.horizon_days),
            told_by_model("shipped judgement", shipped, found, split.horizon_days),
        ],
    )
    yield at_looks(card, purchases, start)


@click.command(help=__doc__)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--at", "splits", multiple=True, required=True, help="DATE or DATE/DAYS.")
def main(file: Path, splits: Sequence[str]) -> None:
    """Compare."""
    purchases = read_purchases(file)
    shipped = read_scorecard(_SHIPPED.read_bytes())
    for split in splits:
        for line in compare(purchases, shipped, _split(split)):
            click.echo(line)


if __name__ == "__main__":
    main()
