"""What care did for customers: attempts, trials, useful messages and late notice, worked out by hand."""

import pytest

from services.contracts.contacts import ContactReason, OpenedBy
from services.contracts.outreach import Mode, Outcome
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import Clearing, ProblemKind
from tests.unit.metrics.customer_stories import (
    DELAY,
    LAPSE,
    absence,
    bought,
    cancelled,
    complaint,
    drawn,
    ended,
    erased,
    lapse,
    merged,
    of,
    over,
    wrote,
)
from tests.unit.metrics.stories import Read, answered, began, counted, folded, series

HOUR = 1 / 24


def found(prefix: str, *story: Read) -> dict[str, float]:
    """Return what is counted under names that begin so, without that beginning."""
    figures = counted(folded(*story))
    return {n.removeprefix(prefix): v for n, v in figures.items() if n.startswith(prefix)}


# Save attempts


def attempts(*story: Read) -> dict[str, float]:
    """Return the save attempts."""
    return found("care_save_attempts_total", *story)


def test_an_attempt_is_saved_by_a_purchase_within_thirty_days_and_counted_when_they_are_over() -> (
    None
):
    """Opened on day 10, so the window closes on day 40.  c-1: told and buys on day 40, at the last
    instant.  c-2: told and buys an hour later.  c-3: held out, buys on day 20.  c-4: nothing was done."""
    story = [lapse(f"c-{n}", 10) for n in (1, 2, 3, 4)]
    story += [drawn("c-1", 10, playbook=LAPSE), wrote("c-1", 11, LAPSE), bought("o-1", 40, "c-1")]
    story += [wrote("c-2", 11, LAPSE), bought("o-2", 40 + HOUR, "c-2")]
    story += [drawn("c-3", 10, Outcome.HELD_OUT, LAPSE), bought("o-3", 20, "c-3")]

    assert attempts(*story, over(40)) == {}
    assert attempts(*story, over(40 + HOUR)) == {
        "{arm=treated,outcome=saved}": 1,
        "{arm=treated,outcome=lost}": 1,
        "{arm=held_out,outcome=saved}": 1,
        "{arm=untold,outcome=lost}": 1,
    }


def test_what_saved_nobody() -> None:
    """Bought before the opening; bought and cancelled; a problem of another kind."""
    story = [lapse("c-1", 10), bought("o-1", 10, "c-1"), bought("o-2", 9, "c-1")]
    story += [lapse("c-2", 10), bought("o-3", 20, "c-2"), cancelled("o-3", 21, "c-2")]
    story += [absence("o-9", 10, 10), wrote("c-1", 11, order="o-9")]

    assert attempts(*story, over(45)) == {"{arm=untold,outcome=lost}": 2}


def test_only_what_reached_the_customer_within_the_window_is_treatment() -> None:
    """A decision in shadow, one that was never sent, one given to a person, a message on day 41."""
    story = [lapse(f"c-{n}", 10) for n in (1, 2, 3, 4)]
    story += [drawn("c-1", 10, Outcome.HELD_OUT, LAPSE, mode=Mode.SHADOW)]
    story += [drawn("c-2", 10, playbook=LAPSE), wrote("c-3", 11, LAPSE, channel=Channel.HUMAN)]
    story += [wrote("c-4", 41, LAPSE)]

    assert attempts(*story, over(45)) == {"{arm=untold,outcome=lost}": 4}


def test_what_becomes_known_late_moves_an_attempt() -> None:
    story = [lapse("c-1", 10), over(45), bought("o-1", 20, "c-1")]
    figures = counted(folded(*story))

    assert figures["care_save_attempts_total{arm=untold,outcome=lost}"] == 1
    assert figures["care_save_attempts_withdrawn_total{arm=untold,outcome=lost}"] == 1
    assert figures["care_save_attempts_total{arm=untold,outcome=saved}"] == 1


def test_a_purchase_under_another_id_of_the_customer_saves() -> None:
    story = [lapse("c-1", 10), bought("o-1", 20, "c-2"), over(45), merged("c-1", "c-2", 45)]

    assert attempts(*story)["{arm=untold,outcome=saved}"] == 1
    assert attempts(story[-1], *story[:-1]) == {"{arm=untold,outcome=saved}": 1}


def test_somebody_erased_before_the_window_closed_is_not_counted_and_after_it_stays_so() -> None:
    early, late = erased("c-1", 20), erased("c-1", 50)

    assert attempts(lapse("c-1", 10), early, over(80)) == {}
    assert attempts(lapse("c-1", 10), late, over(80)) == {"{arm=untold,outcome=lost}": 1}
    again = [lapse("c-1", 10), over(45), late, over(80), lapse("c-1", 10), wrote("c-1", 11, LAPSE)]
    assert attempts(*again, over(120)) == {"{arm=untold,outcome=lost}": 1}


def test_what_is_told_again_of_an_erased_customer_is_no_attempt() -> None:
    """Closed on day 40 with a purchase, erased on day 50, forgotten on day 51."""
    story = [lapse("c-1", 10), bought("o-1", 20, "c-1"), over(45), erased("c-1", 50), over(52)]
    saved = {"{arm=untold,outcome=saved}": 1}

    assert attempts(*story) == attempts(*story, lapse("c-1", 10), over(53)) == saved


def test_an_attempt_is_forgotten_once_nothing_can_change_it_and_counted_once() -> None:
    """Closed on day 40, forgotten after day 70; a redelivery on day 75 is no new attempt."""
    story = [lapse("c-1", 10), wrote("c-1", 11, LAPSE), over(71), lapse("c-1", 10), over(75)]
    state = folded(*story)

    assert state.customers.saves.attempts == {}
    assert attempts(*story) == {"{arm=treated,outcome=lost}": 1}
    assert folded(*story[:2], over(69)).customers.saves.attempts != {}


# Trials


def trials(*story: Read) -> dict[str, float]:
    """Return the trials."""
    return found("care_trial_customers_total", *story)


def test_a_trial_ends_after_fourteen_days_with_a_complaint_or_without() -> None:
    """Drawn on day 1, over on day 15.  c-1: treated, complains on day 15.  c-2: treated, complains an hour
    later.  c-3: held out, complains at once.  c-4: held out, asks about another order."""
    story = [drawn(f"c-{n}", 1, order=f"o-{n}") for n in (1, 2)]
    story += [drawn(f"c-{n}", 1, Outcome.HELD_OUT, order=f"o-{n}") for n in (3, 4)]
    story += [complaint("c-1", 15, "o-1"), complaint("c-2", 15 + HOUR, "o-2")]
    story += [complaint("c-3", 1.5, "o-3"), complaint("c-4", 2, "o-9")]

    assert trials(*story, over(15)) == {}
    assert trials(*story, over(15 + HOUR)) == {
        "{playbook=delivery_late,arm=treated,outcome=complained}": 1,
        "{playbook=delivery_late,arm=treated,outcome=quiet}": 1,
        "{playbook=delivery_late,arm=held_out,outcome=complained}": 1,
        "{playbook=delivery_late,arm=held_out,outcome=quiet}": 1,
    }


def test_what_a_complaint_is_in_a_trial() -> None:
    """A poor CSAT answer is one, the first to its survey; a question about a product, a return, and what
    was said before the decision are none."""
    quiet = {"{playbook=delivery_late,arm=treated,outcome=quiet}": 1}
    complained = {"{playbook=delivery_late,arm=treated,outcome=complained}": 1}
    start, end = drawn("c-1", 1, order="o-1"), over(20)

    assert trials(start, of("c-1", answered("o-1", 50, score=1)), end) == complained
    twice = [of("c-1", answered("o-1", hours, score)) for hours, score in ((48, 5), (50, 1))]
    assert trials(start, *twice, end) == trials(start, *twice[::-1], end) == quiet
    for reason in (ContactReason.PRODUCT_QUESTION, ContactReason.RETURN):
        assert trials(start, complaint("c-1", 2, "o-1", reason), end) == quiet
    assert trials(start, complaint("c-1", 1, "o-1"), end) == quiet
    assert trials(start, complaint("c-2", 2, "o-1"), end) == quiet


def test_a_contact_that_an_agent_opened_is_no_complaint_and_tells_nothing_we_should_have_known() -> (
    None
):
    """An agent calls about the late order: the customer has not complained, and had not written first."""
    by_agent = began("t-1", 48, order="o-1", by=OpenedBy.AGENT)
    quiet = {"{playbook=delivery_late,arm=treated,outcome=quiet}": 1}

    assert trials(drawn("c-1", 1, order="o-1"), by_agent, over(20)) == quiet
    assert worth(OPENING, MESSAGE, by_agent, ended("o-1", 5, 1), over(6)) == USEFUL


def test_a_customer_is_once_in_a_playbooks_trial_with_the_first_decision() -> None:
    """Held out on day 1; written to on days 3 and 60 about other orders: in the arm of day 1, once.  The
    other playbook is another trial."""
    story = [
        drawn("c-1", 3, order="o-2"),
        drawn("c-1", 1, Outcome.HELD_OUT, order="o-1"),
        over(50),
        drawn("c-1", 60, order="o-3"),
        drawn("c-1", 61, playbook="refund_overdue", order="o-3"),
        over(100),
    ]

    assert trials(*story) == {
        "{playbook=delivery_late,arm=held_out,outcome=quiet}": 1,
        "{playbook=refund_overdue,arm=treated,outcome=quiet}": 1,
    }
    again = [
        read for day in (140, 220) for read in (drawn("c-1", day, order="o-4"), over(day + 70))
    ]
    assert trials(*story, over(130), *again) == trials(*story)
    state = folded(*story, over(130))
    assert state.customers.trials.trials == {}
    assert len(state.customers.trials.ended) == 1
    assert folded(*story, over(130), over(600)).customers.trials.ended == {}


def test_by_intention_to_treat_it_does_not_matter_whether_the_message_left() -> None:
    story = [drawn("c-1", 1, order="o-1"), over(20)]

    assert trials(*story) == {"{playbook=delivery_late,arm=treated,outcome=quiet}": 1}


@pytest.mark.parametrize(
    "decision",
    [
        drawn("c-1", 1, mode=Mode.SHADOW),
        drawn("c-1", 1, Outcome.HELD_OUT, mode=Mode.SHADOW),
        drawn("c-1", 1, Outcome.DEFERRED),
        drawn("c-1", 1, Outcome.SUPPRESSED),
        drawn("c-1", 1, channel=Channel.HUMAN),
        drawn("c-1", 1, message_class=MessageClass.SAFETY),
    ],
)
def test_decisions_that_draw_no_lot_are_in_no_trial(decision: Read) -> None:
    assert trials(decision, over(60)) == {}


def test_the_trial_of_a_lapse_ends_with_a_purchase_or_without_after_thirty_days() -> None:
    """Drawn on day 10: c-1 buys on day 39, c-2 on day 41; whether they complain does not matter."""
    story = [lapse(c, 10) for c in ("c-1", "c-2")]
    story += [drawn(c, 10, playbook=LAPSE) for c in ("c-1", "c-2")]
    story += [bought("o-1", 39, "c-1"), bought("o-2", 41, "c-2"), complaint("c-2", 12)]

    assert trials(*story, over(40)) == {}
    expected = {
        "{playbook=lapse_risk,arm=treated,outcome=bought}": 1,
        "{playbook=lapse_risk,arm=treated,outcome=not_bought}": 1,
    }
    assert trials(*story, over(42)) == trials(*story[::-1], over(42)) == expected


def test_where_the_problem_is_about_no_order_any_complaint_counts() -> None:
    story = [drawn("c-1", 1, playbook="help_not_found"), complaint("c-1", 2, "o-7"), over(20)]

    assert trials(*story) == {"{playbook=help_not_found,arm=treated,outcome=complained}": 1}


def test_merged_customers_are_one_in_a_trial_with_the_first_decision() -> None:
    """c-1 held out on day 2, c-2 treated on day 1; both quiet.  Merged: one, treated; the complaint under
    the other id is theirs."""
    story = [drawn("c-1", 2, Outcome.HELD_OUT, order="o-1"), drawn("c-2", 1, order="o-1")]
    story += [complaint("c-1", 3, "o-1"), over(20)]
    merge = merged("c-1", "c-2", 20)

    net = {"{playbook=delivery_late,arm=treated,outcome=complained}": 1}
    assert trials(merge, *story) == net
    after = counted(folded(*story, merge))
    assert (
        after["care_trial_customers_total{playbook=delivery_late,arm=treated,outcome=complained}"]
        == 1
    )
    assert (
        after[
            "care_trial_customers_withdrawn_total{playbook=delivery_late,arm=treated,outcome=quiet}"
        ]
        == after[
            "care_trial_customers_withdrawn_total{playbook=delivery_late,arm=held_out,outcome=complained}"
        ]
        == 1
    )


def test_somebody_erased_within_the_window_is_in_no_trial() -> None:
    assert trials(drawn("c-1", 1, order="o-1"), erased("c-1", 5), over(60)) == {}
    told = folded(
        drawn("c-1", 1, order="o-1"), complaint("c-1", 2, "o-1"), erased("c-1", 5), over(60)
    )
    assert (told.customers.trials.trials, told.customers.trials.voices) == ({}, {})


def test_what_customers_said_is_forgotten_when_it_can_matter_no_more() -> None:
    """30 days of the longest window and 30 of slack."""
    said = complaint("c-1", 1, "o-1")

    assert folded(said, over(60)).customers.trials.voices != {}
    assert folded(said, over(62)).customers.trials.voices == {}


# Useful messages and noise


def worth(*story: Read) -> dict[str, float]:
    """Return messages by worth, less what was withdrawn."""
    figures = counted(folded(*story))
    return {
        each: figures.get(f"care_proactive_contacts_total{{worth={each}}}", 0)
        - figures.get(f"care_proactive_contacts_withdrawn_total{{worth={each}}}", 0)
        for each in ("useful", "noise")
    }


USEFUL, NOISE, NOTHING = ({"useful": u, "noise": n} for u, n in ((1, 0), (0, 1), (0, 0)))
OPENING, MESSAGE = absence("o-1", 2, 1), wrote("c-1", 3, order="o-1")


def test_a_message_about_a_real_problem_before_the_customer_wrote_is_useful() -> None:
    """Deadline day 1, opened day 2, message day 3, solved day 5: judged when the hour of its end is over."""
    story = (OPENING, MESSAGE, ended("o-1", 5, 1))

    assert worth(*story, over(5)) == NOTHING
    assert worth(*story, over(5 + HOUR)) == USEFUL
    assert worth(*story, complaint("c-1", 4, "o-1"), over(6)) == USEFUL


def test_a_message_is_judged_after_fourteen_days_should_the_problem_go_on() -> None:
    """Message on day 3, so on day 17; retracted on day 20: it was noise after all."""
    assert worth(OPENING, MESSAGE, over(17)) == NOTHING
    assert worth(OPENING, MESSAGE, over(17 + HOUR)) == USEFUL
    assert (
        worth(OPENING, MESSAGE, over(18), ended("o-1", 20, 1, Clearing.RETRACTED), over(21))
        == NOISE
    )


def test_a_message_about_what_never_was_is_noise() -> None:
    assert worth(OPENING, MESSAGE, ended("o-1", 4, 1, Clearing.RETRACTED), over(5)) == NOISE


def test_a_message_to_somebody_who_had_written_about_it_is_noise() -> None:
    """Since the deadline on day 1, for whatever reason; at the same instant as the message, too."""
    for day in (1 + HOUR, 2, 3):
        said = complaint("c-1", day, "o-1", ContactReason.OTHER)
        assert worth(OPENING, MESSAGE, said, ended("o-1", 5, 1), over(6)) == NOISE
        assert worth(OPENING, MESSAGE, ended("o-1", 5, 1), over(6), said) == NOISE


def test_who_wrote_before_the_deadline_or_about_another_order_did_not_know_yet() -> None:
    for said in (complaint("c-1", 1, "o-1"), complaint("c-1", 2, "o-2"), complaint("c-1", 2)):
        assert worth(OPENING, MESSAGE, said, ended("o-1", 5, 1), over(6)) == USEFUL


def test_what_tells_of_an_end_and_what_a_person_got_is_neither() -> None:
    end = ended("o-1", 5, 1, Clearing.RETRACTED)
    correction = wrote("c-1", 6, order="o-1", step="correct")
    to_a_person = wrote("c-1", 3, order="o-1", channel=Channel.HUMAN)

    assert worth(OPENING, end, correction, to_a_person, over(40)) == NOTHING


def test_each_message_about_a_problem_counts_once() -> None:
    """Two steps; the customer wrote between them: one useful, one noise; a repeat changes nothing."""
    second = wrote("c-1", 5, order="o-1", step="again")
    story = (OPENING, MESSAGE, second, complaint("c-1", 4, "o-1"), ended("o-1", 9, 1))

    assert (
        worth(*story, over(10))
        == worth(*story, MESSAGE, *story, over(10))
        == {
            "useful": 1,
            "noise": 1,
        }
    )


def test_messages_are_forgotten_when_nothing_can_change_them() -> None:
    """Message on day 3: judged for 14 days and 30 of slack, to day 47; the problem's end on day 5 and the
    contact on day 4 likewise.  An open problem stays, a redelivered message counts no more."""
    story = (OPENING, MESSAGE, complaint("c-1", 4, "o-1"), ended("o-1", 5, 1))
    family = folded(*story, over(50), MESSAGE).usefulness

    assert (family.messages, family.courses, family.orders) == ({}, {}, {})
    assert worth(*story, over(50), MESSAGE, over(90)) == USEFUL
    assert folded(OPENING, over(50)).usefulness.courses != {}
    alone = folded(MESSAGE, over(50)).usefulness
    assert (alone.messages, alone.courses, alone.orders) == ({}, {}, {})


# Late notice, false alarms, experience


def test_detection_lag_runs_from_the_deadline_to_the_tick_that_noticed() -> None:
    """Deadline on day 1, noticed 10 minutes later, when the feed had settled: 600 s, above 300, within
    900.  What no absence told has no lag."""
    lag = "care_detection_lag_seconds"
    figures = series(folded(absence("o-1", 1 + 10 / 1440, 1), lapse("c-1", 5)))

    assert figures[f"{lag}_bucket{{kind=delivery_delay,le=300.0}}"] == 0
    assert figures[f"{lag}_bucket{{kind=delivery_delay,le=900.0}}"] == 1
    assert figures[f"{lag}_sum{{kind=delivery_delay}}"] == pytest.approx(600)
    assert f"{lag}_count{{kind=lapse_risk}}" not in figures


def test_an_absence_of_every_kind_has_its_lag_and_is_counted_once() -> None:
    for kind in ProblemKind:
        told = absence("o-1", 1.5, 1, kind=kind)
        figures = counted(folded(told, told))
        assert figures[f"care_detection_lag_seconds_count{{kind={kind}}}"] == 1


def test_false_alarms_by_whether_a_feed_was_silent() -> None:
    """Three alarms: one retracted though the feed had been heard, one while it was silent, one solved."""
    story = [
        absence("o-1", 2, 1),
        ended("o-1", 3, 1, Clearing.RETRACTED),
        absence("o-2", 2, 1, silent=True),
        ended("o-2", 3, 1, Clearing.RETRACTED, silent=True),
        absence("o-3", 2, 1, silent=True),
        ended("o-3", 3, 1, Clearing.SOLVED, silent=True),
    ]

    expected = {
        "{kind=delivery_delay,feed_silent=false}": 1,
        "{kind=delivery_delay,feed_silent=true}": 1,
    }
    assert found("care_problems_retracted_total", *story) == expected
    assert found("care_problems_retracted_total", *story, *story) == expected


def test_the_experience_balance_of_customers_in_trouble() -> None:
    """Balances of -12.5 and 3 at two openings, none at a third: one up to -12, one more up to 5."""
    story = [
        absence("o-1", 2, 1, balance=-12.5),
        absence("o-2", 2, 1, balance=3),
        absence("o-3", 2, 1),
    ]
    figures = series(folded(*story, *story))

    name = "care_experience_balance"
    assert figures[f"{name}_bucket{{le=-24.0}}"] == 0
    assert figures[f"{name}_bucket{{le=-12.0}}"] == 1
    assert figures[f"{name}_bucket{{le=2.0}}"] == 1
    assert figures[f"{name}_bucket{{le=5.0}}"] == figures[f"{name}_bucket{{le=+Inf}}"] == 2


def test_every_series_of_care_outcomes_exists_at_zero() -> None:
    figures = series(folded())

    for name in (
        "care_save_attempts_withdrawn_total{arm=held_out,outcome=saved}",
        f"care_trial_customers_total{{playbook={DELAY},arm=held_out,outcome=complained}}",
        "care_customers_by_rhythm{recency=older,frequency=6+}",
        "care_customers_new_withdrawn_total{}",
        "care_proactive_contacts_total{worth=noise}",
        "care_problems_retracted_total{kind=refund_overdue,feed_silent=true}",
        "care_detection_lag_seconds_count{kind=scan_stalled}",
        "care_experience_balance_bucket{le=+Inf}",
    ):
        assert figures[name] == 0
