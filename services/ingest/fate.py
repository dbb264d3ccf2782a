"""What became of an event, from what lies on the topics.  Pure; where they do not tell, nor does this.

The predictor counts what it applies, by partition, and writes what it could not read to a dead-letter
topic in the same transaction.  So a record that an account has passed and that is no dead letter was
applied, or left out for one of two reasons that the topics show: it repeats one before it, or it was
too old.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, Field

from services.contracts.stream import Account
from services.contracts.topics import HORIZON, PREDICTOR_SOURCES, Topic

PREDICTOR = "churn-predictor"
"""How the predictor names itself in dead letters."""

CLOCK_SKEW = timedelta(minutes=10)
"""How far the clocks of those who write may lie apart."""


class Fate(StrEnum):
    """What became of one record; a record on a topic was accepted in any case."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    """It repeats one that was applied."""
    WAITING = "waiting"
    """The predictor has not come so far."""
    UNCLEAR = "unclear"
    """The predictor has passed it, and the topics do not tell whether it was applied."""
    LATE = "late"
    """Older than what is looked at, and so never applied."""
    DEAD_LETTERED = "dead_lettered"
    """It could not be read."""
    ACCEPTED = "accepted"
    """It lies on its topic, and no more is known."""


class RecordFate(BaseModel):
    """One record of an event, and what became of it."""

    topic: str
    partition: int
    offset: int
    accepted_at: datetime | None = Field(
        default=None, description="When it was written, by its writer's clock."
    )
    fate: Fate
    because: str | None = Field(default=None, description="In words, where there is more to say.")
    reason: str | None = Field(default=None, description="Of a dead letter, in one word.")
    service: str | None = Field(default=None, description="Who could not read it.")


@dataclass(frozen=True, slots=True)
class Found:
    """A record of the event in question."""

    topic: Topic
    partition: int
    offset: int
    written_at: datetime
    """By the clock of whoever wrote it."""
    customer: str
    time: datetime
    """When the fact happened, as the event says."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: which record, who could not read it, and why."""

    topic: str
    partition: int
    offset: int
    service: str
    reason: str


@dataclass(frozen=True, slots=True)
class Counted:
    """An account as it lies on its topic."""

    account: Account
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read."""

    found: Sequence[Found] = ()
    letters: Sequence[Letter] = ()
    accounts: Sequence[Counted] = ()
    """In the order of their partitions' offsets; not those behind the first that has passed a record."""
    is_whole: bool = True
    """Whether all letters and those accounts were read."""


_NOT_READ = "what lies behind it on other topics was not read to the end: ask again"
_NOBODY_COUNTS = "what became of it is not told: only outreach reads this topic"
_BEFORE_FIRST = "the predictor began behind it and never reads it"
_NEAR_HORIZON = (
    "it is as old as what is just not looked at any more; which side it fell on is not told"
)
_ON_TWO_TOPICS = (
    "an event of this source and id lies on another topic too; which came first is not told"
)
_AFTER_UNCLEAR = "it repeats one of which that is unclear"


def fates(evidence: Evidence, *, simulated: bool) -> list[RecordFate]:
    """Return what became of each record found, by topic, partition and offset.

    Args:
        evidence: What was read.
        simulated: Whether the deployment's time comes from ticks and not from clocks.
    """
    judge = _Judge(evidence, simulated)
    found = sorted(evidence.found, key=lambda f: (f.topic.name, f.partition, f.offset))
    return [judge.fate(each) for each in found]


def unread(topic: Topic, partition: int, offset: int) -> RecordFate:
    """Return what is told of a record on a topic that is not read here."""
    place = {"topic": topic.name, "partition": partition, "offset": offset}
    return RecordFate.model_validate({**place, "fate": Fate.ACCEPTED, "because": _NOBODY_COUNTS})


def of_all(records: Iterable[RecordFate]) -> Fate | None:
    """Return what became of the event: the best of what became of its records; None: no record."""
    order = list(Fate)
    return min((record.fate for record in records), key=order.index, default=None)


@dataclass(slots=True)
class _Judge:
    evidence: Evidence
    simulated: bool
    judged: list[tuple[Found, Fate]] = field(default_factory=list)

    def fate(self, found: Found) -> RecordFate:
        letter = self._letter(found)
        if letter is not None:
            fate, because = Fate.DEAD_LETTERED, None
        else:
            fate, because = self._unread(found)
        self.judged.append((found, fate))
        return RecordFate(
            topic=found.topic.name,
            partition=found.partition,
            offset=found.offset,
            accepted_at=found.written_at,
            fate=fate,
            because=because,
            reason=letter.reason if letter else None,
            service=letter.service if letter else None,
        )

    def _letter(self, found: Found) -> Letter | None:
        place = found.topic.name, found.partition, found.offset
        letters = [x for x in self.evidence.letters if (x.topic, x.partition, x.offset) == place]
        if found.topic in PREDICTOR_SOURCES:
            # Others read some of these topics too; what they could not read may be applied here.
            letters = [letter for letter in letters if letter.service == PREDICTOR]
        return letters[0] if letters else None

    def _unread(self, found: Found) -> tuple[Fate, str | None]:
        """Return what became of a record that is no dead letter."""
        if not self.evidence.is_whole:
            return Fate.ACCEPTED, _NOT_READ
        if found.topic not in PREDICTOR_SOURCES:
            return Fate.ACCEPTED, _NOBODY_COUNTS
        passed = self._first_past(found)
        if passed is None:
            return Fate.WAITING, None
        if passed.account.first_offset > found.offset:
            return Fate.ACCEPTED, _BEFORE_FIRST
        match self._is_late(found, passed):
            case True:
                return Fate.LATE, f"older than {HORIZON.days} days when it was read"
            case None:
                return Fate.UNCLEAR, _NEAR_HORIZON
        return self._in_time(found)

    def _in_time(self, found: Found) -> tuple[Fate, str | None]:
        """Return what became of a record that was read and not too old."""
        if any(each.topic is not found.topic for each in self._rivals(found)):
            return Fate.UNCLEAR, _ON_TWO_TOPICS
        before = {fate for each, fate in self.judged if _could_shadow(each, found)}
        if before & {Fate.APPLIED, Fate.DUPLICATE}:
            return Fate.DUPLICATE, None
        return (Fate.UNCLEAR, _AFTER_UNCLEAR) if Fate.UNCLEAR in before else (Fate.APPLIED, None)

    def _rivals(self, found: Found) -> Iterable[Found]:
        """Yield the event's other records that the predictor compares this one with."""
        for each in self.evidence.found:
            if each.customer == found.customer and each.topic in PREDICTOR_SOURCES:
                yield each

    def _accounts(self, found: Found) -> Iterable[Counted]:
        for counted in self.evidence.accounts:
            account = counted.account
            if (account.topic, account.partition) == (found.topic.name, found.partition):
                yield counted

    def _first_past(self, found: Found) -> Counted | None:
        accounts = self._accounts(found)
        return next((c for c in accounts if c.account.next_offset > found.offset), None)

    def _is_late(self, found: Found, passed: Counted) -> bool | None:
        """Return whether it was too old at the moment it was read, of which only the bounds are known."""
        earliest, latest = self._read_between(found, passed)
        if latest is not None and found.time >= latest - HORIZON:
            return False
        return True if earliest is not None and found.time < earliest - HORIZON else None

    def _read_between(
        self, found: Found, passed: Counted
    ) -> tuple[datetime | None, datetime | None]:
        if not self.simulated:
            return found.written_at - CLOCK_SKEW, passed.written_at + CLOCK_SKEW
        before = [c.account.at for c in self._accounts(found) if _lies_before(c.account, found)]
        return (before[-1] if before else None), passed.account.at


def _could_shadow(earlier: Found, later: Found) -> bool:
    """Whether the predictor may take the later one for a repeat of the earlier.

    In another partition it lies only if there were fewer when it came, and then it came before.
    """
    if earlier.topic is not later.topic or earlier.customer != later.customer:
        return False
    if earlier.partition == later.partition:
        return earlier.offset < later.offset
    return earlier.partition < later.partition and earlier.written_at <= later.written_at


def _lies_before(account: Account, found: Found) -> bool:
    return account.next_offset <= found.offset
