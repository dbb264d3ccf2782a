"""What lies on the topics of one deployment, kept as small as judging it allows.  Pure types."""

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from services.contracts.envelope import Event
from services.contracts.problems import Band, DecisionPoint, FeedEvidence, RiskKind
from services.contracts.stream import Account, Barrier, FeedMark, FeedResumed, FeedSilent, Tick

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One record as Kafka has it; `topic` is the logical name."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Stamp(NamedTuple):
    """When something happened and which event said so; ordered as the contracts order events."""

    at: datetime
    source: str
    id: str


Said = tuple[Any, ...]
"""What of an event's data the facts need: kind of thing, its id, slot, and what else it says."""


class Told(NamedTuple):
    """One readable event of a raw topic."""

    topic: str
    offset: int
    customer: str
    stamp: Stamp
    says: Said | None
    """None: nothing the facts need."""
    carrier: str | None
    """Whose feed was heard, besides the publisher's."""
    is_scan: bool = False
    """Whether that carrier had the parcel in its hands: its scans' feed was heard, too."""
    voice: str | None = None
    """For whom the publisher spoke: a carrier, "" for itself; None: it does not show."""


class Unread(NamedTuple):
    """One record of a raw topic, or a tick, that nobody can read."""

    topic: str
    offset: int
    reason: str


class Letter(NamedTuple):
    """Where a dead letter came from, and who put it there."""

    service: str
    topic: str
    offset: int


def as_json(feed: FeedEvidence | None) -> str | None:
    """Return why an absence was believed as JSON, which takes less memory."""
    return None if feed is None else feed.model_dump_json()


class Assessment(NamedTuple):
    """One assessment, with whether its parts give its probability."""

    id: str
    source: str
    customer: str
    kind: RiskKind
    subject: str
    order_id: str | None
    point: DecisionPoint
    at: datetime
    as_of: datetime | None
    tick: int | None
    revision: int
    probability: float
    band: Band
    adds_up: bool
    digest: str
    feed: str | None = None
    """Why an absence was believed, as JSON; None: none had to be."""


class Attempted(NamedTuple):
    """One word of outreach about one step of one playbook."""

    type: str
    id: str
    customer: str
    at: datetime
    step_id: str
    problem_id: str
    playbook: str
    step: str
    attempt: int
    outcome: str | None
    """Of a decision."""
    is_live: bool
    deferred_until: datetime | None
    digest: str


class Named(NamedTuple):
    """One output by its CloudEvents name, with the digest of its bytes."""

    topic: str
    key: str
    id: str
    digest: str


@dataclass(slots=True)
class Extent:
    """Which records of one source partition were read."""

    begins_at: int = 0
    """Where the topic begins; above 0 retention has taken what was before."""
    offsets: list[int] = field(default_factory=list)


@dataclass(slots=True)
class PartitionEvidence:
    """Everything on all topics under one partition number."""

    extents: dict[str, Extent] = field(default_factory=dict)
    """Source topic → its records."""
    ticks: list[Tick] = field(default_factory=list)
    between: Counter[str] = field(default_factory=Counter)
    """Topic on which partitions tell each other something → its readable records."""
    renamed: set[str] = field(default_factory=set)
    """Customers who were merged or erased, and those into whom somebody was merged."""
    told: list[Told] = field(default_factory=list)
    """Of the topics that the predictor reads."""
    profiles: list[tuple[str, int, datetime]] = field(default_factory=list)
    """Topic, offset and time of what only outreach reads."""
    unread: list[Unread] = field(default_factory=list)
    letters: dict[Letter, list[str]] = field(default_factory=dict)
    """Origin → the reason of each letter."""
    changelog: dict[bytes, bytes] = field(default_factory=dict)
    """The latest value of each key."""
    problems: list[Event[Any] | Barrier] = field(default_factory=list)
    assessments: list[Assessment] = field(default_factory=list)
    risks: dict[str, str] = field(default_factory=dict)
    """Key → digest of the latest risk: the customer, for lapse `customer|lapse`."""
    feeds: dict[str, FeedMark] = field(default_factory=dict)
    """Feed → its latest mark."""
    notices: list[FeedSilent | FeedResumed] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    """Topic → its latest account."""
    attempts: list[Attempted] = field(default_factory=list)
    echoes: list[Barrier] = field(default_factory=list)
    outputs: list[Named] = field(default_factory=list)
    unreadable_outputs: list[str] = field(default_factory=list)

    def without(self, customers: AbstractSet[str]) -> "PartitionEvidence":
        """Return the same without what was said of these customers."""
        if not customers:
            return self
        return replace(
            self,
            problems=[
                said
                for said in self.problems
                if isinstance(said, Barrier) or said.partitionkey not in customers
            ],
            assessments=[each for each in self.assessments if each.customer not in customers],
            risks={k: v for k, v in self.risks.items() if k.partition("|")[0] not in customers},
            attempts=[each for each in self.attempts if each.customer not in customers],
        )


@dataclass(slots=True)
class Evidence:
    """Everything on the topics of a deployment, by partition number."""

    partitions: list[PartitionEvidence]
