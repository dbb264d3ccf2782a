"""When a parcel's risk is looked at."""

from datetime import timedelta
from typing import Any

import pytest

from services.churn_predictor.decision_points import decision_points
from services.churn_predictor.facts import Facts
from services.churn_predictor.learning import learn
from services.churn_predictor.parcels import parcels
from services.contracts.envelope import Event
from services.contracts.problems import DecisionPoint as Point
from services.contracts.tolerances import Tolerances
from tests.factories import (
    DAY,
    HOUR,
    START,
    cancelled,
    delivered,
    handed_over,
    placed,
    promised,
    scanned,
)
from tests.unit.churn_predictor.happenings import approved

PROMISE = START + 10 * DAY
LIMIT = START + 2 * DAY
AT_LIMIT = (Point.HANDOVER_LIMIT, LIMIT)
TIMERS = [
    (Point.BEFORE_PROMISE, PROMISE - 3 * DAY),
    (Point.PROMISE, PROMISE),
    (Point.AFTER_PROMISE, PROMISE + DAY),
]


def points(*events: Event[Any], tolerances: Tolerances | None = None) -> list[Any]:
    facts = Facts()
    for each in (placed(at=START), promised(by=PROMISE, ship_by=LIMIT, at=START), *events):
        learn(facts, each)
    (parcel,) = parcels(facts)
    return list(decision_points(parcel, tolerances or Tolerances()))


def test_a_parcel_that_never_leaves_is_looked_at_on_every_date() -> None:
    assert points(approved(at=START + HOUR)) == [(Point.APPROVAL, START + HOUR), AT_LIMIT, *TIMERS]


def test_a_parcel_in_time_is_looked_at_when_it_leaves_and_arrives() -> None:
    left, arrived = START + DAY, START + 5 * DAY

    assert points(handed_over(at=left), delivered(at=arrived)) == [
        (Point.HANDOVER, left),
        (Point.DELIVERY, arrived),
    ]


def test_a_late_parcel_is_looked_at_while_it_is_open() -> None:
    left, arrived = LIMIT + HOUR, PROMISE + HOUR

    assert points(handed_over(at=left), delivered(at=arrived)) == [
        AT_LIMIT,
        (Point.HANDOVER, left),
        *TIMERS[:2],
        (Point.DELIVERY, arrived),
    ]


def test_a_checkpoint_is_as_good_as_the_hand_over() -> None:
    assert points(scanned(at=START + DAY), handed_over(at=START + 2 * DAY))[0] == (
        Point.HANDOVER,
        START + DAY,
    )


def test_what_happens_on_a_date_comes_before_it() -> None:
    assert AT_LIMIT not in points(handed_over(at=LIMIT))
    assert TIMERS[1] not in points(delivered(at=PROMISE))


def test_nothing_is_looked_at_once_the_order_is_cancelled() -> None:
    assert points(cancelled(at=START + 8 * DAY), delivered(at=START + 9 * DAY)) == [
        AT_LIMIT,
        TIMERS[0],
    ]


@pytest.mark.parametrize("what", [approved, handed_over])
def test_what_came_before_the_promise_is_looked_at_with_it(what: Any) -> None:
    assert points(what(at=START - DAY))[0][1] == START


def test_a_date_that_had_passed_when_it_was_promised_is_no_point() -> None:
    facts = Facts()
    learn(facts, promised(by=START + DAY, ship_by=START - HOUR, at=START))
    (parcel,) = parcels(facts)

    assert [point for point, _ in decision_points(parcel, Tolerances())] == [
        Point.PROMISE,
        Point.AFTER_PROMISE,
    ]


def test_tolerances_move_the_dates() -> None:
    patient = Tolerances(
        at_risk_before_promise=timedelta(days=1), late_after_promise=timedelta(days=4)
    )

    assert points(tolerances=patient)[1:] == [
        (Point.BEFORE_PROMISE, PROMISE - DAY),
        (Point.PROMISE, PROMISE),
        (Point.AFTER_PROMISE, PROMISE + 4 * DAY),
    ]
