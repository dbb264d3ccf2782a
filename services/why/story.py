"""One customer's records as a story: sorted, restricted, every assessment made again.  Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.churn_predictor.rerun import Outcome, Rerun, rerun
from services.churn_predictor.scoring import Scorecard
from services.contracts import topics as t
from services.contracts.contacts import ContactOpened, SurveyAnswered
from services.contracts.envelope import Event
from services.contracts.problems import RiskAssessed

TOPICS = (
    t.IDENTITIES,
    t.PURCHASES,
    t.DELIVERIES,
    t.CONTACTS,
    t.ASSESSMENTS,
    t.PROBLEMS,
    t.OUTREACH,
)
"""What is told, in the order of what happens within one instant."""

_RANK = {topic.name: rank for rank, topic in enumerate(TOPICS)}
_SUBJECTS = ("shipment_id", "order_id", "refund_id", "contact_id", "survey_id", "cart_id")
"""Fields by which a fact from outside says what it is about."""


@dataclass(frozen=True, slots=True)
class Found:
    """One record of the customer, as it lies on its topic."""

    topic: str
    offset: int
    value: bytes
    event: Event[Any] | None
    """None: it cannot be read."""
    fault: str | None = None
    """Why it cannot be read, in one word."""
    set_aside: tuple[str, ...] = ()
    """Which services could not use it and put it on the dead-letter topic: service and reason."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, was noticed or was decided."""

    topic: str
    event: Event[Any]
    rerun: Rerun | None = None
    """Of an assessment."""
    set_aside: tuple[str, ...] = ()
    """Which services did not take it in: service and reason."""


@dataclass(frozen=True, slots=True)
class Story:
    """All that is to be told, in time order."""

    customer_id: str
    entries: tuple[Entry, ...]
    unreadable: tuple[Found, ...]
    happened: Mapping[tuple[str, str], Event[Any]] = field(default_factory=dict)
    """Every event by source and id, also those that are left out of `entries`."""

    def count(self, outcome: Outcome) -> int:
        """Return how many assessments came out like this when they were made again."""
        return sum(e.rerun is not None and e.rerun.outcome is outcome for e in self.entries)

    @property
    def is_good(self) -> bool:
        """Whether every assessment could be read, could be made again, and is the same."""
        runs = [entry.rerun for entry in self.entries if entry.rerun is not None]
        is_lost = any(found.topic == t.ASSESSMENTS.name for found in self.unreadable)
        return not is_lost and all(run.outcome is Outcome.SAME for run in runs)


def tell(
    customer_id: str,
    found: Iterable[Found],
    models: Mapping[str, Scorecard],
    *,
    at: datetime | None = None,
    problem_id: UUID | None = None,
) -> Story:
    """Return the story in these records.

    Args:
        customer_id: Whose.
        found: All records of this customer on `TOPICS`, each topic's in the order of its offsets.
        models: Known models by the digest of their file.
        at: What happened or was said later is left out; None: nothing is.
        problem_id: What does not belong to this problem is left out; None: nothing is.
    """
    records = list(found)
    once = _once(records, at)
    events = [record.event for record in once if record.event is not None]
    happened = {(event.source, event.id): event for event in events}
    wanted = set(happened) if problem_id is None else set(_belonging(events, problem_id))
    entries = tuple(
        _entry(record, record.event, models)
        for record in once
        if record.event is not None and (record.event.source, record.event.id) in wanted
    )
    unreadable = tuple(record for record in records if record.event is None)
    return Story(customer_id, entries, unreadable, happened)


def _once(records: Iterable[Found], at: datetime | None) -> list[Found]:
    """Return what can be read, in time order; bytes that came twice count once."""
    first: dict[tuple[str, str, bytes], Found] = {}
    for record in records:
        event = record.event
        if event is not None and (at is None or event.time <= at):
            first.setdefault((event.source, event.id, record.value), record)
    return sorted(first.values(), key=_place)


def _place(record: Found) -> tuple[datetime, int, int]:
    assert record.event is not None
    return record.event.time, _RANK[record.topic], record.offset


def _entry(record: Found, event: Event[Any], models: Mapping[str, Scorecard]) -> Entry:
    if isinstance(event.data, RiskAssessed):
        return Entry(record.topic, event, rerun(event, record.value, models))
    return Entry(record.topic, event, set_aside=record.set_aside)


def _belonging(events: Iterable[Event[Any]], problem_id: UUID) -> Iterator[tuple[str, str]]:
    """Yield source and id of what has to do with this problem; nothing where nobody speaks of it."""
    listed = list(events)
    own = [e for e in listed if getattr(e.data, "problem_id", None) == problem_id]
    facts = [event.data for event in own if hasattr(event.data, "evidence")]
    names = {name for fact in facts for name in (fact.subject, fact.order_id) if name is not None}
    evidence = {(ref.source, ref.id) for fact in facts for ref in fact.evidence}
    if own:
        # Who wrote about no order may have meant this one: outreach thinks so too.
        names |= {e.data.contact_id for e in listed if _may_mean(e.data, names)}
    for event in listed:
        name = event.source, event.id
        if event in own or name in evidence or _is_about(event.data, names):
            yield name


def _may_mean(data: Any, names: set[str]) -> bool:
    return isinstance(data, ContactOpened) and (data.order_id is None or data.order_id in names)


def _is_about(data: Any, names: set[str]) -> bool:
    if hasattr(data, "problem_id"):
        return False
    if isinstance(data, RiskAssessed):
        return data.subject in names
    is_poor_about_none = isinstance(data, SurveyAnswered) and data.order_id is None and bool(names)
    return is_poor_about_none or any(getattr(data, name, None) in names for name in _SUBJECTS)
