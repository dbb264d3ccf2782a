"""What a parcel leads to at which tick, worked out by hand."""

from datetime import datetime
from typing import Any

import pytest

from services.contracts.problems import Band, DecisionPoint, ProblemKind
from services.contracts.stream import Tick
from services.verifier.heard import Heard, Mark
from services.verifier.promises import Course, Known, World, course
from services.verifier.timeline import Timeline
from tests.factories import DAY, HOUR, SHOP, START

PROMISE = START + 5 * DAY
DAYS = 80
CARRIER, PUBLISHER = "carrier:dhl", f"publisher:{SHOP}"


def stamp(at: datetime) -> dict[str, Any]:
    return {"at": at, "source": SHOP, "id": f"e-{at.isoformat()}"}


def parcel(**slots: Any) -> dict[str, Any]:
    promise = {"told": stamp(START), "promised_by": PROMISE, "ship_by": START + 2 * DAY}
    return {"order_id": "o-1", "first_promise": promise, **slots}


def world(heard: dict[str, int]) -> World:
    """One tick a day, its number the day; each feed is heard daily until its last day."""
    ticks = [Tick(number=n, at=START + n * DAY, ends={}, barrier="b") for n in range(DAYS)]
    marks = {
        feed: [Mark(n, START + n * DAY, n + 1) for n in range(last + 1)]
        for feed, last in heard.items()
    }
    return World(Timeline(ticks), Heard([marks]))


def told(
    *story: tuple[int, dict[str, Any]],
    kind: ProblemKind = ProblemKind.DELIVERY_DELAY,
    heard: dict[str, int] | None = None,
    band: Band = Band.LOW,
) -> Course:
    known = [Known(day, slots, None) for day, slots in story]
    ends = [*(day for day, _ in story[1:]), DAYS]
    feeds = {CARRIER: DAYS, PUBLISHER: DAYS} if heard is None else heard

    def model(point: DecisionPoint) -> tuple[float, Band]:
        return 0.5, band

    return course("c-1", "sh-1", kind, known, ends, world(feeds), model)


def words(found: Course) -> list[tuple[int, str, str]]:
    return [(e.step, e.type.split(".")[2], e.data["tier"]) for e in found.expected]


def test_a_parcel_that_never_comes_is_overdue_then_late_and_given_up_after_two_months() -> None:
    # The feed of a day is known one tick later: what was heard at the deadline counts from the next.
    assert words(told((1, parcel()))) == [
        (6, "opened", "overdue"),
        (7, "changed", "late"),
        (66, "cleared", "late"),
    ]


def test_a_risk_opens_it_three_days_ahead_and_is_scored_whatever_it_is() -> None:
    risky, calm = told((1, parcel()), band=Band.ELEVATED), told((1, parcel()))

    assert words(risky)[0] == (3, "opened", "at_risk")
    assert [(s.step, s.point.value) for s in calm.scored] == [
        (3, "before_promise"),
        (6, "promise"),
        (7, "after_promise"),
    ]
    assert risky.scored == calm.scored


@pytest.mark.parametrize(("last_heard", "opened_at"), [(4, 6), (5, 6), (6, 6)])
def test_a_silent_feed_holds_the_alarm_back_for_a_day(last_heard: int, opened_at: int) -> None:
    found = told((1, parcel()), heard={PUBLISHER: last_heard})

    assert words(found)[0] == (opened_at, "opened", "overdue")
    assert found.expected[0].data["feed"]["silent"] is (last_heard < 5)


def test_once_handed_over_it_is_the_carrier_who_must_be_heard() -> None:
    with_carrier = parcel(handed_over=stamp(START + DAY), carrier="dhl")
    found = told((1, with_carrier), heard={PUBLISHER: DAYS})

    assert found.expected[0].data["feed"] == {"feed": CARRIER, "silent": True, "heard_at": None}
    assert found.expected[0].data["actor"] == "nobody"
    assert [ref["id"] for ref in found.expected[0].data["evidence"]] == [
        stamp(START)["id"],
        stamp(START + DAY)["id"],
    ]


@pytest.mark.parametrize(
    ("came", "clearing"),
    [
        (PROMISE, "retracted"),
        (PROMISE + HOUR, "retracted"),
        (PROMISE + DAY + HOUR, "solved"),
    ],
)
def test_what_came_before_the_missed_deadline_was_never_a_problem(
    came: datetime, clearing: str
) -> None:
    found = told((1, parcel()), (8, parcel(delivered=stamp(came))))

    assert words(found)[-1] == (8, "cleared", "late")
    assert found.expected[-1].data["clearing"] == clearing


def test_an_end_that_lies_ahead_ends_it_when_it_has_come() -> None:
    found = told((1, parcel()), (7, parcel(delivered=stamp(START + 8 * DAY))))

    assert words(found)[-1] == (8, "cleared", "late")


def test_a_hand_over_is_due_by_its_limit_and_any_scan_shows_it() -> None:
    kind = ProblemKind.HANDOVER_OVERDUE
    found = told((1, parcel()), (4, parcel(first_scan=stamp(START + 3 * DAY))), kind=kind)
    in_time = told((1, parcel()), (2, parcel(first_scan=stamp(START + DAY))), kind=kind)

    assert words(found) == [(3, "opened", "overdue"), (4, "cleared", "overdue")]
    assert in_time.expected == []


def test_a_promise_broken_before_time_began_is_no_news() -> None:
    old = parcel()
    old["first_promise"] |= {"promised_by": START - 2 * DAY, "ship_by": None}

    assert told((1, old)).expected == []
    assert told((1, old), kind=ProblemKind.HANDOVER_OVERDUE).scored == []
