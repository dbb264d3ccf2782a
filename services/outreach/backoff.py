"""When to try again what was surely not taken.  Pure: chance is derived from the step's own id."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

_JITTER = 0.5
"""Up to this share is added, so that a recovered server does not meet everybody at once."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How patiently a message is offered again."""

    first: timedelta
    longest: timedelta
    attempts: int | None
    """None: as often as fits before the use-by."""
    room: timedelta = timedelta(0)
    """Left before the use-by: for whoever is busy just then, and for another channel after it."""

    def next_attempt(
        self, now: datetime, attempt: int, use_by: datetime, step_id: UUID
    ) -> datetime | None:
        """Return when to try again after this many attempts, or None when it is not worth it."""
        if self.attempts is not None and attempt >= self.attempts:
            return None
        wait = min(self.first * 2 ** min(attempt - 1, 30), self.longest)
        at = now + wait + wait * _JITTER * _share(step_id, attempt)
        return at if at + self.room <= use_by else None


PATIENT = Backoff(
    first=timedelta(seconds=30),
    longest=timedelta(hours=1),
    attempts=None,
    room=timedelta(seconds=10),
)
"""For real time: a server may be away for hours."""

AT_ONCE = Backoff(first=timedelta(0), longest=timedelta(0), attempts=3)
"""For simulated time, which does not pass while a message is offered."""


def _share(step_id: UUID, attempt: int) -> float:
    """Return a number from 0 to 1 that differs between steps and attempts, and never changes."""
    return ((step_id.int + attempt * 0x9E3779B97F4A7C15) % 2**32) / 2**32
