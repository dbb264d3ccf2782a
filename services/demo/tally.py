"""Counting mails: how many different ones arrived, and whether any came twice.  Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from services.shop.timeline import Mail


@dataclass(frozen=True, slots=True)
class Tally:
    """Mails by (problem, step)."""

    sent: int
    """Different ones."""
    double: int
    """Those beyond the first of each; 0 or something is wrong."""
    unlabelled: int
    """Without the two headers, so that nobody can tell what they are about."""


def tally(mails: Sequence[Mail]) -> Tally:
    """Return the counts of these mails."""
    labelled = Counter((m.problem_id, m.step) for m in mails if m.problem_id and m.step)
    return Tally(
        sent=len(labelled),
        double=labelled.total() - len(labelled),
        unlabelled=len(mails) - labelled.total(),
    )
