"""Plain records that drive the stream: ticks, barriers, feed marks, accounts and news of histories.

Of customers there is nothing here but the id of whoever's order asks for a history.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from services.contracts.envelope import Contract, CustomerId, Identifier, Instant

Offset = Annotated[int, Field(ge=0)]


class Tick(Contract):
    """It is `at`, and in this partition the source topics ended at these offsets.

    It takes effect only when everything before those offsets has been applied.  A tick with a
    barrier belongs to simulated time: who has finished all work due at it says so.
    """

    number: Annotated[int, Field(ge=0)]
    """Grows by one in simulated time; the second of the epoch in real time."""
    at: Instant
    ends: dict[str, Offset]
    """Logical topic name → end offset of this partition."""
    barrier: str | None = None

    def encode(self) -> bytes:
        """Return the JSON on the topic."""
        return self.model_dump_json(exclude_none=True).encode()


class Barrier(Contract):
    """Everything due at this tick in this partition lies before this record."""

    barrier: str
    number: Annotated[int, Field(ge=0)]
    at: Instant
    partition: Annotated[int, Field(ge=0)]
    ends: dict[str, Offset]
    next_due: Instant | None = None
    """When there will be work again if no event comes; None: never."""

    def encode(self) -> bytes:
        """Return the JSON on the topic."""
        return self.model_dump_json(exclude_none=True).encode()


class FeedMark(Contract):
    """When a carrier or publisher was last heard in one partition, as of a tick."""

    kind: Literal["feed"] = "feed"
    feed: str
    """`publisher:<source>`, `carrier:<slug>` or `scans:<slug>`."""
    partition: Annotated[int, Field(ge=0)]
    tick: Annotated[int, Field(ge=0)]
    heard_at: Instant
    events: Annotated[int, Field(ge=0)]
    """Cumulative count in this partition."""
    voices: Annotated[tuple[str, ...], Field(max_length=2)] = ()
    """For whom a publisher spoke here: carriers' slugs, "" for itself; of several the least two."""

    @property
    def key(self) -> str:
        """The record's key."""
        return self.key_of(self.feed, self.partition)

    @staticmethod
    def key_of(feed: str, partition: int) -> str:
        """Return the key of what is said last of this feed in this partition."""
        return f"{feed}|{partition}"

    @staticmethod
    def place_of(key: str) -> tuple[str, int] | None:
        """Return the feed and partition of a mark's key; None: it is no mark's."""
        feed, _, partition = key.rpartition("|")
        return (feed, int(partition)) if feed and partition.isdecimal() else None


class TickMark(Contract):
    """This partition has said all it knew of its feeds at this tick."""

    kind: Literal["tick"] = "tick"
    partition: Annotated[int, Field(ge=0)]
    tick: Annotated[int, Field(ge=0)]
    at: Instant
    layouts: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """How many partitions every topic has had, one after the other, the number of now last; (): not told."""

    @property
    def key(self) -> str:
        """The record's key."""
        return self.key_of(self.partition)

    @staticmethod
    def key_of(partition: int) -> str:
        """Return the key of the last mark of this partition."""
        return f"tick|{partition}"


class _Notice(Contract):
    """What is said once about a feed, by the owner of the partition of its name, at a tick."""

    feed: str
    partition: Annotated[int, Field(ge=0)]
    """The owner's: murmur2 of the feed's name."""
    tick: Annotated[int, Field(ge=0)]
    at: Instant
    """The tick's time; what was known then is what every partition had said at the tick before."""

    @property
    def key(self) -> str:
        """The record's key: the latest state of a feed is kept."""
        return self.key_of(self.feed)

    @staticmethod
    def key_of(feed: str) -> str:
        """Return the key of what is said last of this feed."""
        return f"state|{feed}"


class FeedSilent(_Notice):
    """A feed has been silent for longer than is usual at this time of the week."""

    kind: Literal["silent"] = "silent"
    heard_at: Instant
    """When it was last heard in any partition."""
    silent_from: Instant
    """From when on its silence was unusual."""
    usual_gap_seconds: Annotated[float, Field(ge=0)]
    """How long a silence that began when it was last heard would have been usual."""


class FeedResumed(_Notice):
    """A feed that was silent is heard again."""

    kind: Literal["resumed"] = "resumed"
    heard_at: Instant
    """When it was heard now."""
    silent_since: Instant
    """When it had last been heard before: `heard_at` of the notice that this one ends."""


FeedRecord = Annotated[FeedMark | TickMark | FeedSilent | FeedResumed, Field(discriminator="kind")]
FEED_RECORD: TypeAdapter[FeedMark | TickMark | FeedSilent | FeedResumed] = TypeAdapter(FeedRecord)


class Account(Contract):
    """What became of every record of one source partition since `first_offset`."""

    topic: str
    partition: Annotated[int, Field(ge=0)]
    next_offset: Offset
    first_offset: Offset = 0
    """Where counting began.  Retention moves a partition's beginning; the counts stay."""
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    dead_lettered: int = 0
    absent: int = 0
    """Offsets that hold no record a reader ever gets: the markers of publishers' transactions, and what was
    aborted.  Not in `total`: nothing became of them."""
    tick: Annotated[int, Field(ge=0)] = 0
    at: Instant | None = None

    @property
    def key(self) -> str:
        """The record's key."""
        return f"{self.topic}|{self.partition}"

    @property
    def total(self) -> int:
        """Records accounted for."""
        return self.applied + self.duplicate + self.late + self.dead_lettered


Name = Annotated[str, Field(min_length=1, max_length=200)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Observed:
    """Something that happened, for the partition that counts it under `key`."""

    key: Name
    """`seller:<id>`, `category:<name>`, `destination:<region>` or `shop`."""
    kind: Name
    subject: Identifier
    """The shipment or survey it was seen on; told once of each kind and key."""
    at: Instant
    """The first instant at which it could be known."""
    value: int
    """Whole seconds, minor units, or 1 for yes and 0 for no."""
    part: Name | None = None
    """Which product of a seller, which origin of a destination."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an order wants to know of `key`, as of its approval."""

    customer: CustomerId
    order: Identifier
    key: Name
    at: Instant
    part: Name | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one such question."""

    customer: CustomerId
    order: Identifier
    key: Name
    histories: dict[str, tuple[Finite, Finite]]
    """Name → how many observations count and the sum of their values, both faded."""
    part: Name | None = None


class HistoryNews(Contract):
    """What one partition tells, asks and answers another at one tick.

    It counts from the reader's next tick with a greater number on.
    """

    partition: Annotated[int, Field(ge=0)]
    """Who says it, and is to be answered."""
    tick: Annotated[int, Field(ge=0)]
    observed: tuple[Observed, ...] = ()
    asked: tuple[Asked, ...] = ()
    answered: tuple[Answered, ...] = ()

    def encode(self) -> bytes:
        """Return the JSON on the topic."""
        return self.model_dump_json(exclude_none=True).encode()
