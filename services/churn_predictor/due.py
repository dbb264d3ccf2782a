"""When to look at whom: a heap whose stale entries are dropped as they surface."""

import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime

_STALE = 64
"""Stale entries that are always allowed; beside them as many as there are live ones."""


class DueIndex:
    """Each customer's next instant; planning a new one replaces the old.

    A look costs what is due costs, whatever the number of those who are not.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []
        self._at: dict[str, datetime] = {}

    def __len__(self) -> int:
        return len(self._at)

    def plan(self, customer_id: str, at: datetime | None) -> None:
        """Look at this customer at `at`, or not again (None)."""
        if at is None:
            self._at.pop(customer_id, None)
        elif self._at.get(customer_id) != at:
            self._at[customer_id] = at
            heapq.heappush(self._heap, (at, customer_id))
            if len(self._heap) > 2 * len(self._at) + _STALE:
                self._heap = [(at, customer_id) for customer_id, at in self._at.items()]
                heapq.heapify(self._heap)

    def take(self, now: datetime) -> set[str]:
        """Remove and return everybody who is due at `now`."""
        due: set[str] = set()
        while (first := self._first()) is not None and first[0] <= now:
            heapq.heappop(self._heap)
            del self._at[first[1]]
            due.add(first[1])
        return due

    def take_first(self) -> str | None:
        """Remove and return whoever is due first, of several the one whose id is least; or None."""
        if (first := self._first()) is None:
            return None
        heapq.heappop(self._heap)
        del self._at[first[1]]
        return first[1]

    def next(self) -> datetime | None:
        """Return the earliest instant at which anybody is due, or None."""
        first = self._first()
        return None if first is None else first[0]

    def _first(self) -> tuple[datetime, str] | None:
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None


class WaitIndex:
    """Who waits for which feed to be heard: a look costs what the heard feeds free, not who waits."""

    def __init__(self) -> None:
        self._waiting: dict[str, DueIndex] = {}
        self._feeds: dict[str, frozenset[str]] = {}

    def __len__(self) -> int:
        return sum(len(index) for index in self._waiting.values())

    def plan(self, customer_id: str, waits: Mapping[str, datetime]) -> None:
        """Look at this customer once a feed is heard at or after its instant; the old plan is void."""
        for feed in self._feeds.pop(customer_id, frozenset()) - waits.keys():
            if (index := self._waiting.get(feed)) is not None:
                index.plan(customer_id, None)
                self._drop_if_empty(feed)
        for feed, heard_from in waits.items():
            self._waiting.setdefault(feed, DueIndex()).plan(customer_id, heard_from)
        if waits:
            self._feeds[customer_id] = frozenset(waits)

    def take(self, heard: Mapping[str, datetime]) -> Iterator[str]:
        """Remove and yield everybody for whom one of these feeds was heard late enough."""
        for feed in self._waiting.keys() & heard.keys():
            yield from self._waiting[feed].take(heard[feed])
            self._drop_if_empty(feed)

    def _drop_if_empty(self, feed: str) -> None:
        if not len(self._waiting[feed]):
            del self._waiting[feed]


def earliest(*moments: datetime | None) -> datetime | None:
    """Return the earliest of these moments; None: there is none."""
    return min((at for at in moments if at is not None), default=None)
