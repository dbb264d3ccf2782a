"""When every feed was last heard in any partition, exactly as known at a given tick."""

from collections import deque
from datetime import datetime

from pydantic import ValidationError

from services.churn_predictor.problems import Heard
from services.contracts.stream import FEED_RECORD, FeedMark, TickMark

_KEPT_TICKS = 8
"""How many marks of a feed are kept per partition: partitions are at most a few ticks apart."""


class HeardFeeds:
    """Collects the marks of all partitions; answers for a tick, not for now."""

    def __init__(self, partitions: int) -> None:
        self._done: list[int] = [-1] * partitions
        self._marks: dict[tuple[str, int], deque[tuple[int, datetime]]] = {}

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
        else:
            self._mark(record)

    def complete(self, tick: int) -> bool:
        """Whether every partition has said all it knew at this tick."""
        return all(done >= tick for done in self._done)

    def as_of(self, tick: int) -> Heard:
        """Return feed → when it was last heard, by what was said up to and including this tick."""
        heard: dict[str, datetime] = {}
        for (feed, _), marks in self._marks.items():
            for said_at, heard_at in marks:
                if said_at <= tick and (feed not in heard or heard_at > heard[feed]):
                    heard[feed] = heard_at
        return heard

    def _mark(self, mark: FeedMark) -> None:
        marks = self._marks.setdefault((mark.feed, mark.partition), deque(maxlen=_KEPT_TICKS))
        marks.append((mark.tick, mark.heard_at))
