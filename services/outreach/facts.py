"""What outreach knows about a customer: facts that end the same in any order, however often they come.

Every `merge` is commutative, associative and idempotent, so a batch may be folded in memory first
and into the database afterwards.  No I/O, no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
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

    def is_twin_of(self, other: "Problem") -> bool:
        """Whether both are one thing going wrong, noticed under two names of one customer.

        Under one name the next episode begins only when the last has ended.
        """
        if (self.kind, self.subject) != (other.kind, other.subject):
            return False
        is_another = self.problem_id != other.problem_id
        return is_another and _is_after(self.ending, other) and _is_after(other.ending, self)

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
        """Whether somebody still owes this customer an answer.

        In a contact whose opening was not theirs it is their word that begins to wait.
        """
        begun = self.opened_at or self.heard_at
        if begun is None:
            return False
        return self.resolved_at is None or self.resolved_at < begun

    def of(self, customer_id: str) -> "InboundContact":
        """Return it as this customer's."""
        return replace(self, customer_id=customer_id)

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

    def of(self, customer_id: str) -> "SurveyAnswer":
        """Return it as this customer's."""
        return replace(self, customer_id=customer_id)

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
    merged_at: datetime | None = None
    """When the id it was said under became another name of the customer; None: it is their own id."""

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
    suppressed_since: datetime | None = None
    """When somebody with one of these addresses was erased; None: nobody was, before this snapshot."""
    address_hashes: tuple[str, ...] = ()
    """Keyed hashes of the addresses that a tombstone took away, each with the instant of the snapshot."""

    @property
    def addresses(self) -> tuple[tuple[Channel, str], ...]:
        """Where the customer is reached."""
        known = (
            (Channel.EMAIL, self.email),
            (Channel.SMS, self.phone),
            (Channel.PUSH, self.push_id),
            (Channel.CHAT, self.chat_id),
        )
        return tuple((by, address) for by, address in known if address is not None)

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
    return dict(profile.addresses).get(by)


def profile_among(own: Profile | None, others: Iterable[Profile]) -> Profile | None:
    """Return the profile of a customer with several names: the one under their own, else the latest.

    Whoever of them has an address of somebody erased, all have.
    """
    known = [p for p in (own, *others) if p is not None and not p.is_forgotten]
    if not known:
        return own
    is_own = own is not None and not own.is_forgotten
    chosen = known[0] if is_own else max(known, key=lambda p: p.order)
    since = max((p.suppressed_since for p in known if p.suppressed_since), default=None)
    return replace(chosen, suppressed_since=since)


def _is_after(ending: Ending | None, other: Problem) -> bool:
    """Whether a problem with this ending was still there when the other began."""
    return ending is None or ending.at > other.opened_at


def _least(one: str | None, other: str | None) -> str | None:
    return min(filter(None, (one, other)), default=None)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)


def _first_ending(one: Ending | None, other: Ending | None) -> Ending | None:
    return min(filter(None, (one, other)), key=lambda ending: ending.order, default=None)
