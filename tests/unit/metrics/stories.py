"""Small event lists to vary: one shop, one day, instants written as hours after midnight."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.contracts import ids
from services.contracts import topics as t
from services.contracts.contacts import (
    ContactChannel,
    ContactOpened,
    ContactReason,
    ContactReopened,
    ContactReplied,
    ContactResolved,
    OpenedBy,
    ReplyBy,
    SurveyAnswered,
    SurveyKind,
    SurveySent,
)
from services.contracts.envelope import Event, Fact
from services.contracts.events import TOPIC_OF
from services.contracts.outreach import (
    Mode,
    Outcome,
    OutreachDecided,
    OutreachFailed,
    OutreachSent,
    OutreachStarted,
    OutreachUnknown,
    OutreachWithdrawn,
    Suppression,
    Withdrawal,
)
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import (
    TIERS_OF,
    Actor,
    Clearing,
    ProblemChanged,
    ProblemCleared,
    ProblemKind,
    ProblemOpened,
    Tier,
)
from services.contracts.purchases import OrderLine, OrderPlaced
from services.contracts.stream import Barrier, FeedMark, FeedResumed, FeedSilent, Tick
from services.contracts.topics import Topic
from services.metrics.exporter import render
from services.metrics.fold import Record, fold
from services.metrics.state import State

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
CUSTOMER = "c-1"
PLAYBOOK = "delivery_late"


@dataclass(frozen=True)
class Read:
    """One record as it is read: from where, and what."""

    topic: Topic
    record: Record
    partition: int = 0


def at(hours: float) -> datetime:
    """Return the instant so many hours after midnight."""
    return MIDNIGHT + timedelta(hours=hours)


def event(
    fact: Fact, hours: float, *, id: str = "", partition: int = 0, source: str = "/test"
) -> Read:
    """Return this fact as an event on its topic; its id follows from its content unless given."""
    topic = TOPIC_OF[type(fact)]
    told: Event[Any] = Event(
        id=id or str(ids.derive(fact.TYPE, fact.model_dump_json(), str(at(hours)))),
        source=source,
        type=fact.TYPE,
        time=at(hours),
        partitionkey=CUSTOMER,
        data=fact,
    )
    return Read(topic, told, partition)


def placed(order: str, hours: float = 0) -> Read:
    """Return an order."""
    line = OrderLine(product_id="p-1", price_minor=4990)
    return event(OrderPlaced(order_id=order, currency="EUR", lines=(line,)), hours)


def complained(
    order: str | None,
    hours: float,
    reason: ContactReason = ContactReason.WHERE_IS_MY_ORDER,
    partition: int = 0,
) -> Read:
    """Return a contact about an order."""
    fact = ContactOpened(
        contact_id=f"t-{order}-{hours}-{reason}",
        channel=ContactChannel.CHAT,
        reason=reason,
        order_id=order,
    )
    return event(fact, hours, partition=partition)


def began(
    contact: str,
    hours: float,
    reason: ContactReason = ContactReason.WHERE_IS_MY_ORDER,
    order: str | None = "o-1",
    by: OpenedBy = OpenedBy.CUSTOMER,
    channel: ContactChannel = ContactChannel.EMAIL,
) -> Read:
    """Return the opening of a contact with a name."""
    fact = ContactOpened(
        contact_id=contact, channel=channel, reason=reason, order_id=order, opened_by=by
    )
    return event(fact, hours)


def replied(contact: str, hours: float, by: ReplyBy = ReplyBy.AGENT) -> Read:
    """Return a message in a contact."""
    return event(ContactReplied(contact_id=contact, by=by), hours)


def resolved(contact: str, hours: float, seconds: int | None = None) -> Read:
    """Return the closing of a contact, and what it took."""
    return event(ContactResolved(contact_id=contact, handle_seconds=seconds), hours)


def reopened(contact: str, hours: float) -> Read:
    """Return that the customer came back."""
    return event(ContactReopened(contact_id=contact), hours)


def asked(
    survey: str, hours: float, kind: SurveyKind = SurveyKind.CSAT, source: str = "/test"
) -> Read:
    """Return a survey that left."""
    return event(SurveySent(survey_id=survey, kind=kind), hours, source=source)


def of_customer(read: Read, customer: str) -> Read:
    """Return the same record of another customer."""
    assert isinstance(read.record, Event)
    told = read.record.model_copy(
        update={"partitionkey": customer, "id": f"{read.record.id}-{customer}"}
    )
    return replace(read, record=told)


def answered(
    order: str | None,
    hours: float,
    score: int,
    survey: str = "s-1",
    kind: SurveyKind = SurveyKind.CSAT,
    source: str = "/test",
) -> Read:
    """Return the answer to a survey about an order."""
    fact = SurveyAnswered(survey_id=survey, kind=kind, score=score, order_id=order)
    return event(fact, hours, source=source)


def problem(order: str, episode: int = 1) -> dict[str, Any]:
    """Return the fields every problem event of this order has."""
    subject = f"shipment-{order}"
    return {
        "problem_id": ids.problem_id(CUSTOMER, subject, "delivery_delay", episode),
        "kind": ProblemKind.DELIVERY_DELAY,
        "subject": subject,
        "order_id": order,
        "episode": episode,
        "deadline": at(0),
        "promised_by": at(0),
        "actor": Actor.US,
    }


def trouble(kind: ProblemKind, hours: float, tier: Tier | None = None) -> Read:
    """Return the opening of a problem of any kind that is about no order, in its first tier."""
    fact = ProblemOpened(
        problem_id=ids.problem_id(CUSTOMER, "customer", kind, 1),
        kind=kind,
        subject="customer",
        episode=1,
        tier=tier or TIERS_OF[kind][0],
        deadline=at(0),
        actor=Actor.US,
    )
    return event(fact, hours)


def no_longer(opening: Read, hours: float, clearing: Clearing = Clearing.SOLVED) -> Read:
    """Return the end of the problem that this opened."""
    assert isinstance(opening.record, Event)
    told = opening.record.data.model_dump()
    return event(ProblemCleared(**told, clearing=clearing), hours)


def opened(order: str, hours: float, tier: Tier = Tier.OVERDUE) -> Read:
    """Return the opening of a problem."""
    return event(ProblemOpened(**problem(order), tier=tier), hours)


def changed(order: str, hours: float, tier: Tier = Tier.LATE) -> Read:
    """Return its escalation."""
    fact = ProblemChanged(**problem(order), tier=tier, previous_tier=Tier.OVERDUE)
    return event(fact, hours)


def cleared(order: str, hours: float, clearing: Clearing = Clearing.SOLVED) -> Read:
    """Return its end."""
    return event(ProblemCleared(**problem(order), tier=Tier.OVERDUE, clearing=clearing), hours)


def step(
    order: str, channel: Channel | None = Channel.EMAIL, name: str = "write", by: str = PLAYBOOK
) -> dict[str, Any]:
    """Return the fields every outreach event of this order has."""
    problem_id = problem(order)["problem_id"]
    return {
        "step_id": ids.step_id(problem_id, by, name),
        "problem_id": problem_id,
        "playbook": by,
        "playbook_version": 1,
        "step": name,
        "channel": channel,
        "order_id": order,
    }


def decided(
    order: str,
    hours: float,
    outcome: Outcome = Outcome.CONTACT,
    suppression: Suppression | None = None,
    *,
    mode: Mode = Mode.LIVE,
    name: str = "write",
    by: str = PLAYBOOK,
) -> Read:
    """Return a decision."""
    fact = OutreachDecided(
        **step(order, name=name, by=by),
        decision_id=ids.derive("decision", order, str(hours)),
        outcome=outcome,
        suppression=suppression,
        mode=mode,
        message_class=MessageClass.SERVICE,
        gates=(),
    )
    return event(fact, hours)


def started(order: str, hours: float, attempt: int = 1, partition: int = 0) -> Read:
    """Return the start of an attempt."""
    return event(OutreachStarted(**step(order), attempt=attempt), hours, partition=partition)


def sent(
    order: str,
    hours: float,
    opened_at: datetime | None = None,
    partition: int = 0,
    *,
    attempt: int = 1,
    name: str = "write",
    by: str = PLAYBOOK,
    channel: Channel = Channel.EMAIL,
) -> Read:
    """Return a message that left."""
    told = step(order, channel, name=name, by=by)
    fact = OutreachSent(**told, attempt=attempt, problem_opened_at=opened_at)
    return event(fact, hours, partition=partition)


def failed(order: str, hours: float, attempt: int = 1) -> Read:
    """Return a message the channel refused."""
    fact = OutreachFailed(**step(order), reason="mailbox is gone", attempt=attempt)
    return event(fact, hours)


def unknown(order: str, hours: float, attempt: int = 1) -> Read:
    """Return a message of which nobody can say whether it left."""
    return event(OutreachUnknown(**step(order), attempt=attempt), hours)


def withdrawn(order: str, hours: float) -> Read:
    """Return a message taken back in time, before a channel was chosen."""
    fact = OutreachWithdrawn(**step(order, None), reason=Withdrawal.CUSTOMER_WROTE)
    return event(fact, hours)


def barrier(hours: float, topic: Topic = t.OUTREACH, partition: int = 0) -> Read:
    """Return outreach's (or the predictor's) word that all due at this instant is done."""
    told = Barrier(barrier="b", number=1, at=at(hours), partition=partition, ends={})
    return Read(topic, told, partition)


def tick(hours: float, named: str | None = None, partition: int = 0) -> Read:
    """Return a tick, of simulated time where it names a barrier."""
    return Read(t.TICKS, Tick(number=1, at=at(hours), ends={}, barrier=named), partition)


def mark(feed: str, number: int, events: int = 1, partition: int = 0) -> Read:
    """Return what a partition says of a feed at the tick of this number: heard as many hours ago."""
    told = FeedMark(feed=feed, partition=partition, tick=number, heard_at=at(number), events=events)
    return Read(t.FEEDS, told, partition)


def silent(feed: str, number: int) -> Read:
    """Return the word that a feed is silent, at the tick of this number."""
    told = FeedSilent(
        feed=feed,
        partition=0,
        tick=number,
        at=at(number),
        heard_at=at(0),
        silent_from=at(number),
        usual_gap_seconds=60,
    )
    return Read(t.FEEDS, told)


def resumed(feed: str, number: int) -> Read:
    """Return the word that it is heard again."""
    told = FeedResumed(
        feed=feed,
        partition=0,
        tick=number,
        at=at(number),
        heard_at=at(number),
        silent_since=at(0),
    )
    return Read(t.FEEDS, told)


def folded(*records: Read) -> State:
    """Return the state these records give, in this order."""
    return fold_all(records)


def fold_all(records: Iterable[Read], partitions: int = 1) -> State:
    """Return the state these records give, in this order; judged whenever an instant is over."""
    state, settled = State(), None
    for read in records:
        state = fold(state, read.topic, read.partition, read.record)
        over = state.over(partitions)
        if over is not None and over != settled:
            state.settle(over)
            settled = over
    return state


def series(state: State, playbooks: tuple[str, ...] = (PLAYBOOK,)) -> dict[str, float]:
    """Return every sample of the state as it is exposed: `name{label=value,…}` → value."""
    return {
        f"{sample.name}{{{','.join(f'{k}={v}' for k, v in sample.labels.items())}}}": sample.value
        for family in render(state, {}, playbooks)
        for sample in family.samples
    }


def counted(state: State) -> dict[str, float]:
    """Return the samples that are not 0, but for what the service says of itself."""
    return {n: v for n, v in series(state).items() if v and not n.startswith("care_metrics_")}


def net(figures: dict[str, float]) -> dict[str, float]:
    """Return the samples less what of them was withdrawn."""
    withdrawn = {
        re.sub("_withdrawn", "", name, count=1): n
        for name, n in figures.items()
        if "_withdrawn" in name
    }
    kept = {name: n for name, n in figures.items() if "_withdrawn" not in name}
    assert withdrawn.keys() <= kept.keys()
    return {name: n - withdrawn.get(name, 0) for name, n in kept.items()}
