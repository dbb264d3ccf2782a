"""Small stories whose figures were worked out by hand."""

import pytest

from services.contracts import topics as t
from services.contracts.contacts import (
    COMPLAINT_REASONS,
    ContactReason,
    OpenedBy,
    ReplyBy,
    SurveyKind,
)
from services.contracts.outreach import Outcome, Suppression
from services.contracts.people import Channel
from services.contracts.problems import Clearing, Tier
from services.contracts.stream import Account
from services.metrics.figures.memory import REMEMBERED_IDS, EventId, Remembered
from services.metrics.figures.outreach_steps import STAGES
from services.metrics.figures.pipeline import DeadLetter
from services.metrics.fold import Unread, fold
from services.metrics.state import State
from tests.unit.metrics.stories import (
    Read,
    answered,
    at,
    barrier,
    began,
    changed,
    cleared,
    complained,
    counted,
    decided,
    failed,
    fold_all,
    folded,
    opened,
    placed,
    replied,
    sent,
    series,
    started,
    tick,
    unknown,
    withdrawn,
)

FIRST = "care_complaints_total{reached_first=true}"
NOT_FIRST = "care_complaints_total{reached_first=false}"


def lead_bucket(hours: str) -> str:
    """Return the name of the lead-time bucket with this upper bound in seconds."""
    return f"care_lead_time_seconds_bucket{{le={hours}}}"


def test_a_story_in_which_we_wrote_five_hours_before_the_complaint() -> None:
    """The parcel of order o-1 is overdue at 06:00, late at 09:00; we write at 07:00; the customer
    asks at 12:00; the parcel comes at 20:00.

    Lead time 12 - 7 = 5 h = 18,000 s: above the bound of 3 h (10,800), within 6 h (21,600).
    Problem to contact 7 - 6 = 1 h = 3,600 s: within the bound 3,600, above 300.
    One customer, new and active, with one order.  The message was useful: written before the customer
    asked, about a problem that was real.
    """
    state = folded(
        placed("o-1"),
        opened("o-1", 6),
        decided("o-1", 7),
        started("o-1", 7),
        sent("o-1", 7),
        changed("o-1", 9),
        complained("o-1", 12),
        cleared("o-1", 20),
        barrier(24),
    )

    assert counted(state) == {
        "care_events_total{topic=purchases,type=care.order.placed.v1}": 1,
        "care_events_total{topic=contacts,type=care.contact.opened.v1}": 1,
        "care_events_total{topic=problems,type=care.problem.opened.v1}": 1,
        "care_events_total{topic=problems,type=care.problem.changed.v1}": 1,
        "care_events_total{topic=problems,type=care.problem.cleared.v1}": 1,
        "care_events_total{topic=outreach,type=care.outreach.decided.v1}": 1,
        "care_events_total{topic=outreach,type=care.outreach.started.v1}": 1,
        "care_events_total{topic=outreach,type=care.outreach.sent.v1}": 1,
        "care_problems_opened_total{kind=delivery_delay}": 1,
        "care_problems_cleared_total{kind=delivery_delay,clearing=solved}": 1,
        "care_decisions_total{playbook=delivery_late,outcome=contact}": 1,
        "care_contacts_total{playbook=delivery_late,channel=email,outcome=sent}": 1,
        "care_orders_total{}": 1,
        "care_orders_contacted_total{}": 1,
        "care_inbound_contacts_total{channel=chat,reason=where_is_my_order,opened_by=customer}": 1,
        "care_wismo_contacts_total{cause=problem}": 1,
        "care_contacts_awaiting_first_response{}": 1,
        **{f"care_outreach_steps_total{{stage={stage}}}": 1 for stage in STAGES},
        FIRST: 1,
        **{
            lead_bucket(bound): 1
            for bound in (
                "21600.0",
                "43200.0",
                "86400.0",
                "172800.0",
                "259200.0",
                "432000.0",
                "604800.0",
                "1.2096e+06",
                "+Inf",
            )
        },
        **{
            f"care_problem_to_contact_seconds_bucket{{held=false,le={bound}}}": 1
            for bound in ("3600.0", "21600.0", "43200.0", "86400.0", "259200.0", "+Inf")
        },
        "care_problem_to_contact_seconds_count{held=false}": 1,
        "care_problem_to_contact_seconds_sum{held=false}": 3600,
        "care_customers_new_total{}": 1,
        "care_customers_active{window=90d}": 1,
        "care_customers_active{window=180d}": 1,
        "care_customers_by_rhythm{recency=30d,frequency=1}": 1,
        "care_proactive_contacts_total{worth=useful}": 1,
    }


def test_writing_after_the_complaint_is_too_late_and_has_a_negative_lead() -> None:
    """Complaint at 08:00, message at 10:00: lead 8 - 10 = -2 h = -7,200 s, above -6 h, below 0."""
    figures = series(folded(complained("o-1", 8), sent("o-1", 10), barrier(24)))

    assert (figures[FIRST], figures[NOT_FIRST]) == (0, 1)
    assert figures[lead_bucket("-21600.0")] == 0
    assert figures[lead_bucket("0.0")] == 1


def test_writing_at_the_same_instant_is_not_first() -> None:
    """Lead 0 s lies in the bucket up to 0, beside all that was too late."""
    figures = series(folded(sent("o-1", 8), complained("o-1", 8), barrier(24)))

    assert (figures[FIRST], figures[NOT_FIRST]) == (0, 1)
    assert figures[lead_bucket("0.0")] == 1


def test_what_an_agent_began_is_no_complaint_whatever_the_desk_tells_later() -> None:
    """Agents open t-1 and t-2 at 08:00; of t-1 the opening is told again as the customer's at 09:00."""
    figures = series(
        folded(
            began("t-1", 8, by=OpenedBy.AGENT),
            began("t-2", 8, by=OpenedBy.AGENT),
            began("t-1", 9),
            replied("t-2", 9, ReplyBy.CUSTOMER),
            barrier(24),
        )
    )

    assert (figures[FIRST], figures[NOT_FIRST]) == (0, 0)


def test_a_complaint_nobody_wrote_about_is_not_first_and_has_no_lead() -> None:
    figures = series(folded(complained("o-1", 8), sent("o-2", 1), barrier(24)))

    assert (figures[FIRST], figures[NOT_FIRST]) == (0, 1)
    assert figures[lead_bucket("+Inf")] == 0


def test_an_order_without_complaint_is_censored() -> None:
    """A message and silence: in no count, however long it lasts."""
    figures = series(folded(sent("o-1", 1), answered("o-1", 20, score=5), barrier(1_000)))

    assert (figures[FIRST], figures[NOT_FIRST], figures[lead_bucket("+Inf")]) == (0, 0, 0)


def test_only_the_first_complaint_and_the_first_message_of_an_order_count() -> None:
    """Complaints at 09:00 and 15:00, messages at 03:00 and 08:00: one complaint, lead 9 - 3 = 6 h,
    which is the bound 21,600 itself.  The second of each would give 15 - 8 = 7 h."""
    figures = series(
        folded(
            sent("o-1", 8),
            sent("o-1", 3),
            complained("o-1", 15),
            complained("o-1", 9, ContactReason.DAMAGED),
            barrier(24),
        )
    )

    assert (figures[FIRST], figures[NOT_FIRST]) == (1, 0)
    assert (figures[lead_bucket("10800.0")], figures[lead_bucket("21600.0")]) == (0, 1)


@pytest.mark.parametrize("reason", list(ContactReason))
def test_which_reasons_are_complaints_about_the_order(reason: ContactReason) -> None:
    state = folded(complained("o-1", 8, reason), barrier(24))

    assert series(state)[NOT_FIRST] == (reason in COMPLAINT_REASONS)


def test_reasons_that_break_no_promise_are_no_complaints() -> None:
    assert set(ContactReason) - COMPLAINT_REASONS == {
        ContactReason.RETURN,
        ContactReason.PAYMENT,
        ContactReason.PRODUCT_QUESTION,
        ContactReason.OTHER,
    }


@pytest.mark.parametrize(("score", "complaints"), [(1, 1), (2, 1), (3, 0), (5, 0)])
def test_a_poor_csat_answer_about_an_order_is_a_complaint(score: int, complaints: int) -> None:
    assert series(folded(answered("o-1", 8, score), barrier(24)))[NOT_FIRST] == complaints


def test_a_low_effort_or_recommendation_score_is_no_complaint() -> None:
    """They are measured on other scales and for other questions; nor are they remembered."""
    state = folded(
        answered("o-1", 8, 1, kind=SurveyKind.CES),
        answered("o-2", 8, 0, kind=SurveyKind.NPS),
        barrier(24),
    )

    assert series(state)[NOT_FIRST] == 0
    assert state.complaints.orders == {}


@pytest.mark.parametrize("swapped", [False, True])
def test_the_first_answer_to_a_survey_counts(swapped: bool) -> None:
    """Good at 08:00, poor at 09:00 to the same survey: no complaint, in whatever order they come."""
    answers = [answered("o-1", 8, 5), answered("o-1", 9, 1)]
    state = folded(*(reversed(answers) if swapped else answers), barrier(24))

    assert series(state)[NOT_FIRST] == 0


def test_a_contact_that_names_no_order_is_nobodys_complaint() -> None:
    state = folded(complained(None, 8), answered(None, 8, 1), barrier(24))

    assert series(state)[NOT_FIRST] == 0


def test_what_a_person_of_ours_was_given_has_not_reached_the_customer() -> None:
    """Handed over at 06:00, complained at 08:00, written to at 09:00: not first, and no sooner than 09:00."""
    state = folded(
        opened("o-1", 5),
        sent("o-1", 6, name="ask", channel=Channel.HUMAN),
        complained("o-1", 8),
        sent("o-1", 9),
        barrier(24),
    )

    figures = series(state)
    assert (figures[FIRST], figures[NOT_FIRST]) == (0, 1)
    assert figures["care_problem_to_contact_seconds_sum{held=false}"] == 4 * 3600
    assert figures["care_lead_time_seconds_bucket{le=0.0}"] == 1


def test_a_complaint_is_counted_only_when_outreach_has_said_all_it_had_to_say_until_then() -> None:
    """The complaint is read before the message that preceded it: never counted as not first."""
    before = folded(complained("o-1", 8))
    too_early = folded(complained("o-1", 8), barrier(7), barrier(24, t.PROBLEMS))
    settled = folded(complained("o-1", 8), sent("o-1", 5), barrier(8))

    assert [series(state)[NOT_FIRST] for state in (before, too_early, settled)] == [0, 0, 0]
    assert series(settled)[FIRST] == 1


def test_an_instant_is_over_once_every_partition_says_so() -> None:
    """A customer's merged ids may lie in two partitions, so one partition's word is not enough."""
    told = [complained("o-1", 8, partition=1), barrier(24, partition=0)]
    assert series(fold_all(told, partitions=2))[NOT_FIRST] == 0

    told.append(barrier(9, partition=1))
    assert series(fold_all(told, partitions=2))[NOT_FIRST] == 1


def test_without_barriers_a_complaint_settles_a_minute_later() -> None:
    """Ticks at 08:00:30 and 08:01; a tick of simulated time settles nothing, its echo does."""
    complaint = complained("o-1", 8)

    assert series(folded(complaint, tick(8 + 0.5 / 60)))[NOT_FIRST] == 0
    assert series(folded(complaint, tick(8 + 1 / 60)))[NOT_FIRST] == 1
    assert series(folded(complaint, tick(24, named="run-1")))[NOT_FIRST] == 0


def test_a_complaint_told_late_moves_the_order_from_one_count_to_the_other() -> None:
    """We wrote at 07:00 and the customer at 09:00: reached first, with a lead of 2 h.  Then a call of
    06:00 becomes known: not reached first, 6 - 7 = -1 h.  Each count only grows."""
    figures = counted(
        folded(sent("o-1", 7), complained("o-1", 9), barrier(24), complained("o-1", 6))
    )

    assert (figures[FIRST], figures[NOT_FIRST]) == (1, 1)
    assert figures["care_complaints_withdrawn_total{reached_first=true}"] == 1
    assert (figures[lead_bucket("0.0")], figures[lead_bucket("+Inf")]) == (1, 2)
    withdrawn = "care_lead_time_withdrawn_seconds_bucket"
    assert f"{withdrawn}{{le=3600.0}}" not in figures
    assert figures[f"{withdrawn}{{le=10800.0}}"] == figures[f"{withdrawn}{{le=+Inf}}"] == 1


def test_an_earlier_barrier_read_later_takes_nothing_back() -> None:
    assert series(folded(complained("o-1", 8), barrier(24), barrier(2)))[NOT_FIRST] == 1


def test_open_problems_stand_under_their_highest_tier_until_cleared() -> None:
    """Three problems: o-1 overdue, o-2 escalated to late, o-3 escalated and retracted."""
    state = folded(
        opened("o-1", 1),
        opened("o-2", 1),
        changed("o-2", 2),
        opened("o-3", 1),
        changed("o-3", 2),
        cleared("o-3", 3, Clearing.RETRACTED),
    )
    figures = counted(state)

    assert figures["care_problems_opened_total{kind=delivery_delay}"] == 3
    assert figures["care_problems_open{kind=delivery_delay,tier=overdue}"] == 1
    assert figures["care_problems_open{kind=delivery_delay,tier=late}"] == 1
    assert figures["care_problems_cleared_total{kind=delivery_delay,clearing=retracted}"] == 1
    assert "care_problems_open{kind=delivery_delay,tier=at_risk}" not in figures


def test_a_tier_never_falls() -> None:
    figures = counted(folded(changed("o-1", 2), opened("o-1", 1, Tier.AT_RISK)))

    assert figures["care_problems_open{kind=delivery_delay,tier=late}"] == 1


def test_time_to_contact_runs_to_the_first_message_of_a_problem() -> None:
    """Opened at 06:00, messages at 06:01 and 09:00: one duration of 60 s."""
    figures = series(folded(opened("o-1", 6), sent("o-1", 9), sent("o-1", 6 + 1 / 60), barrier(24)))

    assert figures["care_problem_to_contact_seconds_sum{held=false}"] == pytest.approx(60)
    assert figures["care_problem_to_contact_seconds_count{held=false}"] == 1


def test_a_message_tells_when_its_problem_opened_should_the_opening_be_gone() -> None:
    """The problems topic keeps less than outreach's or is read later: 7 - 6 = 1 h."""
    figures = series(folded(sent("o-1", 7, opened_at=at(6)), barrier(24)))

    assert figures["care_problem_to_contact_seconds_sum{held=false}"] == 3600
    assert figures["care_problems_open{kind=delivery_delay,tier=overdue}"] == 0


def test_decisions_and_what_became_of_contacts_by_playbook_and_reason() -> None:
    state = folded(
        decided("o-1", 1),
        decided("o-2", 1, Outcome.SUPPRESSED, Suppression.CONSENT),
        decided("o-3", 1, Outcome.DEFERRED),
        decided("o-3", 7, Outcome.SUPPRESSED, Suppression.SOLVED),
        decided("o-4", 1, Outcome.HELD_OUT),
        failed("o-1", 2),
        unknown("o-5", 2),
        withdrawn("o-6", 2),
    )
    about = ("care_decisions", "care_suppressed", "care_contacts_total")
    figures = {name: n for name, n in counted(state).items() if name.startswith(about)}

    assert figures == {
        "care_decisions_total{playbook=delivery_late,outcome=contact}": 1,
        "care_decisions_total{playbook=delivery_late,outcome=suppressed}": 2,
        "care_decisions_total{playbook=delivery_late,outcome=deferred}": 1,
        "care_decisions_total{playbook=delivery_late,outcome=held_out}": 1,
        "care_suppressed_total{playbook=delivery_late,reason=consent}": 1,
        "care_suppressed_total{playbook=delivery_late,reason=solved}": 1,
        "care_contacts_total{playbook=delivery_late,channel=email,outcome=failed}": 1,
        "care_contacts_total{playbook=delivery_late,channel=email,outcome=unknown}": 1,
        "care_contacts_total{playbook=delivery_late,channel=none,outcome=withdrawn}": 1,
    }


def test_a_repeat_is_one_more_record_and_nothing_else() -> None:
    story = [opened("o-1", 6), decided("o-1", 7), sent("o-1", 7), complained("o-1", 9), barrier(24)]
    once, twice = (counted(folded(*story * times)) for times in (1, 2))

    assert {name for name in twice if twice[name] != once[name]} == {
        name for name in once if name.startswith("care_events_total")
    }


def test_the_latest_account_of_each_partition_counts_and_the_rest_is_unaccounted() -> None:
    """Partition 0: 10 records, 7 + 1 + 1 + 1 accounted.  Partition 1: counting began at 100, of the
    5 records since then 4 are accounted.  10 + 5 - 10 - 4 = 1 nobody can explain."""
    early = Account(topic="purchases", partition=0, next_offset=4, applied=4)
    last = Account(
        topic="purchases",
        partition=0,
        next_offset=10,
        applied=7,
        duplicate=1,
        late=1,
        dead_lettered=1,
    )
    other = Account(topic="purchases", partition=1, next_offset=105, first_offset=100, applied=4)
    figures = counted(folded(*(Read(t.ACCOUNTS, account) for account in (last, early, other))))

    assert figures == {
        "care_accounted_records{topic=purchases,outcome=applied}": 11,
        "care_accounted_records{topic=purchases,outcome=duplicate}": 1,
        "care_accounted_records{topic=purchases,outcome=late}": 1,
        "care_accounted_records{topic=purchases,outcome=dead_lettered}": 1,
        "care_unaccounted_records{topic=purchases}": 1,
    }


def test_no_record_is_missed_at_any_moment_while_a_partition_changes_hands() -> None:
    """Each account adds up by itself: read by the old owner, by the new one from the same place, and what
    the old one said is told once more afterwards."""
    old = [
        Account(topic="purchases", partition=0, next_offset=n, applied=n, tick=n) for n in (3, 5)
    ]
    new = [
        Account(topic="purchases", partition=0, next_offset=n, applied=5, late=n - 5, tick=n + 1)
        for n in (5, 9)
    ]
    state = State()
    for account in (*old, *new, *old):
        state = fold(state, t.ACCOUNTS, 0, account)
        assert series(state)["care_unaccounted_records{topic=purchases}"] == 0

    assert counted(state)["care_accounted_records{topic=purchases,outcome=late}"] == 4


def test_a_marker_of_a_publishers_transaction_is_no_record_that_is_missed() -> None:
    """Ten offsets: six records, all applied, and four markers."""
    account = Account(topic="purchases", partition=0, next_offset=10, applied=6, absent=4, tick=1)

    assert counted(folded(Read(t.ACCOUNTS, account))) == {
        "care_accounted_records{topic=purchases,outcome=applied}": 6,
        "care_absent_offsets{topic=purchases}": 4,
    }


def test_a_state_made_anew_is_judged_by_its_own_account_though_it_has_read_less() -> None:
    """Had read 100 records.  Its successor began anew at 20 and read up to 30, 9 of 10 accounted for."""
    before = Account(topic="purchases", partition=0, next_offset=100, applied=100, tick=7)
    anew = Account(
        topic="purchases", partition=0, first_offset=20, next_offset=30, applied=9, tick=8
    )

    for order in ((before, anew), (anew, before)):
        figures = series(folded(*(Read(t.ACCOUNTS, account) for account in order)))
        assert figures["care_unaccounted_records{topic=purchases}"] == 1


def test_dead_letters_by_origin_and_reason_once_per_service_and_record() -> None:
    """Two services give up on the same record, one of them says so twice."""
    letters = [
        DeadLetter("contacts", "not_json", service, "0/7")
        for service in ("churn_predictor", "outreach", "outreach")
    ]
    topic = t.dead_letter(t.CONTACTS)

    figures = counted(folded(*(Read(topic, letter) for letter in letters)))

    assert figures == {"care_dead_letters_total{topic=contacts,reason=not_json}": 2}


def test_a_record_nobody_can_read_is_counted_as_such() -> None:
    figures = counted(folded(Read(t.DELIVERIES, Unread("not_json"))))

    assert figures == {"care_events_total{topic=deliveries,type=unreadable}": 1}


def test_ids_are_remembered_up_to_a_bound_oldest_forgotten_first() -> None:
    remembered = Remembered()
    oldest, newest = EventId("/s", "0"), EventId("/s", str(REMEMBERED_IDS))
    for number in range(REMEMBERED_IDS + 1):
        assert remembered.is_new(EventId("/s", str(number)))

    assert not remembered.is_new(newest)
    assert remembered.is_new(oldest)
    assert len(remembered.ids) == REMEMBERED_IDS
