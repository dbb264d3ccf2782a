"""A glass-box score: every feature's points are looked up in bins and added.  Nothing else happens."""

import math
from bisect import bisect_left
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.churn_predictor.features import FEATURES, Values
from services.contracts.problems import Band, Contribution

LogOdds = Annotated[float, Field(allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Table(_Frozen):
    """One feature's points, in log-odds.

    `points[i]` holds for values up to and including `edges[i]`; the last for all above.
    """

    feature: str
    edges: tuple[LogOdds, ...]
    points: tuple[LogOdds, ...]
    missing: LogOdds = 0.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.feature not in FEATURES:
            raise ValueError(f"no feature {self.feature!r}; known are {', '.join(FEATURES)}")
        if len(self.points) != len(self.edges) + 1:
            raise ValueError(f"{self.feature}: one more point than edges is needed")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"{self.feature}: edges must rise")
        return self

    def lookup(self, value: float | None) -> float:
        """Return the points of this value."""
        return self.missing if value is None else self.points[bisect_left(self.edges, value)]


class Bands(_Frozen):
    """From which probability on a risk is called elevated, and high."""

    elevated: Annotated[float, Field(gt=0, lt=1)]
    high: Annotated[float, Field(gt=0, lt=1)]

    def of(self, probability: float) -> Band:
        """Return the band of this probability."""
        if probability >= self.high:
            return Band.HIGH
        return Band.ELEVATED if probability >= self.elevated else Band.LOW


class Scorecard(_Frozen):
    """An additive model with where it came from."""

    name: str
    version: str
    provenance: str
    intercept: LogOdds
    tables: tuple[Table, ...]
    bands: Bands


class Score(_Frozen):
    """A probability and what it is made of; intercept plus contributions is its log-odds."""

    probability: float
    band: Band
    intercept: float
    contributions: tuple[Contribution, ...]


def score(card: Scorecard, values: Values) -> Score:
    """Return the probability of a complaint for these feature values, with every contribution.

    The sum is correctly rounded (`math.fsum`), so the order of the tables does not matter.
    """
    contributions = tuple(
        Contribution(
            feature=table.feature,
            value=values[table.feature],
            log_odds=table.lookup(values[table.feature]),
        )
        for table in card.tables
    )
    log_odds = math.fsum([card.intercept, *(part.log_odds for part in contributions)])
    probability = 1.0 / (1.0 + math.exp(-log_odds))
    return Score(
        probability=probability,
        band=card.bands.of(probability),
        intercept=card.intercept,
        contributions=contributions,
    )
