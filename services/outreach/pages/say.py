"""The events in which others hear what customers told us on their pages.  Pure."""

from datetime import datetime
from typing import Any

from services.contracts import ids
from services.contracts.contacts import SurveyAnswered, SurveyKind, SurveySent
from services.contracts.envelope import Event, Fact
from services.contracts.outreach import SOURCE
from services.contracts.people import ConsentChanged
from services.outreach.facts import ConsentStatement, SurveyAnswer
from services.outreach.pages.facts import Survey

KIND = SurveyKind.CSAT
"""Five faces: there is no page for the other kinds."""


def survey_sent(survey: Survey, at: datetime) -> Event[Any]:
    """Return the event that a survey left; a survey has one, so a repetition shows the same id."""
    fact = SurveySent(survey_id=survey.survey_id, kind=KIND, order_id=survey.order_id)
    return _about(survey, fact, at)


def survey_answered(answer: SurveyAnswer, survey: Survey) -> Event[Any]:
    """Return the event of a survey's first answer, under the one id that it ever has."""
    fact = SurveyAnswered(
        survey_id=answer.survey_id, kind=answer.kind, score=answer.score, order_id=answer.order_id
    )
    return _about(survey, fact, answer.answered_at)


def first_answer(survey: Survey) -> SurveyAnswer | None:
    """Return the answer that counts, as the gates know it; None where there is none."""
    if survey.answered_at is None or survey.first_score is None:
        return None
    return SurveyAnswer(
        survey.customer_id,
        survey.survey_id,
        survey.answered_at,
        KIND,
        survey.first_score,
        survey.order_id,
    )


def consent_denied(statement: ConsentStatement) -> Event[Any]:
    """Return the event of a customer's no, under the statement's own id."""
    fact = ConsentChanged(
        message_class=statement.message_class,
        channel=statement.channel,
        status=statement.status,
        valid_from=statement.valid_from,
        valid_until=statement.valid_until,
    )
    return _event(fact, statement.event_id, statement.customer_id, statement.said_at)


def _about(survey: Survey, fact: Fact, at: datetime) -> Event[Any]:
    event_id = ids.derive("outreach", fact.TYPE, survey.customer_id, survey.survey_id)
    return _event(fact, str(event_id), survey.customer_id, at)


def _event(fact: Fact, event_id: str, customer_id: str, at: datetime) -> Event[Any]:
    return Event[Any](
        id=event_id, source=SOURCE, type=fact.TYPE, time=at, partitionkey=customer_id, data=fact
    )
