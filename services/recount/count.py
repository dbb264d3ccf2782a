"""From everything that lies on the topics to the series that should be exported.  Pure.

Figures that may be judged anew are compared less what was withdrawn of them.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.contracts import metric_names as names
from services.contracts import service_metrics, step_metrics
from services.contracts.contacts import (
    COMPLAINT_REASONS,
    ContactOpened,
    SurveyAnswered,
    SurveyKind,
    SurveySent,
)
from services.contracts.envelope import Event
from services.contracts.metric_names import Metric
from services.contracts.outreach import (
    SOURCE,
    OutreachDecided,
    OutreachFailed,
    OutreachSent,
    OutreachUnknown,
    OutreachWithdrawn,
)
from services.contracts.problems import ProblemChanged, ProblemCleared, ProblemOpened
from services.contracts.purchases import OrderPlaced
from services.recount.series import Series, series

_NOTHING = timedelta(0)


@dataclass(slots=True)
class Told:
    """Everything that was read."""

    records: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(topic, type) → records, repeats too."""
    events: dict[tuple[str, str], Event[Any]] = field(default_factory=dict)
    """Each event once, by source and id."""

    def take(self, topic: str, event: Event[Any]) -> None:
        """Add one event as it lies on its topic."""
        self.records[topic, event.type] += 1
        self.events.setdefault((event.source, event.id), event)

    def of(self, *facts: type[Any]) -> Iterator[Event[Any]]:
        """Return the events of these facts."""
        return (event for event in self.events.values() if isinstance(event.data, facts))


def count(told: Told, until: datetime | None = None) -> dict[Series, float]:
    """Return each series that is not 0.

    Args:
        told: All that lies on the topics.
        until: What came later is not judged yet; None: everything is.
    """
    found: Counter[Series] = Counter()
    for (topic, type_), number in told.records.items():
        found[series(names.EVENTS, topic, type_)] += number
    found.update(_problems(told))
    found.update(_outreach(told))
    found.update(_complaints(told, until))
    found.update(_promptness(told, until))
    found.update(_orders(told))
    found.update(_contacts(told))
    found.update(_surveys(told))
    found.update(_told_twice(told))
    return {each: float(number) for each, number in found.items() if number}


def _problems(told: Told) -> Iterator[Series]:
    opened = {e.data.problem_id: e.data.kind for e in told.of(ProblemOpened)}
    cleared = {(e.data.problem_id, e.data.clearing): e.data for e in told.of(ProblemCleared)}
    ended = {problem_id for problem_id, _ in cleared}
    worst: dict[Any, Any] = {}
    for event in told.of(ProblemOpened, ProblemChanged):
        known = worst.get(event.data.problem_id)
        if known is None or event.data.tier.rank > known.tier.rank:
            worst[event.data.problem_id] = event.data
    yield from (series(names.PROBLEMS_OPENED, kind) for kind in opened.values())
    yield from (series(names.PROBLEMS_CLEARED, c.kind, c.clearing) for c in cleared.values())
    for problem_id, told_last in worst.items():
        if problem_id not in ended:
            yield series(names.PROBLEMS_OPEN, told_last.kind, told_last.tier)


_OUTCOMES: dict[type[Any], str] = {
    OutreachSent: "sent",
    OutreachFailed: "failed",
    OutreachUnknown: "unknown",
    OutreachWithdrawn: "withdrawn",
}


def _outreach(told: Told) -> Iterator[Series]:
    for event in told.of(OutreachDecided):
        decided = event.data
        yield series(names.DECISIONS, decided.playbook, decided.outcome)
        if decided.suppression is not None:
            yield series(names.SUPPRESSED, decided.playbook, decided.suppression)
    for event in told.of(*_OUTCOMES):
        channel = event.data.channel or "none"
        yield series(names.CONTACTS, event.data.playbook, channel, _OUTCOMES[type(event.data)])


# Who was first


def first_complaints(told: Told) -> dict[str, datetime]:
    """Return order → when its customer first complained about it."""
    moments: dict[str, list[datetime]] = defaultdict(list)
    for opening in _first_openings(told):
        if opening.data.is_by_customer:
            moments[str(opening.data.order_id)].append(opening.time)
    for event in _first_answers(told):
        if event.data.is_poor:
            moments[str(event.data.order_id)].append(event.time)
    return {order: min(times) for order, times in moments.items()}


def _first_openings(told: Told) -> Iterable[Event[ContactOpened]]:
    """Return how each contact began that is about an order and is a complaint, if the customer began it."""
    firsts: dict[tuple[str, str, str], Event[ContactOpened]] = {}
    for event in told.of(ContactOpened):
        contact = event.data
        if contact.order_id is None or contact.reason not in COMPLAINT_REASONS:
            continue
        key = (contact.order_id, event.customer_id, contact.contact_id)
        known = firsts.get(key)
        if known is None or _place(event) < _place(known):
            firsts[key] = event
    return firsts.values()


def _first_answers(told: Told) -> Iterable[Event[SurveyAnswered]]:
    firsts: dict[tuple[str, str], Event[SurveyAnswered]] = {}
    for event in told.of(SurveyAnswered):
        survey = event.data
        if survey.order_id is None or survey.kind is not SurveyKind.CSAT:
            continue
        key = (survey.order_id, survey.survey_id)
        known = firsts.get(key)
        if known is None or _place(event) < _place(known):
            firsts[key] = event
    return firsts.values()


def _place(event: Event[Any]) -> tuple[datetime, str, str]:
    return event.time, event.source, event.id


def _firsts(pairs: Iterable[tuple[Any, datetime]]) -> dict[Any, datetime]:
    found: dict[Any, datetime] = {}
    for key, at in pairs:
        found[key] = min(at, found.get(key, at))
    return found


def _complaints(told: Told, until: datetime | None) -> Iterator[Series]:
    messages = [e for e in told.of(OutreachSent) if e.data.is_to_customer and e.data.order_id]
    wrote = _firsts((e.data.order_id, e.time) for e in messages)
    for order, complained_at in first_complaints(told).items():
        if until is not None and complained_at > until:
            continue
        lead = None if order not in wrote else complained_at - wrote[order]
        reached_first = lead is not None and lead > _NOTHING
        yield series(names.COMPLAINTS, str(reached_first).lower())
        if lead is not None:
            yield from buckets(names.LEAD_TIME, lead)


def _promptness(told: Told, until: datetime | None) -> Iterator[Series]:
    sent = [event for event in told.of(OutreachSent) if event.data.is_to_customer]
    as_sent = ((e.data.problem_id, e.data.problem_opened_at) for e in sent)
    opened = {problem: at for problem, at in as_sent if at is not None}
    opened |= _firsts((e.data.problem_id, e.time) for e in told.of(ProblemOpened))
    for problem, at in _firsts((e.data.problem_id, e.time) for e in sent).items():
        if problem in opened and (until is None or at <= until):
            yield from buckets(names.DETECTION_TO_CONTACT, at - opened[problem])


# The desk


def _orders(told: Told) -> Iterator[Series]:
    placed = {event.data.order_id for event in told.of(OrderPlaced)}
    contacts = [event.data for event in told.of(ContactOpened) if event.data.is_by_customer]
    contacted = {contact.order_id for contact in contacts} - {None}
    yield from (series(service_metrics.ORDERS) for _ in placed)
    yield from (series(service_metrics.ORDERS_CONTACTED) for _ in contacted)


def _contacts(told: Told) -> Iterator[Series]:
    """Count each contact under what was told of it first: all of it lies in one partition, in order."""
    firsts: dict[tuple[str, str], ContactOpened] = {}
    for event in told.of(ContactOpened):
        firsts.setdefault((event.customer_id, event.data.contact_id), event.data)
    for first in firsts.values():
        labels = (first.channel, first.reason, first.opened_by)
        yield series(service_metrics.INBOUND_CONTACTS, *labels)


def _surveys(told: Told) -> Iterator[Series]:
    sent: dict[str, Event[SurveySent]] = {}
    answered: dict[str, Event[SurveyAnswered]] = {}
    ours: set[str] = set()
    for event in told.of(SurveySent, SurveyAnswered):
        survey_id = event.data.survey_id
        if event.source == SOURCE:
            ours.add(survey_id)
        if isinstance(event.data, SurveySent):
            sent.setdefault(survey_id, event)
        else:
            answered[survey_id] = min(answered.get(survey_id, event), event, key=_place)
    for first in sent.values():
        yield series(service_metrics.SURVEYS_SENT, first.data.kind, _origin(first.source == SOURCE))
    for survey_id, answer in answered.items():
        labels = (answer.data.kind, str(answer.data.score), _origin(survey_id in ours))
        yield series(service_metrics.SURVEY_ANSWERS, *labels)


def _origin(is_ours: bool) -> str:
    return "proactive" if is_ours else "reactive"


def _told_twice(told: Told) -> Iterator[Series]:
    messages: dict[Any, set[tuple[int, datetime]]] = defaultdict(set)
    for event in told.of(OutreachSent):
        messages[event.data.step_id].add((event.data.attempt, event.time))
    yield from (series(step_metrics.TOLD_TWICE) for left in messages.values() if len(left) > 1)


def buckets(metric: Metric, duration: timedelta, *labels: str) -> Iterator[Series]:
    """Return the cumulative buckets of a histogram that this duration is in."""
    bounds: Sequence[float] = (*metric.buckets, float("inf"))
    for bound in bounds[bisect_left(bounds, duration.total_seconds()) :]:
        yield series(metric, *labels, bound=bound)
