"""Shopify's orders: what was bought, paid, sent, cancelled and given back."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.contracts.deliveries import (
    CheckpointStatus,
    PromiseSource,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentHandedOver,
    ShipmentPromised,
)
from services.contracts.envelope import Event
from services.contracts.purchases import (
    CancelledBy,
    OrderApproved,
    OrderCancelled,
    OrderPlaced,
    RefundPaid,
)
from services.ingest.adapters import aftership
from services.ingest.adapters.findings import Finding, Ignored, Reason, Refused, events_in
from services.ingest.adapters.shopify import TOPIC_HEADER, TOPICS, findings
from services.ingest.adapters.shopify_parcels import STATUSES, carrier_slug
from services.ingest.adapters.shopify_terms import SOURCE, Options, ParcelName
from tests.unit.ingest.adapters import examples
from tests.unit.ingest.adapters.examples import fulfillment, refund, shopify

DATED = Options(promise_attribute="delivery_date", zone=ZoneInfo("Europe/Berlin"))


def found_in(topic: str, options: Options = DATED, **order: Any) -> list[Finding]:
    return findings(shopify(**order), {TOPIC_HEADER: topic}, options)


def told(topic: str, options: Options = DATED, **order: Any) -> list[Event[Any]]:
    """The events of a webhook of which nothing is refused."""
    found = found_in(topic, options, **order)
    assert [finding for finding in found if isinstance(finding, Refused)] == []
    return list(events_in(found))


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


class TestOrder:
    def test_it_is_placed_with_its_lines_in_minor_units(self) -> None:
        (event,) = told("orders/create")

        assert (event.time, event.source, event.partitionkey) == (at(1, 8, 59), SOURCE, "880042")
        assert isinstance(event.data, OrderPlaced)
        assert (event.data.order_id, event.data.currency) == ("5500011", "EUR")
        assert event.data.freight_minor == 490
        assert [(x.product_id, x.quantity, x.price_minor) for x in event.data.lines] == [
            ("71", 2, 1995),
            ("line-2", 1, 500),
        ]

    @pytest.mark.parametrize(
        ("currency", "price", "minor"),
        [("JPY", "1200", 1200), ("KWD", "1.250", 1250), ("EUR", "0.1", 10), ("USD", "0.125", 12)],
    )
    def test_a_price_has_its_currencys_decimals(
        self, currency: str, price: str, minor: int
    ) -> None:
        line = {"id": 1, "product_id": 7, "quantity": 1, "price": price}
        (event,) = told("orders/create", currency=currency, line_items=[line])

        assert event.data.lines[0].price_minor == minor

    def test_the_customer_may_have_a_prefix_and_a_global_id(self) -> None:
        options = Options(customer_prefix="shop-")
        (event,) = told("orders/create", options, customer={"id": "gid://shopify/Customer/42"})

        assert event.partitionkey == "shop-42"

    def test_a_guests_order_is_refused_with_what_to_do(self) -> None:
        (found,) = found_in("orders/create", customer=None)

        assert isinstance(found, Refused)
        assert found.reason is Reason.NO_CUSTOMER
        assert "require accounts" in found.detail

    def test_a_test_order_is_ignored(self) -> None:
        (found,) = found_in("orders/create", test=True)

        assert isinstance(found, Ignored)

    def test_a_line_without_a_price_is_refused(self) -> None:
        (found,) = found_in("orders/create", line_items=[{"id": 1, "price": "much"}])

        assert isinstance(found, Refused)
        assert found.reason is Reason.NO_AMOUNT

    def test_an_order_without_lines_is_refused(self) -> None:
        (found,) = found_in("orders/create", line_items=[])

        assert isinstance(found, Refused)
        assert found.reason is Reason.INVALID
        assert "/data/lines" in found.detail

    def test_it_is_approved_when_it_is_paid(self) -> None:
        (event,) = told("orders/paid")

        assert (type(event.data), event.time) == (OrderApproved, at(1, 9, 5))

    @pytest.mark.parametrize(
        ("reason", "by"),
        [
            ("customer", CancelledBy.CUSTOMER),
            ("fraud", CancelledBy.COMPANY),
            ("brand_new", CancelledBy.COMPANY),
            (None, CancelledBy.COMPANY),
        ],
    )
    def test_it_is_cancelled_by_somebody(self, reason: str | None, by: CancelledBy) -> None:
        when = "2026-03-02T00:00:00Z"
        (event,) = told("orders/cancelled", cancelled_at=when, cancel_reason=reason)

        assert isinstance(event.data, OrderCancelled)
        assert (event.data.cancelled_by, event.time) == (by, at(2))

    @pytest.mark.parametrize(
        ("topic", "order"),
        [
            ("orders/paid", {"financial_status": "pending"}),
            ("orders/cancelled", {}),
            ("orders/updated", {}),
        ],
    )
    def test_a_topic_alone_says_nothing_that_the_body_does_not(
        self, topic: str, order: dict[str, Any]
    ) -> None:
        (found,) = found_in(topic, **order)

        assert isinstance(found, Ignored)
        assert found.reason is Reason.NOT_CONFIRMED


class TestParcels:
    def test_what_was_promised_and_what_the_carrier_said(self) -> None:
        events = told("orders/fulfilled", fulfillments=[fulfillment()])

        promise, handed, seen = (event.data for event in events)
        assert [event.time for event in events] == [at(1, 8, 59), at(3, 9), at(3, 9)]
        assert isinstance(promise, ShipmentPromised)
        assert (promise.promised_by, promise.promise_source) == (at(6, 23), PromiseSource.COMPANY)
        assert isinstance(handed, ShipmentHandedOver)
        assert isinstance(seen, ShipmentCheckpoint)
        assert seen.status is CheckpointStatus.IN_TRANSIT
        assert {fact.shipment_id for fact in (promise, handed, seen)} == {"JD009911"}
        assert (handed.carrier, seen.carrier) == ("dhl-express", "dhl-express")
        # Whose own system may tell us nothing: it is not waited for.
        assert promise.carrier is None

    def test_both_adapters_call_a_parcel_the_same(self) -> None:
        ours = told("orders/updated", fulfillments=[fulfillment()])
        theirs = aftership.findings(examples.aftership(), {}, aftership.Options())

        assert ours[0].data.shipment_id == next(events_in(theirs)).data.shipment_id

    @pytest.mark.parametrize(("told_as", "status"), STATUSES.items())
    def test_every_status(self, told_as: str, status: CheckpointStatus) -> None:
        events = told("orders/updated", fulfillments=[fulfillment(shipment_status=told_as)])

        facts = {type(event.data): event.data for event in events}
        assert facts[ShipmentCheckpoint].status is status
        assert (ShipmentDelivered in facts) == (status is CheckpointStatus.DELIVERED)
        assert (ShipmentHandedOver in facts) == (status is not CheckpointStatus.INFO_RECEIVED)

    def test_a_new_status_stays_unknown_with_its_code(self) -> None:
        events = told("orders/updated", fulfillments=[fulfillment(shipment_status="teleported")])

        assert [type(event.data) for event in events] == [ShipmentPromised, ShipmentCheckpoint]
        assert events[1].data.status is CheckpointStatus.UNKNOWN
        assert events[1].data.raw_code == "teleported"

    def test_packing_is_no_hand_over(self) -> None:
        events = told("orders/updated", fulfillments=[fulfillment(shipment_status=None)])

        assert [type(event.data) for event in events] == [ShipmentPromised]

    def test_each_number_is_a_parcel(self) -> None:
        parcels = [fulfillment(tracking_numbers=["a1", "A1", "b2"])]
        events = told("orders/updated", fulfillments=parcels)

        assert {event.data.shipment_id for event in events} == {"A1", "B2"}

    def test_a_parcel_without_a_number_waits_for_one_or_has_the_fulfilments_id(self) -> None:
        parcels = [fulfillment(tracking_number=None, tracking_numbers=[])]
        by_id = Options("", ParcelName.FULFILLMENT, "delivery_date")

        assert told("orders/updated", fulfillments=parcels) == []
        assert told("orders/updated", by_id, fulfillments=parcels)[0].data.shipment_id == "9901"

    def test_what_was_cancelled_is_no_parcel(self) -> None:
        assert told("orders/updated", fulfillments=[fulfillment(status="cancelled")]) == []

    def test_without_a_carrier_only_the_delivery_can_be_told(self) -> None:
        parcels = [fulfillment(tracking_company=None, shipment_status="delivered")]
        found = found_in("orders/updated", Options(), fulfillments=parcels)

        assert [type(event.data) for event in events_in(found)] == [ShipmentDelivered]
        assert [f.reason for f in found if isinstance(f, Refused)] == [Reason.NO_CARRIER]

    @pytest.mark.parametrize(
        ("company", "slug"),
        [
            ("DHL Express", "dhl-express"),
            ("Österreichische Post", "osterreichische-post"),
            ("  UPS® ", "ups"),
            ("佐川急便", None),
            (None, None),
        ],
    )
    def test_a_carriers_slug(self, company: str | None, slug: str | None) -> None:
        assert carrier_slug(company) == slug

    def test_the_order_told_again_gives_the_same_ids(self) -> None:
        first = told("orders/fulfilled", fulfillments=[fulfillment()], refunds=[refund("1.00")])
        again = fulfillment(updated_at="2026-03-04T10:00:00+01:00")
        later = told("orders/updated", fulfillments=[again], refunds=[refund("1.00")])

        assert [event.id for event in first] == [event.id for event in later]


class TestRefunds:
    def test_it_is_paid_once_the_money_has_left(self) -> None:
        (event,) = told("orders/updated", refunds=[refund("19.95", "5.00")])

        assert isinstance(event.data, RefundPaid)
        assert (event.data.refund_id, event.data.amount_minor) == ("3301", 2495)
        assert event.time == at(9, 9)

    def test_what_is_pending_has_not_left(self) -> None:
        pending = refund("19.95")
        pending["transactions"][0]["status"] = "pending"

        assert told("orders/updated", refunds=[pending, refund()]) == []

    def test_two_currencies_in_one_refund_are_refused(self) -> None:
        mixed = refund("19.95", "5.00")
        mixed["transactions"][0]["currency"] = "USD"
        (found,) = found_in("orders/updated", refunds=[mixed])

        assert isinstance(found, Refused)


class TestTopics:
    @pytest.mark.parametrize(
        "topic", ["fulfillments/create", "fulfillments/update", "refunds/create"]
    )
    def test_what_names_no_customer_says_what_to_subscribe_to(self, topic: str) -> None:
        (found,) = found_in(topic)

        assert isinstance(found, Refused)
        assert "orders/updated" in found.detail

    @pytest.mark.parametrize("topic", ["checkouts/update", "app/uninstalled", ""])
    def test_others_are_ignored(self, topic: str) -> None:
        (found,) = found_in(topic)

        assert isinstance(found, Ignored)

    def test_nothing_of_a_person_goes_along(self) -> None:
        order: dict[str, Any] = {"fulfillments": [fulfillment()], "refunds": [refund("1.00")]}
        everything = b"".join(e.encode() for topic in TOPICS for e in told(topic, **order))

        assert b"880042" in everything
        assert b"anary" not in everything
