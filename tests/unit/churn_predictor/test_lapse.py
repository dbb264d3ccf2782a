"""Silence after a purchase: looked at in the customer's own pace, scored once a look, ended by buying."""

from typing import Any

from services.churn_predictor.expectations.rhythm import THE_CUSTOMER
from services.contracts import events as contract
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.problems import Clearing, ProblemKind, RiskKind
from tests.factories import DAY, HOUR, START, cancelled, delivered, placed, promised
from tests.unit.churn_predictor.stream import Stream

MONTHLY = tuple(placed(f"o-{n}", at=START + n * 30 * DAY) for n in range(4))
LAST = START + 90 * DAY


def silent(*events: Event[Any]) -> Stream:
    """Return a stream that knows a customer who bought every thirty days, four times."""
    stream = Stream()
    stream.tick(START - HOUR)
    stream.give(*MONTHLY, *events)
    stream.tick(LAST)
    return stream


def assessed(stream: Stream, days: float) -> list[Any]:
    """Return the lapse risks said at a tick so many days after the last purchase."""
    outputs = [o for o in stream.tick(LAST + days * DAY) if o.topic is t.ASSESSMENTS]
    facts = [contract.read(output.value).data for output in outputs]
    return [fact for fact in facts if fact.kind is RiskKind.LAPSE]


def test_silence_is_looked_at_after_one_and_a_half_usual_gaps_and_once() -> None:
    """Three gaps of 30 days and an assumed one of 60: usual are 37.5 days, the first look is at 56.25."""
    stream = silent()

    assert assessed(stream, 56.2) == []
    (found,) = assessed(stream, 56.3)
    assert found.as_of == LAST + 56.25 * DAY
    assert (found.subject, found.order_id, found.horizon_days) == (THE_CUSTOMER, None, 84)
    assert found.expected_purchases > 0
    assert assessed(stream, 60) == []


def test_a_long_silence_opens_a_problem_and_a_purchase_ends_it() -> None:
    stream = silent()
    said = [e for days in range(50, 240, 5) for e in stream.tick_said(LAST + days * DAY)]

    (opened,) = [e for e in said if e.data.kind is ProblemKind.LAPSE_RISK]
    stream.give(placed("o-9", at=LAST + 240 * DAY))
    cleared = [
        e for e in stream.tick_said(LAST + 241 * DAY) if e.data.kind is ProblemKind.LAPSE_RISK
    ]

    assert opened.data.subject == THE_CUSTOMER
    assert [e.data.clearing for e in cleared] == [Clearing.SOLVED]


def test_each_purchase_begins_anew() -> None:
    stream = silent()
    assert len(assessed(stream, 60)) == 1
    stream.give(placed("o-9", at=LAST + 61 * DAY))

    assert assessed(stream, 62) == []
    # Gaps of 30, 30, 30, 61 and the assumed 60: usual are 42.2 days, so the look is 63.3 days on.
    (again,) = assessed(stream, 61 + 63.4)

    assert again.as_of == LAST + 61 * DAY + 1.5 * DAY * 211 / 5


def test_a_cancelled_order_is_no_purchase() -> None:
    stream = silent(cancelled("o-3", at=LAST + HOUR))

    # The last that counts was a month earlier: gaps of 30, 30 and 60, so the look is at day 60 after it.
    (found,) = assessed(stream, 30.1)

    assert found.as_of == START + 60 * DAY + 1.5 * 40 * DAY


def test_a_look_that_counts_again_once_the_purchase_after_it_is_cancelled_is_said_once() -> None:
    stream = silent()
    assert len(assessed(stream, 60)) == 1
    stream.give(placed("o-9", at=LAST + 61 * DAY))
    assert assessed(stream, 62) == []

    stream.give(cancelled("o-9", at=LAST + 63 * DAY))

    assert assessed(stream, 64) == []


def test_the_looks_before_a_purchase_are_no_band_to_start_from() -> None:
    stream = silent()
    long_ago = [fact for days in range(50, 200, 5) for fact in assessed(stream, days)]
    stream.give(placed("o-9", at=LAST + 201 * DAY))
    (again,) = [fact for days in range(205, 300, 5) for fact in assessed(stream, days)][:1]

    assert long_ago[-1].previous_band is not None
    assert again.previous_band is None


def test_trouble_nobody_made_good_makes_leaving_likelier() -> None:
    calm = silent()
    kept = silent(promised(by=LAST + DAY), delivered(at=LAST + HOUR))
    broken = silent(promised(by=LAST + DAY))

    risks = [assessed(stream, 56.3)[0].probability for stream in (kept, calm, broken)]

    assert risks[0] <= risks[1] < risks[2]


def test_problems_say_what_the_customer_went_through_so_far() -> None:
    stream = silent(promised(by=LAST + DAY))

    (*_, late) = stream.tick_said(LAST + 3 * DAY)

    experience = late.data.experience
    assert (experience.unresolved, experience.strikes_left) == (1, 2)
    assert experience.balance < -11
