"""What a customer's timeline is made of: one kind of entry for each thing that can happen."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.contracts.contacts import SurveyKind
from services.contracts.outreach import Mode, Outcome, Suppression
from services.contracts.people import Channel, ConsentStatus, MessageClass
from services.contracts.problems import Clearing, ProblemKind, Tier
from services.outreach.api.views import Became, Page, View
from services.outreach.pages.facts import Verdict
from services.outreach.standing import State


class _Entry(View):
    at: datetime
    in_words: str


class ProblemOpened(_Entry):
    """A promise was not being kept."""

    type: Literal["problem_opened"] = "problem_opened"
    problem_id: UUID
    kind: ProblemKind
    subject: str
    order_id: str | None
    tier: Tier
    """The furthest it has got by now."""
    complaint_risk: float | None


class ProblemEnded(_Entry):
    """A problem was over."""

    type: Literal["problem_ended"] = "problem_ended"
    problem_id: UUID
    kind: ProblemKind
    clearing: Clearing


class InboundContact(_Entry):
    """The customer's own contact with us."""

    type: Literal["contact"] = "contact"
    contact_id: str
    order_id: str | None
    opened_at: datetime | None
    heard_at: datetime | None
    """The customer's latest word in it."""
    resolved_at: datetime | None
    is_open: bool


class Decided(_Entry):
    """What was decided; `/v1/decisions/{decision_id}` says why, gate by gate."""

    type: Literal["decision"] = "decision"
    decision_id: UUID
    problem_id: UUID
    step_id: UUID
    playbook: str
    step: str
    channel: Channel
    mode: Mode
    outcome: Outcome
    suppression: Suppression | None
    said_no: str | None


class Send(_Entry):
    """A message, or a task for a person of ours, and how it stands."""

    type: Literal["send"] = "send"
    step_id: UUID
    decision_id: UUID
    problem_id: UUID
    playbook: str
    step: str
    channel: Channel
    state: State
    attempt: int
    decided_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    reason: str | None


class SurveySent(_Entry):
    """We asked how it went."""

    type: Literal["survey_sent"] = "survey_sent"
    survey_id: str
    order_id: str | None
    step_id: UUID | None


class SurveyAnswered(_Entry):
    """The customer's answer that counts."""

    type: Literal["survey_answered"] = "survey_answered"
    survey_id: str
    order_id: str | None
    kind: SurveyKind
    score: int


class Feedback(_Entry):
    """What the customer said of a message of ours."""

    type: Literal["feedback"] = "feedback"
    step_id: UUID
    verdict: Verdict


class Consent(_Entry):
    """What the customer said that we may send."""

    type: Literal["consent"] = "consent"
    message_class: MessageClass
    channel: Channel
    status: ConsentStatus
    valid_from: datetime | None
    valid_until: datetime | None


class Acted(_Entry):
    """What a person of ours said about a send or a task."""

    type: Literal["action"] = "action"
    step_id: UUID
    what: str
    by: str
    client: str
    became: Became | None


Entry = Annotated[
    ProblemOpened
    | ProblemEnded
    | InboundContact
    | Decided
    | Send
    | SurveySent
    | SurveyAnswered
    | Feedback
    | Consent
    | Acted,
    Field(discriminator="type"),
]


class Timeline(Page):
    """What is known of one customer, in order of time."""

    customer_id: str
    items: tuple[Entry, ...]
