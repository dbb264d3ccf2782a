"""Which of several ids is the customer: one rule for everybody who reads `identities`.  Pure.

Of several merges of one id the first that was told counts, so an id goes to one other at most.  The id that
stays is where the way ends; where it goes round in a circle, the least id of that.

All merges of one id are in one partition, in one order: whoever reads them comes to the same, whatever is
told of other ids meanwhile.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Merge:
    """The word of somebody that an id is another name of one that stays."""

    goes: str
    stays: str
    at: datetime


def that_count(merges: Iterable[Merge]) -> dict[str, Merge]:
    """Return id → the merge that sends it away.

    Args:
        merges: Those of one id in the order in which they were told.
    """
    counting: dict[str, Merge] = {}
    for merge in merges:
        if merge.goes != merge.stays:
            counting.setdefault(merge.goes, merge)
    return counting


def who_stays(name: str, counting: Mapping[str, Merge]) -> str:
    """Return the id of the customer who is known by this one, too."""
    passed: dict[str, None] = {}
    while name in counting and name not in passed:
        passed[name] = None
        name = counting[name].stays
    if name not in counting:
        return name
    way = list(passed)
    return min(way[way.index(name) :])
