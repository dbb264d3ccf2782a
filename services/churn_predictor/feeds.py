"""When every feed was last heard: in one partition, and in any of them as known at a given tick."""

from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from services.churn_predictor.expectations.watch import carrier_feed, publisher_feed, scans_feed
from services.churn_predictor.learning import IN_HAND
from services.churn_predictor.problems import Heard
from services.churn_predictor.silence import Relays
from services.churn_predictor.state import FeedState
from services.contracts.deliveries import (
    PromiseSource,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentHandedOver,
    ShipmentPromised,
)
from services.contracts.envelope import Event
from services.contracts.stream import FEED_RECORD, FeedMark, Tick, TickMark
from services.contracts.topics import HORIZON

_KEPT_TICKS = 8
"""How many marks of a feed are kept per partition: partitions are at most a few ticks apart."""

_ITSELF = ""
"""The voice of a publisher that does not speak for a carrier."""


class HeardFeeds:
    """Collects the marks of all partitions; answers for a tick, not for now."""

    def __init__(self, partitions: int) -> None:
        self._done: list[int] = [-1] * partitions
        self._ticks: list[deque[tuple[int, datetime]]] = [
            deque(maxlen=_KEPT_TICKS) for _ in range(partitions)
        ]
        self._marks: dict[tuple[str, int], deque[FeedMark]] = {}

    def keep(self, value: bytes) -> None:
        """Take in one record of the feeds topic; one that nobody can read is passed over."""
        try:
            record = FEED_RECORD.validate_json(value)
        except ValidationError:
            return
        if record.partition >= len(self._done):
            return
        if isinstance(record, TickMark):
            self._done[record.partition] = max(self._done[record.partition], record.tick)
            self._ticks[record.partition].append((record.tick, record.at))
        elif isinstance(record, FeedMark):
            self._mark(record)

    def complete(self, tick: int) -> bool:
        """Whether every partition has said all it knew at this tick."""
        return all(done >= tick for done in self._done)

    def as_of(self, tick: int) -> Heard:
        """Return feed → when it was last heard, by what was said up to and including this tick."""
        heard: dict[str, datetime] = {}
        for (feed, _), marks in self._marks.items():
            for mark in marks:
                if mark.tick <= tick and (feed not in heard or mark.heard_at > heard[feed]):
                    heard[feed] = mark.heard_at
        return heard

    def relays(self, tick: int, heard: Heard) -> Relays:
        """Return the publishers that only pass on what one carrier says, as far as is known.

        None of which the carrier was heard later through somebody else: there it is not silent as well.

        Args:
            tick: By what was said up to and including this one.
            heard: What `as_of` returns for it.
        """
        voices: dict[str, set[str]] = defaultdict(set)
        for (feed, _), marks in self._marks.items():
            voices[feed].update(next((m.voices for m in reversed(marks) if m.tick <= tick), ()))
        return frozenset(
            feed for feed, of_feed in voices.items() if _is_relay(feed, of_feed, heard)
        )

    def known_at(self, tick: int) -> datetime | None:
        """Return up to when every partition had said what it heard, as of this tick; None: not known.

        A partition that stands still holds this back: its feeds are not silent but unread.
        """
        said = [[at for said_at, at in ticks if said_at <= tick] for ticks in self._ticks]
        return min(map(max, said)) if all(said) else None

    def _mark(self, mark: FeedMark) -> None:
        marks = self._marks.setdefault((mark.feed, mark.partition), deque(maxlen=_KEPT_TICKS))
        marks.append(mark)


def _is_relay(feed: str, voices: set[str], heard: Heard) -> bool:
    if len(voices) != 1 or _ITSELF in voices:
        return False
    (carrier,) = voices
    return heard.get(carrier_feed(carrier), heard[feed]) <= heard[feed]


def feeds_of(event: Event[Any]) -> Iterator[str]:
    """Yield who is heard through this event."""
    yield publisher_feed(event.source)
    fact = event.data
    if isinstance(fact, ShipmentCheckpoint | ShipmentDelivered) and fact.carrier:
        yield carrier_feed(fact.carrier)
    if isinstance(fact, ShipmentCheckpoint) and fact.status in IN_HAND:
        yield scans_feed(fact.carrier)


def voice_of(event: Event[Any]) -> str | None:
    """Return for whom its publisher speaks: a carrier's slug, "" for itself; None: it does not show.

    Hand-overs are told by either side, and a carrier's date is the carrier's whoever passes it on.
    """
    fact = event.data
    if isinstance(fact, ShipmentCheckpoint | ShipmentDelivered):
        return fact.carrier or _ITSELF
    if isinstance(fact, ShipmentPromised) and fact.promise_source is PromiseSource.CARRIER:
        return None
    return None if isinstance(fact, ShipmentHandedOver) else _ITSELF


def hear(feeds: dict[str, FeedState], event: Event[Any]) -> None:
    """Note who is heard through this event, and for whom its publisher speaks."""
    for name in feeds_of(event):
        feed = feeds.setdefault(name, FeedState(event.time))
        feed.heard_at = max(feed.heard_at, event.time)
        feed.events += 1
        feed.changed = True
    if (voice := voice_of(event)) is not None:
        feeds[publisher_feed(event.source)].speak_for(voice)


def marks(feeds: dict[str, FeedState], partition: int, tick: Tick) -> Iterator[FeedMark | TickMark]:
    """Yield what this partition has to say of its feeds at this tick, and forget those of long ago."""
    for name, feed in sorted(feeds.items()):
        if feed.heard_at < tick.at - HORIZON:
            del feeds[name]
        elif feed.changed:
            # A date ahead of now was heard now: else one event would keep a dead feed alive.
            feed.heard_at, feed.changed = min(feed.heard_at, tick.at), False
            yield FeedMark(
                feed=name,
                partition=partition,
                tick=tick.number,
                heard_at=feed.heard_at,
                events=feed.events,
                voices=feed.voices,
            )
    yield TickMark(partition=partition, tick=tick.number, at=tick.at)
