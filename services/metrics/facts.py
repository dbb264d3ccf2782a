"""What the metrics service remembers: facts by business id, and counts that follow from them."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from services.contracts.metric_names import DETECTION_TO_CONTACT, LEAD_TIME
from services.contracts.outreach import Outcome, Suppression
from services.contracts.problems import Clearing, ProblemKind, Tier
from services.contracts.stream import Account

REMEMBERED_IDS = 20_000
"""Ids kept per topic and partition to know a redelivery by.  Redelivery repeats the last few records
of a writer that was cut off, never months of them; a bound keeps the memory small."""


class EventId(NamedTuple):
    """CloudEvents identity; breaks ties between facts of one instant."""

    source: str
    id: str


@dataclass(frozen=True, slots=True, order=True)
class Answer:
    """One answer to a survey; of several to the same survey the earliest counts."""

    at: datetime
    event: EventId
    is_poor: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a settled complaint says about care; `lead` is None where we never wrote."""

    reached_first: bool
    lead: timedelta | None


@dataclass(slots=True)
class OrderFacts:
    """What matters of one order: when its customer complained, and when we first wrote."""

    partition: int
    complaint_contact_at: datetime | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    first_sent_at: datetime | None = None
    judged: Judgement | None = None
    """What the counts hold of this order now."""


@dataclass(slots=True)
class ProblemFacts:
    """What matters of one problem; kind and tier are None while only a message told of it."""

    kind: ProblemKind | None = None
    tier: Tier | None = None
    opened_at: datetime | None = None
    opened_at_as_sent: datetime | None = None
    """When it opened as the message says, should the opening itself be unread or gone."""
    clearings: set[Clearing] = field(default_factory=set)
    first_sent_at: datetime | None = None


@dataclass(slots=True)
class Distribution:
    """Durations by bucket.  Exact under any order of adding and removing: no floating-point sum."""

    bounds: tuple[timedelta, ...]
    counts: list[int]
    """One per bound (not cumulative), and one for what is longer than all."""
    total: timedelta = timedelta(0)

    @classmethod
    def of(cls, bounds_seconds: tuple[float, ...]) -> "Distribution":
        """Return an empty one with these upper bounds."""
        bounds = tuple(timedelta(seconds=bound) for bound in bounds_seconds)
        return cls(bounds, [0] * (len(bounds) + 1))

    def add(self, duration: timedelta | None, times: int = 1) -> None:
        """Count a duration, or take it back with `times` -1; None is none."""
        if duration is not None:
            self.counts[bisect_left(self.bounds, duration)] += times
            self.total += times * duration


@dataclass(slots=True)
class Remembered:
    """The last ids of one topic partition, oldest first."""

    ids: dict[EventId, None] = field(default_factory=dict)

    def is_new(self, identity: EventId) -> bool:
        """Return whether it was not among the last ids, and remember it."""
        if identity in self.ids:
            return False
        self.ids[identity] = None
        if len(self.ids) > REMEMBERED_IDS:
            del self.ids[next(iter(self.ids))]
        return True


class Place(NamedTuple):
    """One partition of a topic, by its logical name."""

    topic: str
    partition: int


@dataclass(slots=True)
class State:
    """Everything folded from the topics; each count is named after its series."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(topic, type) → records."""
    dead_letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(origin topic, reason) → dead letters."""
    decisions: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    suppressed: Counter[tuple[str, Suppression]] = field(default_factory=Counter)
    contacts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(playbook, channel, outcome) → contacts."""
    opened: Counter[ProblemKind] = field(default_factory=Counter)
    cleared: Counter[tuple[ProblemKind, Clearing]] = field(default_factory=Counter)
    open_now: Counter[tuple[ProblemKind, Tier]] = field(default_factory=Counter)
    complaints: Counter[bool] = field(default_factory=Counter)
    """Whether we reached the customer first → settled complaints."""
    lead_time: Distribution = field(default_factory=lambda: Distribution.of(LEAD_TIME.buckets))
    detection_to_contact: Distribution = field(
        default_factory=lambda: Distribution.of(DETECTION_TO_CONTACT.buckets)
    )
    accounts: dict[Place, Account] = field(default_factory=dict)
    orders: dict[str, OrderFacts] = field(default_factory=dict)
    """Orders with a complaint, a CSAT answer or a message of ours; the others do not matter here."""
    unsettled: dict[int, set[str]] = field(default_factory=dict)
    """Partition → orders whose complaint is not settled yet."""
    settled_until: dict[int, datetime] = field(default_factory=dict)
    problems: dict[UUID, ProblemFacts] = field(default_factory=dict)
    remembered: dict[Place, Remembered] = field(default_factory=dict)
