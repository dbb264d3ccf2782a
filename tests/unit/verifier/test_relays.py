"""Whose silence a carrier's own name tells: predictor and verifier agree, and one outage is one notice."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.contracts import topics as t
from services.contracts.deliveries import PromiseSource, ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.stream import FEED_RECORD, FeedResumed, FeedSilent
from services.verifier.collect import collect
from services.verifier.evidence import Record
from services.verifier.heard import Heard, Mark
from services.verifier.judge import verify
from services.verifier.says import voice
from tests.factories import DAY, HOUR, START, delivered, event, handed_over, placed, scanned
from tests.unit.verifier.company import PARTITIONS, Company, again, instead, of, partition_of

SYSTEM = "/carriers/ups"
CARRIER, RELAY = "carrier:ups", f"publisher:{SYSTEM}"
ONE, OTHER = "c-1", "c-2"
"""Two customers of different partitions."""
MINUTE = timedelta(minutes=1)
STEADY_STEPS = 16 * 8
"""Three hours each: longer than nothing is said of a feed."""

Tells = Callable[[datetime], Sequence[Event[Any]]]


def wrong(records: list[Record]) -> list[str]:
    """Return what is found wrong with feeds."""
    return [line for line in verify(collect(records, PARTITIONS)).wrong if "feed" in line]


def notices(company: Company) -> list[FeedSilent | FeedResumed]:
    """Return what was said of silent feeds."""
    found = [
        FEED_RECORD.validate_json(record.value or b"") for record in of(company.records, t.FEEDS)
    ]
    return [one for one in found if isinstance(one, FeedSilent | FeedResumed)]


def silent(company: Company) -> list[str]:
    """Return which feeds were reported as silent."""
    return sorted(notice.feed for notice in notices(company) if isinstance(notice, FeedSilent))


def ups(customer: str = ONE, source: str = SYSTEM, **envelope: Any) -> Event[Any]:
    """Return a scan of one carrier."""
    return scanned("sh-ups", "o-ups", carrier="ups", customer=customer, source=source, **envelope)


def dated(**envelope: Any) -> Event[Any]:
    """Return a new date of the carrier's own."""
    fact = ShipmentPromised(
        shipment_id="sh-ups",
        order_id="o-ups",
        promised_by=START + 30 * DAY,
        promise_source=PromiseSource.CARRIER,
    )
    return event(fact, **envelope)


def steady(*tells: Tells) -> tuple[Company, datetime]:
    """Return a company in which all of these were told every three hours for longer than two weeks."""
    company, at = Company(), START
    company.tick(at)
    for _ in range(STEADY_STEPS):
        at += 3 * HOUR
        company.tell(*(one for tell in tells for one in tell(at - 5 * MINUTE)))
        company.tick(at)
    return company, at


def passing(company: Company, at: datetime, hours: int, *tells: Tells) -> datetime:
    """Let hours pass in which only these are told, one tick each; return the time then."""
    for hour in range(hours):
        at += HOUR
        if hour % 3 == 2:
            company.tell(*(one for tell in tells for one in tell(at - 5 * MINUTE)))
        company.tick(at)
    return at


STORIES: dict[str, tuple[Tells, list[str]]] = {
    "a carrier's own system": (
        lambda at: [ups(at=at), ups(OTHER, at=at)],
        [CARRIER],
    ),
    "one that also tells hand-overs and its own dates": (
        lambda at: [
            ups(at=at),
            handed_over(carrier="ups", source=SYSTEM, at=at + MINUTE),
            dated(source=SYSTEM, customer=OTHER, at=at + MINUTE),
        ],
        [CARRIER],
    ),
    "a warehouse that tells hand-overs only": (
        lambda at: [handed_over(carrier="ups", source="/warehouse", at=at)],
        ["publisher:/warehouse"],
    ),
    "a system that tells of deliveries and not whose": (
        lambda at: [delivered(carrier=None, source=SYSTEM, at=at)],
        [RELAY],
    ),
    "one that passes on two carriers, each to another partition": (
        lambda at: [
            ups(source="/parcels", at=at),
            scanned(carrier="dhl", source="/parcels", customer=OTHER, at=at),
        ],
        ["carrier:dhl", CARRIER, "publisher:/parcels"],
    ),
    "a shop that takes orders and passes on the scans of one carrier": (
        lambda at: [placed(source="/shop", customer=OTHER, at=at), ups(source="/shop", at=at)],
        [CARRIER, "publisher:/shop"],
    ),
    "a shop that takes orders": (
        lambda at: [placed(source="/shop", at=at)],
        ["publisher:/shop"],
    ),
}


@pytest.mark.parametrize(("tells", "reported"), STORIES.values(), ids=STORIES)
def test_an_outage_of_a_carriers_system_is_one_notice_and_all_others_are_as_before(
    tells: Tells, reported: list[str]
) -> None:
    assert partition_of(ONE) != partition_of(OTHER)
    company, at = steady(tells)

    passing(company, at, 60)

    assert silent(company) == reported
    assert wrong(company.records) == []


def test_the_outage_of_one_of_two_who_pass_on_the_same_carrier_is_reported() -> None:
    """The carrier is heard all the time: nobody else's notice tells of it."""
    company, at = steady(
        lambda at: [ups(at=at)], lambda at: [ups(OTHER, "/parcels", at=at - MINUTE)]
    )

    at = passing(company, at, 60, lambda at: [ups(OTHER, "/parcels", at=at)])
    passing(company, at, 6, lambda at: [ups(at=at)])

    assert [(notice.feed, notice.kind) for notice in notices(company)] == [
        (RELAY, "silent"),
        (RELAY, "resumed"),
    ]
    assert wrong(company.records) == []


@pytest.mark.parametrize("customer", [ONE, OTHER])
def test_one_that_turns_out_to_speak_for_itself_while_it_is_silent_is_reported_then(
    customer: str,
) -> None:
    company, at = steady(lambda at: [ups(at=at)])
    passing(company, at, 60)
    assert silent(company) == [CARRIER]

    company.tell(placed(source=SYSTEM, customer=customer, at=at - DAY))
    company.tick(at + 61 * HOUR)
    assert silent(company) == [CARRIER], "what is heard now is known at the next tick"
    company.tick(at + 62 * HOUR)
    back = passing(company, at + 62 * HOUR, 4, lambda at: [ups(at=at)])

    *_, late, _, _ = told = notices(company)
    assert [(one.feed, one.kind) for one in told] == [
        (CARRIER, "silent"),
        (RELAY, "silent"),
        (CARRIER, "resumed"),
        (RELAY, "resumed"),
    ]
    assert (late.at, late.heard_at) == (at + 62 * HOUR, at - 5 * MINUTE)
    assert back > late.at
    assert wrong(company.records) == []


def test_another_voice_and_a_notice_too_many_are_found() -> None:
    company, at = steady(lambda at: [ups(at=at), ups(OTHER, at=at)])
    passing(company, at, 60)
    records = company.records
    notice = of(records, t.FEEDS, '"kind":"silent"')[0]
    mark = of(records, t.FEEDS, f'"feed":"{RELAY}"')[-1]

    twice = instead(again(records, notice), notice, feed=RELAY)
    assert sum("said, and not due" in line for line in wrong(twice)) == 1
    for voices in ([], [""], ["dhl"], ["dhl", "ups"]):
        (line,) = wrong(instead(records, mark, voices=voices))
        assert "recomputed" in line


MARKS = {
    "one carrier in both": ([("ups",)], [("ups",)], [True]),
    "nothing that shows in one": ([("ups",)], [()], [True]),
    "itself in one": ([("ups",)], [("",)], [False]),
    "itself later": ([("ups",), ("", "ups")], [("ups",)], [True, False]),
    "two carriers": ([("ups",)], [("dhl",)], [False]),
    "forgotten in between": ([("",), ("ups",)], [], [False, True]),
    "nothing that shows": ([()], [()], [False]),
}


@pytest.mark.parametrize(("first", "second", "is_relay"), MARKS.values(), ids=MARKS)
def test_a_relay_speaks_for_one_carrier_in_all_partitions_together(
    first: list[tuple[str, ...]], second: list[tuple[str, ...]], is_relay: list[bool]
) -> None:
    heard = Heard(
        {RELAY: [Mark(number, START, 1, voices) for number, voices in enumerate(found)]}
        for found in (first, second)
    )

    assert [heard.is_relay(RELAY, number) for number in range(len(is_relay))] == is_relay
    assert not heard.is_relay(RELAY, -1)
    assert not heard.is_relay("publisher:/never/heard", 0)


def test_for_whom_a_publisher_speaks() -> None:
    assert voice(ups().data) == voice(delivered(carrier="ups").data) == "ups"
    assert voice(handed_over().data) is None
    assert voice(dated().data) is None
    company = dated().data.model_copy(update={"promise_source": PromiseSource.COMPANY})
    assert [voice(fact) for fact in (company, placed().data, delivered(carrier=None).data)] == [
        ""
    ] * 3
