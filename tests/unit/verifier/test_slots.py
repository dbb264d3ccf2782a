"""Facts recomputed from sets of events: what each slot takes, and that order and repetition do not matter."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from services.contracts.deliveries import CheckpointStatus, ShipmentCheckpoint, ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.events import TOPIC_OF
from services.contracts.purchases import (
    CartAbandoned,
    OrderLine,
    OrderPlaced,
    PaymentFailed,
    PaymentFailure,
    RefundPaid,
    RefundPromised,
)
from services.contracts.stream import Tick
from services.contracts.topics import HORIZON
from services.verifier.collect import collect
from services.verifier.evidence import PartitionEvidence, Record
from services.verifier.lives import Lives, lives
from services.verifier.outcomes import outcomes
from services.verifier.slots import TURNS_KEPT, only_known, recorded, stamps, unknown_slots
from services.verifier.timeline import Timeline
from tests.factories import (
    DAY,
    HOUR,
    SHOP,
    START,
    cancelled,
    delivered,
    event,
    handed_over,
    placed,
    promised,
    scanned,
    wrote,
)
from tests.unit.verifier.test_agreement import happenings


def gathered(*events: Event[Any]) -> PartitionEvidence:
    records = [
        Record(TOPIC_OF[type(e.data)].name, 0, n, e.partitionkey.encode(), e.encode())
        for n, e in enumerate(events)
    ]
    return collect(records, 1).partitions[0]


def known(*events: Event[Any], ticks: tuple[Tick, ...] = ()) -> dict[str, Lives]:
    """Return what is known of each customer, as nobody's memory is asked."""
    timeline = Timeline(ticks)
    found = outcomes(gathered(*events), timeline, lambda told: False, lockstep=True)
    return {customer: lives(applied, timeline) for customer, applied in found.customers.items()}


def things(*events: Event[Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return known(*events)["c-1"].things


def stamp(at: datetime, name: str) -> dict[str, Any]:
    return {"at": at, "source": SHOP, "id": name}


def turn(at: datetime, name: str, kind: str) -> dict[str, Any]:
    return {"said": stamp(at, name), "kind": kind}


def test_an_order_keeps_its_first_telling() -> None:
    found = things(
        placed(lines=3, sellers=2, at=START + HOUR, event_id="later"),
        placed(lines=1, at=START, event_id="first"),
        cancelled(at=START + DAY, event_id="x-2"),
        cancelled(at=START + HOUR, event_id="x-1"),
    )

    assert found == {
        ("orders", "o-1"): {
            "basket": {
                "placed": stamp(START, "first"),
                "lines": 1,
                "sellers": 1,
                "total_minor": 1000,
                "freight_minor": 0,
                "product_id": "p-0",
                "seller_id": "s-0",
            },
            "cancelled": stamp(START + HOUR, "x-1"),
        }
    }


def test_a_parcel_keeps_both_promises_its_last_carrier_and_the_least_order() -> None:
    found = things(
        promised(order="o-2", by=START + 2 * DAY, at=START + HOUR, event_id="s-2"),
        promised(order="o-1", by=START + DAY, at=START, event_id="s-1"),
        scanned(carrier="ups", status=CheckpointStatus.INFO_RECEIVED, at=START, event_id="c-0"),
        scanned(carrier="ups", at=START + 3 * HOUR, event_id="c-2"),
        scanned(carrier="ups", at=START + 2 * HOUR, event_id="c-1"),
        handed_over(carrier="dhl", at=START + DAY, event_id="h"),
        scanned(status=CheckpointStatus.DELIVERED, at=START + 2 * DAY, event_id="c-3"),
        delivered(carrier=None, at=START + 3 * DAY, event_id="d"),
    )[("shipments", "sh-1")]

    assert found == {
        "order_id": "o-1",
        "first_promise": {"told": stamp(START, "s-1"), "promised_by": START + DAY},
        "latest_promise": {"told": stamp(START + HOUR, "s-2"), "promised_by": START + 2 * DAY},
        "handed_over": stamp(START + DAY, "h"),
        "carrier_told": {"told": stamp(START + 2 * DAY, "c-3"), "name": "dhl"},
        "scans": {
            "in_transit": {
                "first": stamp(START + 2 * HOUR, "c-1"),
                "last": stamp(START + 3 * HOUR, "c-2"),
            },
            "delivered": {
                "first": stamp(START + 2 * DAY, "c-3"),
                "last": stamp(START + 2 * DAY, "c-3"),
            },
        },
        "delivered": stamp(START + 2 * DAY, "c-3"),
    }


def test_a_contact_and_a_survey() -> None:
    survey = {"survey_id": "y", "kind": SurveyKind.CSAT}
    found = things(
        wrote("k", "o-9", at=START, event_id="k-1"),
        event(ContactReplied(contact_id="k", by=ReplyBy.BOT), at=START + DAY),
        event(ContactReplied(contact_id="k", by=ReplyBy.AGENT), at=START + HOUR, event_id="r-1"),
        event(ContactResolved(contact_id="k"), at=START + HOUR, event_id="z-1"),
        event(ContactResolved(contact_id="k"), at=START + DAY, event_id="z-2"),
        event(SurveyAnswered(**survey, score=5), at=START + DAY, event_id="a-2"),
        event(SurveyAnswered(**survey, score=1, order_id="o-9"), at=START, event_id="a-1"),
    )

    assert found == {
        ("contacts", "k"): {
            "opened": stamp(START, "k-1"),
            "reason": "where_is_my_order",
            "order_id": "o-9",
            "replied_by_agent": stamp(START + HOUR, "r-1"),
            "resolved": stamp(START + DAY, "z-2"),
            "turns": [
                turn(START, "k-1", "opened"),
                turn(START + HOUR, "r-1", "replied_by_agent"),
                turn(START + HOUR, "z-1", "resolved"),
                turn(START + DAY, "z-2", "resolved"),
            ],
        },
        ("surveys", "y"): {
            "answered": stamp(START, "a-1"),
            "score": 1,
            "kind": "csat",
            "order_id": "o-9",
        },
    }


def test_the_first_and_the_last_zone_may_be_of_promises_between() -> None:
    def told(hours: int, zone: str | None) -> Event[Any]:
        fact = ShipmentPromised(
            shipment_id="sh-1",
            order_id="o-1",
            promised_by=START + DAY,
            ship_by=START + HOUR,
            carrier="dhl",
            time_zone=zone,
            origin_region="DE",
            destination_region="FR",
            seller_id="s-1",
        )
        return event(fact, at=START + hours * HOUR, event_id=f"p-{hours}")

    found = things(*(told(n, zone) for n, zone in ((4, None), (3, "UTC"), (1, None))))
    parcel = things(told(4, None), told(3, "UTC"), told(2, "Europe/Berlin"), told(1, None))

    assert found["shipments", "sh-1"]["first_zone"] == {
        "told": stamp(START + 3 * HOUR, "p-3"),
        "name": "UTC",
    }
    assert parcel["shipments", "sh-1"] == {
        "order_id": "o-1",
        "first_promise": {
            "told": stamp(START + HOUR, "p-1"),
            "promised_by": START + DAY,
            "ship_by": START + HOUR,
            "carrier": "dhl",
            "origin_region": "DE",
            "destination_region": "FR",
            "seller_id": "s-1",
        },
        "latest_promise": {
            **parcel["shipments", "sh-1"]["first_promise"],
            "told": stamp(START + 4 * HOUR, "p-4"),
        },
        "first_zone": {"told": stamp(START + 2 * HOUR, "p-2"), "name": "Europe/Berlin"},
        "last_zone": {"told": stamp(START + 3 * HOUR, "p-3"), "name": "UTC"},
    }


def test_of_the_dearest_line_the_first_of_several_is_known() -> None:
    def line(name: str, price: int, seller: str | None = None) -> OrderLine:
        category = f"of-{name}" if seller else None
        return OrderLine(
            product_id=name, price_minor=price, seller_id=seller, category=category, quantity=2
        )

    lines = (line("p-1", 5), line("p-2", 7, "s-2"), line("p-3", 7, "s-3"))
    bought = event(OrderPlaced(order_id="o-1", currency="EUR", lines=lines, freight_minor=3))

    basket = things(bought)["orders", "o-1"]["basket"]

    assert (basket["product_id"], basket["seller_id"], basket["category"]) == (
        "p-2",
        "s-2",
        "of-p-2",
    )
    assert (basket["lines"], basket["sellers"], basket["total_minor"]) == (6, 3, 38)


def test_failed_payments_belong_to_the_order_or_else_to_the_cart_and_eight_are_known() -> None:
    def failed(number: int, **named: str) -> Event[Any]:
        fact = PaymentFailed(payment_id="p", reason=PaymentFailure.OTHER, **named)
        return event(fact, at=START + number * HOUR, event_id=f"f-{number}")

    lines = (OrderLine(product_id="p", price_minor=1),)
    found = things(
        *(failed(n, order_id="o-1", cart_id="b-1") for n in range(12, 2, -1)),
        failed(1, cart_id="b-1"),
        event(
            CartAbandoned(cart_id="b-1", currency="EUR", lines=lines), at=START + DAY, event_id="g"
        ),
    )

    assert found == {
        ("orders", "o-1"): {"failures": [stamp(START + n * HOUR, f"f-{n}") for n in range(3, 11)]},
        ("carts", "b-1"): {
            "abandoned": stamp(START + DAY, "g"),
            "failures": [stamp(START + HOUR, "f-1")],
        },
    }


def test_a_parcel_keeps_first_and_last_of_each_status_and_sub_status() -> None:
    def scan(hours: int, status: CheckpointStatus, substatus: str | None = None) -> Event[Any]:
        fact = ShipmentCheckpoint(
            shipment_id="sh-1", order_id="o-1", carrier="dhl", status=status, substatus=substatus
        )
        return event(fact, at=START + hours * HOUR, event_id=f"c-{hours}")

    exception, expired = CheckpointStatus.EXCEPTION, CheckpointStatus.EXPIRED
    found = things(
        *(scan(n, exception, "002") for n in (3, 1, 2)), scan(4, exception), scan(5, expired)
    )["shipments", "sh-1"]

    assert found["scans"] == {
        "exception/002": {
            "first": stamp(START + HOUR, "c-1"),
            "last": stamp(START + 3 * HOUR, "c-3"),
        },
        "exception": {
            "first": stamp(START + 4 * HOUR, "c-4"),
            "last": stamp(START + 4 * HOUR, "c-4"),
        },
    }


def test_words_wait_for_an_answer_and_searches_for_a_find() -> None:
    def word(hours: int, fact: Any) -> Event[Any]:
        return event(fact, at=START + hours * HOUR, event_id=f"w-{hours}")

    def search(hours: int, order: str | None, *, found: bool) -> Event[Any]:
        place = HelpPlace.FAQ
        return word(hours, HelpSearched(search_id="s", place=place, found=found, order_id=order))

    by = {"contact_id": "k", "by": ReplyBy.CUSTOMER}
    found = things(
        word(5, ContactReopened(contact_id="k")),
        word(4, ContactReplied(**by)),
        word(3, ContactResolved(contact_id="k")),
        word(2, ContactReplied(**by)),
        search(9, "o-1", found=False),
        search(8, "o-1", found=False),
        search(7, "o-1", found=True),
        search(6, "o-1", found=False),
        search(6, None, found=False),
    )

    assert found == {
        ("contacts", "k"): {
            "resolved": stamp(START + 3 * HOUR, "w-3"),
            "reopened": stamp(START + 5 * HOUR, "w-5"),
            "waiting": [stamp(START + n * HOUR, f"w-{n}") for n in (4, 5)],
            "turns": [
                turn(START + 2 * HOUR, "w-2", "replied_by_customer"),
                turn(START + 3 * HOUR, "w-3", "resolved"),
                turn(START + 4 * HOUR, "w-4", "replied_by_customer"),
                turn(START + 5 * HOUR, "w-5", "reopened"),
            ],
        },
        ("searches", "o-1"): {
            "found": stamp(START + 7 * HOUR, "w-7"),
            "unfound": [stamp(START + n * HOUR, f"w-{n}") for n in (8, 9)],
        },
    }


def test_of_a_long_conversation_the_earliest_turns_are_known() -> None:
    words = [
        event(ContactReopened(contact_id="k"), at=START + n * HOUR, event_id=f"w-{n}")
        for n in range(20, 0, -1)
    ]

    found = things(*words)["contacts", "k"]

    assert len(found["waiting"]) == 20
    assert found["turns"] == [
        turn(START + n * HOUR, f"w-{n}", "reopened") for n in range(1, TURNS_KEPT + 1)
    ]


def test_a_survey_that_was_only_sent_and_a_refund_keep_the_least_that_is_named() -> None:
    money = {"refund_id": "r", "currency": "EUR", "amount_minor": 1}
    by = START + 9 * DAY
    found = things(
        event(SurveySent(survey_id="y", kind=SurveyKind.NPS, order_id="o-2"), at=START),
        event(SurveySent(survey_id="y", kind=SurveyKind.CES, contact_id="k"), event_id="s"),
        event(RefundPromised(**money, order_id="o-2", promised_by=by), event_id="r-1"),
        event(RefundPromised(**money, order_id="o-1", promised_by=START), at=START + HOUR),
        event(RefundPaid(**money, order_id="o-0"), at=START + DAY, event_id="r-3"),
    )

    assert found["surveys", "y"]["kind"] == "ces"
    assert (found["surveys", "y"]["order_id"], found["surveys", "y"]["contact_id"]) == ("o-2", "k")
    assert found["refunds", "r"] == {
        "order_id": "o-0",
        "promised": {"told": stamp(START, "r-1"), "promised_by": by},
        "paid": stamp(START + DAY, "r-3"),
    }


def test_what_the_changelog_leaves_empty_is_unknown() -> None:
    told = stamp(START, "f-1") | {"at": START.isoformat()}
    facts: dict[str, dict[str, dict[str, Any]]] = {
        "orders": {"o-1": {"approved": None, "failures": [told], "histories": {"x": 1}}},
        "carts": {"b-1": {"abandoned": None, "failures": []}},
        "contacts": {},
    }

    found = recorded(facts)

    assert only_known(found) == {("orders", "o-1"): {"failures": [stamp(START, "f-1")]}}
    assert unknown_slots(found) == {"orders.histories"}
    assert stamps(found["orders", "o-1"]["failures"]) == [START]


@given(told=st.lists(happenings(), max_size=25), data=st.data())
def test_neither_order_nor_repetition_changes_the_facts(
    told: list[Event[Any]], data: st.DataObject
) -> None:
    # One name, one content: which of two contents counts is a matter of who came first.
    once = list({(e.partitionkey, e.source, e.id): e for e in told}.values())
    repeated = data.draw(st.lists(st.sampled_from(once))) if once else []
    shuffled = data.draw(st.permutations(once + repeated))

    plain = {customer: life.things for customer, life in known(*once).items()}
    assert {customer: life.things for customer, life in known(*shuffled).items()} == plain


@pytest.mark.parametrize(("later", "is_kept"), [(timedelta(), True), (timedelta(seconds=2), False)])
def test_what_falls_behind_the_horizon_is_forgotten(later: timedelta, is_kept: bool) -> None:
    old = placed("o-old", at=START, event_id="old")
    new = placed("o-new", at=START + DAY, event_id="new")
    ticks = [
        Tick(number=0, at=START, ends={}, barrier="b-0"),
        Tick(number=1, at=START + DAY, ends={"purchases": 2}, barrier="b-1"),
        Tick(number=2, at=START + HORIZON + later, ends={"purchases": 2}, barrier="b-2"),
    ]

    life = known(old, new, ticks=tuple(ticks))["c-1"]

    assert (("orders", "o-old") in life.things) is is_kept
    assert ("orders", "o-new") in life.things
    assert len(life.events) == 1 + is_kept
