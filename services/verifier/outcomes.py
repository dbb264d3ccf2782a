"""What should have become of every record of a source: applied, duplicate, late, dead letter.  Pure.

In lockstep the deployment's time at which a record was applied is known exactly: the time of the tick
before the one that covers it.  By the machine's clock it lies somewhere after that.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.contracts.topics import HORIZON, MAX_FUTURE_SKEW, TICKS
from services.verifier.evidence import Letter, PartitionEvidence, Told
from services.verifier.timeline import Timeline

PREDICTOR = "churn-predictor"
"""What the predictor calls itself in the headers of its dead letters."""

SET_ASIDE = "deadly"
"""Reason of a letter about a record that ended the process; nothing in the record shows it."""

FUTURE = "future"
"""Reason of a letter about an event too far ahead of the deployment's time."""


class Outcome(StrEnum):
    """What became of a record; the names are those of the accounts."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    LATE = "late"
    DEAD = "dead_lettered"


@dataclass(frozen=True, slots=True)
class Applied:
    """One event that counts, and the index of the tick at which it was known."""

    index: int
    told: Told


@dataclass(slots=True)
class Outcomes:
    """Of one partition."""

    customers: dict[str, list[Applied]] = field(default_factory=lambda: defaultdict(list))
    """Customer → what was applied, by tick."""
    heard: list[Applied] = field(default_factory=list)
    """Everything that was not refused: also a duplicate shows that its publisher lives."""
    counts: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    dead: list[tuple[str, int, str]] = field(default_factory=list)
    """Topic, offset and reason of each record that nobody may apply."""
    astray: list[tuple[str, int, str]] = field(default_factory=list)
    """Those of letters about records that can be read."""
    undecided: int = 0
    """Records of which only the machine's clock could tell."""
    twins: set[str] = field(default_factory=set)
    """Customers with one event's name on two topics at one tick: either may have been applied first."""

    @property
    def is_sure(self) -> bool:
        """Whether the counts could not have been others."""
        return not self.undecided and not self.twins


@dataclass(frozen=True, slots=True)
class Clock:
    """The deployment's time while a record was applied: not before one moment, not after another."""

    earliest: datetime | None
    latest: datetime | None

    def outcome(self, at: datetime) -> Outcome | None:
        """Return what the time of an event makes of it, whenever it was applied; None: nothing."""
        if self.latest is not None and at > self.latest + MAX_FUTURE_SKEW:
            return Outcome.DEAD
        if self.earliest is not None and at < self.earliest - HORIZON:
            return Outcome.LATE
        return None

    def is_sure(self, at: datetime) -> bool:
        """Whether the outcome is the same at every moment it may have been."""
        return self.earliest == self.latest or (
            Clock(self.earliest, self.earliest).outcome(at)
            == Clock(self.latest, self.latest).outcome(at)
        )


IsSeen = Callable[[Told], bool]
"""Whether the predictor remembers this event as applied."""


def outcomes(
    evidence: PartitionEvidence, timeline: Timeline, is_seen: IsSeen, *, lockstep: bool
) -> Outcomes:
    """Return what should have become of the records of the predictor's topics in this partition.

    Args:
        evidence: What lies on the topics of this partition.
        timeline: Its ticks.
        is_seen: Believed where only the machine's clock could tell.
        lockstep: Whether ticks alone told the time.
    """
    found = Outcomes()
    _refuse_unread(found, evidence)
    letters = _letters(evidence.letters)
    first_at: dict[tuple[str, str, str], Applied] = {}
    for applied in _by_tick(evidence, timeline):
        told = applied.told
        outcome = _by_time(found, applied, timeline, is_seen, lockstep=lockstep)
        if outcome is not Outcome.DEAD and (told.topic, told.offset) in letters:
            outcome = _by_letter(found, told, letters[told.topic, told.offset])
        if outcome is not Outcome.DEAD:
            found.heard.append(applied)
            now = timeline.at_before(applied.index)
            outcome = outcome or _by_name(found, applied, first_at, now)
        found.counts[told.topic][outcome] += 1
    found.counts[TICKS.name][Outcome.APPLIED] += len(evidence.ticks)
    for topic, records in evidence.between.items():
        found.counts[topic][Outcome.APPLIED] += records
    return found


def _refuse_unread(found: Outcomes, evidence: PartitionEvidence) -> None:
    for unread in evidence.unread:
        found.dead.append((unread.topic, unread.offset, unread.reason))
        found.counts[unread.topic][Outcome.DEAD] += 1


def _letters(letters: Mapping[Letter, list[str]]) -> dict[tuple[str, int], str]:
    """Return topic and offset → the reason of the predictor's first letter."""
    return {
        (letter.topic, letter.offset): reasons[0]
        for letter, reasons in letters.items()
        if letter.service == PREDICTOR
    }


def _by_tick(evidence: PartitionEvidence, timeline: Timeline) -> list[Applied]:
    known = (Applied(timeline.known(told.topic, told.offset), told) for told in evidence.told)
    return sorted(known, key=lambda a: (a.index, a.told.topic, a.told.offset))


def _by_letter(found: Outcomes, told: Told, reason: str) -> Outcome:
    """A record that can be read became a letter: only the one reason that it cannot show is right."""
    if reason != SET_ASIDE:
        found.astray.append((told.topic, told.offset, reason))
    return Outcome.DEAD


def _by_time(
    found: Outcomes, applied: Applied, timeline: Timeline, is_seen: IsSeen, *, lockstep: bool
) -> Outcome | None:
    told, earliest = applied.told, timeline.at_before(applied.index)
    clock = Clock(earliest, earliest if lockstep else timeline.last_at)
    if clock.is_sure(told.stamp.at):
        outcome = clock.outcome(told.stamp.at)
    else:
        found.undecided += 1
        outcome = (
            None if is_seen(told) else Clock(clock.latest, clock.earliest).outcome(told.stamp.at)
        )
    if outcome is Outcome.DEAD:
        found.dead.append((told.topic, told.offset, FUTURE))
    return outcome


def _by_name(
    found: Outcomes,
    applied: Applied,
    first_at: dict[tuple[str, str, str], Applied],
    now: datetime | None,
) -> Outcome:
    """The first of a name counts; a name is remembered as long as its event lies inside the horizon."""
    told = applied.told
    name = (told.customer, told.stamp.source, told.stamp.id)
    first = first_at.get(name)
    if first is None or (now is not None and first.told.stamp.at < now - HORIZON):
        first_at[name] = applied
        found.customers[told.customer].append(applied)
        return Outcome.APPLIED
    if first.told.topic != told.topic and first.index == applied.index:
        found.twins.add(told.customer)
    return Outcome.DUPLICATE
