"""How far what is scored now lies from what a model was fitted on, feature by feature.  Pure."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from services.churn_predictor.scoring import Scorecard, Table
from services.contracts.problems import DecisionPoint, RiskAssessed, RiskKind

WINDOW = 2_000
"""So many of the last values count."""
LEAST_SCORED, LEAST_PER_GROUP = 100, 20
"""Before so many, chance alone would look like drift: without any, the index of B bins over n values is
about B / n (Yurdakul: "Statistical Properties of Population Stability Index", 2018)."""
_WHOLE_GROUP = 0.1 - 1e-9
_LEAST_SHARE = 1e-4
"""Smaller shares are taken to be this one: an empty bin would be infinitely far from any other."""


def stability_index(fitted: Sequence[float], now: Sequence[float]) -> float:
    """Return how far two distributions over the same bins lie apart: 0 where they are the same.

    The population stability index: the sum of (p - q) ln(p / q) over all bins.  By a rule of thumb
    0.1 is worth a look, and 0.25 a shift.

    Source:
        Siddiqi: "Credit Risk Scorecards", 2006; the divergence of Jeffreys, 1946.
    """
    pairs = [(max(p, _LEAST_SHARE), max(q, _LEAST_SHARE)) for p, q in zip(now, fitted, strict=True)]
    return math.fsum((p - q) * math.log(p / q) for p, q in pairs)


def groups(shares: Sequence[float]) -> list[int]:
    """Return for each bin the number of its group: neighbours, until a tenth of what was fitted lies in it.

    A few dozen thin bins would tell more of chance than of drift.  The last bin, of what is not known,
    stays alone.
    """
    found, held = [0], 0.0
    for share in shares[:-1]:
        if held >= _WHOLE_GROUP:
            found[-1] += 1
            held = 0.0
        held += share
        found.append(found[-1])
    return [*found[:-1], found[-1] + 1]


class _Recent:
    """Where the last values of one feature lay in its table."""

    def __init__(self, table: Table, shares: Sequence[float]) -> None:
        self._table = table
        self._groups = groups(shares)
        self._fitted = [0.0] * (self._groups[-1] + 1)
        for group, share in zip(self._groups, shares, strict=True):
            self._fitted[group] += share
        self._counts = [0] * len(self._fitted)
        self._last: deque[int] = deque(maxlen=WINDOW)

    def see(self, value: float | None) -> None:
        group = self._groups[self._table.bin_of(value)]
        if len(self._last) == WINDOW:
            self._counts[self._last[0]] -= 1
        self._last.append(group)
        self._counts[group] += 1

    def index(self) -> float | None:
        seen = len(self._last)
        if seen < max(LEAST_SCORED, LEAST_PER_GROUP * len(self._counts)):
            return None
        return stability_index(self._fitted, [count / seen for count in self._counts])


class Drift:
    """Watches the features of models that know the shares of what they were fitted on; of others, none.

    Its memory is bounded: `WINDOW` small numbers for each feature at each decision point.
    """

    def __init__(self, cards: Iterable[Scorecard] = ()) -> None:
        """Have seen nothing yet."""
        self._recent = {
            (card.kind, point): {
                table.feature: _Recent(table, table.shares)
                for table in sheet.tables
                if table.shares is not None
            }
            for card in cards
            for point, sheet in card.points.items()
        }

    def see(self, fact: RiskAssessed) -> None:
        """Take in what was looked at in this assessment."""
        recent = self._recent.get((fact.kind, fact.decision_point), {})
        for part in fact.contributions:
            if part.feature in recent:
                recent[part.feature].see(part.value)

    def at(self, kind: RiskKind, point: DecisionPoint) -> Iterator[tuple[str, float]]:
        """Yield each feature with its stability index here, once enough was scored."""
        for feature, recent in self._recent.get((kind, point), {}).items():
            index = recent.index()
            if index is not None:
                yield feature, index
