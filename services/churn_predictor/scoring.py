"""A glass-box score: every feature's points are looked up in bins and added.  Nothing else happens.

A model is a file (`models/`): one additive sheet per decision point.  What a file must be to be
used at all is checked here, when it is read.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.churn_predictor import rhythm
from services.churn_predictor.features import FEATURES, Values
from services.contracts.problems import Band, Contribution, DecisionPoint, RiskKind

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
Part = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]

POINTS_OF: Mapping[RiskKind, frozenset[DecisionPoint]] = {
    RiskKind.COMPLAINT: frozenset(DecisionPoint) - {DecisionPoint.SILENCE},
    RiskKind.LAPSE: frozenset({DecisionPoint.SILENCE}),
}
"""Where a model of each kind must be able to score, and nowhere else."""

FEATURES_OF: Mapping[RiskKind, tuple[str, ...]] = {
    RiskKind.COMPLAINT: FEATURES,
    RiskKind.LAPSE: rhythm.FEATURES,
}
"""What a model of each kind may look at."""

_ROUNDED_AWAY = 1e-3
"""Shares are written with a few digits."""


class UnusableModel(Exception):
    """The file is no model; the message is one line that says why."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class Table(_Frozen):
    """One feature's points, on the scale of the sheet's link.

    `points[i]` holds for values up to and including `edges[i]`; the last for all above.
    """

    feature: str
    edges: tuple[Finite, ...]
    points: tuple[Finite, ...]
    missing: Finite = 0.0
    shares: tuple[Part, ...] | None = None
    """Which part of what would have been scored in the model's span lay in each bin; last, of what was not
    known.  They decide nothing: drift is told by them.  None: not fitted, or older than shares."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.points) != len(self.edges) + 1:
            raise ValueError(f"{self.feature}: one more point than edges is needed")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"{self.feature}: edges must rise")
        if self.shares is not None:
            if len(self.shares) != len(self.points) + 1:
                raise ValueError(f"{self.feature}: one more share than points is needed")
            if abs(math.fsum(self.shares) - 1) > _ROUNDED_AWAY:
                raise ValueError(f"{self.feature}: shares must add up to 1")
        return self

    def lookup(self, value: float | None) -> float:
        """Return the points of this value."""
        return self.missing if value is None else self.points[bisect_left(self.edges, value)]

    def bin_of(self, value: float | None) -> int:
        """Return the number of this value's bin, from 0; that of all unknown ones is the last."""
        return len(self.points) if value is None else bisect_left(self.edges, value)


class Link(StrEnum):
    """What the points add up to."""

    LOGIT = "logit"
    """Log-odds."""
    LOG = "log"
    """The logarithm of the probability; a sum above 0 means certainty."""

    def probability(self, total: float) -> float:
        """Return the probability of this sum of points, in 0 to 1."""
        if self is Link.LOG:
            return math.exp(min(total, 0.0))
        # Two forms of the same function, so that no exponential overflows.
        odds = math.exp(-abs(total))
        return 1.0 / (1.0 + odds) if total >= 0 else odds / (1.0 + odds)


class Sheet(_Frozen):
    """What is added up at one decision point.  Calibration is part of the numbers."""

    link: Link = Link.LOGIT
    intercept: Finite
    tables: tuple[Table, ...]

    @model_validator(mode="after")
    def _adds_each_feature_once(self) -> Self:
        names = [table.feature for table in self.tables]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name}: more than one table")
        return self


class Bands(_Frozen):
    """From which probability on a risk is called elevated, and high."""

    elevated: Share
    high: Share
    hysteresis: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """How far below its bound a probability must fall before a band that was reached is left."""

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if self.elevated >= self.high:
            raise ValueError("elevated must lie below high")
        if self.hysteresis >= self.elevated:
            raise ValueError("hysteresis must lie below elevated, or no band is ever left")
        return self

    def of(self, probability: float, before: Band | None = None) -> Band:
        """Return the band of this probability, where the last one was `before`."""
        kept = before or Band.LOW
        for band, bound in ((Band.HIGH, self.high), (Band.ELEVATED, self.elevated)):
            was_reached = kept is band or kept is Band.HIGH
            if probability >= (bound - self.hysteresis if was_reached else bound):
                return band
        return Band.LOW


class Span(_Frozen):
    """Which recorded time a model was fitted on: bought from the one day on, known before the other."""

    start: Annotated[date | None, Field(alias="from")] = None
    until: date | None = None


class Scorecard(_Frozen):
    """A model file: additive sheets, with where they came from."""

    format: Literal[1]
    name: Name
    version: Name
    """Whatever changes in the file, this changes too."""
    kind: RiskKind
    provenance: Annotated[str, Field(min_length=1)]
    span: Span | None = None
    """None: not fitted to data."""
    data_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of what it was fitted on; None: not fitted to data."""
    calibration: str | None = None
    """How probabilities were made to mean what they say; the result is folded into the points."""
    metrics: dict[str, Finite] = {}
    """Whatever was measured when it was made."""
    bands: Bands
    points: dict[DecisionPoint, Sheet]
    horizon_days: Annotated[int, Field(ge=1, le=365)] | None = None
    """Of lapse risk alone: within how many days no purchase is a lapse."""
    expected_purchases: Sheet | None = None
    """Of lapse risk alone: adds up to the logarithm of the purchases expected within the horizon."""

    @model_validator(mode="after")
    def _covers_its_kind(self) -> Self:
        asked = POINTS_OF[self.kind]
        for point in DecisionPoint:
            if (point in asked) != (point in self.points):
                verb = "must" if point in asked else "cannot"
                raise ValueError(f"a model of {self.kind} risk {verb} score at {point}")
        return self

    @model_validator(mode="after")
    def _looks_at_what_is_known(self) -> Self:
        known = FEATURES_OF[self.kind]
        for place, sheet in self._sheets():
            for table in sheet.tables:
                if table.feature not in known:
                    raise ValueError(
                        f"{place}: no feature {table.feature!r}; known are {', '.join(known)}"
                    )
        return self

    @model_validator(mode="after")
    def _has_a_horizon_for_lapses_alone(self) -> Self:
        is_lapse = self.kind is RiskKind.LAPSE
        if is_lapse != (self.horizon_days is not None):
            verb = "needs" if is_lapse else "has no"
            raise ValueError(f"a model of {self.kind} risk {verb} horizon_days")
        if self.expected_purchases is not None:
            if not is_lapse:
                raise ValueError(f"a model of {self.kind} risk has no expected_purchases")
            if self.expected_purchases.link is not Link.LOG:
                raise ValueError("expected_purchases: the link must be log")
        return self

    def _sheets(self) -> Iterator[tuple[str, Sheet]]:
        yield from self.points.items()
        if self.expected_purchases is not None:
            yield "expected_purchases", self.expected_purchases


class Expectation(_Frozen):
    """How many purchases to expect; the exponential of intercept plus contributions."""

    purchases: float
    intercept: float
    contributions: tuple[Contribution, ...]


class Score(_Frozen):
    """A probability and what it is made of; the link of intercept plus contributions."""

    probability: float
    band: Band
    intercept: float
    contributions: tuple[Contribution, ...]


def read_scorecard(raw: bytes) -> Scorecard:
    """Return the model in this file's content.

    Raises:
        UnusableModel: it is none, or one that cannot be meant.
    """
    try:
        return Scorecard.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise UnusableModel(f"{place}: {first['msg']}" if place else first["msg"]) from None


def model_digest(raw: bytes) -> str:
    """Return the name of this file's content: its SHA-256."""
    return sha256(raw).hexdigest()


def score(
    card: Scorecard, point: DecisionPoint, values: Values, before: Band | None = None
) -> Score:
    """Return the probability for these feature values at this point, with every contribution.

    `before` is the band of the same subject's last score, if it had one.  The sum is correctly
    rounded (`math.fsum`), so the order of the tables does not matter.
    """
    sheet = card.points[point]
    contributions, total = _add_up(sheet, values)
    probability = sheet.link.probability(total)
    return Score(
        probability=probability,
        band=card.bands.of(probability, before),
        intercept=sheet.intercept,
        contributions=contributions,
    )


def expect(card: Scorecard, values: Values) -> Expectation | None:
    """Return the purchases expected within the model's horizon; None where it tells none.

    Contributions are logarithms here: factors of the number.  It is never more than one a day.
    """
    sheet = card.expected_purchases
    if sheet is None or card.horizon_days is None:
        return None
    contributions, total = _add_up(sheet, values)
    return Expectation(
        purchases=math.exp(min(total, math.log(card.horizon_days))),
        intercept=sheet.intercept,
        contributions=contributions,
    )


def _add_up(sheet: Sheet, values: Values) -> tuple[tuple[Contribution, ...], float]:
    contributions = tuple(
        Contribution(
            feature=table.feature,
            value=values[table.feature],
            log_odds=table.lookup(values[table.feature]),
        )
        for table in sheet.tables
    )
    return contributions, math.fsum([sheet.intercept, *(part.log_odds for part in contributions)])
