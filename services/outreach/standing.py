"""What the topic says of a send, folded: the furthest it got counts, a repetition changes nothing.  Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.contracts.envelope import Event
from services.contracts.outreach import (
    Mode,
    Outcome,
    OutreachCorrected,
    OutreachDecided,
    OutreachFailed,
    OutreachSent,
    OutreachStarted,
    OutreachUnknown,
    OutreachWithdrawn,
)
from services.contracts.people import Channel


class State(StrEnum):
    """Where a send stands."""

    PENDING = "pending"
    STARTED = "started"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"


_OPEN = (State.PENDING, State.STARTED)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one send stands."""

    state: State
    attempt: int
    channel: Channel | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    reason: str | None = None


def is_queued(fact: OutreachDecided) -> bool:
    """Return whether a send was queued with this decision."""
    return fact.outcome is Outcome.CONTACT and fact.mode is not Mode.SHADOW


def after(before: Standing, event: Event[Any]) -> Standing:
    """Return where the send stands once this is known; the same, where it was known.

    A start whose outcome was deferred is said by nothing but the next start, so a send that the ledger
    has put back among the pending ones with this attempt knows of it.
    """
    match event.data:
        case OutreachStarted():
            return _started(before, event)
        case OutreachSent() | OutreachCorrected():
            is_news = before.state is not State.SENT
            return _ended(before, event, State.SENT) if is_news else before
        case OutreachFailed(reason=reason):
            is_news = before.state in (*_OPEN, State.UNKNOWN)
            return _ended(before, event, State.FAILED, reason) if is_news else before
        case OutreachUnknown(attempt=attempt):
            is_news = before.state in _OPEN and attempt >= before.attempt
            return _ended(before, event, State.UNKNOWN, "said on the topic") if is_news else before
        case OutreachWithdrawn(reason=why):
            is_news = before.state in _OPEN
            return _ended(before, event, State.WITHDRAWN, why.value) if is_news else before
    return before


def _started(before: Standing, event: Event[Any]) -> Standing:
    fact = event.data
    if fact.attempt <= before.attempt:
        return before
    state = State.STARTED if before.state in _OPEN else before.state
    return replace(
        before,
        state=state,
        attempt=fact.attempt,
        channel=fact.channel or before.channel,
        started_at=event.time,
    )


def _ended(
    before: Standing, event: Event[Any], state: State, reason: str | None = None
) -> Standing:
    fact = event.data
    return replace(
        before,
        state=state,
        attempt=max(before.attempt, getattr(fact, "attempt", 0)),
        channel=fact.channel or before.channel,
        finished_at=event.time,
        reason=reason,
    )
