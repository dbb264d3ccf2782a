"""Recorded events become cases that know no more than the stream would have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.churn_predictor.train.replay import Case, Outcome, replay
from services.contracts.contacts import (
    ContactReason,
    OpenedBy,
    SurveyAnswered,
    SurveyKind,
    SurveySent,
)
from services.contracts.deliveries import ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.problems import DecisionPoint as Point
from services.contracts.purchases import OrderApproved, OrderLine, OrderPlaced
from services.contracts.tolerances import Tolerances
from tests.factories import DAY, HOUR, START, delivered, event, handed_over, promised, wrote


def order(number: int, score: int | None, day: float, seller: str = "s") -> list[Event[Any]]:
    """An order of a customer of its own: bought on this day, delivered and answered a week later."""
    bought, who, ids = START + day * DAY, f"c-{number}", (f"sh-{number}", f"o-{number}")
    line = OrderLine(product_id="p", seller_id=seller, price_minor=100)
    told = [
        event(OrderPlaced(order_id=ids[1], currency="EUR", lines=(line,)), at=bought, customer=who),
        promised(*ids, by=bought + 9 * DAY, ship_by=bought + 3 * DAY, at=bought, customer=who),
        event(OrderApproved(order_id=ids[1]), at=bought + HOUR, customer=who),
        handed_over(*ids, at=bought + 2 * DAY, customer=who),
        delivered(*ids, at=bought + 6 * DAY, customer=who),
    ]
    if score is not None:
        survey: dict[str, Any] = {"survey_id": f"y-{number}", "order_id": ids[1]}
        sent = SurveySent(kind=SurveyKind.CSAT, **survey)
        answered = SurveyAnswered(kind=SurveyKind.CSAT, score=score, **survey)
        told.append(event(sent, at=bought + 7 * DAY, customer=who))
        told.append(event(answered, at=bought + 8 * DAY, customer=who))
    return told


def cases(*orders: list[Event[Any]]) -> tuple[Case, ...]:
    return replay((each for order in orders for each in order), Tolerances())


def test_an_order_becomes_a_case() -> None:
    (found,) = cases(order(1, 2, 0))

    assert [snapshot.point for snapshot in found.snapshots] == [
        Point.APPROVAL,
        Point.HANDOVER,
        Point.BEFORE_PROMISE,
        Point.DELIVERY,
    ] or [snapshot.point for snapshot in found.snapshots] == [
        Point.APPROVAL,
        Point.HANDOVER,
        Point.DELIVERY,
    ]
    assert found.bought_at == START
    assert found.delivered_at == START + 6 * DAY
    assert found.outcome == Outcome(START + 8 * DAY, True, START + 7 * DAY)


def test_cases_come_by_the_time_of_purchase() -> None:
    assert [each.shipment_id for each in cases(order(1, 5, 4), order(2, 5, 1))] == ["sh-2", "sh-1"]


def test_a_parcel_whose_purchase_is_unknown_is_no_case() -> None:
    assert cases([promised(at=START)]) == ()


def test_nobody_spoke_is_no_outcome() -> None:
    (found,) = cases(order(1, None, 0))

    assert found.outcome is None


@pytest.mark.parametrize(
    ("reason", "is_bad"),
    [(ContactReason.COMPLAINT, True), (ContactReason.PRODUCT_QUESTION, False)],
)
def test_a_complaint_before_the_answer_is_the_first_word(
    reason: ContactReason, is_bad: bool
) -> None:
    spoke = wrote(order="o-1", reason=reason, at=START + DAY, customer="c-1")
    (found,) = cases([*order(1, 5, 0), spoke])

    assert found.outcome is not None
    assert found.outcome.is_bad is is_bad
    assert (found.outcome.at == START + DAY) is is_bad


def test_what_an_agent_began_is_no_complaint() -> None:
    spoke = wrote(order="o-1", by=OpenedBy.AGENT, at=START + DAY, customer="c-1")
    (found,) = cases([*order(1, 5, 0), spoke])

    assert found.outcome == Outcome(START + 8 * DAY, False, START + 7 * DAY)


def rate(of: Case, name: str) -> float | None:
    return of.snapshots[0].values[name]


def test_an_order_knows_what_became_of_others_before_its_approval() -> None:
    # The bad answer comes on day 8: for an order approved on day 7 it has not happened.
    first, blind, wise = cases(order(1, 1, 0), order(2, 5, 7), order(3, 5, 9))

    assert rate(first, "seller_bad_rate") == rate(blind, "seller_bad_rate") == 0.15
    assert rate(wise, "seller_bad_rate") is not None
    assert (rate(wise, "seller_bad_rate") or 0) > 0.15
    assert (rate(wise, "product_bad_rate") or 0) > (rate(wise, "seller_bad_rate") or 0)


def test_histories_are_frozen_at_the_approval() -> None:
    _, found = cases(order(1, 1, 0), order(2, 5, 7))

    assert {snapshot.values["seller_bad_rate"] for snapshot in found.snapshots} == {0.15}


def test_each_parcel_of_an_order_knows_its_own_sellers_past() -> None:
    both = order(9, None, 20, "s")
    told = ShipmentPromised(
        shipment_id="sh-8", order_id="o-9", promised_by=START + 29 * DAY, seller_id="t"
    )
    second = event(told, at=START + 20 * DAY, customer="c-9")
    *_, of_t, of_s = cases(order(1, 1, 0, "t"), order(2, 5, 0, "s"), [*both, second])

    assert (of_t.shipment_id, of_s.shipment_id) == ("sh-8", "sh-9")
    assert (rate(of_t, "seller_bad_rate") or 0) > (rate(of_s, "seller_bad_rate") or 0)


@given(data=st.data())
def test_events_in_any_order_make_the_same_cases(data: st.DataObject) -> None:
    events = [*order(1, 1, 0), *order(2, 5, 3, "t"), *order(3, None, 9)]
    shuffled = data.draw(st.permutations(events))

    assert replay(shuffled, Tolerances()) == replay(events, Tolerances())


@given(days=st.lists(st.integers(0, 20), min_size=1, max_size=6), cut=st.integers(0, 40))
def test_what_came_after_an_instant_changes_no_snapshot_up_to_it(days: list[int], cut: int) -> None:
    events = [e for n, day in enumerate(days) for e in order(n, 1 + n % 5, day, f"s-{n % 2}")]
    until = START + cut * DAY

    def seen(told: list[Event[Any]]) -> dict[str, Any]:
        return {
            each.shipment_id: [snapshot for snapshot in each.snapshots if snapshot.at <= until]
            for each in replay(told, Tolerances())
            if each.bought_at <= until
        }

    assert seen([each for each in events if each.time <= until]) == seen(events)
