"""What was told and then shown to be wrong is taken back: once, and only from who was told.  Pure."""

from collections.abc import Set as AbstractSet

from services.contracts.outreach import Suppression
from services.contracts.problems import Clearing
from services.outreach.facts import Problem
from services.outreach.situation import Policy, Ruling, Situation, no, not_before, yes

RETRACTED = frozenset({Clearing.RETRACTED})
"""How a problem ends that never was."""

NOT_WITHHELD = "a correction: what takes a wrong message back is not withheld because of it"
"""Why a correction passes what protects the customer from too many messages of ours."""


def takes_back(after: AbstractSet[Clearing] | None, *, told: bool) -> bool:
    """Return whether a message for who was `told`, due `after` such ends, corrects what was told."""
    return told and after == RETRACTED


def is_correction(situation: Situation) -> bool:
    """Return whether the message would take back what was told of its problem."""
    return takes_back(situation.message.after, told=situation.message.told)


def where_told(
    gate: str, version: int, situation: Situation, policy: Policy, because: str
) -> Ruling:
    """Return the ruling on a message that only who was told of the problem may get.

    Args:
        gate: In whose name.
        version: Of its rule.
        situation: Of a problem that has ended as the message says.
        policy: Of the deployment.
        because: How the problem has ended, in words.
    """
    again = situation.now + policy.telling_recheck
    if situation.being_told and again <= situation.use_by:
        # Whether the customer hears of it is known in a moment, and nothing may overtake it.
        return not_before(gate, version, f"{because}; being told just now", again)
    if not situation.told:
        return no(gate, version, f"{because}; never told", Suppression.SOLVED)
    if is_correction(situation) and any(_is_the_like(p, situation) for p in situation.others):
        return no(gate, version, f"{because}, and open again", Suppression.SOLVED)
    return yes(gate, version, f"{because}; told before")


def _is_the_like(other: Problem, situation: Situation) -> bool:
    """Whether another open problem would make a lie of it that there is none."""
    problem = situation.problem
    if other.kind is not problem.kind:
        return False
    is_same_order = problem.order_id is not None and other.order_id == problem.order_id
    return is_same_order or other.subject == problem.subject
