"""What a batch of events adds to the facts.  Pure: folding knows no order and minds no repetition."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.contracts.contacts import (
    ContactOpened,
    ContactReopened,
    ContactReplied,
    ContactResolved,
    ReplyBy,
    SurveyAnswered,
    SurveySent,
)
from services.contracts.envelope import Event
from services.contracts.people import ConsentChanged, CustomerUpdated
from services.contracts.problems import ProblemChanged, ProblemCleared, ProblemOpened
from services.contracts.trace_context import parse_event
from services.outreach.decide import steps_due
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
from services.outreach.playbook import Catalogue, Reached


@dataclass(slots=True)
class Additions:
    """The facts of one batch, folded; what the database knows is merged with them later."""

    problems: dict[UUID, Problem] = field(default_factory=dict)
    contacts: dict[tuple[str, str], InboundContact] = field(default_factory=dict)
    answers: dict[tuple[str, str], SurveyAnswer] = field(default_factory=dict)
    due: dict[UUID, DueStep] = field(default_factory=dict)

    @property
    def customers(self) -> set[str]:
        """Whose story changed."""
        touched = {problem.customer_id for problem in self.problems.values()}
        touched |= {customer for customer, _ in self.contacts}
        return touched | {customer for customer, _ in self.answers}

    def add(self, event: Event[Any], partition: int, catalogue: Catalogue) -> None:
        """Fold one event of `problems` or `contacts` in."""
        match event.data:
            case ProblemOpened() | ProblemChanged() | ProblemCleared():
                self._add_problem(problem_of(event))
                self._add_due(event, partition, catalogue)
            case ContactOpened() | ContactReopened() | ContactReplied() | ContactResolved():
                self.add_contact(contact_of(event))
            case SurveyAnswered():
                self.add_answer(answer_of(event))
            case SurveySent():
                # A survey that left us says nothing about what the customer knows.
                return

    def _add_problem(self, problem: Problem) -> None:
        known = self.problems.get(problem.problem_id)
        self.problems[problem.problem_id] = known.merge(problem) if known else problem

    def _add_due(self, event: Event[Any], partition: int, catalogue: Catalogue) -> None:
        fact = event.data
        clearing = fact.clearing if isinstance(fact, ProblemCleared) else None
        reached = Reached(
            event.time, fact.kind, fact.tier, fact.complaint_risk, fact.actor, clearing
        )
        named, trace = (fact.problem_id, event.customer_id, partition), parse_event(event)
        for due in steps_due(*named, reached, catalogue, trace):
            known = self.due.get(due.step_id)
            self.due[due.step_id] = min(known, due, key=lambda d: d.due_at) if known else due

    def add_contact(self, contact: InboundContact) -> None:
        """Fold a contact in."""
        key = (contact.customer_id, contact.contact_id)
        known = self.contacts.get(key)
        self.contacts[key] = known.merge(contact) if known else contact

    def add_answer(self, answer: SurveyAnswer) -> None:
        """Fold an answer in."""
        key = (answer.customer_id, answer.survey_id)
        known = self.answers.get(key)
        self.answers[key] = known.merge(answer) if known else answer


def problem_of(event: Event[Any]) -> Problem:
    """Return what one event says about a problem."""
    fact = event.data
    zone = fact.destination_time_zone
    is_end = isinstance(fact, ProblemCleared)
    return Problem(
        problem_id=fact.problem_id,
        customer_id=event.customer_id,
        kind=fact.kind,
        subject=fact.subject,
        order_id=fact.order_id,
        opened_at=event.time,
        stage=Stage(fact.tier, event.time, fact.promised_by, fact.actor, fact.complaint_risk),
        ending=Ending(event.time, fact.clearing) if is_end else None,
        destination=None if zone is None else Destination(event.time, zone),
    )


def contact_of(event: Event[Any]) -> InboundContact:
    """Return what one event says about a customer's own contact."""
    fact = event.data
    contact = InboundContact(event.customer_id, fact.contact_id)
    match fact:
        case ContactOpened(is_by_customer=True):
            return InboundContact(
                event.customer_id, fact.contact_id, fact.order_id, event.time, event.time
            )
        case ContactOpened():
            # An agent's words: what it is about, and nothing that the customer has said.
            return InboundContact(event.customer_id, fact.contact_id, fact.order_id)
        case ContactReopened():
            return InboundContact(
                event.customer_id, fact.contact_id, heard_at=event.time, opened_at=event.time
            )
        case ContactReplied(by=ReplyBy.CUSTOMER):
            return InboundContact(event.customer_id, fact.contact_id, heard_at=event.time)
        case ContactResolved():
            return InboundContact(event.customer_id, fact.contact_id, resolved_at=event.time)
    return contact


def answer_of(event: Event[Any]) -> SurveyAnswer:
    """Return the answer in an event."""
    fact = event.data
    return SurveyAnswer(
        event.customer_id, fact.survey_id, event.time, fact.kind, fact.score, fact.order_id
    )


def consent_of(event: Event[ConsentChanged]) -> ConsentStatement:
    """Return the customer's word in an event."""
    fact = event.data
    return ConsentStatement(
        event.source,
        event.id,
        event.customer_id,
        fact.message_class,
        fact.channel,
        fact.status,
        event.time,
        fact.valid_from,
        fact.valid_until,
    )


def profile_of(event: Event[CustomerUpdated]) -> Profile:
    """Return the snapshot in an event."""
    fact = event.data
    return Profile(
        event.customer_id,
        event.time,
        event.source,
        event.id,
        fact.name,
        fact.email,
        fact.language,
        fact.time_zone,
        fact.country,
        fact.phone,
        fact.push_id,
        fact.chat_id,
    )
