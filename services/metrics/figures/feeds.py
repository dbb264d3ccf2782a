"""Publishers and carriers: when each was last heard, how much it said, and whether it is silent.

The predictor tells it on `feeds`, with each tick: of each feed and partition when it was last heard and
how many events it has said there in all.  Who publishes names itself, so names are bounded: the first to
come have series of their own, all others share one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from services.contracts import feed_metrics as names
from services.contracts.metric import Metric
from services.contracts.stream import FeedMark, FeedResumed, FeedSilent, TickMark
from services.metrics.figures.measures import Latest, Measured, Tally

MOST_NAMED = 20
"""Publishers with series of their own; as many carriers, and as many silent feeds."""

MOST_MARKS = 20_000
"""Feeds of a partition whose count is remembered.  Beyond it the least lately told of goes, and is counted
anew from its whole count should it come back; one that has a series of its own stays."""

OTHER = "other"


class FeedPlace(NamedTuple):
    """One feed in one partition."""

    feed: str
    partition: int


class Told(NamedTuple):
    """What was said of a feed last: at which tick, and its count or whether it is silent."""

    tick: int
    value: int


@dataclass(slots=True)
class Voices:
    """The feeds of one sort, as `publisher:`."""

    heard: Latest = field(default_factory=Latest)
    events: Tally = field(default_factory=Tally)
    named: dict[str, None] = field(default_factory=dict)
    """Those with series of their own, by when they came."""
    marks: dict[FeedPlace, Told] = field(default_factory=dict)
    """How many events each had said; the least lately told of first."""

    def take(self, name: str, mark: FeedMark) -> None:
        """Take in what is said of the feed of this name."""
        if name not in self.named and len(self.named) < MOST_NAMED:
            self.named[name] = None
        label = (name if name in self.named else OTHER,)
        place = FeedPlace(name, mark.partition)
        before = self.marks.get(place, Told(-1, 0))
        if mark.tick < before.tick:
            return
        # Fewer than before: the predictor had forgotten it meanwhile, and counts from 0 again.
        new = mark.events - (before.value if mark.events >= before.value else 0)
        self.marks.pop(place, None)
        self.marks[place] = Told(mark.tick, mark.events)
        self.events.add(label, new)
        self.heard.hear(label, mark.heard_at)
        self._bound()

    def _bound(self) -> None:
        if len(self.marks) > MOST_MARKS:
            gone = next((place for place in self.marks if place.feed not in self.named), None)
            if gone is not None:
                del self.marks[gone]

    def measured(self, heard: Metric, events: Metric) -> Iterator[Measured]:
        """Return when each was heard, and how much it said, as these metrics."""
        yield heard, self.heard
        yield events, self.events


@dataclass(slots=True)
class Feeds:
    """Every feed told of."""

    publishers: Voices = field(default_factory=Voices)
    carriers: Voices = field(default_factory=Voices)
    silent: dict[str, int] = field(default_factory=dict)
    """Feed → the tick at which its silence was told."""
    resumed: dict[str, int] = field(default_factory=dict)
    """Feed → the tick at which it was heard again; kept for what is told twice, and bounded."""

    def take(self, record: FeedMark | TickMark | FeedSilent | FeedResumed) -> None:
        """Take in one record of `feeds`; twice is as good as once."""
        match record:
            case FeedMark():
                sort, _, name = record.feed.partition(":")
                if sort == "publisher":
                    self.publishers.take(name, record)
                elif sort == "carrier":
                    self.carriers.take(name, record)
            case FeedSilent() if record.tick > self.resumed.get(record.feed, -1):
                self.silent[record.feed] = max(record.tick, self.silent.get(record.feed, -1))
            case FeedResumed():
                self._resume(record)

    def measured(self) -> Iterator[Measured]:
        """Return what is known of publishers, carriers and silent feeds."""
        yield from self.publishers.measured(names.PUBLISHER_HEARD, names.PUBLISHER_EVENTS)
        yield from self.carriers.measured(names.CARRIER_HEARD, names.CARRIER_EVENTS)
        yield names.FEED_SILENT, self._silent_now()

    def _resume(self, record: FeedResumed) -> None:
        tick = max(record.tick, self.resumed.pop(record.feed, -1))
        self.resumed[record.feed] = tick
        if tick > self.silent.get(record.feed, tick):
            del self.silent[record.feed]
        if len(self.resumed) > MOST_MARKS:
            del self.resumed[next(iter(self.resumed))]

    def _silent_now(self) -> Tally:
        feeds = sorted(self.silent)
        now = Tally({(OTHER,): len(feeds[MOST_NAMED:])})
        for feed in feeds[:MOST_NAMED]:
            now.add((feed,))
        return now
