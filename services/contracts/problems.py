"""What the predictor says: problems on `problems`, risk on `assessments` and `customer-risks`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from services.contracts.envelope import Contract, Fact, Identifier, Instant, TimeZone


class ProblemKind(StrEnum):
    """What is going wrong; `docs/expectations.md` says when each begins, worsens and ends."""

    DELIVERY_DELAY = "delivery_delay"
    HANDOVER_OVERDUE = "handover_overdue"
    FIRST_SCAN_MISSING = "first_scan_missing"
    SCAN_STALLED = "scan_stalled"
    DELIVERY_EXCEPTION = "delivery_exception"
    ATTEMPT_FAILED = "attempt_failed"
    PICKUP_WAITING = "pickup_waiting"
    REFUND_OVERDUE = "refund_overdue"
    PAYMENT_FAILED = "payment_failed"
    CART_ABANDONED = "cart_abandoned"
    CONTACT_UNANSWERED = "contact_unanswered"
    CONTACT_REOPENED = "contact_reopened"
    CONTACT_REPEATED = "contact_repeated"
    HELP_NOT_FOUND = "help_not_found"
    SURVEY_POOR = "survey_poor"
    LAPSE_RISK = "lapse_risk"


class Tier(StrEnum):
    """How far a problem has got; the tiers of each kind are in `TIERS_OF`."""

    AT_RISK = "at_risk"
    OVERDUE = "overdue"
    LATE = "late"

    @property
    def rank(self) -> int:
        """Position in the order of escalation, from 0."""
        return list(Tier).index(self)


TIERS_OF: Mapping[ProblemKind, tuple[Tier, ...]] = {
    ProblemKind.DELIVERY_DELAY: (Tier.AT_RISK, Tier.OVERDUE, Tier.LATE),
    ProblemKind.HANDOVER_OVERDUE: (Tier.OVERDUE,),
    ProblemKind.FIRST_SCAN_MISSING: (Tier.OVERDUE,),
    ProblemKind.SCAN_STALLED: (Tier.OVERDUE,),
    ProblemKind.DELIVERY_EXCEPTION: (Tier.OVERDUE,),
    ProblemKind.ATTEMPT_FAILED: (Tier.AT_RISK, Tier.OVERDUE),
    ProblemKind.PICKUP_WAITING: (Tier.OVERDUE, Tier.LATE),
    ProblemKind.REFUND_OVERDUE: (Tier.OVERDUE, Tier.LATE),
    ProblemKind.PAYMENT_FAILED: (Tier.OVERDUE,),
    ProblemKind.CART_ABANDONED: (Tier.OVERDUE,),
    ProblemKind.CONTACT_UNANSWERED: (Tier.OVERDUE, Tier.LATE),
    ProblemKind.CONTACT_REOPENED: (Tier.OVERDUE,),
    ProblemKind.CONTACT_REPEATED: (Tier.OVERDUE,),
    ProblemKind.HELP_NOT_FOUND: (Tier.OVERDUE,),
    ProblemKind.SURVEY_POOR: (Tier.OVERDUE,),
    ProblemKind.LAPSE_RISK: (Tier.AT_RISK,),
}
"""Kind → the tiers it can reach, in their order."""


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
    """`carrier:<slug>`, `scans:<slug>` (its checkpoints alone) or `publisher:<source>`."""
    silent: bool
    heard_at: Instant | None = None
    """None: never."""


class Experience(Contract):
    """What has become of promises, surveys and contacts of this customer, as of the record's time."""

    balance: float
    """Good experiences less many times the unresolved bad ones, all fading with age."""
    unresolved: Annotated[int, Field(ge=0)]
    strikes_left: Annotated[int, Field(ge=0)]
    """How many more bad experiences until the third of late."""


class _ProblemFact(Fact):
    problem_id: UUID
    kind: ProblemKind
    subject: Identifier
    """What it is about: a shipment, refund, order, cart, contact or survey, by its id; or `customer`."""
    order_id: Identifier | None = None
    """None: it is about no order, or nobody said which."""
    episode: Annotated[int, Field(ge=1)]
    tier: Tier
    deadline: Instant
    """The instant whose passing brought this tier."""
    promised_by: Instant | None = None
    """The first date that was promised; None: the customer was told none."""
    destination_time_zone: TimeZone | None = None
    """Where the parcel goes, as its latest promise that says so told; None: about no parcel, or not told."""
    actor: Actor
    evidence: tuple[EventRef, ...] = ()
    feed: FeedEvidence | None = None
    complaint_risk: Annotated[float, Field(ge=0, le=1)] | None = None
    experience: Experience | None = None


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
    LAPSE = "lapse"
    """That the customer will not buy again."""


class DecisionPoint(StrEnum):
    """The moment in an order's, or a customer's, life at which it was scored."""

    APPROVAL = "approval"
    HANDOVER_LIMIT = "handover_limit"
    HANDOVER = "handover"
    BEFORE_PROMISE = "before_promise"
    PROMISE = "promise"
    AFTER_PROMISE = "after_promise"
    DELIVERY = "delivery"
    SILENCE = "silence"
    """A customer has not bought for as long as their own rhythm makes worth a look."""


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
    order_id: Identifier | None = None
    """None: it is about the customer as a whole."""
    subject: Identifier
    decision_point: DecisionPoint
    as_of: Instant | None = None
    """The instant whose knowledge went in; what happened later did not count."""
    tick: Annotated[int, Field(ge=0)] | None = None
    """Number of the tick at which it was said: of several at one time, what each of them knew."""
    revision: Annotated[int, Field(ge=0)] = 0
    """How many earlier scores of this point it replaces: something that counts was told late."""
    probability: Annotated[float, Field(ge=0, le=1)]
    band: Band
    previous_band: Band | None = None
    """Of the last assessment before `as_of`; a band that was reached is left a little later."""
    model: str
    model_version: str
    model_digest: str | None = None
    """SHA-256 of the model file's content."""
    intercept_log_odds: float
    contributions: tuple[Contribution, ...]
    facts_digest: str
    """SHA-256 of the facts the features were made of."""
    feed: FeedEvidence | None = None
    """Of a point a deadline brought: why it was believed that nothing had come by then."""
    horizon_days: Annotated[int, Field(ge=1)] | None = None
    """Of lapse risk: no purchase within so many days is a lapse."""
    expected_purchases: Annotated[float, Field(ge=0)] | None = None
    """Of lapse risk: how many to expect within the horizon; None: the model does not say."""
    expected_intercept: float | None = None
    """The logarithm of that number before any signal's share."""
    expected_contributions: tuple[Contribution, ...] | None = None
    """Each signal's share in the logarithm; the sum is cut off at one purchase a day."""
