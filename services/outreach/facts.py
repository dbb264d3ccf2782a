"""What outreach knows about a customer: facts that end the same in any order, however often they come.

Every `merge` is commutative, associative and idempotent, so a batch may be folded in memory first
and into the database afterwards.  No I/O, no clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from services.contracts.contacts import SurveyKind, is_poor_answer
from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.contracts.problems import Actor, Clearing, ProblemKind, Tier

_NO_DATE = datetime.min.replace(tzinfo=UTC)
"""Stands for a date that was never promised where dates are put in order."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The furthest a problem has got, as one event stated it."""

    tier: Tier
    stated_at: datetime
    promised_by: datetime | None
    """None: the customer was told no date."""
    actor: Actor
    complaint_risk: float | None

    @property
    def order(self) -> tuple[int, datetime, datetime, str, float]:
        """A later tier counts more than a later word; the rest only settles ties."""
        risk = -1.0 if self.complaint_risk is None else self.complaint_risk
        promised_by = self.promised_by or _NO_DATE
        return (self.tier.rank, self.stated_at, promised_by, self.actor.value, risk)


@dataclass(frozen=True, slots=True)
class Ending:
    """How and when a problem was cleared."""

    at: datetime
    clearing: Clearing

    @property
    def order(self) -> tuple[datetime, str]:
        """The first ending counts: a cleared problem never returns under the same id."""
        return (self.at, self.clearing.value)


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """In which zone the parcel of a problem is awaited, as one event stated it; the latest counts."""

    stated_at: datetime
    time_zone: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One episode of something going wrong."""

    problem_id: UUID
    customer_id: str
    kind: ProblemKind
    subject: str
    order_id: str | None
    """None: it is about no order, or nobody said which."""
    opened_at: datetime
    stage: Stage
    ending: Ending | None = None
    destination: Destination | None = None
    """None: it is about no parcel, or nobody said where that goes."""

    def merge(self, other: "Problem") -> "Problem":
        """Return what both say together."""
        return Problem(
            problem_id=self.problem_id,
            customer_id=self.customer_id,
            kind=self.kind,
            subject=self.subject,
            order_id=_least(self.order_id, other.order_id),
            opened_at=min(self.opened_at, other.opened_at),
            stage=max(self.stage, other.stage, key=lambda stage: stage.order),
            ending=_first_ending(self.ending, other.ending),
            destination=max(filter(None, (self.destination, other.destination)), default=None),
        )


@dataclass(frozen=True, slots=True)
class InboundContact:
    """A customer's own contact with us, as far as its events were seen."""

    customer_id: str
    contact_id: str
    order_id: str | None = None
    heard_at: datetime | None = None
    """The customer's latest word in it."""
    opened_at: datetime | None = None
    """When it was last opened or reopened."""
    resolved_at: datetime | None = None
    """When it was last resolved."""

    @property
    def is_open(self) -> bool:
        """Whether somebody still owes this customer an answer."""
        if self.opened_at is None:
            return False
        return self.resolved_at is None or self.resolved_at < self.opened_at

    def merge(self, other: "InboundContact") -> "InboundContact":
        """Return what both say together."""
        return InboundContact(
            customer_id=self.customer_id,
            contact_id=self.contact_id,
            order_id=_least(self.order_id, other.order_id),
            heard_at=_later(self.heard_at, other.heard_at),
            opened_at=_later(self.opened_at, other.opened_at),
            resolved_at=_later(self.resolved_at, other.resolved_at),
        )


@dataclass(frozen=True, slots=True)
class SurveyAnswer:
    """The customer's answer to one survey; the first one counts."""

    customer_id: str
    survey_id: str
    answered_at: datetime
    kind: SurveyKind
    score: int
    order_id: str | None = None

    @property
    def is_poor(self) -> bool:
        """Whether it is a poor answer of its kind."""
        return is_poor_answer(self.kind, self.score)

    @property
    def order(self) -> tuple[datetime, int, str, str]:
        """The first answer counts; the rest only settles ties."""
        return (self.answered_at, self.score, self.kind.value, self.order_id or "")

    def merge(self, other: "SurveyAnswer") -> "SurveyAnswer":
        """Return the one that counts."""
        return min(self, other, key=lambda answer: answer.order)


@dataclass(frozen=True, slots=True)
class ConsentStatement:
    """One dated word of the customer for one class on one channel.  All of them are kept."""

    source: str
    event_id: str
    customer_id: str
    message_class: MessageClass
    channel: Channel
    status: ConsentStatus
    said_at: datetime
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def is_in_force(self, at: datetime) -> bool:
        """Whether it speaks about this instant."""
        begins = self.valid_from or self.said_at
        return begins <= at and (self.valid_until is None or at < self.valid_until)


@dataclass(frozen=True, slots=True)
class Profile:
    """The whole profile as of its event's time; or that it was taken away at that instant."""

    customer_id: str
    as_of: datetime
    source: str
    event_id: str
    name: str | None = None
    email: str | None = None
    language: str | None = None
    time_zone: str | None = None
    country: str | None = None
    phone: str | None = None
    push_id: str | None = None
    chat_id: str | None = None

    @property
    def is_forgotten(self) -> bool:
        """Whether this says that nothing is to be known."""
        return self.source == ""

    @property
    def order(self) -> tuple[datetime, bool, str, str]:
        """The latest counts; of two at one instant, forgetting; else the event's key settles ties."""
        return (self.as_of, self.is_forgotten, self.source, self.event_id)

    @classmethod
    def forgotten(cls, customer_id: str, at: datetime) -> "Profile":
        """Return what stands in for a profile taken away: nulls, later than every snapshot until `at`."""
        return cls(customer_id, at, source="", event_id="")


def address_of(profile: Profile | None, by: Channel, customer_id: str) -> str | None:
    """Return where this customer is reached by this channel; None: nobody knows.

    The other end of a webhook, and a person of ours, know the customer by id.
    """
    if by in (Channel.WEBHOOK, Channel.HUMAN):
        return customer_id
    if profile is None:
        return None
    known = {
        Channel.EMAIL: profile.email,
        Channel.SMS: profile.phone,
        Channel.PUSH: profile.push_id,
        Channel.CHAT: profile.chat_id,
    }
    return known[by]


def _least(one: str | None, other: str | None) -> str | None:
    return min(filter(None, (one, other)), default=None)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)


def _first_ending(one: Ending | None, other: Ending | None) -> Ending | None:
    return min(filter(None, (one, other)), key=lambda ending: ending.order, default=None)
