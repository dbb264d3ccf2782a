"""From an event's acceptance to the commit of the tick that looked at its customer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from services.churn_predictor import worker
from services.churn_predictor.latency import Undecided, waited
from services.churn_predictor.telemetry import Telemetry
from services.churn_predictor.vault import Vault
from services.churn_predictor.worker import Worker
from services.contracts import topics as t
from services.contracts.metric_names import PREDICTOR_DECISION_SECONDS
from services.contracts.stream import Tick
from services.kit.suspects import Suspects
from tests.factories import DAY, HOUR, START, delivered, handed_over, placed, promised
from tests.unit.churn_predictor.stream import Stream
from tests.unit.churn_predictor.test_scores_told import Shelf, Silence, Writer

SECOND = timedelta(seconds=1)
NAME = PREDICTOR_DECISION_SECONDS.name


@dataclass
class Hand:
    """A clock that is set by hand."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at


@dataclass
class AtWork:
    """A worker with one partition, in real time."""

    worker: Worker
    stream: Stream
    clock: Hand
    telemetry: Telemetry
    writer: Writer

    def accept(self, at: datetime) -> None:
        """Let what is given from now on have been accepted then."""
        self.stream.accepted_ms = round(at.timestamp() * 1000)

    def tick(self, at: datetime, committed: datetime) -> None:
        """Let a tick of this time take effect; its commit ends then."""
        self.clock.at = committed
        self.stream.number += 1
        tick = Tick(number=self.stream.number, at=at, ends=self.stream.ends)
        self.stream.give_raw(t.TICKS, tick.encode(), None)
        self.worker.idle()

    def measured(self) -> dict[str, float]:
        """Return events up to each bound, and the sum of all seconds; what is 0 left out."""
        samples = (s for f in self.telemetry.registry.collect() for s in f.samples)
        found = {
            s.labels.get("le", s.name.removeprefix(f"{NAME}_")): s.value
            for s in samples
            if s.name.startswith(NAME)
        }
        return {name: value for name, value in found.items() if value}


Make = Callable[[bool], AtWork]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a worker whose time is real, or not."""
    monkeypatch.setattr(worker, "Follower", Silence)

    def made(is_real: bool) -> AtWork:
        stream, clock, telemetry, writer = Stream(), Hand(), Telemetry(), Writer()
        found = Worker(
            Shelf.deployment,
            cast(Vault, Shelf(stream, writer)),
            telemetry,
            clock if is_real else None,
            Suspects(tmp_path / "notes"),
        )
        found.own(frozenset({0}))
        found.begin({})
        at_work = AtWork(found, stream, clock, telemetry, writer)
        at_work.tick(START, committed=START)
        return at_work

    return made


@pytest.fixture
def at_work(make: Make) -> AtWork:
    """A worker of real time, whose time has begun."""
    return make(True)


def test_an_event_waits_until_the_tick_that_looks_at_its_customer_is_committed(
    at_work: AtWork,
) -> None:
    """Accepted at 10 s and 13 s, looked at at 14 s, committed at 16 s: 6 s and 3 s."""
    at_work.accept(START + 10 * SECOND)
    at_work.stream.give(placed(at=START))
    at_work.accept(START + 13 * SECOND)
    at_work.stream.give(promised(by=START + 10 * DAY, at=START))
    assert at_work.measured() == {}

    at_work.tick(START + 14 * SECOND, committed=START + 16 * SECOND)

    assert at_work.measured() == {
        "5.0": 1,
        "10.0": 2,
        "30.0": 2,
        "60.0": 2,
        "300.0": 2,
        "3600.0": 2,
        "+Inf": 2,
        "count": 2,
        "sum": 9,
    }


def test_an_event_is_counted_once_and_a_tick_without_events_counts_nothing(at_work: AtWork) -> None:
    at_work.accept(START + SECOND)
    at_work.stream.give(placed(at=START))
    at_work.tick(START + 2 * SECOND, committed=START + 2 * SECOND)
    before = at_work.measured()

    at_work.tick(START + HOUR, committed=START + HOUR)

    assert at_work.measured() == before


def test_a_duplicate_and_what_nobody_can_read_wait_for_no_decision(at_work: AtWork) -> None:
    at_work.accept(START + SECOND)
    at_work.stream.give(placed(at=START, event_id="e"), placed(at=START, event_id="e"))
    at_work.stream.give_raw(t.PURCHASES, b"{", b"c-1")

    at_work.tick(START + 2 * SECOND, committed=START + 2 * SECOND)

    assert at_work.measured()["count"] == 1


def test_what_was_accepted_before_time_began_here_is_the_past(make: Make) -> None:
    """A first load of history, or a start long after the publishers': nobody was there to decide."""
    at_work = make(True)
    at_work.accept(START - 3 * DAY)
    at_work.stream.give(placed(at=START), handed_over(at=START))
    at_work.accept(START)
    at_work.stream.give(delivered(at=START))

    at_work.tick(START + SECOND, committed=START + SECOND)

    assert (at_work.measured()["count"], at_work.measured()["sum"]) == (1, 1)


def test_events_that_waited_through_an_outage_are_as_old_as_they_are(at_work: AtWork) -> None:
    at_work.accept(START + SECOND)
    at_work.stream.give(placed(at=START))

    at_work.tick(START + HOUR, committed=START + HOUR + SECOND)

    assert at_work.measured() == {"3600.0": 1, "+Inf": 1, "count": 1, "sum": 3600}


def test_nothing_is_measured_in_simulated_time_nor_kept(make: Make) -> None:
    at_work = make(False)
    at_work.accept(START + SECOND)
    at_work.stream.give(placed(at=START))

    at_work.tick(START + 2 * SECOND, committed=START + 2 * SECOND)

    assert at_work.measured() == {}
    assert at_work.stream.partition.undecided.take() == {}


def test_what_is_not_committed_is_not_measured(at_work: AtWork) -> None:
    at_work.accept(START + SECOND)
    at_work.stream.give(placed(at=START))
    at_work.writer.is_fenced = True

    with pytest.raises(RuntimeError, match="fenced"):
        at_work.tick(START + 2 * SECOND, committed=START + 2 * SECOND)

    assert at_work.measured() == {}


def test_a_backlog_is_kept_as_counts() -> None:
    undecided = Undecided()
    for number in range(10_000):
        undecided.add(1_000_000 + number % 1000)
    undecided.add(-1)

    assert undecided.take() == {1000.0 + tenth / 10: 1000 for tenth in range(10)}
    assert undecided.take() == {}


def test_a_publisher_whose_clock_is_ahead_waited_not_at_all() -> None:
    assert list(waited({START.timestamp() + 60: 2}, START, START.timestamp())) == [(0.0, 2)]
    assert list(waited({START.timestamp() + 60: 2}, None, START.timestamp())) == []
