"""Drift: nothing where all is as it was, much where it moved, and nothing said too soon."""

import math
import random
from collections.abc import Sequence

import pytest

from services.churn_predictor.drift import (
    LEAST_PER_GROUP,
    LEAST_SCORED,
    WINDOW,
    Drift,
    groups,
    stability_index,
)
from services.churn_predictor.scoring import Scorecard, Sheet, Table, score
from services.contracts.problems import DecisionPoint, RiskAssessed, RiskKind
from tests.factories import START
from tests.unit.churn_predictor.stream import CARD

POINT = DecisionPoint.PROMISE
BINS = 40
EDGES = tuple(n / BINS for n in range(1, BINS))
ENOUGH = LEAST_PER_GROUP * (10 + 1)


def fitted(shares: Sequence[float] | None = (*[1 / BINS] * BINS, 0.0)) -> Scorecard:
    """A model fitted to lines that lay evenly between 0 and 1, and were always known."""
    table = Table(
        feature="lines",
        edges=EDGES,
        points=(0.0,) * BINS,
        shares=None if shares is None else tuple(shares),
    )
    of_others = Table(feature="sellers", edges=(), points=(0.0,))
    sheet = Sheet(intercept=0.0, tables=(table, of_others))
    return CARD.model_copy(update={"points": CARD.points | {POINT: sheet}})


def assessed(card: Scorecard, point: DecisionPoint = POINT, **known: float | None) -> RiskAssessed:
    """What this model says where so much is known."""
    looked_at = (table.feature for table in card.points[point].tables)
    result = score(card, point, {**dict.fromkeys(looked_at, None), **known})
    return RiskAssessed(
        kind=card.kind,
        subject="sh-1",
        decision_point=point,
        as_of=START,
        probability=result.probability,
        band=result.band,
        model=card.name,
        model_version=card.version,
        intercept_log_odds=result.intercept,
        contributions=result.contributions,
        facts_digest="0" * 64,
    )


def told(drift: Drift) -> dict[str, float]:
    return dict(drift.at(RiskKind.COMPLAINT, POINT))


def after(lines: Sequence[float | None], card: Scorecard | None = None) -> dict[str, float]:
    drift = Drift([card or fitted()])
    for value in lines:
        drift.see(assessed(card or fitted(), lines=value))
    return told(drift)


@pytest.fixture
def dice() -> random.Random:
    return random.Random(1)


def test_the_index_is_the_divergence_of_two_distributions() -> None:
    assert stability_index([0.2, 0.8], [0.2, 0.8]) == 0.0
    assert math.isclose(stability_index([0.25, 0.75], [0.5, 0.5]), 0.25 * math.log(3))
    assert math.isclose(stability_index([0.5, 0.5], [0.25, 0.75]), 0.25 * math.log(3))
    assert 1.0 < stability_index([0.5, 0.5, 0.0], [0.0, 0.5, 0.5]) < math.inf


def test_thin_bins_are_taken_together_and_what_is_not_known_stays_alone() -> None:
    assert groups([0.02] * 50 + [0.0])[-2:] == [9, 10]
    assert groups([0.05, 0.04, 0.3, 0.01, 0.6, 0.0]) == [0, 0, 0, 1, 1, 2]
    assert groups([1.0, 0.0]) == [0, 1]


@pytest.mark.parametrize("scored", [ENOUGH, WINDOW, 2 * WINDOW])
def test_what_is_as_it_was_is_no_drift(dice: random.Random, scored: int) -> None:
    assert 0 <= after([dice.random() for _ in range(scored)])["lines"] < 0.1


def test_what_moved_is(dice: random.Random) -> None:
    assert after([dice.random() ** 2 for _ in range(WINDOW)])["lines"] > 0.25


def test_what_is_not_known_any_more_is_drift_too(dice: random.Random) -> None:
    unknown = [None if dice.random() < 0.2 else dice.random() for _ in range(WINDOW)]

    assert after(unknown)["lines"] > 0.25


def test_nothing_is_said_of_too_few(dice: random.Random) -> None:
    lines = [dice.random() for _ in range(ENOUGH)]

    assert after(lines[1:]) == {}
    assert after(lines).keys() == {"lines"}
    one_bin = fitted().model_copy(
        update={
            "points": CARD.points
            | {
                POINT: Sheet(
                    intercept=0.0,
                    tables=(Table(feature="lines", edges=(), points=(0.0,), shares=(1.0, 0.0)),),
                )
            }
        }
    )
    assert after(lines[: LEAST_SCORED - 1], one_bin) == {}
    assert after(lines[:LEAST_SCORED], one_bin) == {"lines": 0.0}


def test_only_the_last_ones_count(dice: random.Random) -> None:
    drift, card = Drift([fitted()]), fitted()
    for _ in range(WINDOW):
        drift.see(assessed(card, lines=0.0))
    assert told(drift)["lines"] > 0.25

    for _ in range(WINDOW):
        drift.see(assessed(card, lines=dice.random()))
    assert told(drift)["lines"] < 0.1
    assert {len(recent._last) for recent in drift._recent[card.kind, POINT].values()} == {WINDOW}


def test_other_points_and_models_that_know_no_shares_are_not_watched(dice: random.Random) -> None:
    lines = [dice.random() for _ in range(ENOUGH)]
    drift = Drift([fitted()])
    for value in lines:
        drift.see(assessed(CARD, DecisionPoint.DELIVERY, lines=value))

    assert told(drift) == {}
    assert list(drift.at(RiskKind.COMPLAINT, DecisionPoint.DELIVERY)) == []
    assert after(lines, fitted(shares=None)) == {}
