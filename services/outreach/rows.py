"""Facts to rows and back.  The only place that knows both shapes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from services.contracts.contacts import SurveyKind
from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.contracts.problems import Actor, Clearing, ProblemKind, Tier
from services.contracts.trace_context import TraceContext, of_problem, parse
from services.outreach.announce import Send
from services.outreach.decide import Decision
from services.outreach.facts import (
    ConsentStatement,
    Destination,
    Ending,
    InboundContact,
    Problem,
    Profile,
    Stage,
    SurveyAnswer,
)
from services.outreach.knowledge import DueStep

Values = Mapping[str, Any]


def problem_row(problem: Problem) -> Values:
    """Return the columns of `problems`."""
    return {
        "problem_id": problem.problem_id,
        "customer_id": problem.customer_id,
        "kind": problem.kind.value,
        "subject": problem.subject,
        "order_id": problem.order_id,
        "opened_at": problem.opened_at,
        "tier": problem.stage.tier.value,
        "stated_at": problem.stage.stated_at,
        "promised_by": problem.stage.promised_by,
        "actor": problem.stage.actor.value,
        "complaint_risk": problem.stage.complaint_risk,
        "ended_at": problem.ending.at if problem.ending else None,
        "clearing": problem.ending.clearing.value if problem.ending else None,
        "destination_zone": problem.destination.time_zone if problem.destination else None,
        "destination_stated_at": problem.destination.stated_at if problem.destination else None,
    }


def problem_of(row: Row[Any]) -> Problem:
    """Return the problem in a row of `problems`."""
    stage = Stage(
        Tier(row.tier), row.stated_at, row.promised_by, Actor(row.actor), row.complaint_risk
    )
    ending = None if row.clearing is None else Ending(row.ended_at, Clearing(row.clearing))
    is_told = row.destination_zone is not None
    return Problem(
        problem_id=row.problem_id,
        customer_id=row.customer_id,
        kind=ProblemKind(row.kind),
        subject=row.subject,
        order_id=row.order_id,
        opened_at=row.opened_at,
        stage=stage,
        ending=ending,
        destination=Destination(row.destination_stated_at, row.destination_zone)
        if is_told
        else None,
    )


def contact_row(contact: InboundContact) -> Values:
    """Return the columns of `inbound_contacts`."""
    return {
        "customer_id": contact.customer_id,
        "contact_id": contact.contact_id,
        "order_id": contact.order_id,
        "heard_at": contact.heard_at,
        "opened_at": contact.opened_at,
        "resolved_at": contact.resolved_at,
    }


def contact_of(row: Row[Any]) -> InboundContact:
    """Return the contact in a row of `inbound_contacts`."""
    return InboundContact(
        row.customer_id,
        row.contact_id,
        row.order_id,
        row.heard_at,
        row.opened_at,
        row.resolved_at,
    )


def answer_row(answer: SurveyAnswer) -> Values:
    """Return the columns of `survey_answers`."""
    return {
        "customer_id": answer.customer_id,
        "survey_id": answer.survey_id,
        "answered_at": answer.answered_at,
        "kind": answer.kind.value,
        "score": answer.score,
        "order_id": answer.order_id,
    }


def answer_of(row: Row[Any]) -> SurveyAnswer:
    """Return the answer in a row of `survey_answers`."""
    return SurveyAnswer(
        row.customer_id,
        row.survey_id,
        row.answered_at,
        SurveyKind(row.kind),
        row.score,
        row.order_id,
    )


def consent_row(statement: ConsentStatement) -> Values:
    """Return the columns of `consents`."""
    return {
        "source": statement.source,
        "event_id": statement.event_id,
        "customer_id": statement.customer_id,
        "message_class": statement.message_class.value,
        "channel": statement.channel.value,
        "status": statement.status.value,
        "said_at": statement.said_at,
        "valid_from": statement.valid_from,
        "valid_until": statement.valid_until,
    }


def consent_of(row: Row[Any]) -> ConsentStatement:
    """Return the statement in a row of `consents`."""
    return ConsentStatement(
        row.source,
        row.event_id,
        row.customer_id,
        MessageClass(row.message_class),
        Channel(row.channel),
        ConsentStatus(row.status),
        row.said_at,
        row.valid_from,
        row.valid_until,
        # Only where the query asked whose other name it was said under.
        getattr(row, "merged_at", None),
    )


def profile_row(profile: Profile) -> Values:
    """Return the columns of `profiles`."""
    return {
        "customer_id": profile.customer_id,
        "as_of": profile.as_of,
        "source": profile.source,
        "event_id": profile.event_id,
        "name": profile.name,
        "email": profile.email,
        "language": profile.language,
        "time_zone": profile.time_zone,
        "country": profile.country,
        "phone": profile.phone,
        "push_id": profile.push_id,
        "chat_id": profile.chat_id,
        "suppressed_since": profile.suppressed_since,
        "address_hashes": list(profile.address_hashes) or None,
    }


def profile_of(row: Row[Any]) -> Profile:
    """Return the profile in a row of `profiles`."""
    return Profile(
        row.customer_id,
        row.as_of,
        row.source,
        row.event_id,
        row.name,
        row.email,
        row.language,
        row.time_zone,
        row.country,
        row.phone,
        row.push_id,
        row.chat_id,
        row.suppressed_since,
        tuple(row.address_hashes or ()),
    )


def due_row(due: DueStep) -> Values:
    """Return the columns of `agenda`."""
    return {
        "step_id": due.step_id,
        "customer_id": due.customer_id,
        "partition": due.partition,
        "problem_id": due.problem_id,
        "playbook": due.playbook,
        "step": due.step,
        "triggered_at": due.triggered_at,
        "due_at": due.due_at,
        **trace_columns(due.trace),
    }


def due_of(row: Row[Any]) -> DueStep:
    """Return the due step in a row of `agenda`."""
    return DueStep(
        step_id=row.step_id,
        customer_id=row.customer_id,
        partition=row.partition,
        problem_id=row.problem_id,
        playbook=row.playbook,
        step=row.step,
        triggered_at=row.triggered_at,
        due_at=row.due_at,
        trace=trace_of(row),
    )


def decision_row(decision: Decision) -> Values:
    """Return the columns of `decisions`."""
    due = decision.due
    return {
        "decision_id": decision.decision_id,
        "step_id": due.step_id,
        "decided_at": decision.decided_at,
        "customer_id": due.customer_id,
        "partition": due.partition,
        "problem_id": due.problem_id,
        "order_id": decision.problem.order_id,
        "playbook": decision.playbook.name,
        "playbook_version": decision.playbook.version,
        "step": due.step,
        "channel": decision.channel.value,
        "message_class": decision.message_class.value,
        "mode": decision.mode.value,
        "outcome": decision.outcome.value,
        "suppression": decision.suppression.value if decision.suppression else None,
        "deferred_until": decision.deferred_until,
        "gates": [verdict.model_dump(mode="json") for verdict in decision.gates],
    }


def send_row(decision: Decision) -> Values:
    """Return the columns of `sends` that a decision to contact settles; the state is the ledger's."""
    due = decision.due
    return {
        "step_id": due.step_id,
        "decision_id": decision.decision_id,
        "customer_id": due.customer_id,
        "partition": due.partition,
        "problem_id": due.problem_id,
        "order_id": decision.problem.order_id,
        "playbook": decision.playbook.name,
        "playbook_version": decision.playbook.version,
        "step": due.step,
        "channel": decision.channel.value,
        "triggered_at": due.triggered_at,
        "use_by": decision.use_by,
        "problem_opened_at": decision.problem.opened_at,
        "next_attempt_at": decision.decided_at,
        "decided_at": decision.decided_at,
        **trace_columns(due.trace),
    }


def send_of(row: Row[Any]) -> Send:
    """Return what others need to know of a row of `sends`."""
    return Send(
        step_id=row.step_id,
        customer_id=row.customer_id,
        partition=row.partition,
        problem_id=row.problem_id,
        order_id=row.order_id,
        playbook=row.playbook,
        playbook_version=row.playbook_version,
        step=row.step,
        channel=Channel(row.channel),
        attempt=row.attempt,
        triggered_at=row.triggered_at,
        use_by=row.use_by,
        problem_opened_at=row.problem_opened_at,
        trace=trace_of(row),
    )


def trace_of(row: Row[Any]) -> TraceContext:
    """Return the trace of a row of `agenda` or `sends`; of one that was kept without, its problem's."""
    return parse(row.traceparent, row.tracestate) or of_problem(row.problem_id)


def trace_columns(trace: TraceContext) -> Values:
    """Return the columns of `agenda` and `sends` that hold a trace."""
    return {"traceparent": trace.traceparent, "tracestate": trace.tracestate}
