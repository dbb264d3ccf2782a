"""From cases to a file that scores: what it holds, and that it adds up."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.churn_predictor.drift import Drift
from services.churn_predictor.scoring import Scorecard, read_scorecard, score
from services.churn_predictor.train.fitting import Effort
from services.churn_predictor.train.measures import by, useful_scores
from services.churn_predictor.train.replay import Case, Outcome, Snapshot
from services.churn_predictor.train.samples import answered_before, cases_digest, sample
from services.churn_predictor.train.training import TooLittle, to_text, train, with_bands
from services.contracts.problems import DecisionPoint as Point
from services.contracts.problems import RiskKind
from tests.factories import DAY, START
from tests.unit.churn_predictor.test_drift import assessed
from tests.unit.churn_predictor.train.cases import UNTIL, case, shop, snapshot

QUICK = Effort(bags=3, max_rounds=30, smoothing_rounds=10)


def quietly(_: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def cases() -> Sequence[Case]:
    return shop()


@pytest.fixture(scope="module")
def card(cases: Sequence[Case]) -> Scorecard:
    return train(cases, UNTIL, "invented", QUICK, quietly)


def test_a_model_survives_its_file_to_the_last_digit(card: Scorecard) -> None:
    assert read_scorecard(to_text(card).encode()) == card


def test_every_table_is_a_line_of_the_file(card: Scorecard) -> None:
    lines = to_text(card).splitlines()
    tables = sum(len(sheet.tables) for sheet in card.points.values())

    assert sum('{"feature":' in line for line in lines) == tables > 0


def test_a_fitted_model_says_where_it_comes_from(card: Scorecard, cases: Sequence[Case]) -> None:
    assert card.span is not None
    assert (card.span.start, card.span.until) == (START.date(), UNTIL.date())
    assert card.data_digest == cases_digest(cases)
    assert card.metrics["orders"] == len(cases)
    assert card.calibration


def test_the_same_records_give_the_same_model(cases: Sequence[Case], card: Scorecard) -> None:
    assert train(cases, UNTIL, "invented", QUICK, quietly) == card


def test_what_would_have_been_scored_is_no_drift_and_other_things_are(
    cases: Sequence[Case], card: Scorecard
) -> None:
    """The same shop with other luck, and one that sells more items to an order."""
    shares = [table.shares for sheet in card.points.values() for table in sheet.tables]
    assert shares
    assert all(found is not None and abs(sum(found) - 1) < 1e-5 for found in shares)

    def drift(orders: Sequence[Case], more: float = 0.0) -> dict[str, float]:
        found = Drift([card])
        for each in orders:
            for seen in each.snapshots:
                lines = seen.values["lines"]
                assert lines is not None
                found.see(assessed(card, seen.point, lines=lines + more))
        return dict(found.at(RiskKind.COMPLAINT, Point.APPROVAL))

    assert drift(shop(seed=2))["lines"] < 0.1
    assert drift(cases, more=1.0)["lines"] > 0.25


def test_orders_about_which_nobody_answered_have_their_share() -> None:
    """They are scored like all others, although nothing can be learned from them."""
    silent = [replace(each, outcome=None) for each in shop(seed=3)]
    many = [replace(each, snapshots=tuple(map(with_many_lines, each.snapshots))) for each in silent]
    fitted = train([*shop(), *many], UNTIL, "invented", QUICK, quietly)

    (table,) = (t for t in fitted.points[Point.APPROVAL].tables if t.feature == "lines")
    assert table.shares is not None
    assert table.shares[table.bin_of(9.0)] >= 0.5


def with_many_lines(seen: Snapshot) -> Snapshot:
    return replace(seen, values={**seen.values, "lines": 9.0})


def test_other_records_give_another_version_and_digest(card: Scorecard) -> None:
    other = train(shop(seed=2), UNTIL, "invented", QUICK, quietly)

    assert other.version != card.version
    assert other.data_digest != card.data_digest


def test_contributions_add_up_to_the_score(cases: Sequence[Case], card: Scorecard) -> None:
    for each in cases[:100]:
        for seen in each.snapshots:
            result = score(card, seen.point, seen.values)
            log_odds = result.intercept + sum(c.log_odds for c in result.contributions)
            said = math.log(result.probability / (1 - result.probability))
            assert abs(said - log_odds) < 1e-9


def test_it_has_learned_what_is_there_to_learn(card: Scorecard) -> None:
    easy = snapshot(Point.HANDOVER, START, lines=1.0, days_past_ship_by=-2.0).values
    hard = snapshot(Point.HANDOVER, START, lines=3.0, days_past_ship_by=2.0).values

    assert score(card, Point.HANDOVER, easy).probability < 0.25
    assert score(card, Point.HANDOVER, hard).probability > 0.55


def test_a_point_with_too_few_rows_says_the_base_rate(card: Scorecard) -> None:
    # Nothing was ever looked at there.
    assert card.points[Point.PROMISE].tables == ()
    assert card.points[Point.PROMISE].intercept == 0.0


def test_bands_flag_their_share_of_the_orders_whose_promise_has_passed(
    cases: Sequence[Case], card: Scorecard
) -> None:
    highest = [max(p for _, _, p in useful_scores(each, by(card))) for each in cases]
    for bound, share in ((card.bands.elevated, 0.2), (card.bands.high, 0.1)):
        above = sum(p > bound for p in highest) / len(highest)
        flagged = sum(p >= bound for p in highest) / len(highest)
        # Scores are steps: many orders may stand on the very bound.
        assert above < share <= flagged


def test_an_order_that_still_waits_for_its_promise_sets_no_band(card: Scorecard) -> None:
    seen = snapshot(Point.HANDOVER, START + DAY, lines=3.0, days_past_ship_by=3.0)
    waiting = [case(n, START, seen) for n in range(50)]

    assert with_bands(card, waiting, START + 5 * DAY).bands == card.bands
    assert with_bands(card, waiting, START + 30 * DAY).bands != card.bands


def test_only_what_was_answered_in_time_is_learned_from() -> None:
    bought = START + DAY
    cases = [
        case(1, START, outcome=Outcome(bought, True)),
        case(2, START, outcome=Outcome(UNTIL, True)),
        case(3, UNTIL, outcome=Outcome(UNTIL, True)),
        case(4, START),
    ]

    assert [each.shipment_id for each in answered_before(cases, UNTIL)] == ["sh-1"]


def test_a_row_after_the_survey_is_not_learned_from() -> None:
    seen = [snapshot(Point.APPROVAL, START + n * DAY, lines=1.0) for n in range(3)]
    cases = [case(n, START, each, outcome=Outcome(START + 9 * DAY, True, START + DAY))
             for n, each in enumerate(seen)]  # fmt: skip

    assert sample(cases, Point.APPROVAL, ["lines"]).values.shape == (1, 1)


@pytest.mark.parametrize("is_bad", [True, False])
def test_one_kind_of_outcome_teaches_nothing(is_bad: bool) -> None:
    same = [case(n, START, outcome=Outcome(START + DAY, is_bad)) for n in range(10)]

    with pytest.raises(TooLittle, match="of 10 orders"):
        train(same, UNTIL, "invented", QUICK, quietly)
