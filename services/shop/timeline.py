"""What a demo's world tells the system, and when: publications in simulated time.  Pure values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.contracts.envelope import Event, Fact
from services.contracts.topics import Topic
from services.shop.truth import Truth

_Event = Event[Any]
"""Looking up the generic takes longer than filling it in."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One event on its way to the door."""

    at: datetime
    """When the publisher sends it: later than the event's own time where it was delayed."""
    event_id: str
    body: bytes
    """The structured CloudEvent, JSON; a spoiled one may break any rule but being JSON."""
    refusable: bool = False
    """Whether the door is meant to refuse it."""
    source: str = ""
    """Its publisher, where somebody needs to know."""


@dataclass(frozen=True, slots=True)
class Poison:
    """One record that a careless publisher writes straight to a topic; nobody can read it."""

    at: datetime
    topic: Topic
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """One message as its recipient found it."""

    problem_id: str
    step: str
    recipient: str
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """What is said within one step of time."""

    publications: tuple[Publication, ...] = ()
    poison: tuple[Poison, ...] = ()
    truth: tuple[Truth, ...] = ()
    """What a simulated shop alone knows, for those who measure with it; told to no service."""


class World(Protocol):
    """A shop that can be replayed: it knows what comes next and reacts to the mails it received."""

    @property
    def start(self) -> datetime:
        """When time begins."""
        ...

    @property
    def end(self) -> datetime:
        """When the demo is over; nothing is said after it."""
        ...

    def next_at(self) -> datetime | None:
        """Return the next instant at which something may be said; None: never again."""
        ...

    def advance(self, until: datetime, mails: Sequence[Mail]) -> Batch:
        """Return everything said up to and including `until`, given the mails that came before."""
        ...


def publication(
    fact: Fact, *, source: str, event_id: str, time: datetime, customer_id: str
) -> Publication:
    """Return the fact in its envelope, sent at the moment it happened."""
    event = _Event(
        id=event_id, source=source, type=fact.TYPE, time=time, partitionkey=customer_id, data=fact
    )
    return Publication(time, event_id, event.encode(), source=source)


def said(
    fact: Fact, *, source: str, time: datetime, customer_id: str, about: str, more: str = ""
) -> Publication:
    """Return the fact as a publication whose id says what happened to what: `o-1-order-placed`."""
    _, noun, verb, _ = fact.TYPE.split(".")
    event_id = f"{about}-{noun}-{verb}{more}"
    return publication(fact, source=source, event_id=event_id, time=time, customer_id=customer_id)


def in_order(publications: Iterable[Publication]) -> tuple[Publication, ...]:
    """Return them by the moment of sending; ties by id, so that one seed gives one order."""
    return tuple(sorted(publications, key=lambda p: (p.at, p.event_id)))


@dataclass(slots=True)
class Reel:
    """A timeline with a reading position: each publication is handed out once, in order."""

    publications: tuple[Publication, ...]
    poison: tuple[Poison, ...] = ()
    _said: int = 0
    _poisoned: int = 0

    def next_at(self) -> datetime | None:
        """Return when the next one is due; None when all were handed out."""
        heads = [p.at for p in self.publications[self._said : self._said + 1]]
        heads += [p.at for p in self.poison[self._poisoned : self._poisoned + 1]]
        return min(heads, default=None)

    def take(self, until: datetime) -> Batch:
        """Return what is due up to and including `until`."""
        first, bad = self._said, self._poisoned
        while self._said < len(self.publications) and self.publications[self._said].at <= until:
            self._said += 1
        while self._poisoned < len(self.poison) and self.poison[self._poisoned].at <= until:
            self._poisoned += 1
        return Batch(self.publications[first : self._said], self.poison[bad : self._poisoned])
