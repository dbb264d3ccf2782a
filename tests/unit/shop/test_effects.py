"""What went wrong makes people act, and a message that came first changes that by the true effect."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from services.contracts.contacts import COMPLAINT_REASONS
from services.contracts.problems import ProblemKind
from services.shop.presets import LOAD
from services.shop.timeline import Mail
from services.shop.truth import Act, IntentionTruth
from tests.unit.shop.playing import (
    CAREFUL,
    DAY,
    HOUR,
    Carer,
    Nobody,
    Played,
    mail_about,
    played,
)

CROWD = replace(CAREFUL, customers=1000, days=25, orders_per_customer_month=1.6)
STEPS = (4 * HOUR,)


@pytest.fixture(scope="module")
def alone() -> Played:
    return played(CROWD, steps=STEPS)


@pytest.fixture(scope="module")
def cared_for() -> Played:
    return played(CROWD, steps=STEPS, writer=Carer())


def complaints(shop: Played) -> set[str]:
    return {
        e["id"] for e in shop.of_type("contact.opened") if e["data"]["reason"] in COMPLAINT_REASONS
    }


def of_late_orders(shop: Played) -> Iterator[IntentionTruth]:
    for truth in shop.truth:
        if truth.days_late != 0:
            yield truth


def test_people_who_heard_first_complain_less(alone: Played, cared_for: Played) -> None:
    late, soothed = (s.happened(Act.COMPLAIN_OF_DELAY) for s in (alone, cared_for))
    assert len(late) > 50
    # A few ran out of patience before the message, nobody else acts who would not have anyway.
    assert len(soothed) < (1 - 0.8 * CROWD.true_effect) * len(late)
    assert len(complaints(cared_for)) < len(complaints(alone))
    assert complaints(cared_for) <= complaints(alone)


def test_without_an_effect_and_annoyance_messages_change_nothing() -> None:
    callous = replace(CAREFUL, true_effect=0.0, annoyance=0.0, customers=200)
    shop = played(callous, writer=Carer(only_late=False))
    assert sum(t.messaged for t in shop.truth) > 100
    assert shop.publications == played(callous).publications


def test_a_perfect_message_takes_all_that_lateness_adds() -> None:
    shop = played(replace(CROWD, true_effect=1.0, annoyance=0.0), steps=STEPS, writer=Carer())
    messaged = [t for t in of_late_orders(shop) if t.messaged]
    acts = Counter(t.act for t in messaged)
    assert acts[Act.COMPLAIN_OF_DELAY] > 50
    for truth in messaged:
        assert not (truth.happened and truth.act is Act.COMPLAIN_OF_DELAY)
        if truth.act is Act.ANSWER_POORLY:
            assert truth.chance_with <= _worst_answer_in_time(truth)
        if truth.act is Act.LEAVE:
            assert truth.chance_with <= truth.chance_without


def test_a_message_about_one_thing_says_nothing_of_another(alone: Played) -> None:
    """One about an order that came long ago, and one that comes when the moment is over."""
    late = alone.happened(Act.COMPLAIN_OF_DELAY)[0]

    class Beside(Nobody):
        def write(self, said: object, now: datetime) -> list[Mail]:
            if now > CROWD.start + 4 * HOUR:
                return []
            return [mail_about(f"{late.order_id}-s9", late.customer_id, now)]

    assert played(CROWD, steps=STEPS, writer=Beside()) == alone


def test_a_message_that_comes_too_late_stops_no_complaint(alone: Played) -> None:
    after = played(CROWD, steps=STEPS, writer=Carer(after=4 * DAY))
    delays = [t for t in after.truth if t.act is Act.COMPLAIN_OF_DELAY]
    unaware = [t for t in delays if not t.messaged]
    assert len(unaware) > 0.8 * len(delays)
    assert set(unaware) <= set(alone.truth)
    assert any(t.messaged for t in after.truth if t.act is Act.LEAVE)


@pytest.mark.parametrize("kind", list(ProblemKind))
def test_a_message_about_the_money_soothes_who_waits_for_money(kind: ProblemKind) -> None:
    owing = replace(
        CAREFUL, days=40, customers=150, cancelled=0.9, refund_overdue=1.0,
        refund_overdue_days=(15,), true_effect=1.0,
    )  # fmt: skip

    class Owner(Nobody):
        def write(self, said: Any, now: datetime) -> list[Mail]:
            about = [p for p in said if b"care.refund.promised" in p.body]
            return [_about_refund(p.event_id, now, kind) for p in about]

    assert len(played(owing).happened(Act.COMPLAIN_OF_REFUND)) > 20
    assert played(owing, writer=Owner()).happened(Act.COMPLAIN_OF_REFUND) == []


def test_a_needless_message_annoys() -> None:
    touchy = replace(CROWD, annoyance=0.3, dissatisfied=0.0, customers=400)
    left_alone, told = (
        played(touchy, steps=STEPS, writer=w)
        for w in (Nobody(), Carer(after=-3 * DAY, only_late=False))
    )
    assert left_alone.happened(Act.COMPLAIN_OF_PRODUCT) == []
    assert len(told.happened(Act.COMPLAIN_OF_PRODUCT)) > 20


def test_the_truth_is_a_draw_below_a_chance(alone: Played, cared_for: Played) -> None:
    for shop in (alone, cared_for):
        assert {t.act for t in shop.truth} == set(Act)
        for truth in shop.truth:
            chance = truth.chance_with if truth.messaged else truth.chance_without
            assert 0 <= truth.draw < 1
            assert 0 <= truth.chance_with <= 1
            assert truth.happened == (truth.draw < chance)
    assert not any(t.messaged for t in alone.truth)


def test_an_intention_is_drawn_once_whatever_anybody_is_told(
    alone: Played, cared_for: Played
) -> None:
    """Of orders placed in both worlds: who stayed for a message buys more."""
    by_name = {(t.subject, t.act): t for t in alone.truth}
    both = [(by_name.get((t.subject, t.act)), t) for t in cared_for.truth]
    met = [(a, b) for a, b in both if a is not None]
    assert len(met) > 0.95 * len(alone.truth)
    for one, other in met:
        assert (one.draw, one.at) == (other.draw, other.at)
        assert (one.chance_without, one.chance_with) == (other.chance_without, other.chance_with)


def test_what_the_truth_says_is_what_is_said(alone: Played) -> None:
    """Each complaint of a delay that happened opened a contact, and each answer has its score."""
    opened = {e["data"]["contact_id"] for e in alone.of_type("contact.opened")}
    for truth in alone.truth:
        contact = f"{truth.subject}-{truth.act}".replace("_", "-")
        if truth.act is Act.COMPLAIN_OF_DELAY and truth.at < CROWD.end - HOUR:
            assert (contact in opened) == truth.happened
    poor = {
        e["data"]["order_id"]: e["data"]["score"] < 3
        for e in alone.of_type("survey.answered")
        if e["data"]["kind"] == "csat"
    }
    answers = {t.order_id: t.happened for t in alone.truth if t.act is Act.ANSWER_POORLY}
    assert poor == answers


def test_the_later_the_poorer_the_answer(alone: Played) -> None:
    late, in_time = (
        [
            t.chance_without
            for t in alone.truth
            if t.act is Act.ANSWER_POORLY and (t.days_late == 0) == is_so
        ]
        for is_so in (False, True)
    )
    assert sum(late) / len(late) > 2 * sum(in_time) / len(in_time)


def test_who_was_let_down_leaves_more_often(alone: Played) -> None:
    late, in_time = (
        [
            t.chance_without
            for t in alone.truth
            if t.act is Act.LEAVE and (t.days_late == 0) == is_so
        ]
        for is_so in (False, True)
    )
    assert sum(late) / len(late) > 0.05 + sum(in_time) / len(in_time)


def test_worse_times_make_more_people_stop() -> None:
    good = replace(CROWD, days=60, customers=300)
    bad = replace(good, late_handover=1.0, late_handover_days=(6,))
    stops = [len(played(p, steps=(12 * HOUR,)).happened(Act.LEAVE)) for p in (good, bad)]
    assert stops[1] > 1.2 * stops[0]


def test_most_poor_answers_in_the_large_shop_are_of_orders_in_time() -> None:
    """As in the public marketplace data; what a message can change is the smaller part."""
    asking = replace(LOAD, customers=2500, days=45, survey_share=1.0, answers=1.0)
    shop = played(asking, steps=(12 * HOUR,))
    poor = shop.happened(Act.ANSWER_POORLY)
    assert len(poor) > 100
    in_time = sum(t.days_late == 0 for t in poor) / len(poor)
    assert 0.5 < in_time < 0.75


def _about_refund(event_id: str, now: datetime, kind: ProblemKind) -> Mail:
    refund_id = event_id.removesuffix("-refund-promised")
    return mail_about(refund_id, "-".join(refund_id.split("-")[:2]), now, kind)


def _worst_answer_in_time(truth: IntentionTruth) -> float:
    """Of parcels that arrived; a broken cup is as broken in time."""
    split = CROWD.poor_by_days_late[0] + CROWD.poor_when_split
    return max(split, CROWD.poor_when_damaged if truth.chance_without >= 0.6 else 0)
