"""What was said of a parcel's risk, as of any tick: told late, it may have become another score.  Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.contracts.problems import Band, DecisionPoint, RiskKind
from services.verifier.evidence import Assessment

Whose = tuple[str, str]
"""Customer and subject."""


class Score(NamedTuple):
    """What was said at one tick."""

    tick: int
    probability: float
    band: Band


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one parcel."""

    said: Mapping[DecisionPoint, Sequence[Score]] = field(default_factory=dict)
    """In the order in which it was said."""

    def at(self, point: DecisionPoint, tick: int) -> Score | None:
        """Return what stood at the tick of this number; None: nothing was said until then."""
        until = [score for score in self.said.get(point, ()) if score.tick <= tick]
        return until[-1] if until else None

    @property
    def revised(self) -> list[int]:
        """At which ticks a score became another one."""
        return [score.tick for scores in self.said.values() for score in scores[1:]]


def by_parcel(assessments: Iterable[Assessment]) -> Mapping[Whose, Scores]:
    """Return the scores of each parcel's complaint risk; of any other there are none."""
    found: dict[Whose, dict[DecisionPoint, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for one in assessments:
        if one.kind is RiskKind.COMPLAINT and one.tick is not None:
            score = Score(one.tick, one.probability, one.band)
            found[one.customer, one.subject][one.point].append(score)
    return defaultdict(Scores, {whose: Scores(said) for whose, said in found.items()})
