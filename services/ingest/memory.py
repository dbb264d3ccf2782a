"""Which events this replica published lately, and where they lie.  Pure: the time is an argument.

Bounded by entries and by age, so it is best effort and never the last word: the predictor's is.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from services.contracts.envelope import Event
from services.contracts.topics import Topic
from services.ingest.records import Acknowledged

_DIGEST_BYTES = 16
_UNTRACED: Mapping[str, None] = {"traceparent": None, "tracestate": None}


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of one event."""

    digest: bytes
    topic: Topic
    place: Acknowledged | None
    """Where the broker has it; None: it did not say, so that a repeat is published again."""


class Memory:
    """Source and id → what became of the event; the oldest go first.  For one thread only."""

    def __init__(self, max_events: int, max_age_seconds: float) -> None:
        """Know nothing yet.  With no room for an event nothing is ever remembered."""
        self._max_events = max_events
        self._max_age_seconds = max_age_seconds
        self._known: OrderedDict[bytes, tuple[float, Remembered]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    @property
    def is_on(self) -> bool:
        """Whether anything is remembered at all."""
        return self._max_events > 0

    def find(self, name: bytes, now: float) -> Remembered | None:
        """Return what is known of the event of this name; None: nothing, or no longer.

        Args:
            name: As `name_of` gives it.
            now: Seconds of a clock that never runs backwards, the same as in `keep`.
        """
        found = self._known.get(name)
        return None if found is None or self._is_over(found[0], now) else found[1]

    def keep(self, name: bytes, remembered: Remembered, now: float) -> None:
        """Remember this of the event of this name from now on, in place of what was known."""
        self._known.pop(name, None)
        self._known[name] = now, remembered
        # What is not asked for again must not stay either; each call takes out more than it puts in.
        for _ in range(2):
            if self._known and self._has_to_go(next(iter(self._known.values()))[0], now):
                self._known.popitem(last=False)

    def _has_to_go(self, kept_at: float, now: float) -> bool:
        return len(self._known) > self._max_events or self._is_over(kept_at, now)

    def _is_over(self, kept_at: float, now: float) -> bool:
        return now - kept_at >= self._max_age_seconds


def name_of(source: str, event_id: str) -> bytes:
    """Return the name under which an event is remembered; of one size, however long its id is."""
    return _digest(f"{source}\x00{event_id}".encode())


def digest_of(event: Event[Any], encoded: bytes) -> bytes:
    """Return what two tellings of one event have in common.

    The trace is left out: a publisher's tracing gives each attempt its own.

    Args:
        event: The event.
        encoded: The same as a record holds it.
    """
    if event.traceparent is None and event.tracestate is None:
        return _digest(encoded)
    return _digest(event.model_copy(update=_UNTRACED).encode())


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()
