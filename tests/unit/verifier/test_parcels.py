"""The seven watches over a parcel, from events to what is said of them, worked out by hand."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.contracts.deliveries import CheckpointStatus, ShipmentCheckpoint, ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.problems import Band, ProblemKind
from services.contracts.tolerances import Tolerances
from tests.factories import (
    DAY,
    HOUR,
    SHOP,
    START,
    cancelled,
    delivered,
    event,
    handed_over,
    promised,
)
from tests.unit.verifier.telling import Arriving, Telling, daily, tell

MONDAY = START + 4 * DAY
"""2026-01-05; START is a Thursday."""

CARRIER, SCANS, PUBLISHER = "carrier:dhl", "scans:dhl", f"publisher:{SHOP}"
TICKS = daily(90)


def day(number: float) -> datetime:
    return START + number * DAY


def scan(status: str, at: float, name: str, order: str = "o-1") -> Event[Any]:
    """A checkpoint: `exception/002` has a sub-status."""
    plain, _, substatus = status.partition("/")
    fact = ShipmentCheckpoint(
        shipment_id="sh-1",
        order_id=order,
        carrier="dhl",
        status=CheckpointStatus(plain),
        substatus=substatus or None,
    )
    return event(fact, at=day(at), event_id=name)


def promise(zone: str | None = None, by: float = 60, **fields: Any) -> Event[Any]:
    fact = ShipmentPromised(
        shipment_id=fields.pop("shipment", "sh-1"),
        order_id="o-1",
        promised_by=day(by),
        time_zone=zone,
    )
    return event(fact, **{"at": START, "event_id": "promise", **fields})


def every_day(*feeds: str) -> Mapping[str, list[datetime]]:
    return dict.fromkeys(feeds or (CARRIER, SCANS, PUBLISHER), TICKS)


def told(arriving: Arriving, **more: Any) -> Telling:
    return tell(arriving, TICKS, **{"heard": every_day(), **more})


def ids(record: dict[str, Any]) -> list[str]:
    return [ref["id"] for ref in record["evidence"]]


# delivery_delay


def test_a_parcel_that_never_comes_is_overdue_then_late_and_given_up_after_two_months() -> None:
    found = told({1: [promised(by=day(5), at=day(0.5), event_id="s")]})
    kind = ProblemKind.DELIVERY_DELAY

    # The feed of a day is known one tick later: what was heard at the deadline counts from the next.
    assert found.lines(kind, "sh-1") == [
        (6, "opened", "overdue"),
        (7, "changed", "late"),
        (66, "expired", "late"),
    ]
    opened = found.said(kind, "sh-1")[0]
    assert (opened["actor"], opened["order_id"], ids(opened)) == ("us", "o-1", ["s"])
    assert opened["promised_by"] == opened["deadline"]
    assert opened["feed"]["feed"] == PUBLISHER
    points = [(s.step, s.point.value) for s in found.courses[kind, "sh-1"].scored]
    assert points == [(3, "before_promise"), (6, "promise"), (7, "after_promise")]


def test_a_risk_opens_it_three_days_ahead() -> None:
    found = told({1: [promised(by=day(5), at=day(0.5))]}, band=Band.HIGH)

    assert found.lines(ProblemKind.DELIVERY_DELAY, "sh-1")[0] == (3, "opened", "at_risk")


@pytest.mark.parametrize(
    "has_it",
    [handed_over(at=day(1), event_id="h"), scan("in_transit", 1, "h"), scan("exception", 1, "h")],
    ids=["handed over", "seen under way", "seen in trouble"],
)
def test_once_the_carrier_has_it_the_carrier_must_be_heard(has_it: Event[Any]) -> None:
    found = told(
        {1: [promised(by=day(5), at=day(0.5), event_id="s"), has_it]}, heard=every_day(PUBLISHER)
    )
    opened = found.said(ProblemKind.DELIVERY_DELAY, "sh-1")[0]

    is_scan = isinstance(has_it.data, ShipmentCheckpoint)
    assert opened["actor"] == "nobody"
    assert (opened["feed"]["feed"], opened["feed"]["silent"]) == (CARRIER, True)
    assert ids(opened) == (["s"] if is_scan else ["s", "h"])


def test_an_announcement_is_no_parcel_in_hand() -> None:
    found = told({1: [promised(by=day(5), at=day(0.5)), scan("info_received", 1, "i")]})

    assert found.said(ProblemKind.DELIVERY_DELAY, "sh-1")[0]["actor"] == "us"


@pytest.mark.parametrize(
    ("ended", "how"),
    [
        (delivered(at=day(6.5), event_id="x"), "solved"),
        (delivered(at=day(6), event_id="x"), "retracted"),
        (scan("delivered", 6.5, "x"), "solved"),
        (cancelled(at=day(6.5), event_id="x"), "solved"),
    ],
)
def test_delivery_scan_and_cancellation_end_it(ended: Event[Any], how: str) -> None:
    found = told({1: [promised(by=day(5), at=day(0.5), event_id="s")], 9: [ended]})

    assert found.lines(ProblemKind.DELIVERY_DELAY, "sh-1")[-1] == (9, how, "late")
    assert ids(found.said(ProblemKind.DELIVERY_DELAY, "sh-1")[-1]) == ["s", "x"]


def test_a_late_first_promise_of_a_later_day_retracts_it() -> None:
    found = told(
        {
            1: [promised(by=day(3), at=day(1), event_id="second")],
            6: [promised(by=day(20), at=day(0.5), event_id="first")],
        }
    )
    kind = ProblemKind.DELIVERY_DELAY

    assert found.lines(kind, "sh-1")[:4] == [
        (4, "opened", "overdue"),
        (5, "changed", "late"),
        (6, "retracted", "late"),
        (21, "opened", "overdue"),
    ]
    assert ids(found.said(kind, "sh-1")[2]) == ["first"]


def test_how_early_and_how_late_are_tolerances() -> None:
    tolerances = Tolerances(at_risk_before_promise=DAY, late_after_promise=4 * DAY)
    found = told({1: [promised(by=day(5), at=day(0.5))]}, band=Band.HIGH, tolerances=tolerances)

    assert found.lines(ProblemKind.DELIVERY_DELAY, "sh-1")[:3] == [
        (5, "opened", "at_risk"),
        (6, "changed", "overdue"),
        (10, "changed", "late"),
    ]


# handover_overdue


@pytest.mark.parametrize(
    "shown", [handed_over(at=day(3), event_id="h"), scan("in_transit", 3, "h")]
)
def test_a_hand_over_is_due_by_its_limit_and_any_scan_shows_it(shown: Event[Any]) -> None:
    limited = promised(by=day(30), ship_by=day(2), at=day(0.5), event_id="s")
    found = told({1: [limited], 4: [shown]})
    kind = ProblemKind.HANDOVER_OVERDUE

    assert found.lines(kind, "sh-1") == [(3, "opened", "overdue"), (4, "solved", "overdue")]
    assert ids(found.said(kind, "sh-1")[-1]) == ["s", "h"]
    assert [record["actor"] for record in found.said(kind, "sh-1")] == ["us", "nobody"]
    assert [s.point.value for s in found.courses[kind, "sh-1"].scored] == ["handover_limit"]


def test_without_a_limit_nothing_is_due_and_what_was_open_never_was() -> None:
    limited = promised(by=day(30), ship_by=day(2), at=day(1), event_id="second")
    earlier = promised(by=day(30), at=day(0.5), event_id="first")
    kind = ProblemKind.HANDOVER_OVERDUE

    assert told({1: [earlier]}).lines(kind, "sh-1") == []
    found = told({1: [limited], 5: [earlier]})
    assert found.lines(kind, "sh-1") == [(3, "opened", "overdue"), (5, "retracted", "overdue")]
    retracted = found.said(kind, "sh-1")[-1]
    assert (ids(retracted), retracted["actor"]) == (["second"], "nobody")


# first_scan_missing


def test_a_parcel_that_was_taken_and_never_seen_counts_business_days() -> None:
    # Taken on Friday at noon: two weekdays further on is Tuesday noon.
    found = told({1: [promise()], 2: [handed_over(at=day(1.5), event_id="h")]})
    kind = ProblemKind.FIRST_SCAN_MISSING

    assert found.lines(kind, "sh-1")[0] == (7, "opened", "overdue")
    opened = found.said(kind, "sh-1")[0]
    assert (opened["deadline"], opened["actor"]) == ("2026-01-06T12:00:00Z", "nobody")
    assert (ids(opened), opened["feed"]["feed"]) == (["h"], SCANS)


@pytest.mark.parametrize(("seen", "how"), [(6, "solved"), (3, "retracted")])
def test_the_first_scan_ends_it(seen: float, how: str) -> None:
    taken = handed_over(at=day(1.5), event_id="h")
    found = told({1: [promise()], 2: [taken], 9: [scan("in_transit", seen, "c")]})

    assert found.lines(ProblemKind.FIRST_SCAN_MISSING, "sh-1")[1] == (9, how, "overdue")


def test_a_carrier_that_never_tells_a_scan_is_never_blamed() -> None:
    quiet = told(
        {1: [promise()], 2: [handed_over(at=day(1.5))]}, heard=every_day(CARRIER, PUBLISHER)
    )
    unpromised = told({2: [handed_over(at=day(1.5))]})
    kind = ProblemKind.FIRST_SCAN_MISSING

    assert quiet.lines(kind, "sh-1") == []
    assert unpromised.lines(kind, "sh-1") == []


def test_a_scan_of_another_parcel_lets_the_feed_be_heard() -> None:
    other = event(
        ShipmentCheckpoint(
            shipment_id="sh-2", order_id="o-2", carrier="dhl", status=CheckpointStatus.IN_TRANSIT
        ),
        at=day(8),
    )
    announced = other.model_copy(
        update={"data": other.data.model_copy(update={"status": CheckpointStatus.PENDING})}
    )
    taken = {1: [promise()], 2: [handed_over(at=day(1.5))]}
    kind = ProblemKind.FIRST_SCAN_MISSING

    # Heard at tick 8, known at tick 9; an announcement is no scan.
    assert told({**taken, 8: [other]}, heard={}).lines(kind, "sh-1")[0][0] == 9
    assert told({**taken, 8: [announced]}, heard={}).lines(kind, "sh-1") == []


# Business days and zones


@pytest.mark.parametrize(
    ("zone", "deadline"),
    [
        # Taken on Friday 23:30 UTC, which is Saturday in Auckland: Monday is one weekday on, Tuesday two.
        (None, "2026-01-06T23:30:00Z"),
        ("America/New_York", "2026-01-06T23:30:00Z"),
        ("Pacific/Auckland", "2026-01-05T23:30:00Z"),
    ],
)
def test_days_are_the_recipients(zone: str | None, deadline: str) -> None:
    taken = handed_over(at=day(2) - HOUR / 2)
    found = told({1: [promise(zone)], 2: [taken]})

    assert found.said(ProblemKind.FIRST_SCAN_MISSING, "sh-1")[0]["deadline"] == deadline


def test_days_are_counted_over_a_change_of_the_clock() -> None:
    begin = datetime.fromisoformat("2026-03-26T12:00:00+01:00")  # a Thursday
    ticks = daily(30, begin.astimezone(START.tzinfo), DAY)
    dated = promise("Europe/Berlin", by=200)
    taken = handed_over(at=begin)
    found = tell({0: [dated, taken]}, ticks, heard={SCANS: ticks})

    # Monday noon is reached an hour earlier.
    opened = found.said(ProblemKind.FIRST_SCAN_MISSING, "sh-1")[0]
    assert opened["deadline"] == "2026-03-30T10:00:00Z"
    assert datetime.fromisoformat(opened["deadline"]) - begin == 4 * DAY - HOUR


def test_the_zone_is_the_parcels_then_the_customers_latest_then_the_deployments() -> None:
    taken = handed_over(at=day(2) - HOUR / 2)
    other = promise("Pacific/Auckland", shipment="sh-2", at=START + HOUR, event_id="other")
    later = promise("Pacific/Auckland", at=START + HOUR, event_id="later")
    last = promise(at=START + 2 * HOUR, event_id="last")
    tolerances = Tolerances(time_zone="Pacific/Auckland")

    def deadline(*more: Event[Any], zone: str | None = None, **named: Any) -> str:
        found = told({1: [promise(zone), *more], 2: [taken]}, **named)
        said = found.said(ProblemKind.FIRST_SCAN_MISSING, "sh-1")
        return str(said[0]["deadline"])

    utc, auckland = "2026-01-06T23:30:00Z", "2026-01-05T23:30:00Z"
    assert deadline() == utc
    assert deadline(tolerances=tolerances) == auckland
    assert deadline(other) == auckland
    assert deadline(later) == auckland
    # Neither the first nor the latest promise: one between them is the first that names a zone.
    assert deadline(later, last) == auckland
    assert deadline(other, zone="UTC") == utc
    assert deadline(later, zone="UTC") == utc
    assert deadline(tolerances=tolerances, zone="UTC") == utc


# scan_stalled


def test_a_parcel_that_does_not_go_on_is_stalled_until_it_does() -> None:
    # Seen on Monday: four weekdays on is Friday, day 8.
    found = told(
        {
            1: [promise()],
            5: [scan("in_transit", 4, "c-1")],
            12: [scan("in_transit", 11, "c-2")],
        }
    )
    kind = ProblemKind.SCAN_STALLED

    # It is open from the tick at which the feed of day 8 is known; c-2 renews it, from Monday, day 11.
    assert found.lines(kind, "sh-1")[:3] == [
        (9, "opened", "overdue"),
        (12, "solved", "overdue"),
        (16, "opened", "overdue"),
    ]
    assert ids(found.said(kind, "sh-1")[1]) == ["c-1", "c-2"]
    assert found.said(kind, "sh-1")[2]["episode"] == 2
    assert found.said(kind, "sh-1")[0]["feed"]["feed"] == SCANS


def test_a_scan_that_was_late_on_its_way_to_us_retracts_it() -> None:
    found = told(
        {1: [promise()], 5: [scan("in_transit", 4, "c-1")], 10: [scan("in_transit", 7.5, "c-2")]}
    )

    assert found.lines(ProblemKind.SCAN_STALLED, "sh-1")[:2] == [
        (9, "opened", "overdue"),
        (10, "retracted", "overdue"),
    ]


def test_out_for_delivery_is_for_a_day_and_other_states_have_watches_of_their_own() -> None:
    kind = ProblemKind.SCAN_STALLED
    out = told({1: [promise()], 5: [scan("out_for_delivery", 4, "c")]})
    pickup = told({1: [promise()], 5: [scan("available_for_pickup", 4, "c")]})

    assert out.lines(kind, "sh-1")[0] == (6, "opened", "overdue")
    assert pickup.lines(kind, "sh-1") == []


# delivery_exception


@pytest.mark.parametrize(
    ("status", "actor"),
    [("exception", "nobody"), ("exception/002", "customer"), ("exception/009", "us"),
     ("exception/018", "us"), ("exception/008", "customer"), ("exception/010", "nobody")],
)  # fmt: skip
def test_an_exception_is_a_problem_at_once(status: str, actor: str) -> None:
    found = told({1: [promise()], 5: [scan(status, 4.5, "c")]}, heard={})
    kind = ProblemKind.DELIVERY_EXCEPTION

    assert found.lines(kind, "sh-1") == [(5, "opened", "overdue"), (65, "expired", "overdue")]
    opened = found.said(kind, "sh-1")[0]
    assert (opened["actor"], opened["feed"], ids(opened)) == (actor, None, ["c"])


def test_it_is_over_when_the_parcel_goes_on_and_comes_again_from_then() -> None:
    found = told(
        {
            1: [promise()],
            5: [scan("exception", 4.5, "x-1")],
            7: [scan("in_transit", 6.5, "t-1")],
            9: [scan("exception", 8.5, "x-2")],
        }
    )
    kind = ProblemKind.DELIVERY_EXCEPTION

    # Of the exceptions only first and last are known: the run begins with the last of the others.
    assert found.lines(kind, "sh-1")[:3] == [
        (5, "opened", "overdue"),
        (7, "solved", "overdue"),
        (9, "opened", "overdue"),
    ]
    assert [ids(record) for record in found.said(kind, "sh-1")[:3]] == [
        ["x-1"],
        ["x-1", "t-1"],
        ["t-1"],
    ]
    assert found.said(kind, "sh-1")[2]["deadline"] == "2026-01-07T12:00:00Z"


def test_an_exception_of_another_kind_is_another_one() -> None:
    found = told(
        {
            1: [promise()],
            5: [scan("exception/009", 4.5, "x-1")],
            7: [scan("exception/002", 6, "x-2")],
        }
    )
    kind = ProblemKind.DELIVERY_EXCEPTION

    assert found.lines(kind, "sh-1")[:3] == [
        (5, "opened", "overdue"),
        (7, "solved", "overdue"),
        (7, "opened", "overdue"),
    ]
    assert [record["actor"] for record in found.said(kind, "sh-1")][::2] == ["us", "customer"]


def test_the_same_exception_again_is_the_same_one() -> None:
    found = told(
        {1: [promise()], 5: [scan("exception", 4.5, "x-1")], 7: [scan("exception", 6.5, "x-2")]}
    )

    assert found.lines(ProblemKind.DELIVERY_EXCEPTION, "sh-1")[:2] == [
        (5, "opened", "overdue"),
        (65, "expired", "overdue"),
    ]


# attempt_failed


def test_nobody_was_at_home_and_nobody_comes_again() -> None:
    # On Friday noon: the next attempt is due on Monday noon.
    found = told({1: [promise()], 9: [scan("attempt_fail/002", 8.5, "a")]})
    kind = ProblemKind.ATTEMPT_FAILED

    assert found.lines(kind, "sh-1")[:2] == [(9, "opened", "at_risk"), (13, "changed", "overdue")]
    opened, changed = found.said(kind, "sh-1")[:2]
    assert (opened["feed"], opened["actor"]) == (None, "customer")
    assert (changed["feed"]["feed"], changed["deadline"]) == (SCANS, "2026-01-12T12:00:00Z")


def test_another_attempt_counts_from_itself_in_the_same_run() -> None:
    again = scan("attempt_fail/002", 11.5, "a-2")
    found = told({1: [promise()], 9: [scan("attempt_fail/002", 8.5, "a-1")], 12: [again]})

    assert found.lines(ProblemKind.ATTEMPT_FAILED, "sh-1")[:2] == [
        (9, "opened", "at_risk"),
        (14, "changed", "overdue"),
    ]


def test_out_for_delivery_again_ends_it() -> None:
    gone = scan("out_for_delivery", 10.5, "o")
    found = told({1: [promise()], 9: [scan("attempt_fail", 8.5, "a")], 11: [gone]})

    assert found.lines(ProblemKind.ATTEMPT_FAILED, "sh-1") == [
        (9, "opened", "at_risk"),
        (11, "solved", "at_risk"),
    ]


# pickup_waiting


def test_a_parcel_nobody_fetches_is_overdue_after_three_days_and_late_after_five() -> None:
    # There since Thursday noon, day 7: overdue on Tuesday noon (12), late on Thursday noon (14).
    found = told(
        {
            1: [promise()],
            8: [scan("available_for_pickup", 7.5, "p-1")],
            9: [scan("available_for_pickup", 8.5, "p-2")],
        }
    )
    kind = ProblemKind.PICKUP_WAITING

    assert found.lines(kind, "sh-1")[:2] == [(14, "opened", "overdue"), (16, "changed", "late")]
    opened, changed = found.said(kind, "sh-1")[:2]
    assert (opened["deadline"], changed["deadline"]) == (
        "2026-01-13T12:00:00Z",
        "2026-01-15T12:00:00Z",
    )
    assert (ids(opened), opened["actor"], opened["feed"]["feed"]) == (["p-1"], "customer", SCANS)


def test_fetched_is_solved_and_the_evidence_is_the_run_and_the_delivery() -> None:
    found = told(
        {
            1: [promise()],
            8: [scan("available_for_pickup", 7.5, "p-1")],
            15: [delivered(at=day(14.5), event_id="d")],
        }
    )
    kind = ProblemKind.PICKUP_WAITING

    assert found.lines(kind, "sh-1")[1] == (15, "solved", "overdue")
    assert ids(found.said(kind, "sh-1")[1]) == ["p-1", "d"]


def test_a_promised_date_is_named_and_the_least_order() -> None:
    found = told({1: [promise()], 5: [scan("exception", 4.5, "c", order="o-0")]})
    opened = found.said(ProblemKind.DELIVERY_EXCEPTION, "sh-1")[0]

    assert (opened["order_id"], opened["promised_by"]) == ("o-0", "2026-03-02T00:00:00Z")


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_current_one_is_seen_latest_whatever_was_told_last(hours: int) -> None:
    trouble = scan("exception", 6, "x")
    told_later = event(
        scan("in_transit", 6, "t").data, at=day(6) + timedelta(hours=hours), event_id="t"
    )
    found = told({1: [promise()], 7: [trouble], 8: [told_later]})

    lines = found.lines(ProblemKind.DELIVERY_EXCEPTION, "sh-1")[:2]
    assert lines[0] == (7, "opened", "overdue")
    assert lines[1][:2] == ((8, "solved") if hours > 0 else (66, "expired"))
