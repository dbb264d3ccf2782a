"""What should have been said on `problems` and `assessments` beside what was said there.  Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from pydantic import BaseModel

from services.contracts.envelope import Event
from services.contracts.ids import derive
from services.contracts.problems import (
    DecisionPoint,
    ProblemChanged,
    ProblemCleared,
    ProblemKind,
    ProblemOpened,
    RiskKind,
)
from services.contracts.stream import Barrier
from services.verifier.evidence import Assessment, PartitionEvidence
from services.verifier.happened import AT_OF, Happened
from services.verifier.promises import Expected, Scored
from services.verifier.timeline import Timeline

_WORDS = {
    ProblemOpened.TYPE: "opened",
    ProblemChanged.TYPE: "changed",
    ProblemCleared.TYPE: "cleared",
}

NOT_RECOMPUTED = frozenset({ProblemKind.LAPSE_RISK})
"""Kinds that hang on the model alone; what is said of them is only counted."""

_NOT_COMPARED = "experience"
"""Beside a problem, the customer's experience ledger: nothing is decided by it."""

Key = tuple[str, ...]


@dataclass(slots=True)
class Findings:
    """About what was said in one partition."""

    doubled: list[str] = field(default_factory=list)
    problems_missing: list[str] = field(default_factory=list)
    problems_extra: list[str] = field(default_factory=list)
    problems_renamed: list[str] = field(default_factory=list)
    problems_wrong: list[str] = field(default_factory=list)
    assessments: list[str] = field(default_factory=list)
    barriers: list[str] = field(default_factory=list)


def judge_problems(
    evidence: PartitionEvidence, expected: Iterable[Expected], timeline: Timeline, found: Findings
) -> None:
    """Add where `problems` differs from what was to be said, by id."""
    said: dict[Key, list[Event[Any]]] = defaultdict(list)
    events = (e for e in evidence.problems if isinstance(e, Event))
    for event in _once(e for e in events if e.data.kind not in NOT_RECOMPUTED):
        said[_key(event.type, event.data.model_dump(mode="json"))].append(event)
    missing = []
    for record in expected:
        same = said.get(_key(record.type, record.data))
        if same:
            _compare(record, same.pop(0), timeline, found)
        else:
            missing.append(record)
    extra = [event for events in said.values() for event in events]
    _match_renamed(missing, extra, timeline, found)
    found.problems_missing += [_due(record, timeline) for record in missing]
    found.problems_extra += [_said(event) for event in extra]


def judge_doubled(number: int, evidence: PartitionEvidence, found: Findings) -> None:
    """Add what was said twice under one name."""
    problems = Counter(
        ("problems", e.source, e.id) for e in evidence.problems if isinstance(e, Event)
    )
    scores = Counter(("assessments", a.source, a.id) for a in evidence.assessments)
    found.doubled += [
        f"{topic}-{number}: {source} {event_id} was said {times} times"
        for (topic, source, event_id), times in sorted((problems + scores).items())
        if times > 1
    ]


def judge_assessments(
    evidence: PartitionEvidence,
    scored: Iterable[Scored],
    happened: Happened,
    timeline: Timeline,
    found: Findings,
) -> None:
    """Add where `assessments` differs from the decision points that were reached, or can have been."""
    said = by_point(evidence.assessments)
    for due in scored:
        name = f"customer {due.customer} {due.subject} {due.point}"
        one = said.pop((due.customer, due.subject, due.point), None)
        if one is None:
            found.assessments.append(f"{name}: missing at {timeline.ats[due.step].isoformat()}")
        elif one.tick != timeline.numbers[due.step] or one.order_id != due.order_id:
            found.assessments.append(
                f"{name}: said of {one.order_id} at tick {one.tick}, due of {due.order_id} "
                f"at {timeline.numbers[due.step]}"
            )
        elif one.feed != due.feed:
            found.assessments.append(f"{name}: believed by {one.feed}, due by {due.feed}")
    found.assessments += [
        f"customer {one.customer} {one.subject} {one.point}: said at {one.at.isoformat()}, which is "
        f"not the time of tick {one.tick}"
        for one in evidence.assessments
        if timeline.at_number(one.tick) != one.at
    ]
    found.assessments += [
        f"customer {customer} {subject} {point}: said, and no such point was reached"
        for (customer, subject, point), one in said.items()
        if not _can_be(one, happened)
    ]


def _can_be(one: Assessment, happened: Happened) -> bool:
    """Whether what brings this point had happened, and was known, when it was said."""
    moments = happened.get((one.customer, one.subject, one.point), ())
    return one.point in AT_OF and any(moment <= one.at for moment in moments)


def judge_sums(evidence: PartitionEvidence, found: Findings) -> None:
    """Add assessments that do not add up, are named otherwise, come twice, or are not the latest risk."""
    before: dict[Key, Assessment] = {}
    for one in evidence.assessments:
        name = f"customer {one.customer} {one.subject} {one.point}"
        if not one.adds_up:
            found.assessments.append(f"{name}: the parts do not give the probability ({one.id})")
        if one.kind is RiskKind.LAPSE:
            found.assessments += _strange(name, one)
        else:
            place = (one.customer, one.subject, one.point)
            found.assessments += _misnamed(name, one, before.get(place))
            before[place] = one
    remembered = (a for a in evidence.assessments if a.customer.encode() in evidence.changelog)
    latest = _latest(remembered)
    found.assessments += [
        f"customer {name}: the latest risk is not the latest assessment"
        for name in sorted(latest.keys() | evidence.risks.keys())
        if _digest(latest.get(name)) != evidence.risks.get(name)
        and not (name not in evidence.risks and _was_forgotten(latest[name], evidence.changelog))
    ]


def _was_forgotten(one: Assessment, changelog: Mapping[bytes, bytes]) -> bool:
    """Whether nothing was known of the customer any more, at least for a while after this was said.

    Then all that is remembered of the customer lies behind it, and what was said last was taken back.
    """
    try:
        seen = _Remembered.model_validate_json(changelog[one.customer.encode()]).seen
    except ValueError:
        return False
    return all(at > one.at for at in seen.values())


class _Remembered(BaseModel):
    """Of a customer in the changelog: when the events were that are remembered as applied."""

    seen: dict[str, datetime]


def _latest(assessments: Iterable[Assessment]) -> dict[str, Assessment]:
    """Return what should be on `customer-risks`, by key, had nobody of them been forgotten for a while.

    Of a lapse the last; of a complaint that of the latest instant as each look leaves them, for a score
    that is made again may be of an earlier instant than before.
    """
    latest: dict[str, Assessment] = {}
    instants: dict[str, dict[tuple[str, str], datetime]] = defaultdict(dict)
    for (customer, _), said in groupby(assessments, lambda one: (one.customer, one.at)):
        look, known = list(said), instants[customer]
        complaints = [one for one in look if one.kind is RiskKind.COMPLAINT]
        latest.update({f"{customer}|{one.kind}": one for one in look if one not in complaints})
        known.update({(one.subject, one.point): _as_of(one) for one in complaints})
        newest = max(known.values(), default=None)
        for one in complaints:
            if _as_of(one) == newest:
                latest[customer] = one
    return latest


def _as_of(one: Assessment) -> datetime:
    return one.as_of or one.at


def _digest(one: Assessment | None) -> str | None:
    return None if one is None else one.digest


def _misnamed(name: str, one: Assessment, before: Assessment | None) -> list[str]:
    """Return a finding where an assessment is no first one, and not the next that says another thing."""
    number = (str(one.revision),) if one.revision else ()
    if one.id != str(derive("risk", one.customer, one.subject, one.point, *number)):
        return [f"{name}: has the id {one.id}"]
    is_same = before is not None and before.id == one.id
    expected = 0 if before is None else before.revision + 1
    if not is_same and one.revision != expected:
        return [f"{name}: is revision {one.revision}, after {expected - 1}"]
    if before is not None and not is_same and _what(one) == _what(before):
        return [f"{name}: assessed again as {one.id}, and nothing is new"]
    return []


def _what(one: Assessment) -> tuple[float, str, datetime | None]:
    return one.probability, one.band, one.as_of


def _strange(name: str, lapse: Assessment) -> list[str]:
    """Return a finding where the risk of a lapse is said of anything but a customer's silence."""
    is_silence = (lapse.subject, lapse.point) == ("customer", DecisionPoint.SILENCE)
    return [] if is_silence else [f"{name}: no lapse is assessed there ({lapse.id})"]


def by_point(assessments: Iterable[Assessment]) -> dict[tuple[str, str, DecisionPoint], Assessment]:
    """Return the first assessment of complaint of each customer, parcel and decision point."""
    found: dict[tuple[str, str, DecisionPoint], Assessment] = {}
    for one in (each for each in assessments if each.kind is RiskKind.COMPLAINT):
        found.setdefault((one.customer, one.subject, one.point), one)
    return found


def judge_barriers(
    number: int, evidence: PartitionEvidence, timeline: Timeline, found: Findings
) -> None:
    """Add ticks that were not passed on once, in order and behind all that was said at them."""
    due = [
        Barrier(barrier=t.barrier, number=t.number, at=t.at, partition=number, ends=t.ends)
        for t in timeline.ticks
        if t.barrier is not None
    ]
    said = [
        b.model_copy(update={"next_due": None}) for b in evidence.problems if isinstance(b, Barrier)
    ]
    if said != due:
        found.barriers += _barrier_differences(number, due, said)
    # Barriers only: between them lies what was said at the tick of the second.
    elif timeline.ats and len(due) == len(timeline):
        found.barriers += _out_of_place(number, evidence.problems, timeline)


def _barrier_differences(
    number: int, due: Sequence[Barrier], said: Sequence[Barrier]
) -> Iterable[str]:
    times = Counter(barrier.barrier for barrier in said)
    by_name = {barrier.barrier: barrier for barrier in said}
    wanted = {barrier.barrier for barrier in due}
    for barrier in due:
        name = f"problems-{number}: barrier {barrier.barrier}"
        if times[barrier.barrier] != 1:
            yield f"{name} came {times[barrier.barrier]} times"
        elif by_name[barrier.barrier] != barrier:
            yield f"{name} is not what the tick says"
    for name in sorted(times.keys() - wanted):
        yield f"problems-{number}: barrier {name} is of no tick"
    known = [b.number for b in said if b.barrier in wanted]
    if known != sorted(known):
        yield f"problems-{number}: barriers are out of order"


def _out_of_place(
    number: int, records: Iterable[Event[Any] | Barrier], timeline: Timeline
) -> Iterable[str]:
    step = 0
    for record in records:
        if isinstance(record, Barrier):
            step += 1
        elif step >= len(timeline) or record.time != timeline.ats[step]:
            yield f"problems-{number}: {_said(record)} lies between the barriers of other ticks"


def _once(events: Iterable[Event[Any]]) -> Iterable[Event[Any]]:
    """Yield the first of each name; repetitions are told elsewhere."""
    known: set[tuple[str, str]] = set()
    for event in events:
        if (event.source, event.id) not in known:
            known.add((event.source, event.id))
            yield event


def _key(type_: str, data: Mapping[str, Any]) -> Key:
    tier = data["tier"] if type_ == ProblemChanged.TYPE else ""
    return type_, data["problem_id"], tier


def _looks_like(type_: str, customer: str, data: Mapping[str, Any]) -> Key:
    return type_, customer, data["subject"], data["kind"], data["tier"]


def _compare(record: Expected, event: Event[Any], timeline: Timeline, found: Findings) -> None:
    at = timeline.ats[record.step]
    if event.id != record.id:
        found.problems_renamed.append(f"{_due(record, timeline)} has the id {event.id}")
    elif event.time != at:
        found.problems_wrong.append(f"{_said(event)}, due at {at.isoformat()}")
    elif event.partitionkey != record.customer:
        found.problems_wrong.append(f"{_said(event)}, due of customer {record.customer}")
    else:
        data = event.data.model_dump(mode="json")
        other = [
            f for f in sorted(record.data.keys() | data.keys()) if _differs(f, record.data, data)
        ]
        if other:
            found.problems_wrong.append(f"{_said(event)}: other {', '.join(other)}")


def _differs(name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    if name == _NOT_COMPARED:
        return False
    if name == "complaint_risk" and ours.get(name) is None:
        # The assessment is missing, which is told there.
        return False
    return bool(ours.get(name) != theirs.get(name))


def _match_renamed(
    missing: list[Expected], extra: list[Event[Any]], timeline: Timeline, found: Findings
) -> None:
    """Move what was said under another id from missing and extra to renamed."""
    strangers: dict[Key, list[Event[Any]]] = defaultdict(list)
    for event in extra:
        data = event.data.model_dump(mode="json")
        key = _looks_like(event.type, event.partitionkey, data)
        strangers[(*key, event.time.isoformat())].append(event)
    for record in list(missing):
        at = timeline.ats[record.step].isoformat()
        same = strangers.get((*_looks_like(record.type, record.customer, record.data), at))
        if same:
            event = same.pop(0)
            missing.remove(record)
            extra.remove(event)
            found.problems_renamed.append(
                f"{_due(record, timeline)} was said of problem {event.data.problem_id}"
            )


def _due(record: Expected, timeline: Timeline) -> str:
    data, at = record.data, timeline.ats[record.step].isoformat()
    return (
        f"customer {record.customer} {data['kind']} {data['subject']} {_WORDS[record.type]} "
        f"({data['tier']}) at {at}, problem {data['problem_id']}"
    )


def _said(event: Event[Any]) -> str:
    data = event.data
    return (
        f"customer {event.partitionkey} {data.kind} {data.subject} {_WORDS[event.type]} "
        f"({data.tier}) at {event.time.isoformat()}, problem {data.problem_id}"
    )
