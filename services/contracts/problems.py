"""What the predictor says: problems on `problems`, risk on `assessments` and `customer-risks`."""

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from services.contracts.envelope import Contract, Fact, Identifier, Instant


class ProblemKind(StrEnum):
    """What is going wrong."""

    DELIVERY_DELAY = "delivery_delay"
    HANDOVER_OVERDUE = "handover_overdue"


class Tier(StrEnum):
    """How far a problem has got; in this order for a delivery, `overdue` alone for a hand-over."""

    AT_RISK = "at_risk"
    OVERDUE = "overdue"
    LATE = "late"

    @property
    def rank(self) -> int:
        """Position in the order of escalation, from 0."""
        return list(Tier).index(self)


class Actor(StrEnum):
    """Who can do something about it."""

    CUSTOMER = "customer"
    US = "us"
    NOBODY = "nobody"


class EventRef(Contract):
    """Names one event of another system."""

    source: str
    id: str


class FeedEvidence(Contract):
    """Why an absence was believed: the feed was heard after the deadline, or had been silent too long."""

    feed: str
    """`carrier:<slug>` or `publisher:<source>`."""
    silent: bool
    heard_at: Instant | None = None
    """None: never."""


class _ProblemFact(Fact):
    problem_id: UUID
    kind: ProblemKind
    subject: Identifier
    """The shipment's id."""
    order_id: Identifier
    episode: Annotated[int, Field(ge=1)]
    tier: Tier
    deadline: Instant
    """The instant whose passing brought this tier."""
    promised_by: Instant
    actor: Actor
    evidence: tuple[EventRef, ...] = ()
    feed: FeedEvidence | None = None
    complaint_risk: Annotated[float, Field(ge=0, le=1)] | None = None


class ProblemOpened(_ProblemFact):
    """A promise is not being kept."""

    TYPE: ClassVar[str] = "care.problem.opened.v1"


class ProblemChanged(_ProblemFact):
    """It got worse: the tier rose."""

    TYPE: ClassVar[str] = "care.problem.changed.v1"
    previous_tier: Tier


class Clearing(StrEnum):
    """How a problem ended."""

    SOLVED = "solved"
    RETRACTED = "retracted"
    """A late event showed that it never was."""
    EXPIRED = "expired"


class ProblemCleared(_ProblemFact):
    """It is over."""

    TYPE: ClassVar[str] = "care.problem.cleared.v1"
    clearing: Clearing


class RiskKind(StrEnum):
    """What the probability is of."""

    COMPLAINT = "complaint"


class DecisionPoint(StrEnum):
    """The moment in an order's life at which it was scored."""

    HANDOVER_LIMIT = "handover_limit"
    BEFORE_PROMISE = "before_promise"
    PROMISE = "promise"
    AFTER_PROMISE = "after_promise"


class Band(StrEnum):
    """A probability in words."""

    LOW = "low"
    ELEVATED = "elevated"
    HIGH = "high"


class Contribution(Contract):
    """One signal's exact share of the score, in log-odds."""

    feature: str
    log_odds: float
    value: float | None = None
    """None: not known."""


class RiskAssessed(Fact):
    """A probability and all it was made of: the intercept plus the contributions is the log-odds."""

    TYPE: ClassVar[str] = "care.risk.assessed.v1"
    kind: RiskKind
    order_id: Identifier
    subject: Identifier
    decision_point: DecisionPoint
    probability: Annotated[float, Field(ge=0, le=1)]
    band: Band
    model: str
    model_version: str
    intercept_log_odds: float
    contributions: tuple[Contribution, ...]
    facts_digest: str
    """SHA-256 of the facts the features were made of."""
