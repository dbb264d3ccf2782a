"""What customers tell us on their pages: facts to keep, in the shape in which they are kept.  Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from services.outreach.pages.tokens import SurveyLink

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a customer chose and wrote on a survey's page."""

    score: int
    """1 to 5."""
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """One survey of ours, and what was answered.  The comment is the customer's own text: never told on."""

    survey_id: str
    customer_id: str
    partition: int
    order_id: str | None = None
    step_id: UUID | None = None
    sent_at: datetime | None = None
    """None: its link was followed before anybody noted that it left."""
    answered_at: datetime | None = None
    """When it was answered first."""
    first_score: int | None = None
    """The answer that counts."""
    latest_score: int | None = None
    changed_at: datetime | None = None
    """When the answer was last changed; None: never."""
    comment: str | None = None

    def sent(self, at: datetime) -> "Survey":
        """Return it as sent at this instant, or as it is where it was sent before."""
        return self if self.sent_at is not None else replace(self, sent_at=at)

    def answered(self, reply: Reply, at: datetime) -> "Survey":
        """Return it with this reply: the first one counts, a later one changes what is kept beside it.

        A reply without a comment leaves the comment that is there, and one that changes nothing leaves all.
        """
        comment = reply.comment or self.comment
        if self.answered_at is None:
            first = replace(self, answered_at=at, first_score=reply.score)
            return replace(first, latest_score=reply.score, comment=comment)
        if (reply.score, comment) == (self.latest_score, self.comment):
            return self
        return replace(self, latest_score=reply.score, comment=comment, changed_at=at)


class Verdict(StrEnum):
    """What a customer says of a message."""

    DID_NOT_HELP = "did_not_help"
    STOPPED = "stopped"
    """They stopped further messages by this one's link."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """A customer's word on the message of one step; the first of each verdict is kept."""

    step_id: UUID
    verdict: Verdict
    customer_id: str
    partition: int
    said_at: datetime


def survey_of(link: SurveyLink, partition: int) -> Survey:
    """Return the survey that a link is about, of which nothing else is known yet."""
    return Survey(link.survey_id, link.customer_id, partition, link.order_id, link.step_id)


def merged(surveys: Iterable[Survey]) -> tuple[Survey, ...]:
    """Return one survey for each id, which several names of one customer may have.

    The first answer counts, the last change is kept, and a comment is not lost to none.
    """
    found: dict[str, Survey] = {}
    for survey in sorted(surveys, key=_order):
        known = found.get(survey.survey_id)
        found[survey.survey_id] = survey if known is None else _joined(known, survey)
    return tuple(found.values())


def _order(survey: Survey) -> tuple[bool, datetime, str]:
    at = survey.answered_at or survey.sent_at
    return (survey.answered_at is None, at or _NEVER, survey.customer_id)


def _joined(first: Survey, other: Survey) -> Survey:
    """Return the survey that was answered first with what only the other knows."""
    sent = [at for at in (first.sent_at, other.sent_at) if at is not None]
    is_later = (other.changed_at or _NEVER) > (first.changed_at or _NEVER)
    latest = other if is_later else first
    return replace(
        first,
        sent_at=min(sent, default=None),
        order_id=first.order_id or other.order_id,
        step_id=first.step_id or other.step_id,
        latest_score=latest.latest_score,
        changed_at=latest.changed_at,
        comment=latest.comment or first.comment or other.comment,
    )
