"""What outreach says about itself, beside the problems it was told and the mails that arrived.  Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.contracts.envelope import Event
from services.contracts.ids import step_id
from services.contracts.outreach import (
    Outcome,
    OutreachCorrected,
    OutreachDecided,
    OutreachFailed,
    OutreachSent,
    OutreachStarted,
    OutreachUnknown,
    OutreachWithdrawn,
)
from services.contracts.problems import Clearing, ProblemCleared
from services.contracts.stream import Barrier
from services.contracts.topics import CONSENTS, CONTACTS, CUSTOMERS, MAX_FUTURE_SKEW
from services.verifier.evidence import Attempted, Letter, PartitionEvidence
from services.verifier.timeline import Timeline

OUTREACH = "outreach"
"""What outreach calls itself in the headers of its dead letters."""

_READS = frozenset({CONTACTS.name, CUSTOMERS.name, CONSENTS.name})
_OVER = frozenset(
    {OutreachSent.TYPE, OutreachFailed.TYPE, OutreachUnknown.TYPE, OutreachWithdrawn.TYPE}
)

_TOLD = frozenset({OutreachSent.TYPE, OutreachUnknown.TYPE})


class Step(NamedTuple):
    """One step of one playbook for one problem."""

    problem_id: str
    playbook: str
    step: str

    @property
    def label(self) -> str:
        """The step as a mail names it."""
        return f"{self.playbook}/{self.step}"


@dataclass(slots=True)
class Findings:
    """About the contacts of all partitions."""

    contacts_doubled: list[str] = field(default_factory=list)
    outreach_wrong: list[str] = field(default_factory=list)
    unfinished: int = 0
    """Decided to wait, or to be sent, and not yet over."""


class Reached(NamedTuple):
    """A problem reached a tier, as `problems` says."""

    problem_id: str
    at: datetime
    kind: str
    tier: str
    risk: float
    actor: str


@dataclass(slots=True)
class Trigger:
    """What has made a playbook due in this run: it must have done so every time."""

    actors: set[str] = field(default_factory=set)
    least_risk: float = 2.0

    def learn(self, reached: Reached) -> None:
        """Take one case in which it did."""
        self.actors.add(reached.actor)
        self.least_risk = min(self.least_risk, reached.risk)

    def fires(self, reached: Reached) -> bool:
        """Whether it must, where it did for such an actor at such a risk or a smaller one."""
        return reached.actor in self.actors and reached.risk >= self.least_risk


Triggers = dict[tuple[str, str, str, str], Trigger]
"""(playbook, step, kind, tier) → what is known of the trigger."""


def first_words(attempts: Iterable[Attempted]) -> list[Attempted]:
    """Return what was said, each once: the outbox may repeat itself under the same id."""
    found: dict[str, Attempted] = {}
    for word in attempts:
        found.setdefault(word.id, word)
    return list(found.values())


def judge_steps(
    number: int,
    evidence: PartitionEvidence,
    words: Sequence[Attempted],
    found: Findings,
) -> None:
    """Add steps whose decisions, attempts and outcomes do not fit together."""
    problems = {str(e.data.problem_id) for e in evidence.problems if isinstance(e, Event)}
    covered = evidence.echoes[-1] if evidence.echoes else None
    by_step: dict[Step, list[Attempted]] = defaultdict(list)
    for word in words:
        by_step[Step(word.problem_id, word.playbook, word.step)].append(word)
    before = found.unfinished
    for step, said in sorted(by_step.items()):
        name = f"problem {step.problem_id} step {step.label}"
        if step.problem_id not in problems:
            found.outreach_wrong.append(f"{name}: the problem was never said in partition {number}")
        _judge_name(name, step, said, found)
        _judge_decisions(name, said, covered, found)
        _judge_attempts(name, said, found)
    _judge_corrections(evidence, by_step, found)
    if found.unfinished > before and covered is not None and covered.next_due is None:
        found.outreach_wrong.append(
            f"outreach-{number}: {found.unfinished - before} steps are not over and nothing is due"
        )


def _judge_name(name: str, step: Step, said: Iterable[Attempted], found: Findings) -> None:
    derived = str(step_id(UUID(step.problem_id), step.playbook, step.step))
    found.outreach_wrong += [
        f"{name}: has the step id {word.step_id}" for word in said if word.step_id != derived
    ]


def _judge_decisions(
    name: str, said: Sequence[Attempted], covered: Barrier | None, found: Findings
) -> None:
    """Decided once for good; what waits is decided again when its time has come."""
    decided = [word for word in said if word.type == OutreachDecided.TYPE]
    if not decided:
        found.outreach_wrong.append(f"{name}: was never decided")
        return
    final = [word for word in decided if word.outcome != Outcome.DEFERRED]
    if len(final) > 1:
        found.outreach_wrong.append(f"{name}: was decided {len(final)} times")
    elif not final:
        found.unfinished += 1
        until = decided[-1].deferred_until
        if covered is not None and until is not None and until <= covered.at:
            found.outreach_wrong.append(
                f"{name}: was due at {until.isoformat()} and not decided again"
            )
    elif decided[-1] is not final[0]:
        found.outreach_wrong.append(f"{name}: was deferred after it was decided")


def _judge_attempts(name: str, said: Sequence[Attempted], found: Findings) -> None:
    """Started only where decided, ended at most once each, sent at most once at all."""
    types = Counter(word.type for word in said)
    is_to_be_sent = any(word.outcome == Outcome.CONTACT and word.is_live for word in said)
    is_over = any(types[over] for over in _OVER)
    if is_to_be_sent and not is_over:
        found.unfinished += 1
    if types[OutreachSent.TYPE] > 1:
        found.contacts_doubled.append(f"{name}: was sent {types[OutreachSent.TYPE]} times")
    contradictions = {
        "was attempted and never decided to be sent": not is_to_be_sent
        and (is_over or types[OutreachStarted.TYPE]),
        "was sent and withdrawn": types[OutreachSent.TYPE] and types[OutreachWithdrawn.TYPE],
        "was corrected and never sent": types[OutreachCorrected.TYPE]
        and not types[OutreachSent.TYPE],
    }
    found.outreach_wrong += [f"{name}: {words}" for words, is_so in contradictions.items() if is_so]
    for attempt in sorted({word.attempt for word in said if word.attempt}):
        _judge_attempt(
            f"{name} attempt {attempt}", [w for w in said if w.attempt == attempt], found
        )


def _judge_attempt(name: str, said: Sequence[Attempted], found: Findings) -> None:
    types = Counter(word.type for word in said)
    found.outreach_wrong += [
        f"{name}: {times} times {type_}"
        for type_, times in sorted(types.items())
        if times > 1 and type_ != OutreachSent.TYPE
    ]
    has_begun = types[OutreachStarted.TYPE] > 0
    if not has_begun and (types[OutreachSent.TYPE] or types[OutreachUnknown.TYPE]):
        found.outreach_wrong.append(f"{name}: has an outcome and was never started")
    if types[OutreachSent.TYPE] and types[OutreachFailed.TYPE]:
        found.outreach_wrong.append(f"{name}: was sent and failed")


def _judge_corrections(
    evidence: PartitionEvidence, by_step: Mapping[Step, Sequence[Attempted]], found: Findings
) -> None:
    """Add what was taken back twice, of which nobody was told, or which was true after all."""
    retracted = {
        str(event.data.problem_id)
        for event in evidence.problems
        if isinstance(event, Event)
        and isinstance(event.data, ProblemCleared)
        and event.data.clearing is Clearing.RETRACTED
    }
    types = {step: {word.type for word in said} for step, said in sorted(by_step.items())}
    corrections = [step for step, said in types.items() if OutreachCorrected.TYPE in said]
    times = Counter(step.problem_id for step in corrections)
    for step in corrections:
        told = [
            other
            for other, said in types.items()
            if other.problem_id == step.problem_id and other != step and said & _TOLD
        ]
        contradictions = {
            "corrects what was corrected before": times[step.problem_id] > 1,
            "corrects what nobody was told": not told,
            "corrects what was never retracted": step.problem_id not in retracted,
        }
        name = f"problem {step.problem_id} step {step.label}"
        found.outreach_wrong += [
            f"{name}: {words}" for words, is_so in contradictions.items() if is_so
        ]


def reached(evidence: PartitionEvidence) -> list[Reached]:
    """Return every tier that a problem reached; a risk that is not known is below all others."""
    return [
        Reached(
            str(event.data.problem_id),
            event.time,
            event.data.kind.value,
            event.data.tier.value,
            -1.0 if event.data.complaint_risk is None else event.data.complaint_risk,
            event.data.actor.value,
        )
        for event in evidence.problems
        if isinstance(event, Event) and not isinstance(event.data, ProblemCleared)
    ]


def learn_triggers(
    triggers: Triggers, tiers: Iterable[Reached], words: Iterable[Attempted]
) -> None:
    """Learn from one partition which tiers made which playbook steps due.

    The playbooks are outreach's own; that a step became due is seen where a decision about it came
    at the very tick at which a tier was reached.
    """
    first: dict[tuple[str, datetime], Reached] = {(r.problem_id, r.at): r for r in tiers}
    for word in words:
        if word.type == OutreachDecided.TYPE:
            cause = first.get((word.problem_id, word.at))
            if cause is not None:
                name = (word.playbook, word.step, cause.kind, cause.tier)
                triggers.setdefault(name, Trigger()).learn(cause)


def judge_coverage(
    evidence: PartitionEvidence,
    tiers: Iterable[Reached],
    words: Iterable[Attempted],
    triggers: Triggers,
    found: Findings,
) -> None:
    """Add problems nothing was decided about, although outreach has passed their tick."""
    if not evidence.echoes:
        return
    decided = {
        (word.problem_id, word.playbook, word.step)
        for word in words
        if word.type == OutreachDecided.TYPE
    }
    until = evidence.echoes[-1].at
    for tier in tiers:
        for (playbook, step, kind, name), trigger in sorted(triggers.items()):
            is_due = (kind, name) == (tier.kind, tier.tier) and trigger.fires(tier)
            if is_due and tier.at <= until and (tier.problem_id, playbook, step) not in decided:
                found.outreach_wrong.append(
                    f"problem {tier.problem_id} step {playbook}/{step}: nothing was decided when it "
                    f"was {tier.tier} at {tier.at.isoformat()}"
                )


def judge_letters(
    number: int, evidence: PartitionEvidence, timeline: Timeline, found: Findings
) -> None:
    """Add records that only outreach, or it too, must have put aside and did not."""
    if not evidence.echoes:
        return
    covered = timeline.first_after_number(evidence.echoes[-1].number)
    refused = [(u.topic, u.offset, u.reason) for u in evidence.unread if u.topic in _READS]
    times: list[tuple[str, int, datetime]] = [
        *evidence.profiles,
        *((t.topic, t.offset, t.stamp.at) for t in evidence.told if t.topic == CONTACTS.name),
    ]
    for topic, offset, at in times:
        index = timeline.known(topic, offset)
        if index < len(timeline) and at > timeline.ats[index] + MAX_FUTURE_SKEW:
            refused.append((topic, offset, "future"))
    for topic, offset, reason in refused:
        is_passed = timeline.known(topic, offset) < covered
        if is_passed and Letter(OUTREACH, topic, offset) not in evidence.letters:
            found.outreach_wrong.append(
                f"{topic}-{number}@{offset} cannot be applied ({reason}) and is no dead letter of outreach"
            )


def judge_echoes(
    number: int, evidence: PartitionEvidence, timeline: Timeline, found: Findings
) -> None:
    """Add barriers that outreach skipped; after a crash it may say one again."""
    if not evidence.echoes:
        return
    last = evidence.echoes[-1].number
    due = [t.barrier for t in timeline.ticks if t.barrier is not None and t.number <= last]
    said = list(dict.fromkeys(echo.barrier for echo in evidence.echoes))
    if said != due:
        missing = sorted(set(due) - set(said))
        found.outreach_wrong.append(
            f"outreach-{number}: {len(said)} barriers in an order of their own, missing are {missing}"
            if missing
            else f"outreach-{number}: barriers are out of order"
        )


def judge_mails(
    mails: Iterable[tuple[str, str]], words: Iterable[Attempted], found: Findings
) -> None:
    """Add mails that came twice, that nobody has started, and sends of which no mail came."""
    arrived: Counter[tuple[Any, Any]] = Counter(mails)
    started: Mapping[tuple[str, str], set[str]] = defaultdict(set)
    for word in words:
        step = Step(word.problem_id, word.playbook, word.step)
        started[step.problem_id, step.label].add(word.type)
    for (problem, step_name), times in sorted(arrived.items(), key=str):
        name = f"problem {problem} step {step_name}"
        if times > 1:
            found.contacts_doubled.append(f"{name}: {times} mails arrived")
        if OutreachStarted.TYPE not in started.get((problem, step_name), ()):
            found.outreach_wrong.append(f"{name}: a mail arrived that nobody has started")
    for (problem, step_name), types in sorted(started.items()):
        if OutreachSent.TYPE in types and (problem, step_name) not in arrived:
            found.outreach_wrong.append(
                f"problem {problem} step {step_name}: was sent and no mail arrived"
            )
