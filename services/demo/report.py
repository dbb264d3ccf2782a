"""From what lies on the topics, in the ledger, at the door and in the mail sink to the report.  Pure."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.contracts.contacts import ContactOpened, SurveyAnswered, SurveyKind
from services.contracts.deliveries import ShipmentDelivered, ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.outreach import (
    Mode,
    Outcome,
    OutreachDecided,
    OutreachFailed,
    OutreachSent,
    OutreachWithdrawn,
)
from services.contracts.problems import Clearing, ProblemCleared, ProblemKind, ProblemOpened
from services.contracts.purchases import OrderPlaced
from services.contracts.stream import Account
from services.contracts.topics import PERSONAL, PREDICTOR_SOURCES
from services.demo.figures import (
    Complaints,
    Contacts,
    LateOrders,
    LeadTime,
    Ledgered,
    Problems,
    Recounted,
    Report,
    Suppressed,
)
from services.demo.statistics import quantile, wilson
from services.demo.tally import Tally

_GRACE = timedelta(hours=24)
_HOUR = timedelta(hours=1)
_EVENT_TOPICS = frozenset(topic.name for topic in PREDICTOR_SOURCES)
_PROFILE_TOPICS = frozenset(topic.name for topic in PERSONAL)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the report is made of; none of it is the demo's own counting."""

    facts: tuple[Event[Any], ...]
    """Every readable event on the topics of interest, each once by source and id."""
    accepted: Mapping[str, int]
    """Outside topic → records on it."""
    accounts: tuple[Account, ...]
    """The predictor's latest, and outreach's for profiles and consents."""
    taken: Mapping[str, int]
    """Topic → events ingest took."""
    refused: Mapping[str, int]
    """Topic (`none`: unknown) → events ingest refused for good."""
    mails: Tally
    unknown: int
    """Contacts that the ledger holds as unknown."""
    metrics: Recounted


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What the run was."""

    seed: int
    source: str
    start: datetime
    end: datetime
    ticks: int
    wall_seconds: float
    with_late_orders: bool
    restarts: Mapping[str, int] = field(default_factory=dict)
    invented: tuple[str, ...] = ()


def build(evidence: Evidence, frame: Frame) -> Report:
    """Return the report of this run."""
    facts = evidence.facts
    lateness = late_orders(facts) if frame.with_late_orders else None
    # Ingest counts in its own memory: started again, it knows the rest of the run only.
    door_is_known = frame.restarts.get("ingest", 0) == 0
    return Report(
        seed=frame.seed,
        source=frame.source,
        orders=len({e.data.order_id for e in facts if isinstance(e.data, OrderPlaced)}),
        simulated_from=frame.start.isoformat(),
        simulated_until=frame.end.isoformat(),
        ticks=frame.ticks,
        wall_seconds=round(frame.wall_seconds, 1),
        events=_ledgered(evidence, _EVENT_TOPICS | {"none"}, door_is_known=door_is_known),
        profiles=_ledgered(evidence, _PROFILE_TOPICS, door_is_known=door_is_known),
        problems=_problems(facts),
        contacts=_contacts(evidence),
        complaints=_complaints(facts),
        lead_time_hours=_lead_time(facts),
        late_orders=lateness,
        metrics=evidence.metrics,
        decisions_digest=digest(facts),
        restarts=dict(frame.restarts),
        invented=frame.invented,
    )


def _ledgered(evidence: Evidence, names: frozenset[str], *, door_is_known: bool) -> Ledgered:
    accounts = [account for account in evidence.accounts if account.topic in names]
    return Ledgered(
        published=_sum_over(evidence.taken, names) if door_is_known else None,
        rejected=_sum_over(evidence.refused, names) if door_is_known else None,
        accepted=_sum_over(evidence.accepted, names),
        applied=sum(a.applied for a in accounts),
        duplicate=sum(a.duplicate for a in accounts),
        late=sum(a.late for a in accounts),
        dead_lettered=sum(a.dead_lettered for a in accounts),
    )


def _sum_over(counts: Mapping[str, int], names: frozenset[str]) -> int:
    return sum(count for name, count in counts.items() if name in names)


def _problems(facts: Iterable[Event[Any]]) -> Problems:
    opened: dict[Any, str] = {}
    cleared: dict[Any, Clearing] = {}
    for event in facts:
        if isinstance(event.data, ProblemOpened):
            opened[event.data.problem_id] = event.data.kind.value
        elif isinstance(event.data, ProblemCleared):
            cleared[event.data.problem_id] = event.data.clearing
    return Problems(
        opened=len(opened),
        cleared=len(cleared),
        retracted=sum(how is Clearing.RETRACTED for how in cleared.values()),
        by_kind=dict(sorted(Counter(opened.values()).items())),
    )


def _contacts(evidence: Evidence) -> Contacts:
    decided = [e.data for e in evidence.facts if isinstance(e.data, OutreachDecided)]
    outcomes = Counter(d.outcome for d in decided)
    because = Counter(
        d.suppression.value
        for d in decided
        if d.outcome is Outcome.SUPPRESSED and d.suppression is not None
    )
    return Contacts(
        decisions=len(decided),
        contact=outcomes[Outcome.CONTACT],
        in_shadow=sum(d.outcome is Outcome.CONTACT and d.mode is Mode.SHADOW for d in decided),
        deferred=outcomes[Outcome.DEFERRED],
        held_out=outcomes[Outcome.HELD_OUT],
        suppressed=Suppressed(**because),
        sent=evidence.mails.sent,
        failed=_distinct_steps(evidence.facts, OutreachFailed),
        withdrawn=_distinct_steps(evidence.facts, OutreachWithdrawn),
        unknown=evidence.unknown,
        double=evidence.mails.double,
        unlabelled=evidence.mails.unlabelled,
    )


def _distinct_steps(
    facts: Iterable[Event[Any]], kind: type[OutreachFailed] | type[OutreachWithdrawn]
) -> int:
    return len({event.data.step_id for event in facts if isinstance(event.data, kind)})


def first_complaints(facts: Iterable[Event[Any]]) -> dict[str, datetime]:
    """Return order → when its customer first complained about it."""
    return _earliest((e.data.order_id, e.time) for e in facts if _is_complaint(e.data))


def first_messages(facts: Iterable[Event[Any]]) -> dict[str, datetime]:
    """Return order → when our first message about it left."""
    return _earliest((e.data.order_id, e.time) for e in facts if _is_message(e.data))


def _is_message(fact: object) -> bool:
    return isinstance(fact, OutreachSent) and fact.is_to_customer


def _is_complaint(fact: object) -> bool:
    if isinstance(fact, ContactOpened):
        return fact.is_complaint
    return isinstance(fact, SurveyAnswered) and fact.kind is SurveyKind.CSAT and fact.is_poor


def _earliest(moments: Iterable[tuple[str | None, datetime]]) -> dict[str, datetime]:
    first: dict[str, datetime] = {}
    for order_id, at in moments:
        if order_id is not None and (order_id not in first or at < first[order_id]):
            first[order_id] = at
    return first


def _complaints(facts: tuple[Event[Any], ...]) -> Complaints:
    complaints, messages = first_complaints(facts), first_messages(facts)
    reached = sum(order in messages and messages[order] < at for order, at in complaints.items())
    return Complaints(total=len(complaints), reached_first=reached, written_about=len(messages))


def _lead_time(facts: tuple[Event[Any], ...]) -> LeadTime:
    complaints, messages = first_complaints(facts), first_messages(facts)
    hours = [
        (at - messages[order]) / _HOUR for order, at in complaints.items() if order in messages
    ]
    return LeadTime(**{name: _rounded(quantile(hours, q)) for name, q in _QUANTILES.items()})


_QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)


@dataclass(frozen=True, slots=True)
class _Delay:
    """One delivery delay that was noticed."""

    order_id: str
    opened_at: datetime
    cleared_at: datetime | None


def late_orders(facts: Iterable[Event[Any]]) -> LateOrders:
    """Return for how many late orders the delay was known before the customer's first answer."""
    facts = tuple(facts)
    answered = _earliest(
        (e.data.order_id, e.time) for e in facts if isinstance(e.data, SurveyAnswered)
    )
    late = _delivered_late(facts)
    before = [
        d
        for d in _delays(facts)
        if d.order_id in late & answered.keys() and d.opened_at < answered[d.order_id]
    ]
    noticed = {d.order_id for d in before}
    still_open = {
        d.order_id for d in before if d.cleared_at is None or d.cleared_at > answered[d.order_id]
    }
    interval = wilson(len(noticed), len(late))
    return LateOrders(
        open_past_promise=len(late),
        opened_before_answer=len(noticed),
        over_before_answer=len(noticed - still_open),
        unanswered=len(late - answered.keys()),
        share=_rounded(len(noticed) / len(late), 4) if late else None,
        low=_rounded(interval[0], 4) if interval else None,
        high=_rounded(interval[1], 4) if interval else None,
    )


def _delivered_late(facts: Iterable[Event[Any]]) -> set[str]:
    """Return the orders that came more than a day after their promise."""
    facts = tuple(facts)
    promised = _earliest(
        (e.data.order_id, e.data.promised_by) for e in facts if isinstance(e.data, ShipmentPromised)
    )
    delivered = _earliest(
        (e.data.order_id, e.time) for e in facts if isinstance(e.data, ShipmentDelivered)
    )
    return {o for o, at in delivered.items() if o in promised and at > promised[o] + _GRACE}


def _delays(facts: Iterable[Event[Any]]) -> list[_Delay]:
    facts = tuple(facts)
    cleared = {e.data.problem_id: e.time for e in facts if isinstance(e.data, ProblemCleared)}
    return [
        _Delay(e.data.order_id, e.time, cleared.get(e.data.problem_id))
        for e in facts
        if isinstance(e.data, ProblemOpened)
        and e.data.kind is ProblemKind.DELIVERY_DELAY
        and e.data.order_id is not None
    ]


def digest(facts: Iterable[Event[Any]]) -> str:
    """Return the SHA-256 of every decision, whatever order they were read in."""
    lines = sorted(
        "|".join(
            (
                event.customer_id,
                str(event.data.problem_id),
                event.data.playbook,
                event.data.step,
                event.data.outcome.value,
                event.time.isoformat(),
            )
        )
        for event in facts
        if isinstance(event.data, OutreachDecided)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
