"""What a publisher would send, held against what it promises: ids, repeats, keys, types, freshness.  Pure."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from services.contracts.envelope import Event
from services.contracts.topics import HORIZON
from services.ingest.memory import digest_of
from services.ingest.reading import Readable, Reading

_KEYS_OF_ONE = ("order_id", "shipment_id", "contact_id", "refund_id", "return_id", "payment_id")
"""What belongs to one customer for as long as it lives."""


class Rule(StrEnum):
    """What is asked of a publisher's own events."""

    REFUSED = "refused"
    """The door would not take it."""
    CONFLICT = "conflict"
    """The same source and id with another content: one of them would be lost as a repeat."""
    NEW_ID = "new_id"
    """The same fact under another id: it would count twice.  An id names the fact, not the attempt."""
    TWO_CUSTOMERS = "two_customers"
    """One order, parcel or contact of two customers: what is known of it would be torn apart."""
    TOO_OLD = "too_old"
    """Older than facts live: counted as late, and nothing is learned from it."""
    ABSENT = "absent"
    """A type that is to be published does not occur."""
    STALE = "stale"
    """A source whose latest event is older than was asked for."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing wrong."""

    rule: Rule
    place: str
    """Where in what was given; empty: nowhere in particular."""
    detail: str


@dataclass(slots=True)
class OfSource:
    """What one source says."""

    events: int = 0
    """Without repeats."""
    repeats: int = 0
    oldest: datetime | None = None
    latest: datetime | None = None
    types: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Review:
    """Remembers a digest of each event; what it says goes in by `read`, what is wrong comes out."""

    now: datetime
    sources: dict[str, OfSource] = field(default_factory=dict)
    _contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    _facts: dict[bytes, str] = field(default_factory=dict)
    _owners: dict[tuple[str, str], str] = field(default_factory=dict)

    def read(self, place: str, reading: Reading) -> Iterator[Found]:
        """Yield what is wrong with one event, beside what came before it.

        Args:
            place: How it is called where something is.
            reading: What the door would say of it.
        """
        if not isinstance(reading, Readable):
            faults = "; ".join(f"{f.pointer or '/'}: {f.detail}" for f in reading.faults)
            yield Found(Rule.REFUSED, place, faults)
            return
        event = reading.event
        source = self.sources.setdefault(event.source, OfSource())
        # As the door compares them: each attempt may have a trace of its own.
        content = digest_of(event, event.encode())
        known = self._contents.setdefault((event.source, event.id), content)
        if known is not content:
            if known == content:
                source.repeats += 1
            else:
                yield Found(Rule.CONFLICT, place, "/id: it was used before, for something else")
            return
        _count(source, event)
        yield from self._beside_others(place, event)

    def end(self, wanted: Collection[str], fresh: timedelta | None) -> Iterator[Found]:
        """Yield what is missing, once everything was read.

        Args:
            wanted: Types that must occur.
            fresh: How old the latest event of each source may be; None: as it likes.
        """
        told = {name for source in self.sources.values() for name in source.types}
        for name in wanted:
            if name not in told:
                yield Found(Rule.ABSENT, "", f"no {name} among the events")
        for name, source in self.sources.items():
            if fresh is not None and source.latest is not None and self.now - source.latest > fresh:
                yield Found(
                    Rule.STALE, "", f"{name}: the latest event is {self.now - source.latest} old"
                )

    def _beside_others(self, place: str, event: Event[Any]) -> Iterator[Found]:
        fact = _digest(
            event.model_dump_json(include={"type", "time", "partitionkey", "data"}).encode()
        )
        before = self._facts.setdefault(fact, event.id)
        if before != event.id:
            yield Found(Rule.NEW_ID, place, "the same fact was told before under another id")
        if event.time < self.now - HORIZON:
            yield Found(Rule.TOO_OLD, place, f"/time: older than {HORIZON.days} days")
        for name in _KEYS_OF_ONE:
            value = getattr(event.data, name, None)
            if value is None:
                continue
            if self._owners.setdefault((name, value), event.customer_id) != event.customer_id:
                yield Found(
                    Rule.TWO_CUSTOMERS, place, f"/data/{name}: another customer had it before"
                )


def _count(source: OfSource, event: Event[Any]) -> None:
    source.events += 1
    source.types[event.type] += 1
    source.oldest = min(source.oldest or event.time, event.time)
    source.latest = max(source.latest or event.time, event.time)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
