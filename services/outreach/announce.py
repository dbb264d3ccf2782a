"""What outreach says about itself on `outreach`, with ids derived from what it speaks of.  Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.contracts import ids
from services.contracts.envelope import Event, Fact
from services.contracts.outreach import (
    SOURCE,
    BounceKind,
    OutreachBounced,
    OutreachCorrected,
    OutreachDecided,
    OutreachFailed,
    OutreachJudged,
    OutreachSent,
    OutreachStarted,
    OutreachUnknown,
    OutreachWithdrawn,
    Verdict,
    Withdrawal,
)
from services.contracts.people import Channel
from services.contracts.trace_context import TraceContext
from services.outreach.decide import Decision


@dataclass(frozen=True, slots=True)
class Send:
    """One row of the ledger, as far as others need to know it."""

    step_id: UUID
    customer_id: str
    partition: int
    problem_id: UUID
    order_id: str | None
    playbook: str
    playbook_version: int
    step: str
    channel: Channel
    attempt: int
    triggered_at: datetime
    use_by: datetime
    problem_opened_at: datetime
    trace: TraceContext
    """That of the step it carries out."""

    @property
    def named(self) -> dict[str, Any]:
        """The fields that every event about it holds."""
        return {
            "step_id": self.step_id,
            "problem_id": self.problem_id,
            "playbook": self.playbook,
            "playbook_version": self.playbook_version,
            "step": self.step,
            "channel": self.channel,
            "order_id": self.order_id,
        }


def decided(decision: Decision) -> Event[OutreachDecided]:
    """Return the record of a decision, with every gate."""
    due = decision.due
    fact = OutreachDecided(
        step_id=due.step_id,
        problem_id=due.problem_id,
        playbook=decision.playbook.name,
        playbook_version=decision.playbook.version,
        step=due.step,
        channel=decision.channel,
        decision_id=decision.decision_id,
        outcome=decision.outcome,
        suppression=decision.suppression,
        deferred_until=decision.deferred_until,
        mode=decision.mode,
        message_class=decision.message_class,
        gates=decision.gates,
        order_id=decision.problem.order_id,
    )
    return _event(fact, decision.decision_id, due.customer_id, decision.decided_at)


def started(send: Send, at: datetime) -> Event[OutreachStarted]:
    """Return the event committed before the channel is called."""
    fact = OutreachStarted(**send.named, attempt=send.attempt)
    return _about(send, fact, at)


def sent(send: Send, at: datetime) -> Event[OutreachSent]:
    """Return the event that the channel took the message."""
    fact = OutreachSent(
        **send.named, attempt=send.attempt, problem_opened_at=send.problem_opened_at
    )
    return _about(send, fact, at)


def corrected(send: Send, at: datetime) -> Event[OutreachCorrected]:
    """Return the event that the message just sent took back what was wrong."""
    return _about(send, OutreachCorrected(**send.named, attempt=send.attempt), at)


def failed(send: Send, at: datetime, reason: str) -> Event[OutreachFailed]:
    """Return the event that it will not be sent; `reason` holds nothing personal."""
    fact = OutreachFailed(**send.named, attempt=max(send.attempt, 1), reason=reason[:200])
    return _about(send, fact, at)


def unknown(send: Send, at: datetime) -> Event[OutreachUnknown]:
    """Return the event that nobody can tell whether it was sent."""
    return _about(send, OutreachUnknown(**send.named, attempt=send.attempt), at)


def withdrawn(send: Send, at: datetime, reason: Withdrawal) -> Event[OutreachWithdrawn]:
    """Return the event that it was taken back before it was sent."""
    return _about(send, OutreachWithdrawn(**send.named, reason=reason), at)


def judged(send: Send, verdict: Verdict, at: datetime) -> Event[OutreachJudged]:
    """Return the event of what the customer said of the message; one for each verdict."""
    fact = OutreachJudged(**send.named, verdict=verdict)
    event_id = ids.derive("outreach", fact.TYPE, str(send.step_id), verdict)
    return _event(fact, event_id, send.customer_id, at)


def bounced(send: Send, kind: BounceKind, status: str, at: datetime) -> Event[OutreachBounced]:
    """Return the event that the mail came back; one for each kind."""
    fact = OutreachBounced(**send.named, kind=kind, status=status)
    event_id = ids.derive("outreach", fact.TYPE, str(send.step_id), kind)
    return _event(fact, event_id, send.customer_id, at)


def _about(send: Send, fact: Any, at: datetime) -> Event[Any]:
    # One step and attempt has each outcome at most once, so a repetition shows the same id.
    event_id = ids.derive("outreach", fact.TYPE, str(send.step_id), send.attempt)
    return _event(fact, event_id, send.customer_id, at)


def _event(fact: Fact, event_id: UUID, customer_id: str, at: datetime) -> Event[Any]:
    # Not `Event[type(fact)]`, which would build a model class at each call.
    return Event[Any](
        id=str(event_id),
        source=SOURCE,
        type=fact.TYPE,
        time=at,
        partitionkey=customer_id,
        subject=str(getattr(fact, "problem_id", "")) or None,
        data=fact,
    )
