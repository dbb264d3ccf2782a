"""Knowing a redelivery by its identity, where a figure has no fact of its own to know it by."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

REMEMBERED_IDS = 5_000
"""Ids kept per topic and partition to know a redelivery by.  Redelivery repeats the last few records
of a writer that was cut off, never months of them; a bound keeps the memory small."""


class EventId(NamedTuple):
    """CloudEvents identity; breaks ties between facts of one instant."""

    source: str
    id: str


class Place(NamedTuple):
    """One partition of a topic, by its logical name."""

    topic: str
    partition: int


@dataclass(slots=True)
class Remembered:
    """The last ids of one topic partition, oldest first."""

    ids: dict[EventId, None] = field(default_factory=dict)

    def is_new(self, identity: EventId) -> bool:
        """Return whether it was not among the last ids, and remember it."""
        if identity in self.ids:
            return False
        self.ids[identity] = None
        if len(self.ids) > REMEMBERED_IDS:
            del self.ids[next(iter(self.ids))]
        return True


@dataclass(slots=True)
class Memory:
    """What was remembered in each partition of one topic."""

    places: dict[int, Remembered] = field(default_factory=dict)

    def is_new(self, partition: int, identity: EventId) -> bool:
        """Return whether this was not among the last ids of this partition, and remember it."""
        return self.places.setdefault(partition, Remembered()).is_new(identity)


Name = tuple[str, ...]


@dataclass(slots=True)
class Ageing:
    """Names by the day they were last heard of, so that the old ones are found without a look at all."""

    days: dict[int, set[Name]] = field(default_factory=dict)
    """Day as `date.toordinal` numbers it → names; one that was heard of again is in several."""

    def hear(self, name: Name, at: datetime) -> None:
        """Note that it was heard of on this day."""
        self.days.setdefault(at.toordinal(), set()).add(name)

    def due(self, until: datetime) -> Iterator[Name]:
        """Take out and yield what was heard of on a day before this one, perhaps again since."""
        for day in [day for day in self.days if day < until.toordinal()]:
            yield from self.days.pop(day)


@dataclass(slots=True)
class Recent:
    """Names first heard of lately: what is counted once, however often it is told in the meantime."""

    days: dict[int, set[str]] = field(default_factory=dict)

    def is_new(self, name: str, at: datetime) -> bool:
        """Return whether it was not known, and remember it as of this day."""
        if name in self:
            return False
        self.days.setdefault(at.toordinal(), set()).add(name)
        return True

    def __contains__(self, name: str) -> bool:
        """Return whether it is remembered."""
        for names in self.days.values():  # noqa: SIM110 - `any` takes twice as long, for each order
            if name in names:
                return True
        return False

    def forget(self, before: datetime) -> None:
        """Forget what was first heard of on an earlier day."""
        for day in [day for day in self.days if day < before.toordinal()]:
            del self.days[day]


def heard_at(told_at: datetime, settled_until: datetime | None) -> datetime:
    """Return the instant from which news counts as old: the later of when it was, and when it was read.

    Else what is told late, or filled in from the past, would be forgotten as soon as it is known.
    """
    return told_at if settled_until is None else max(told_at, settled_until)
