"""Until when everything that was published is known here, and whether a send may start on that.  Values only.

A customer's word lies on the broker a moment before it is in the database.  Which offsets that moment
holds is told by where the partitions ended when the broker was asked, and by how far the database has
got.  Times are seconds of a clock that never runs backwards.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.contracts.topics import CONTACTS, PROBLEMS

HEARD = (CONTACTS.name, PROBLEMS.name)
"""What may take a send back: what customers say, and that their problem is over."""

Positions = Mapping[str, int]
"""Of one partition: topic → the offset before which all is in the database."""

_LONGEST_STEP_SECONDS = 5.0
"""Between two looks no more than this is counted: what slept meanwhile has seen nothing."""
_SPARE = 0.75
"""Heard within this share of the bound, a partition leaves time to start what waited for it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How fresh the knowledge must be, and how long a send waits for it."""

    recent_seconds: float = 1.0
    """All that was published until so long ago must be known."""
    patience_seconds: float = 30.0
    """A partition of which that has not been so for longer delays nothing any more; 0: none ever does."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the partitions ended for a reader of committed records."""

    asked_at: float
    """Before the question left: all that was acknowledged by then is before these ends."""
    offsets: Mapping[tuple[str, int], int]
    """By topic and partition."""

    def is_reached(self, partition: int, positions: Positions) -> bool:
        """Whether everything before the ends of this partition is in the database."""
        return all(positions.get(topic, 0) >= self.offsets[topic, partition] for topic in HEARD)


@dataclass(frozen=True, slots=True)
class Clearance:
    """Whether a send may start, and on what knowledge."""

    may_start: bool
    heard_until: float | None = None
    """Everything published before this instant is known; None: nobody can tell."""
    is_overdue: bool = False
    """It may start only because it must not wait any longer."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What was seen until the last look."""

    looked_at: float
    partitions: tuple[int, ...]
    bounds: Bounds = Bounds()
    readings: tuple[Ends, ...] = ()
    """Those that are still recent."""
    heard_until: Mapping[int, float] = field(default_factory=dict)
    """By partition; absent: no reading was ever reached."""
    late_for: Mapping[int, float] = field(default_factory=dict)
    """By partition: seconds for which it has not been heard in time, as far as somebody looked."""

    def looked(self, now: float, ends: Ends | None, found: Mapping[int, Positions]) -> "Watch":
        """Return what is known after another look.

        Args:
            now: When it ended.
            ends: What the broker answered; None where it did not.
            found: The database's positions by partition.
        """
        readings = (*self.readings, ends) if ends is not None else self.readings
        recent = tuple(r for r in readings if now - r.asked_at <= self.bounds.recent_seconds)
        heard = {p: self._heard(recent, p, found.get(p, {})) for p in self.partitions}
        step = min(now - self.looked_at, _LONGEST_STEP_SECONDS)
        return Watch(
            looked_at=now,
            partitions=self.partitions,
            bounds=self.bounds,
            readings=recent,
            heard_until={p: until for p, until in heard.items() if until is not None},
            late_for={
                p: 0.0 if self._is_recent(until, now, _SPARE) else self.late_for.get(p, 0.0) + step
                for p, until in heard.items()
            },
        )

    def clearance(self, partition: int, positions: Positions, now: float) -> Clearance:
        """Return whether a send of this partition may start, given how far the database is now."""
        until = self._heard(self.readings, partition, positions)
        if self._is_recent(until, now):
            return Clearance(may_start=True, heard_until=until)
        is_overdue = self.late_for.get(partition, 0.0) >= self.bounds.patience_seconds
        return Clearance(may_start=is_overdue, heard_until=until, is_overdue=is_overdue)

    @property
    def open_partitions(self) -> frozenset[int]:
        """Of which a send might start at the instant of the last look."""
        at = self.looked_at
        return frozenset(p for p in self.partitions if self.clearance(p, {}, at).may_start)

    def lagging(self, now: float) -> int:
        """Return of how many partitions something may be unknown that is no longer recent."""
        return sum(not self._is_recent(self.heard_until.get(p), now) for p in self.partitions)

    def _heard(
        self, readings: Iterable[Ends], partition: int, positions: Positions
    ) -> float | None:
        reached = [r.asked_at for r in readings if r.is_reached(partition, positions)]
        before = self.heard_until.get(partition)
        return max(reached if before is None else [*reached, before], default=None)

    def _is_recent(self, until: float | None, now: float, share: float = 1.0) -> bool:
        return until is not None and now - until <= self.bounds.recent_seconds * share
