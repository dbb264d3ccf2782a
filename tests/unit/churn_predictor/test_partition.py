"""A partition accounts for every record, lets no tick overtake an event, and survives a restart."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.churn_predictor import partition
from services.churn_predictor.decide import decide
from services.churn_predictor.state import CustomerState
from services.churn_predictor.trust import Moved
from services.contracts import topics as t
from services.contracts.stream import Account, Barrier, FeedMark, Tick
from services.contracts.topics import HORIZON
from services.kit.stores import MemoryStore
from tests.factories import (
    DAY,
    HOUR,
    START,
    delivered,
    handed_over,
    placed,
    promised,
    scanned,
)
from tests.unit.churn_predictor.stream import (
    TOPIC_IDS,
    Record,
    Stream,
    commit,
    new_partition,
    said,
)

PROMISE = START + 10 * DAY


def changes(stream: Stream) -> dict[bytes, bytes]:
    """Return what the partition writes to its changelog now; nobody is gone in these stories."""
    return {key: value for key, value in commit(stream.partition).items() if value is not None}


def customer(stream: Stream) -> CustomerState:
    """Return what is known of the one customer of these stories."""
    found = stream.partition.customers.get("c-1")
    assert found is not None
    return found


def account(stream: Stream, topic: str, at: datetime) -> Account:
    """Return what the partition says of this topic at the next tick."""
    outputs = [o for o in stream.tick(at) if o.topic is t.ACCOUNTS]
    found = [Account.model_validate_json(output.value) for output in outputs]
    return next(one for one in found if one.topic == topic)


def test_every_record_is_applied_duplicate_late_or_dead_lettered() -> None:
    stream = Stream()
    stream.tick(START)
    twice = placed()
    stream.give(twice, twice, now=START)
    stream.give(placed("o-old", at=START - timedelta(days=401)), now=START)
    refused = stream.give_raw(t.PURCHASES, b"{", b"c-1", START)

    found = account(stream, "purchases", START + HOUR)

    assert (found.applied, found.duplicate, found.late, found.dead_lettered) == (1, 1, 1, 1)
    assert found.total == found.next_offset - found.first_offset == 4
    assert [letter.reason for letter in refused] == ["not_json"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"not json", "not_json"),
        (b"[]", "not_an_event"),
        (placed().encode().replace(b"care.order.placed.v1", b"care.order.lost.v9"), "unknown_type"),
        (placed().encode().replace(b'"quantity":1', b'"quantity":"1"'), "invalid"),
        (placed().encode().replace(b'"p-0"', json.dumps("x" * 1024 * 1024).encode()), "invalid"),
        (placed(at=START + timedelta(hours=24, seconds=1)).encode(), "future"),
        (delivered().encode(), "wrong_topic"),
        (None, "empty"),
    ],
)
def test_what_nobody_can_read_is_refused_with_its_reason_and_the_next_event_is_handled(
    value: bytes | None, reason: str
) -> None:
    stream = Stream()
    stream.tick(START)

    refused = stream.give_raw(t.PURCHASES, value, b"c-1", START)
    stream.give(placed("o-2"), now=START)

    assert [letter.reason for letter in refused] == [reason]
    assert "o-2" in customer(stream).facts.orders


def test_a_record_under_another_customers_key_is_refused() -> None:
    stream = Stream()

    (letter,) = stream.give_raw(t.PURCHASES, placed().encode(), b"somebody-else")

    assert letter.reason == "wrong_key"


def test_a_tick_waits_until_everything_before_its_offsets_has_been_applied() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(placed(), promised(by=PROMISE))
    deliveries = stream.ends["deliveries"]

    early = stream.tick(PROMISE + DAY, ends={"deliveries": deliveries + 1})
    stream.give(delivered(at=PROMISE - HOUR))
    late = stream.settle()

    assert early == []
    assert late != []
    assert customer(stream).episodes == {}


def test_a_backlog_read_after_a_pause_raises_no_false_alarm() -> None:
    """Ten parcels, all delivered in time; every tick of the pause waits in front of the backlog."""
    stream = Stream()
    stream.tick(START)
    names = [f"sh-{n}" for n in range(10)]
    told = [promised(name, by=PROMISE) for name in names]
    done = [delivered(name, at=PROMISE - HOUR) for name in names]
    stream.give(placed(), *told)
    known = stream.ends["deliveries"]

    for hours in range(0, 72, 6):
        stream.tick(PROMISE + hours * HOUR, ends={"deliveries": known + len(done)})
    stream.give(*done)

    assert [o for o in stream.settle() if o.topic is t.PROBLEMS and o.key] == []
    assert stream.partition.state.pending == []


def test_records_that_were_applied_before_are_passed_over() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(placed())
    stream.ends["purchases"] = 0

    stream.give(placed())

    assert stream.partition.state.sources["purchases"].total == 1


def test_a_restart_from_the_changelog_goes_on_as_if_nothing_had_happened() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(placed(), promised(by=PROMISE), handed_over(at=START + HOUR))
    stream.tick(START + DAY)
    changelog = changes(stream)

    restored = new_partition(changelog)

    # Two business days after the hand-over it should have been scanned.
    assert restored.due.next() == stream.partition.due.next() == START + 4 * DAY + HOUR
    again = Stream(partition=restored, ends=dict(stream.ends), number=stream.number)
    assert said(again.tick_said(PROMISE)) == said(stream.tick_said(PROMISE))
    assert restored.customers.get("c-1") == customer(stream)


def test_facts_read_before_a_crash_and_after_the_last_tick_are_looked_at_after_it() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(placed(), promised(by=PROMISE))
    stream.tick(PROMISE)
    stream.give(delivered(at=PROMISE - HOUR))
    changelog = changes(stream)

    restored = new_partition(changelog)
    again = Stream(partition=restored, ends=dict(stream.ends), number=stream.number)

    assert said(again.tick_said(PROMISE + HOUR)) == [("cleared", "delivery_delay", "overdue")]


@pytest.mark.parametrize("name", ["purchases", t.FACTS_CHANGELOG.name])
def test_a_topic_that_was_made_anew_is_noticed(name: str) -> None:
    """Also the changelog itself: only a part of the state is in the new one."""
    stream = Stream()
    stream.give(placed())
    changelog = changes(stream)

    with pytest.raises(Moved, match=name):
        new_partition(changelog).trust({**TOPIC_IDS, name: TOPIC_IDS["deliveries"]})


def test_a_record_in_a_partition_that_is_not_its_customers_is_set_aside_unless_they_are_known() -> (
    None
):
    """As a publisher writes that counts the partitions of before."""
    stream = Stream()
    stream.give(placed("o-1", customer="c-1"))
    stream.partition._owners = replace(stream.partition._owners, of=lambda _: 1)

    refused = stream.give(placed("o-2", customer="c-1"), placed("o-3", customer="c-2"))

    assert customer(stream).facts.orders.keys() == {"o-1", "o-2"}
    assert stream.partition.customers.get("c-2") is None
    assert [letter.reason for letter in refused] == ["misplaced"]


def test_the_barrier_comes_last_and_says_when_there_will_be_work_again() -> None:
    stream = Stream()
    stream.give(placed(), promised(by=PROMISE, ship_by=START + 2 * DAY))

    *_, last = stream.tick(START)

    barrier = Barrier.model_validate_json(last.value)
    assert last.topic is t.PROBLEMS
    assert last.key is None
    assert (barrier.number, barrier.at, barrier.next_due) == (0, START, START + 2 * DAY)


def test_a_tick_told_twice_takes_effect_once() -> None:
    stream = Stream()
    stream.tick(START)
    stream.number -= 1

    assert stream.tick(START + HOUR) == []


def test_looking_at_a_tick_costs_what_is_due_and_not_what_is_known() -> None:
    stream = Stream()
    stream.tick(START)
    for n in range(50):
        stream.give(promised(f"sh-{n}", by=PROMISE + n * DAY, customer=f"c-{n}"))
    stream.tick(START + HOUR)
    commit(stream.partition)

    stream.tick(PROMISE - 3 * DAY)

    changed = list(commit(stream.partition))
    assert changed == [b"c-0", b"\x00partition-0"]


@pytest.mark.parametrize("year", [1, 1969, 2200, 9999])
def test_a_date_at_the_edge_of_the_calendar_is_refused_and_time_goes_on(year: int) -> None:
    stream = Stream()
    stream.tick(START)
    extreme = promised(by=PROMISE).encode().replace(b"2026-01-11", f"{year:04}-01-11".encode())

    (letter,) = stream.give_raw(t.DELIVERIES, extreme, b"c-1", START)
    stream.give(placed(), promised(by=PROMISE))

    assert letter.reason == "invalid"
    assert said(stream.tick_said(PROMISE)) == [("opened", "delivery_delay", "overdue")]


def test_a_topic_that_is_empty_by_retention_holds_no_tick_up() -> None:
    stream = Stream(partition=new_partition(), ends={"contacts": 500})
    stream.partition.state.sources["contacts"].first_offset = 500
    stream.partition.state.sources["contacts"].next_offset = 500

    assert stream.tick(START) != []


def test_transaction_markers_at_the_end_hold_no_tick_up() -> None:
    stream = Stream()
    stream.give(placed())
    held_up = stream.tick(START, ends={"purchases": 2})

    stream.partition.apply(t.PURCHASES, [], 2, None)

    assert held_up == []
    assert stream.settle() != []
    assert stream.partition.state.sources["purchases"].total == 1


def test_offsets_that_hold_no_record_are_counted_apart_and_once() -> None:
    """A record at 0 of one topic, at 3 of another; the rest are markers.  Read twice, as after a crash."""
    stream = Stream()
    stream.give(placed())
    event = promised(by=PROMISE)
    again = Record(3, event.encode(), b"c-1")

    for _ in range(2):
        stream.partition.apply(t.DELIVERIES, [again], 5, None)
        stream.partition.apply(t.PURCHASES, [], 3, None)

    purchases, deliveries = (stream.partition.state.sources[n] for n in ("purchases", "deliveries"))
    assert (purchases.total, purchases.absent, purchases.next_offset) == (1, 2, 3)
    assert (deliveries.total, deliveries.absent, deliveries.next_offset) == (1, 4, 5)


def test_ticks_that_wait_in_real_time_do_not_pile_up() -> None:
    stream = Stream()
    for second in range(100):
        at = START + timedelta(seconds=second)
        tick = Tick(number=second, at=at, ends={"purchases": 1})
        stream.give_raw(t.TICKS, tick.encode(), None)

    assert [tick.number for tick in stream.partition.state.pending] == [0, 99]
    stream.give(placed())
    stream.settle()
    assert stream.partition.state.at == START + timedelta(seconds=99)


def test_a_tick_from_the_future_is_refused_and_the_next_one_takes_effect() -> None:
    stream = Stream()
    ahead = Tick(number=10**9, at=START + DAY, ends={})

    (letter,) = stream.give_raw(t.TICKS, ahead.encode(), None, START)
    stream.give_raw(t.TICKS, Tick(number=1, at=START, ends={}).encode(), None, START)

    assert letter.reason == "future"
    assert stream.settle() != []


def test_an_event_dated_ahead_counts_as_heard_when_it_came_and_not_again() -> None:
    stream = Stream()
    stream.give(scanned(at=START + 23 * HOUR))

    marks = [
        FeedMark.model_validate_json(output.value).heard_at
        for hours in (0, 6, 12)
        for output in stream.tick(START + hours * HOUR)
        if output.topic is t.FEEDS and output.key and output.key.startswith(b"carrier:")
    ]

    assert marks == [START]


def test_a_customer_who_went_quiet_is_forgotten_and_taken_out_of_the_changelog() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(placed(), promised(by=PROMISE), delivered(at=START + DAY))
    stream.tick(START + 2 * DAY)
    changes(stream)

    assert stream.tick_said(START + 402 * DAY) == []

    assert stream.partition.customers.get("c-1") is None
    assert commit(stream.partition)[b"c-1"] is None
    assert stream.partition.due.next() is None


def test_records_that_retention_deleted_unread_are_told_and_stay_missing_in_the_account() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(placed(), now=START)

    missed = stream.partition.begin(t.PURCHASES, 7)
    stream.ends["purchases"] = 7
    stream.give(placed("o-2"), now=START)

    found = account(stream, "purchases", START + HOUR)
    assert missed == 6
    assert found.next_offset - found.first_offset - found.total == 6


def test_what_another_owner_wrote_in_between_replaces_what_was_in_memory() -> None:
    """A partition goes away and comes back: the one kept in memory follows the changelog."""
    stream = Stream()
    stream.tick(START)
    stream.give(placed(), promised(by=PROMISE))
    committed = changes(stream)
    other = Stream(partition=new_partition(committed), ends=dict(stream.ends), number=stream.number)
    other.give(delivered(at=PROMISE - DAY))
    other.tick(PROMISE - HOUR)
    written = commit(other.partition)

    store = stream.partition.customers._values
    assert isinstance(store, MemoryStore)
    store.keep(written.items(), 1)
    stream.partition.take_in(written.items())

    assert customer(stream) == customer(other)
    assert stream.partition.state == other.partition.state
    assert stream.partition.due.next() == other.partition.due.next()
    assert stream.partition._touched == other.partition._touched


def test_a_rule_that_fails_for_one_customer_stops_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Stream()
    stream.tick(START)
    for name in ("c-1", "c-2"):
        stream.give(promised(f"sh-{name}", by=PROMISE, customer=name))

    def failing(customer_id: str, *more: Any) -> Any:
        said = decide(customer_id, *more)
        if customer_id == "c-1":
            raise ZeroDivisionError
        return said

    with monkeypatch.context() as patch:
        patch.setattr(partition, "decide", failing)
        told = stream.tick_said(PROMISE)
        failures = [failure.customer_id for failure in stream.partition.failures]
    assert [event.customer_id for event in told] == ["c-2"]
    assert failures == ["c-1"]
    assert customer(stream).episodes == {}

    # Left alone for a while, then looked at as if nothing had happened.
    assert stream.tick_said(PROMISE + HOUR / 2) == []
    assert [event.customer_id for event in stream.tick_said(PROMISE + HOUR)] == ["c-1"]


def test_a_restart_looks_at_once_at_whom_a_rule_had_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(promised(by=PROMISE))
    with monkeypatch.context() as patch:
        patch.setattr(partition, "decide", lambda *_: 1 / 0)
        stream.tick(PROMISE)
    mended = new_partition(changes(stream))
    again = Stream(partition=mended, ends=dict(stream.ends), number=stream.number)

    assert said(again.tick_said(PROMISE + HOUR / 60)) == [("opened", "delivery_delay", "overdue")]


def test_a_parcel_behind_the_horizon_stays_until_its_open_problem_ends() -> None:
    """Promised long ahead: without the parcel its problem would stay open for ever."""
    stream = Stream()
    stream.tick(START)
    due = START + 390 * DAY
    stream.give(promised(by=due))
    opened = stream.tick_said(due + HOUR)
    behind = stream.tick_said(START + 402 * DAY)
    ended = stream.tick_said(due + 61 * DAY)

    assert said(opened) == [("opened", "delivery_delay", "overdue")]
    assert said(behind) == [("changed", "delivery_delay", "late")]
    assert said(ended) == [("cleared", "delivery_delay", "late")]
    assert stream.partition.customers.get("c-1") is None


def test_with_the_last_of_a_customer_the_latest_risks_are_taken_back() -> None:
    stream = Stream()
    stream.tick(START)
    stream.give(placed(), promised(by=START + DAY), delivered(at=START + DAY))
    stream.tick(START + 2 * DAY)
    before = {output.key for output in stream.outputs if output.topic is t.CUSTOMER_RISKS}

    outputs = stream.tick(START + HORIZON + 2 * DAY)

    gone = {o.key: o.value for o in outputs if o.topic is t.CUSTOMER_RISKS}
    assert before == {b"c-1"}
    assert gone == {b"c-1": b"", b"c-1|lapse": b""}
    assert stream.partition.customers.get("c-1") is None
