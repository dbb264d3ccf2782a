"""Who is heard through an event, and what one partition has to say of it at a tick."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.churn_predictor.expectations.watch import (
    carrier_feed,
    is_publisher,
    publisher_feed,
    scans_feed,
)
from services.churn_predictor.feed_rhythm import Rhythm
from services.churn_predictor.learning import IN_HAND
from services.churn_predictor.state import FeedState
from services.contracts.deliveries import (
    PromiseSource,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentHandedOver,
    ShipmentPromised,
)
from services.contracts.envelope import Event
from services.contracts.stream import FeedMark, Tick, TickMark
from services.contracts.topics import HORIZON

MAX_FEEDS = 1_000
"""How many feeds one partition remembers, and of how many it knows the rhythm: both are written with each
commit."""

ITSELF = ""
"""The voice of a publisher that does not speak for a carrier."""


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
        return fact.carrier or ITSELF
    if isinstance(fact, ShipmentPromised) and fact.promise_source is PromiseSource.CARRIER:
        return None
    return None if isinstance(fact, ShipmentHandedOver) else ITSELF


def hear(feeds: dict[str, FeedState], event: Event[Any]) -> None:
    """Note who is heard through this event, and for whom its publisher speaks."""
    for name in feeds_of(event):
        feed = feeds.setdefault(name, FeedState(event.time))
        feed.heard_at = max(feed.heard_at, event.time)
        feed.events += 1
        feed.changed = True
    if (voice := voice_of(event)) is not None:
        feeds[publisher_feed(event.source)].speak_for(voice)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Nothing is known any more of what stood under this key of the feeds topic."""

    key: str
    is_crowded_out: bool = False
    """Whether there were too many; else it was not heard for the horizon."""


def forget(feeds: dict[str, FeedState], partition: int, now: datetime) -> list[Forgotten]:
    """Drop the feeds that are remembered no longer, and return what takes their marks back."""
    for feed in feeds.values():
        # A date ahead of now was heard now: else one event would keep a dead feed alive.
        feed.heard_at = min(feed.heard_at, now)
    gone = {name: feeds.pop(name) for name in to_forget(feeds, now)}
    return [
        Forgotten(FeedMark.key_of(name, partition), is_crowded_out=feed.heard_at >= now - HORIZON)
        for name, feed in gone.items()
    ]


def marks(
    feeds: Mapping[str, FeedState], partition: int, tick: Tick, layouts: tuple[int, ...] = ()
) -> list[FeedMark | TickMark]:
    """Return what this partition has to say of its feeds at this tick, and count that as said."""
    said: list[FeedMark | TickMark] = []
    for name, feed in sorted(feeds.items()):
        if feed.changed:
            feed.changed = False
            mark = FeedMark(
                feed=name,
                partition=partition,
                tick=tick.number,
                heard_at=feed.heard_at,
                events=feed.events,
                voices=feed.voices,
            )
            said.append(mark)
    return [*said, TickMark(partition=partition, tick=tick.number, at=tick.at, layouts=layouts)]


def to_forget(feeds: Mapping[str, FeedState | Rhythm], now: datetime) -> list[str]:
    """Return the feeds not heard for the horizon, and of more than are remembered those crowded out.

    Publishers first, who may name themselves anew with each event; of these the least lately heard.
    """
    old = sorted(name for name, feed in feeds.items() if feed.heard_at < now - HORIZON)
    surplus = len(feeds) - len(old) - MAX_FEEDS
    if surplus <= 0:
        return old
    kept = (name for name, feed in feeds.items() if feed.heard_at >= now - HORIZON)
    return old + sorted(kept, key=lambda n: (not is_publisher(n), feeds[n].heard_at, n))[:surplus]
