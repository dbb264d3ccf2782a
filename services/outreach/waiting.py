"""Steps that wait for something to happen: what has come, which it makes due, and two gates.  Pure."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from uuid import UUID

from services.contracts.outreach import Suppression
from services.outreach.facts import Problem
from services.outreach.playbook import Catalogue, Playbook
from services.outreach.signals import Signal
from services.outreach.situation import Policy, Ruling, Situation, no, yes

Unhelpful = AbstractSet[tuple[UUID, str]]
"""The problems and playbooks of messages that were said not to have helped."""


def come(problem: Problem, playbook: Playbook, unhelpful: Unhelpful) -> frozenset[Signal]:
    """Return what has happened of all that a step of this playbook may wait for."""
    is_worse = problem.stage.tier.rank > max(tier.rank for tier in playbook.trigger.tiers)
    said = (problem.problem_id, playbook.name) in unhelpful
    found = {Signal.WORSENED: is_worse, Signal.NOT_HELPED: said}
    return frozenset(signal for signal, has_come in found.items() if has_come)


def waiting_for(signal: Signal, playbooks: Iterable[Playbook]) -> tuple[tuple[str, str], ...]:
    """Return the steps, by playbook and name, that become due as soon as this comes."""
    return tuple(
        (playbook.name, step.name)
        for playbook in playbooks
        for step in playbook.steps
        if step.after is not None and step.after.once is signal
    )


def worsened_for(problem: Problem, catalogue: Catalogue) -> tuple[tuple[str, str], ...]:
    """Return the steps that become due because this problem has got as far as it has."""
    concerned = (
        playbook
        for playbook in catalogue.values()
        if playbook.trigger.kind is problem.kind
        and Signal.WORSENED in come(problem, playbook, frozenset())
    )
    return waiting_for(Signal.WORSENED, concerned)


def was_not_helped(situation: Situation) -> bool:
    """Return whether a message of this playbook about this problem was said not to have helped."""
    return Signal.NOT_HELPED in situation.signals


def not_helped(situation: Situation, policy: Policy) -> Ruling:
    """Who said that a message did not help gets no further one of its playbook about this problem."""
    if not was_not_helped(situation):
        return yes("not_helped", 1, "no message of this playbook was said not to have helped")
    if not situation.message.reaches_customer:
        return yes("not_helped", 1, "it goes to a person of ours")
    because = "the customer said that a message of this playbook did not help"
    return no("not_helped", 1, because, Suppression.NOT_HELPED)


def awaited(situation: Situation, policy: Policy) -> Ruling:
    """What the step waits for must have come, and what makes it needless must not."""
    once, unless = situation.message.once, situation.message.unless
    if once is not None and once not in situation.signals:
        return no("awaited", 1, f"{once} has not come", Suppression.AWAITED)
    if unless is not None and unless in situation.signals:
        return no("awaited", 1, f"{unless} has come", Suppression.AWAITED)
    return yes("awaited", 1, "it waits for nothing" if once is None else f"{once} has come")
