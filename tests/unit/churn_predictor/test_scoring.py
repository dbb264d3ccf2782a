"""Scores add up, and a file that cannot be meant is no model."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import services.churn_predictor
from services.churn_predictor import rhythm
from services.churn_predictor.features import FEATURES
from services.churn_predictor.scoring import (
    POINTS_OF,
    Bands,
    Link,
    Table,
    UnusableModel,
    expect,
    model_digest,
    read_scorecard,
    score,
)
from services.contracts.problems import Band, DecisionPoint, RiskKind
from tests.unit.churn_predictor.stream import CARD

MODELS = Path(services.churn_predictor.__file__).parent / "models"
COMPLAINT = json.loads((MODELS / "complaint-risk.json").read_bytes())
POINTS = sorted(POINTS_OF[RiskKind.COMPLAINT])

values = st.fixed_dictionaries(
    {name: st.none() | st.floats(-100, 100, allow_nan=False) for name in FEATURES}
)


@given(values=values, point=st.sampled_from(POINTS))
def test_a_score_is_exactly_the_sum_of_its_parts(
    values: dict[str, float | None], point: DecisionPoint
) -> None:
    result = score(CARD, point, values)

    log_odds = math.fsum([result.intercept, *(c.log_odds for c in result.contributions)])
    assert math.isclose(result.probability, 1 / (1 + math.exp(-log_odds)), rel_tol=1e-15)


@pytest.mark.parametrize(
    ("value", "points"), [(None, 9.0), (-1.0, 0.0), (0.0, 0.0), (0.5, 1.0), (3.0, 2.0)]
)
def test_a_value_on_an_edge_belongs_to_the_lower_bin(value: float | None, points: float) -> None:
    table = Table(feature="lines", edges=(0.0, 1.0), points=(0.0, 1.0, 2.0), missing=9.0)

    assert table.lookup(value) == points


def test_the_shipped_scorecard_scores_as_it_always_did() -> None:
    known = dict.fromkeys(FEATURES, None) | {
        "days_past_promise": 1.0,
        "days_past_ship_by": 3.0,
        "is_with_carrier": 0.0,
        "lines": 2.0,
        "sellers": 2.0,
        "estimate_moved_days": 1.0,
        "contacts_about_order": 1.0,
    }
    log_odds = -2.0 + 2.5 + 1.0 + 1.25 + 0.5 + 1.0 + 0.5 + 0.75

    for point in ("handover_limit", "before_promise", "promise", "after_promise"):
        result = score(CARD, DecisionPoint(point), known)
        assert result.probability == 1 / (1 + math.exp(-log_odds))


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.json")), ids=lambda path: path.stem)
def test_no_shipped_model_was_fitted_to_records_that_forbid_business(path: Path) -> None:
    card = read_scorecard(path.read_bytes())

    assert "not for commercial use" not in card.provenance


def test_bands_begin_at_their_bound() -> None:
    bands = Bands(elevated=0.3, high=0.6)

    assert [bands.of(p) for p in (0.29, 0.3, 0.59, 0.6)] == [
        Band.LOW,
        Band.ELEVATED,
        Band.ELEVATED,
        Band.HIGH,
    ]


@pytest.mark.parametrize(
    ("before", "bands"),
    [
        (Band.LOW, [Band.LOW, Band.LOW, Band.ELEVATED, Band.ELEVATED, Band.HIGH]),
        (Band.ELEVATED, [Band.LOW, Band.ELEVATED, Band.ELEVATED, Band.ELEVATED, Band.HIGH]),
        (Band.HIGH, [Band.LOW, Band.ELEVATED, Band.ELEVATED, Band.HIGH, Band.HIGH]),
    ],
)
def test_a_band_is_left_only_well_below_its_bound(before: Band, bands: list[Band]) -> None:
    rule = Bands(elevated=0.3, high=0.6, hysteresis=0.1)

    assert [rule.of(p, before) for p in (0.19, 0.25, 0.4, 0.55, 0.6)] == bands


@pytest.mark.parametrize("link", Link)
@pytest.mark.parametrize("total", [-1e4, -1.0, 0.0, 1.0, 1e4])
def test_every_sum_of_points_is_a_probability(link: Link, total: float) -> None:
    assert 0.0 <= link.probability(total) <= 1.0


def test_the_logarithm_of_a_probability_is_a_link_of_its_own() -> None:
    assert Link.LOG.probability(math.log(0.25)) == 0.25
    assert Link.LOG.probability(0.5) == 1.0


def changed(**changes: Any) -> bytes:
    """The shipped model's file with something else in it."""
    return json.dumps(CARD.model_dump(mode="json") | changes).encode()


def with_tables(*tables: Mapping[str, object]) -> dict[str, Any]:
    points: dict[str, Any] = CARD.model_dump(mode="json")["points"]
    return {"points": points | {"promise": {"intercept": 0.0, "tables": tables}}}


def without(point: str) -> dict[str, Any]:
    points: dict[str, Any] = CARD.model_dump(mode="json")["points"]
    return {"points": {name: sheet for name, sheet in points.items() if name != point}}


NO_SHARES: dict[str, object] = {}
LINES: dict[str, object] = {"feature": "lines", "edges": [], "points": [0.0]}


def test_a_model_survives_its_file() -> None:
    assert read_scorecard(changed()) == CARD


def test_shares_decide_nothing_and_a_file_from_before_them_is_a_model() -> None:
    plain, telling = (
        read_scorecard(changed(**with_tables(LINES | more)))
        for more in (NO_SHARES, {"shares": [0.9, 0.1]})
    )
    values = dict.fromkeys(FEATURES, 1.0)

    assert plain.points[DecisionPoint.PROMISE].tables[0].shares is None
    assert score(plain, DecisionPoint.PROMISE, values) == score(
        telling, DecisionPoint.PROMISE, values
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"format": 2}, "format"),
        (with_tables(LINES | {"shares": [1.0]}), "one more share than points"),
        (with_tables(LINES | {"shares": [0.5, 0.4]}), "shares must add up to 1"),
        (with_tables(LINES | {"shares": [1.5, -0.5]}), "shares"),
        ({"colour": "blue"}, "colour"),
        ({"version": "two words"}, "version"),
        ({"provenance": ""}, "provenance"),
        ({"data_digest": "abc"}, "data_digest"),
        ({"kind": "mood"}, "kind"),
        ({"kind": "lapse"}, "must score at silence|cannot score at"),
        ({"metrics": {"roc_auc": "high"}}, "metrics"),
        ({"span": {"from": "2018-01-01", "til": "2018-02-01"}}, "til"),
        ({"bands": {"elevated": 0.6, "high": 0.3}}, "elevated must lie below high"),
        ({"bands": {"elevated": 0.3, "high": 1.3}}, "bands.high"),
        ({"bands": {"elevated": 0.3, "high": 0.6, "hysteresis": 0.3}}, "no band is ever left"),
        (without("delivery"), "must score at delivery"),
        (with_tables({**LINES, "feature": "star_sign"}), "no feature 'star_sign'"),
        (with_tables({**LINES, "edges": [1.0]}), "one more point than edges"),
        (with_tables({**LINES, "edges": [2.0, 1.0], "points": [0, 0, 0]}), "edges must rise"),
        (with_tables({**LINES, "edges": [1.0, 1.0], "points": [0, 0, 0]}), "edges must rise"),
        (with_tables({**LINES, "points": [float("nan")]}), "finite"),
        (with_tables(LINES, LINES), "more than one table"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UnusableModel, match=complaint):
        read_scorecard(changed(**changes))


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff"])
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(UnusableModel):
        read_scorecard(raw)


def test_a_complaint_model_has_no_business_at_silence() -> None:
    points = CARD.model_dump(mode="json")["points"]
    silence = {"points": points | {"silence": points["promise"]}}

    with pytest.raises(UnusableModel, match="cannot score at silence"):
        read_scorecard(changed(**silence))


def test_any_change_of_the_file_changes_its_digest() -> None:
    assert model_digest(changed()) == model_digest(changed())
    assert model_digest(changed()) != model_digest(changed(version="3"))


LAPSE = json.loads((MODELS / "lapse-risk.json").read_bytes())
SHEET = {"link": "log", "intercept": 0.0, "tables": []}


@given(
    values=st.fixed_dictionaries(
        {name: st.none() | st.floats(-100, 1000, allow_nan=False) for name in rhythm.FEATURES}
    )
)
def test_the_purchases_expected_are_the_product_of_their_parts(
    values: dict[str, float | None],
) -> None:
    told = expect(read_scorecard(json.dumps(LAPSE).encode()), values)

    assert told is not None
    total = math.fsum([told.intercept, *(c.log_odds for c in told.contributions)])
    assert abs(math.log(told.purchases) - total) < 1e-9


def test_more_than_one_purchase_a_day_is_not_expected() -> None:
    card = read_scorecard(
        json.dumps(LAPSE | {"expected_purchases": SHEET | {"intercept": 1e300}}).encode()
    )

    told = expect(card, {})
    assert told is not None
    assert math.isclose(told.purchases, LAPSE["horizon_days"])


def test_a_model_may_tell_no_number_of_purchases() -> None:
    card = read_scorecard(json.dumps(LAPSE | {"expected_purchases": None}).encode())

    assert expect(card, {}) is None


@pytest.mark.parametrize(
    ("base", "changes", "complaint"),
    [
        (LAPSE, {"horizon_days": None}, "lapse risk needs horizon_days"),
        (LAPSE, {"horizon_days": 0}, "horizon_days"),
        (COMPLAINT, {"horizon_days": 56}, "complaint risk has no horizon_days"),
        (COMPLAINT, {"expected_purchases": SHEET}, "complaint risk has no expected_purchases"),
        (LAPSE, {"expected_purchases": SHEET | {"link": "logit"}}, "the link must be log"),
        (
            LAPSE,
            {
                "expected_purchases": SHEET
                | {"tables": [{"feature": "lines", "edges": [], "points": [0.0]}]}
            },
            "expected_purchases: no feature 'lines'",
        ),
    ],
)
def test_what_belongs_to_lapse_risk_alone_is_asked_of_it_alone(
    base: dict[str, Any], changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UnusableModel, match=complaint):
        read_scorecard(json.dumps(base | changes).encode())
