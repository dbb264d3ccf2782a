"""An assessment made again from its record is the same, byte for byte; whatever was changed in it shows."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.assess import expected, scored
from services.churn_predictor.decide import risk_event
from services.churn_predictor.features import FEATURES
from services.churn_predictor.rerun import FORM, SUM_TOLERANCE, Outcome, Rerun, rerun
from services.churn_predictor.rules import Model
from services.churn_predictor.scoring import (
    FEATURES_OF,
    POINTS_OF,
    Link,
    Scorecard,
    model_digest,
    read_scorecard,
    score,
)
from services.contracts import events
from services.contracts.envelope import Event
from services.contracts.problems import Band, DecisionPoint, RiskAssessed, RiskKind
from tests.factories import CUSTOMER, HOUR, START
from tests.unit.churn_predictor.stream import CARD, RULES, Stream
from tests.unit.churn_predictor.test_scoring import values

MODELS = {RULES.complaint.digest: CARD}
KNOWN = dict.fromkeys(FEATURES, 1.0) | {"days_past_promise": 2.0, "days_past_ship_by": None}


def assessed(
    values: dict[str, float | None] = KNOWN,
    point: DecisionPoint = DecisionPoint.PROMISE,
    before: Band | None = None,
    card: Scorecard = CARD,
    digest: str = RULES.complaint.digest,
) -> bytes:
    """An assessment as the stream writes it."""
    fact = RiskAssessed(
        kind=RiskKind.COMPLAINT,
        order_id="o-1",
        subject="sh-1",
        decision_point=point,
        as_of=START,
        **scored(Model(card, digest), score(card, point, values, before), before),
        facts_digest="f" * 64,
    )
    return risk_event(CUSTOMER, fact, START + HOUR).encode()


def again(recorded: bytes, models: dict[str, Scorecard] = MODELS) -> Rerun:
    return rerun(events.read(recorded), recorded, models)


@given(
    values=values,
    point=st.sampled_from(sorted(POINTS_OF[RiskKind.COMPLAINT])),
    before=st.none() | st.sampled_from(Band),
)
def test_decide_on_the_recorded_inputs_is_the_recorded_result(
    values: dict[str, float | None], point: DecisionPoint, before: Band | None
) -> None:
    assert again(assessed(values, point, before)) == Rerun(Outcome.SAME, (), True, Link.LOGIT)


def test_what_a_partition_says_is_the_same_when_it_is_made_again(
    late_parcel: Callable[[Stream], list[Event[Any]]],
) -> None:
    outputs = late_parcel(Stream())

    assert len(outputs) > 1
    for event in outputs:
        assert again(event.encode()).outcome is Outcome.SAME


def test_a_record_from_before_the_intercept_of_purchases_was_told_is_the_same() -> None:
    card, point = RULES.lapse.card, DecisionPoint.SILENCE
    assert card.expected_purchases is not None
    values = dict.fromkeys(FEATURES_OF[RiskKind.LAPSE], 1.0)
    fact = RiskAssessed(
        kind=RiskKind.LAPSE,
        subject="customer",
        decision_point=point,
        as_of=START,
        **scored(RULES.lapse, score(card, point, values, None), None),
        **expected(card, values),
        facts_digest="f" * 64,
    )
    models = {RULES.lapse.digest: card}

    for told in (fact, fact.model_copy(update={"expected_intercept": None})):
        recorded = risk_event(CUSTOMER, told, START + HOUR).encode()
        assert again(recorded, models).outcome is Outcome.SAME


def change(recorded: bytes, path: str, value: Any) -> bytes:
    """The same record with one field set to something else, or taken away."""
    whole = place = json.loads(recorded)
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(whole, separators=(",", ":")).encode()


def test_a_record_that_is_only_taken_apart_and_put_together_is_the_same() -> None:
    # Else the next test could find the writing and not the change.
    assert change(
        assessed(), "data.probability", json.loads(assessed())["data"]["probability"]
    ) == (assessed())


@pytest.mark.parametrize(
    ("path", "value", "found", "adds_up"),
    [
        ("data.contributions.0.log_odds", 2.0, ["data.contributions.0.log_odds"], False),
        ("data.probability", 0.5, ["data.probability"], False),
        ("data.band", "low", ["data.band"], True),
        ("data.intercept_log_odds", -1.0, ["data.intercept_log_odds"], False),
        ("data.kind", "lapse", ["data.kind"], True),
        ("data.model", "other", ["data.model"], True),
        ("data.model_version", "0", ["data.model_version"], True),
        ("data.contributions.0.feature", "star_sign", [
            "data.contributions.0.feature",
            "data.contributions.0.value",
            "data.contributions.0.log_odds",
            "data.probability",
        ], True),
        ("data.contributions.0.value", 9.0, [
            "data.contributions.0.log_odds", "data.probability"], True),
        ("data.contributions.6", None, [
            "data.contributions.6", "data.probability"], False),
        ("data.note", "x", ["data.note"], True),
        ("data.contributions.0.note", [1], ["data.contributions.0.note"], True),
        ("id", "another", ["id"], True),
        ("source", "/shop/orders", ["source"], True),
        ("data.decision_point", "silence", ["data.decision_point"], True),
        ("data.decision_point", "approval", ["id", "data.probability"], True),
    ],
)  # fmt: skip
def test_a_falsified_field_is_found(
    path: str, value: object, found: list[str], adds_up: bool
) -> None:
    result = again(change(assessed(), path, value))

    assert result.outcome is Outcome.DIFFERS
    assert set(found) <= {difference.path for difference in result.differences}
    assert result.adds_up is adds_up


def test_a_difference_tells_both_sides() -> None:
    (found,) = again(change(assessed(), "data.band", "low")).differences

    assert (found.path, found.recorded, found.again) == ("data.band", '"low"', '"high"')


def test_a_falsified_previous_band_is_found_where_it_decides() -> None:
    # 0.29 is elevated only for who was elevated before.
    card = read_scorecard(_with_intercept(-0.9))
    alone = {**KNOWN, **dict.fromkeys(FEATURES)}
    recorded = assessed(alone, before=Band.ELEVATED, card=card, digest="d" * 64)
    assert again(recorded, {"d" * 64: card}).outcome is Outcome.SAME

    result = again(change(recorded, "data.previous_band", "low"), {"d" * 64: card})

    assert [difference.path for difference in result.differences] == ["data.band"]


def _with_intercept(intercept: float) -> bytes:
    raw = CARD.model_dump(mode="json")
    for sheet in raw["points"].values():
        sheet["intercept"] = intercept
    return json.dumps(raw).encode()


def test_bytes_that_say_the_same_in_another_way_differ_in_form() -> None:
    (found,) = again(json.dumps(json.loads(assessed())).encode()).differences

    assert found.path == FORM


def test_another_models_assessment_needs_that_model() -> None:
    raw = _with_intercept(0.5)
    recorded = assessed(card=read_scorecard(raw), digest=model_digest(raw))

    assert again(recorded) == Rerun(Outcome.MODEL_MISSING, (), True, None)
    assert again(recorded, {model_digest(raw): read_scorecard(raw)}).outcome is Outcome.SAME
    # The wrong model under that digest is no match.
    assert again(recorded, {model_digest(raw): CARD}).outcome is Outcome.DIFFERS


def test_an_assessment_from_before_digests_names_no_model() -> None:
    result = again(change(assessed(), "data.model_digest", None))

    assert result.outcome is Outcome.MODEL_MISSING


@pytest.mark.parametrize(
    ("off", "adds_up"), [(SUM_TOLERANCE / 2, True), (SUM_TOLERANCE * 2, False)]
)
def test_the_sum_must_give_the_probability(off: float, adds_up: bool) -> None:
    probability = json.loads(assessed())["data"]["probability"]

    result = again(change(assessed(), "data.probability", probability - off), {})

    assert result.outcome is Outcome.MODEL_MISSING
    assert result.adds_up is adds_up


@pytest.fixture
def late_parcel() -> Callable[[Stream], list[Event[Any]]]:
    """Tells a partition of a parcel that comes late, and returns what it assessed."""
    from services.contracts import topics as t
    from tests.factories import DAY, handed_over, placed, promised

    def tell(stream: Stream) -> list[Event[Any]]:
        stream.tick(START)
        stream.give(placed(lines=3, sellers=2), promised(by=START + 5 * DAY, at=START + HOUR))
        stream.give(handed_over(at=START + DAY))
        outputs = [o for n in range(1, 10) for o in stream.tick(START + timedelta(days=n))]
        return [events.read(o.value) for o in outputs if o.topic is t.ASSESSMENTS]

    return tell
