"""Where is my order: contacts that the customer opened to ask that, by whether there was a reason to.

*Problem*: a problem about the order the contact names was open when the contact was opened.  One that is
retracted, because a late event showed that it never was, is none.  *Information*: there was none, or the
contact names no order: what the customer wanted to know, we may have known.

Contacts and problems are two topics: a contact is judged once everything said up to it has been read.  What
becomes known later is withdrawn and counted anew, so that no counter ever falls.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from services.contracts import service_metrics
from services.contracts.contacts import ContactOpened, ContactReason
from services.contracts.envelope import Event, Fact
from services.contracts.problems import (
    Clearing,
    ProblemChanged,
    ProblemCleared,
    ProblemOpened,
)
from services.metrics.figures.measures import Measured, RevisedTally, earlier, labels_of
from services.metrics.figures.memory import Ageing, heard_at

KEPT = timedelta(days=21)
"""How long an order is remembered after the last news of its problems and contacts."""
OPEN_KEPT = timedelta(days=120)
"""The same of one with a problem whose end nobody told."""


class Cause(StrEnum):
    """Why a customer asks where an order is."""

    PROBLEM = "problem"
    INFORMATION = "information"


@dataclass(slots=True)
class Span:
    """When one problem began and ended."""

    opened_at: datetime
    """As of the earliest record about it, should the opening itself be gone."""
    cleared_at: datetime | None = None
    is_retracted: bool = False

    def is_open_at(self, at: datetime) -> bool:
        """Return whether it was there at this instant."""
        is_over = self.cleared_at is not None and self.cleared_at <= at
        return self.opened_at <= at and not is_over and not self.is_retracted


@dataclass(slots=True)
class Question:
    """One contact that asks where an order is."""

    asked_at: datetime
    by_customer: bool
    counted: Cause | None = None
    """What the counts hold of it now."""


@dataclass(slots=True)
class OrderTalk:
    """What was said of one order."""

    problems: dict[UUID, Span] = field(default_factory=dict)
    questions: dict[tuple[str, str], Question] = field(default_factory=dict)
    """Customer and contact → the question."""
    last_heard: datetime | None = None

    @property
    def has_open_problem(self) -> bool:
        """Whether the end of a problem is still to come."""
        return any(span.cleared_at is None for span in self.problems.values())


def cause_of(question: Question, problems: Iterable[Span]) -> Cause:
    """Return why this was asked, by the problems about its order."""
    was_open = any(problem.is_open_at(question.asked_at) for problem in problems)
    return Cause.PROBLEM if was_open else Cause.INFORMATION


@dataclass(slots=True)
class Wismo:
    """Orders with a problem or a question, and questions about none."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset(
        {
            ContactOpened,
            ProblemOpened,
            ProblemChanged,
            ProblemCleared,
        }
    )

    told: RevisedTally = field(default_factory=RevisedTally)
    orders: dict[tuple[str, ...], OrderTalk] = field(default_factory=dict)
    """By the order's id; what names no order by customer and contact."""
    waiting: set[tuple[str, ...]] = field(default_factory=set)
    """Those with a question that is not judged yet."""
    ageing: Ageing = field(default_factory=Ageing)
    settled_until: datetime | None = None

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in a question or what happened to a problem; see `Figures`."""
        del partition
        match event.data:
            case ContactOpened(reason=ContactReason.WHERE_IS_MY_ORDER) as told:
                self._asked(event, told)
            case (ProblemOpened() | ProblemChanged() | ProblemCleared()) as fact if fact.order_id:
                self._problem(fact, event.time)

    def settle(self, until: datetime) -> None:
        """Judge the questions up to this instant."""
        self.settled_until = until
        for name in list(self.waiting):
            self._judge(name)
        self._forget(until)

    def measured(self) -> Iterator[Measured]:
        """Return the questions by cause."""
        yield service_metrics.WISMO_CONTACTS, self.told.counted
        yield service_metrics.WISMO_CONTACTS_WITHDRAWN, self.told.withdrawn

    def _asked(self, event: Event[Any], told: ContactOpened) -> None:
        contact = (event.customer_id, told.contact_id)
        name = contact if told.order_id is None else (told.order_id,)
        questions = self._of(name, event.time).questions
        asked = Question(event.time, told.is_by_customer)
        known = questions.get(contact)
        if known is None:
            questions[contact] = asked
        elif asked.asked_at < known.asked_at:
            known.asked_at, known.by_customer = asked.asked_at, asked.by_customer
        self._judge(name)

    def _problem(self, fact: ProblemOpened | ProblemChanged | ProblemCleared, at: datetime) -> None:
        name = (str(fact.order_id),)
        span = self._of(name, at).problems.setdefault(fact.problem_id, Span(at))
        span.opened_at = min(span.opened_at, at)
        if isinstance(fact, ProblemCleared):
            span.cleared_at = earlier(span.cleared_at, at)
            span.is_retracted |= fact.clearing is Clearing.RETRACTED
        self._judge(name)

    def _of(self, name: tuple[str, ...], at: datetime) -> OrderTalk:
        order = self.orders.setdefault(name, OrderTalk())
        heard = heard_at(at, self.settled_until)
        if order.last_heard is None or heard > order.last_heard:
            order.last_heard = heard
            self.ageing.hear(name, heard)
        return order

    def _judge(self, name: tuple[str, ...]) -> None:
        """Bring the counts in line with what is now known of this order."""
        order, until = self.orders[name], self.settled_until
        self.waiting.discard(name)
        for question in order.questions.values():
            if question.by_customer and (until is None or question.asked_at > until):
                self.waiting.add(name)
                continue
            cause = cause_of(question, order.problems.values()) if question.by_customer else None
            self.told.revise(labels_of(question.counted), labels_of(cause))
            question.counted = cause

    def _forget(self, until: datetime) -> None:
        for name in list(self.ageing.due(until - KEPT)):
            order = self.orders.get(name)
            if order is None or order.last_heard is None:
                continue
            goes_at = order.last_heard + (OPEN_KEPT if order.has_open_problem else KEPT)
            if goes_at > until:
                self.ageing.hear(name, goes_at - KEPT)
            else:
                del self.orders[name]
                self.waiting.discard(name)
