"""What outreach says, made by hand, with ids as it derives them."""

from typing import Any
from uuid import UUID

from services.contracts import ids
from services.contracts.contacts import ContactReplied, ReplyBy
from services.contracts.envelope import Event
from services.contracts.outreach import (
    GateVerdict,
    Mode,
    Outcome,
    OutreachDecided,
    OutreachSent,
    Suppression,
)
from services.contracts.people import Channel, MessageClass
from tests.factories import event

OUTREACH = "/care/outreach"
YES = GateVerdict(gate="problem_open", passed=True, rule="problem_open/1", because="open, late")
NO = GateVerdict(
    gate="consent", passed=False, rule="consent/1", because="denied for service by email"
)
ALSO_NO = GateVerdict(gate="budget", passed=False, rule="budget/1", because="1 of 1 in 24 h")


def step(problem: UUID) -> dict[str, Any]:
    """Return the fields that name one step."""
    return {
        "step_id": ids.step_id(problem, "delivery_late", "notice"),
        "problem_id": problem,
        "playbook": "delivery_late",
        "playbook_version": 1,
        "step": "notice",
        "channel": Channel.EMAIL,
        "order_id": "o-1",
    }


def decided(
    problem: UUID,
    outcome: Outcome = Outcome.CONTACT,
    suppression: Suppression | None = None,
    gates: tuple[GateVerdict, ...] = (YES,),
    **envelope: Any,
) -> Event[Any]:
    """Return a decision with its gates."""
    fact = OutreachDecided(
        **step(problem),
        decision_id=ids.derive("decision", str(problem), outcome),
        outcome=outcome,
        suppression=suppression,
        mode=Mode.LIVE,
        message_class=MessageClass.SERVICE,
        gates=gates,
    )
    return event(fact, source=OUTREACH, **envelope)


def replied(contact: str, by: ReplyBy, **envelope: Any) -> Event[Any]:
    """Return a message in a contact."""
    return event(ContactReplied(contact_id=contact, by=by), **envelope)


def sent(problem: UUID, **envelope: Any) -> Event[Any]:
    """Return the outcome that the message was taken."""
    return event(OutreachSent(**step(problem)), source=OUTREACH, **envelope)
