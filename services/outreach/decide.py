"""From what is known to a decision per due step.  Same inputs, same decisions; the core of outreach."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from services.contracts import ids
from services.contracts.outreach import GateVerdict, Mode, Outcome, Suppression
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import Tier
from services.contracts.trace_context import TraceContext, of_problem
from services.outreach.facts import (
    Problem,
)
from services.outreach.gates import GATES, Gate, chosen_channel, first_no, judge
from services.outreach.knowledge import Contacted, DueStep, Knowledge, Rules, Volumes
from services.outreach.patience import Spent
from services.outreach.playbook import (
    Action,
    Catalogue,
    Course,
    Playbook,
    Reached,
    Step,
    triggered_by,
)
from services.outreach.signals import Signal
from services.outreach.situation import Message, Ruling, Situation, Volume
from services.outreach.waiting import come


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one due step at one instant, with every gate's verdict."""

    decision_id: UUID
    due: DueStep
    decided_at: datetime
    outcome: Outcome
    suppression: Suppression | None
    deferred_until: datetime | None
    mode: Mode
    playbook: Playbook
    step: Step
    problem: Problem
    channel: Channel
    """By which it goes; where it does not, the first of those it might have gone by."""
    use_by: datetime
    gates: tuple[GateVerdict, ...]
    volume: Volume | None = None
    """What its playbook had written by then; None: nobody counted."""
    signals: frozenset[Signal] = frozenset()
    """What had come by then of what a step may wait for."""

    @property
    def message_class(self) -> MessageClass:
        """The class of the message decided about."""
        return self.playbook.message_class

    @property
    def is_to_be_sent(self) -> bool:
        """Whether a message leaves because of it."""
        return self.outcome is Outcome.CONTACT and self.mode is not Mode.SHADOW


def steps_due(
    problem_id: UUID,
    customer_id: str,
    partition: int,
    reached: Reached,
    catalogue: Catalogue,
    trace: TraceContext | None = None,
) -> tuple[DueStep, ...]:
    """Return the steps that become due because a problem has reached a tier.

    `trace` is that of the event that said so; None: it was in none.
    """
    return tuple(
        DueStep(
            step_id=ids.step_id(problem_id, playbook.name, step.name),
            customer_id=customer_id,
            partition=partition,
            problem_id=problem_id,
            playbook=playbook.name,
            step=step.name,
            triggered_at=reached.at,
            due_at=reached.at,
            trace=trace or of_problem(problem_id),
        )
        for playbook in triggered_by(reached, catalogue)
        for step in playbook.steps[:1]
    )


def step_following(decision: Decision) -> DueStep | None:
    """Return the step that becomes due because of how this one has gone; None: none does, or not yet.

    What solved the problem, or told that the customer knows, ends the playbook.
    """
    return step_after(
        decision.due,
        decision.playbook,
        decision.outcome,
        decision.suppression,
        decision.decided_at,
        decision.signals,
    )


def step_after(
    due: DueStep,
    playbook: Playbook,
    outcome: Outcome,
    suppression: Suppression | None,
    decided_at: datetime,
    signals: frozenset[Signal] = frozenset(),
) -> DueStep | None:
    """Return what `step_following` does, from what is on record of a decision."""
    step = playbook.step_after(due.step)
    if step is None or step.after is None or outcome is Outcome.DEFERRED:
        return None
    course = Course.CONTACTED if outcome is Outcome.CONTACT else Course.NOT_CONTACTED
    if suppression in _OVER or step.after.when not in (course, Course.EITHER):
        return None
    has_come = step.after.once in signals
    at = decided_at + timedelta(hours=0 if has_come else step.after.hours)
    return replace(
        due,
        step_id=ids.step_id(due.problem_id, due.playbook, step.name),
        step=step.name,
        triggered_at=at,
        due_at=at,
    )


_OVER = frozenset({Suppression.SOLVED, Suppression.ALREADY_KNOWN})


def decide_all(
    due: Iterable[DueStep],
    knowledge: Mapping[str, Knowledge],
    rules: Rules,
    now: datetime,
    volumes: Volumes = MappingProxyType({}),
) -> tuple[Decision, ...]:
    """Return one decision per due step, in the steps' own order; each contact takes its room.

    Args:
        due: The steps.
        knowledge: Of their customers.
        rules: To decide by.
        now: The instant.
        volumes: Of the playbooks the breaker watches.
    """
    known, written = dict(knowledge), dict(volumes)
    decisions: list[Decision] = []
    for step in sorted(due, key=lambda waiting: waiting.order):
        decision = decide(step, known[step.customer_id], rules, now, written.get(step.playbook))
        decisions.append(decision)
        if decision.outcome is Outcome.CONTACT:
            known[step.customer_id] = _having_decided(known[step.customer_id], decision)
            if step.playbook in written:
                before = written[step.playbook]
                written[step.playbook] = replace(before, decided=before.decided + 1)
    return tuple(decisions)


def decide(
    due: DueStep,
    knowledge: Knowledge,
    rules: Rules,
    now: datetime,
    volume: Volume | None = None,
) -> Decision:
    """Return the decision about one due step.

    Raises:
        KeyError: the step's playbook, or its problem, is not known.
    """
    playbook = rules.catalogue[due.playbook]
    step = step_of(due, rules.catalogue)
    mode = rules.mode_for(due.customer_id, due.playbook)
    situation = situation_of(due, knowledge, rules, now, volume)
    rulings = judge(situation, rules.policy, GATES)
    outcome, suppression, until = _outcome(first_no(rulings))
    return Decision(
        decision_id=ids.derive("decision", str(due.step_id), now.isoformat()),
        due=due,
        decided_at=now,
        outcome=outcome,
        suppression=suppression,
        deferred_until=until,
        mode=mode,
        playbook=playbook,
        step=step,
        problem=situation.problem,
        channel=chosen_channel(situation) or step.ways[0],
        use_by=situation.use_by,
        gates=tuple(ruling.verdict for ruling in rulings),
        volume=volume,
        signals=situation.signals,
    )


def reconsider(
    due: DueStep,
    knowledge: Knowledge,
    rules: Rules,
    now: datetime,
    gates: tuple[Gate, ...],
    since: Channel | None = None,
) -> Ruling | None:
    """Return the ruling that stands against sending now what was decided before, or None.

    Args:
        due: The step.
        knowledge: Of its customer.
        rules: To decide by.
        now: The instant.
        gates: To be asked.
        since: The channel reached by now: those before it have refused.  None: the first.
    """
    situation = _from(situation_of(due, knowledge, rules, now), since)
    return first_no(judge(situation, rules.policy, gates))


def channel_from(
    due: DueStep, knowledge: Knowledge, rules: Rules, now: datetime, since: Channel
) -> Channel | None:
    """Return the first channel of a step that may be used, from this one on; None: none may."""
    return chosen_channel(_from(situation_of(due, knowledge, rules, now), since))


def _from(situation: Situation, since: Channel | None) -> Situation:
    channels = situation.message.channels
    if since is None or since not in channels:
        return situation
    left = channels[channels.index(since) :]
    return replace(situation, message=replace(situation.message, channels=left))


def situation_of(
    due: DueStep,
    knowledge: Knowledge,
    rules: Rules,
    now: datetime,
    volume: Volume | None = None,
) -> Situation:
    """Return what the gates may look at for this step."""
    playbook = rules.catalogue[due.playbook]
    step = step_of(due, rules.catalogue)
    mode, problem = (
        rules.mode_for(due.customer_id, due.playbook),
        knowledge.problems[due.problem_id],
    )
    return Situation(
        now=now,
        triggered_at=due.triggered_at,
        use_by=due.triggered_at + step.use_by,
        problem=problem,
        message=_message_of(playbook, step),
        contacts=knowledge.contacts,
        answers=knowledge.answers,
        consents=knowledge.consents,
        profile=knowledge.profile,
        spent=_counting_for(mode, knowledge.contacted),
        others=_others(due.problem_id, knowledge),
        volume=volume,
        closed=frozenset(step.ways) - rules.channels,
        told=due.problem_id in knowledge.told,
        being_told=due.problem_id in knowledge.being_told,
        signals=come(problem, playbook, knowledge.unhelpful),
        twin_told=step.action is Action.SEND
        and _is_twin_told(knowledge.problems[due.problem_id], knowledge),
    )


def _is_twin_told(problem: Problem, knowledge: Knowledge) -> bool:
    """Whether another problem speaks for this one: the told one, or the earlier of two that are told."""
    told = knowledge.told_twins
    twins = (p for id_, p in knowledge.problems.items() if id_ in told and problem.is_twin_of(p))
    is_told = problem.problem_id in told
    return any(not is_told or _first(twin) < _first(problem) for twin in twins)


def _first(problem: Problem) -> tuple[datetime, str]:
    return (problem.opened_at, str(problem.problem_id))


def _message_of(playbook: Playbook, step: Step) -> Message:
    """Return what the step says, and whether the customer hears it at all."""
    # A follow-up is written when it is known how the problem went on: it may speak of any tier since.
    first = min(playbook.trigger.tiers, key=lambda tier: tier.rank)
    later = frozenset(tier for tier in Tier if tier.rank >= first.rank)
    return Message(
        playbook.message_class,
        step.ways,
        playbook.trigger.tiers if step.after is None else later,
        after=playbook.trigger.cleared,
        told=playbook.trigger.told,
        reaches_customer=step.action is Action.SEND,
        once=None if step.after is None else step.after.once,
        unless=None if step.after is None else step.after.unless,
    )


def step_of(due: DueStep, catalogue: Catalogue) -> Step:
    """Return the playbook step; KeyError where the catalogue no longer has it."""
    step = catalogue[due.playbook].step(due.step)
    if step is None:
        raise KeyError(f"{due.playbook}/{due.step}")
    return step


def _outcome(no: Ruling | None) -> tuple[Outcome, Suppression | None, datetime | None]:
    if no is None:
        return Outcome.CONTACT, None, None
    if no.deferred_until is not None:
        return Outcome.DEFERRED, None, no.deferred_until
    return Outcome.SUPPRESSED, no.suppression, None


def _counting_for(mode: Mode, contacted: tuple[Contacted, ...]) -> tuple[Spent, ...]:
    # A contact in shadow reached nobody, so it takes no room from a real one.
    counting = (past for past in contacted if mode is Mode.SHADOW or past.mode is not Mode.SHADOW)
    return tuple(Spent(past.at, past.message_class) for past in counting)


def _others(problem_id: UUID, knowledge: Knowledge) -> tuple[Problem, ...]:
    others = (p for id_, p in knowledge.problems.items() if id_ != problem_id)
    return tuple(sorted((p for p in others if p.ending is None), key=lambda p: str(p.problem_id)))


def _having_decided(knowledge: Knowledge, decision: Decision) -> Knowledge:
    made = Contacted(decision.decided_at, decision.mode, decision.message_class)
    return replace(knowledge, contacted=(*knowledge.contacted, made))
