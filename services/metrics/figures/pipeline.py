"""The pipeline: records by type, dead letters, and the predictor's account of what it read."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.contracts import metric_names as names
from services.contracts import topics as t
from services.contracts.stream import Account
from services.metrics.figures.measures import Measured, Tally
from services.metrics.figures.memory import EventId, Memory, Place

UNREADABLE = "unreadable"
"""Stands for the type of a record nobody can read."""

ACCOUNT_OUTCOMES = ("applied", "duplicate", "late", "dead_lettered")
_ACCOUNTED_TOPICS = tuple(topic.name for topic in t.PREDICTOR_SOURCES)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as its headers tell it."""

    origin: str
    """Logical name of the topic on which the record could not be read."""
    reason: str
    service: str
    place: str
    """Partition and offset over there, as text."""


def unaccounted(account: Account) -> int:
    """Return how many records before the reader's position no count explains: 0, or alarm.

    Negative: more was counted than there is.  An offset that the reader was given no record for (the
    marker of a publisher's transaction) is none; those are shown by themselves.
    """
    return account.next_offset - account.first_offset - account.absent - account.total


@dataclass(slots=True)
class Pipeline:
    """Counts of records as such; these alone count a repeat as one more."""

    events: Tally = field(default_factory=Tally)
    """(topic, type) → records."""
    dead_letters: Tally = field(default_factory=Tally)
    """(origin topic, reason) → dead letters."""
    accounts: dict[Place, Account] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)
    """Dead-letter topic → what was read of it last."""
    missed: Tally = field(default_factory=Tally)
    """(topic,) → offsets that retention passed before they were read."""

    def count(self, topic: t.Topic, type_: str) -> None:
        """Count a record of this topic and type."""
        self.events.add((topic.name, type_))

    def dead_letter(self, topic: t.Topic, partition: int, letter: DeadLetter) -> None:
        """Count a dead letter; told again it is the same."""
        memory = self.memory.setdefault(topic.name, Memory())
        if memory.is_new(partition, EventId(letter.service, letter.place)):
            self.dead_letters.add((letter.origin, letter.reason))

    def account(self, account: Account) -> None:
        """Keep the latest account of each source partition.

        Each adds up by itself, whoever owns the partition by then.  The latest is that of the latest tick:
        a state that was made anew may have read less than the one before.
        """
        place = Place(account.topic, account.partition)
        known = self.accounts.get(place)
        if known is None or _turn(account) >= _turn(known):
            self.accounts[place] = account

    def measured(self) -> Iterator[Measured]:
        """Return records, dead letters and the predictor's balance."""
        yield names.EVENTS, self.events
        yield names.DEAD_LETTERS, self.dead_letters
        yield names.ACCOUNTED, self._accounted()
        yield names.UNACCOUNTED, self._unaccounted()
        yield names.METRICS_MISSED, self.missed
        yield names.ABSENT, self._absent()

    def _accounted(self) -> Tally:
        tally = Tally()
        for account in self._known():
            for outcome in ACCOUNT_OUTCOMES:
                tally.add((account.topic, outcome), getattr(account, outcome))
        return tally

    def _unaccounted(self) -> Tally:
        tally = Tally({(topic,): 0 for topic in _ACCOUNTED_TOPICS})
        for of in self._known():
            tally.add((of.topic,), unaccounted(of))
        return tally

    def _absent(self) -> Tally:
        tally = Tally({(topic,): 0 for topic in _ACCOUNTED_TOPICS})
        for of in self._known():
            tally.add((of.topic,), of.absent)
        return tally

    def _known(self) -> Iterator[Account]:
        return (a for place, a in self.accounts.items() if place.topic in _ACCOUNTED_TOPICS)


def _turn(account: Account) -> tuple[int, int]:
    return account.tick, account.next_offset
