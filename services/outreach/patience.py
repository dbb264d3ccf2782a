"""How much of a customer's patience a contact uses up: windows, weights of classes, room left.  Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.contracts.people import MessageClass

WEIGHTS: Mapping[MessageClass, int] = {
    MessageClass.SAFETY: 0,
    MessageClass.SERVICE: 1,
    MessageClass.CARE: 1,
    # Nobody asked for it, so it tires twice as much.
    MessageClass.PROMOTIONAL: 2,
}
"""How much room a contact of each class takes.  A safety message takes none."""

OBEYING = frozenset({MessageClass.SERVICE, MessageClass.CARE, MessageClass.PROMOTIONAL})
"""Classes that need room; a safety message goes out whatever was sent before."""


class Calendar(StrEnum):
    """A window on the customer's own calendar."""

    DAY = "day"
    WEEK = "week"
    """From Monday on."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `contacts`, weighed, in any window of a length, or in one day or week of the calendar."""

    contacts: int
    """At least one: what is not to be sent at all is a matter of classes and consent."""
    window: timedelta | Calendar
    classes: frozenset[MessageClass] = OBEYING
    """To which it applies, and which it counts."""

    def __str__(self) -> str:
        """What is recorded of it."""
        if isinstance(self.window, Calendar):
            return f"{self.contacts} a calendar {self.window}"
        return f"{self.contacts} in {int(self.window.total_seconds() // 3600)} h"

    @property
    def length(self) -> timedelta:
        """How long the window is at most: a day on which clocks are put back has an hour more."""
        if isinstance(self.window, timedelta):
            return self.window
        return timedelta(days=7 if self.window is Calendar.WEEK else 1, hours=1)

    def begins(self, at: datetime, zone: ZoneInfo) -> datetime:
        """Return the instant behind which the window that ends at `at` lies; itself not in it."""
        if isinstance(self.window, timedelta):
            return at - self.window
        today = at.astimezone(zone).date()
        first = today - timedelta(days=today.weekday() if self.window is Calendar.WEEK else 0)
        midnight = datetime.combine(first, time(), zone).astimezone(UTC)
        # Midnight itself belongs to the day it begins.
        return midnight - timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Spent:
    """One contact there was, or will be."""

    at: datetime
    message_class: MessageClass


@dataclass(frozen=True, slots=True)
class Patience:
    """What a deployment's customers put up with."""

    limits: tuple[Limit, ...] = (Limit(1, timedelta(hours=24)), Limit(3, timedelta(days=7)))
    weights: Mapping[MessageClass, int] = field(default_factory=lambda: dict(WEIGHTS))
    obeying: frozenset[MessageClass] = OBEYING

    @property
    def longest(self) -> timedelta:
        """How far back contacts must be known."""
        return max(limit.length for limit in self.limits)

    def exceeded(
        self, spent: Iterable[Spent], one_more: Spent, zone: ZoneInfo
    ) -> tuple[Limit, int] | None:
        """Return the first limit without room for one more, and what is used of it; None: there is room.

        Args:
            spent: The contacts there were.
            one_more: The contact to find room for.
            zone: Where the customer's calendar days begin.
        """
        if one_more.message_class not in self.obeying:
            return None
        past = tuple(spent)
        for limit in self.limits:
            if one_more.message_class not in limit.classes:
                continue
            used = self._used(limit, past, one_more.at, zone)
            # An empty window has room for one, however much that weighs.
            if used and used + self.weights[one_more.message_class] > limit.contacts:
                return limit, used
        return None

    def _used(self, limit: Limit, spent: Iterable[Spent], at: datetime, zone: ZoneInfo) -> int:
        begins = limit.begins(at, zone)
        return sum(
            self.weights[contact.message_class]
            for contact in spent
            if begins < contact.at <= at and contact.message_class in limit.classes
        )
