"""Facts on `contacts`: what customers told or asked us, and surveys.  Ids and categories, never texts."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from services.contracts.envelope import Fact, Identifier


class ContactChannel(StrEnum):
    """Where the customer spoke."""

    CHAT = "chat"
    EMAIL = "email"
    PHONE = "phone"
    SOCIAL = "social"
    SELF_SERVICE = "self_service"
    STORE = "store"


class ContactReason(StrEnum):
    """What the contact is about."""

    WHERE_IS_MY_ORDER = "where_is_my_order"
    COMPLAINT = "complaint"
    DAMAGED = "damaged"
    WRONG_ITEM = "wrong_item"
    RETURN = "return"
    REFUND = "refund"
    PAYMENT = "payment"
    PRODUCT_QUESTION = "product_question"
    OTHER = "other"


COMPLAINT_REASONS = frozenset(
    {
        ContactReason.WHERE_IS_MY_ORDER,
        ContactReason.COMPLAINT,
        ContactReason.DAMAGED,
        ContactReason.WRONG_ITEM,
        ContactReason.REFUND,
    }
)
"""Reasons that mean a promise about the order was not kept.

Left out: `return` (a right, used by satisfied people too), `payment` and `product_question` (asked
before anything was promised), and `other` (says nothing).
"""


class OpenedBy(StrEnum):
    """Who began a contact."""

    CUSTOMER = "customer"
    AGENT = "agent"


class ContactOpened(Fact):
    """A customer wrote or called; or an agent turned to a customer.

    Of several openings of one contact the earliest counts, also as to who began it.
    """

    TYPE: ClassVar[str] = "care.contact.opened.v1"
    contact_id: Identifier
    channel: ContactChannel
    reason: ContactReason
    order_id: Identifier | None = None
    opened_by: OpenedBy = OpenedBy.CUSTOMER
    """What an agent began is no complaint, and nobody waits for an answer until the customer has written.
    The agent's first words are told as a `care.contact.replied.v1`, too."""

    @property
    def is_by_customer(self) -> bool:
        """Whether it is the customer who began it."""
        return self.opened_by is OpenedBy.CUSTOMER

    @property
    def is_complaint(self) -> bool:
        """Whether the customer began it because a promise about an order was not kept."""
        return self.is_by_customer and self.reason in COMPLAINT_REASONS


class ReplyBy(StrEnum):
    """Who replied; a bot's reply is no first response."""

    CUSTOMER = "customer"
    AGENT = "agent"
    BOT = "bot"


class ContactReplied(Fact):
    """One message in an open contact."""

    TYPE: ClassVar[str] = "care.contact.replied.v1"
    contact_id: Identifier
    by: ReplyBy


MOST_HANDLE_SECONDS = 30 * 24 * 3600
"""Nobody works on one contact for longer."""


class ContactResolved(Fact):
    """The desk closed the contact."""

    TYPE: ClassVar[str] = "care.contact.resolved.v1"
    contact_id: Identifier
    handle_seconds: Annotated[int, Field(ge=0, le=MOST_HANDLE_SECONDS)] | None = None
    """What agents spent on it since it was opened or last reopened: talk, hold and wrap-up, without the time
    in which it waited for them; None: not measured."""


class ContactReopened(Fact):
    """The customer came back to a closed contact."""

    TYPE: ClassVar[str] = "care.contact.reopened.v1"
    contact_id: Identifier


class HelpPlace(StrEnum):
    """Where the customer looked for an answer without asking anybody."""

    KNOWLEDGE_BASE = "knowledge_base"
    FAQ = "faq"
    FORUM = "forum"
    CHATBOT = "chatbot"


class HelpSearched(Fact):
    """A customer we know looked for help; what was typed stays with the publisher."""

    TYPE: ClassVar[str] = "care.help.searched.v1"
    search_id: Identifier
    place: HelpPlace
    found: bool
    """Whether there was an answer to open."""
    reason: ContactReason | None = None
    """What it was about, where the place can tell."""
    order_id: Identifier | None = None


class SurveyKind(StrEnum):
    """CSAT 1 to 5, CES 1 to 7 (high is easy), NPS 0 to 10."""

    CSAT = "csat"
    CES = "ces"
    NPS = "nps"


POOR_UP_TO = {SurveyKind.CSAT: 2, SurveyKind.CES: 2, SurveyKind.NPS: 6}
"""The best score of each kind that is still a poor answer; of NPS: a detractor."""


def is_poor_answer(kind: SurveyKind, score: int) -> bool:
    """Return whether an answer of this kind is a poor one."""
    return score <= POOR_UP_TO[kind]


SCORES = {SurveyKind.CSAT: (1, 5), SurveyKind.CES: (1, 7), SurveyKind.NPS: (0, 10)}
"""Kind → the least and the greatest score."""


class SurveySent(Fact):
    """A survey left for the customer."""

    TYPE: ClassVar[str] = "care.survey.sent.v1"
    survey_id: Identifier
    kind: SurveyKind
    order_id: Identifier | None = None
    contact_id: Identifier | None = None


class SurveyAnswered(Fact):
    """The customer's answer; the first for a survey counts."""

    TYPE: ClassVar[str] = "care.survey.answered.v1"
    survey_id: Identifier
    kind: SurveyKind
    score: Annotated[int, Field(ge=0, le=10)]
    order_id: Identifier | None = None
    contact_id: Identifier | None = None

    @model_validator(mode="after")
    def _score_fits_kind(self) -> Self:
        low, high = SCORES[self.kind]
        if not low <= self.score <= high:
            raise ValueError(f"score of a {self.kind} survey is {low} to {high}, got {self.score}")
        return self

    @property
    def is_poor(self) -> bool:
        """Whether it is a poor answer of its kind."""
        return is_poor_answer(self.kind, self.score)
