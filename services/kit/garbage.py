"""Python's search for garbage in cycles, for a process that remembers much and leaves hardly any."""

import gc

_COLLECTION = (50_000, 20, 100)
"""Objects made and not freed until the youngest are looked at; how many such looks to one at the older."""


def look_seldom() -> None:
    """Look for cycles seldom, and never at what is there by now.

    With Python's own thresholds each look goes through hundreds of thousands of remembered objects again:
    a fifth of the time of a single event at the door, a quarter of one that is folded into figures.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECTION)
