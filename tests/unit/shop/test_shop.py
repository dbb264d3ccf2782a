"""The simulated shop is drawn from its seed alone, whatever the steps, and everybody for themselves."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts.events import FROM_OUTSIDE
from services.shop.parameters import Outage, ShopParameters
from services.shop.presets import PRESETS
from services.shop.shop import open_shop
from services.shop.timeline import Mail, Publication
from services.shop.truth import Act, CustomerTruth
from tests.unit.shop.playing import (
    CAREFUL,
    DAY,
    HOUR,
    SMALL,
    Carer,
    Nobody,
    parsed,
    played,
    time_of,
)

HOURLY = played(SMALL)


def test_one_seed_gives_one_shop() -> None:
    assert played(SMALL) == HOURLY
    assert len(HOURLY.publications) > 500


def test_another_seed_gives_another_shop() -> None:
    assert played(SMALL, 2) != HOURLY


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 100), min_size=1, max_size=5))
def test_how_time_is_cut_does_not_change_what_is_said(hours: list[int]) -> None:
    assert played(SMALL, steps=[h * HOUR for h in hours]) == HOURLY


@pytest.mark.parametrize("is_written_to", [False, True])
def test_one_more_customer_changes_nobody_elses_life(is_written_to: bool) -> None:
    more = replace(CAREFUL, customers=CAREFUL.customers + 1)
    shops = [
        played(p, writer=Carer(only_late=False) if is_written_to else None).publications
        for p in (CAREFUL, more)
    ]
    newcomer = f"c-{more.customers:05d}"
    assert [p for p in shops[1] if parsed(p)["partitionkey"] != newcomer] == list(shops[0])
    assert len(shops[1]) > len(shops[0])


def test_slips_change_when_and_how_often_things_are_told_but_not_what_happens() -> None:
    careful = {p.event_id: p.body for p in played(CAREFUL).publications}
    careless = {
        p.event_id: p.body
        for p in HOURLY.publications
        if not p.refusable and "long-ago" not in p.event_id
    }
    assert len(careless) > 500
    assert careless.items() <= careful.items()


def test_nothing_is_said_after_the_end_or_ahead_of_its_hour() -> None:
    shop = open_shop(SMALL, 1)
    now = shop.start
    while now < shop.end:
        now += HOUR
        said = shop.advance(now, []).publications
        assert all(now - HOUR < p.at <= now or p.at == shop.start for p in said)
        assert [p.at for p in said] == sorted(p.at for p in said)
    assert shop.next_at() is None
    beyond = shop.advance(shop.end + 90 * DAY, [])
    assert (beyond.publications, beyond.poison, beyond.truth) == ((), (), ())


def test_one_step_past_the_end_says_nothing_of_after_the_end() -> None:
    whole = open_shop(SMALL, 1).advance(SMALL.end + 90 * DAY, [])
    assert whole.publications == HOURLY.publications


def test_nothing_is_due_before_the_next_instant_it_names() -> None:
    shop = open_shop(SMALL, 1)
    moments = []
    while (due := shop.next_at()) is not None:
        early = shop.advance(due - timedelta(microseconds=1), [])
        assert (early.publications, early.truth) == ((), ())
        shop.advance(due, [])
        moments.append(due)
    assert moments == sorted(moments)
    assert len(moments) > 100


def test_a_month_of_the_demo_tells_every_type_that_publishers_may_send() -> None:
    shop = replace(PRESETS["demo"], merged=0.02, erased=0.02)
    told = {e["type"] for e in played(shop, steps=(12 * HOUR,)).events}
    assert told == FROM_OUTSIDE


def test_profiles_and_consents_come_before_anything_else() -> None:
    first = open_shop(SMALL, 1).advance(SMALL.start + timedelta(seconds=1), []).publications
    profiles = [p for p in first if parsed(p)["type"] == "care.customer.updated.v1"]
    assert {parsed(p)["type"] for p in first} == {
        "care.customer.updated.v1",
        "care.consent.changed.v1",
    }
    assert len({p.event_id for p in profiles}) >= SMALL.customers - 5


def test_some_are_merged_and_some_erased_if_the_shop_is_told_so() -> None:
    plain, renaming = played(SMALL), played(replace(SMALL, merged=0.3, erased=0.2))
    merged, erased = renaming.of_type("customer.merged"), renaming.of_type("customer.erased")

    ids = {e["partitionkey"] for e in plain.of_type("customer.updated")}
    assert 0.1 < len({e["id"] for e in merged}) / SMALL.customers < 0.5
    assert 0.05 < len({e["id"] for e in erased}) / SMALL.customers < 0.4
    assert {e["data"]["into"] for e in merged} <= ids
    assert not plain.of_type("customer.merged") + plain.of_type("customer.erased")


def test_a_large_shop_announces_its_customers_by_and_by() -> None:
    shop = played(replace(CAREFUL, arrivals_per_hour=6))
    updates = shop.of_type("customer.updated")
    announced = {e["partitionkey"]: time_of(e) for e in reversed(updates)}
    assert sorted(announced.values())[::6] == [CAREFUL.start + n * HOUR for n in range(10)]
    for order in shop.of_type("order.placed"):
        assert time_of(order) >= announced[order["partitionkey"]]


def test_a_million_customers_cost_what_is_due_in_the_hour() -> None:
    vast = ShopParameters(customers=10**6, arrivals_per_hour=60)
    shop = open_shop(vast, 1)
    said = [parsed(p) for p in shop.advance(vast.start + HOUR, []).publications]
    told = [e["data"]["name"] for e in said if e["type"] == "care.customer.updated.v1"]
    assert 58 <= len(told) <= 63
    assert shop.next_at() is not None


def test_a_start_without_a_whole_hour_is_as_good() -> None:
    odd = replace(SMALL, start=datetime(2026, 5, 4, 3, 17, tzinfo=UTC))
    assert len(played(odd).publications) > 500


def test_people_buy_by_day_where_they_live() -> None:
    placed = [time_of(e) for e in played(CAREFUL).of_type("order.placed")]
    # Nine to eight, from Lisbon to Vienna.
    assert all(8 <= at.hour <= 20 for at in placed)
    assert len({at.hour for at in placed}) >= 10


def test_everybody_has_a_rhythm_of_their_own() -> None:
    rates = sorted(t.orders_per_month for t in _customers(replace(SMALL, customers=400)))
    mean = SMALL.orders_per_customer_month
    assert 0.8 * mean < sum(rates) / 400 < 1.2 * mean
    assert rates[300] > 2 * rates[100]


def test_whoever_has_left_never_comes_again() -> None:
    fickle = replace(CAREFUL, customers=150, days=45, leaves=(3.0, 7.0))
    shop = open_shop(fickle, 1)
    visits = _visits(played(shop).events)
    stopped = {t.customer_id: t.stopped_at for t in shop.customers_truth() if t.stopped_at}
    assert len(stopped) > 20
    for customer_id, at in stopped.items():
        assert max(visits[customer_id]) <= at
    assert max(max(v) for v in visits.values()) > fickle.end - 5 * DAY


def test_the_truth_names_who_left_and_when() -> None:
    shop = open_shop(replace(CAREFUL, days=60), 1)
    left = {t.customer_id: t.at for t in reversed(played(shop).happened(Act.LEAVE))}
    customers = {t.customer_id: t.stopped_at for t in shop.customers_truth()}
    assert len(customers) == CAREFUL.customers
    assert left
    assert left == {c: at for c, at in customers.items() if at is not None}


class Stranger(Nobody):
    """Writes of problems that nobody has."""

    def write(self, said: Sequence[Publication], now: datetime) -> list[Mail]:
        address = "c-00001@people.example"
        return [Mail("no such problem", "x", "y", now), Mail("", "", address, now)]


class Astray(Carer):
    """Writes of everybody's parcels to somebody who has none."""

    def write(self, said: Sequence[Publication], now: datetime) -> list[Mail]:
        found = Carer.write(self, said, now)
        return [replace(m, recipient="c-00000@people.example") for m in found]


class Stutterer(Carer):
    """Writes everything twice, the second time backwards."""

    def write(self, said: Sequence[Publication], now: datetime) -> list[Mail]:
        found = Carer.write(self, said, now)
        return [*reversed(found), *found]


@pytest.mark.parametrize("writer", [Stranger(), Astray(only_late=False)])
def test_a_message_that_is_none_of_theirs_moves_nobody(writer: Nobody) -> None:
    assert played(SMALL, writer=writer) == HOURLY


def test_neither_the_order_of_messages_nor_a_repeat_changes_the_reaction() -> None:
    once = played(SMALL, writer=Carer(only_late=False))
    assert played(SMALL, writer=Stutterer(only_late=False)) == once
    assert once != HOURLY


def test_an_outage_of_a_stranger_is_refused() -> None:
    planned = (Outage("snail-mail", DAY, DAY),)
    with pytest.raises(ValueError, match=r"no carrier 'snail-mail': green-mile, old-post, swift"):
        open_shop(replace(SMALL, outages=planned), 1)


def _customers(parameters: ShopParameters) -> list[CustomerTruth]:
    shop = open_shop(parameters, 1)
    shop.advance(shop.start, [])
    return list(shop.customers_truth())


def _visits(events: list[dict[str, Any]]) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = {}
    for event in events:
        visits = found.setdefault(event["partitionkey"], [])
        if event["type"] == "care.order.placed.v1":
            visits.append(time_of(event))
        if event["type"] == "care.cart.abandoned.v1":
            # Given up an hour after the visit.
            visits.append(time_of(event) - HOUR)
    return {customer_id: visits for customer_id, visits in found.items() if visits}
