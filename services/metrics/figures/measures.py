"""What a figure is made of: counts, counts that may be taken back, durations, latest instants.

Plain dataclasses of plain values: a snapshot of the state is these, encoded.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol, TypeAlias

from services.contracts.envelope import Event, Fact
from services.contracts.metric_names import Metric

Labels: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """How often, by labels.  The series of a counter, or of a gauge that is a number of things."""

    counts: dict[Labels, int] = field(default_factory=dict)

    def add(self, labels: Labels, times: int = 1) -> None:
        """Count once more, or so many times; negative only where the figure is a gauge."""
        self.counts[labels] = self.counts.get(labels, 0) + times

    def of(self, *labels: str) -> int:
        """Return the count under these labels."""
        return self.counts.get(labels, 0)


def labels_of(label: str | None) -> Labels | None:
    """Return the labels of what has one; None: it is not counted."""
    return None if label is None else (label,)


@dataclass(slots=True)
class RevisedTally:
    """How often, where a judgement may turn out otherwise: true is what was counted less withdrawn."""

    counted: Tally = field(default_factory=Tally)
    withdrawn: Tally = field(default_factory=Tally)

    def revise(self, before: Labels | None, now: Labels | None) -> None:
        """Count one thing under other labels than before; None: it is not counted."""
        if before != now:
            if before is not None:
                self.withdrawn.add(before)
            if now is not None:
                self.counted.add(now)

    def move(self, labels: Labels, difference: int) -> None:
        """Count so many more; of fewer the rest is withdrawn."""
        if difference > 0:
            self.counted.add(labels, difference)
        elif difference < 0:
            self.withdrawn.add(labels, -difference)


@dataclass(slots=True)
class Distribution:
    """Durations by bucket.  Exact under any order: no floating-point sum."""

    bounds: tuple[float, ...]
    """Upper bounds in seconds."""
    counts: list[int]
    """One per bound (not cumulative), and one for what is longer than all."""
    total: timedelta = timedelta(0)

    @classmethod
    def of(cls, metric: Metric) -> "Distribution":
        """Return an empty one with the buckets of this metric."""
        return cls(metric.buckets, [0] * (len(metric.buckets) + 1))

    def add(self, duration: timedelta, times: int = 1) -> None:
        """Count a duration."""
        self.counts[bisect_left(self.bounds, duration.total_seconds())] += times
        self.total += times * duration


@dataclass(slots=True)
class Distributions:
    """Durations by labels and bucket."""

    by_labels: dict[Labels, Distribution] = field(default_factory=dict)

    def add(self, metric: Metric, labels: Labels, duration: timedelta) -> None:
        """Count a duration under these labels."""
        known = self.by_labels.get(labels)
        if known is None or known.bounds != metric.buckets:
            # Buckets of another version of the contract cannot be filled on.
            known = self.by_labels[labels] = Distribution.of(metric)
        known.add(duration)


@dataclass(slots=True)
class Latest:
    """The latest instant, by labels."""

    instants: dict[Labels, datetime] = field(default_factory=dict)

    def hear(self, labels: Labels, at: datetime) -> None:
        """Keep the instant if it is later than what is known."""
        known = self.instants.get(labels)
        if known is None or at > known:
            self.instants[labels] = at


def earlier(known: datetime | None, told: datetime) -> datetime:
    """Return the earlier of what is known and what is told."""
    return told if known is None else min(known, told)


Measure: TypeAlias = Tally | Distributions | Latest
Measured: TypeAlias = tuple[Metric, Measure]


class Figures(Protocol):
    """A family of figures: facts by business id, and the measures that follow from them."""

    READS: ClassVar[frozenset[type[Fact]]]
    """The facts it looks into; of no other it is told."""

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in one event of one partition number; twice is as good as once."""
        ...

    def settle(self, until: datetime) -> None:
        """Judge what could not be judged before all that was said up to this instant was read.

        Args:
            until: Everything said up to here, on every topic, has been folded.
        """
        ...

    def measured(self) -> Iterator[Measured]:
        """Return each metric of this family with what is counted under it."""
        ...
