"""A partition that owns a feed's name says on `feeds` that it is silent, once, also across a restart."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from prometheus_client import generate_latest

from services.churn_predictor.outputs import Output
from services.churn_predictor.partition import Partition
from services.churn_predictor.state import PARTITION, PartitionState, partition_key
from services.churn_predictor.telemetry import SILENT_NAMED, Telemetry
from services.contracts import topics as t
from services.contracts.stream import FEED_RECORD, Barrier, FeedResumed, FeedSilent, TickMark
from tests.factories import DAY, HOUR, START
from tests.unit.churn_predictor.stream import Stream, commit, new_partition

FEED = "carrier:dhl"
MINUTE = timedelta(minutes=1)


def steady(days: int = 20) -> Stream:
    """Return a stream in which the carrier was heard every hour, up to the last tick but one."""
    stream = Stream(heard={})
    for hour in range(days * 24):
        stream.heard[FEED] = START + hour * HOUR - MINUTE
        stream.tick(START + hour * HOUR)
    stream.tick(START + days * DAY)
    return stream


def notices(outputs: Iterable[Output]) -> list[FeedSilent | FeedResumed]:
    """Return what is said of silent feeds among these outputs."""
    records = [FEED_RECORD.validate_json(o.value) for o in outputs if o.topic is t.FEEDS]
    return [one for one in records if isinstance(one, FeedSilent | FeedResumed)]


def next_due(outputs: Iterable[Output]) -> Any:
    """Return what the barrier among these outputs says."""
    *_, last = outputs
    return Barrier.model_validate_json(last.value).next_due


def test_a_silence_is_due_said_once_under_its_own_key_and_ended_when_it_is_heard() -> None:
    stream = steady()
    at = START + 20 * DAY
    due = next_due(stream.tick(at + HOUR))
    assert at < due < at + 6 * HOUR

    known, told = stream.tick(due), stream.tick(due + MINUTE)

    assert notices(known) == []
    assert next_due(known) == due, "what is known now is told at the next tick"
    (silent,) = notices(told)
    assert (silent.feed, silent.at, silent.tick) == (FEED, due + MINUTE, stream.number)
    assert isinstance(silent, FeedSilent)
    assert (silent.heard_at, silent.silent_from) == (stream.heard[FEED], due)
    assert next(o.key for o in told if o.topic is t.FEEDS) == b"state|carrier:dhl"
    assert notices(stream.tick(due + DAY)) == []

    stream.heard[FEED] = due + DAY
    (resumed,) = notices(stream.tick(due + DAY + HOUR))
    assert isinstance(resumed, FeedResumed)
    assert (resumed.heard_at, resumed.silent_since) == (due + DAY, silent.heard_at)


def test_the_tick_s_mark_comes_after_all_that_was_said_of_feeds_at_it() -> None:
    stream = steady()
    stream.tick(START + 22 * DAY)

    said = [o for o in stream.tick(START + 23 * DAY) if o.topic is t.FEEDS]

    assert len(notices(said)) == 1
    assert isinstance(FEED_RECORD.validate_json(said[-1].value), TickMark)


def test_after_a_restart_nothing_is_said_again_and_nothing_is_missing() -> None:
    whole, broken = steady(), steady()
    for stream in (whole, broken):
        stream.tick(START + 20 * DAY + 5 * HOUR)
    said = []
    for hours in range(6, 40):
        changes = commit(broken.partition)
        broken.partition = new_partition({k: v for k, v in changes.items() if v is not None})
        at = START + 20 * DAY + hours * HOUR
        said.append([notices(stream.tick(at)) for stream in (whole, broken)])

    assert all(one == other for one, other in said)
    assert sum(len(one) for one, _ in said) == 1


def test_a_state_from_before_silences_were_noticed_is_read() -> None:
    fresh = PARTITION.dump_python(PartitionState(), mode="json")
    del fresh["rhythms"]

    assert PARTITION.validate_python(fresh) == PartitionState()


def partition_with_silent(number_of_feeds: int) -> Partition:
    stream = Stream(heard={})
    for hour in range(20 * 24):
        for feed in range(number_of_feeds):
            stream.heard[f"carrier:c-{feed:02}"] = START + hour * HOUR - MINUTE
        stream.tick(START + hour * HOUR)
    stream.tick(START + 30 * DAY)
    stream.tick(START + 31 * DAY)
    state = dict(commit(stream.partition))[partition_key(0)]
    assert state is not None
    return new_partition({partition_key(0): state})


def test_silent_feeds_are_shown_and_no_publisher_can_make_more_series_than_a_few() -> None:
    few, many = partition_with_silent(2), partition_with_silent(SILENT_NAMED + 3)
    telemetry = Telemetry()

    def shown() -> dict[str, float]:
        lines = generate_latest(telemetry.registry).decode().splitlines()
        name = "care_churn_predictor_silent_feeds{"
        found = (line.removeprefix(name).split('"', 2)[1:] for line in lines if name in line)
        return {feed: float(value.removeprefix("} ")) for feed, value in found}

    telemetry.owned([new_partition()])
    assert shown() == {"other": 0}
    telemetry.ticked(START, few)
    assert shown() == {"carrier:c-00": 1, "carrier:c-01": 1, "other": 0}
    telemetry.owned([many])
    assert len(shown()) == SILENT_NAMED + 1
    assert shown()["other"] == 3
    telemetry.disowned()
    assert shown() == {"other": 0}
