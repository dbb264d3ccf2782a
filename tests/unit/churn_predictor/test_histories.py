"""Histories: exact in any order of arrival and as of any instant, faded, bounded."""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor import histories
from services.churn_predictor.facts import Facts
from services.churn_predictor.histories import (
    HISTORIES_OF,
    KEPT,
    REACH,
    KeyHistory,
    Observation,
    Question,
    kept,
    observations,
    of_parcel,
    questions,
)
from services.churn_predictor.learning import learn
from services.churn_predictor.parcels import parcels
from services.churn_predictor.rates import rates
from services.contracts.contacts import SurveyAnswered, SurveyKind
from services.contracts.deliveries import ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.purchases import OrderApproved, OrderLine, OrderPlaced
from tests.factories import DAY, HOUR, START, delivered, event, handed_over

SELLER = "seller:s"
SECOND = timedelta(seconds=1)

seen = st.builds(
    Observation,
    key=st.just(SELLER),
    kind=st.sampled_from(["bad", "late", "handling"]),
    part=st.none() | st.sampled_from(["p-1", "p-2"]),
    subject=st.just("any"),
    at=st.integers(0, 23 * 3600).map(lambda seconds: START + seconds * SECOND),
    value=st.integers(-5, 100_000),
)
several = st.lists(seen, max_size=12)


def counted(observed: Iterable[Observation]) -> KeyHistory:
    found = KeyHistory()
    for each in observed:
        found.observe(each)
    return found


def bad(at: datetime, value: int = 1, part: str | None = "p-1", key: str = SELLER) -> Observation:
    return Observation(key, "bad", part, "y", at, value)


@given(observed=several, data=st.data(), hours=st.integers(0, 24))
def test_the_order_of_arrival_changes_nothing_not_even_a_digit(
    observed: list[Observation], data: st.DataObject, hours: int
) -> None:
    shuffled = data.draw(st.permutations(observed))
    asked = Question(SELLER, "p-1")

    assert counted(shuffled).answer(asked, START + hours * HOUR) == counted(observed).answer(
        asked, START + hours * HOUR
    )
    assert counted(shuffled).sums == counted(observed).sums


@given(observed=several, seconds=st.integers(0, 24 * 3600))
def test_what_came_later_is_as_if_it_had_never_come(
    observed: list[Observation], seconds: int
) -> None:
    at, asked = START + seconds * SECOND, Question(SELLER, "p-2")
    known = counted(each for each in observed if each.at <= at)
    # Nothing known is an answer of nothing, whether the history was ever begun or not.

    assert counted(observed).answer(asked, at) == known.answer(asked, at)


@given(observed=several)
def test_an_answer_is_the_faded_sum_of_the_textbook(observed: list[Observation]) -> None:
    at = START + DAY
    found = counted(observed).answer(Question(SELLER, "p-1"), at)

    for history in HISTORIES_OF["seller"]:
        mine = [
            each
            for each in observed
            if each.kind == history.kind and (not history.of_part or each.part == "p-1")
        ]
        fade = [
            1.0 if history.fades is None else math.exp(-(at - e.at) / history.fades) for e in mine
        ]
        n, s = found[history.name]
        assert math.isclose(n, math.fsum(fade), rel_tol=1e-9)
        expected = math.fsum(f * each.value for f, each in zip(fade, mine, strict=True))
        assert math.isclose(s, expected, rel_tol=1e-9, abs_tol=1e-9)


def test_a_history_halves_and_halves_again() -> None:
    fades = next(h.fades for h in HISTORIES_OF["seller"] if h.name == "seller_bad_lately")
    assert fades is not None
    history = counted([bad(START)])
    half = fades * math.log(2)

    n, _ = history.answer(Question(SELLER), START + half)["seller_bad_lately"]
    again, _ = history.answer(Question(SELLER), START + 2 * half)["seller_bad_lately"]
    kept, _ = history.answer(Question(SELLER), START + 2 * half)["seller_bad"]

    assert (round(n, 6), round(again, 6), kept) == (0.5, 0.25, 1.0)


@pytest.mark.parametrize("year", [1970, 2026, 2199])
def test_every_year_there_is_can_be_counted(year: int) -> None:
    at = datetime(year, 1, 1, tzinfo=UTC)
    late = Observation("shop", "late", None, "sh-1", at, 1)

    assert counted([late]).answer(Question("shop"), at + HOUR)["shop_late"][0] == pytest.approx(
        1, abs=0.01
    )


def test_parts_are_counted_by_themselves_and_together() -> None:
    history = counted([bad(START, 1, "p-1"), bad(START, 0, "p-2"), bad(START, 1, None)])

    assert history.answer(Question(SELLER, "p-1"), START)["product_bad"] == (1.0, 1.0)
    assert history.answer(Question(SELLER, "p-9"), START)["product_bad"] == (0.0, 0.0)
    assert history.answer(Question(SELLER, "p-1"), START)["seller_bad"] == (3.0, 2.0)
    assert "product_bad" not in history.answer(Question(SELLER, None), START)


def test_only_the_last_hours_are_remembered_one_by_one() -> None:
    history = counted(bad(START + n * HOUR) for n in range(100))

    assert len(history.recent) == REACH / HOUR + 1
    assert history.answer(Question(SELLER), START + 100 * HOUR)["seller_bad"][0] == 100


def test_of_very_many_only_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "RECENT_KEPT", 3)
    history = counted(bad(START + n * SECOND) for n in range(10))

    assert [each[0] for each in history.recent] == [START + n * SECOND for n in (7, 8, 9)]
    assert history.answer(Question(SELLER), START + 7 * SECOND)["seller_bad"][0] == 8
    # Further back than what is remembered: the answer is that of the oldest one.
    assert history.answer(Question(SELLER), START)["seller_bad"][0] == 7


def test_of_very_many_parts_those_heard_of_last_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "PARTS_KEPT", 2)
    history = counted(bad(START + n * HOUR, part=f"p-{n}") for n in range(5))

    assert set(history.parts) == {"p-3", "p-4"}


def test_what_was_not_heard_of_for_long_is_forgotten() -> None:
    history = counted([bad(START, part="p-1"), bad(START + 10 * DAY, part="p-2")])

    assert not history.forget(START + KEPT)
    assert set(history.parts) == {"p-1", "p-2"}
    assert not history.forget(START + KEPT + DAY)
    assert set(history.parts) == {"p-2"}
    assert history.forget(START + KEPT + 11 * DAY)


def told(*more: Event[Any], seller: str | None = "s") -> Facts:
    """One order as a customer's facts have it."""
    facts = Facts()
    line = OrderLine(product_id="p", seller_id=seller, category="toys", price_minor=100)
    order = OrderPlaced(order_id="o-1", currency="EUR", lines=(line,))
    promise = ShipmentPromised(
        shipment_id="sh-1",
        order_id="o-1",
        promised_by=START + 9 * DAY,
        ship_by=START + 2 * DAY,
        origin_region="BR-SP",
        destination_region="BR-RJ",
    )
    for each in (event(order), event(promise), *more):
        learn(facts, each)
    return facts


def answer(score: int, at: datetime) -> Event[Any]:
    data = SurveyAnswered(survey_id="y", kind=SurveyKind.CSAT, score=score, order_id="o-1")
    return event(data, at=at)


APPROVED = event(OrderApproved(order_id="o-1"), at=START + HOUR)


def of(facts: Facts, kind: str) -> Sequence[Observation]:
    return [each for each in observations(facts) if each.kind == kind]


def test_an_order_asks_its_seller_category_destination_and_the_shop() -> None:
    (parcel,) = parcels(told())

    assert set(questions(parcel)) == {
        Question("shop"),
        Question("seller:s", "p"),
        Question("category:toys"),
        Question("destination:BR-RJ", "BR-SP"),
    }


def test_an_order_of_nobody_asks_nobody() -> None:
    (parcel,) = parcels(told(seller=None))

    assert "seller:None" not in {question.key for question in questions(parcel)}


def two_sellers(*more: Event[Any]) -> Facts:
    """One order, of which seller s sends the dearest line and seller t another."""
    second = ShipmentPromised(
        shipment_id="sh-2",
        order_id="o-1",
        promised_by=START + 9 * DAY,
        ship_by=START + 2 * DAY,
        seller_id="t",
        origin_region="PL-14",
        destination_region="BR-RJ",
    )
    return told(event(second), *more)


def test_each_parcel_asks_its_own_seller_and_the_product_only_of_whoever_sells_it() -> None:
    first, second = (questions(parcel) for parcel in parcels(two_sellers()))

    assert Question("seller:s", "p") in first
    assert {q for q in second if q.key.startswith("seller:")} == {Question("seller:t")}


def test_a_late_parcel_is_told_to_whoever_sends_it() -> None:
    facts = two_sellers(
        handed_over("sh-1", at=START + DAY), handed_over("sh-2", at=START + 5 * DAY)
    )

    sellers = {(o.key, o.value) for o in of(facts, "late") if o.key.startswith("seller:")}
    assert sellers == {("seller:s", 0), ("seller:t", 1)}


def test_a_seller_is_known_by_the_promise_where_the_purchase_is_not() -> None:
    facts = two_sellers()
    facts.orders.clear()

    asked = [{q.key for q in questions(parcel)} for parcel in parcels(facts)]

    assert ["seller:t" in keys for keys in asked] == [False, True]


def test_each_parcel_knows_what_its_own_seller_and_lane_were_answered() -> None:
    facts = two_sellers(APPROVED)
    first, second = parcels(facts)
    asked = dict.fromkeys((*questions(first), *questions(second)))
    answers = {"seller:s": {"seller_late": (9.0, 9.0)}, "shop": {"shop_late": (3.0, 1.0)}}
    lanes = {"BR-SP": {"lane_transit": (1.0, 5.0)}, "PL-14": {"lane_transit": (2.0, 6.0)}}

    first.order.histories = kept(
        (q, answers.get(q.key) or lanes.get(q.part or "") or {}) for q in asked
    )

    names = ("seller_late", "shop_late", "lane_transit")
    assert [of_parcel(first).get(name) for name in names] == [(9.0, 9.0), (3.0, 1.0), (1.0, 5.0)]
    assert [of_parcel(second).get(name) for name in names] == [(0.0, 0.0), (3.0, 1.0), (2.0, 6.0)]
    assert rates(of_parcel(second)).seller_late == rates({"shop_late": (3.0, 1.0)}).seller_late


def test_nothing_has_happened_yet() -> None:
    assert not observations(told(APPROVED))


@pytest.mark.parametrize(("score", "value"), [(2, 1), (3, 0)])
def test_an_answer_is_told_to_seller_category_and_shop(score: int, value: int) -> None:
    at = START + 5 * DAY

    assert {(o.key, o.part, o.value, o.at) for o in of(told(answer(score, at)), "bad")} == {
        ("shop", None, value, at),
        ("seller:s", "p", value, at),
        ("category:toys", None, value, at),
    }


def test_an_order_in_two_parcels_has_one_answer() -> None:
    second = ShipmentPromised(
        shipment_id="sh-2", order_id="o-1", promised_by=START + DAY, destination_region="BR-SP"
    )
    facts = told(answer(1, START + DAY), event(second, at=START + 2 * DAY))

    assert len(of(facts, "bad")) == 3


@pytest.mark.parametrize(("days", "value"), [(2, 0), (3, 1)])
def test_a_hand_over_is_late_or_not_for_seller_and_shop(days: int, value: int) -> None:
    left = START + days * DAY

    assert {(o.key, o.value, o.at) for o in of(told(handed_over(at=left)), "late")} == {
        ("shop", value, left),
        ("seller:s", value, left),
    }


def test_handling_is_told_when_both_ends_are_known() -> None:
    early = told(handed_over(at=START), APPROVED)

    assert {(o.at, o.value) for o in of(early, "handling")} == {(START + HOUR, -3600)}
    assert not of(told(handed_over(at=START)), "handling")


def test_a_delivery_is_told_to_destination_and_shop_with_its_lane() -> None:
    facts = told(handed_over(at=START + DAY), delivered(at=START + 4 * DAY))

    assert {(o.key, o.part, o.value) for o in of(facts, "transit")} == {
        ("shop", None, 3 * 86400),
        ("destination:BR-RJ", "BR-SP", 3 * 86400),
    }


def test_a_transit_beyond_belief_is_cut() -> None:
    facts = told(handed_over(at=START), delivered(at=START + 300 * DAY))

    assert {o.value for o in of(facts, "transit")} == {90 * 86400}


def test_rates_without_histories_are_the_priors() -> None:
    found = rates({})

    assert (found.shop_bad, found.seller_bad, found.product_bad) == (0.15, 0.15, 0.15)
    assert (found.handling_days, found.transit_days) == (3.0, 10.0)


def test_a_rate_is_drawn_to_its_parent() -> None:
    found = rates({"shop_bad": (80.0, 40.0), "seller_bad": (20.0, 0.0)})

    assert found.shop_bad == (40 + 20 * 0.15) / 100
    assert found.seller_bad == found.shop_bad / 2
    assert found.category_bad == found.shop_bad


def test_a_lane_is_drawn_to_its_destination() -> None:
    day = 86400.0
    found = rates({"destination_transit": (5.0, 5 * 20 * day), "lane_transit": (5.0, 5 * 30 * day)})

    assert found.transit_days == ((20 + 10) / 2 + 30) / 2
