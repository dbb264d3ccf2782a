"""What happens to an order has an order of its own: nothing comes before its cause."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from services.contracts.events import FROM_OUTSIDE, TOPIC_OF
from services.contracts.topics import IDENTITIES
from tests.unit.shop.playing import CAREFUL, DAY, HOUR, Played, played, time_of

BUSY = replace(
    CAREFUL, customers=250, days=60, cancelled=0.1, returned=0.2, payment_fails=0.2,
    asks_something=0.3, re_estimated=0.6, reopens=0.4, effort_survey_share=0.8, effort_answers=0.8,
    survey_share=0.8, answers=0.8, recommend_survey_share=0.3, recommend_answers=0.8,
)  # fmt: skip
"""Everything that can happen does."""

Event = dict[str, Any]


@pytest.fixture(scope="module")
def busy() -> Played:
    return played(BUSY, steps=(6 * HOUR,))


def by(events: Iterable[Event], name: str) -> dict[str, list[Event]]:
    """The events that have this id, by it, in the order in which they happened."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(events, key=time_of):
        if name in event["data"]:
            found[event["data"][name]].append(event)
    return found


def first(shop: Played, name: str, key: str) -> dict[str, datetime]:
    return {subject: time_of(es[0]) for subject, es in by(shop.of_type(name), key).items()}


def last(shop: Played, name: str, key: str) -> dict[str, datetime]:
    return {subject: time_of(es[-1]) for subject, es in by(shop.of_type(name), key).items()}


def assert_before(causes: dict[str, datetime], effects: dict[str, datetime]) -> None:
    """Each effect has its cause, and has it before."""
    assert len(effects) > 20
    for subject, at in effects.items():
        assert causes[subject] < at, subject


def test_every_kind_of_event_is_told(busy: Played) -> None:
    # Who is one customer, and who is to be forgotten, the shop says only where it is told to.
    identities = {fact.TYPE for fact, topic in TOPIC_OF.items() if topic is IDENTITIES}

    assert {e["type"] for e in busy.events} == FROM_OUTSIDE - identities


def test_an_order_is_placed_then_approved_then_promised(busy: Played) -> None:
    placed = first(busy, "order.placed", "order_id")
    approved = first(busy, "order.approved", "order_id")
    assert_before(placed, approved)
    assert_before(placed, first(busy, "payment.failed", "order_id"))
    assert_before(approved, first(busy, "shipment.promised", "order_id"))


def test_who_cannot_pay_pays_later_or_loses_the_order(busy: Played) -> None:
    failed = last(busy, "payment.failed", "order_id")
    approved = first(busy, "order.approved", "order_id")
    cancelled = first(busy, "order.cancelled", "order_id")
    long_ago = BUSY.end - 3 * DAY
    for order, at in failed.items():
        assert at < approved.get(order, cancelled.get(order, BUSY.end)), order
        assert at > long_ago or order in approved or order in cancelled
    assert 0 < len(failed.keys() - approved.keys()) < 0.5 * len(failed)


def test_a_parcel_is_promised_handed_over_scanned_and_delivered(busy: Played) -> None:
    promised = first(busy, "shipment.promised", "shipment_id")
    handed_over = first(busy, "shipment.handed_over", "shipment_id")
    delivered = first(busy, "shipment.delivered", "shipment_id")
    assert_before(promised, handed_over)
    assert_before(handed_over, first(busy, "shipment.checkpoint", "shipment_id"))
    assert_before(handed_over, delivered)
    for subject, at in last(busy, "shipment.checkpoint", "shipment_id").items():
        assert at < delivered.get(subject, BUSY.end + DAY), subject


def test_what_is_cancelled_is_never_handed_over(busy: Played) -> None:
    cancelled = first(busy, "order.cancelled", "order_id")
    assert len(cancelled) > 20
    assert not cancelled.keys() & first(busy, "shipment.handed_over", "order_id").keys()


def test_some_parcels_are_lost_and_the_carrier_says_so(busy: Played) -> None:
    scans = busy.of_type("shipment.checkpoint")
    lost = {e["data"]["shipment_id"] for e in scans if e["data"].get("substatus") == "013"}
    assert lost
    assert not lost & first(busy, "shipment.delivered", "shipment_id").keys()


def test_a_carriers_new_date_comes_while_the_parcel_is_on_its_way(busy: Played) -> None:
    told = [e for e in busy.of_type("shipment.promised") if e["source"].startswith("/carriers")]
    new_dates = {e["data"]["shipment_id"]: time_of(e) for e in told}
    assert_before(first(busy, "shipment.handed_over", "shipment_id"), new_dates)
    delivered = first(busy, "shipment.delivered", "shipment_id")
    assert all(at < delivered.get(s, BUSY.end + DAY) for s, at in new_dates.items())


def test_each_seller_of_an_order_sends_a_parcel(busy: Played) -> None:
    shipments = by(busy.of_type("shipment.promised"), "order_id")
    several = 0
    for order in busy.of_type("order.placed"):
        sellers = {line["seller_id"] for line in order["data"]["lines"]}
        promised = {e["data"]["seller_id"] for e in shipments[order["data"]["order_id"]]}
        assert promised in (sellers, set())
        several += len(promised) > 1
    assert several > 20


def test_money_is_promised_after_its_cause_and_paid_after_the_promise(busy: Played) -> None:
    promised = first(busy, "refund.promised", "refund_id")
    assert_before(promised, first(busy, "refund.paid", "refund_id"))
    refunded = first(busy, "refund.promised", "order_id")
    returned = first(busy, "return.requested", "order_id")
    delivered = last(busy, "shipment.delivered", "order_id")
    assert_before(delivered, returned)
    assert_before(returned, {o: at for o, at in refunded.items() if o in returned})
    cancelled = first(busy, "order.cancelled", "order_id")
    assert_before(cancelled, {o: at for o, at in refunded.items() if o in cancelled})


def test_some_money_is_overdue(busy: Played) -> None:
    due = {
        e["data"]["refund_id"]: datetime.fromisoformat(e["data"]["promised_by"])
        for e in busy.of_type("refund.promised")
    }
    paid = first(busy, "refund.paid", "refund_id")
    overdue = sum(at > due[refund] for refund, at in paid.items())
    assert 0.05 * len(paid) < overdue < 0.3 * len(paid)


def test_a_contact_is_opened_answered_resolved_and_perhaps_opened_again(busy: Played) -> None:
    opened = first(busy, "contact.opened", "contact_id")
    replied = first(busy, "contact.replied", "contact_id")
    resolved = first(busy, "contact.resolved", "contact_id")
    assert_before(opened, replied)
    assert_before(replied, resolved)
    again = first(busy, "contact.reopened", "contact_id")
    assert_before(resolved, again)
    for contact, at in last(busy, "contact.resolved", "contact_id").items():
        assert contact not in again or at > again[contact] or again[contact] > BUSY.end - 7 * DAY


def test_whoever_searches_first_searches_first(busy: Played) -> None:
    opened = first(busy, "contact.opened", "contact_id")
    searched = {s.removesuffix("-search"): at for s, at in _searches(busy).items()}
    assert_before(searched, {c: at for c, at in opened.items() if c in searched})
    # An answer found spares the desk the question.
    assert len(searched.keys() - opened.keys()) > 20


def test_nobody_is_asked_before_everything_came(busy: Played) -> None:
    asked = {
        kind: {
            e["data"]["order_id"] or e["data"]["contact_id"]: time_of(e)
            for e in busy.of_type("survey.sent")
            if e["data"]["kind"] == kind
        }
        for kind in ("csat", "nps")
    }
    delivered = last(busy, "shipment.delivered", "order_id")
    parcels = {o: len({e["data"]["shipment_id"] for e in es}) for o, es in _promises(busy).items()}
    arrived = {o: len(es) for o, es in by(busy.of_type("shipment.delivered"), "order_id").items()}
    for kind, surveys in asked.items():
        complete = {o: at for o, at in surveys.items() if arrived.get(o) == parcels[o]}
        assert len(complete) > 0.8 * len(surveys), kind
        assert_before(delivered, complete)


def test_nobody_answers_who_was_not_asked(busy: Played) -> None:
    asked, answered = (first(busy, f"survey.{verb}", "survey_id") for verb in ("sent", "answered"))
    assert_before(asked, answered)
    assert {survey.rsplit("-", 1)[1] for survey in answered} == {"csat", "ces", "nps"}


def _searches(shop: Played) -> dict[str, datetime]:
    return first(shop, "help.searched", "search_id")


def _promises(shop: Played) -> dict[str, list[Event]]:
    return by(shop.of_type("shipment.promised"), "order_id")
