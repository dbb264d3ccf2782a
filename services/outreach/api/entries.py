"""Rows of outreach's tables as entries of a customer's timeline."""

from typing import Any

from sqlalchemy import Row

from services.contracts.problems import Clearing
from services.outreach import rows
from services.outreach.api import deciding, words
from services.outreach.api import timeline_views as views
from services.outreach.api.views import Became
from services.outreach.standing import State


def opened(row: Row[Any]) -> views.ProblemOpened:
    """Return the beginning of the problem in a row of `problems`."""
    return views.ProblemOpened(
        at=row.opened_at,
        in_words=f"{words.plain(row.kind).capitalize()} about {row.subject}.",
        problem_id=row.problem_id,
        kind=row.kind,
        subject=row.subject,
        order_id=row.order_id,
        tier=row.tier,
        complaint_risk=row.complaint_risk,
    )


def ended(row: Row[Any]) -> views.ProblemEnded:
    """Return the end of the problem in a row of `problems`."""
    clearing = Clearing(row.clearing)
    return views.ProblemEnded(
        at=row.ended_at,
        in_words=words.ended(row.kind, clearing),
        problem_id=row.problem_id,
        kind=row.kind,
        clearing=clearing,
    )


def contact(row: Row[Any]) -> views.InboundContact:
    """Return the contact in a row of `inbound_contacts`."""
    known = rows.contact_of(row)
    state = "open" if known.is_open else "not open"
    return views.InboundContact(
        at=row.entry_at,
        in_words=f"The customer contacted us; that is {state} by now.",
        contact_id=known.contact_id,
        order_id=known.order_id,
        opened_at=known.opened_at,
        heard_at=known.heard_at,
        resolved_at=known.resolved_at,
        is_open=known.is_open,
    )


def decided(row: Row[Any]) -> views.Decided:
    """Return the decision in a row of `decisions`."""
    return views.Decided(
        at=row.decided_at,
        in_words=deciding.in_words(row),
        decision_id=row.decision_id,
        problem_id=row.problem_id,
        step_id=row.step_id,
        playbook=row.playbook,
        step=row.step,
        channel=row.channel,
        mode=row.mode,
        outcome=row.outcome,
        suppression=row.suppression,
        said_no=deciding.said_no(row),
    )


def send(row: Row[Any]) -> views.Send:
    """Return the send in a row of `sends`."""
    state = State(row.state)
    return views.Send(
        at=row.entry_at,
        in_words=words.send(state, words.step(row.playbook, row.step, row.channel), row.reason),
        step_id=row.step_id,
        decision_id=row.decision_id,
        problem_id=row.problem_id,
        playbook=row.playbook,
        step=row.step,
        channel=row.channel,
        state=state,
        attempt=row.attempt,
        decided_at=row.decided_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        reason=row.reason,
    )


def survey_sent(row: Row[Any]) -> views.SurveySent:
    """Return the question in a row of `surveys`."""
    return views.SurveySent(
        at=row.entry_at,
        in_words="We asked how it went.",
        survey_id=row.survey_id,
        order_id=row.order_id,
        step_id=row.step_id,
    )


def survey_answered(row: Row[Any]) -> views.SurveyAnswered:
    """Return the answer in a row of `survey_answers`."""
    return views.SurveyAnswered(
        at=row.answered_at,
        in_words=f"The customer answered {row.score} ({row.kind}).",
        survey_id=row.survey_id,
        order_id=row.order_id,
        kind=row.kind,
        score=row.score,
    )


def feedback(row: Row[Any]) -> views.Feedback:
    """Return the verdict in a row of `feedback`."""
    return views.Feedback(
        at=row.said_at,
        in_words=f"The customer said of a message: {words.plain(row.verdict)}.",
        step_id=row.step_id,
        verdict=row.verdict,
    )


def consent(row: Row[Any]) -> views.Consent:
    """Return the statement in a row of `consents`."""
    return views.Consent(
        at=row.said_at,
        in_words=f"Consent to {row.message_class} messages by {row.channel}: {row.status}.",
        message_class=row.message_class,
        channel=row.channel,
        status=row.status,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
    )


def acted(row: Row[Any]) -> views.Acted:
    """Return what a person of ours said, in a row of `actions` about a step."""
    told = row.detail.get("became")
    became = None if told is None else Became(told)
    return views.Acted(
        at=row.at,
        in_words=words.action(row.by, became),
        step_id=row.target,
        what=row.what,
        by=row.by,
        client=row.client,
        became=became,
    )
