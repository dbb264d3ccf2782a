"""Records on the topics beside the counts the predictor keeps and publishes.  Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel

from services.contracts.stream import Account
from services.contracts.topics import INTERNAL as BETWEEN_PARTITIONS
from services.contracts.topics import TICKED, TICKS
from services.verifier.evidence import Letter, PartitionEvidence
from services.verifier.heard import Mark, is_forgotten
from services.verifier.outcomes import PREDICTOR, Outcome, Outcomes
from services.verifier.timeline import Timeline

SOURCES = tuple(topic.name for topic in (*TICKED, TICKS))
"""Topics whose records the predictor counts."""

_BY_THEMSELVES = {TICKS.name, *(topic.name for topic in BETWEEN_PARTITIONS)}

INTERNAL = b"\x00"
"""With this begin the changelog's keys that are no customer's."""

Counts = dict[Outcome, int]


@dataclass(slots=True)
class Findings:
    """About the source partitions under one partition number."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)


def partition_key(number: int) -> bytes:
    """Return the changelog key of a partition's own state."""
    return INTERNAL + b"partition-" + str(number).encode()


class SourceState(BaseModel):
    """What a partition's own state holds of one source topic."""

    first_offset: int
    next_offset: int
    applied: int
    duplicate: int
    late: int
    dead_lettered: int
    reported: int = -1


class OwnState(BaseModel):
    """What the changelog holds of a partition itself, as far as it is looked at."""

    sources: dict[str, SourceState] = {}


def own_state(evidence: PartitionEvidence, number: int, found: Findings) -> OwnState:
    """Return a partition's own state as the changelog has it; empty where it has none to be read."""
    value = evidence.changelog.get(partition_key(number))
    try:
        return OwnState() if value is None else OwnState.model_validate_json(value)
    except ValueError:
        found.accounts.append(f"partition {number}: its state in the changelog cannot be read")
        return OwnState()


def judge_accounts(
    number: int,
    evidence: PartitionEvidence,
    outcomes: Outcomes,
    *,
    lockstep: bool,
    is_recounted: bool = True,
) -> Findings:
    """Return what is wrong with the counts and the dead letters of one partition.

    Not recounted, they only have to explain every record.
    """
    found = Findings()
    sources = own_state(evidence, number, found).sources
    _judge_letters(number, evidence, outcomes, found)
    for topic in SOURCES:
        # By the machine's clock these go on by themselves.
        if topic not in _BY_THEMSELVES or lockstep:
            recount = outcomes.counts[topic] if is_recounted and outcomes.is_sure else None
            _judge_source(number, topic, evidence, recount, sources.get(topic), found)
    return found


def judge_feeds(
    number: int,
    evidence: PartitionEvidence,
    marks: Mapping[str, Sequence[Mark]],
    timeline: Timeline,
) -> list[str]:
    """Return the feeds whose latest mark on the topic differs from the recomputed one.

    One not heard for the horizon has none any more.
    """
    latest = {feed: of_feed[-1] for feed, of_feed in marks.items()}
    ours = {f: mark for f, mark in latest.items() if not is_forgotten(mark, timeline.last_at)}
    theirs = {f: Mark(m.tick, m.heard_at, m.events, m.voices) for f, m in evidence.feeds.items()}
    return [
        f"feed {feed} in partition {number}: topic {_shown(theirs.get(feed))}, "
        f"recomputed {_shown(ours.get(feed))}"
        for feed in sorted(ours.keys() | theirs.keys())
        if ours.get(feed) != theirs.get(feed)
    ]


def _shown(mark: Mark | None) -> str:
    if mark is None:
        return "nothing"
    said = f"{mark.events} events until {_iso(mark.heard_at)} at tick {mark.number}"
    return f"{said} of {', '.join(map(repr, mark.voices))}" if mark.voices else said


def _iso(at: datetime) -> str:
    return at.isoformat()


def _judge_letters(
    number: int, evidence: PartitionEvidence, outcomes: Outcomes, found: Findings
) -> None:
    for topic, offset, reason in outcomes.dead:
        if topic in SOURCES and Letter(PREDICTOR, topic, offset) not in evidence.letters:
            found.lost.append(
                f"{topic}-{number}@{offset} cannot be applied ({reason}) and is no dead letter"
            )
    for letter, reasons in evidence.letters.items():
        if len(reasons) > 1:
            found.doubled.append(
                f"{letter.topic}-{number}@{letter.offset} is {len(reasons)} dead letters of "
                f"{letter.service}"
            )
    for topic, offset, reason in outcomes.astray:
        found.accounts.append(
            f"{topic}-{number}@{offset} can be read and is a dead letter ({reason})"
        )


def _judge_source(
    number: int,
    topic: str,
    evidence: PartitionEvidence,
    recount: Counter[Outcome] | None,
    state: SourceState | None,
    found: Findings,
) -> None:
    name = f"{topic}-{number}"
    offsets = evidence.extents[topic].offsets if topic in evidence.extents else []
    if state is None:
        if offsets:
            found.accounts.append(f"{name}: {len(offsets)} records and no count of them")
        return
    counts = {outcome: int(getattr(state, outcome)) for outcome in Outcome}
    between = _between(offsets, state.first_offset, state.next_offset)
    if between != len(offsets):
        found.accounts.append(f"{name}: {len(offsets)} records, of which {between} were read")
    elif sum(counts.values()) != between:
        found.accounts.append(f"{name}: {between} records, counted are {_listed(counts)}")
    elif recount is not None:
        _judge_counts(name, counts, recount, found)
    _judge_account(name, counts, state.reported, evidence, topic, found)


def _between(offsets: Sequence[int], first: int, end: int) -> int:
    return bisect_left(offsets, end) - bisect_left(offsets, first)


def _judge_counts(name: str, counts: Counts, recount: Counter[Outcome], found: Findings) -> None:
    more = counts[Outcome.APPLIED] - recount[Outcome.APPLIED]
    if more > 0:
        found.doubled.append(f"{name}: {more} more were applied than there are different events")
    elif any(counts[outcome] != recount[outcome] for outcome in Outcome):
        ours = {outcome: recount[outcome] for outcome in Outcome}
        found.accounts.append(f"{name}: counted {_listed(counts)}, recounted {_listed(ours)}")


def _judge_account(
    name: str,
    counts: Counts,
    reported: int,
    evidence: PartitionEvidence,
    topic: str,
    found: Findings,
) -> None:
    """The published account says what the state says, and a tick has published all of it."""
    account = evidence.accounts.get(topic)
    if account is None:
        if sum(counts.values()):
            found.accounts.append(f"{name}: no account was published")
        return
    published = {outcome: int(getattr(account, outcome)) for outcome in Outcome}
    if published != counts:
        found.accounts.append(f"{name}: published {_listed(published)}, counted {_listed(counts)}")
    elif account.total != reported:
        found.accounts.append(f"{name}: {account.total} were published, noted are {reported}")
    elif _explained(account, evidence) != account.total:
        found.accounts.append(
            f"{name}: {account.total} were published of {_explained(account, evidence)}"
        )


def _explained(account: Account, evidence: PartitionEvidence) -> int:
    offsets = evidence.extents[account.topic].offsets if account.topic in evidence.extents else []
    return _between(offsets, account.first_offset, account.next_offset)


def _listed(counts: Mapping[Outcome, int]) -> str:
    return ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
