"""Lapse risk learned from an invented shop: it foretells, knows no future, and says how good it is."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from services.churn_predictor.drift import Drift
from services.churn_predictor.experience import Experience
from services.churn_predictor.features import Values
from services.churn_predictor.rhythm import EXPERIENCE_FEATURES, Purchase, features, looks
from services.churn_predictor.scoring import Scorecard, expect, read_scorecard, score
from services.churn_predictor.train.lapse import FEWEST_CUSTOMERS, TooFewPurchases, train_lapse
from services.churn_predictor.train.lapse_evaluation import TooShort, evaluate_lapse
from services.churn_predictor.train.lapse_fitting import LEARNED_FROM
from services.churn_predictor.train.origins import WARM_UP, examples, origins, silences
from services.churn_predictor.train.purchases import Purchases
from services.churn_predictor.train.training import to_text
from services.churn_predictor.train.unseen import SeenBefore
from services.contracts.problems import Band, DecisionPoint, RiskKind
from tests.factories import DAY, START
from tests.unit.churn_predictor.stream import CARD
from tests.unit.churn_predictor.test_drift import assessed

MODELS = Path(__file__).parents[4] / "services" / "churn_predictor" / "models"
JUDGED = read_scorecard((MODELS / "lapse-risk.json").read_bytes())

LENGTH = 160
HORIZON = 28
UNTIL = date(2026, 1, 1) + timedelta(days=LENGTH - HORIZON)


def life(chance: Random) -> Iterator[Purchase]:
    """Yield a customer's purchases; some stop for good."""
    pace, stays = chance.gammavariate(1.0, 1 / 25), chance.random() < 0.6
    day = chance.uniform(0, 60)
    while day < LENGTH:
        yield Purchase(START + day * DAY, chance.uniform(5, 50))
        if not stays and chance.random() < 0.3:
            return
        day += chance.expovariate(pace)


def shop(customers: int, seed: int = 1) -> Purchases:
    chance = Random(seed)
    lives = {f"c-{number}": list(life(chance)) for number in range(customers)}
    last = Purchase(START + (LENGTH - 0.5) * DAY, 1.0)
    return Purchases({**lives, "last": [last]}, rows=0, returns=0)


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return shop(500)


@pytest.fixture(scope="module")
def card(purchases: Purchases) -> Scorecard:
    return train_lapse(purchases, JUDGED, UNTIL, HORIZON)


def bought(*days_ago: float) -> list[Purchase]:
    return [Purchase(START + (100 - days) * DAY, 10.0) for days in days_ago]


def risk(card: Scorecard, purchases: list[Purchase], known: Experience | None = None) -> float:
    values = features(purchases, START + 100 * DAY, known)
    return score(card, DecisionPoint.SILENCE, values).probability


def test_cut_offs_have_a_warm_up_before_and_a_horizon_behind_them() -> None:
    found = origins(START, START + 100 * DAY, 20 * DAY)

    assert found == [START + 80 * DAY, START + 66 * DAY]
    assert origins(START, START + WARM_UP + 20 * DAY - DAY, 20 * DAY) == []
    assert len(origins(START, START + 1000 * DAY, 20 * DAY)) == 13


def test_an_example_knows_the_past_and_is_labelled_by_the_horizon() -> None:
    cutoff = START + 50 * DAY
    before = [Purchase(START + 10 * DAY, 1.0)]
    within = [Purchase(cutoff, 1.0), Purchase(cutoff + DAY / 2, 1.0), Purchase(cutoff + 9 * DAY, 1)]
    behind = [Purchase(cutoff + 10 * DAY, 1.0)]
    purchases = Purchases({"a": [*before, *within, *behind], "new": within}, rows=0, returns=0)

    (example,) = examples(purchases, cutoff, 10 * DAY)

    assert (example.customer, example.bought) == ("a", 2)
    assert example.values == features(before, cutoff)


def test_a_trained_model_is_a_model_file(card: Scorecard, purchases: Purchases) -> None:
    again = read_scorecard(card.model_dump_json().encode())

    assert again == card
    assert card.horizon_days == HORIZON
    assert card.span is not None
    assert card.span.until == UNTIL
    assert card.data_digest == purchases.before(START + (LENGTH - HORIZON) * DAY).digest
    assert card.metrics["roc_auc"] > 0.6
    assert read_scorecard(to_text(card).encode()) == card


def test_training_is_the_same_each_time_and_knows_no_future(
    card: Scorecard, purchases: Purchases
) -> None:
    until = START + (LENGTH - HORIZON) * DAY
    future = Purchase(until, 1.0)
    other = {
        name: [*(p for p in bought if p.at < until), future]
        for name, bought in reversed(list(purchases.by_customer.items()))
    }

    assert train_lapse(Purchases(other, 0, 0), JUDGED, UNTIL, HORIZON) == card


def test_silence_raises_the_risk_and_purchases_lower_it(card: Scorecard) -> None:
    silent = [risk(card, bought(90 + days, 60 + days, 30 + days)) for days in (0, 20, 40)]

    assert silent == sorted(silent)
    assert silent[0] < silent[-1]
    assert risk(card, bought(80, 60, 40, 20, 10, 5)) < risk(card, bought(80, 5))


def test_more_is_expected_of_those_who_buy_more(card: Scorecard) -> None:
    told = [
        expect(card, features(bought(*range(1, 80, gap)), START + 100 * DAY))
        for gap in (80, 40, 20, 10, 5, 2)
    ]
    counts = [one.purchases for one in told if one is not None]

    assert counts == sorted(counts)
    assert 0 < counts[0] < 1 < counts[-1] <= HORIZON


def test_bands_single_out_the_riskiest(card: Scorecard, purchases: Purchases) -> None:
    now = START + (LENGTH - HORIZON) * DAY
    known = [e.values for e in examples(purchases, now, DAY)]
    told = [score(card, DecisionPoint.SILENCE, values) for values in known]

    low, high = (
        sum(one.band is band for one in told) / len(told) for band in (Band.LOW, Band.HIGH)
    )
    assert 0.55 <= low <= 0.7
    assert 0.1 <= high <= 0.25
    assert card.bands.hysteresis > 0


def test_what_the_stream_would_have_asked_is_no_drift_and_the_cut_offs_are(
    card: Scorecard, purchases: Purchases
) -> None:
    """Silence is looked at after some gaps of it: at a cut-off most have just bought."""
    end = START + (LENGTH - HORIZON) * DAY
    tables = {table.feature: table for table in card.points[DecisionPoint.SILENCE].tables}
    others = shop(500, seed=2).before(end).by_customer.values()
    looked_at = [
        features(bought, at) for bought in others for at in silences(bought, START + WARM_UP, end)
    ]
    known = [example.values for example in examples(purchases, end - 28 * DAY, DAY)]

    def drift(scored: list[Values]) -> dict[str, float]:
        found = Drift([card])
        for values in scored:
            found.see(assessed(card, DecisionPoint.SILENCE, **values))
        return dict(found.at(RiskKind.LAPSE, DecisionPoint.SILENCE))

    assert all(tables[feature].shares is None for feature in EXPERIENCE_FEATURES)
    as_before = drift(looked_at)
    assert as_before.keys() == {*LEARNED_FROM}
    assert max(as_before.values()) < 0.1
    assert drift(known)["recency_in_gaps"] > 0.25


def test_silences_are_those_that_the_stream_would_look_at() -> None:
    bought = [Purchase(START + day * DAY, 1.0) for day in (0, 5, 100)]
    found = list(silences(bought, START + DAY, START + 140 * DAY))

    every = [
        look
        for number in range(1, 4)
        for look in looks(bought[:number])
        if bought[number - 1].at < look < (bought[number].at if number < 3 else START + 140 * DAY)
    ]
    assert found == every
    assert len(found) > 1


def test_experience_is_carried_over_from_judgement(card: Scorecard) -> None:
    history = bought(60, 30)
    hurt = Experience(balance=-24.0, unresolved=2, strikes_left=1)
    fine = Experience(balance=0.5, unresolved=0, strikes_left=3)

    judged = {table.feature: table for table in JUDGED.points[DecisionPoint.SILENCE].tables}
    learned = {table.feature: table for table in card.points[DecisionPoint.SILENCE].tables}
    assert all(learned[name] == judged[name] for name in EXPERIENCE_FEATURES)
    assert risk(card, history, hurt) > risk(card, history, fine) == risk(card, history)


def test_it_foretells_better_than_chance_and_than_the_pace(
    card: Scorecard, purchases: Purchases
) -> None:
    found = evaluate_lapse(card, purchases, UNTIL)

    assert found.customers == sum(group.customers for group in found.calibration)
    assert found.roc_auc > 0.6
    assert found.log_loss < found.log_loss_of_base_rate
    assert abs(found.predicted - found.lapsed) < 0.15
    assert found.purchases is not None
    assert found.purchases.mae < found.purchases.mae_of_pace
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["cutoff"] == str(UNTIL)


def test_an_evaluation_counts_what_it_says() -> None:
    # Two customers: one came back twice, one did not.
    lives = {
        "back": [*bought(40, 30), Purchase(START + 103 * DAY, 1), Purchase(START + 109 * DAY, 1)],
        "gone": bought(90),
        "end": [Purchase(START + 199 * DAY, 1.0)],
    }
    cutoff = date(2026, 1, 1) + timedelta(days=100)

    found = evaluate_lapse(JUDGED, Purchases(lives, 0, 0), cutoff)

    assert (found.customers, found.lapsed, found.horizon_days) == (2, 0.5, 84)
    assert (found.roc_auc, found.roc_auc_of_purchases, found.roc_auc_of_recency) == (1.0, 1.0, 1.0)
    assert found.purchases is not None
    assert (found.purchases.bought, found.purchases.mae_of_none) == (2, 1.0)
    assert found.purchases.correlation == pytest.approx(1.0)


def test_a_model_that_has_seen_the_days_asked_about_is_not_judged_by_them(
    card: Scorecard, purchases: Purchases
) -> None:
    with pytest.raises(SeenBefore, match=str(UNTIL)):
        evaluate_lapse(card, purchases, UNTIL - timedelta(days=1))


def test_a_horizon_that_is_not_over_tells_nothing(card: Scorecard, purchases: Purchases) -> None:
    with pytest.raises(TooShort, match="28 days from 2026-05-14"):
        evaluate_lapse(card, purchases, UNTIL + timedelta(days=1))
    with pytest.raises(TooShort, match="the purchases end on 2026-06-01"):
        evaluate_lapse(card, purchases, UNTIL, date(2026, 6, 1))


def test_a_cut_off_before_the_first_purchase_tells_nothing(purchases: Purchases) -> None:
    with pytest.raises(TooShort, match="nobody had bought"):
        evaluate_lapse(JUDGED, purchases, date(2026, 1, 1))


def test_a_model_of_another_risk_is_refused(purchases: Purchases) -> None:
    with pytest.raises(ValueError, match="complaint"):
        evaluate_lapse(CARD, purchases, UNTIL)


def test_too_little_is_not_learned_from(purchases: Purchases) -> None:
    faithful = {
        f"c-{number}": [Purchase(START + day * DAY, 1.0) for day in range(0, LENGTH, 5)]
        for number in range(FEWEST_CUSTOMERS)
    }

    with pytest.raises(TooFewPurchases, match="no cut-off"):
        train_lapse(purchases, JUDGED, date(2026, 3, 1), HORIZON)
    with pytest.raises(TooFewPurchases, match=f"customers; {FEWEST_CUSTOMERS} are needed"):
        train_lapse(shop(FEWEST_CUSTOMERS - 1), JUDGED, UNTIL, HORIZON)
    with pytest.raises(TooFewPurchases, match="came back"):
        train_lapse(Purchases(faithful, 0, 0), JUDGED, UNTIL, HORIZON)
    with pytest.raises(TooFewPurchases, match="nothing was bought before 2026-01-01"):
        train_lapse(purchases, JUDGED, date(2026, 1, 1), HORIZON)
