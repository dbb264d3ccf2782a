"""A customer's ledger: what counts as good or bad, when it is made good, and that nothing later shows."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.churn_predictor.assess import experience_at
from services.churn_predictor.expectations.rhythm import purchases
from services.churn_predictor.experience import STRIKES, Experience
from services.churn_predictor.facts import TURNS_KEPT, Facts
from services.churn_predictor.learning import learn
from services.contracts.contacts import OpenedBy, ReplyBy
from services.contracts.envelope import Event
from services.contracts.tolerances import Tolerances
from tests.factories import DAY, HOUR, START, cancelled, delivered, placed, promised, wrote
from tests.unit.churn_predictor.happenings import (
    answered,
    approved,
    payment_failed,
    promised_to,
    refund_paid,
    refund_promised,
    reopened,
    replied,
    resolved,
)

TOLERANCES = Tolerances()
UNTROUBLED = Experience(balance=0.0, unresolved=0, strikes_left=STRIKES)


def learned(*events: Event[Any]) -> Facts:
    facts = Facts()
    for each in events:
        learn(facts, each)
    return facts


def ledger(*events: Event[Any], at: datetime) -> Experience:
    return experience_at(learned(*events), at, TOLERANCES)


def is_bad(found: Experience) -> bool:
    return (found.unresolved, found.strikes_left) == (1, STRIKES - 1)


moments = st.integers(0, 25 * 24).map(lambda hours: START + hours * HOUR)
orders = st.sampled_from(["o-1", "o-2"])
contacts = st.sampled_from(["k-1", "k-2"])
surveys = st.sampled_from(["v-1", "v-2", "v-3"])
zones = st.sampled_from(["Asia/Tokyo", "America/Los_Angeles"])
any_event = st.one_of(
    st.builds(lambda at, o: placed(o, at=at), moments, orders),
    st.builds(lambda at, o: cancelled(o, at=at), moments, orders),
    st.builds(lambda at, o: approved(o, at=at), moments, orders),
    st.builds(lambda at, o: payment_failed(o, at=at), moments, orders),
    st.builds(lambda at: payment_failed(None, "cart-1", at=at), moments),
    st.builds(lambda at, by: promised(by=by, at=at), moments, moments),
    st.builds(lambda at, by, zone: promised_to(zone, by, at=at), moments, moments, zones),
    st.builds(lambda at: delivered(at=at), moments),
    st.builds(lambda at, by: refund_promised(by, at=at), moments, moments),
    st.builds(lambda at: refund_paid(at=at), moments),
    st.builds(lambda at, k: wrote(k, at=at), moments, contacts),
    st.builds(lambda at, k, by: replied(k, by, at=at), moments, contacts, st.sampled_from(ReplyBy)),
    st.builds(lambda at, k: resolved(k, at=at), moments, contacts),
    st.builds(lambda at, k: reopened(k, at=at), moments, contacts),
    st.builds(
        lambda at, v, score: answered(score, survey=v, order="o-1", at=at),
        moments,
        surveys,
        st.integers(1, 5),
    ),
)


@given(events=st.lists(any_event, max_size=15), at=moments)
@example(
    [wrote("k-1", at=START), *(replied("k-1", at=START + n * DAY) for n in range(9, 12))],
    START + 10 * DAY,
)
@example([placed(at=START), cancelled(at=START + 2 * DAY)], START + DAY)
def test_what_happens_later_never_changes_what_the_ledger_said(
    events: list[Event[Any]], at: datetime
) -> None:
    known, all_of_it = learned(*(each for each in events if each.time <= at)), learned(*events)

    assert experience_at(all_of_it, at, TOLERANCES) == experience_at(known, at, TOLERANCES)
    assert sorted(purchases(all_of_it, at)) == sorted(purchases(known, at))


def test_what_was_cancelled_later_was_a_purchase_until_then() -> None:
    facts = learned(placed(at=START), cancelled(at=START + 2 * DAY))

    instants = [START - HOUR, START, START + DAY, START + 2 * DAY]
    assert [len(purchases(facts, at)) for at in instants] == [0, 1, 1, 0]


# Monday the 5th; answers are due within one business day.
MONDAY = START + 4 * DAY
ASKED = wrote("k-1", at=MONDAY)


@pytest.mark.parametrize("answer", [replied, resolved])
def test_an_answer_within_the_time_for_it_is_good(answer: Any) -> None:
    found = ledger(ASKED, answer("k-1", at=MONDAY + DAY), at=MONDAY + DAY)

    assert (found.balance, found.unresolved) == (1.0, 0)


def test_a_late_answer_makes_good_what_was_bad_and_is_nothing_good_itself() -> None:
    events = ASKED, replied("k-1", at=MONDAY + 20 * DAY)

    assert ledger(*events, at=MONDAY + DAY - HOUR) == UNTROUBLED
    assert is_bad(ledger(*events, at=MONDAY + DAY))
    assert is_bad(ledger(*events, at=MONDAY + 20 * DAY - HOUR))
    assert ledger(*events, at=MONDAY + 20 * DAY) == UNTROUBLED


def test_a_conversation_is_good_once_and_each_wait_in_it_may_be_bad() -> None:
    events = [ASKED]
    for day in (1, 2, 3):
        events += [
            replied("k-1", at=MONDAY + day * DAY),
            replied("k-1", ReplyBy.CUSTOMER, at=MONDAY + day * DAY + HOUR),
        ]

    assert ledger(*events, at=MONDAY + 3 * DAY).balance == pytest.approx(1.0, abs=0.03)
    assert is_bad(ledger(*events, at=MONDAY + 5 * DAY))


def test_a_bots_reply_and_a_reply_to_nobody_are_no_answer() -> None:
    assert is_bad(ledger(ASKED, replied("k-1", ReplyBy.BOT, at=MONDAY), at=MONDAY + 2 * DAY))
    assert ledger(replied("k-1", at=MONDAY), at=MONDAY + 2 * DAY) == UNTROUBLED


def test_what_an_agent_began_is_neither_good_nor_bad_before_the_customer_writes() -> None:
    begun = wrote("k-1", by=OpenedBy.AGENT, at=MONDAY), replied("k-1", at=MONDAY)
    word = replied("k-1", ReplyBy.CUSTOMER, at=MONDAY + 7 * DAY)

    assert ledger(*begun, at=MONDAY + 7 * DAY) == UNTROUBLED
    assert is_bad(ledger(*begun, word, at=MONDAY + 8 * DAY))


def test_the_time_for_an_answer_runs_in_the_zone_that_was_known_when_the_customer_wrote() -> None:
    """Friday evening in UTC is Saturday in Tokyo: an answer is due at the end of Monday there."""
    friday = MONDAY + 4 * DAY + 20 * HOUR
    wrote_on_friday, no_date = wrote("k-1", at=friday), START + 90 * DAY
    in_tokyo = promised_to("Asia/Tokyo", no_date, at=START)
    moved = promised_to("UTC", no_date, at=friday + HOUR)

    due = friday + 3 * DAY
    assert is_bad(ledger(wrote_on_friday, moved, at=due))
    assert not is_bad(ledger(wrote_on_friday, in_tokyo, moved, at=due - DAY - HOUR))
    assert is_bad(ledger(wrote_on_friday, in_tokyo, moved, at=due - DAY))
    # Named only after the word, it does not move the limit.
    in_tokyo_later = promised_to("Asia/Tokyo", no_date, at=friday + HOUR)
    assert not is_bad(ledger(wrote_on_friday, in_tokyo_later, at=due - DAY))


def test_a_reopening_is_bad_until_the_contact_is_closed_again() -> None:
    events = [ASKED, resolved("k-1", at=MONDAY + HOUR), reopened("k-1", at=MONDAY + 2 * HOUR)]
    closed = [*events, resolved("k-1", at=MONDAY + 3 * HOUR)]

    assert is_bad(ledger(*closed, at=MONDAY + 2 * HOUR))
    assert ledger(*closed, at=MONDAY + 3 * HOUR).unresolved == 0


def test_of_a_conversation_longer_than_is_kept_nothing_stays_bad() -> None:
    words = [
        replied("k-1", ReplyBy.CUSTOMER, at=MONDAY + n * DAY, event_id=f"w-{n}")
        for n in range(TURNS_KEPT + 1)
    ]

    assert is_bad(ledger(*words[: TURNS_KEPT - 1], at=MONDAY + 30 * DAY))
    assert is_bad(ledger(*words, at=MONDAY + 2 * DAY))
    assert ledger(*words, at=MONDAY + 30 * DAY) == UNTROUBLED


def test_that_no_more_turns_are_kept_is_no_answer() -> None:
    words = [
        replied("k-1", ReplyBy.CUSTOMER, at=MONDAY + n * HOUR, event_id=f"w-{n}")
        for n in range(TURNS_KEPT)
    ]

    assert ledger(*words, at=MONDAY + TURNS_KEPT * HOUR) == UNTROUBLED


def test_a_poor_answer_is_made_good_by_a_later_better_one_about_the_same_order() -> None:
    poor = answered(1, at=MONDAY)
    better = answered(4, survey="v-2", at=MONDAY + DAY)
    other = answered(5, survey="v-3", order="o-2", at=MONDAY + DAY)

    assert is_bad(ledger(poor, other, at=MONDAY + 2 * DAY))
    assert is_bad(ledger(poor, better, at=MONDAY + DAY - HOUR))
    assert ledger(poor, better, at=MONDAY + DAY).unresolved == 0


@pytest.mark.parametrize("end", [approved, cancelled])
def test_payments_that_failed_are_over_once_the_order_is_paid_or_cancelled(end: Any) -> None:
    failed = [payment_failed(at=MONDAY + n * HOUR) for n in range(2)]

    assert ledger(*failed, at=MONDAY) == UNTROUBLED
    assert is_bad(ledger(*failed, end(at=MONDAY + DAY), at=MONDAY + HOUR))
    assert ledger(*failed, end(at=MONDAY + DAY), at=MONDAY + DAY) == UNTROUBLED


def test_payments_that_failed_for_a_cart_are_over_once_something_is_bought() -> None:
    failed = [payment_failed(None, "cart-1", at=MONDAY + n * HOUR) for n in range(2)]

    assert is_bad(ledger(*failed, placed(at=MONDAY + DAY), at=MONDAY + HOUR))
    assert ledger(*failed, placed(at=MONDAY + DAY), at=MONDAY + DAY) == UNTROUBLED


def test_money_that_is_late_is_bad_until_it_is_paid() -> None:
    due = MONDAY + TOLERANCES.refund_late_after
    events = refund_promised(MONDAY, at=START), refund_paid(at=due + DAY)

    assert ledger(*events, at=due - HOUR) == UNTROUBLED
    assert is_bad(ledger(*events, at=due))
    assert ledger(*events, at=due + DAY) == UNTROUBLED


def test_a_date_that_was_told_after_the_delivery_counts_from_then() -> None:
    events = promised(by=MONDAY, at=START + 2 * DAY), delivered(at=START + DAY)

    assert ledger(*events, at=START + 2 * DAY - HOUR) == UNTROUBLED
    assert ledger(*events, at=START + 2 * DAY).balance > 0.9


def test_a_parcel_is_good_by_its_date_bad_a_day_after_and_neither_between() -> None:
    told, late = promised(by=MONDAY, at=START), TOLERANCES.late_after_promise

    assert ledger(told, delivered(at=MONDAY), at=MONDAY).balance == 1.0
    assert ledger(told, delivered(at=MONDAY + late), at=MONDAY + 9 * DAY) == UNTROUBLED
    assert is_bad(ledger(told, delivered(at=MONDAY + 3 * DAY), at=MONDAY + late))
    assert ledger(told, delivered(at=MONDAY + 3 * DAY), at=MONDAY + 3 * DAY) == UNTROUBLED
