"""Killed at any moment and started again, the service shows no smaller counter and reads only the rest."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts import topics as t
from services.metrics.steps import Step
from services.metrics.worker import Worker
from tests.support.metrics import AT_ONCE, Disk, MemoryKeeper, Reader, Topics
from tests.unit.metrics.stories import (
    Read,
    answered,
    barrier,
    cleared,
    complained,
    fold_all,
    net,
    opened,
    placed,
    sent,
    series,
)

ORDERS = st.sampled_from(["o-1", "o-2"])
HOURS = st.integers(0, 6).map(float)
RECORDS = st.one_of(
    st.builds(complained, ORDERS, HOURS),
    st.builds(answered, ORDERS, HOURS, st.integers(1, 5), st.sampled_from(["s-1", "s-2"])),
    st.builds(opened, ORDERS, HOURS),
    st.builds(cleared, ORDERS, HOURS),
    st.builds(sent, ORDERS, HOURS),
    st.builds(barrier, HOURS),
)
STORIES = st.lists(RECORDS, min_size=5, max_size=40)
ENOUGH_TURNS = 12


class Killed(Exception):
    """The process is no more."""


@dataclass
class DyingKeeper(MemoryKeeper):
    """May die right behind a write, before anybody has seen what follows from it."""

    chance: random.Random = field(default_factory=lambda: random.Random(0))

    def append(self, step: Step) -> None:
        super().append(step)
        if self.chance.random() < 0.2:
            raise Killed


@dataclass
class Life:
    """A deployment whose metrics service is killed and started again by chance."""

    topics: Topics
    chance: random.Random
    disk: Disk = field(default_factory=Disk)
    worker: Worker | None = None
    reader: Reader | None = None
    shown: dict[str, float] = field(default_factory=dict)
    fallen: list[str] = field(default_factory=list)

    def turn(self) -> None:
        """Let it turn once, be scraped, keep what it counted, or die."""
        try:
            self._started().turn()
            self._scrape()
            if self.chance.random() < 0.05 and self._started().caught_up().ok:
                self._started().keep()
        except Killed:
            self.worker = None
        if self.chance.random() < 0.2:
            self.worker = None

    def turns(self, times: int) -> None:
        """Let it turn so many times."""
        for _ in range(times):
            self.turn()

    def finish(self) -> dict[str, float]:
        """Let it read to the end, and return what it shows."""
        self.chance = Never()
        self.worker = None
        self.turns(ENOUGH_TURNS)
        assert self._started().caught_up().ok
        return self.shown

    def _started(self) -> Worker:
        if self.worker is None:
            self.reader = Reader(self.topics, self.chance)
            keeper = DyingKeeper(self.disk, self.chance)
            self.worker = Worker(self.reader, keeper, partitions=1, prefix="", pace=AT_ONCE)
            self.worker.begin()
        return self.worker

    def _scrape(self) -> None:
        if not self._started().caught_up().ok:
            return
        now = scraped(self._started())
        self.fallen += [n for n, v in self.shown.items() if is_counter(n) and now[n] < v]
        self.shown = now


class Never(random.Random):
    """Everything is read as it comes, and nothing dies."""

    def random(self) -> float:
        return 1.0

    def randint(self, a: int, b: int) -> int:
        del a
        return b


def scraped(worker: Worker) -> dict[str, float]:
    """Return every sample the service shows."""
    return {
        f"{s.name}{{{','.join(f'{k}={v}' for k, v in s.labels.items())}}}": s.value
        for family in worker.families({}, ("delivery_late",))
        for s in family.samples
    }


def is_counter(name: str) -> bool:
    """Return whether this sample may only grow."""
    return name.split("{", maxsplit=1)[0].endswith(("_total", "_bucket", "_count"))


def figures(samples: Mapping[str, float]) -> dict[str, float]:
    """Return what follows from the topics, less what was withdrawn."""
    own = {n: v for n, v in samples.items() if not n.startswith("care_metrics_")}
    return net(own)


@settings(max_examples=60)
@given(story=STORIES, seed=st.integers(0, 10**6))
def test_no_counter_falls_and_in_the_end_everything_is_counted_once(
    story: list[Read], seed: int
) -> None:
    life = Life(Topics(), random.Random(seed))
    for read in story:
        life.topics.write(read)
        life.turn()
    shown = life.finish()

    assert life.fallen == []
    undisturbed = figures(series(fold_all(sorted(story, key=lambda r: r.topic is t.OUTREACH))))
    assert figures(shown) == undisturbed


def test_what_was_judged_on_the_way_is_judged_so_again() -> None:
    """o-1 is judged as not reached before our late message is read; a start that read both at once
    would never have counted it as not reached, and what was shown would be gone."""
    life = Life(Topics(), Never())
    life.turns(3)
    for read in (complained("o-1", 5), barrier(6)):
        life.topics.write(read)
    life.turns(4)
    late = sent("o-1", 3)
    life.topics.write(late)
    life.turns(2)
    before = life.shown
    assert before["care_complaints_withdrawn_total{reached_first=false}"] == 1

    life.worker = None
    life.turns(4)

    assert life.fallen == []
    assert life.shown == before


class OneByOne(Never):
    """A poll brings one record of each partition."""

    def randint(self, a: int, b: int) -> int:
        del a
        return min(b, 1)


def test_nothing_is_judged_before_all_was_read_that_lay_there_when_the_instant_was_over() -> None:
    """The poor answer of 01:00 is told after that of 04:00, but before anybody could judge."""
    life = Life(Topics(), OneByOne())
    for read in (complained("o-1", 5), answered("o-1", 4, 1), sent("o-1", 0.5), barrier(6)):
        life.topics.write(read)
    life.turn()
    for hours in (3, 2, 1):
        life.topics.write(answered("o-1", hours, 1, f"s-{hours}"))
    life.turns(12)

    assert life.shown["care_complaints_total{reached_first=true}"] == 1
    assert life.shown["care_complaints_withdrawn_total{reached_first=true}"] == 0
    assert life.shown["care_lead_time_seconds_bucket{le=0.0}"] == 0
    assert life.shown["care_lead_time_seconds_bucket{le=3600.0}"] == 1
    assert life.worker is not None
    assert life.worker._state.complaints.settled_until == barrier(6).record.at  # type: ignore[union-attr]


def test_a_start_reads_only_what_came_after_the_snapshot() -> None:
    life = Life(Topics(), Never())
    for number in range(20):
        life.topics.write(placed(f"o-{number}"))
    life.turns(3)
    assert life.worker is not None
    life.worker.keep()
    for number in range(3):
        life.topics.write(placed(f"later-{number}"))
    life.turn()

    life.worker = None
    life.turns(3)

    assert life.reader is not None
    assert life.reader.read == 3
    assert life.shown["care_events_total{topic=purchases,type=care.order.placed.v1}"] == 23


def test_nothing_is_shown_before_the_steps_of_the_last_process_were_repeated() -> None:
    life = Life(Topics(), Never())
    life.turns(3)
    for number in range(3):
        life.topics.write(placed(f"o-{number}"))
        life.turn()
    assert len(life.disk.steps) == 3

    keeper, reader = MemoryKeeper(life.disk), Reader(life.topics, Never())
    worker = Worker(reader, keeper, partitions=1, prefix="", pace=AT_ONCE)
    worker.begin()
    for repeated in range(3):
        assert not worker.caught_up().ok
        worker.turn()
        name = "care_events_total{topic=purchases,type=care.order.placed.v1}"
        assert scraped(worker)[name] == repeated + 1
    worker.turn()
    assert worker.caught_up().ok


@pytest.mark.parametrize("ahead", [0, 5])
def test_records_of_later_steps_are_held_back_and_partitions_with_many_wait(
    ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.metrics.intake.MOST_AHEAD", ahead)
    life = Life(Topics(), Never())
    life.turns(3)
    for number in range(6):
        life.topics.write(placed(f"o-{number}"))
        life.topics.write(replace(sent(f"o-{number}", 1), topic=t.OUTREACH))
        life.turn()
    before, life.worker = life.shown, None

    life.turns(10)

    assert life.fallen == []
    assert life.shown == before
