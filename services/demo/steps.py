"""How simulated time advances: on a grid, over empty stretches, never too far at once.  Pure."""

import math
from datetime import datetime, timedelta

from services.contracts.topics import MAX_FUTURE_SKEW

MAX_LEAP = MAX_FUTURE_SKEW / 2
"""Longest way from one tick to the next.  The door refuses events too far ahead of the last tick it
has read, and it may be one tick behind: two leaps must fit into what it allows."""

SHORTEST_STEP = timedelta(minutes=1)


def check_step(step: timedelta) -> timedelta:
    """Return the step; ValueError where it is too short to be worth it or too long for the door."""
    if not SHORTEST_STEP <= step <= MAX_LEAP:
        raise ValueError(f"a step lasts from {SHORTEST_STEP} to {MAX_LEAP}, not {step}")
    return step


def next_tick(
    now: datetime, due: datetime | None, *, start: datetime, end: datetime, step: timedelta
) -> datetime:
    """Return the instant of the next tick: the first one on the grid that is not before `due`.

    Args:
        now: The last tick.
        due: When something happens next; None: nothing until the end.
        start: Where the grid begins.
        end: Nothing is due after it; the last tick is the first on the grid not before it.
        step: The grid's width.
    """
    target = min(due, end) if due is not None else end
    leap = max(step, min(_grid(target, start, step) - now, _whole(MAX_LEAP, step)))
    return now + leap


def _grid(moment: datetime, start: datetime, step: timedelta) -> datetime:
    return start + step * math.ceil((moment - start) / step)


def _whole(length: timedelta, step: timedelta) -> timedelta:
    return step * (length // step)
