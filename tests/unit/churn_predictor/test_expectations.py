"""Every kind of problem: when it opens, worsens and ends.  The first of January 2026 is a Thursday."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.contacts import OpenedBy, ReplyBy, SurveyKind
from services.contracts.deliveries import CheckpointStatus
from services.contracts.envelope import Event
from services.contracts.problems import TIERS_OF, Actor, ProblemKind
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
    wrote,
)
from tests.unit.churn_predictor.happenings import (
    abandoned,
    answered,
    approved,
    payment_failed,
    promised_to,
    refund_paid,
    refund_promised,
    reopened,
    replied,
    resolved,
    searched,
    seen,
)
from tests.unit.churn_predictor.stream import RULES, Stream

FAR = START + 300 * DAY
"""A promise so far ahead that nothing about the delivery itself is said."""
FOREVER = datetime.fromisoformat("2100-01-01T00:00:00+00:00")
_Status = CheckpointStatus


def started(*events: Event[Any]) -> Stream:
    """Return a stream whose time has begun, that knows these events and hears everybody."""
    stream = Stream()
    stream.heard["scans:dhl"] = FOREVER
    stream.tick(START - HOUR)
    stream.give(*events)
    return stream


def told(stream: Stream, at: datetime) -> list[tuple[str, ...]]:
    """Return what is said at a tick: opened and worse with the tier, cleared with how."""
    return [
        (e.data.kind.value, e.type.split(".")[2], str(getattr(e.data, "clearing", e.data.tier)))
        for e in stream.tick_said(at)
    ]


def parcel(**more: Any) -> list[Event[Any]]:
    """Return an order and its parcel with the carrier, since Thursday 01:00."""
    return [placed(), promised(by=FAR), handed_over(at=START + HOUR, **more)]


def test_a_parcel_not_scanned_two_business_days_after_the_hand_over_is_missing() -> None:
    stream = started(*parcel())
    due = START + 4 * DAY + HOUR

    assert told(stream, due - timedelta(minutes=1)) == []
    assert told(stream, due) == [("first_scan_missing", "opened", "overdue")]
    stream.give(scanned(at=due + HOUR))
    assert told(stream, due + 2 * HOUR) == [("first_scan_missing", "cleared", "solved")]


def test_the_recipients_weekend_counts() -> None:
    """Friday 13:00 in UTC is Saturday in Auckland: two business days later it is Tuesday 02:00 there."""
    friday = START + DAY + 13 * HOUR
    stream = started(placed(), promised_to("Pacific/Auckland", FAR), handed_over(at=friday))

    assert told(stream, START + 4 * DAY + 13 * HOUR - HOUR) == []
    assert told(stream, START + 4 * DAY + 13 * HOUR) == [
        ("first_scan_missing", "opened", "overdue")
    ]


def test_a_carrier_that_never_told_a_scan_proves_nothing_by_telling_none() -> None:
    stream = started(*parcel())
    del stream.heard["scans:dhl"]

    assert told(stream, START + 40 * DAY) == []
    stream.heard["scans:dhl"] = START + 40 * DAY
    assert told(stream, START + 41 * DAY) == [("first_scan_missing", "opened", "overdue")]


def test_who_waits_for_a_feed_is_not_looked_at_until_it_is_heard() -> None:
    stream = started(*parcel())
    stream.heard["scans:dhl"] = START
    stream.tick(START + 4 * DAY + 2 * HOUR)
    stream.partition.customers.settle()

    stream.tick(START + 4 * DAY + 3 * HOUR)

    assert list(stream.partition.customers.changes()) == []
    assert len(stream.partition.waiting) == 1


def test_a_parcel_that_stopped_moving_stalls_and_a_scan_ends_it() -> None:
    stream = started(*parcel(), scanned(at=START + 2 * HOUR))
    due = START + 6 * DAY + 2 * HOUR  # Thursday to Wednesday: four business days

    assert told(stream, due) == [("scan_stalled", "opened", "overdue")]
    stream.give(scanned(at=due + HOUR))
    assert told(stream, due + 2 * HOUR) == [("scan_stalled", "cleared", "solved")]
    again = due + HOUR + 6 * DAY
    (opened,) = stream.tick_said(again)
    assert (opened.data.kind, opened.data.episode) == (ProblemKind.SCAN_STALLED, 2)


def test_who_took_a_parcel_over_is_the_one_to_be_heard() -> None:
    stream = started(*parcel(), scanned(carrier="zeta", at=START + 2 * HOUR))
    due = START + 6 * DAY + 2 * HOUR
    stream.heard["scans:zeta"] = START + 2 * HOUR

    assert told(stream, due) == []
    stream.heard["scans:zeta"] = due + HOUR
    assert told(stream, due + HOUR) == [("scan_stalled", "opened", "overdue")]


def test_a_scan_that_came_late_shows_that_it_never_stalled() -> None:
    stream = started(*parcel(), scanned(at=START + 2 * HOUR))
    due = START + 6 * DAY + 2 * HOUR
    stream.tick(due)

    stream.give(scanned(at=due - HOUR))

    assert told(stream, due + HOUR) == [("scan_stalled", "cleared", "retracted")]


def test_out_for_delivery_and_not_delivered_the_next_business_day_stalls() -> None:
    stream = started(*parcel(), seen(_Status.OUT_FOR_DELIVERY, at=START + 8 * HOUR))

    assert told(stream, START + DAY + 8 * HOUR) == [("scan_stalled", "opened", "overdue")]
    stream.give(delivered(at=START + DAY + 9 * HOUR))
    assert told(stream, START + DAY + 10 * HOUR) == [("scan_stalled", "cleared", "solved")]


@pytest.mark.parametrize(
    ("substatus", "actor"),
    [("007", Actor.CUSTOMER), ("012", Actor.US), ("005", Actor.NOBODY), (None, Actor.NOBODY)],
)
def test_an_exception_is_said_at_once_and_who_can_act(substatus: str | None, actor: Actor) -> None:
    stream = started(*parcel(), seen(_Status.EXCEPTION, substatus, at=START + 5 * HOUR))

    (opened,) = stream.tick_said(START + 5 * HOUR)

    assert (opened.data.kind, opened.data.actor) == (ProblemKind.DELIVERY_EXCEPTION, actor)
    assert opened.data.feed is None


def test_who_could_act_on_an_exception_is_not_asked_of_what_came_after_it() -> None:
    stream = started(*parcel(), seen(_Status.EXCEPTION, "005", at=START + 5 * HOUR))
    stream.tick(START + 5 * HOUR)
    stream.give(seen(_Status.ATTEMPT_FAIL, "002", at=START + 11 * HOUR))

    cleared, *_ = stream.tick_said(START + 11 * HOUR)
    assert (cleared.data.kind, cleared.data.actor) == (
        ProblemKind.DELIVERY_EXCEPTION,
        Actor.NOBODY,
    )


def test_an_exception_told_again_is_no_news_and_movement_ends_it() -> None:
    stream = started(*parcel(), seen(_Status.EXCEPTION, "005", at=START + 5 * HOUR))
    stream.tick(START + 5 * HOUR)
    stream.give(seen(_Status.EXCEPTION, "005", at=START + 9 * HOUR))
    assert told(stream, START + 10 * HOUR) == []
    stream.give(scanned(at=START + 11 * HOUR))
    assert told(stream, START + 11 * HOUR) == [("delivery_exception", "cleared", "solved")]
    stream.give(seen(_Status.EXCEPTION, "005", at=START + 12 * HOUR))
    assert told(stream, START + 12 * HOUR) == [("delivery_exception", "opened", "overdue")]


def test_a_failed_attempt_is_said_at_once_and_is_overdue_when_it_is_not_repeated() -> None:
    stream = started(*parcel(), seen(_Status.ATTEMPT_FAIL, "002", at=START + 9 * HOUR))

    assert told(stream, START + 9 * HOUR) == [("attempt_failed", "opened", "at_risk")]
    assert told(stream, START + DAY + 9 * HOUR) == [("attempt_failed", "changed", "overdue")]
    stream.give(seen(_Status.OUT_FOR_DELIVERY, at=START + DAY + 10 * HOUR))
    assert told(stream, START + DAY + 10 * HOUR) == [("attempt_failed", "cleared", "solved")]


def test_a_parcel_waiting_in_a_shop_becomes_overdue_and_late() -> None:
    stream = started(*parcel(), seen(_Status.AVAILABLE_FOR_PICKUP, at=START + 9 * HOUR))

    assert told(stream, START + 5 * DAY + 9 * HOUR) == [("pickup_waiting", "opened", "overdue")]
    assert told(stream, START + 7 * DAY + 9 * HOUR) == [("pickup_waiting", "changed", "late")]
    stream.give(delivered(at=START + 7 * DAY + 10 * HOUR))
    assert told(stream, START + 7 * DAY + 10 * HOUR) == [("pickup_waiting", "cleared", "solved")]


def test_a_cancelled_order_ends_everything_about_its_parcel() -> None:
    stream = started(*parcel(), seen(_Status.ATTEMPT_FAIL, at=START + 9 * HOUR))
    stream.tick(START + 9 * HOUR)

    stream.give(cancelled(at=START + 10 * HOUR))

    assert told(stream, START + 10 * HOUR) == [("attempt_failed", "cleared", "solved")]
    assert told(stream, START + 20 * DAY) == []


def test_a_refund_is_overdue_at_its_first_date_then_late_and_paying_ends_it() -> None:
    by = START + 5 * DAY
    stream = started(refund_promised(by), refund_promised(by + 5 * DAY, at=START + DAY))

    (opened,) = stream.tick_said(by)
    assert (opened.data.kind, opened.data.promised_by) == (ProblemKind.REFUND_OVERDUE, by)
    assert told(stream, by + 3 * DAY) == [("refund_overdue", "changed", "late")]
    stream.give(refund_paid(at=by + 3 * DAY + HOUR))
    assert told(stream, by + 4 * DAY) == [("refund_overdue", "cleared", "solved")]


def test_two_failed_payments_for_one_order_are_said_and_approval_ends_it() -> None:
    stream = started(placed(), payment_failed(at=START))
    assert told(stream, START + HOUR) == []

    stream.give(payment_failed(at=START + 2 * HOUR))
    assert told(stream, START + 2 * HOUR) == [("payment_failed", "opened", "overdue")]
    stream.give(approved(at=START + 3 * HOUR))
    assert told(stream, START + 3 * HOUR) == [("payment_failed", "cleared", "solved")]


def test_failed_payments_for_a_cart_end_with_the_next_order_or_expire() -> None:
    failures = [payment_failed(None, "cart-1", at=START + n * HOUR) for n in (0, 1)]
    bought, waits = started(*failures), started(*failures)
    for stream in (bought, waits):
        (opened,) = stream.tick_said(START + HOUR)
        assert (opened.data.subject, opened.data.order_id) == ("cart-1", None)

    bought.give(placed(at=START + 2 * HOUR))

    assert told(bought, START + 3 * HOUR) == [("payment_failed", "cleared", "solved")]
    assert told(waits, START + 7 * DAY + HOUR) == [("payment_failed", "cleared", "expired")]


def test_who_bought_after_the_error_did_not_give_up() -> None:
    stream = started(payment_failed(None, "cart-1", at=START), abandoned(at=START + 2 * HOUR))
    stream.give(placed(at=START + HOUR))

    assert told(stream, START + 3 * HOUR) == []


def test_a_cart_given_up_matters_only_after_an_error() -> None:
    calm, failed = started(abandoned(at=START)), started(abandoned(at=START + HOUR))
    failed.give(payment_failed(None, "cart-1", at=START))

    assert told(calm, START + HOUR) == []
    assert told(failed, START + HOUR) == [("cart_abandoned", "opened", "overdue")]


def test_a_late_event_that_takes_the_trouble_away_retracts_it() -> None:
    """The cart was given up before any payment failed: an earlier giving-up says so."""
    stream = started(
        payment_failed(None, "cart-1", at=START + HOUR), abandoned(at=START + 2 * HOUR)
    )
    stream.tick(START + 2 * HOUR)

    stream.give(abandoned(at=START))

    assert told(stream, START + 3 * HOUR) == [("cart_abandoned", "cleared", "retracted")]


def test_a_word_nobody_answers_is_overdue_after_a_business_day_and_late_after_two() -> None:
    stream = started(wrote(at=START + DAY))  # a Friday

    assert told(stream, START + 4 * DAY) == [("contact_unanswered", "opened", "overdue")]
    stream.give(replied(by=ReplyBy.BOT, at=START + 4 * DAY + HOUR))
    assert told(stream, START + 5 * DAY) == [("contact_unanswered", "changed", "late")]
    stream.give(replied(at=START + 5 * DAY + HOUR))
    assert told(stream, START + 5 * DAY + HOUR) == [("contact_unanswered", "cleared", "solved")]


def test_asking_again_does_not_start_the_clock_anew() -> None:
    stream = started(wrote(at=START), replied(by=ReplyBy.CUSTOMER, at=START + 20 * HOUR))

    assert told(stream, START + DAY) == [("contact_unanswered", "opened", "overdue")]


def test_what_an_agent_began_awaits_no_answer_until_the_customer_writes() -> None:
    """Told again by the desk at the customer's first word, it is still the agent who began it."""
    stream = started(wrote(by=OpenedBy.AGENT, at=START))

    assert told(stream, START + 3 * DAY) == []
    stream.give(
        wrote(at=START + 3 * DAY), replied(by=ReplyBy.CUSTOMER, at=START + 3 * DAY)
    )  # a Sunday
    stream.tick(START + 3 * DAY)
    (opened,) = stream.tick_said(START + 5 * DAY)
    assert (opened.data.kind, opened.data.order_id) == (ProblemKind.CONTACT_UNANSWERED, "o-1")


def test_what_agents_began_are_not_too_many_contacts() -> None:
    asked = [wrote(f"k-{n}", at=START + n * HOUR) for n in range(2)]
    called = [wrote(f"a-{n}", by=OpenedBy.AGENT, at=START + n * HOUR) for n in range(2)]
    stream = started(*asked, *called)
    assert "contact_repeated" not in {kind for kind, *_ in told(stream, START + 2 * HOUR)}

    stream.give(wrote("k-2", at=START + 3 * HOUR))
    (opened,) = stream.tick_said(START + 3 * HOUR)
    stream.give(*(resolved(f"k-{n}", at=START + 4 * HOUR) for n in range(3)))

    assert opened.data.kind is ProblemKind.CONTACT_REPEATED
    # The agent's own contacts stay open, and are no reason to go on.
    assert ("contact_repeated", "cleared", "solved") in told(stream, START + 4 * HOUR)


def test_an_answer_between_two_words_ends_the_first_wait_and_the_second_begins_later() -> None:
    stream = started(wrote(at=START))
    stream.tick(START + DAY)

    stream.give(
        replied(at=START + DAY + HOUR), replied(by=ReplyBy.CUSTOMER, at=START + DAY + 2 * HOUR)
    )

    # Thursday's word was answered on Friday; Friday's waits until Monday.
    assert told(stream, START + DAY + 3 * HOUR) == [("contact_unanswered", "cleared", "solved")]
    (opened,) = stream.tick_said(START + 4 * DAY + 2 * HOUR)
    assert (opened.data.kind, opened.data.episode) == (ProblemKind.CONTACT_UNANSWERED, 2)


def test_a_contact_that_comes_back_is_said_until_it_is_closed_again() -> None:
    stream = started(wrote(at=START), resolved(at=START + HOUR), reopened(at=START + 2 * HOUR))

    assert told(stream, START + 2 * HOUR) == [("contact_reopened", "opened", "overdue")]
    stream.give(resolved(at=START + 3 * HOUR))
    assert told(stream, START + 3 * HOUR) == [("contact_reopened", "cleared", "solved")]


def test_a_third_contact_about_one_order_is_said_and_ends_when_all_are_closed() -> None:
    asked = [wrote(f"k-{n}", at=START + n * HOUR) for n in range(3)]
    ends = [resolved(f"k-{n}", at=START + (10 + n) * HOUR) for n in range(3)]
    stream = started(*asked[:2], ends[0])
    assert told(stream, START + HOUR) == []

    stream.give(asked[2])
    (opened,) = stream.tick_said(START + 2 * HOUR)
    stream.give(*ends[1:])

    assert (opened.data.kind, opened.data.subject) == (ProblemKind.CONTACT_REPEATED, "o-1")
    assert told(stream, START + 13 * HOUR) == [("contact_repeated", "cleared", "solved")]


def test_three_contacts_far_apart_are_not_too_many() -> None:
    stream = started(*(wrote(f"k-{n}", at=START + n * 16 * DAY) for n in range(3)))

    kinds = {kind for kind, *_ in told(stream, START + 33 * DAY)}

    assert "contact_repeated" not in kinds


def test_a_fruitless_search_followed_by_silence_is_said() -> None:
    stream = started(searched(at=START), searched(at=START + HOUR))

    assert told(stream, START + 3 * HOUR) == []
    assert told(stream, START + 4 * HOUR) == [("help_not_found", "opened", "overdue")]
    stream.give(searched(found=True, at=START + 5 * HOUR))
    assert told(stream, START + 5 * HOUR) == [("help_not_found", "cleared", "solved")]


def test_an_agent_who_turns_to_the_customer_ends_no_search() -> None:
    stream = started(searched("o-1", at=START), wrote(by=OpenedBy.AGENT, at=START + HOUR))

    assert told(stream, START + 5 * HOUR) == [("help_not_found", "opened", "overdue")]


@pytest.mark.parametrize("order", [None, "o-1"])
def test_who_asks_after_a_fruitless_search_was_not_silent(order: str | None) -> None:
    stream = started(searched("o-1", at=START), wrote(order=order, at=START + HOUR))

    kinds = {kind for kind, *_ in told(stream, START + 5 * HOUR)}

    assert "help_not_found" not in kinds


@pytest.mark.parametrize(
    ("kind", "score", "is_poor"),
    [
        (SurveyKind.CSAT, 2, True),
        (SurveyKind.CSAT, 3, False),
        (SurveyKind.CES, 2, True),
        (SurveyKind.CES, 3, False),
        (SurveyKind.NPS, 6, True),
        (SurveyKind.NPS, 7, False),
    ],
)
def test_a_poor_answer_is_said_at_once(kind: SurveyKind, score: int, is_poor: bool) -> None:
    stream = started(answered(score, kind=kind, at=START))

    expected = [("survey_poor", "opened", "overdue")] if is_poor else []
    assert told(stream, START) == expected


def test_a_better_answer_about_the_same_order_ends_a_poor_one() -> None:
    stream = started(answered(1, at=START))
    stream.tick(START)

    stream.give(answered(5, "v-2", at=START + DAY))

    assert told(stream, START + DAY) == [("survey_poor", "cleared", "solved")]


def test_what_no_fact_speaks_of_any_more_is_cleared() -> None:
    """The third contact was about another order all along: its first word came late."""
    stream = started(*(wrote(f"k-{n}", at=START + n * HOUR) for n in range(3)))
    stream.tick(START + 2 * HOUR)

    stream.give(*(wrote(f"k-{n}", "o-2", at=START - HOUR) for n in range(3)))

    said = told(stream, START + 3 * HOUR)
    assert ("contact_repeated", "cleared", "retracted") in said


def test_tolerances_are_the_deployments() -> None:
    stream = started(wrote(at=START))
    patient = Tolerances.model_validate({"reply_days": 3, "reply_late_days": 4})
    stream.partition._rules = replace(RULES, tolerances=patient)

    assert told(stream, START + DAY) == []
    assert told(stream, START + 5 * DAY) == [("contact_unanswered", "opened", "overdue")]


def test_history_raises_no_alarm() -> None:
    """Everything that can go wrong went wrong before the deployment's first tick."""
    stream = Stream()
    stream.heard["scans:dhl"] = FOREVER
    stream.tick(START + 30 * DAY)
    stream.give(*EVERYTHING)

    assert told(stream, START + 30 * DAY + HOUR) == []


EVERYTHING = (
    placed(),
    promised(by=START + 2 * DAY, ship_by=START + DAY),
    handed_over(at=START + HOUR),
    seen(_Status.EXCEPTION, "007", at=START + 2 * HOUR),
    promised("sh-2", by=START + 2 * DAY),
    handed_over("sh-2", at=START + HOUR),
    seen(_Status.ATTEMPT_FAIL, shipment="sh-2", at=START + 2 * HOUR),
    promised("sh-3", by=START + 2 * DAY),
    seen(_Status.AVAILABLE_FOR_PICKUP, shipment="sh-3", at=START + 2 * HOUR),
    promised("sh-4", by=START + 2 * DAY),
    seen(_Status.IN_TRANSIT, shipment="sh-4", at=START + 2 * HOUR),
    promised("sh-5", by=START + 2 * DAY),
    handed_over("sh-5", at=START + 2 * HOUR),
    promised("sh-6", by=START + 5 * DAY, ship_by=START + DAY),
    refund_promised(START + DAY),
    payment_failed(at=START),
    payment_failed(at=START + HOUR),
    payment_failed(None, "cart-1", at=START + HOUR),
    abandoned(at=START + 2 * HOUR),
    *(wrote(f"k-{n}", at=START + n * HOUR) for n in range(3)),
    resolved("k-0", at=START + 3 * HOUR),
    reopened("k-0", at=START + 4 * HOUR),
    searched("o-9", at=START),
    answered(1, at=START),
)
"""Of every kind at least one thing that goes wrong, and nothing that mends it."""


def test_every_kind_can_be_said_and_reaches_only_its_tiers() -> None:
    stream = started(*EVERYTHING)
    reached: dict[ProblemKind, set[str]] = {}
    for hours in (*range(0, 14 * 24, 3), 250 * 24):
        for each in stream.tick_said(START + hours * HOUR):
            reached.setdefault(each.data.kind, set()).add(each.data.tier)

    assert reached == {kind: set(tiers) for kind, tiers in TIERS_OF.items()}


def _moments() -> st.SearchStrategy[datetime]:
    return st.integers(0, 12 * 24).map(lambda hours: START + hours * HOUR)


def _maker(
    make: Callable[..., Event[Any]], *args: st.SearchStrategy[Any], **more: Any
) -> st.SearchStrategy[Event[Any]]:
    return st.builds(lambda at, given: make(*given, at=at, **more), _moments(), st.tuples(*args))


_dates = st.integers(0, 20 * 24).map(lambda hours: START + hours * HOUR)
"""Some before, some after the end: of those the risk is all there is."""
_orders = st.sampled_from(["o-1", "o-2"])
_contacts = st.sampled_from(["k-1", "k-2", "k-3"])
_happening = st.one_of(
    _maker(placed, _orders),
    _maker(approved, _orders),
    _maker(cancelled, _orders),
    _maker(payment_failed, _orders),
    _maker(payment_failed, cart="cart-1", order=None),
    _maker(abandoned),
    _maker(promised, st.sampled_from(["sh-1", "sh-2"]), _orders, _dates, _moments()),
    _maker(handed_over),
    _maker(delivered),
    _maker(
        seen,
        st.sampled_from(CheckpointStatus),
        st.sampled_from([None, "005", "007"]),
        st.sampled_from(["sh-1", "sh-2"]),
    ),
    _maker(refund_promised, _moments()),
    _maker(refund_paid),
    _maker(wrote, _contacts, _orders),
    _maker(wrote, _contacts, _orders, by=OpenedBy.AGENT),
    _maker(replied, _contacts, st.sampled_from(ReplyBy)),
    _maker(resolved, _contacts),
    _maker(reopened, _contacts),
    _maker(searched, st.sampled_from([None, "o-1"]), st.booleans()),
    _maker(answered, st.integers(1, 5), st.sampled_from(["v-1", "v-2"])),
)

_END = START + 13 * DAY


@given(happened=st.lists(_happening, max_size=14), data=st.data())
def test_any_order_of_events_and_ticks_ends_in_the_same_facts_and_open_problems(
    happened: list[Event[Any]], data: st.DataObject
) -> None:
    """Late, repeated and shuffled, with ticks anywhere between: what stands in the end is the same."""
    repeated = data.draw(st.lists(st.sampled_from(happened), max_size=4)) if happened else []
    shuffled = data.draw(st.permutations(happened + repeated))
    ticks = sorted(data.draw(st.lists(st.integers(0, 12 * 24), max_size=6)))
    cuts = sorted(data.draw(st.integers(0, len(shuffled))) for _ in ticks)

    in_order = started(*sorted(happened, key=lambda e: (e.time, e.id)))
    in_order.tick(_END)
    stream, done = started(), 0
    for hours, cut in zip(ticks, cuts, strict=True):
        stream.give(*shuffled[done:cut])
        done = max(done, cut)
        stream.tick(START + hours * HOUR)
    stream.give(*shuffled[done:])
    stream.tick(_END)

    assert _stands(stream) == _stands(in_order)


def _stands(stream: Stream) -> tuple[Any, set[tuple[Any, ...]]]:
    customer = stream.partition.customers.get("c-1")
    if customer is None:
        return None, set()
    is_open = (e for e in customer.episodes.values() if e.is_open)
    return customer.facts, {(e.kind, e.subject, e.tier) for e in is_open}
