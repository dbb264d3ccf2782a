"""Every feature that a model may use can be told to a person."""

import pytest

from services.churn_predictor.scoring import FEATURES_OF
from services.churn_predictor.words import WORDS, days, in_words, number

USED = sorted({feature for features in FEATURES_OF.values() for feature in features})


@pytest.mark.parametrize("feature", USED)
def test_every_feature_a_model_may_use_has_words(feature: str) -> None:
    assert feature in WORDS, f"give {feature} a line in services/churn_predictor/words.py"


@pytest.mark.parametrize("feature", WORDS)
@pytest.mark.parametrize("value", [None, -40.0, -0.5, 0.0, 1.0, 2.0, 1e300])
def test_whatever_its_value_the_words_stand_without_the_name(
    feature: str, value: float | None
) -> None:
    said = in_words(feature, value)

    assert said
    assert "_" not in said
    assert "{" not in said


@pytest.mark.parametrize(
    ("feature", "value", "said"),
    [
        ("days_past_promise", 2.0, "the parcel is 2 days past its promise"),
        ("days_past_promise", -3.04, "the promise is 3 days away"),
        ("days_past_promise", 0.0, "the parcel is just due"),
        ("days_past_ship_by", None, "the limit for hand-over is not known"),
        ("is_with_carrier", 0.0, "the carrier does not have the parcel yet"),
        ("is_with_carrier", 1.0, "the carrier has the parcel"),
        ("lines", 1.0, "the order has 1 line"),
        ("lines", 3.0, "the order has 3 lines"),
        ("star_sign", 4.0, "star_sign is 4"),
        ("star_sign", None, "star_sign is not known"),
    ],
)
def test_values_in_words(feature: str, value: float | None, said: str) -> None:
    assert in_words(feature, value) == said


@pytest.mark.parametrize(
    ("span", "said"),
    [(0.01, "less than an hour"), (0.25, "6 hours"), (-1.0, "1 day"), (1.5, "36 hours"),
     (2.0, "2 days"), (-2.25, "2.2 days"), (60.0, "60 days")],
)  # fmt: skip
def test_days_in_words(span: float, said: str) -> None:
    assert days(span) == said


def test_numbers_keep_no_empty_decimals() -> None:
    assert [number(n) for n in (1.0, 10.0, 0.5, -2.0, 0.123)] == ["1", "10", "0.5", "-2", "0.12"]
