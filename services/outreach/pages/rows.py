"""What customers said on their pages, to rows and back."""

from typing import Any

from sqlalchemy import Row

from services.outreach.pages.facts import Feedback, Survey
from services.outreach.rows import Values


def survey_row(survey: Survey) -> Values:
    """Return the columns of `surveys`."""
    return {
        "customer_id": survey.customer_id,
        "survey_id": survey.survey_id,
        "partition": survey.partition,
        "order_id": survey.order_id,
        "step_id": survey.step_id,
        "sent_at": survey.sent_at,
        "answered_at": survey.answered_at,
        "first_score": survey.first_score,
        "latest_score": survey.latest_score,
        "changed_at": survey.changed_at,
        "comment": survey.comment,
    }


def survey_of(row: Row[Any]) -> Survey:
    """Return the survey in a row of `surveys`."""
    return Survey(
        survey_id=row.survey_id,
        customer_id=row.customer_id,
        partition=row.partition,
        order_id=row.order_id,
        step_id=row.step_id,
        sent_at=row.sent_at,
        answered_at=row.answered_at,
        first_score=row.first_score,
        latest_score=row.latest_score,
        changed_at=row.changed_at,
        comment=row.comment,
    )


def feedback_row(feedback: Feedback) -> Values:
    """Return the columns of `feedback`."""
    return {
        "step_id": feedback.step_id,
        "verdict": feedback.verdict.value,
        "customer_id": feedback.customer_id,
        "partition": feedback.partition,
        "said_at": feedback.said_at,
    }
