"""AfterShip's trackings: dates, scans and deliveries, each once however often it is told."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.contracts.deliveries import (
    CheckpointStatus,
    PromiseSource,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentPromised,
)
from services.contracts.envelope import Event
from services.ingest.adapters.aftership import SOURCE, Options, findings
from services.ingest.adapters.aftership_codes import STATUSES, SUBSTATUSES, Code, code_of
from services.ingest.adapters.findings import Ignored, Reason, Refused, events_in
from tests.unit.ingest.adapters.examples import aftership, checkpoint

BERLIN = Options(zone=ZoneInfo("Europe/Berlin"))


def told(options: Options = BERLIN, **msg: Any) -> list[Event[Any]]:
    """The events of a tracking of which nothing is refused."""
    found = findings(aftership(**msg), {}, options)
    assert [finding for finding in found if not isinstance(finding, Event)] == []
    return list(events_in(found))


def only(kind: type, events: list[Event[Any]]) -> list[Any]:
    """The facts of this kind."""
    return [event.data for event in events if isinstance(event.data, kind)]


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


class TestTaxonomy:
    def test_every_status_is_ours_and_every_one_of_ours_is_named(self) -> None:
        assert set(STATUSES.values()) == set(CheckpointStatus) - {CheckpointStatus.UNKNOWN}
        assert set(SUBSTATUSES) == set(STATUSES.values())

    @pytest.mark.parametrize(
        ("tag", "digits"),
        [
            ("Pending", "001 002 003 004 005 006"),
            ("InfoReceived", "001"),
            ("InTransit", "001 002 003 004 005 006 007 008 009"),
            ("OutForDelivery", "001 003 004"),
            ("AttemptFail", "001 002 003"),
            ("AvailableForPickup", "001"),
            ("Delivered", "001 002 003 004 005"),
            (
                "Exception",
                "001 002 003 004 005 006 007 008 009 010 011 012 013 016 017 018 019 020 021",
            ),
            ("Expired", "001"),
        ],
    )
    def test_the_whole_table(self, tag: str, digits: str) -> None:
        status = CheckpointStatus(
            "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in tag)[1:]
        )

        for number in digits.split():
            assert code_of(tag, f"{tag}_{number}") == Code(status, number)
        assert SUBSTATUSES[status] == set(digits.split())

    @pytest.mark.parametrize(
        ("tag", "subtag", "code"),
        [
            ("Teleported", "Teleported_001", Code(CheckpointStatus.UNKNOWN, raw="Teleported_001")),
            ("Teleported", None, Code(CheckpointStatus.UNKNOWN, raw="Teleported")),
            (None, None, Code(CheckpointStatus.UNKNOWN)),
            ("Exception", "Exception_099", Code(CheckpointStatus.EXCEPTION, raw="Exception_099")),
            ("InTransit", "Exception_002", Code(CheckpointStatus.IN_TRANSIT, raw="Exception_002")),
            ("InTransit", None, Code(CheckpointStatus.IN_TRANSIT)),
            (None, "Exception_002", Code(CheckpointStatus.EXCEPTION, "002")),
            ("x" * 90, None, Code(CheckpointStatus.UNKNOWN, raw="x" * 64)),
        ],
    )
    def test_what_is_not_in_the_table_keeps_its_raw_code(
        self, tag: str | None, subtag: str | None, code: Code
    ) -> None:
        assert code_of(tag, subtag) == code


class TestParcel:
    def test_who_it_is_about_and_what_it_is_called(self) -> None:
        events = told()

        assert {event.partitionkey for event in events} == {"c-1042"}
        assert {event.source for event in events} == {SOURCE}
        assert {event.data.shipment_id for event in events} == {"JD009911"}
        assert {event.data.order_id for event in events} == {"o-77"}

    def test_an_order_may_be_named_by_its_number(self) -> None:
        assert told(order_id=None, order_number="#2001")[0].data.order_id == "#2001"

    def test_another_custom_field_may_name_the_customer(self) -> None:
        options = replace(BERLIN, customer_field="who")

        assert told(options, custom_fields={"who": "c-5"})[0].partitionkey == "c-5"

    @pytest.mark.parametrize(
        ("msg", "reason"),
        [
            ({"custom_fields": None}, Reason.NO_CUSTOMER),
            ({"custom_fields": {"customer_id": "  "}}, Reason.NO_CUSTOMER),
            ({"custom_fields": {"customer_id": "a@example.com"}}, Reason.MAIL_AS_CUSTOMER),
            ({"custom_fields": {"customer_id": "a b"}}, Reason.BAD_CUSTOMER_ID),
            ({"order_id": None}, Reason.NO_ORDER),
            ({"tracking_number": " "}, Reason.NO_SHIPMENT),
        ],
    )
    def test_what_names_nobody_or_nothing_is_refused_once(
        self, msg: dict[str, Any], reason: Reason
    ) -> None:
        (found,) = findings(aftership(**msg), {}, BERLIN)

        assert isinstance(found, Refused)
        assert found.reason is reason
        assert "example.com" not in found.detail

    def test_another_event_is_ignored(self) -> None:
        (found,) = findings({"event": "courier_added", "msg": {}}, {}, BERLIN)

        assert isinstance(found, Ignored)

    def test_a_tracking_that_says_nothing_is_ignored(self) -> None:
        nothing = {"latest_estimated_delivery": None, "order_promised_delivery_date": None}
        (found,) = findings(aftership(checkpoints=[], **nothing), {}, BERLIN)

        assert isinstance(found, Ignored)


class TestPromises:
    def test_the_shops_date_and_the_one_that_is_shown_each_with_its_source(self) -> None:
        events = [event for event in told() if isinstance(event.data, ShipmentPromised)]

        assert [(e.data.promised_by, e.data.promise_source, e.time) for e in events] == [
            # The whole of the fifth of March in Berlin, told when it was ordered.
            (at(5, 23), PromiseSource.COMPANY, at(1, 7)),
            (at(6, 17), PromiseSource.CARRIER, at(3, 10)),
        ]

    @pytest.mark.parametrize(
        ("source", "whose"),
        [
            ("Order EDD", PromiseSource.COMPANY),
            ("Custom EDD", PromiseSource.COMPANY),
            ("Carrier EDD", PromiseSource.CARRIER),
            ("AfterShip EDD", PromiseSource.MODEL),
            (None, PromiseSource.MODEL),
        ],
    )
    def test_who_worked_it_out(self, source: str | None, whose: PromiseSource) -> None:
        latest = {"source": source, "datetime": "2026-03-07"}
        promises = only(ShipmentPromised, told(latest_estimated_delivery=latest))

        assert promises[1].promise_source is whose

    def test_the_same_date_from_two_is_one_promise(self) -> None:
        latest = {"source": "Order EDD", "datetime": "2026-03-05"}

        assert len(only(ShipmentPromised, told(latest_estimated_delivery=latest))) == 1

    def test_an_older_version_knows_the_carriers_date_alone(self) -> None:
        expected = "2026-03-08T12:00:00"
        promises = only(
            ShipmentPromised, told(latest_estimated_delivery=None, expected_delivery=expected)
        )

        assert (promises[1].promised_by, promises[1].promise_source) == (
            at(8, 11),
            PromiseSource.CARRIER,
        )

    def test_a_date_that_customers_are_not_told_is_none(self) -> None:
        options = replace(BERLIN, promises=frozenset({PromiseSource.COMPANY}))

        assert len(only(ShipmentPromised, told(options))) == 1

    def test_a_range_from_the_shop_ends_with_its_last_date(self) -> None:
        dates = {"datetime_min": "2026-03-04", "datetime_max": "2026-03-06"}
        promises = only(ShipmentPromised, told(order_promised_delivery_date=dates))

        assert promises[0].promised_by == at(6, 23)

    def test_what_has_arrived_is_not_promised(self) -> None:
        assert only(ShipmentPromised, told(tag="Delivered")) == []


class TestCheckpoints:
    def test_each_scan_with_its_own_time_and_code(self) -> None:
        events = [event for event in told() if isinstance(event.data, ShipmentCheckpoint)]

        assert [(e.time, e.data.status, e.data.substatus, e.data.carrier) for e in events] == [
            (at(2, 6, 30), CheckpointStatus.IN_TRANSIT, "002", "dhl"),
            # Without a zone: the deployment's.
            (at(3, 3, 10), CheckpointStatus.IN_TRANSIT, "003", "dhl"),
        ]

    @pytest.mark.parametrize(
        ("time", "seen"),
        [
            ("2026-03-02", at(1, 23)),
            ("", at(3, 9)),
            ("2026-03-02T07:30:00Z", at(2, 7, 30)),
            ("2026-03-02T07:30:00+08:00", at(1, 23, 30)),
        ],
    )
    def test_every_documented_form_of_a_time(self, time: str, seen: datetime) -> None:
        (event,) = [
            event
            for event in told(checkpoints=[checkpoint(time, "InTransit", "InTransit_001")])
            if isinstance(event.data, ShipmentCheckpoint)
        ]

        assert event.time == seen

    def test_a_new_status_stays_unknown_with_its_code(self) -> None:
        scan = checkpoint("2026-03-02T07:30:00Z", "Teleported", "Teleported_001")
        (fact,) = only(ShipmentCheckpoint, told(checkpoints=[scan]))

        assert (fact.status, fact.raw_code) == (CheckpointStatus.UNKNOWN, "Teleported_001")

    def test_a_scan_without_carrier_or_time_is_refused_alone(self) -> None:
        unnamed = checkpoint("2026-03-02T07:30:00Z", "InTransit", "InTransit_001", slug=None)
        timeless = checkpoint("", "InTransit", "InTransit_001", created_at=None)
        good = checkpoint("2026-03-02T07:30:00Z", "InTransit", "InTransit_001")
        found = findings(aftership(slug=None, checkpoints=[unnamed, timeless, good]), {}, BERLIN)

        reasons = [finding.reason for finding in found if isinstance(finding, Refused)]
        assert reasons == [Reason.NO_CARRIER, Reason.NO_TIME]
        assert len(only(ShipmentCheckpoint, list(events_in(found)))) == 1


class TestDelivery:
    SCANS = (
        checkpoint("2026-03-04T09:00:00Z", "Delivered", "Delivered_005"),
        checkpoint("2026-03-04T09:30:00Z", "Delivered", "Delivered_003"),
    )

    def test_it_is_the_first_scan_that_says_so(self) -> None:
        events = told(tag="Delivered", checkpoints=list(self.SCANS))
        (event,) = [event for event in events if isinstance(event.data, ShipmentDelivered)]

        assert event.time == at(4, 9)
        assert len(only(ShipmentCheckpoint, events)) == 2

    def test_a_tracking_marked_as_delivered_needs_no_scan(self) -> None:
        when = "2026-03-04T10:00:00+01:00"
        (event,) = told(tag="Delivered", checkpoints=[], shipment_delivery_date=when)

        assert (event.time, type(event.data)) == (at(4, 9), ShipmentDelivered)

    def test_what_came_back_to_the_shop_was_not_delivered(self) -> None:
        back = checkpoint("2026-03-04T09:00:00Z", "Exception", "Exception_011")

        assert only(ShipmentDelivered, told(tag="Exception", checkpoints=[back])) == []


class TestRepeats:
    def test_the_whole_list_told_again_gives_the_same_ids(self) -> None:
        first = told()
        later = told(
            updated_at="2026-03-03T20:00:00+00:00",
            checkpoints=[
                *aftership()["msg"]["checkpoints"],
                checkpoint("2026-03-03T19:00:00+01:00", "OutForDelivery", "OutForDelivery_001"),
            ],
        )

        assert {e.id for e in first} < {e.id for e in later}
        assert len({e.id for e in later} - {e.id for e in first}) == 1

    def test_ids_differ_between_parcels_dates_and_scans(self) -> None:
        both = [*told(), *told(id="trk-other", tracking_number="other")]

        assert len({event.id for event in both}) == len(both)

    def test_what_scans_say_in_words_goes_nowhere(self) -> None:
        everything = b"".join(event.encode() for event in told())

        assert b"anary" not in everything
