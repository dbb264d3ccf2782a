"""Relays: a publisher that only passes on what one carrier says is missed under the carrier's name alone."""

from datetime import datetime
from itertools import permutations
from typing import Any

import pytest

from services.churn_predictor.feeds import forget, hear, marks, voice_of
from services.churn_predictor.heard_feeds import HeardFeeds
from services.churn_predictor.state import PARTITION, FeedState, PartitionState
from services.contracts import topics as t
from services.contracts.deliveries import PromiseSource, ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.stream import FEED_RECORD, FeedMark, FeedResumed, FeedSilent, Tick
from services.contracts.topics import HORIZON
from tests.factories import DAY, HOUR, START, delivered, event, handed_over, placed, scanned
from tests.unit.churn_predictor.heard import heard_feeds
from tests.unit.churn_predictor.stream import Stream

SYSTEM = "/carriers/dhl"
RELAY = f"publisher:{SYSTEM}"
CARRIER = "carrier:dhl"


def dated(by: PromiseSource, **envelope: Any) -> Event[Any]:
    """Return a promised delivery with its source."""
    fact = ShipmentPromised(
        shipment_id="sh-1", order_id="o-1", promised_by=START + DAY, promise_source=by
    )
    return event(fact, **envelope)


@pytest.mark.parametrize(
    ("told", "voice"),
    [
        (scanned(carrier="dhl"), "dhl"),
        (delivered(carrier="ups"), "ups"),
        (delivered(carrier=None), ""),
        (handed_over(carrier="dhl"), None),
        (dated(PromiseSource.CARRIER), None),
        (dated(PromiseSource.COMPANY), ""),
        (dated(PromiseSource.MODEL), ""),
        (placed(), ""),
    ],
)
def test_for_whom_a_publisher_speaks(told: Event[Any], voice: str | None) -> None:
    assert voice_of(told) == voice


def test_the_least_two_voices_are_kept_in_whatever_order_they_came() -> None:
    told = [scanned(carrier=carrier) for carrier in ("ups", "dhl", "gls", "ups")] + [placed()]
    for events in permutations(told):
        feeds: dict[str, FeedState] = {}
        for one in events:
            hear(feeds, one)

        assert feeds["publisher:/shop/orders"].voices == ("", "dhl")
        assert feeds["carrier:ups"].voices == ()


def tick(number: int, at: datetime) -> Tick:
    return Tick(number=number, at=at, ends={})


def marked(feeds: dict[str, FeedState], number: int, at: datetime) -> dict[str, FeedMark]:
    """Return feed → its mark at this tick."""
    forget(feeds, 0, at)
    found = marks(feeds, 0, tick(number, at))
    return {mark.feed: mark for mark in found if isinstance(mark, FeedMark)}


def test_a_new_voice_is_marked_although_nothing_later_was_heard() -> None:
    feeds: dict[str, FeedState] = {}
    hear(feeds, scanned(source=SYSTEM, at=START + HOUR))
    first = marked(feeds, 1, START + HOUR)[RELAY]
    hear(feeds, placed(source=SYSTEM, at=START))
    second = marked(feeds, 2, START + 2 * HOUR)[RELAY]

    assert (first.voices, second.voices) == (("dhl",), ("", "dhl"))
    assert first.heard_at == second.heard_at


def test_voices_are_forgotten_with_their_feed() -> None:
    feeds: dict[str, FeedState] = {}
    hear(feeds, placed(source=SYSTEM, at=START))
    marked(feeds, 1, START)
    long_after = START + HORIZON + DAY
    assert marked(feeds, 2, long_after) == {}
    hear(feeds, scanned(source=SYSTEM, at=long_after))

    assert marked(feeds, 3, long_after)[RELAY].voices == ("dhl",)


def said(*told: tuple[str, int, int, datetime, tuple[str, ...]]) -> HeardFeeds:
    """Return what is known by these marks: feed, partition, tick, when it was heard, voices."""
    return heard_feeds(
        *(
            FeedMark(feed=feed, partition=place, tick=number, heard_at=at, events=1, voices=voices)
            for feed, place, number, at, voices in told
        )
    )


def relays(feeds: HeardFeeds, number: int) -> frozenset[str]:
    return feeds.relays(number, feeds.as_of(number))


@pytest.mark.parametrize(
    ("first", "second", "is_relay"),
    [
        (("dhl",), ("dhl",), True),
        (("dhl",), (), True),
        ((), (), False),
        (("",), ("",), False),
        (("dhl",), ("ups",), False),
        (("dhl",), ("",), False),
        (("", "dhl"), ("dhl",), False),
    ],
)
def test_a_relay_speaks_for_one_carrier_in_all_partitions_together(
    first: tuple[str, ...], second: tuple[str, ...], is_relay: bool
) -> None:
    feeds = said((RELAY, 0, 1, START, first), (RELAY, 1, 1, START, second))

    assert relays(feeds, 1) == ({RELAY} if is_relay else frozenset())


def test_whether_it_is_one_is_told_as_of_a_tick() -> None:
    feeds = said(
        (RELAY, 0, 1, START, ("dhl",)), (RELAY, 1, 2, START, ("",)), (RELAY, 1, 3, START, ("dhl",))
    )

    assert [relays(feeds, number) for number in range(4)] == [set(), {RELAY}, set(), {RELAY}]


def test_it_is_none_while_its_carrier_is_heard_through_somebody_else() -> None:
    feeds = said(
        (RELAY, 0, 1, START, ("dhl",)),
        (CARRIER, 0, 1, START, ()),
        (CARRIER, 1, 2, START + HOUR, ()),
        (RELAY, 0, 3, START + HOUR, ("dhl",)),
    )

    assert [relays(feeds, number) for number in (1, 2, 3)] == [{RELAY}, set(), {RELAY}]


def test_marks_and_states_from_before_voices_were_noted_are_read() -> None:
    mark = FeedMark(feed=RELAY, partition=0, tick=1, heard_at=START, events=1)
    fresh = Stream(heard={RELAY: START})
    fresh.give(placed(source=SYSTEM))
    for number in range(3):
        fresh.tick(START + number * HOUR)
    state = PARTITION.dump_python(fresh.partition.state, mode="json")
    for feed in state["feeds"].values():
        del feed["voices"]
    for rhythm in state["rhythms"].values():
        del rhythm["is_relay"]

    assert FEED_RECORD.validate_json(mark.model_dump_json(exclude={"voices"})) == mark
    read: PartitionState = PARTITION.validate_python(state)
    assert read.feeds[RELAY] == FeedState(START, events=1, changed=False)
    assert not read.rhythms[RELAY].is_relay


def steady(*relays: str) -> Stream:
    """Return a stream in which a carrier and its system were heard every hour for twenty days."""
    stream = Stream(heard={}, relays=frozenset(relays))
    for hour in range(20 * 24):
        stream.heard |= dict.fromkeys((CARRIER, RELAY), START + hour * HOUR)
        stream.tick(START + hour * HOUR)
    return stream


def noticed(stream: Stream, days: float) -> list[tuple[str, str]]:
    """Return what is said of which feed at a tick so many days after the start."""
    records = [
        FEED_RECORD.validate_json(o.value)
        for o in stream.tick(START + days * DAY)
        if o.topic is t.FEEDS
    ]
    return [(r.feed, r.kind) for r in records if isinstance(r, FeedSilent | FeedResumed)]


def test_an_outage_of_a_carriers_system_is_one_notice_and_no_other_is_due() -> None:
    stream, plain = steady(RELAY), steady()

    assert [noticed(stream, 21), noticed(stream, 22)] == [[], [(CARRIER, "silent")]]
    assert stream.partition.silent_feeds == {CARRIER}
    listener, rhythms = stream.partition._listener, stream.partition.state.rhythms
    assert listener.next_at(rhythms) is None
    assert [noticed(plain, 21), noticed(plain, 22)] == [
        [],
        [(CARRIER, "silent"), (RELAY, "silent")],
    ]

    stream.heard |= dict.fromkeys((CARRIER, RELAY), START + 22 * DAY)
    assert noticed(stream, 23) == [(CARRIER, "resumed")]


def test_one_that_turns_out_to_speak_for_itself_while_it_is_silent_is_reported_then() -> None:
    stream = steady(RELAY)
    noticed(stream, 21)
    noticed(stream, 22)
    stream.relays = frozenset()

    assert [noticed(stream, 23), noticed(stream, 24)] == [[(RELAY, "silent")], []]
    stream.heard |= dict.fromkeys((CARRIER, RELAY), START + 24 * DAY)
    assert noticed(stream, 25) == [(CARRIER, "resumed"), (RELAY, "resumed")]


def test_one_that_becomes_a_relay_while_its_silence_is_reported_is_still_said_to_be_back() -> None:
    stream = steady()
    noticed(stream, 21)
    noticed(stream, 22)
    stream.relays = frozenset({RELAY})

    assert noticed(stream, 23) == []
    stream.heard |= dict.fromkeys((CARRIER, RELAY), START + 23 * DAY)
    assert noticed(stream, 24) == [(CARRIER, "resumed"), (RELAY, "resumed")]
