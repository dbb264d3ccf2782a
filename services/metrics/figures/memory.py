"""Knowing a redelivery by its identity, where a figure has no fact of its own to know it by."""

from dataclasses import dataclass, field
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
