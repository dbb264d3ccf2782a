"""What the predictor remembers: one value per customer, one per partition, and how they are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

from pydantic import TypeAdapter

from services.churn_predictor.facts import Facts, Named, Stamp, forget_facts
from services.churn_predictor.feed_rhythm import Rhythm
from services.contracts.problems import Band, DecisionPoint, FeedEvidence, ProblemKind, Tier
from services.contracts.stream import Account, Tick
from services.contracts.topics import HORIZON


@dataclass(frozen=True, slots=True)
class Episode:
    """One problem, as far as it has got."""

    problem_id: UUID
    kind: ProblemKind
    subject: str
    order_id: str | None
    number: int
    anchor: Stamp
    """What had started the clock when it opened."""
    tier: Tier
    deadline: datetime
    promised_by: datetime | None
    opened_at: datetime
    is_open: bool = True
    feed: FeedEvidence | None = None
    complaint_risk: float | None = None


FORMAT = 1
"""Of everything in the changelog.  Raise it with any change after which an older version, which passes over
fields it does not know, would write an entry again without them, or would read in one what it does not say.
A test compares the schemas of all that is written; that one means something else it cannot see."""

SILENCE = f"customer|{DecisionPoint.SILENCE}|"
"""How the assessments of a customer's silence are named; the look's instant follows.  One that a later
purchase made void is kept: where that is cancelled, the same look counts again, and is said once."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """That this parcel was scored at this decision point, and how."""

    probability: float
    band: Band
    as_of: datetime
    revision: int = 0
    """How often that became another score."""


@dataclass(slots=True)
class OpenQuestions:
    """What an order asked about others, until every answer is there."""

    at: datetime
    """The deployment's time when it asked."""
    tick: int
    answers: dict[str, dict[str, tuple[float, float]] | None]
    """Question → its answer; None: not there yet.  In the order in which they were asked."""


@dataclass(slots=True)
class Identity:
    """What was said about who somebody is, until the next look at them."""

    into: str | None = None
    """The id that stays where this one goes away."""
    merged: Stamp | None = None
    """The event that said so; of several the earliest."""
    erased: datetime | None = None
    """Up to when they are to be forgotten."""
    path: tuple[str, ...] = ()
    """The ids under which what came from others was known before; of several paths the longest."""


@dataclass(slots=True)
class CustomerState:
    """One customer: facts, which events were applied, and what was said about them.

    `seen` holds a digest of every applied event inside the horizon.  An older event is late and is
    never applied, so forgetting its digest cannot make a duplicate count.
    """

    facts: Facts = field(default_factory=Facts)
    seen: dict[str, datetime] = field(default_factory=dict)
    episodes: dict[str, Episode] = field(default_factory=dict)
    """`kind|subject` → its latest episode."""
    assessed: dict[str, Assessed] = field(default_factory=dict)
    """`subject|decision point` → its one assessment."""
    told: dict[str, list[str]] = field(default_factory=dict)
    """Shipment or survey → what others were told of it: `kind|key` of each observation."""
    asked: dict[str, OpenQuestions] = field(default_factory=dict)
    """Order → what it still waits for."""
    touched: bool = False
    """Whether facts came since it was last looked at."""
    due: datetime | None = None
    """When to look again if no event comes."""
    waits: dict[str, datetime] = field(default_factory=dict)
    """Feed → look again once it is heard at or after this."""
    identity: Identity | None = None
    numbered: int = 0
    """The greatest number of a problem that was forgotten with an erasure: none is given twice."""
    fresh: dict[str, str] = field(default_factory=dict)
    """Digest of each event applied since the last look → its trace, in one line, for there may be many; what
    is said at that look may be in one of them."""


@dataclass(slots=True)
class SourceState:
    """One source topic of this partition: where the next record is, and what became of the others."""

    topic_id: UUID
    first_offset: int = 0
    next_offset: int = 0
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    dead_lettered: int = 0
    absent: int = 0
    """Offsets that hold no record: markers of transactions, and what was aborted."""
    reported: int = -1
    """How many records the last published account explained."""

    @property
    def total(self) -> int:
        """Records accounted for."""
        return self.applied + self.duplicate + self.late + self.dead_lettered

    def take(self, offset: int) -> None:
        """Stand behind the record at this offset."""
        self.reach(offset)
        self.next_offset += 1

    def reach(self, offset: int) -> None:
        """Stand at this offset at least; what was not taken up to there holds no record."""
        self.absent += max(0, offset - self.next_offset)
        self.next_offset = max(self.next_offset, offset)

    def account(self, topic: str, partition: int, tick: Tick) -> Account:
        """Return what is to be published of it at this tick."""
        return Account(
            topic=topic,
            partition=partition,
            first_offset=self.first_offset,
            next_offset=self.next_offset,
            applied=self.applied,
            duplicate=self.duplicate,
            late=self.late,
            dead_lettered=self.dead_lettered,
            absent=self.absent,
            tick=tick.number,
            at=tick.at,
        )


@dataclass(slots=True)
class FeedState:
    """One carrier or publisher as heard in this partition."""

    heard_at: datetime
    events: int = 0
    changed: bool = True
    voices: tuple[str, ...] = ()
    """For whom a publisher spoke here: carriers' slugs, "" for itself; of several the least two."""

    def speak_for(self, voice: str) -> None:
        """Note that it spoke for this one, too.  With two it is a relay of nobody: more say no more."""
        if voice not in self.voices:
            self.voices = tuple(sorted((*self.voices, voice))[:2])


@dataclass(slots=True)
class PartitionState:
    """What is remembered of a partition beside its customers."""

    sources: dict[str, SourceState] = field(default_factory=dict)
    pending: list[Tick] = field(default_factory=list)
    """Ticks read that wait until everything before their offsets has been applied."""
    since: datetime | None = None
    """The first tick: nothing is said about promises that were broken before it."""
    number: int | None = None
    at: datetime | None = None
    changelog_id: UUID | None = None
    """The changelog this was written to first: in another one there is only a part of it."""
    feeds: dict[str, FeedState] = field(default_factory=dict)
    rhythms: dict[str, Rhythm] = field(default_factory=dict)
    """Of the feeds whose silence is reported here, wherever they are heard."""
    layouts: tuple[int, ...] = ()
    """How many partitions there have been, one number after the other; this was written for the last."""
    format: int = FORMAT
    """The newest in which anything of this partition may be written."""


CUSTOMER: TypeAdapter[CustomerState] = TypeAdapter(CustomerState)
PARTITION: TypeAdapter[PartitionState] = TypeAdapter(PartitionState)

INTERNAL = b"\x00"
"""No customer's id can begin so: the contract allows no control character in one."""

_PARTITION_KEY = INTERNAL + b"partition-"


def partition_key(partition: int) -> bytes:
    """Return the changelog key of a partition's own state."""
    return _PARTITION_KEY + str(partition).encode()


def digest(source: str, event_id: str) -> str:
    """Return the short name under which an applied event is remembered (64 bits, per customer)."""
    return blake2b(f"{source}\x1f{event_id}".encode(), digest_size=8).hexdigest()


def expires_at(customer: CustomerState) -> datetime | None:
    """Return when something of this customer falls behind the horizon; None: nothing is left."""
    oldest = min(customer.seen.values(), default=None)
    # One second later it lies strictly before the horizon.
    return None if oldest is None else oldest + HORIZON + timedelta(seconds=1)


_GROUPS_OF: Mapping[ProblemKind, tuple[str, ...]] = {
    ProblemKind.REFUND_OVERDUE: ("refunds",),
    ProblemKind.PAYMENT_FAILED: ("orders", "carts"),
    ProblemKind.CART_ABANDONED: ("carts",),
    ProblemKind.CONTACT_UNANSWERED: ("contacts",),
    ProblemKind.CONTACT_REOPENED: ("contacts",),
    ProblemKind.CONTACT_REPEATED: ("orders",),
    ProblemKind.HELP_NOT_FOUND: ("searches",),
    ProblemKind.SURVEY_POOR: ("surveys",),
    ProblemKind.LAPSE_RISK: (),
}
"""Among which facts the subject of a kind is found; of all others: the shipments."""


def _about(episode: Episode) -> set[Named]:
    return {(group, episode.subject) for group in _GROUPS_OF.get(episode.kind, ("shipments",))}


def has_open_problem(customer: CustomerState) -> bool:
    """Return whether anything is still wrong."""
    return any(episode.is_open for episode in customer.episodes.values())


def open_subjects(customer: CustomerState) -> set[Named]:
    """Return what there is an open problem about."""
    return {name for e in customer.episodes.values() if e.is_open for name in _about(e)}


def forget(customer: CustomerState, before: datetime) -> None:
    """Drop what lies wholly before this instant: digests that can only be late, and old facts.

    What there is an open problem about stays until that ends: its episode must be cleared.
    """
    if any(at < before for at in customer.seen.values()):
        customer.seen = {name: at for name, at in customer.seen.items() if at >= before}
        gone = forget_facts(customer.facts, before, open_subjects(customer))
        customer.episodes = {k: e for k, e in customer.episodes.items() if not _about(e) & gone}
        customer.assessed = {
            k: a
            for k, a in customer.assessed.items()
            if ("shipments", k.partition("|")[0]) not in gone
            and (not k.startswith(SILENCE) or a.as_of >= before)
        }
        facts = customer.facts
        known = facts.orders.keys() | facts.shipments.keys() | facts.surveys.keys()
        customer.told = {subject: k for subject, k in customer.told.items() if subject in known}
        customer.asked = {order: q for order, q in customer.asked.items() if order in facts.orders}
