"""What counts as equal between the stream's scores and those of training."""

from bench.streamed_scores import Compared, Scored, compare, offline, simulated, streamed
from services.churn_predictor.scoring import read_scorecard
from services.churn_predictor.settings import Settings

VALUES = {"lines": 1.0, "slack_days": None}


def scored(probability: float, values: dict[str, float | None] | None = None) -> Scored:
    return Scored(probability, VALUES if values is None else values)


def test_equal_scores_on_equal_values_are_equal() -> None:
    found = compare(
        {("s-1", "approval"): scored(0.25)}, {("s-1", "approval"): scored(0.25 + 1e-12)}
    )

    (approval,) = found
    assert (approval.both, approval.unequal) == (1, 0)
    assert 0 < approval.largest_difference < 1e-11


def test_another_probability_or_another_value_is_not() -> None:
    said = {("s-1", "approval"): scored(0.25), ("s-2", "approval"): scored(0.25, {"lines": 2.0})}
    expected = {("s-1", "approval"): scored(0.35), ("s-2", "approval"): scored(0.25)}

    (approval,) = compare(said, expected)
    assert approval.unequal == 2
    assert approval.largest_difference == 0.35 - 0.25


def test_what_only_one_of_them_says_is_counted_by_its_point() -> None:
    said = {("s-1", "delivery"): scored(0.1)}
    expected = {("s-1", "promise"): scored(0.2), ("s-2", "promise"): scored(0.2)}

    assert compare(said, expected) == [
        Compared("delivery", 0, 0, 1, 0, 0.0),
        Compared("promise", 0, 2, 0, 0, 0.0),
    ]


def test_a_score_is_read_back_as_it_was_said() -> None:
    said = {
        "kind": "complaint",
        "subject": "s-1",
        "decision_point": "approval",
        "probability": 0.25,
        "contributions": [
            {"feature": "lines", "value": 1.0, "log_odds": 0.1},
            # Not known: there is no value.
            {"feature": "slack_days", "log_odds": 0.2},
        ],
    }

    assert streamed([{"data": said}, {"data": said | {"kind": "lapse"}}]) == {
        ("s-1", "approval"): Scored(0.25, VALUES)
    }


def test_a_few_orders_of_the_simulated_shop_are_scored() -> None:
    events = simulated(3)
    card = read_scorecard(Settings.model_fields["model"].default.read_bytes())

    found = offline(events, card)
    assert events == sorted(events, key=lambda event: event.time)
    assert {"approval", "handover", "delivery"} <= {point for _, point in found}
