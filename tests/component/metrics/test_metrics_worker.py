"""The metrics service at its edges: a hand-written consumer and probe instead of Kafka."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError
from prometheus_client import CollectorRegistry

from services.contracts import topics as t
from services.kit.clock import monotonic
from services.kit.exits import Unavailable
from services.kit.health import HealthServer
from services.metrics.decode import READ_TOPICS
from services.metrics.exporter import StateCollector
from services.metrics.lag import LONGEST_PROBE_SECONDS, LagProbe, LagWatch
from services.metrics.worker import Worker
from tests.support.metrics import AT_ONCE, Disk, MemoryKeeper
from tests.unit.metrics.stories import CUSTOMER, placed

PURCHASES = TopicPartition("purchases", 0)


@dataclass(frozen=True)
class Raw:
    """A record as the client gives it."""

    offset: int
    value: bytes | None
    key: bytes | None = CUSTOMER.encode()
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass
class FakeConsumer:
    """Holds records of `purchases`; `visible` of them can be polled, all are before the end."""

    records: list[Raw]
    visible: int = 10**6
    error: Exception | None = None
    leaderless: int = 0
    """So many times it says, as kafka-python does, that it knows no leader of a partition yet."""
    begin: int = 0
    at: dict[TopicPartition, int] = field(default_factory=dict)

    def assign(self, places: list[TopicPartition]) -> None:
        self.at = dict.fromkeys(places, -1)

    def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.look_up_leaders()
        return dict.fromkeys(places, 0) | {PURCHASES: self.begin}

    def look_up_leaders(self) -> None:
        if self.leaderless:
            self.leaderless -= 1
            raise KeyError(PURCHASES)

    def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.look_up_leaders()
        return dict.fromkeys(places, 0) | {PURCHASES: len(self.records)}

    def resume(self, *places: TopicPartition) -> None:
        assert not places

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at[place] = offset

    def position(self, place: TopicPartition, timeout_ms: int) -> int:
        return self.at[place]

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        if self.error is not None:
            raise self.error
        fresh = self.records[self.at[PURCHASES] : self.visible]
        self.at[PURCHASES] += len(fresh)
        return {PURCHASES: fresh} if fresh else {}


def order_record(offset: int) -> Raw:
    """Return an order as it lies on the topic."""
    return Raw(offset, placed(f"o-{offset}").record.encode())  # type: ignore[union-attr]


def worker_of(consumer: FakeConsumer, disk: Disk | None = None) -> Worker:
    """Return a worker that takes a step at each turn."""
    keeper = MemoryKeeper(disk or Disk())
    return Worker(consumer, keeper, partitions=1, prefix="", pace=AT_ONCE)


def begun(consumer: FakeConsumer) -> Worker:
    """Return a worker that stands at the beginning."""
    worker = worker_of(consumer)
    worker.begin()
    return worker


def count(worker: Worker, type: str = "care.order.placed.v1") -> float:
    """Return the records of this type on `purchases`."""
    events = next(f for f in worker.families({}, ()) if f.name == "care_events")
    wanted = {"topic": "purchases", "type": type}
    return next(sample.value for sample in events.samples if sample.labels == wanted)


def get(server: HealthServer, path: str) -> tuple[int, str]:
    """Return status and body."""
    host, port = server.address
    try:
        with urlopen(f"http://{host}:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Callable[[Worker], HealthServer]:
    """Return a way to serve a worker until the test ends."""

    def serve(worker: Worker) -> HealthServer:
        registry = CollectorRegistry()
        registry.register(StateCollector(lambda: worker.families({}, ())))
        server = HealthServer(
            registry, worker.live, worker.caught_up, "127.0.0.1", 0, exposing=worker.caught_up
        ).start()
        request.addfinalizer(server.close)
        return server

    return serve


def test_nothing_is_exposed_until_the_ends_seen_at_start_are_reached(
    served: Callable[[Worker], HealthServer],
) -> None:
    """A counter smaller than before the restart would look like a burst of events afterwards."""
    consumer = FakeConsumer([order_record(n) for n in range(3)], visible=2)
    worker = worker_of(consumer)
    server = served(worker)
    assert [get(server, path)[0] for path in ("/readyz", "/metrics", "/livez")] == [503, 503, 200]

    worker.begin()
    worker.turn()
    assert count(worker) == 2
    status, body = get(server, "/metrics")
    assert (status, "care_" in body) == (503, False)
    assert get(server, "/readyz")[0] == 503

    consumer.visible = 3
    worker.turn()
    status, body = get(server, "/metrics")
    assert status == 200
    assert 'care_events_total{topic="purchases",type="care.order.placed.v1"} 3.0' in body
    assert get(server, "/readyz")[0] == 200


def test_new_records_after_the_start_do_not_make_it_unready() -> None:
    consumer = FakeConsumer([order_record(0)])
    worker = begun(consumer)
    worker.turn()

    consumer.records.append(order_record(1))
    consumer.visible = 1

    assert worker.caught_up().ok


def test_an_unreadable_record_is_counted_and_the_next_is_read() -> None:
    worker = begun(FakeConsumer([order_record(0), Raw(1, b"{"), Raw(2, None), order_record(3)]))
    worker.turn()

    assert (count(worker), count(worker, "unreadable")) == (2, 2)


def test_records_deleted_under_the_reader_are_counted_as_missed_and_it_goes_on() -> None:
    consumer = FakeConsumer([order_record(n) for n in range(5)], visible=1)
    worker = begun(consumer)
    worker.turn()

    consumer.begin, consumer.visible, consumer.error = 3, 5, OffsetOutOfRangeError({PURCHASES: 1})
    worker.turn()
    consumer.error = None
    worker.turn()

    assert missed(worker) == 2
    assert count(worker) == 1 + 2
    assert worker.caught_up().ok


def test_a_topic_that_ends_before_the_reader_ends_it_with_what_to_do() -> None:
    """To read on would count on top of what no longer exists."""
    consumer = FakeConsumer([order_record(n) for n in range(5)])
    worker = begun(consumer)
    worker.turn()

    consumer.records, consumer.error = [], OffsetOutOfRangeError({PURCHASES: 5})
    with pytest.raises(Unavailable, match="purchases ended later"):
        worker.turn()


def missed(worker: Worker) -> float:
    """Return the offsets of `purchases` that were gone before they were read."""
    families = {family.name: family for family in worker.families({}, ())}
    samples = families["care_metrics_missed_records"].samples
    return next(s.value for s in samples if s.labels == {"topic": "purchases"})


def test_a_loop_that_does_not_turn_is_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([10.0, 31.0])
    worker = worker_of(FakeConsumer([]))
    start = worker.turned_at
    monkeypatch.setattr("services.metrics.worker.monotonic", lambda: start + next(seconds))

    assert worker.live().ok
    assert not worker.live().ok


def test_it_stops_when_told() -> None:
    worker, stop = begun(FakeConsumer([])), threading.Event()
    stop.set()

    worker.run(stop)


def test_where_it_stands_is_what_it_has_folded() -> None:
    worker = begun(FakeConsumer([order_record(n) for n in range(3)], visible=2))
    assert worker.positions()[PURCHASES] == 0

    worker.turn()

    assert worker.positions()[PURCHASES] == 2
    assert len(worker.positions()) == len(READ_TOPICS)


def test_leaders_that_are_not_known_yet_are_waited_for() -> None:
    worker = begun(FakeConsumer([order_record(0)], leaderless=1))
    worker.turn()
    assert (worker.caught_up().ok, count(worker)) == (True, 1)

    consumer = FakeConsumer([], leaderless=1)
    probe = LagProbe(GroupsWithoutCommits(), consumer, (t.PURCHASES,), partitions=1, prefix="")
    assert probe.measure({PURCHASES: 0}) == {
        ("metrics", "purchases"): 0.0,
        ("churn_predictor", "purchases"): 0.0,
    }
    # The ends are asked for separately: the probe's other call.
    consumer.leaderless = 1
    assert probe._ages({PURCHASES: 0}) == {"purchases": 0.0}


MINUTE = 60.0


@dataclass
class PartitionsAtWork:
    """A consumer that can be put at places: records by offset, and ends beyond the last of them."""

    records: dict[TopicPartition, dict[int, float]]
    """Partition → offset → timestamp in seconds; an offset without one is a transaction's marker."""
    ends: dict[TopicPartition, int]
    at: dict[TopicPartition, int] = field(default_factory=dict)
    paused: set[TopicPartition] = field(default_factory=set)

    def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: self.ends.get(place, 0) for place in places}

    def assign(self, places: list[TopicPartition]) -> None:
        self.at = dict.fromkeys(places, 0)

    def resume(self, *places: TopicPartition) -> None:
        self.paused -= set(places)

    def pause(self, *places: TopicPartition) -> None:
        self.paused |= set(places)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at[place] = offset

    def position(self, place: TopicPartition) -> int:
        return self.at[place]

    def poll(self, _: int) -> dict[TopicPartition, list[Any]]:
        found: dict[TopicPartition, list[Any]] = {}
        for place in self.at.keys() - self.paused:
            offsets = [o for o in sorted(self.records.get(place, {})) if o >= self.at[place]]
            self.at[place] = max(self.ends[place], self.at[place])
            if offsets:
                at = self.records[place][offsets[0]]
                found[place] = [SimpleNamespace(offset=offsets[0], timestamp=at * 1000)]
        return found


class GroupsAt:
    """An admin client that knows where every group stands."""

    def __init__(self, committed: dict[TopicPartition, int]) -> None:
        self.committed = committed

    def list_group_offsets(self, group: str) -> dict[str, Any]:
        return {group: {p: SimpleNamespace(offset=at) for p, at in self.committed.items()}}


def lag_of(
    records: dict[int, float], end: int, committed: int, monkeypatch: pytest.MonkeyPatch
) -> float:
    """Return how far the predictor is behind on purchases, beside a partition that is idle."""
    monkeypatch.setattr("services.metrics.lag.epoch_seconds", lambda: 100 * MINUTE)
    idle = TopicPartition("purchases", 1)
    consumer = PartitionsAtWork({PURCHASES: records, idle: {0: 0.0}}, {PURCHASES: end, idle: 1})
    groups = GroupsAt({PURCHASES: committed, idle: 1})
    probe = LagProbe(groups, consumer, (t.PURCHASES,), partitions=2, prefix="")
    return probe.measure({PURCHASES: end, idle: 1})["churn_predictor", "purchases"]


def test_lag_is_the_age_of_the_oldest_unread_record_not_of_the_last_read_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Records of minutes 0, 90 and 95; the first is read; it is minute 100."""
    records = {0: 0.0, 1: 90 * MINUTE, 2: 95 * MINUTE}

    assert lag_of(records, 3, 1, monkeypatch) == 10 * MINUTE


def test_a_partition_in_which_nothing_happens_is_not_behind_however_old_its_last_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert lag_of({0: 0.0}, 1, 1, monkeypatch) == 0


def test_a_partition_that_ends_in_markers_is_not_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two transactions have ended behind the last record: no reader can ever commit a record there."""
    assert lag_of({0: 0.0}, 3, 1, monkeypatch) == 0


def test_markers_before_a_record_hide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lag_of({0: 0.0, 3: 99 * MINUTE}, 5, 1, monkeypatch) == MINUTE


class GroupsWithoutCommits:
    """An admin client that knows no group."""

    def list_group_offsets(self, group: str) -> dict[str, Any]:
        return {}


class FakeProbe:
    """Answers once, then fails or hangs; tells when it has been asked again."""

    def __init__(self, hangs: bool = False, error: Exception | None = None) -> None:
        self.hangs = hangs
        self.error = error or KafkaError("away")
        self.asked = 0
        self.asked_again = threading.Event()
        self.may_end = threading.Event()
        self.is_closed = False

    def measure(self, own: object) -> dict[tuple[str, str], float]:
        self.asked += 1
        if self.asked == 1:
            return {("outreach", "problems"): 3.0}
        if self.asked > 2 or self.hangs:
            self.asked_again.set()
        if self.hangs:
            self.may_end.wait(10)
        raise self.error

    def close(self) -> None:
        self.is_closed = True


def watching(probe: FakeProbe) -> LagWatch:
    """Return a watch that has asked this probe again."""
    watch = LagWatch(probe, dict, interval_seconds=0.01)  # type: ignore[arg-type]
    watch.start()
    assert probe.asked_again.wait(5)
    return watch


@pytest.mark.parametrize(
    "error", [KafkaError("away"), KeyError(PURCHASES), ValueError("nobody thought of it")]
)
def test_a_lag_that_cannot_be_measured_is_absent_not_stale_and_asked_for_again(
    error: Exception,
) -> None:
    probe = FakeProbe(error=error)
    watch = watching(probe)

    assert watch.latest() == {}
    watch.close()
    assert probe.is_closed


def test_while_the_broker_hangs_an_old_lag_is_not_shown_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probe = FakeProbe(hangs=True)
    watch = watching(probe)
    assert watch.latest() == {("outreach", "problems"): 3.0}

    later = monotonic() + 2 * LONGEST_PROBE_SECONDS + 1
    monkeypatch.setattr("services.metrics.lag.monotonic", lambda: later)

    assert watch.latest() == {}
    probe.may_end.set()
    watch.close()
