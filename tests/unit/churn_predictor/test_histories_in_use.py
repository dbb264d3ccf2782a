"""When histories are told and asked at all: where the model looks at them, or the deployment says so."""

from dataclasses import replace
from typing import Any

import pytest

from services.churn_predictor.app import owners
from services.churn_predictor.facts import Facts
from services.churn_predictor.features import FROM_HISTORIES, features
from services.churn_predictor.learning import learn
from services.churn_predictor.parcels import parcels
from services.churn_predictor.rules import Model, Rules
from services.churn_predictor.scoring import read_scorecard
from services.churn_predictor.settings import HistoriesUse, Settings
from services.kit.kafka_clients import partition_of
from tests.factories import DAY, HOUR, START, placed, promised
from tests.unit.churn_predictor.happenings import approved
from tests.unit.churn_predictor.stream import CARD, RULES
from tests.unit.churn_predictor.test_scoring import changed, with_tables

RICH = {
    name: (50.0, 400_000.0 if name.endswith(("handling", "transit")) else 45.0)
    for name in (
        *("seller_bad", "seller_bad_lately", "product_bad", "seller_late", "seller_handling"),
        *("category_bad", "destination_transit", "lane_transit"),
        *("shop_bad", "shop_late", "shop_handling", "shop_transit"),
    )
}
"""An answer to everything, far from what is usual."""


def settings(**more: Any) -> Settings:
    return Settings(kafka_bootstrap_servers="nowhere:9", partitions=4, **more)


def looking_at(feature: str) -> Rules:
    tables = with_tables({"feature": feature, "edges": [], "points": [0.0]})
    return replace(RULES, complaint=Model(read_scorecard(changed(**tables)), "digest"))


def test_the_features_that_are_named_are_those_that_histories_change() -> None:
    facts = Facts()
    for event in (placed(at=START), promised(by=START + 9 * DAY), approved(at=START + HOUR)):
        learn(facts, event)
    (parcel,) = parcels(facts)
    without = features(parcel, facts, START + DAY)
    parcel.order.histories = RICH
    given = features(parcel, facts, START + DAY)

    assert {name for name in given if given[name] != without[name]} == FROM_HISTORIES


@pytest.mark.parametrize("feature", sorted(FROM_HISTORIES))
def test_they_are_told_where_the_model_looks_at_one(feature: str) -> None:
    assert owners(settings(), looking_at(feature)).are_used
    assert not owners(settings(histories=HistoriesUse.OFF), looking_at(feature)).are_used


def test_they_are_not_told_where_the_model_looks_at_none_unless_the_deployment_says_so() -> None:
    assert CARD.points.keys()
    assert not owners(settings(), looking_at("lines")).are_used
    assert owners(settings(histories="on"), looking_at("lines")).are_used
    assert RULES.features.isdisjoint(FROM_HISTORIES) is not owners(settings(), RULES).are_used


def test_a_key_belongs_where_kafka_would_put_it() -> None:
    found = owners(settings(histories="on"), RULES)

    assert found.partitions == 4
    keys = [f"seller:s-{n}" for n in range(50)]
    assert [found.of(key) for key in keys] == [partition_of(key.encode(), 4) for key in keys]
