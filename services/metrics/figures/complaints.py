"""Complaints and who was first.

*Complaint about an order*: the customer opens a contact about the order for one of the contracts'
`COMPLAINT_REASONS`, or gives a poor CSAT answer to a survey about it.  Per order the first one
counts.  A contact or answer that names no order is nobody's complaint here, nor is a contact that an agent
opened, whatever the customer then says in it.

*Reached first*: our first message about the order left strictly before the first complaint.  What was given
to a person of ours is no message: the customer has not heard yet.

*Lead time*: first complaint minus first message about the same order, from either side: positive
when we were earlier, negative when we wrote only after the complaint.  An order without a complaint
is censored: silence is no proof of success, so it has no lead time and is in no count.  A complaint
without any message from us is counted as not reached first and has no lead time.

A complaint is judged once everything said up to its instant has been read, so that the order in
which two topics are read cannot decide who was first.  What becomes known later moves the order from
one count to another: it is withdrawn here and counted there, so that no counter ever falls.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from services.contracts import metric_names as names
from services.contracts.contacts import (
    COMPLAINT_REASONS,
    ContactOpened,
    SurveyAnswered,
    SurveyKind,
)
from services.contracts.envelope import Event, Fact
from services.contracts.outreach import OutreachSent
from services.metrics.figures.measures import Distributions, Measured, Tally, earlier
from services.metrics.figures.memory import EventId


@dataclass(frozen=True, slots=True, order=True)
class Answer:
    """One answer to a survey; of several to the same survey the earliest counts."""

    at: datetime
    event: EventId
    is_poor: bool


@dataclass(frozen=True, slots=True, order=True)
class Opening:
    """The opening of a contact for one of these reasons; of several the earliest counts."""

    at: datetime
    event: EventId
    by_customer: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a complaint says about care; `lead` is None where we never wrote."""

    reached_first: bool
    lead: timedelta | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it is counted under."""
        return (str(self.reached_first).lower(),)


@dataclass(slots=True)
class OrderFacts:
    """What matters of one order: when its customer complained, and when we first wrote."""

    openings: dict[tuple[str, str], Opening] = field(default_factory=dict)
    """Customer and contact → its opening for one of these reasons."""
    answers: dict[str, Answer] = field(default_factory=dict)
    first_sent_at: datetime | None = None
    judged: Judgement | None = None
    """What the counts hold of this order now."""


def complained_at(order: OrderFacts) -> datetime | None:
    """Return when the customer first complained about this order; None: never."""
    poor_answers = [answer.at for answer in order.answers.values() if answer.is_poor]
    contacts = [opening.at for opening in order.openings.values() if opening.by_customer]
    return min(contacts + poor_answers, default=None)


def judge(order: OrderFacts, until: datetime | None) -> Judgement | None:
    """Return what this order's complaint says about care.

    Args:
        order: Its facts.
        until: The instant up to which everything said has been read; None: nothing has.

    Returns:
        None where there is no complaint, or it came after that instant.
    """
    complaint = complained_at(order)
    if complaint is None or until is None or complaint > until:
        return None
    if order.first_sent_at is None:
        return Judgement(reached_first=False, lead=None)
    lead = complaint - order.first_sent_at
    return Judgement(reached_first=lead > timedelta(0), lead=lead)


@dataclass(slots=True)
class Complaints:
    """Orders with a complaint, a CSAT answer or a message of ours; the others do not matter here."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset(
        {ContactOpened, SurveyAnswered, OutreachSent}
    )

    counted: Tally = field(default_factory=Tally)
    withdrawn: Tally = field(default_factory=Tally)
    lead: Distributions = field(default_factory=Distributions)
    lead_withdrawn: Distributions = field(default_factory=Distributions)
    orders: dict[str, OrderFacts] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    """Orders whose complaint is not judged yet."""
    settled_until: datetime | None = None

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in a contact, an answer or a message; see `Figures`."""
        del partition
        match event.data:
            case ContactOpened(order_id=str(order_id), reason=reason) as contact:
                if reason in COMPLAINT_REASONS:
                    self._complained(order_id, event, contact)
            case SurveyAnswered(order_id=str(order_id), kind=SurveyKind.CSAT) as survey:
                answer = Answer(event.time, EventId(event.source, event.id), survey.is_poor)
                self._answered(order_id, survey.survey_id, answer)
            case OutreachSent(order_id=str(order_id), is_to_customer=True):
                order = self._order(order_id)
                order.first_sent_at = earlier(order.first_sent_at, event.time)
                self._judge(order_id, order)

    def settle(self, until: datetime) -> None:
        """Judge the complaints up to this instant."""
        self.settled_until = until
        for order_id in sorted(self.waiting):
            self._judge(order_id, self.orders[order_id])

    def measured(self) -> Iterator[Measured]:
        """Return complaints and lead times."""
        yield names.COMPLAINTS, self.counted
        yield names.COMPLAINTS_WITHDRAWN, self.withdrawn
        yield names.LEAD_TIME, self.lead
        yield names.LEAD_TIME_WITHDRAWN, self.lead_withdrawn

    def _order(self, order_id: str) -> OrderFacts:
        return self.orders.setdefault(order_id, OrderFacts())

    def _complained(self, order_id: str, event: Event[Any], contact: ContactOpened) -> None:
        order, name = self._order(order_id), (event.customer_id, contact.contact_id)
        identity = EventId(event.source, event.id)
        opening = Opening(event.time, identity, contact.is_by_customer)
        order.openings[name] = min(order.openings.get(name, opening), opening)
        self._judge(order_id, order)

    def _answered(self, order_id: str, survey_id: str, answer: Answer) -> None:
        order = self._order(order_id)
        order.answers[survey_id] = min(order.answers.get(survey_id, answer), answer)
        self._judge(order_id, order)

    def _judge(self, order_id: str, order: OrderFacts) -> None:
        """Bring the counts in line with what is now known of this order."""
        judged = judge(order, self.settled_until)
        if judged is None and complained_at(order) is not None:
            self.waiting.add(order_id)
        else:
            self.waiting.discard(order_id)
        if judged != order.judged:
            _count(order.judged, self.withdrawn, self.lead_withdrawn, names.LEAD_TIME_WITHDRAWN)
            _count(judged, self.counted, self.lead, names.LEAD_TIME)
            order.judged = judged


def _count(
    judged: Judgement | None, tally: Tally, lead: Distributions, metric: names.Metric
) -> None:
    if judged is not None:
        tally.add(judged.labels)
        if judged.lead is not None:
            lead.add(metric, (), judged.lead)
