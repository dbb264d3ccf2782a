"""Small stories of a desk whose figures were worked out by hand.  2 March 2026 is a Monday, zone UTC."""

from datetime import timedelta

import pytest

from services.contracts.contacts import ContactChannel, ContactReason, OpenedBy, ReplyBy
from services.contracts.problems import Clearing
from services.metrics.figures.business_hours import BusinessHours
from services.metrics.figures.conversation import TURNS_KEPT, TurnKind
from services.metrics.figures.service import OPEN_KEPT, ServiceRules
from services.metrics.state import Rules, State
from tests.unit.metrics.stories import (
    Read,
    at,
    barrier,
    began,
    cleared,
    fold_all,
    folded,
    net,
    of_customer,
    opened,
    placed,
    reopened,
    replied,
    resolved,
    sent,
    series,
)

DAY = 24.0
AWAITING = "care_contacts_awaiting_first_response{}"
WHERE, REFUND = ContactReason.WHERE_IS_MY_ORDER, ContactReason.REFUND


def responses(state: State, hours: str = "calendar") -> tuple[float, float]:
    """Return how many first responses count, and their sum in hours."""
    figures = net(series(state))
    name = "care_first_response_seconds_{}{{hours=" + hours + "}}"
    return figures[name.format("count")], figures[name.format("sum")] / 3600


def outcomes(state: State) -> dict[str, float]:
    """Return the matured contacts by outcome, less those withdrawn, without zeros."""
    return {
        name.split("=")[1].rstrip("}"): n
        for name, n in net(series(state)).items()
        if name.startswith("care_contacts_matured_total") and n
    }


def causes(state: State) -> tuple[float, float]:
    """Return the questions where an order is with a problem, and without one."""
    figures = net(series(state))
    problem, information = (
        figures[f"care_wismo_contacts_total{{cause={cause}}}"]
        for cause in ("problem", "information")
    )
    return problem, information


# First response


def test_the_first_reply_of_a_person_ends_the_wait_and_a_bots_does_not() -> None:
    """Asked at 10:00, a bot at 10:01, an agent at 12:30 and again at 13:00: 2.5 h."""
    state = folded(
        began("t-1", 10),
        replied("t-1", 10 + 1 / 60, ReplyBy.BOT),
        replied("t-1", 12.5),
        replied("t-1", 13),
        barrier(24),
    )

    assert responses(state) == responses(state, "business") == (1, 2.5)
    bucket = "care_first_response_seconds_bucket{{hours=calendar,le={}}}"
    figures = series(state)
    assert figures[bucket.format("7200.0")] == 0
    assert figures[bucket.format("14400.0")] == 1


def test_a_contact_that_only_a_bot_answered_has_no_response_and_waits() -> None:
    state = folded(began("t-1", 10), replied("t-1", 10, ReplyBy.BOT), barrier(24))

    assert responses(state) == (0, 0)
    assert series(state)[AWAITING] == 1


def test_a_weekend_is_calendar_time_and_no_business_time() -> None:
    """Friday 16:00 to Monday 09:30: 65.5 h; of these 16:00 to 17:00 and 09:00 to 09:30 at the desk."""
    friday = 4 * DAY + 16
    state = folded(began("t-1", friday), replied("t-1", friday + 65.5), barrier(9 * DAY))

    assert responses(state) == (1, 65.5)
    assert responses(state, "business") == (1, 1.5)


def test_a_weekend_with_a_change_of_the_clocks_in_the_desks_own_zone() -> None:
    """Berlin, 27 March 2026: Friday 16:00 (15:00 UTC) to Monday 10:00 (08:00 UTC, summer time by then).

    65 h pass; 16:00 to 17:00 and 09:00 to 10:00 are the desk's.  By UTC it would be 16:00 to 17:00 less.
    """
    friday = 25 * DAY + 15
    state = State()
    state.measure_by(Rules(ServiceRules(BusinessHours("Europe/Berlin"))))
    for read in (began("t-1", friday), replied("t-1", friday + 65)):
        fold_into(state, read)
    state.settle(at(30 * DAY))

    assert responses(state) == (1, 65)
    assert responses(state, "business") == (1, 2)


def fold_into(state: State, read: Read) -> None:
    """Fold one record into this very state."""
    for family in state.families():
        family.fold(read.partition, read.record)  # type: ignore[arg-type]


def test_a_reopened_contact_starts_a_new_clock_at_its_reopening() -> None:
    """Asked on Monday 10:00, answered 11:00, closed; back on Saturday 12:00, answered 12:10.

    Two responses, of 1 h and of 10 min, and none of five days.
    """
    back = 5 * DAY + 12
    state = folded(
        began("t-1", 10),
        replied("t-1", 11),
        resolved("t-1", 12),
        reopened("t-1", back),
        replied("t-1", back + 1 / 6),
        barrier(6 * DAY),
    )

    count, hours = responses(state)
    assert count == 2
    assert hours == pytest.approx(1 + 1 / 6)


def test_what_a_bot_closed_and_the_customer_reopened_starts_at_the_reopening() -> None:
    """Asked 10:00, a bot answers and closes; reopened 15:00, answered 15:30: one response of 0.5 h."""
    state = folded(
        began("t-1", 10),
        replied("t-1", 10, ReplyBy.BOT),
        resolved("t-1", 10.1),
        reopened("t-1", 15),
        replied("t-1", 15.5),
        barrier(24),
    )

    assert responses(state) == (1, 0.5)


def test_what_an_agent_opened_waits_from_the_customers_word_to_the_second_reply() -> None:
    """The agent opens at 08:00 with the words told as the first reply; the customer writes at 12:00;
    the second reply comes at 13:00: one response of 1 h, and until 12:00 nobody waits."""
    begun = [began("t-1", 8, by=OpenedBy.AGENT), replied("t-1", 8)]
    word = replied("t-1", 12, ReplyBy.CUSTOMER)

    assert series(folded(*begun))[AWAITING] == 0
    assert series(folded(*begun, word))[AWAITING] == 1
    state = folded(*begun, word, replied("t-1", 13), barrier(24))
    assert responses(state) == (1, 1)
    assert series(state)[AWAITING] == 0


def test_in_what_an_agent_opened_the_first_reply_is_no_response_even_after_a_word() -> None:
    """Opened 08:00, the customer at 09:00, the first reply at 10:00, the second at 11:00: 2 h."""
    state = folded(
        began("t-1", 8, by=OpenedBy.AGENT),
        replied("t-1", 9, ReplyBy.CUSTOMER),
        replied("t-1", 10),
        replied("t-1", 11),
        barrier(24),
    )

    assert responses(state) == (1, 2)


def test_two_words_of_an_agent_to_a_silent_customer_are_no_response() -> None:
    told = (began("t-1", 8, by=OpenedBy.AGENT), replied("t-1", 8), replied("t-1", 9))

    assert responses(folded(*told, barrier(24))) == (0, 0)


def test_a_message_of_outreach_is_nobodys_first_response() -> None:
    """Asked 10:00; outreach writes about the order at 10:05; an agent answers at 12:00: 2 h."""
    asked = began("t-1", 10)
    state = folded(asked, opened("o-1", 9), sent("o-1", 10 + 1 / 12), barrier(11))
    assert responses(state) == (0, 0)
    assert series(state)[AWAITING] == 1

    state = folded(asked, sent("o-1", 10 + 1 / 12), replied("t-1", 12), barrier(24))
    assert responses(state) == (1, 2)


def test_a_reply_is_counted_when_everything_said_up_to_it_has_been_read() -> None:
    told = (began("t-1", 10), replied("t-1", 12))

    assert responses(folded(*told, barrier(11))) == (0, 0)
    assert responses(folded(*told, barrier(11), barrier(12))) == (1, 2)


def test_an_earlier_reply_told_late_withdraws_the_one_that_was_counted() -> None:
    """Answered at 14:00 as far as is known (4 h); then a reply of 11:00 is told (1 h)."""
    state = folded(began("t-1", 10), replied("t-1", 14), barrier(24), replied("t-1", 11))
    figures = series(state)

    for hours in ("calendar", "business"):
        assert figures[f"care_first_response_seconds_count{{hours={hours}}}"] == 2
        assert figures[f"care_first_response_withdrawn_seconds_sum{{hours={hours}}}"] == 4 * 3600
        assert responses(state, hours) == (1, 1)


def test_a_closing_ends_the_waiting_and_is_no_response() -> None:
    state = folded(began("t-1", 10), resolved("t-1", 11), barrier(24))

    assert (series(state)[AWAITING], responses(state)) == (0, (0, 0))


def test_an_answer_that_comes_after_the_closing_is_the_first_response_all_the_same() -> None:
    state = folded(began("t-1", 10), resolved("t-1", 11), replied("t-1", 11.5), barrier(24))

    assert responses(state) == (1, 1.5)


def test_a_long_chat_does_not_fill_the_memory_and_its_closing_is_known() -> None:
    chat = [replied("t-1", 10 + n / 100) for n in range(1, 200)]
    chat += [replied("t-1", 10 + n / 101, ReplyBy.CUSTOMER) for n in range(1, 200)]
    state = folded(began("t-1", 10), *chat, resolved("t-1", 13), barrier(8 * DAY))

    (contacts,) = state.service.contacts.values()
    kept = TURNS_KEPT[TurnKind.REPLIED_BY_AGENT] + TURNS_KEPT[TurnKind.REPLIED_BY_CUSTOMER] + 1
    assert len(contacts["t-1"].turns) == kept
    assert outcomes(state) == {"first_contact": 1}
    count, hours = responses(state)
    assert count == 1
    assert hours == pytest.approx(0.01)


# Matured contacts


def test_a_contact_that_was_closed_and_never_came_back_was_solved_at_the_first() -> None:
    """Asked on Monday 10:00; known on the Monday after at 10:00, and not an hour before."""
    told = (began("t-1", 10), resolved("t-1", 30))

    assert outcomes(folded(*told, barrier(7 * DAY + 9))) == {}
    assert outcomes(folded(*told, barrier(7 * DAY + 10))) == {"first_contact": 1}


def test_a_contact_nobody_closed_in_its_window_is_unresolved() -> None:
    told = (began("t-1", 10), resolved("t-1", 7 * DAY + 11))

    assert outcomes(folded(*told, barrier(10 * DAY))) == {"unresolved": 1}


def test_a_contact_that_came_back_in_its_window_is_reopened_and_later_it_is_not() -> None:
    """t-1 comes back after 6 days, t-2 (another reason) after 8."""
    state = folded(
        began("t-1", 10),
        resolved("t-1", 11),
        reopened("t-1", 6 * DAY + 10),
        began("t-2", 10, REFUND),
        resolved("t-2", 11),
        reopened("t-2", 8 * DAY + 10),
        barrier(20 * DAY),
    )

    assert outcomes(state) == {"reopened": 1, "first_contact": 1}


@pytest.mark.parametrize(
    ("second", "is_repeat"),
    [
        (began("t-2", 6 * DAY + 10), True),
        # By another channel it is the same trouble.
        (began("t-2", 6 * DAY + 10, channel=ContactChannel.PHONE), True),
        # It names no order: it may be the same.
        (began("t-2", 6 * DAY + 10, order=None), True),
        (began("t-2", 6 * DAY + 10, order="o-2"), False),
        (began("t-2", 6 * DAY + 10, REFUND), False),
        # After the window; of an agent; of another customer.
        (began("t-2", 7 * DAY + 11), False),
        (began("t-2", 6 * DAY + 10, by=OpenedBy.AGENT), False),
        (of_customer(began("t-2", 6 * DAY + 10), "c-2"), False),
    ],
)
def test_a_repeat_has_the_same_customer_reason_and_order(second: Read, is_repeat: bool) -> None:
    """Both contacts of a repeat count as repeated: neither was solved at a first contact."""
    end = replied("t-1", 11), resolved("t-1", 11), resolved("t-2", 8 * DAY)
    state = folded(began("t-1", 10), second, *end, barrier(20 * DAY))

    figures = outcomes(state)
    assert figures.get("repeated", 0) == (2 if is_repeat else 0)


def test_a_repeat_told_after_its_window_withdraws_what_was_counted() -> None:
    """Solved at the first, as far as is known; then another contact of its third day is told."""
    state = folded(
        began("t-1", 10),
        resolved("t-1", 11),
        barrier(8 * DAY),
        began("t-2", 3 * DAY),
        barrier(9 * DAY),
    )

    figures = series(state)
    assert figures["care_contacts_matured_total{outcome=first_contact}"] == 1
    assert figures["care_contacts_matured_withdrawn_total{outcome=first_contact}"] == 1
    assert outcomes(state) == {"repeated": 1}
    assert outcomes(folded(began("t-1", 10), began("t-2", 3 * DAY), barrier(11 * DAY))) == {
        "repeated": 2
    }


def test_what_an_agent_opened_is_in_no_cohort() -> None:
    state = folded(began("t-1", 10, by=OpenedBy.AGENT), resolved("t-1", 11), barrier(20 * DAY))

    assert outcomes(state) == {}


def test_the_window_is_a_setting() -> None:
    state = State()
    state.measure_by(Rules(ServiceRules(repeat_window=timedelta(days=1))))
    for read in (began("t-1", 10), resolved("t-1", 11), began("t-2", 2 * DAY + 10)):
        fold_into(state, read)
    state.settle(at(2 * DAY))

    assert outcomes(state) == {"first_contact": 1}


# Contacts, handle times, orders


def test_contacts_by_channel_reason_and_who_opened_them_each_once() -> None:
    state = folded(
        began("t-1", 10),
        began("t-1", 10),
        began("t-2", 10, REFUND, channel=ContactChannel.PHONE),
        began("t-3", 10, REFUND, by=OpenedBy.AGENT, channel=ContactChannel.PHONE),
    )
    found = {n: v for n, v in series(state).items() if n.startswith("care_inbound") and v}

    name = "care_inbound_contacts_total{{channel={},reason={},opened_by={}}}"
    assert found == {
        name.format("email", "where_is_my_order", "customer"): 1,
        name.format("phone", "refund", "customer"): 1,
        name.format("phone", "refund", "agent"): 1,
    }


def test_each_closing_tells_what_it_took_and_a_repeat_adds_nothing() -> None:
    """312 s, and after the reopening 60 s more: two closings, 372 s; one of a mail tells nothing."""
    first = resolved("t-1", 11, 312)
    state = folded(
        began("t-1", 10, channel=ContactChannel.PHONE),
        first,
        first,
        reopened("t-1", 12),
        resolved("t-1", 13, 60),
        began("t-2", 10),
        resolved("t-2", 11),
    )
    figures = series(state)

    assert figures["care_handle_seconds_count{channel=phone}"] == 2
    assert figures["care_handle_seconds_sum{channel=phone}"] == 372
    assert figures["care_handle_seconds_bucket{channel=phone,le=60.0}"] == 1
    assert figures["care_handle_seconds_count{channel=email}"] == 0


def test_a_closing_read_before_its_opening_waits_for_the_channel() -> None:
    end = resolved("t-1", 11, 312)

    assert series(folded(end))["care_handle_seconds_count{channel=email}"] == 0
    assert series(folded(end, began("t-1", 10)))["care_handle_seconds_sum{channel=email}"] == 312


def test_orders_and_those_somebody_asked_about_each_once() -> None:
    """Three orders, one told twice; o-1 is asked about twice, o-2 by an agent, one contact names none."""
    figures = series(
        folded(
            *(placed(order) for order in ("o-1", "o-2", "o-3", "o-3")),
            began("t-1", 10),
            began("t-2", 11, REFUND),
            began("t-3", 11, order="o-2", by=OpenedBy.AGENT),
            began("t-4", 11, order=None),
        )
    )

    assert figures["care_orders_total{}"] == 3
    assert figures["care_orders_contacted_total{}"] == 1


def test_an_order_told_again_weeks_later_is_known_as_long_as_a_topic_keeps_it() -> None:
    again = placed("o-1", 1)

    assert series(folded(placed("o-1"), barrier(30 * DAY), again))["care_orders_total{}"] == 1
    assert folded(placed("o-1"), barrier(60 * DAY)).orders.known_placed.days == {}


# Where is my order


def test_who_asks_while_a_problem_about_the_order_is_open_has_a_reason() -> None:
    """The problem of o-1 is open from 06:00 to 20:00: of the questions at 05:00, 06:00, 19:00 and 20:00
    two have a reason.  One about o-2 and one about no order have none, and a refund is no question."""
    state = folded(
        *(began(f"t-{hour}", hour) for hour in (5, 6, 19, 20)),
        opened("o-1", 6),
        cleared("o-1", 20),
        began("t-other", 10, order="o-2"),
        began("t-none", 10, order=None),
        began("t-refund", 10, REFUND),
        barrier(24),
    )

    assert causes(state) == (2, 4)


def test_a_question_waits_until_everything_said_up_to_it_was_read() -> None:
    assert causes(folded(began("t-1", 10), opened("o-1", 6), barrier(9))) == (0, 0)


def test_a_problem_told_late_moves_a_question_and_a_retraction_moves_it_back() -> None:
    told = [began("t-1", 10), barrier(24)]
    assert causes(folded(*told)) == (0, 1)

    told.append(opened("o-1", 6))
    assert causes(folded(*told)) == (1, 0)
    told.append(cleared("o-1", 30, Clearing.RETRACTED))
    assert causes(folded(*told)) == (0, 1)
    figures = series(folded(*told))
    assert figures["care_wismo_contacts_total{cause=information}"] == 2
    assert figures["care_wismo_contacts_withdrawn_total{cause=information}"] == 1
    assert figures["care_wismo_contacts_withdrawn_total{cause=problem}"] == 1


def test_an_agent_who_tells_where_an_order_is_asks_nothing() -> None:
    assert causes(folded(began("t-1", 10, by=OpenedBy.AGENT), barrier(24))) == (0, 0)


# Repeats, and what is forgotten


def test_a_story_told_twice_gives_the_figures_of_one() -> None:
    story = [
        placed("o-1"),
        opened("o-1", 6),
        began("t-1", 10),
        replied("t-1", 11),
        resolved("t-1", 12, 300),
        reopened("t-1", 13),
        replied("t-1", 14),
        began("t-2", 20, REFUND),
    ]
    once, twice = (series(fold_all([*story * times, barrier(9 * DAY)])) for times in (1, 2))

    assert {n for n in twice if once[n] != twice[n]} <= {
        n for n in twice if n.startswith("care_events")
    }


def test_what_is_over_is_forgotten_and_what_nobody_closed_is_kept_for_longer() -> None:
    """Kept 2 · 7 + 14 days after the last news; what waits for an answer 90 days."""
    told = [began("t-1", 10), resolved("t-1", 11), began("t-2", 10, REFUND), barrier(10 * DAY)]
    later = fold_all([*told, barrier(30 * DAY)])

    assert set(later.service.contacts["c-1"]) == {"t-2"}
    assert series(later)[AWAITING] == 1
    assert net(series(later))["care_contacts_matured_total{outcome=first_contact}"] == 1
    at_last = fold_all([*told, barrier(30 * DAY), barrier((OPEN_KEPT.days + 2) * DAY)])
    assert at_last.service.contacts == {}
    assert series(at_last)[AWAITING] == 0
    assert at_last.wismo.orders == {}


def test_an_outcome_stands_once_what_it_rests_on_may_be_forgotten() -> None:
    """t-1 and t-2 are a repeat.  t-1 is gone when news of t-2 comes: it is still one."""
    told = [began("t-1", 10), resolved("t-1", 11), began("t-2", 5 * DAY), barrier(13 * DAY)]
    state = fold_all([*told, barrier(29 * DAY), replied("t-2", 29 * DAY), barrier(30 * DAY)])

    assert set(state.service.contacts["c-1"]) == {"t-2"}
    assert outcomes(state) == {"repeated": 2}


def test_what_is_filled_in_from_the_past_is_not_forgotten_before_it_is_complete() -> None:
    """A contact of last August, told in March between two settlings, has its response all the same."""
    begun, answer = began("t-1", -200 * DAY), replied("t-1", -200 * DAY + 1)
    state = folded(barrier(1), begun, barrier(2), answer, barrier(3))

    assert responses(state) == (1, 1)
