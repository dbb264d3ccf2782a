"""The watches over money, contacts, searches and surveys, from events to what is said, worked out by hand."""

from datetime import datetime
from typing import Any

import pytest

from services.contracts.contacts import (
    ContactReopened,
    ContactReplied,
    ContactResolved,
    HelpPlace,
    HelpSearched,
    ReplyBy,
    SurveyAnswered,
    SurveyKind,
    SurveySent,
)
from services.contracts.deliveries import ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.problems import ProblemKind
from services.contracts.purchases import (
    CartAbandoned,
    OrderApproved,
    OrderLine,
    PaymentFailed,
    PaymentFailure,
    RefundPaid,
    RefundPromised,
)
from services.contracts.tolerances import Tolerances
from tests.factories import DAY, HOUR, SHOP, START, cancelled, event, placed, wrote
from tests.unit.verifier.telling import Arriving, Telling, daily, tell

DESK = "/desk"
PUBLISHER, OF_DESK = f"publisher:{SHOP}", f"publisher:{DESK}"
TICKS = daily(90)


def day(number: float) -> datetime:
    return START + number * DAY


def told(arriving: Arriving, **more: Any) -> Telling:
    heard = dict.fromkeys((PUBLISHER, OF_DESK), TICKS)
    return tell(arriving, TICKS, **{"heard": heard, **more})


def ids(record: dict[str, Any]) -> list[str]:
    return [ref["id"] for ref in record["evidence"]]


def at(number: float, name: str, fact: Any, source: str = SHOP) -> Event[Any]:
    return event(fact, at=day(number), event_id=name, source=source)


# refund_overdue


def refund(by: float, number: float, name: str, order: str = "o-1") -> Event[Any]:
    fact = RefundPromised(
        refund_id="r-1", order_id=order, currency="EUR", amount_minor=1, promised_by=day(by)
    )
    return at(number, name, fact)


def paid(number: float, name: str = "paid") -> Event[Any]:
    return at(
        number, name, RefundPaid(refund_id="r-1", order_id="o-1", currency="EUR", amount_minor=1)
    )


def test_money_that_does_not_come_is_overdue_then_late() -> None:
    found = told({1: [refund(5, 0.5, "first")], 2: [refund(9, 1.5, "second", "o-0")]})
    kind = ProblemKind.REFUND_OVERDUE

    assert found.lines(kind, "r-1") == [
        (6, "opened", "overdue"),
        (9, "changed", "late"),
        (68, "expired", "late"),
    ]
    opened = found.said(kind, "r-1")[0]
    assert (ids(opened), opened["actor"], opened["order_id"]) == (["first"], "us", "o-0")
    assert opened["promised_by"] == opened["deadline"] == "2026-01-06T00:00:00Z"
    assert opened["feed"]["feed"] == PUBLISHER


@pytest.mark.parametrize(("came", "how"), [(5, "retracted"), (7.5, "solved")])
def test_money_that_came_ends_it(came: float, how: str) -> None:
    found = told({1: [refund(5, 0.5, "first")], 8: [paid(came)]})

    assert found.lines(ProblemKind.REFUND_OVERDUE, "r-1")[-1] == (8, how, "overdue")
    assert ids(found.said(ProblemKind.REFUND_OVERDUE, "r-1")[-1]) == ["first", "paid"]
    assert told({1: [paid(0.5)]}).lines(ProblemKind.REFUND_OVERDUE, "r-1") == []


# payment_failed and cart_abandoned


def failed(
    number: float, name: str, order: str | None = None, cart: str | None = None
) -> Event[Any]:
    fact = PaymentFailed(
        payment_id=name, reason=PaymentFailure.DECLINED, order_id=order, cart_id=cart
    )
    return at(number, name, fact)


def given_up(number: float, name: str) -> Event[Any]:
    lines = (OrderLine(product_id="p", price_minor=1),)
    return at(number, name, CartAbandoned(cart_id="b-1", currency="EUR", lines=lines))


def test_the_second_failed_payment_is_a_problem_until_the_order_goes_through() -> None:
    found = told(
        {
            3: [failed(2.5, "f-1", "o-1", "b-1")],
            5: [failed(4.5, "f-2", "o-1"), failed(4.7, "f-3", "o-1")],
            7: [at(6.5, "ok", OrderApproved(order_id="o-1"))],
        }
    )
    kind = ProblemKind.PAYMENT_FAILED

    assert found.lines(kind, "o-1") == [(5, "opened", "overdue"), (7, "solved", "overdue")]
    opened, solved = found.said(kind, "o-1")
    assert (ids(opened), opened["order_id"], opened["actor"]) == (["f-2"], "o-1", "customer")
    assert (opened["feed"], opened["promised_by"]) == (None, None)
    assert ids(solved) == ["f-2", "ok"]
    assert found.lines(kind, "b-1") == []


def test_a_failed_payment_told_late_moves_the_moment_and_the_end() -> None:
    found = told(
        {5: [failed(2.5, "f-1", "o-1"), failed(4.5, "f-3", "o-1")], 6: [failed(3.5, "f-2", "o-1")]}
    )

    assert found.lines(ProblemKind.PAYMENT_FAILED, "o-1") == [
        (5, "opened", "overdue"),
        (11, "expired", "overdue"),
    ]


@pytest.mark.parametrize(
    "over",
    [at(2, "x", OrderApproved(order_id="o-1")), cancelled(at=day(2), event_id="x")],
    ids=["approved", "cancelled"],
)
def test_an_order_that_is_through_or_gone_has_no_payment_to_fail(over: Event[Any]) -> None:
    found = told({5: [over, failed(2.5, "f-1", "o-1"), failed(4.5, "f-2", "o-1")]})

    assert found.lines(ProblemKind.PAYMENT_FAILED, "o-1") == []


def test_how_many_payments_may_fail_is_a_tolerance() -> None:
    one = {5: [failed(4.5, "f-1", "o-1")]}
    kind = ProblemKind.PAYMENT_FAILED

    assert told(one).lines(kind, "o-1") == []
    assert told(one, tolerances=Tolerances(payment_failures=1)).lines(kind, "o-1") != []


def test_a_cart_that_cannot_be_paid_is_saved_by_the_next_order_only() -> None:
    failures = [failed(2.5, "f-1", cart="b-1"), failed(4.5, "f-2", cart="b-1")]
    before, after = (
        placed("o-7", at=day(3), event_id="before"),
        placed("o-8", at=day(6.5), event_id="after"),
    )
    kind = ProblemKind.PAYMENT_FAILED

    found = told({5: [*failures, before], 7: [after]})
    assert found.lines(kind, "b-1") == [(5, "opened", "overdue"), (7, "solved", "overdue")]
    opened, solved = found.said(kind, "b-1")
    assert (opened["order_id"], ids(opened), ids(solved)) == (None, ["f-2"], ["f-2", "after"])
    assert told({5: failures}).lines(kind, "b-1")[-1] == (12, "expired", "overdue")


@pytest.mark.parametrize(
    ("failure", "lines"),
    [
        (failed(3, "f", cart="b-1"), [(5, "opened", "overdue"), (9, "solved", "overdue")]),
        # After the giving up, of an order, or got over by buying: another story.
        (failed(2, "f", cart="b-1"), []),
        (failed(4.8, "f", cart="b-1"), []),
        (failed(3, "f", "o-1", "b-1"), []),
    ],
)
def test_a_cart_is_a_problem_where_money_failed_before_it_was_given_up(
    failure: Event[Any], lines: list[Any]
) -> None:
    found = told(
        {
            5: [failure, given_up(4.5, "gone"), placed("o-6", at=day(2.5), event_id="o-6")],
            9: [placed("o-9", at=day(8.5), event_id="o-9")],
        }
    )
    kind = ProblemKind.CART_ABANDONED

    assert found.lines(kind, "b-1") == lines
    if lines:
        opened, solved = found.said(kind, "b-1")
        assert (ids(opened), ids(solved), opened["actor"]) == (
            ["gone"],
            ["gone", "o-9"],
            "customer",
        )
        assert opened["deadline"] == "2026-01-05T12:00:00Z"


def test_a_giving_up_that_turns_out_to_be_earlier_retracts_it() -> None:
    found = told(
        {5: [failed(3, "f", cart="b-1"), given_up(4.5, "second")], 6: [given_up(2, "first")]}
    )
    kind = ProblemKind.CART_ABANDONED

    assert found.lines(kind, "b-1") == [(5, "opened", "overdue"), (6, "retracted", "overdue")]
    assert ids(found.said(kind, "b-1")[-1]) == ["second"]


# contact_unanswered


def asked(number: float, name: str, contact: str = "k-1", order: str | None = None) -> Event[Any]:
    return wrote(contact, order, at=day(number), event_id=name, source=DESK)


def replied(number: float, name: str, by: ReplyBy = ReplyBy.AGENT) -> Event[Any]:
    return at(number, name, ContactReplied(contact_id="k-1", by=by), DESK)


def closed(number: float, name: str, contact: str = "k-1") -> Event[Any]:
    return at(number, name, ContactResolved(contact_id=contact), DESK)


def reopened(number: float, name: str, contact: str = "k-1") -> Event[Any]:
    return at(number, name, ContactReopened(contact_id=contact), DESK)


def test_a_word_waits_a_business_day_then_two() -> None:
    # Written on Friday at noon (day 1.5): overdue on Monday noon (4.5), late on Tuesday noon.
    found = told({2: [asked(1.5, "q", order="o-1")]})
    kind = ProblemKind.CONTACT_UNANSWERED

    assert found.lines(kind, "k-1") == [
        (6, "opened", "overdue"),
        (7, "changed", "late"),
        (66, "expired", "late"),
    ]
    opened = found.said(kind, "k-1")[0]
    assert (opened["deadline"], opened["order_id"]) == ("2026-01-05T12:00:00Z", "o-1")
    assert (ids(opened), opened["actor"], opened["feed"]["feed"]) == (["q"], "us", OF_DESK)


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        (replied(6.5, "a"), (8, "solved")),
        (replied(3, "a"), (8, "retracted")),
        (closed(6.5, "a"), (8, "solved")),
        (replied(6.5, "a", ReplyBy.BOT), (66, "expired")),
        (replied(6.5, "a", ReplyBy.CUSTOMER), (66, "expired")),
    ],
    ids=["an agent", "an agent in time", "closed", "a bot", "the customer"],
)
def test_only_we_can_answer(answer: Event[Any], last: tuple[int, str]) -> None:
    found = told({2: [asked(1.5, "q")], 8: [answer]})
    kind = ProblemKind.CONTACT_UNANSWERED

    assert found.lines(kind, "k-1")[2 if last[0] == 8 else -1][:2] == last
    if last[0] == 8:
        # The facts know the answer only: nobody waits any more.  The episode knows its word.
        assert ids(found.said(kind, "k-1")[2]) == ["q", "a"]


def test_a_word_after_the_answer_waits_anew() -> None:
    found = told(
        {
            2: [asked(1.5, "q-1")],
            8: [replied(6.5, "a"), replied(7.5, "q-2", ReplyBy.CUSTOMER)],
        }
    )
    kind = ProblemKind.CONTACT_UNANSWERED

    # q-2 came on Thursday noon, day 7.5 (2026-01-08): overdue on Friday, late on Monday.
    assert found.lines(kind, "k-1")[2:5] == [
        (8, "solved", "late"),
        (10, "opened", "overdue"),
        (13, "changed", "late"),
    ]
    assert [ids(record) for record in found.said(kind, "k-1")[2:4]] == [["q-1", "a"], ["q-2"]]


def test_the_customers_zone_counts_for_contacts_too() -> None:
    # Friday 23:30 UTC is Saturday in Auckland: what is Monday 23:30 there ends earlier here.
    named = ShipmentPromised(
        shipment_id="s", order_id="o", promised_by=day(80), time_zone="Pacific/Auckland"
    )
    question = wrote("k-1", None, at=day(2) - HOUR / 2, event_id="q", source=DESK)
    kind = ProblemKind.CONTACT_UNANSWERED
    plain = told({2: [question]})
    zoned = told({2: [question], 3: [at(2, "p", named)]})

    assert plain.said(kind, "k-1")[0]["deadline"] == "2026-01-05T23:30:00Z"
    assert zoned.said(kind, "k-1")[0]["deadline"] == "2026-01-04T23:30:00Z"


# contact_reopened


def test_a_contact_that_comes_back_is_a_problem_until_it_is_closed() -> None:
    found = told(
        {
            2: [asked(1.5, "q", order="o-1"), closed(1.7, "c-1")],
            4: [reopened(3.5, "r-1")],
            6: [closed(5.5, "c-2")],
            8: [reopened(7.5, "r-2")],
            9: [reopened(8.5, "r-3")],
        }
    )
    kind = ProblemKind.CONTACT_REOPENED

    assert found.lines(kind, "k-1")[:5] == [
        (4, "opened", "overdue"),
        (6, "solved", "overdue"),
        (8, "opened", "overdue"),
        (9, "solved", "overdue"),
        (9, "opened", "overdue"),
    ]
    said = found.said(kind, "k-1")
    assert [ids(record) for record in said[:5]] == [
        ["r-1"],
        ["r-1", "c-2"],
        ["r-2"],
        ["r-2", "r-3"],
        ["r-3"],
    ]
    assert [record["episode"] for record in said[:5]] == [1, 1, 2, 2, 3]
    assert said[0]["order_id"] == "o-1"


def test_a_closing_before_the_reopening_closes_nothing() -> None:
    found = told({4: [reopened(3.5, "r-1")], 6: [closed(3, "c")]})

    assert found.lines(ProblemKind.CONTACT_REOPENED, "k-1")[:2] == [
        (4, "opened", "overdue"),
        (64, "expired", "overdue"),
    ]


# contact_repeated


def test_the_third_contact_about_one_order_is_a_problem_until_all_are_closed() -> None:
    found = told(
        {
            2: [asked(1.5, "q-1", "k-1", "o-1"), asked(1.6, "q-x", "k-x", "o-2")],
            4: [asked(3.5, "q-2", "k-2", "o-1")],
            6: [asked(5.5, "q-3", "k-3", "o-1")],
            8: [closed(7.1, "c-1", "k-1"), closed(7.2, "c-2", "k-2")],
            9: [closed(8.5, "c-3", "k-3"), reopened(8.6, "r", "k-1")],
            11: [closed(10.5, "c-4", "k-1")],
        }
    )
    kind = ProblemKind.CONTACT_REPEATED

    assert found.lines(kind, "o-1") == [(6, "opened", "overdue"), (11, "solved", "overdue")]
    opened, solved = found.said(kind, "o-1")
    assert (ids(opened), opened["order_id"], opened["actor"]) == (["q-3"], "o-1", "us")
    assert ids(solved) == ["q-3", "c-4"]
    assert found.lines(kind, "o-2") == []


@pytest.mark.parametrize(("last", "is_said"), [(31.5, True), (31.6, False)])
def test_they_must_lie_within_thirty_days(last: float, is_said: bool) -> None:
    asking = [
        asked(1.5, "q-1", "k-1", "o"),
        asked(9, "q-2", "k-2", "o"),
        asked(last, "q", "k", "o"),
    ]
    found = told({40: asking})

    assert bool(found.lines(ProblemKind.CONTACT_REPEATED, "o")) is is_said


def test_a_fourth_contact_after_all_were_closed_returns_it_under_the_same_anchor() -> None:
    three = [asked(n, f"q-{n}", f"k-{n}", "o") for n in (1, 2, 3)]
    found = told(
        {
            4: three,
            6: [closed(5, f"c-{n}", f"k-{n}") for n in (1, 2, 3)],
            8: [asked(7.5, "q-4", "k-4", "o")],
        }
    )

    assert found.lines(ProblemKind.CONTACT_REPEATED, "o")[:3] == [
        (4, "opened", "overdue"),
        (6, "solved", "overdue"),
        (8, "opened", "overdue"),
    ]
    assert ids(found.said(ProblemKind.CONTACT_REPEATED, "o")[2]) == ["q-3"]


def test_a_contact_that_turns_out_to_be_about_something_else_retracts_it() -> None:
    three = [asked(n, f"q-{n}", f"k-{n}", "o") for n in (1, 2, 3)]
    found = told({4: three, 6: [asked(0.5, "q-0", "k-3", "o-9")]})
    kind = ProblemKind.CONTACT_REPEATED

    assert found.lines(kind, "o") == [(4, "opened", "overdue"), (6, "retracted", "overdue")]
    assert ids(found.said(kind, "o")[-1]) == ["q-3"]


# help_not_found


def searched(
    number: float, name: str, order: str | None = None, *, found: bool = False
) -> Event[Any]:
    fact = HelpSearched(search_id=name, place=HelpPlace.FAQ, found=found, order_id=order)
    return at(number, name, fact, DESK)


def test_who_finds_nothing_and_goes_silent_is_asked_after_four_hours() -> None:
    hours = [START + n * HOUR for n in range(24 * 20)]
    found = tell(
        {10: [searched(0.25, "s-1", "o-1")], 12: [searched(0.4, "s-2", "o-1")]},
        hours,
        heard={OF_DESK: hours},
    )
    kind = ProblemKind.HELP_NOT_FOUND

    # Searched at 06:00, so at 10:00; what was heard at 11:00 came long enough after that, and is known
    # at 12:00.  A week later it is over.
    assert found.lines(kind, "o-1") == [
        (12, "opened", "overdue"),
        (10 + 7 * 24, "expired", "overdue"),
    ]
    opened = found.said(kind, "o-1")[0]
    assert (opened["deadline"], opened["order_id"]) == ("2026-01-01T10:00:00Z", "o-1")
    assert (ids(opened), opened["actor"], opened["feed"]["feed"]) == (["s-1"], "us", OF_DESK)


@pytest.mark.parametrize(
    ("helped", "subject", "is_over"),
    [
        (searched(4.5, "x", "o-1", found=True), "o-1", True),
        (searched(4.5, "x", found=True), "o-1", False),
        (asked(4.5, "x", order="o-1"), "o-1", True),
        (asked(4.5, "x", order=None), "o-1", True),
        (asked(4.5, "x", order="o-2"), "o-1", False),
        (searched(4.5, "x", found=True), "help", True),
        (searched(4.5, "x", "o-1", found=True), "help", False),
        (asked(4.5, "x", order="o-2"), "help", True),
    ],
)
def test_an_answer_or_a_contact_about_it_ends_it(
    helped: Event[Any], subject: str, is_over: bool
) -> None:
    about = None if subject == "help" else subject
    found = told({3: [searched(2.5, "s", about)], 5: [helped]})
    kind = ProblemKind.HELP_NOT_FOUND

    assert found.lines(kind, subject)[0] == (4, "opened", "overdue")
    assert found.lines(kind, subject)[1][1] == ("solved" if is_over else "expired")
    if is_over:
        assert ids(found.said(kind, subject)[1]) == ["s", "x"]
    assert found.said(kind, subject)[0]["order_id"] == about


def test_a_new_search_after_a_contact_is_a_new_one() -> None:
    found = told(
        {3: [searched(2.5, "s-1")], 5: [asked(4.5, "q"), searched(4.6, "s-2")]},
    )
    kind = ProblemKind.HELP_NOT_FOUND

    assert found.lines(kind, "help")[:3] == [
        (4, "opened", "overdue"),
        (5, "solved", "overdue"),
        (6, "opened", "overdue"),
    ]
    assert [ids(record) for record in found.said(kind, "help")[:3]] == [
        ["s-1"],
        ["s-1", "q"],
        ["s-2"],
    ]


def test_who_wrote_in_between_was_not_silent() -> None:
    found = told({3: [searched(2.5, "s"), asked(2.6, "q")]})

    assert found.lines(ProblemKind.HELP_NOT_FOUND, "help") == []


# survey_poor


def answered(
    number: float,
    name: str,
    score: int,
    survey: str = "y-1",
    order: str | None = "o-1",
    kind: SurveyKind = SurveyKind.CSAT,
) -> Event[Any]:
    fact = SurveyAnswered(survey_id=survey, kind=kind, score=score, order_id=order)
    return at(number, name, fact)


@pytest.mark.parametrize(
    ("kind", "score", "is_poor"),
    [
        (SurveyKind.CSAT, 2, True), (SurveyKind.CSAT, 3, False),
        (SurveyKind.CES, 2, True), (SurveyKind.CES, 3, False),
        (SurveyKind.NPS, 6, True), (SurveyKind.NPS, 7, False),
    ],
)  # fmt: skip
def test_a_poor_answer_is_a_problem_at_once(kind: SurveyKind, score: int, is_poor: bool) -> None:
    found = told({3: [answered(2.5, "a", score, kind=kind)]})
    lines = [(3, "opened", "overdue"), (33, "expired", "overdue")]

    assert found.lines(ProblemKind.SURVEY_POOR, "y-1") == (lines if is_poor else [])
    if is_poor:
        opened = found.said(ProblemKind.SURVEY_POOR, "y-1")[0]
        assert (ids(opened), opened["order_id"], opened["feed"]) == (["a"], "o-1", None)


@pytest.mark.parametrize(
    ("other", "how"),
    [
        (answered(4.5, "b", 5, "y-2"), "solved"),
        (answered(4.5, "b", 2, "y-2"), "expired"),
        (answered(2, "b", 5, "y-2"), "expired"),
        (answered(4.5, "b", 5, "y-2", "o-2"), "expired"),
        (answered(4.5, "b", 5, "y-1"), "expired"),
    ],
    ids=["better", "as poor", "better before", "of another order", "the same survey again"],
)
def test_a_better_answer_about_the_same_order_ends_it(other: Event[Any], how: str) -> None:
    found = told({3: [answered(2.5, "a", 1)], 5: [other]})
    kind = ProblemKind.SURVEY_POOR

    assert found.lines(kind, "y-1")[1][1] == how
    if how == "solved":
        assert ids(found.said(kind, "y-1")[1]) == ["a", "b"]


def test_a_first_answer_told_late_that_was_good_retracts_it() -> None:
    found = told({3: [answered(2.5, "a", 1)], 5: [answered(2, "b", 5)]})

    assert found.lines(ProblemKind.SURVEY_POOR, "y-1")[1] == (5, "retracted", "overdue")


def test_of_no_order_nothing_but_time_ends_it() -> None:
    poor, better = answered(2.5, "a", 1, order=None), answered(4.5, "b", 5, "y-2", order=None)
    sent = at(1, "s", SurveySent(survey_id="y-3", kind=SurveyKind.CSAT))

    found = told({3: [poor, sent], 5: [better]})
    assert found.lines(ProblemKind.SURVEY_POOR, "y-1")[1] == (33, "expired", "overdue")
