"""Everything that goes wrong in a real shop goes wrong in this one: now and then, or never, as told."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.contracts.problems import ProblemKind
from services.shop.parameters import ShopParameters
from services.shop.presets import DEMO
from services.shop.timeline import Mail, Publication
from services.shop.truth import Act, IntentionTruth
from tests.unit.shop.playing import (
    CAREFUL,
    DAY,
    HOUR,
    PUNCTUAL,
    Nobody,
    Played,
    mail_about,
    parsed,
    played,
    time_of,
)

Event = dict[str, Any]
STEPS = (12 * HOUR,)

CALM = replace(
    CAREFUL, customers=150, days=40, payment_fails=0.3, payment_fails_again=0, cart_payment_fails=0,
    asks_something=0.4, searches_first=0.5, goes_without=0, search_names_order=1, answered_late=0,
    forgotten=0, writes_again=0, writes_again_unheard=0, keeps_writing=0, refund_overdue=0,
    carriers=tuple(
        replace(
            carrier, absent=0.3, damaged=0.1, wrong_address=0, unpaid_duties=0, scans_stop=0,
            first_scan_late=0, fetched_late=0, brought_again_late=0, damage_seen=0, lost=0,
        )
        for carrier in PUNCTUAL
    ),
)  # fmt: skip
"""None of the troubles."""

TROUBLED = replace(
    CALM, payment_fails_again=0.5, cart_payment_fails=0.5, goes_without=0.5, search_names_order=0.5,
    answered_late=0.2, forgotten=0.1, writes_again=0.3, writes_again_unheard=0.8, keeps_writing=0.8,
    refund_overdue=0.5, cancelled=0.15,
    carriers=tuple(
        replace(
            carrier, wrong_address=0.06, unpaid_duties=0.06, scans_stop=0.06, first_scan_late=0.06,
            fetched_late=0.4, brought_again_late=0.4, damage_seen=0.6,
        )
        for carrier in CALM.carriers
    ),
)  # fmt: skip
"""All of them, often."""


@pytest.fixture(scope="module")
def calm() -> Played:
    return played(CALM, steps=STEPS)


@pytest.fixture(scope="module")
def troubled() -> Played:
    return played(TROUBLED, steps=STEPS)


@pytest.fixture(scope="module")
def demo() -> Played:
    return played(DEMO, steps=STEPS)


def weekdays_after(at: datetime, days: int) -> datetime:
    """The same time of day in Berlin, so many weekdays further on."""
    local = at.astimezone(ZoneInfo("Europe/Berlin"))
    while days:
        local += DAY
        days -= local.weekday() < 5
    return local.astimezone(at.tzinfo)


def grouped(events: Sequence[Event], name: str) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(events, key=time_of):
        if name in event["data"]:
            found[event["data"][name]].append(event)
    return found


@dataclass(frozen=True)
class Seen:
    """One parcel's way: hand-over, scans (status and sub-status), delivery."""

    moments: tuple[tuple[datetime, str, str | None], ...]

    def follows(self, status: str) -> Iterator[tuple[datetime, datetime]]:
        """When each of these was told, and what came next."""
        for (at, what, _), (then, _, _) in pairwise(self.moments):
            if what == status:
                yield at, then


def parcels(shop: Played) -> Iterator[Seen]:
    """Those whose way was told to its end."""
    kinds = ("shipment.handed_over", "shipment.checkpoint", "shipment.delivered")
    told = [event for kind in kinds for event in shop.of_type(kind)]
    for events in grouped(told, "shipment_id").values():
        way = tuple(
            (time_of(e), e["data"].get("status", e["type"]), e["data"].get("substatus"))
            for e in events
        )
        if way[-1][1] == "care.shipment.delivered.v1":
            yield Seen(way)


def ways(shop: Played, status: str, days: int) -> int:
    """How often this was the last word about a parcel for more than so many weekdays."""
    return sum(
        then > weekdays_after(at, days)
        for parcel in parcels(shop)
        for at, then in parcel.follows(status)
    )


def waits(shop: Played) -> Iterator[tuple[datetime, datetime | None]]:
    """When each contact was opened, and when an agent first answered."""
    answers = {
        contact: time_of(next(e for e in events if e["data"]["by"] == "agent"))
        for contact, events in grouped(shop.of_type("contact.replied"), "contact_id").items()
        if any(e["data"]["by"] == "agent" for e in events)
    }
    for event in shop.of_type("contact.opened"):
        if time_of(event) < shop_end(shop) - 9 * DAY:
            yield time_of(event), answers.get(event["data"]["contact_id"])


def shop_end(shop: Played) -> datetime:
    return max(p.at for p in shop.publications)


def repeated(shop: Played) -> int:
    """Orders with three contacts within thirty days, because somebody wrote again."""
    opened = grouped(shop.of_type("contact.opened"), "order_id").values()
    return sum(
        any(time_of(c) - time_of(a) <= 30 * DAY for a, c in zip(es, es[2:], strict=False))
        and any("write-again" in e["data"]["contact_id"] for e in es)
        for es in opened
    )


def silences(shop: Played) -> list[Event]:
    """Fruitless searches after which the customer opened no contact for four hours."""
    opened = defaultdict(list)
    for event in shop.of_type("contact.opened"):
        opened[event["partitionkey"]].append(time_of(event))
    return [
        e
        for e in shop.of_type("help.searched")
        if not e["data"]["found"]
        and not any(
            time_of(e) <= at < time_of(e) + 4 * HOUR for at in opened[e["partitionkey"]]
        )
        and time_of(e) < shop_end(shop) - DAY
    ]  # fmt: skip


def overdue_refunds(shop: Played, by: timedelta) -> int:
    due = {
        e["data"]["refund_id"]: datetime.fromisoformat(e["data"]["promised_by"])
        for e in shop.of_type("refund.promised")
    }
    paid = grouped(shop.of_type("refund.paid"), "refund_id")
    return sum(time_of(es[0]) > due[refund] + by for refund, es in paid.items())


def failing(shop: Played, name: str, times: int) -> dict[str, list[Event]]:
    failed = grouped(shop.of_type("payment.failed"), name)
    return {subject: es for subject, es in failed.items() if len(es) >= times}


def _not_brought_again(shop: Played) -> int:
    """Those that go to a shop are taken there on the same day."""
    return ways(shop, "attempt_fail", 1)


def told_exceptions(shop: Played, substatus: str) -> int:
    return sum(
        e["data"].get("substatus") == substatus and e["data"]["status"] == "exception"
        for e in shop.of_type("shipment.checkpoint")
    )


TROUBLES: dict[str, Callable[[Played], int]] = {
    "a payment fails twice": lambda s: len(failing(s, "order_id", 2)),
    "a cart is left after a failed payment": lambda s: len(failing(s, "cart_id", 1)),
    "scans stop": lambda s: ways(s, "in_transit", 4),
    "a first scan is missing": lambda s: ways(s, "care.shipment.handed_over.v1", 2),
    "a wrong address": lambda s: told_exceptions(s, "007"),
    "held for payment": lambda s: told_exceptions(s, "006"),
    "damaged on the way": lambda s: told_exceptions(s, "012"),
    "not brought again": _not_brought_again,
    "waits in a shop": lambda s: ways(s, "available_for_pickup", 3),
    "the desk answers late": lambda s: sum(
        answered is not None and answered > weekdays_after(at, 1) for at, answered in waits(s)
    ),
    "the desk never answers": lambda s: sum(answered is None for _, answered in waits(s)),
    "a third contact": repeated,
    "a search and then silence": lambda s: len(silences(s)),
    "a refund more than 72 h late": lambda s: overdue_refunds(s, 72 * HOUR),
}


@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_each_trouble_comes_and_stays_away_as_told(
    trouble: str, calm: Played, troubled: Played, demo: Played
) -> None:
    count = TROUBLES[trouble]
    assert count(calm) == 0
    assert count(troubled) >= 5
    assert count(demo) >= 1


def test_in_the_demo_troubles_are_the_exception(demo: Played) -> None:
    orders, handed_over = len(demo.of_type("order.placed")), len(list(parcels(demo)))
    for trouble, count in TROUBLES.items():
        of = len(list(waits(demo))) if "desk" in trouble else min(orders, handed_over)
        assert count(demo) < 0.2 * of, trouble


def test_a_promise_tells_whose_days_count_and_where_from_and_to(troubled: Played) -> None:
    homes = {
        e["partitionkey"]: (e["data"]["time_zone"], e["data"]["country"])
        for e in troubled.of_type("customer.updated")
    }
    origins: dict[str, set[str]] = defaultdict(set)
    for event in troubled.of_type("shipment.promised"):
        told = event["data"]
        if event["source"].startswith("/carriers"):
            assert not {"time_zone", "origin_region", "destination_region"} & told.keys()
            continue
        assert (told["time_zone"], told["destination_region"]) == homes[event["partitionkey"]]
        origins[told["seller_id"]].add(told["origin_region"])
    assert all(len(found) == 1 for found in origins.values())
    assert len(set.union(*origins.values())) >= 3


def test_a_product_has_one_category_and_a_seller_few(troubled: Played) -> None:
    of_product: dict[str, set[str]] = defaultdict(set)
    of_seller: dict[str, set[str]] = defaultdict(set)
    for event in [*troubled.of_type("order.placed"), *troubled.of_type("cart.abandoned")]:
        for line in event["data"]["lines"]:
            of_product[line["product_id"]].add(line["category"])
            of_seller[line["seller_id"]].add(line["category"])
    assert {len(found) for found in of_product.values()} == {1}
    assert max(len(found) for found in of_seller.values()) == 3
    assert len(set.union(*of_seller.values())) >= 6


def test_payments_fail_before_the_order_is_paid_or_the_cart_is_left(troubled: Played) -> None:
    approved = grouped(troubled.of_type("order.approved"), "order_id")
    for order, events in failing(troubled, "order_id", 2).items():
        assert len(events) == 2
        assert len({e["data"]["payment_id"] for e in events}) == 2
        assert order not in approved or time_of(events[1]) < time_of(approved[order][0])
    left = grouped(troubled.of_type("cart.abandoned"), "cart_id")
    carts = failing(troubled, "cart_id", 1)
    assert {len(events) for events in carts.values()} == {1, 2}
    for cart, events in carts.items():
        assert time_of(events[-1]) < time_of(left[cart][0])
    assert 0.3 * len(left) < len(carts) < 0.7 * len(left)


def test_whose_payment_failed_twice_may_ask_about_it(troubled: Played, calm: Played) -> None:
    asked = troubled.happened(Act.ASK_ABOUT_PAYMENT)
    assert {t.order_id for t in asked} <= failing(troubled, "order_id", 2).keys()
    about = [e for e in troubled.of_type("contact.opened") if e["data"]["reason"] == "payment"]
    assert 0 < len(about) <= len(asked)
    assert not any(t.act is Act.ASK_ABOUT_PAYMENT for t in calm.truth)


def test_an_exception_does_not_end_a_parcels_way(troubled: Played) -> None:
    mended = [
        parcel
        for parcel in parcels(troubled)
        if any(substatus in {"006", "007", "012"} for _, _, substatus in parcel.moments)
    ]
    assert len(mended) > 20
    for parcel in mended:
        assert [m[1] for m in parcel.moments].count("exception") == 1


def test_a_parcel_on_a_long_way_is_seen_every_other_day(calm: Played) -> None:
    hubs = Counter(sum(m[1] == "in_transit" for m in parcel.moments) for parcel in parcels(calm))
    assert hubs[1] > 0 < hubs[3]
    for parcel in parcels(calm):
        assert [m[0] for m in parcel.moments] == sorted(m[0] for m in parcel.moments)


def test_who_is_forgotten_hears_nothing_and_writes_again(troubled: Played) -> None:
    opened = grouped(troubled.of_type("contact.opened"), "contact_id")
    resolved = grouped(troubled.of_type("contact.resolved"), "contact_id")
    replied = grouped(troubled.of_type("contact.replied"), "contact_id")
    end = shop_end(troubled) - 9 * DAY
    forgotten = [c for c, es in opened.items() if c not in resolved and time_of(es[0]) < end]
    assert len(forgotten) >= 5
    for contact in forgotten:
        assert {e["data"]["by"] for e in replied.get(contact, [])} <= {"bot"}
    again = {t.subject for t in troubled.happened(Act.WRITE_AGAIN)}
    assert sum(contact in again for contact in forgotten) > 0.5 * len(forgotten)


def test_nobody_writes_more_than_three_times_about_one_thing(troubled: Played) -> None:
    times = [
        e["data"]["contact_id"].count("write-again") for e in troubled.of_type("contact.opened")
    ]
    assert set(times) == {0, 1, 2}
    opened = grouped(troubled.of_type("contact.opened"), "contact_id")
    for truth in troubled.happened(Act.WRITE_AGAIN):
        if truth.at < shop_end(troubled) - DAY:
            (first,), (again,) = opened[truth.subject], opened[f"{truth.subject}-write-again"]
            assert time_of(first) < time_of(again) == truth.at
            assert first["data"]["order_id"] == again["data"]["order_id"] == truth.order_id


def test_some_searches_are_about_nobody_knows_what(troubled: Played) -> None:
    named = Counter("order_id" in e["data"] for e in troubled.of_type("help.searched"))
    assert min(named.values()) > 0.2 * named.total()
    assert any("order_id" not in e["data"] for e in silences(troubled))


@dataclass(slots=True)
class About(Nobody):
    """Writes, when an event of one type is told, of a problem with what the event names."""

    kind: ProblemKind
    type: str
    name: str

    def write(self, said: Sequence[Publication], now: datetime) -> list[Mail]:
        told = [parsed(item) for item in said if not item.refusable]
        return [
            mail_about(e["data"][self.name], e["partitionkey"], now, self.kind)
            for e in told
            if e["type"] == f"care.{self.type}.v1" and self.name in e["data"]
        ]


SUBJECTS = [
    *(
        (kind, "shipment.promised", "shipment_id")
        for kind in (
            ProblemKind.DELIVERY_DELAY, ProblemKind.HANDOVER_OVERDUE, ProblemKind.FIRST_SCAN_MISSING,
            ProblemKind.SCAN_STALLED, ProblemKind.DELIVERY_EXCEPTION, ProblemKind.ATTEMPT_FAILED,
            ProblemKind.PICKUP_WAITING,
        )
    ),
    (ProblemKind.REFUND_OVERDUE, "refund.promised", "refund_id"),
    (ProblemKind.PAYMENT_FAILED, "payment.failed", "order_id"),
    (ProblemKind.CONTACT_UNANSWERED, "contact.opened", "contact_id"),
    (ProblemKind.CONTACT_REOPENED, "contact.opened", "contact_id"),
    (ProblemKind.CONTACT_REPEATED, "contact.opened", "order_id"),
    (ProblemKind.HELP_NOT_FOUND, "help.searched", "order_id"),
    (ProblemKind.SURVEY_POOR, "survey.answered", "survey_id"),
]  # fmt: skip
"""What a problem of each kind is about, where that is part of an order."""

SMALLER = replace(TROUBLED, customers=60, annoyance=0.0)


def test_every_kind_that_is_about_an_order_is_tried() -> None:
    elsewhere = {ProblemKind.CART_ABANDONED, ProblemKind.LAPSE_RISK}
    assert {kind for kind, _, _ in SUBJECTS} == set(ProblemKind) - elsewhere


@pytest.mark.parametrize(("kind", "type_", "name"), SUBJECTS)
def test_a_message_about_any_of_an_orders_problems_is_about_the_order(
    kind: ProblemKind, type_: str, name: str
) -> None:
    """Whoever then stays or leaves was told; nobody else was."""
    shop = played(SMALLER, steps=STEPS, writer=About(kind, type_, name))
    concerned = {
        _order_of(event) for event in shop.of_type(type_) if name in event["data"]
    }  # fmt: skip
    told = {t.order_id for t in shop.truth if t.act is Act.LEAVE and t.messaged}
    assert told
    assert told <= concerned


def test_a_word_to_who_waits_for_the_desk_soothes_them(troubled: Played) -> None:
    perfect = replace(TROUBLED, true_effect=1.0)
    writer = About(ProblemKind.CONTACT_UNANSWERED, "contact.opened", "contact_id")

    assert len(troubled.happened(Act.WRITE_AGAIN)) > 20
    assert played(perfect, steps=STEPS, writer=writer).happened(Act.WRITE_AGAIN) == []


def _order_of(event: Event) -> str:
    """The order whose part this is: ids begin with their order's."""
    named = event["data"].get("order_id") or event["data"].get("contact_id")
    return "-".join(named.split("-")[:3])


def of(parameters: ShopParameters, act: Act) -> list[IntentionTruth]:
    return [t for t in played(parameters, steps=STEPS).truth if t.act is act]


def test_how_often_people_write_again_is_a_number_of_the_shop() -> None:
    quiet = replace(SMALLER, writes_again=0.0, writes_again_unheard=0.0)
    assert of(SMALLER, Act.WRITE_AGAIN)
    assert not any(t.happened for t in of(quiet, Act.WRITE_AGAIN))
