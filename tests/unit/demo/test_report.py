"""The report counts what lies on the topics, and says so when it does not add up."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.contracts import ids
from services.contracts.contacts import (
    ContactChannel,
    ContactOpened,
    ContactReason,
    SurveyAnswered,
    SurveyKind,
)
from services.contracts.envelope import Event, Fact
from services.contracts.outreach import (
    Mode,
    Outcome,
    OutreachDecided,
    OutreachFailed,
    OutreachSent,
    OutreachWithdrawn,
    Suppression,
    Withdrawal,
)
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import (
    Actor,
    Clearing,
    ProblemCleared,
    ProblemKind,
    ProblemOpened,
    Tier,
)
from services.contracts.stream import Account
from services.contracts.topics import CONSENTS, CUSTOMERS, DELIVERIES, PURCHASES
from services.demo.figures import Recounted, Report
from services.demo.report import Evidence, Frame, build, digest
from services.demo.tally import Tally
from tests.factories import DAY, HOUR, START, delivered, event, placed, promised

NONE = Tally(0, 0, 0)
AS_TOLD = Recounted(series=3, differing=())
FRAME = Frame(
    seed=1,
    source="simulated",
    start=START,
    end=START + DAY,
    ticks=3,
    wall_seconds=1.24,
    with_late_orders=True,
)


def report(
    facts: Iterable[Event[Any]] = (),
    *,
    accounts: tuple[Account, ...] = (),
    accepted: dict[str, int] | None = None,
    mails: Tally = NONE,
    refused: dict[str, int] | None = None,
    unknown: int = 0,
    restarts: dict[str, int] | None = None,
    metrics: Recounted = AS_TOLD,
) -> Report:
    evidence = Evidence(
        facts=tuple(facts),
        accepted=accepted or {},
        accounts=accounts,
        taken={"purchases": 3, "customers": 2},
        refused=refused or {},
        mails=mails,
        unknown=unknown,
        metrics=metrics,
    )
    return build(evidence, replace(FRAME, restarts=restarts or {}))


def step(order: str) -> dict[str, Any]:
    return {
        "step_id": ids.derive("step", order),
        "problem_id": ids.derive("problem", order),
        "playbook": "delivery_late",
        "playbook_version": 1,
        "step": "notice",
        "order_id": order,
    }


def decided(
    order: str, outcome: Outcome, because: Suppression | None = None, at: datetime = START
) -> Event[Any]:
    fact = OutreachDecided(
        **step(order),
        decision_id=ids.derive("decision", order, at.isoformat()),
        outcome=outcome,
        suppression=because,
        mode=Mode.LIVE,
        message_class=MessageClass.SERVICE,
        gates=(),
    )
    return event(fact, at=at)


def sent(order: str, at: datetime) -> Event[Any]:
    return event(OutreachSent(**step(order)), at=at)


def wrote(order: str | None, reason: ContactReason, at: datetime) -> Event[Any]:
    fact = ContactOpened(
        contact_id=f"{order}-c", channel=ContactChannel.CHAT, reason=reason, order_id=order
    )
    return event(fact, at=at)


def answered(order: str, score: int, at: datetime) -> Event[Any]:
    fact = SurveyAnswered(survey_id=f"{order}-s", kind=SurveyKind.CSAT, score=score, order_id=order)
    return event(fact, at=at)


def problem(
    kind: type[Fact],
    order: str,
    at: datetime,
    of: ProblemKind = ProblemKind.DELIVERY_DELAY,
    **more: Any,
) -> Event[Any]:
    fact = kind(
        problem_id=ids.derive("problem", of.value, order),
        kind=of,
        subject=f"sh-{order}",
        order_id=order,
        episode=1,
        tier=Tier.LATE,
        deadline=at,
        promised_by=at,
        actor=Actor.US,
        **more,
    )
    return event(fact, at=at)


def test_an_account_that_adds_up_balances() -> None:
    found = report(
        accepted={"purchases": 6, "deliveries": 4, "customers": 3, "consents": 2},
        accounts=(
            Account(topic=PURCHASES.name, partition=0, next_offset=4, applied=3, duplicate=1),
            Account(topic=PURCHASES.name, partition=1, next_offset=2, applied=1, late=1),
            Account(topic=DELIVERIES.name, partition=0, next_offset=4, applied=3, dead_lettered=1),
            Account(topic=CUSTOMERS.name, partition=0, next_offset=3, applied=2, dead_lettered=1),
            Account(topic=CONSENTS.name, partition=0, next_offset=2, applied=2),
        ),
        refused={"none": 2, "deliveries": 1, "consents": 4},
    )
    assert found.events.model_dump() == {
        "published": 3, "rejected": 3, "accepted": 10,
        "applied": 7, "duplicate": 1, "late": 1, "dead_lettered": 1,
    }  # fmt: skip
    assert found.profiles.model_dump() == {
        "published": 2, "rejected": 4, "accepted": 5,
        "applied": 4, "duplicate": 0, "late": 0, "dead_lettered": 1,
    }  # fmt: skip
    assert found.faults == ()


@pytest.mark.parametrize(("topic", "word"), [("purchases", "records"), ("consents", "profile")])
def test_a_record_nobody_accounted_for_is_a_fault(topic: str, word: str) -> None:
    (fault,) = report(accepted={topic: 1}).faults
    assert word in fault


def test_a_mail_that_came_twice_is_a_fault() -> None:
    found = report(mails=Tally(sent=4, double=1, unlabelled=0))
    assert (found.contacts.sent, found.contacts.double) == (4, 1)
    assert found.faults == ("somebody got the same message twice",)


def test_a_mail_that_says_nothing_of_itself_is_a_fault() -> None:
    """Any number of them could be double, so silence about them would be a lie."""
    found = report(mails=Tally(sent=4, double=0, unlabelled=2))
    assert (found.contacts.sent, found.contacts.unlabelled) == (4, 2)
    (fault,) = found.faults
    assert fault.startswith("2 mails do not say what they are about")


def test_after_a_restart_of_ingest_nobody_knows_what_it_took_and_refused() -> None:
    """It counts in memory; what lies on the topics is known all the same."""
    again = report(accepted={"purchases": 1}, refused={"none": 2}, restarts={"ingest": 1})
    assert (again.events.published, again.events.rejected, again.events.accepted) == (None, None, 1)
    assert (again.profiles.published, again.profiles.rejected) == (None, None)

    other = report(refused={"none": 2}, restarts={"ingest": 0, "outreach": 1})
    assert (other.events.published, other.events.rejected) == (3, 2)


def test_every_decision_is_in_exactly_one_count() -> None:
    facts = [
        decided("a", Outcome.CONTACT),
        decided("b", Outcome.DEFERRED),
        decided("b", Outcome.CONTACT, at=START + HOUR),
        decided("c", Outcome.HELD_OUT),
        *(decided(f"d-{why}", Outcome.SUPPRESSED, why) for why in Suppression),
    ]
    contacts = report(facts).contacts
    assert contacts.decisions == 4 + len(Suppression)
    assert (contacts.contact, contacts.deferred, contacts.held_out) == (2, 1, 1)
    assert set(contacts.suppressed.model_dump().values()) == {1}
    assert contacts.balances


def test_a_suppression_without_its_reason_does_not_add_up() -> None:
    assert report([decided("a", Outcome.SUPPRESSED)]).faults


def test_what_became_of_contacts_is_counted_once_per_step() -> None:
    failed = OutreachFailed(**step("a"), reason="550")
    withdrawn = OutreachWithdrawn(**step("b"), reason=Withdrawal.CUSTOMER_WROTE)
    contacts = report([event(failed), event(failed), event(withdrawn)], unknown=1).contacts
    assert (contacts.failed, contacts.withdrawn, contacts.unknown) == (1, 1, 1)


def test_problems_are_counted_by_kind_and_end() -> None:
    facts = [
        problem(ProblemOpened, "a", START),
        problem(ProblemOpened, "b", START),
        problem(ProblemOpened, "c", START),
        problem(ProblemCleared, "a", START + DAY, clearing=Clearing.SOLVED),
        problem(ProblemCleared, "b", START + DAY, clearing=Clearing.RETRACTED),
    ]
    problems = report(facts).problems
    assert (problems.opened, problems.cleared, problems.retracted) == (3, 2, 1)
    assert problems.by_kind == {"delivery_delay": 3}


def nameless(kind: type[Fact], of: ProblemKind, at: datetime, **more: Any) -> Event[Any]:
    """One that is about no order, and about no date."""
    named = problem(kind, "none", at, of, **more)
    told = named.data.model_copy(update={"order_id": None, "promised_by": None})
    return event(told, at=at)


def test_problems_about_no_order_are_counted_and_touch_no_figure_about_orders() -> None:
    facts = [*late("a", 3 * DAY), answered("a", 1, START + 12 * DAY)]
    troubles = [nameless(ProblemOpened, kind, START + DAY) for kind in ProblemKind]
    troubles += [
        nameless(ProblemCleared, kind, START + 2 * DAY, clearing=Clearing.EXPIRED)
        for kind in ProblemKind
    ]
    about = step("none") | {"order_id": None}
    told = [event(OutreachSent(**about), at=START + DAY)]
    told += [wrote(None, ContactReason.COMPLAINT, START + 2 * DAY)]

    found, before = report([*facts, *troubles, *told]), report(facts)
    assert found.problems.by_kind == {kind.value: 1 for kind in sorted(ProblemKind)}
    assert (found.problems.opened, found.problems.cleared) == (len(ProblemKind), len(ProblemKind))
    assert found.complaints == before.complaints
    assert found.lead_time_hours == before.lead_time_hours
    assert found.late_orders == before.late_orders


def test_a_complaint_counts_once_per_order_and_by_its_first_word() -> None:
    facts = [
        wrote("a", ContactReason.WHERE_IS_MY_ORDER, START + 5 * HOUR),
        answered("a", 1, START + 9 * HOUR),
        sent("a", START + 2 * HOUR),
        wrote("b", ContactReason.COMPLAINT, START + HOUR),
        sent("b", START + 2 * HOUR),
        answered("c", 2, START + HOUR),
        answered("d", 3, START + HOUR),
        wrote("e", ContactReason.PRODUCT_QUESTION, START + HOUR),
        wrote(None, ContactReason.COMPLAINT, START + HOUR),
        sent("f", START),
        event(OutreachSent(**step("b") | {"channel": Channel.HUMAN}), at=START),
        event(answered("g", 1, START).data.model_copy(update={"kind": SurveyKind.CES}), at=START),
    ]
    found = report(facts)
    assert (found.complaints.total, found.complaints.reached_first) == (3, 1)
    assert found.complaints.written_about == 3
    lead = found.lead_time_hours
    assert (lead.p10, lead.p50, lead.p90) == (-0.6, 1.0, 2.6)


def test_a_message_at_the_very_moment_of_the_complaint_was_not_first() -> None:
    facts = [wrote("a", ContactReason.COMPLAINT, START), sent("a", START)]
    assert report(facts).complaints.reached_first == 0


def test_without_complaints_there_is_no_lead_time() -> None:
    assert report([sent("a", START)]).lead_time_hours.p50 is None


def late(order: str, by: timedelta) -> list[Event[Any]]:
    return [
        placed(order),
        promised(f"sh-{order}", order, START + 10 * DAY),
        delivered(f"sh-{order}", order, at=START + 10 * DAY + by),
    ]


def delay(order: str, opened: timedelta, cleared: timedelta | None = None) -> list[Event[Any]]:
    """The order's delivery delay, opened and perhaps cleared so long after the start."""
    found = [problem(ProblemOpened, order, START + opened)]
    if cleared is not None:
        over = problem(ProblemCleared, order, START + cleared, clearing=Clearing.SOLVED)
        found.append(over)
    return found


def test_late_orders_are_those_still_open_a_day_after_their_promise_and_delivered() -> None:
    """Of four, two were noticed before they were answered: Wilson's 2 of 4 is 15 to 85 %."""
    facts = [
        *late("in-time", -DAY),
        *late("within-the-day", DAY),
        answered("within-the-day", 1, START + 12 * DAY),
        *late("open", DAY + HOUR),
        *delay("open", 10 * DAY),
        answered("open", 1, START + 11 * DAY),
        *late("cleared-later", 3 * DAY),
        *delay("cleared-later", 10 * DAY, 13 * DAY),
        answered("cleared-later", 1, START + 12 * DAY),
        answered("cleared-later", 5, START + 14 * DAY),
        *late("noticed-too-late", 3 * DAY),
        *delay("noticed-too-late", 12 * DAY),
        answered("noticed-too-late", 1, START + 11 * DAY),
        *late("never-noticed", 3 * DAY),
        answered("never-noticed", 1, START + 11 * DAY),
        placed("never-came"),
        promised("sh-x", "never-came", START + 10 * DAY),
        answered("never-came", 1, START + 20 * DAY),
    ]
    found = report(facts)
    assert found.orders == 7
    assert found.late_orders is not None
    assert found.late_orders.model_dump() == {
        "open_past_promise": 4, "opened_before_answer": 2, "over_before_answer": 0,
        "unanswered": 0, "share": 0.5, "low": 0.15, "high": 0.85,
    }  # fmt: skip


def lateness(*facts: Event[Any]) -> tuple[int, int, int, int]:
    """Return late, noticed before the answer, of these over by then, unanswered."""
    found = report(facts).late_orders
    assert found is not None
    return (
        found.open_past_promise,
        found.opened_before_answer,
        found.over_before_answer,
        found.unanswered,
    )


def test_a_late_order_nobody_reviewed_counts_as_not_noticed() -> None:
    assert lateness(*late("a", 3 * DAY), *delay("a", 10 * DAY)) == (1, 0, 0, 1)
    assert lateness(*late("a", 3 * DAY)) == (1, 0, 0, 1)


def test_a_hand_over_solved_weeks_before_is_no_notice_of_the_delay() -> None:
    of = ProblemKind.HANDOVER_OVERDUE
    facts = [
        *late("a", 3 * DAY),
        problem(ProblemOpened, "a", START + DAY, of),
        problem(ProblemCleared, "a", START + 2 * DAY, of, clearing=Clearing.SOLVED),
        answered("a", 1, START + 12 * DAY),
    ]
    assert lateness(*facts) == (1, 0, 0, 0)
    assert lateness(*facts[:-2], facts[-1]) == (1, 0, 0, 0)


def test_a_delay_that_was_over_when_the_customer_answered_is_told_apart() -> None:
    """The parcel came, then the review: noticed in time, and over by the answer."""
    answer = answered("a", 1, START + 12 * DAY)
    order = late("a", 2 * DAY)
    assert lateness(*order, *delay("a", 10 * DAY, 11 * DAY), answer) == (1, 1, 1, 0)
    assert lateness(*order, *delay("a", 10 * DAY, 12 * DAY), answer) == (1, 1, 1, 0)
    assert lateness(*order, *delay("a", 10 * DAY, 12 * DAY + HOUR), answer) == (1, 1, 0, 0)


def test_another_orders_delay_or_one_opened_at_the_answer_itself_is_no_notice() -> None:
    answer = answered("a", 1, START + 12 * DAY)
    assert lateness(*late("a", 3 * DAY), *delay("b", 10 * DAY), answer) == (1, 0, 0, 0)
    assert lateness(*late("a", 3 * DAY), *delay("a", 12 * DAY), answer) == (1, 0, 0, 0)


def test_without_late_orders_there_is_no_share() -> None:
    found = report(late("in-time", -DAY)).late_orders
    assert found is not None
    assert (found.open_past_promise, found.share, found.low) == (0, None, None)


def test_the_digest_is_the_same_in_any_order() -> None:
    facts = [decided(f"o{n}", Outcome.CONTACT, at=START + n * HOUR) for n in range(20)]
    shuffled = facts.copy()
    Random(1).shuffle(shuffled)
    assert digest(facts) == digest(shuffled)


@pytest.mark.parametrize(
    "changed",
    [
        decided("o", Outcome.DEFERRED),
        decided("p", Outcome.CONTACT),
        decided("o", Outcome.CONTACT, at=START + HOUR),
    ],
)
def test_the_digest_changes_with_any_decision(changed: Event[Any]) -> None:
    assert digest([decided("o", Outcome.CONTACT)]) != digest([changed])


def test_the_digest_says_nothing_of_ids_that_only_name_the_decision() -> None:
    first = decided("o", Outcome.CONTACT)
    again = first.model_copy(
        update={"id": "other", "data": first.data.model_copy(update={"decision_id": UUID(int=1)})}
    )
    assert digest([first]) == digest([again])


def test_the_report_has_the_keys_others_rely_on() -> None:
    dumped = report().model_dump(mode="json")
    assert set(dumped) >= {
        "events", "profiles", "problems", "contacts", "complaints", "lead_time_hours",
        "late_orders", "orders", "wall_seconds", "seed", "decisions_digest",
        "metrics",
    }  # fmt: skip
    assert set(dumped["contacts"]) == {
        "decisions", "contact", "deferred", "held_out", "suppressed", "sent", "failed",
        "in_shadow", "withdrawn", "unknown", "double", "unlabelled",
    }  # fmt: skip
    assert set(dumped["contacts"]["suppressed"]) == {why.value for why in Suppression}
    assert dumped["wall_seconds"] == 1.2


def test_an_exported_figure_that_is_not_that_of_the_topics_is_a_fault() -> None:
    differing = Recounted(series=3, differing=("care_complaints_total{}: exported 2, counted 1",))

    assert "1 exported figures are not those of the topics" in report(metrics=differing).faults
    assert report().faults == ()
