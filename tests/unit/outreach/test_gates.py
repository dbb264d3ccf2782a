"""Each gate by itself: what opens it, what closes it, and the word that is recorded."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from services.contracts.contacts import SurveyKind
from services.contracts.outreach import Suppression
from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.contracts.problems import Actor, Clearing, ProblemKind, Tier
from services.outreach import gates
from services.outreach.facts import Ending, Problem, Stage, SurveyAnswer
from services.outreach.gates import GATES, Gate, chosen_channel, first_no, judge
from services.outreach.patience import Spent
from services.outreach.signals import Signal
from services.outreach.situation import Message, Situation, Volume
from tests.unit.outreach.factories import (
    CUSTOMER,
    DAY,
    HOUR,
    NOON,
    POLICY,
    contact,
    message,
    problem,
    profile,
    situation,
    statement,
)

GRANTED, DENIED, REVOKED = ConsentStatus.GRANTED, ConsentStatus.DENIED, ConsentStatus.REVOKED


def spent(at: datetime) -> Spent:
    return Spent(at, MessageClass.SERVICE)


def refusal(gate: Gate, of: Situation) -> Suppression | None:
    return gate(of, POLICY).suppression


def passes(gate: Gate, of: Situation) -> bool:
    return gate(of, POLICY).verdict.passed


def test_nothing_stands_against_a_plain_case() -> None:
    assert first_no(judge(situation(), POLICY)) is None


@pytest.mark.parametrize("clearing", list(Clearing))
def test_a_cleared_problem_is_solved(clearing: Clearing) -> None:
    cleared = situation(problem=problem(ending=Ending(NOON, clearing)))

    assert refusal(gates.problem_open, cleared) is Suppression.SOLVED


@pytest.mark.parametrize(
    ("known", "is_known"),
    [
        (contact("o-1"), True),
        (contact(None), True),
        (contact("o-2"), False),
        # Closed, and older than the problem: they spoke of something else.
        (
            contact("o-1", heard_at=NOON - DAY, opened_at=NOON - DAY, resolved_at=NOON - 20 * HOUR),
            False,
        ),
        # Opened and closed in one breath, before the problem.
        (
            contact("o-1", heard_at=NOON - DAY, opened_at=NOON - DAY, resolved_at=NOON - DAY),
            False,
        ),
        # Older than the problem, and nobody has answered yet.
        (contact("o-1", heard_at=NOON - DAY, opened_at=NOON - DAY), True),
        # Closed by now, and about this problem's time.
        (contact("o-1", resolved_at=NOON), True),
        # Closed long ago, but the customer wrote again.
        (contact("o-1", opened_at=NOON - DAY, resolved_at=NOON - 20 * HOUR, heard_at=NOON), True),
        # An agent began it, and the customer's word in it waits for an answer; or got it long ago.
        (contact("o-1", heard_at=NOON - DAY, opened_at=None), True),
        (contact("o-1", heard_at=NOON - DAY, opened_at=None, resolved_at=NOON - HOUR), False),
        # Only our own side of it was seen.
        (contact("o-1", heard_at=None, opened_at=None, resolved_at=NOON), False),
    ],
)
def test_who_wrote_first_needs_no_notice(known: Any, is_known: bool) -> None:
    found = refusal(gates.not_already_known, situation(contacts=(known,)))

    assert found is (Suppression.ALREADY_KNOWN if is_known else None)


@pytest.mark.parametrize("order", ["o-1", None])
def test_a_word_about_anything_may_be_about_a_problem_that_names_no_order(
    order: str | None,
) -> None:
    nameless = situation(problem=problem(order_id=None), contacts=(contact(order),))
    poor = SurveyAnswer(CUSTOMER, "s-1", NOON, SurveyKind.CSAT, 1, order)

    ruling = gates.not_already_known(nameless, POLICY)
    assert ruling.suppression is Suppression.ALREADY_KNOWN
    assert ("names none" in ruling.verdict.because) is (order is not None)
    nameless = situation(problem=problem(order_id=None), answers=(poor,))
    assert refusal(gates.not_already_known, nameless) is Suppression.ALREADY_KNOWN


def about_contact(kind: ProblemKind, subject: str = "k-1", **changes: Any) -> Any:
    return problem(kind=kind, subject=subject, tier=Tier.OVERDUE, **changes)


@pytest.mark.parametrize(
    ("trouble", "known", "is_known"),
    [
        (about_contact(ProblemKind.CONTACT_UNANSWERED), contact("o-1"), False),
        (about_contact(ProblemKind.CONTACT_UNANSWERED, order_id=None), contact(None), False),
        (about_contact(ProblemKind.CONTACT_REOPENED), contact("o-1"), False),
        # They wrote again, in another contact: somebody will see that one.
        (about_contact(ProblemKind.CONTACT_UNANSWERED, "k-9"), contact("o-1"), True),
        (about_contact(ProblemKind.CONTACT_REOPENED, "k-9"), contact(None), True),
        # Several contacts about one order are the problem together, whichever is its subject.
        (about_contact(ProblemKind.CONTACT_REPEATED, "o-1"), contact("o-1"), False),
        (about_contact(ProblemKind.CONTACT_REPEATED, "k-9"), contact("o-1"), False),
        (about_contact(ProblemKind.CONTACT_REPEATED, "o-1"), contact(None), True),
        # Whatever its id, a contact is never the parcel or the refund.
        (about_contact(ProblemKind.SCAN_STALLED), contact("o-1"), True),
        (about_contact(ProblemKind.REFUND_OVERDUE), contact("o-1"), True),
    ],
)
def test_the_contact_that_is_the_problem_is_no_word_about_the_problem(
    trouble: Any, known: Any, is_known: bool
) -> None:
    ruling = gates.not_already_known(situation(problem=trouble, contacts=(known,)), POLICY)

    assert (ruling.suppression is Suppression.ALREADY_KNOWN) is is_known
    if not is_known:
        assert "but the one the problem is about" in ruling.verdict.because


@pytest.mark.parametrize(("survey", "is_known"), [("s-1", False), ("s-2", True)])
def test_the_answer_that_is_the_problem_is_no_word_about_the_problem(
    survey: str, is_known: bool
) -> None:
    trouble = about_contact(ProblemKind.SURVEY_POOR, "s-1")
    answer = SurveyAnswer(CUSTOMER, survey, NOON, SurveyKind.CSAT, 1, "o-1")

    known = situation(problem=trouble, answers=(answer,))
    assert passes(gates.not_already_known, known) is not is_known


@pytest.mark.parametrize(
    ("score", "kind", "order", "at", "is_known"),
    [
        (2, SurveyKind.CSAT, "o-1", NOON, True),
        (2, SurveyKind.CSAT, None, NOON, True),
        (3, SurveyKind.CSAT, "o-1", NOON, False),
        (6, SurveyKind.NPS, "o-1", NOON, True),
        (7, SurveyKind.NPS, "o-1", NOON, False),
        (2, SurveyKind.CSAT, "o-2", NOON, False),
        (2, SurveyKind.CSAT, "o-1", NOON - 2 * HOUR, False),
    ],
)
def test_a_poor_answer_since_the_problem_is_a_word_about_it(
    score: int, kind: SurveyKind, order: str | None, at: Any, is_known: bool
) -> None:
    answer = SurveyAnswer(CUSTOMER, "s-1", at, kind, score, order)

    assert passes(gates.not_already_known, situation(answers=(answer,))) is not is_known


@pytest.mark.parametrize(
    ("message_class", "allowed"),
    [
        (MessageClass.SAFETY, True),
        (MessageClass.SERVICE, True),
        (MessageClass.CARE, False),
        (MessageClass.PROMOTIONAL, False),
    ],
)
def test_without_a_record_the_class_decides(message_class: MessageClass, allowed: bool) -> None:
    assert passes(gates.consent, situation(message=message(message_class))) is allowed


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ((statement(DENIED, NOON - DAY),), False),
        ((statement(DENIED, NOON - 2 * DAY), statement(GRANTED, NOON - DAY)), True),
        ((statement(GRANTED, NOON - 2 * DAY), statement(REVOKED, NOON - DAY)), False),
        # Not said yet at this instant.
        ((statement(REVOKED, NOON + HOUR),), True),
        # A pause that is over lets the earlier word stand again.
        (
            (
                statement(GRANTED, NOON - 9 * DAY),
                statement(DENIED, NOON - 5 * DAY, valid_until=NOON - DAY),
            ),
            True,
        ),
        # A pause under way.
        (
            (
                statement(GRANTED, NOON - 9 * DAY),
                statement(DENIED, NOON - 5 * DAY, valid_until=NOON + DAY),
            ),
            False,
        ),
        # Announced for later.
        ((statement(DENIED, NOON - DAY, valid_from=NOON + DAY),), True),
        # The end of a statement is outside of it.
        ((statement(DENIED, NOON - DAY, valid_until=NOON),), True),
        # Said at once: the stricter word.
        ((statement(GRANTED, NOON - DAY), statement(REVOKED, NOON - DAY)), False),
        # "Stop" said after a grant for a later day still means stop on that day.
        (
            (
                statement(GRANTED, NOON - 9 * DAY, valid_from=NOON - DAY),
                statement(REVOKED, NOON - 5 * DAY),
            ),
            False,
        ),
        # Another class.
        ((statement(DENIED, NOON - DAY, message_class=MessageClass.PROMOTIONAL),), True),
    ],
)
def test_the_last_word_in_force_decides_whatever_the_order(statements: Any, allowed: bool) -> None:
    for order in permutations(statements):
        assert passes(gates.consent, situation(consents=order)) is allowed


def test_a_grant_opens_what_the_default_closes() -> None:
    granted = statement(GRANTED, NOON - DAY, message_class=MessageClass.CARE)

    assert passes(gates.consent, situation(message=message(MessageClass.CARE), consents=(granted,)))


@pytest.mark.parametrize(
    ("late_by", "is_useful"), [(timedelta(0), True), (timedelta(seconds=1), False)]
)
def test_old_news_is_no_news(late_by: timedelta, is_useful: bool) -> None:
    assert passes(gates.use_by, situation(use_by=NOON - late_by)) is is_useful


@pytest.mark.parametrize("tier", [Tier.AT_RISK, Tier.OVERDUE])
def test_a_message_overtaken_by_events_is_no_longer_of_use(tier: Tier) -> None:
    overtaken = situation(
        message=replace(message(MessageClass.SERVICE), speaks_of=frozenset({tier}))
    )

    assert refusal(gates.use_by, overtaken) is Suppression.USE_BY


def test_nobody_is_disturbed_in_their_own_night() -> None:
    in_tokyo = situation(profile=profile(time_zone="Asia/Tokyo"))  # noon in London is 21:00 there

    ruling = gates.quiet_hours(in_tokyo, POLICY)

    assert ruling.deferred_until == NOON + 11 * HOUR
    assert ruling.suppression is None


def test_what_cannot_wait_for_the_morning_is_suppressed_at_once() -> None:
    night = situation(now=NOON + 9 * HOUR, use_by=NOON + 19 * HOUR)

    assert refusal(gates.quiet_hours, night) is Suppression.USE_BY
    assert gates.quiet_hours(night, POLICY).deferred_until is None


def test_what_can_just_wait_for_the_morning_waits() -> None:
    night = situation(now=NOON + 9 * HOUR, use_by=NOON + 20 * HOUR)

    assert gates.quiet_hours(night, POLICY).deferred_until == NOON + 20 * HOUR


@pytest.mark.parametrize("message_class", list(MessageClass))
def test_only_safety_may_disturb_at_night(message_class: MessageClass) -> None:
    night = situation(now=NOON + 10 * HOUR, message=message(message_class))

    assert passes(gates.quiet_hours, night) is (message_class is MessageClass.SAFETY)


@pytest.mark.parametrize(
    ("hours_ago", "has_room"),
    [
        ([], True),
        ([23], False),
        ([24], True),
        ([25, 50], True),
        ([25, 50, 75], False),
        ([25, 50, 168], True),
    ],
)
def test_two_rolling_windows_limit_how_often_we_write(hours_ago: list[int], has_room: bool) -> None:
    past = tuple(Spent(NOON - hours * HOUR, MessageClass.SERVICE) for hours in hours_ago)

    assert passes(gates.budget, situation(spent=past)) is has_room


@pytest.mark.parametrize("message_class", list(MessageClass))
def test_every_class_but_safety_obeys_the_budget(message_class: MessageClass) -> None:
    tired = situation(message=message(message_class), spent=(spent(NOON - HOUR),))

    assert passes(gates.budget, tired) is (message_class is MessageClass.SAFETY)


@pytest.mark.parametrize("known", [None, profile(email=None)])
def test_without_an_address_there_is_no_channel(known: Any) -> None:
    assert refusal(gates.channel, situation(profile=known)) is Suppression.CHANNEL


def worsening(risk: float | None = 0.9, tier: Tier = Tier.AT_RISK, **changes: Any) -> Problem:
    """A parcel promised for two days from now."""
    return problem(tier=tier, stage=Stage(tier, NOON, NOON + 2 * DAY, Actor.US, risk), **changes)


def lesser() -> Message:
    """A message about a parcel that is only at risk."""
    return Message(MessageClass.SERVICE, (Channel.EMAIL,), frozenset({Tier.AT_RISK}))


TWICE = (spent(NOON - 50 * HOUR), spent(NOON - 25 * HOUR))
"""Of three in a week two are used, and the day is free."""


def test_a_lesser_message_leaves_room_for_the_worse_one_that_is_likely() -> None:
    plain = situation(problem=worsening(), message=lesser())

    assert passes(gates.reserved, plain)
    assert passes(gates.budget, replace(plain, spent=TWICE))
    assert refusal(gates.reserved, replace(plain, spent=TWICE)) is Suppression.RESERVED
    # By then the oldest of them has left the week.
    long_ago = (spent(NOON - 5 * DAY), spent(NOON - 25 * HOUR))
    assert passes(gates.reserved, replace(plain, spent=long_ago))


@pytest.mark.parametrize(
    "unlikely",
    [
        worsening(risk=0.4),
        worsening(risk=None),
        worsening(tier=Tier.LATE),
        replace(worsening(), stage=Stage(Tier.AT_RISK, NOON, NOON - 2 * DAY, Actor.US, 0.9)),
    ],
)
def test_no_room_is_kept_for_what_is_unlikely_or_over(unlikely: Problem) -> None:
    assert passes(gates.reserved, situation(problem=unlikely, message=lesser(), spent=TWICE))


def test_room_is_kept_for_what_another_problem_may_become() -> None:
    kind = message(MessageClass.CARE)
    calm = situation(message=kind, spent=TWICE)

    assert passes(gates.reserved, calm)
    troubled = replace(calm, others=(worsening(order="o-2"),))
    assert refusal(gates.reserved, troubled) is Suppression.RESERVED
    # As bad as that itself, it goes first.
    late = replace(troubled, message=message(MessageClass.SERVICE))
    assert passes(gates.reserved, late)


@pytest.mark.parametrize(
    ("asked", "risk", "is_worth_it"),
    [
        (MessageClass.SERVICE, 0.4, True),
        (MessageClass.SERVICE, None, True),
        (MessageClass.SERVICE, 0.005, False),
        (MessageClass.CARE, 0.1, True),
        (MessageClass.PROMOTIONAL, 0.01, False),
        (MessageClass.SAFETY, 0.0, True),
    ],
)
def test_it_must_do_more_good_than_it_costs(
    asked: MessageClass, risk: float | None, is_worth_it: bool
) -> None:
    found = situation(problem=worsening(risk=risk), message=message(asked))

    expected = None if is_worth_it else Suppression.NET_VALUE
    assert refusal(gates.net_value, found) is expected


def test_every_contact_of_the_month_makes_the_next_one_worth_less() -> None:
    barely = situation(problem=worsening(risk=0.02))

    assert passes(gates.net_value, barely)
    assert not passes(gates.net_value, replace(barely, spent=(spent(NOON - 29 * DAY),) * 2))
    assert passes(gates.net_value, replace(barely, spent=(spent(NOON - 31 * DAY),) * 2))


def test_more_than_usual_waits_for_a_person_and_not_longer_than_it_is_news() -> None:
    full = situation(volume=Volume(100, 100))

    assert passes(gates.breaker, situation(volume=Volume(99, 100)))
    assert passes(gates.breaker, situation(volume=None))
    assert gates.breaker(full, POLICY).deferred_until == NOON + HOUR
    too_late = replace(full, use_by=NOON + HOUR / 2)
    assert refusal(gates.breaker, too_late) is Suppression.BREAKER


@pytest.mark.parametrize(
    ("rejected_until", "passes_on"),
    [(NOON - 2 * HOUR, True), (NOON - HOUR, False), (NOON, False), (None, True)],
)
def test_what_a_person_rejected_is_not_sent(
    rejected_until: datetime | None, passes_on: bool
) -> None:
    volume = Volume(0, 100, rejected_until=rejected_until)

    expected = None if passes_on else Suppression.BREAKER
    assert refusal(gates.breaker, situation(volume=volume)) is expected


@pytest.mark.parametrize(
    ("ending", "refused"),
    [
        (Ending(NOON, Clearing.SOLVED), False),
        (Ending(NOON, Clearing.RETRACTED), True),
        # Opened and over in one breath: nobody ever heard that it began.
        (Ending(NOON - HOUR, Clearing.SOLVED), True),
        (None, True),
    ],
)
def test_a_message_about_an_end_needs_that_end(ending: Ending | None, refused: bool) -> None:
    thanks = replace(message(MessageClass.CARE), after=frozenset({Clearing.SOLVED}))
    found = situation(problem=problem(ending=ending), message=thanks)

    assert refusal(gates.problem_open, found) is (Suppression.SOLVED if refused else None)


CORRECTION = replace(
    message(MessageClass.SERVICE), after=frozenset({Clearing.RETRACTED}), told=True
)
RETRACTED = Ending(NOON, Clearing.RETRACTED)


def correcting(**changes: Any) -> Situation:
    """Return the situation after a message about a problem that never was."""
    told: dict[str, Any] = {"problem": problem(ending=RETRACTED), "message": CORRECTION}
    return situation(**{**told, "told": True, **changes})


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"told": False}, "never told"),
        ({"problem": problem(ending=Ending(NOON, Clearing.SOLVED))}, "cleared: solved"),
        ({"problem": problem(ending=Ending(NOON, Clearing.EXPIRED))}, "cleared: expired"),
        ({"problem": problem()}, "it has not ended"),
        # The next episode of the same thing, or another parcel of the same order.
        ({"others": (problem(order_id="o-9"),)}, "open again"),
        ({"others": (problem(subject="sh-9"),)}, "open again"),
    ],
)
def test_only_what_was_told_and_never_was_is_taken_back(
    changes: dict[str, Any], because: str
) -> None:
    ruling = gates.problem_open(correcting(**changes), POLICY)

    assert ruling.suppression is Suppression.SOLVED
    assert because in ruling.verdict.because


@pytest.mark.parametrize(
    "others",
    [
        (),
        (problem("o-2"),),
        (problem(kind=ProblemKind.SCAN_STALLED, tier=Tier.OVERDUE),),
        (problem("o-2", order_id=None),),
    ],
)
def test_trouble_of_another_kind_or_order_does_not_keep_a_wrong_word_standing(
    others: tuple[Problem, ...],
) -> None:
    assert first_no(judge(correcting(others=others), POLICY)) is None


def test_two_problems_about_no_order_are_not_about_the_same_one() -> None:
    nameless = problem(order_id=None, ending=RETRACTED)

    of_another = correcting(problem=nameless, others=(problem("o-2", order_id=None),))
    assert passes(gates.problem_open, of_another)


def test_what_is_for_who_was_told_and_corrects_nothing_minds_no_other_problem() -> None:
    thanks = replace(CORRECTION, after=frozenset({Clearing.SOLVED}))
    solved = problem(ending=Ending(NOON, Clearing.SOLVED))
    known = correcting(message=thanks, problem=solved, others=(problem(subject="sh-9"),))

    assert passes(gates.problem_open, known)
    assert refusal(gates.problem_open, replace(known, told=False)) is Suppression.SOLVED


@pytest.mark.parametrize("told", [True, False])
def test_a_correction_waits_until_what_is_leaving_has_left(told: bool) -> None:
    leaving = correcting(told=told, being_told=True)

    until = gates.problem_open(leaving, POLICY).deferred_until
    assert until == NOON + POLICY.telling_recheck
    # Nothing is asked again for ever: at its use-by it goes by what is known.
    last = replace(leaving, use_by=NOON + timedelta(minutes=1))
    assert passes(gates.problem_open, last) is told
    assert told or refusal(gates.problem_open, last) is Suppression.SOLVED


@pytest.mark.parametrize("gate", [gates.budget, gates.reserved, gates.net_value])
def test_a_correction_is_not_withheld_because_of_what_it_corrects(gate: Gate) -> None:
    worse = Stage(Tier.AT_RISK, NOON, NOON + DAY, Actor.US, 0.9)
    crowded: dict[str, Any] = {
        "problem": problem(tier=Tier.AT_RISK, ending=RETRACTED),
        "spent": tuple(spent(NOON - n * HOUR) for n in range(1, 90)),
        "others": (problem("o-2", stage=worse),),
    }

    ruling = gate(correcting(**crowded), POLICY)
    assert ruling.verdict.passed
    assert ruling.verdict.because.startswith("a correction: ")
    # Any other message would be refused, also the thanks to who was told.
    solved = replace(CORRECTION, after=frozenset({Clearing.SOLVED}))
    for other in (message(MessageClass.SERVICE), solved, replace(CORRECTION, told=False)):
        assert not passes(gate, correcting(message=other, **crowded))


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"consents": (statement(DENIED, NOON - DAY),)}, Suppression.CONSENT),
        ({"use_by": NOON - HOUR}, Suppression.USE_BY),
        ({"contacts": (contact(),)}, Suppression.ALREADY_KNOWN),
        ({"volume": Volume(0, 100, rejected_until=NOON)}, Suppression.BREAKER),
        ({"profile": None}, Suppression.CHANNEL),
    ],
)
def test_a_correction_obeys_every_other_gate(changes: dict[str, Any], refused: Suppression) -> None:
    decisive = first_no(judge(correcting(**changes), POLICY))

    assert decisive is not None
    assert decisive.suppression is refused


def test_a_correction_waits_for_the_morning() -> None:
    night = correcting(now=NOON + 10 * HOUR)

    assert gates.quiet_hours(night, POLICY).deferred_until == NOON + 20 * HOUR


def test_of_an_end_nothing_was_said_in_what_was_answered_before_it() -> None:
    answered = contact("o-1", resolved_at=NOON + HOUR)
    thanks = replace(message(MessageClass.CARE), after=frozenset({Clearing.SOLVED}))
    solved = problem(ending=Ending(NOON, Clearing.SOLVED))

    assert not passes(gates.not_already_known, situation(contacts=(answered,)))
    about_the_end = situation(problem=solved, message=thanks, contacts=(answered,))
    assert passes(gates.not_already_known, about_the_end)
    still_open = replace(about_the_end, contacts=(contact("o-1"),))
    assert refusal(gates.not_already_known, still_open) is Suppression.ALREADY_KNOWN


def test_a_class_that_is_not_sent_here_is_not_sent() -> None:
    assert refusal(gates.message_class, situation(message=message(MessageClass.PROMOTIONAL))) is (
        Suppression.MESSAGE_CLASS
    )
    assert passes(gates.message_class, situation(message=message(MessageClass.CARE)))


def test_it_goes_by_the_first_channel_that_is_allowed_open_and_has_an_address() -> None:
    both = Message(MessageClass.SERVICE, (Channel.EMAIL, Channel.WEBHOOK), frozenset({Tier.LATE}))
    no_mail = statement(DENIED, NOON - DAY)
    no_hook = replace(no_mail, channel=Channel.WEBHOOK, event_id="h")
    plain = situation(message=both)

    assert chosen_channel(plain) is Channel.EMAIL
    assert chosen_channel(replace(plain, consents=(no_mail,))) is Channel.WEBHOOK
    assert chosen_channel(replace(plain, profile=None)) is Channel.WEBHOOK
    shut = replace(plain, closed=frozenset({Channel.EMAIL}))
    assert chosen_channel(shut) is Channel.WEBHOOK
    assert passes(gates.consent, replace(plain, consents=(no_mail,)))
    nobody = replace(plain, consents=(no_mail, no_hook))
    assert refusal(gates.consent, nobody) is Suppression.CONSENT
    assert refusal(gates.channel, replace(shut, consents=(no_hook,))) is Suppression.CHANNEL


@pytest.mark.parametrize(
    ("by", "field"),
    [(Channel.EMAIL, "email"), (Channel.SMS, "phone"), (Channel.PUSH, "push_id"), (Channel.CHAT, "chat_id")],
)  # fmt: skip
def test_a_channel_is_passed_over_where_its_own_address_is_not_known(
    by: Channel, field: str
) -> None:
    everywhere = {"email": "a@example.org", "phone": "+15550100", "push_id": "p", "chat_id": "c"}
    way = Message(MessageClass.SERVICE, (by, Channel.WEBHOOK), frozenset({Tier.LATE}))
    without = profile(**{**everywhere, field: None})

    assert chosen_channel(situation(message=way, profile=profile(**everywhere))) is by
    assert chosen_channel(situation(message=way, profile=without)) is Channel.WEBHOOK


def test_every_gate_speaks_and_the_first_no_decides() -> None:
    hopeless = situation(
        problem=worsening(ending=Ending(NOON, Clearing.SOLVED)),
        message=message(MessageClass.PROMOTIONAL),
        contacts=(contact(),),
        consents=(statement(DENIED, NOON - DAY),),
        use_by=NOON - DAY,
        now=NOON + 10 * HOUR,
        spent=(spent(NOON),) * 30,
        profile=None,
        volume=Volume(1, 1),
        signals=frozenset({Signal.NOT_HELPED}),
    )
    awaiting = replace(hopeless.message, once=Signal.WORSENED)
    hopeless = replace(hopeless, message=awaiting)

    rulings = judge(hopeless, POLICY)

    assert [ruling.verdict.gate for ruling in rulings] == [gate.__name__ for gate in GATES]
    said_yes = [ruling.verdict.gate for ruling in rulings if ruling.verdict.passed]
    # Nobody is held out for now.
    assert said_yes == ["holdout"]
    decisive = first_no(rulings)
    assert decisive is not None
    assert decisive.suppression is Suppression.SOLVED


def test_a_verdict_names_its_rule_and_nothing_personal() -> None:
    known = profile(
        name="Ada Canary",
        email="canary@example.org",
        time_zone="Asia/Tokyo",
        phone="+4915112345678",
        push_id="canary-push",
        chat_id="canary-chat",
    )
    ways = Message(MessageClass.SERVICE, (Channel.SMS, Channel.PUSH), frozenset({Tier.LATE}))

    said = " ".join(
        f"{ruling.verdict.rule} {ruling.verdict.because}"
        for asked in (message(MessageClass.SERVICE), ways)
        for ruling in judge(situation(message=asked, profile=known, contacts=(contact(),)), POLICY)
    )

    assert "quiet_hours/2" in said
    assert "sms: an address is known" in said
    for secret in ("Ada", "canary", "Tokyo", "+49"):
        assert secret not in said
