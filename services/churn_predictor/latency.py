"""How long it takes from an event's acceptance until its customer was looked at because of it.

Accepted is an event when its record was made: the Kafka timestamp, which is ingest's own time when it
answers 202, or that of the client of whoever publishes to Kafka.  Decided it is when the tick that looked
at its customer is committed: what that look said is visible from then on, and cannot be lost any more.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

_STEP_MS = 100
"""Events accepted within a tenth of a second are held together: a backlog is a few counts, not a list."""


class Undecided:
    """The events applied in one partition since its last tick, by when they were accepted."""

    def __init__(self) -> None:
        self._accepted: dict[int, int] = {}

    def add(self, timestamp_ms: int) -> None:
        """Note an event accepted then, in milliseconds since 1970; one without a timestamp tells nothing."""
        if timestamp_ms >= 0:
            step = timestamp_ms // _STEP_MS
            self._accepted[step] = self._accepted.get(step, 0) + 1

    def take(self) -> Mapping[float, int]:
        """Return events by when they were accepted (seconds since 1970, up to 0.1 s early); forget them."""
        taken, self._accepted = self._accepted, {}
        return {step * _STEP_MS / 1000: events for step, events in taken.items()}


def waited(
    accepted: Mapping[float, int], since: datetime | None, now: float
) -> Iterable[tuple[float, int]]:
    """Return seconds from acceptance to `now`, and how many events waited for so long.

    Args:
        accepted: Seconds since 1970 → events.
        since: When this deployment's time began in the partition.  What was accepted before is its past,
            which nobody was there to decide about; None: it has not begun.
        now: Seconds since 1970.
    """
    if since is None:
        return ()
    began = since.timestamp()
    return [(max(0.0, now - at), events) for at, events in accepted.items() if at >= began]
