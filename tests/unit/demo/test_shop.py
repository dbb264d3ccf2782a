"""The simulated shop is drawn from its seed alone, speaks the contract, and reacts to what arrives."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from services.contracts import ids
from services.contracts.events import Unreadable, read_strictly
from services.contracts.problems import ProblemKind
from services.contracts.topics import HORIZON, MAX_FUTURE_SKEW
from services.demo.parameters import ShopParameters
from services.demo.shop import Shop, open_shop, plan
from services.demo.timeline import Mail, Publication

SMALL = ShopParameters(customers=60, days=20, orders_per_customer_month=3)
HOUR = timedelta(hours=1)


def played(shop: Shop, mails: dict[datetime, list[Mail]] | None = None) -> list[Publication]:
    """Everything the shop says, hour by hour; mails by the hour in which they arrived."""
    said: list[Publication] = []
    now, fresh = shop.start, list[Mail]()
    while now < shop.end:
        now += HOUR
        said += shop.advance(now, fresh).publications
        fresh = (mails or {}).get(now, [])
    return said


def parsed(item: Publication) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(item.body)
    return event


def of_type(said: list[Publication], name: str) -> list[dict[str, Any]]:
    return [e for e in map(parsed, said) if e.get("type") == f"care.{name}.v1"]


def delay_complaints(said: list[Publication]) -> list[dict[str, Any]]:
    reasons = {"where_is_my_order", "complaint"}
    return [e for e in of_type(said, "contact.opened") if e["data"]["reason"] in reasons]


def mail_about(shipment_id: str, customer_id: str, at: datetime) -> Mail:
    problem = ids.problem_id(customer_id, shipment_id, ProblemKind.DELIVERY_DELAY, 1)
    return Mail(str(problem), "delivery_late/notice", f"{customer_id}@people.example", at)


def mails_to_all(shop: Shop, arrival: timedelta) -> dict[datetime, list[Mail]]:
    """One message about each parcel, so long after its promise, in the shop's hours."""
    found: dict[datetime, list[Mail]] = {}
    for parcel in shop.plan.parcels:
        at = shop.start + HOUR * -((shop.start - parcel.promised_by - arrival) // HOUR)
        mail = mail_about(parcel.shipment_id, parcel.person.customer_id, at)
        found.setdefault(at, []).append(mail)
    return found


def test_one_seed_gives_one_shop() -> None:
    assert played(open_shop(SMALL, 3)) == played(open_shop(SMALL, 3))


def test_another_seed_gives_another_shop() -> None:
    assert played(open_shop(SMALL, 3)) != played(open_shop(SMALL, 4))


def test_everything_but_the_spoiled_passes_the_door() -> None:
    said = played(open_shop(SMALL, 1))
    assert len(said) > 500
    for item in said:
        if not item.refusable:
            read_strictly(parsed(item))


def test_every_spoiled_event_has_a_fault_the_door_must_see() -> None:
    spoiled = [p for p in played(open_shop(SMALL, 1)) if p.refusable]
    assert len(spoiled) >= 10
    for item in spoiled:
        try:
            event = read_strictly(parsed(item))
        except Unreadable:
            continue
        assert event.time > item.at + MAX_FUTURE_SKEW + HOUR


def test_nothing_is_said_after_the_end_or_ahead_of_its_hour() -> None:
    shop = open_shop(SMALL, 1)
    now = shop.start
    while now < shop.end:
        now += HOUR
        said = shop.advance(now, []).publications
        assert all(now - HOUR < p.at <= now or p.at == shop.start for p in said)
    assert shop.next_at() is None


def test_nothing_is_due_before_the_next_instant_it_names() -> None:
    shop = open_shop(SMALL, 1)
    moments = []
    while (due := shop.next_at()) is not None:
        assert shop.advance(due - timedelta(microseconds=1), []).publications == ()
        shop.advance(due, [])
        moments.append(due)
    assert moments == sorted(moments)
    assert len(moments) > 100


def test_publishers_repeat_delay_and_swap() -> None:
    careless = replace(SMALL, duplicated=0.1, delayed=0.1, reordered=0.1)
    said = [p for p in played(open_shop(careless, 1)) if not p.refusable]
    ids_said = [p.event_id for p in said]
    assert len(ids_said) - len(set(ids_said)) > 20
    times = [datetime.fromisoformat(parsed(p)["time"]) for p in said]
    assert any(later < earlier for earlier, later in pairwise(times))
    assert any(p.at - t >= timedelta(hours=2) for p, t in zip(said, times, strict=True))


def test_careful_publishers_do_none_of_it() -> None:
    careful = replace(
        SMALL, duplicated=0, delayed=0, reordered=0, beyond_horizon=0, spoiled_per_kind=0
    )
    said = played(open_shop(careful, 1))
    assert len({p.event_id for p in said}) == len(said)
    assert all(p.at == datetime.fromisoformat(parsed(p)["time"]) for p in said)


def test_one_event_is_older_than_the_horizon() -> None:
    said = played(open_shop(SMALL, 1))
    old = [
        p
        for p in said
        if not p.refusable and p.at - datetime.fromisoformat(parsed(p)["time"]) > HORIZON
    ]
    assert len(old) == SMALL.beyond_horizon


def test_a_lost_parcel_is_never_delivered_and_a_cancelled_one_never_handed_over() -> None:
    drawn = plan(replace(SMALL, cancelled=0.2), 1)
    said = [parsed(p) for p in drawn.publications if not p.refusable]
    handed = {e["data"]["order_id"] for e in said if e["type"] == "care.shipment.handed_over.v1"}
    arrived = {e["data"]["order_id"] for e in said if e["type"] == "care.shipment.delivered.v1"}
    cancelled = {p.order_id for p in drawn.parcels if p.is_cancelled}
    lost = {p.order_id for p in drawn.parcels if p.delivered_at is None}
    assert cancelled
    assert not cancelled & handed
    assert not lost & arrived


def test_people_who_heard_first_complain_much_less() -> None:
    patient = replace(SMALL, customers=300)
    alone = delay_complaints(played(open_shop(patient, 1)))
    shop = open_shop(patient, 1)
    cared_for = delay_complaints(played(shop, mails_to_all(shop, timedelta(0))))
    assert len(alone) > 20
    assert len(cared_for) < 0.5 * len(alone)
    assert {e["id"] for e in cared_for} <= {e["id"] for e in alone}


def test_a_message_after_the_complaint_changes_nothing_about_it() -> None:
    alone = delay_complaints(played(open_shop(SMALL, 1)))
    shop = open_shop(SMALL, 1)
    too_late = delay_complaints(played(shop, mails_to_all(shop, timedelta(days=400))))
    assert too_late == alone


def test_a_message_about_an_unknown_problem_moves_nobody() -> None:
    alone = played(open_shop(SMALL, 1))
    stranger = Mail("no such problem", "x", "y", SMALL.start)
    assert played(open_shop(SMALL, 1), {SMALL.start + HOUR: [stranger]}) == alone


@pytest.mark.parametrize("seed", [1, 2])
def test_neither_the_order_of_mails_nor_a_repeat_changes_the_reaction(seed: int) -> None:
    shop = open_shop(SMALL, seed)
    mails = mails_to_all(shop, timedelta(0))
    shuffled = {at: [*reversed(found), found[0]] for at, found in mails.items()}
    assert played(open_shop(SMALL, seed), mails) == played(open_shop(SMALL, seed), shuffled)


def test_how_time_is_cut_does_not_change_what_is_said() -> None:
    by_the_hour = played(open_shop(SMALL, 1))
    whole = open_shop(SMALL, 1).advance(SMALL.end, []).publications
    assert sorted(p.event_id for p in whole) == sorted(p.event_id for p in by_the_hour)


def test_profiles_and_consents_come_before_anything_else() -> None:
    first = open_shop(SMALL, 1).advance(SMALL.start + timedelta(seconds=1), []).publications
    types = {parsed(p)["type"] for p in first}
    assert types == {"care.customer.updated.v1", "care.consent.changed.v1"}
    assert (
        sum(parsed(p)["type"] == "care.customer.updated.v1" for p in first) >= SMALL.customers - 5
    )


def test_a_start_without_a_whole_hour_is_as_good() -> None:
    odd = replace(SMALL, start=datetime(2026, 5, 4, 3, 17, tzinfo=UTC))
    assert len(played(open_shop(odd, 1))) > 500
