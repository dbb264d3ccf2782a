"""When problems open, escalate and clear: one story per rule, told in ticks."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import events as contract
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.ids import problem_id
from services.contracts.problems import Clearing
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
from tests.unit.churn_predictor.stream import RULES, Stream, new_partition, said

PROMISE = START + 10 * DAY
SECOND = timedelta(seconds=1)
_TOLD = (t.PROBLEMS, t.ASSESSMENTS)


def started(*events: Event[Any]) -> Stream:
    """Return a stream whose time has begun and that knows these events."""
    stream = Stream()
    stream.tick(START)
    stream.give(*events)
    return stream


def test_a_parcel_that_never_left_is_at_risk_then_overdue_then_late() -> None:
    stream = started(placed(), promised(by=PROMISE))

    assert stream.tick_said(PROMISE - 3 * DAY - HOUR) == []
    assert said(stream.tick_said(PROMISE - 3 * DAY)) == [("opened", "delivery_delay", "at_risk")]
    assert said(stream.tick_said(PROMISE)) == [("changed", "delivery_delay", "overdue")]
    assert said(stream.tick_said(PROMISE + DAY)) == [("changed", "delivery_delay", "late")]
    assert stream.tick_said(PROMISE + 2 * DAY) == []


def test_a_problem_of_a_parcel_names_the_zone_that_the_latest_promise_named() -> None:
    def told(zone: str | None, at: datetime) -> Event[Any]:
        event = promised(by=PROMISE, at=at)
        return event.model_copy(update={"data": event.data.model_copy(update={"time_zone": zone})})

    stream = started(placed(), told("Europe/Berlin", START), told("Europe/Rome", START + HOUR))
    stream.give(told(None, START + 2 * HOUR))
    (opening,) = stream.tick_said(PROMISE - 3 * DAY)
    (change,) = stream.tick_said(PROMISE)

    assert {e.data.destination_time_zone for e in (opening, change)} == {"Europe/Rome"}


def test_a_parcel_on_its_way_is_not_at_risk_but_becomes_overdue() -> None:
    stream = started(placed(), promised(by=PROMISE), handed_over(at=START + HOUR))

    assert stream.tick_said(PROMISE - 3 * DAY) == []
    assert said(stream.tick_said(PROMISE)) == [("opened", "delivery_delay", "overdue")]


def test_a_hand_over_told_late_takes_back_the_risk_it_would_have_prevented() -> None:
    stream = started(placed(), promised(by=PROMISE))
    stream.tick(PROMISE - 3 * DAY)
    stream.give(handed_over(at=START + DAY))

    told = stream.tick_said(PROMISE - 2 * DAY)

    assert said(told) == [("cleared", "delivery_delay", "at_risk")]
    assert told[0].data.clearing is Clearing.RETRACTED
    first, again = [
        each
        for each in stream.said_on(t.ASSESSMENTS)
        if each.data.decision_point == "before_promise"
    ]
    assert (first.data.revision, again.data.revision) == (0, 1)
    assert first.data.as_of == again.data.as_of == PROMISE - 3 * DAY
    assert first.id != again.id
    assert again.data.probability < first.data.probability


def test_what_is_told_in_time_or_changes_nothing_is_not_scored_again() -> None:
    stream = started(placed(), promised(by=PROMISE), handed_over(at=START + HOUR))
    stream.tick(PROMISE - 3 * DAY)
    before = len(stream.said_on(t.ASSESSMENTS))

    stream.give(scanned(at=PROMISE - 2 * DAY), handed_over(at=START + HOUR, event_id="once-more"))
    stream.tick(PROMISE - DAY)

    assert len(stream.said_on(t.ASSESSMENTS)) == before


def test_the_latest_risk_is_that_of_the_latest_instant_not_of_the_latest_word() -> None:
    stream = started(placed(), promised(by=PROMISE, ship_by=START + 2 * DAY))
    stream.tick(PROMISE + 2 * DAY)

    assert [each.data.decision_point for each in stream.said_on(t.CUSTOMER_RISKS)] == [
        "after_promise"
    ]


def test_who_buys_for_tomorrow_is_not_at_risk_today() -> None:
    stream = started(placed(), promised(by=START + DAY, ship_by=START))

    assert stream.tick_said(START + HOUR) == []
    assert said(stream.tick_said(START + DAY)) == [("opened", "delivery_delay", "overdue")]


def test_a_missed_shipping_limit_opens_and_the_hand_over_solves_it() -> None:
    stream = started(placed(), promised(by=PROMISE, ship_by=START + 2 * DAY))

    opened = stream.tick_said(START + 2 * DAY)
    stream.give(handed_over(at=START + 2 * DAY + HOUR))
    (cleared,) = stream.tick_said(START + 2 * DAY + 2 * HOUR)

    assert said(opened) == [("opened", "handover_overdue", "overdue")]
    assert cleared.data.clearing is Clearing.SOLVED


@pytest.mark.parametrize(
    ("delivered_at", "clearing"),
    [
        (PROMISE - HOUR, Clearing.RETRACTED),
        (PROMISE, Clearing.RETRACTED),
        (PROMISE + HOUR, Clearing.SOLVED),
    ],
)
def test_a_delivery_before_the_missed_deadline_shows_there_never_was_a_problem(
    delivered_at: datetime, clearing: Clearing
) -> None:
    stream = started(placed(), promised(by=PROMISE), handed_over(at=START + HOUR))
    stream.tick(PROMISE)

    stream.give(delivered(at=delivered_at))
    (cleared,) = stream.tick_said(PROMISE + 5 * HOUR)

    assert cleared.data.clearing is clearing


def test_a_cancelled_order_expects_nothing_more() -> None:
    stream = started(placed(), promised(by=PROMISE), cancelled(at=START + DAY))

    assert stream.tick_said(PROMISE + DAY) == []


def test_nobody_hears_of_a_problem_that_was_over_before_it_was_noticed() -> None:
    stream = started(placed(), promised(by=PROMISE), delivered(at=PROMISE + 5 * HOUR))

    assert stream.tick_said(PROMISE + 6 * HOUR) == []


def test_an_absence_waits_until_its_feed_was_heard_after_the_deadline() -> None:
    stream = started(placed(), promised(by=PROMISE), handed_over(at=START + HOUR))
    stream.heard["carrier:dhl"] = PROMISE - HOUR
    assert stream.tick_said(PROMISE) == []

    stream.heard["carrier:dhl"] = PROMISE + HOUR
    (opened,) = stream.tick_said(PROMISE + 2 * HOUR)

    assert opened.data.feed.heard_at == PROMISE + HOUR
    assert not opened.data.feed.silent


def test_a_feed_heard_just_after_the_deadline_may_still_have_to_tell_what_lay_before_it() -> None:
    settle = RULES.tolerances.feed_settle
    stream = started(placed(), promised(by=PROMISE), handed_over(at=START + HOUR))
    stream.heard["carrier:dhl"] = PROMISE + settle - SECOND
    assert stream.tick_said(PROMISE + HOUR) == []

    stream.heard["carrier:dhl"] = PROMISE + settle
    (opened,) = stream.tick_said(PROMISE + HOUR + SECOND)

    assert not opened.data.feed.silent


@pytest.mark.parametrize("silent", ["carrier:dhl", "publisher:/shop/orders"])
def test_that_a_parcel_has_left_may_be_told_by_either_side_and_both_must_have_been_heard(
    silent: str,
) -> None:
    stream = started(placed(), promised(by=PROMISE, carrier="dhl"))
    stream.tick(PROMISE - HOUR)
    stream.heard[silent] = PROMISE - HOUR
    assert stream.tick_said(PROMISE + 23 * HOUR) == []

    (worse,) = stream.tick_said(PROMISE + 24 * HOUR)

    assert (worse.data.feed.feed, worse.data.feed.silent) == (silent, True)


def test_where_the_publisher_tells_hand_overs_no_carrier_is_waited_for() -> None:
    tolerances = RULES.tolerances.model_copy(update={"carriers_tell_hand_overs": False})
    stream = Stream(new_partition(rules=replace(RULES, tolerances=tolerances)))
    stream.tick(START)
    stream.give(placed(), promised(by=PROMISE, carrier="dhl"))
    del stream.heard["carrier:dhl"]

    (opened,) = stream.tick_said(PROMISE)

    assert opened.data.feed.feed == "publisher:/shop/orders"


def test_when_the_second_side_is_heard_the_customer_is_looked_at_again() -> None:
    stream = started(placed(), promised(by=PROMISE, carrier="dhl"))
    stream.tick(PROMISE - HOUR)
    stream.heard = dict.fromkeys(stream.heard, PROMISE - HOUR)
    assert stream.tick_said(PROMISE) == []
    for second, feed in enumerate(stream.heard, 1):
        assert stream.tick_said(PROMISE + second * HOUR) == []
        stream.heard[feed] = PROMISE + second * HOUR

    (worse,) = stream.tick_said(PROMISE + 3 * HOUR)

    # The one that was heard less lately is the weaker one.
    assert (worse.data.feed.feed, worse.data.feed.silent) == ("carrier:dhl", False)


def test_a_feed_silent_for_a_day_is_waited_for_no_longer_and_the_evidence_says_so() -> None:
    stream = started(placed(), promised(by=PROMISE), handed_over(at=START + HOUR))
    stream.heard["carrier:dhl"] = PROMISE - HOUR
    assert stream.tick_said(PROMISE + 23 * HOUR) == []

    (opened,) = stream.tick_said(PROMISE + 24 * HOUR)

    assert opened.data.feed.silent


def test_promises_broken_before_the_deployment_began_raise_no_alarm() -> None:
    stream = Stream()
    stream.tick(PROMISE + 2 * DAY)
    stream.give(placed(), promised(by=PROMISE))

    assert stream.tick_said(PROMISE + 3 * DAY) == []


def test_an_open_problem_nobody_hears_of_expires_once() -> None:
    stream = started(placed(), promised(by=PROMISE))
    stream.tick(PROMISE + DAY)

    (cleared,) = stream.tick_said(PROMISE + 62 * DAY)

    assert cleared.data.clearing is Clearing.EXPIRED
    assert stream.tick_said(PROMISE + 63 * DAY) == []


def test_a_problem_keeps_its_name_through_escalation_and_clearing() -> None:
    stream = started(placed(), promised(by=PROMISE))
    events = [*stream.tick_said(PROMISE - 3 * DAY), *stream.tick_said(PROMISE)]
    stream.give(delivered(at=PROMISE + HOUR))
    events += stream.tick_said(PROMISE + 2 * HOUR)

    expected = problem_id("c-1", "sh-1", "delivery_delay", 1)
    assert [event.data.problem_id for event in events] == [expected] * 3


def test_contributions_and_intercept_add_up_to_the_assessed_probability() -> None:
    stream = started(placed(lines=3, sellers=2), promised(by=PROMISE))
    outputs = [o for o in stream.tick(PROMISE - 3 * DAY) if o.topic is t.ASSESSMENTS]

    (assessed,) = [contract.read(output.value).data for output in outputs]

    log_odds = assessed.intercept_log_odds + math.fsum(c.log_odds for c in assessed.contributions)
    assert math.isclose(
        assessed.probability, 1 / (1 + math.exp(-log_odds)), rel_tol=0, abs_tol=1e-12
    )


happenings = st.lists(
    st.tuples(
        st.sampled_from(["handed_over", "scanned", "delivered", "cancelled"]),
        st.integers(1, 13 * 24),
    ),
    max_size=6,
)


@given(happenings=happenings, data=st.data())
def test_what_is_said_at_a_tick_does_not_depend_on_the_order_within_its_step(
    happenings: list[tuple[str, int]], data: st.DataObject
) -> None:
    makers: dict[str, Callable[..., Event[Any]]] = {
        "handed_over": handed_over,
        "scanned": scanned,
        "delivered": delivered,
        "cancelled": cancelled,
    }
    events = [placed(at=START), promised(by=PROMISE, ship_by=START + 2 * DAY, at=START)]
    events += [makers[name](at=START + hours * HOUR) for name, hours in happenings]
    shuffled = list(data.draw(st.permutations(events)))

    assert _told(events) == _told(shuffled)


def _told(events: list[Event[Any]]) -> list[bytes]:
    """Tell a story in steps of twelve hours; return everything that was said, byte for byte."""
    step = timedelta(hours=12)
    stream = Stream()
    stream.tick(START - HOUR)
    outputs = []
    for n in range(1, 30):
        until = START + n * step
        stream.give(*(e for e in events if until - step <= e.time < until))
        outputs += [o.value for o in stream.tick(until) if o.key and o.topic in _TOLD]
    return outputs
