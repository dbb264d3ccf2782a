"""What is to be looked at once a whole hour is over, so that settling looks at nothing else.

Windows of days are judged by whole hours: at most an hour later than they close, and a settlement each
second costs nothing but once an hour.  Hours are counted from 1970 in UTC.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

HOUR_SECONDS = 3600
SLACK = timedelta(days=30)
"""How long after its window closed something told late still changes what was judged; as long as
`purchases` and `contacts` are kept.  Then it is forgotten, and what was counted of it stays."""

K = TypeVar("K")


def hour_of(at: datetime) -> int:
    """Return the number of the hour in which this instant lies."""
    return int(at.timestamp()) // HOUR_SECONDS


def hours_over(until: datetime) -> int:
    """Return the number of the first hour that is not over yet; those below it are."""
    return hour_of(until)


@dataclass(slots=True)
class Agenda(Generic[K]):
    """Hour → what may have changed once it is over.  Whoever is told of it looks at the facts again."""

    hours: dict[int, list[K]] = field(default_factory=dict)

    def add(self, hour: int, key: K) -> None:
        """Ask to be told of this key once the hour is over."""
        self.hours.setdefault(hour, []).append(key)

    def take(self, over: int) -> Iterator[K]:
        """Yield what was asked for in the hours that are over, earliest first, and forget it."""
        for hour in sorted(hour for hour in self.hours if hour < over):
            yield from self.hours.pop(hour)
