"""Folding the topics: (state, topic, partition, record) → state.  No clock, no I/O.

Idempotent and free of order across topics: facts are kept by business id (order, problem, survey,
account), the earliest of two instants wins, and what is merely counted (decisions, contacts, dead
letters) is remembered by its identity.  `events` alone counts records, a repeat being one more.

The state is changed in place and returned: a copy for each record would cost the size of the state.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from services.contracts.contacts import (
    COMPLAINT_REASONS,
    ContactOpened,
    SurveyAnswered,
    SurveyKind,
)
from services.contracts.envelope import Event
from services.contracts.outreach import (
    OutreachDecided,
    OutreachFailed,
    OutreachSent,
    OutreachUnknown,
    OutreachWithdrawn,
)
from services.contracts.problems import ProblemChanged, ProblemCleared, ProblemOpened, Tier
from services.contracts.stream import (
    Account,
    Barrier,
    FeedMark,
    FeedResumed,
    FeedSilent,
    Tick,
    TickMark,
)
from services.contracts.topics import OUTREACH, Topic
from services.metrics import kpis
from services.metrics.facts import (
    Answer,
    EventId,
    OrderFacts,
    Place,
    ProblemFacts,
    Remembered,
    State,
)

UNREADABLE = "unreadable"
"""Stands for the type of a record nobody can read."""

NO_CHANNEL = "none"

_OUTCOMES = {
    OutreachSent: "sent",
    OutreachFailed: "failed",
    OutreachUnknown: "unknown",
    OutreachWithdrawn: "withdrawn",
}
CONTACT_OUTCOMES = tuple(_OUTCOMES.values())


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as its headers tell it."""

    origin: str
    """Logical name of the topic on which the record could not be read."""
    reason: str
    service: str
    place: str
    """Partition and offset over there, as text."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A record this service cannot read."""

    reason: str


ProblemFact: TypeAlias = ProblemOpened | ProblemChanged | ProblemCleared
OutcomeFact: TypeAlias = OutreachSent | OutreachFailed | OutreachUnknown | OutreachWithdrawn
FeedRecord: TypeAlias = FeedMark | TickMark | FeedSilent | FeedResumed
Record: TypeAlias = Event[Any] | Barrier | Tick | FeedRecord | Account | DeadLetter | Unread


def fold(state: State, topic: Topic, partition: int, record: Record) -> State:
    """Return the state with this record of this partition folded in."""
    match record:
        case Event():
            state.events[topic.name, record.type] += 1
            _fold_event(state, Place(topic.name, partition), record)
        case Barrier() if topic is OUTREACH:
            # Outreach echoes a barrier behind everything it had to say for that instant.
            _settle(state, partition, record.at)
        case Tick() if record.barrier is None:
            _settle(state, partition, record.at - kpis.SETTLING_TIME)
        case Account():
            _account(state, record)
        case DeadLetter():
            _dead_letter(state, Place(topic.name, partition), record)
        case Unread():
            state.events[topic.name, UNREADABLE] += 1
        case Barrier() | Tick() | FeedMark() | TickMark() | FeedSilent() | FeedResumed():
            pass
    return state


def _fold_event(state: State, place: Place, event: Event[Any]) -> None:
    match event.data:
        case ContactOpened():
            _contact_opened(state, place.partition, event)
        case SurveyAnswered():
            _survey_answered(state, place.partition, event)
        case ProblemOpened() | ProblemChanged() | ProblemCleared():
            _problem(state, event)
        case OutreachDecided():
            _decided(state, place, event)
        case OutreachSent() | OutreachFailed() | OutreachUnknown() | OutreachWithdrawn():
            _outcome(state, place, event)


# Complaints and lead time


def _contact_opened(state: State, partition: int, event: Event[ContactOpened]) -> None:
    contact = event.data
    if contact.order_id is not None and contact.reason in COMPLAINT_REASONS:
        order = _order(state, contact.order_id, partition)
        order.complaint_contact_at = _earlier(order.complaint_contact_at, event.time)
        _judge(state, contact.order_id, order)


def _survey_answered(state: State, partition: int, event: Event[SurveyAnswered]) -> None:
    survey = event.data
    if survey.order_id is not None and survey.kind is SurveyKind.CSAT:
        order = _order(state, survey.order_id, partition)
        answer = Answer(event.time, EventId(event.source, event.id), survey.is_poor)
        order.answers[survey.survey_id] = min(order.answers.get(survey.survey_id, answer), answer)
        _judge(state, survey.order_id, order)


def _order(state: State, order_id: str, partition: int) -> OrderFacts:
    return state.orders.setdefault(order_id, OrderFacts(partition))


def _judge(state: State, order_id: str, order: OrderFacts) -> None:
    """Bring the counts in line with what is now known of this order."""
    if order.judged is not None:
        state.complaints[order.judged.reached_first] -= 1
        state.lead_time.add(order.judged.lead, -1)
    order.judged = kpis.judge(order, state.settled_until.get(order.partition))
    if order.judged is not None:
        state.complaints[order.judged.reached_first] += 1
        state.lead_time.add(order.judged.lead)
    waiting = state.unsettled.setdefault(order.partition, set())
    if order.judged is None and kpis.complained_at(order) is not None:
        waiting.add(order_id)
    else:
        waiting.discard(order_id)


def _settle(state: State, partition: int, until: datetime) -> None:
    known = state.settled_until.get(partition)
    if known is not None and known >= until:
        return
    state.settled_until[partition] = until
    for order_id in list(state.unsettled.get(partition, ())):
        _judge(state, order_id, state.orders[order_id])


# Problems and what became of them


def _problem(state: State, event: Event[ProblemFact]) -> None:
    told = event.data
    problem = state.problems.setdefault(told.problem_id, ProblemFacts())
    _count_problem(state, problem, -1)
    problem.kind = told.kind
    problem.tier = told.tier if problem.tier is None else max(problem.tier, told.tier, key=_rank)
    if isinstance(told, ProblemOpened):
        state.opened[told.kind] += problem.opened_at is None
        problem.opened_at = _earlier(problem.opened_at, event.time)
    if isinstance(told, ProblemCleared):
        state.cleared[told.kind, told.clearing] += told.clearing not in problem.clearings
        problem.clearings.add(told.clearing)
    _count_problem(state, problem, 1)


def _count_problem(state: State, problem: ProblemFacts, times: int) -> None:
    """Add (1) or take back (-1) what this problem is in the figures that may still change."""
    if problem.kind is not None and problem.tier is not None and not problem.clearings:
        state.open_now[problem.kind, problem.tier] += times
    state.detection_to_contact.add(kpis.detection_to_contact(problem), times)


def _decided(state: State, place: Place, event: Event[OutreachDecided]) -> None:
    if _is_new(state, place, EventId(event.source, event.id)):
        decision = event.data
        state.decisions[decision.playbook, decision.outcome] += 1
        if decision.suppression is not None:
            state.suppressed[decision.playbook, decision.suppression] += 1


def _outcome(state: State, place: Place, event: Event[OutcomeFact]) -> None:
    if not _is_new(state, place, EventId(event.source, event.id)):
        return
    contact = event.data
    channel = NO_CHANNEL if contact.channel is None else contact.channel.value
    state.contacts[contact.playbook, channel, _OUTCOMES[type(contact)]] += 1
    if isinstance(contact, OutreachSent):
        _sent(state, place.partition, contact, event.time)


def _sent(state: State, partition: int, contact: OutreachSent, at: datetime) -> None:
    problem = state.problems.setdefault(contact.problem_id, ProblemFacts())
    _count_problem(state, problem, -1)
    problem.first_sent_at = _earlier(problem.first_sent_at, at)
    problem.opened_at_as_sent = problem.opened_at_as_sent or contact.problem_opened_at
    _count_problem(state, problem, 1)
    if contact.order_id is not None:
        order = _order(state, contact.order_id, partition)
        order.first_sent_at = _earlier(order.first_sent_at, at)
        _judge(state, contact.order_id, order)


# Pipeline


def _account(state: State, account: Account) -> None:
    place = Place(account.topic, account.partition)
    known = state.accounts.get(place)
    if known is None or account.next_offset >= known.next_offset:
        state.accounts[place] = account


def _dead_letter(state: State, place: Place, letter: DeadLetter) -> None:
    if _is_new(state, place, EventId(letter.service, letter.place)):
        state.dead_letters[letter.origin, letter.reason] += 1


def _is_new(state: State, place: Place, identity: EventId) -> bool:
    return state.remembered.setdefault(place, Remembered()).is_new(identity)


def _earlier(known: datetime | None, told: datetime) -> datetime:
    return told if known is None else min(known, told)


def _rank(tier: Tier) -> int:
    return tier.rank
