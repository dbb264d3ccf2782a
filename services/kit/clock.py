"""The only place that reads the machine's clock."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells what time it is for this deployment."""

    def now(self) -> datetime:
        """Return the time, zone-aware; raises `NoTimeYet` before the first tick of simulated time."""
        ...


class NoTimeYet(Exception):
    """Simulated time has not begun: no tick was read so far."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds that never run backwards, for measuring durations only."""
    return time.monotonic()


def epoch_seconds() -> float:
    """Return the machine's time as seconds since 1970."""
    return time.time()


def epoch_nanoseconds() -> int:
    """Return the machine's time as nanoseconds since 1970, as spans are dated."""
    return time.time_ns()
