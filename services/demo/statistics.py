"""Quantiles and intervals for the report.  Pure."""

import math
from collections.abc import Sequence

_Z95 = 1.959963984540054


def quantile(values: Sequence[float], q: float) -> float | None:
    """Return the q-quantile by linear interpolation between order statistics; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def wilson(successes: int, trials: int) -> tuple[float, float] | None:
    """Return Wilson's 95 % score interval of a share; None without trials.

    Source: Wilson, JASA 22 (1927), 209-212.
    """
    if trials == 0:
        return None
    share, square = successes / trials, _Z95**2
    centre = share + square / (2 * trials)
    margin = _Z95 * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    scale = 1 + square / trials
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)
