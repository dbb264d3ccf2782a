"""The experience ledger: what became of promises, surveys and contacts, weighed at one instant.

One entry that nobody made good outweighs many that went well, and all of them fade.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

STRIKES = 3


class EntryKind(StrEnum):
    """What happened."""

    PROMISE_KEPT = "promise_kept"
    """Above all: delivered in time."""
    SURVEY_GOOD = "survey_good"
    CONTACT_ANSWERED = "contact_answered"
    """The customer's first word, in time."""
    PROMISE_BROKEN = "promise_broken"
    SURVEY_POOR = "survey_poor"
    CONTACT_UNANSWERED = "contact_unanswered"
    CONTACT_REOPENED = "contact_reopened"
    PAYMENT_FAILED = "payment_failed"
    REFUND_LATE = "refund_late"

    @property
    def is_good(self) -> bool:
        """Whether it speaks for us."""
        return self in _GOOD


_GOOD = frozenset({EntryKind.PROMISE_KEPT, EntryKind.SURVEY_GOOD, EntryKind.CONTACT_ANSWERED})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    at: datetime
    kind: EntryKind
    weight: float = 1.0
    resolved_at: datetime | None = None
    """When a bad one was made good; None: it was not.  Says nothing about a good one."""

    def __post_init__(self) -> None:
        """Refuse a weight that is no size.

        Raises:
            ValueError: it is not above 0, or not finite.
        """
        if not (self.weight > 0 and math.isfinite(self.weight)):
            raise ValueError(f"an entry's weight is above 0 and finite, not {self.weight}")


@dataclass(frozen=True, slots=True)
class Experience:
    """What the ledger says at one instant."""

    balance: float
    """Good entries, less `ratio` times the unresolved bad ones, each faded with its age."""
    unresolved: int
    """Bad entries nobody has made good."""
    strikes_left: int
    """How many of `STRIKES` are left after the unresolved ones younger than a half-life."""


def experience(
    entries: Iterable[Entry], now: datetime, half_life: timedelta, ratio: float
) -> Experience:
    """Return what these entries add up to at `now`, in any order.

    An entry, and the resolution of one, counts from its instant on.  What is one half-life old
    weighs half, and is no strike any more.  A bad entry that was resolved counts nothing.
    """
    known = [entry for entry in entries if entry.at <= now]
    good = [entry for entry in known if entry.kind.is_good]
    bad = [entry for entry in known if not entry.kind.is_good and not _is_resolved(entry, now)]
    weights = [_faded(entry, now, half_life) for entry in good]
    weights += [-ratio * _faded(entry, now, half_life) for entry in bad]
    strikes = sum(now - entry.at < half_life for entry in bad)
    return Experience(math.fsum(weights), len(bad), max(0, STRIKES - strikes))


def _is_resolved(entry: Entry, now: datetime) -> bool:
    return entry.resolved_at is not None and entry.resolved_at <= now


def _faded(entry: Entry, now: datetime, half_life: timedelta) -> float:
    return entry.weight * math.exp2(-((now - entry.at) / half_life))
