"""Folding the topics: (state, topic, partition, record) → state.  No clock, no I/O.

Idempotent and free of order across topics: facts are kept by business id (order, problem, survey,
account), the earliest of two instants wins, and what is merely counted (decisions, contacts, dead
letters) is remembered by its identity.  `events` alone counts records, a repeat being one more.

The state is changed in place and returned: a copy for each record would cost the size of the state.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeAlias

import msgspec

from services.contracts.envelope import Event
from services.contracts.stream import (
    Account,
    Barrier,
    FeedMark,
    FeedResumed,
    FeedSilent,
    Tick,
    TickMark,
)
from services.contracts.topics import OUTREACH, Topic
from services.metrics.figures.pipeline import UNREADABLE, DeadLetter
from services.metrics.state import State

SETTLING_TIME = timedelta(minutes=1)
"""Without barriers: how long after an instant what was said at it may take to reach its topic.  An
outbox is published within seconds; what comes later still is counted anew and the old withdrawn."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A record this service cannot read."""

    reason: str


_Text = Annotated[str, msgspec.Meta(min_length=1)]


class Envelope(msgspec.Struct, frozen=True):
    """An event whose content no figure needs."""

    id: _Text
    source: _Text
    type: _Text
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    partitionkey: _Text


FeedRecord: TypeAlias = FeedMark | TickMark | FeedSilent | FeedResumed
Record: TypeAlias = (
    Event[Any] | Envelope | Barrier | Tick | FeedRecord | Account | DeadLetter | Unread
)


def fold(state: State, topic: Topic, partition: int, record: Record) -> State:
    """Return the state with this record of this partition folded in."""
    match record:
        case Event():
            state.pipeline.count(topic, record.type)
            state.fold(partition, record)
        case Envelope():
            state.pipeline.count(topic, record.type)
        case Barrier() if topic is OUTREACH:
            # Outreach echoes a barrier behind everything it had to say for that instant.
            _mark(state, partition, record.at)
        case Tick() if record.barrier is None:
            _mark(state, partition, record.at - SETTLING_TIME)
        case _:
            _fold_of_the_pipeline(state, topic, partition, record)
    return state


def _fold_of_the_pipeline(state: State, topic: Topic, partition: int, record: Record) -> None:
    match record:
        case Account():
            state.pipeline.account(record)
        case DeadLetter():
            state.pipeline.dead_letter(topic, partition, record)
        case Unread():
            state.pipeline.count(topic, UNREADABLE)
        case FeedMark() | TickMark() | FeedSilent() | FeedResumed():
            state.feeds.take(record)
        case _:
            pass


def _mark(state: State, partition: int, until: datetime) -> None:
    known = state.marks.get(partition)
    if known is None or until > known:
        state.marks[partition] = until
