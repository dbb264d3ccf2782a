"""How long is too long: every number the rules of care go by, with its default.

`docs/expectations.md` says which rule uses which.  A deployment may name a JSON file with others:
what it leaves out keeps its default.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from services.contracts.envelope import Contract, TimeZone
from services.contracts.events import faults
from services.contracts.problems import ProblemKind

Days = Annotated[int, Field(ge=1, le=30)]
"""Business days: Monday to Friday in the recipient's zone."""
Span = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=365))]
"""A length of time, as seconds or in ISO 8601 (`PT4H`)."""


_EXPIRY_OF = {
    ProblemKind.PAYMENT_FAILED: timedelta(days=7),
    ProblemKind.CART_ABANDONED: timedelta(days=7),
    ProblemKind.HELP_NOT_FOUND: timedelta(days=7),
    ProblemKind.SURVEY_POOR: timedelta(days=30),
    # From one look at a slow customer's silence to the next it may be months.
    ProblemKind.LAPSE_RISK: timedelta(days=180),
}

_RISING = (("pickup_days", "pickup_late_days"), ("reply_days", "reply_late_days"))
"""Steps of one watch, each given by a number of its own; all others lie apart by how they are added."""


class UnusableTolerances(Exception):
    """The file holds no tolerances; the message is one line with every fault."""


class Tolerances(Contract):
    """What a deployment tolerates before it speaks of a problem."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_zone: TimeZone = "UTC"
    """In which business days are counted where no promise names the recipient's zone."""
    feed_cap: Span = timedelta(hours=24)
    """How long an absence waits for a feed that may only be late."""
    feed_settle: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(days=1))] = timedelta(
        minutes=10
    )
    """How far out of order a feed may tell: heard so long after a deadline, it has told what lay before."""
    carriers_tell_hand_overs: bool = True
    """Whether a carrier's own system may be the one that tells a hand-over.  Where the publisher of the
    promise tells them all, say no: nothing before a hand-over then waits for a carrier."""
    silence_odds: Annotated[int, Field(ge=10, le=1_000_000)] = 10_000
    """A feed's silence is unusual where one as long comes about by chance once in so many times.  With so
    many, 3 of 105 feeds of the simulated shop are reported for nothing in 60 days."""
    silence_learning: Span = timedelta(days=14)
    """How much of a feed must be known before it is called silent: two of every hour of the week."""

    at_risk_before_promise: Span = timedelta(days=3)
    """Early enough to act, late enough to mean something (precision falls quickly before)."""
    late_after_promise: Span = timedelta(hours=24)
    """The promised day is over; one day is nearly forgiven, the break comes after it."""
    first_scan_days: Days = 2
    progress_days: Days = 4
    out_for_delivery_days: Days = 1
    """Between `out_for_delivery` and whatever comes of it."""
    next_attempt_days: Days = 1
    pickup_days: Days = 3
    pickup_late_days: Days = 5

    refund_late_after: Span = timedelta(hours=72)
    payment_failures: Annotated[int, Field(ge=1, le=8)] = 2

    reply_days: Days = 1
    reply_late_days: Days = 2
    contacts_on_one_order: Annotated[int, Field(ge=2, le=20)] = 3
    contacts_within: Span = timedelta(days=30)
    help_silence: Span = timedelta(hours=4)

    experience_half_life: Span = timedelta(days=90)
    """After so long a good or bad experience weighs half, and a bad one is no strike any more."""
    experience_ratio: Annotated[float, Field(gt=0, le=1000)] = 12.0
    """How many good experiences make up for one bad one that nobody made good.  A rule of thumb of
    customer service that was never measured; a starting point."""

    expiry: Span = timedelta(days=60)
    """An open problem nobody heard of for so long after its deadline ends as expired."""
    expiry_of: Mapping[ProblemKind, Span] = Field(default_factory=lambda: dict(_EXPIRY_OF))
    """Kinds that end sooner or later.  A kind that is not named keeps its default."""

    @field_validator("expiry_of")
    @classmethod
    def _keeps_the_others(
        cls, given: Mapping[ProblemKind, timedelta]
    ) -> Mapping[ProblemKind, timedelta]:
        return {**_EXPIRY_OF, **given}

    @model_validator(mode="after")
    def _settles_before_the_cap(self) -> Self:
        if self.feed_settle >= self.feed_cap:
            raise ValueError(
                f"feed_settle must lie below feed_cap, but {self.feed_settle} "
                f"does not lie below {self.feed_cap}"
            )
        return self

    @model_validator(mode="after")
    def _steps_rise(self) -> Self:
        for first, second in _RISING:
            earlier, later = getattr(self, first), getattr(self, second)
            if earlier >= later:
                raise ValueError(
                    f"{first} must lie below {second}, but {earlier} does not lie below {later}: set both"
                )
        return self

    def expires_after(self, kind: ProblemKind) -> timedelta:
        """Return how long after its deadline an open problem of this kind is given up."""
        return self.expiry_of.get(kind, self.expiry)


def read_tolerances(raw: bytes) -> Tolerances:
    """Return the tolerances in this file's content; what it does not name has its default.

    Raises:
        UnusableTolerances: it holds none, or some that cannot be meant.
    """
    try:
        return Tolerances.model_validate_json(raw)
    except ValidationError as error:
        wrong = "; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults(error))
        raise UnusableTolerances(wrong) from None
