"""Small stories of several customers; instants are days after midnight."""

from dataclasses import replace

from services.contracts import ids
from services.contracts.contacts import ContactReason
from services.contracts.envelope import Event
from services.contracts.outreach import Mode, Outcome, OutreachDecided, OutreachSent
from services.contracts.people import Channel, CustomerErased, CustomerMerged, MessageClass
from services.contracts.problems import (
    Actor,
    Clearing,
    Experience,
    FeedEvidence,
    ProblemCleared,
    ProblemKind,
    ProblemOpened,
    Tier,
)
from services.contracts.purchases import CancelledBy, OrderCancelled, OrderLine, OrderPlaced
from tests.unit.metrics.stories import CUSTOMER, Read, at, barrier, complained, event

LAPSE = "lapse_risk"
DELAY = "delivery_late"


def of(customer: str, read: Read) -> Read:
    """Return the same told of this customer."""
    assert isinstance(read.record, Event)
    return replace(read, record=read.record.model_copy(update={"partitionkey": customer}))


def bought(order: str, day: float, customer: str = CUSTOMER) -> Read:
    """Return a purchase."""
    line = OrderLine(product_id="p-1", price_minor=4990)
    placed = OrderPlaced(order_id=order, currency="EUR", lines=(line,))
    return of(customer, event(placed, 24 * day))


def cancelled(order: str, day: float, customer: str = CUSTOMER) -> Read:
    """Return its cancellation."""
    fact = OrderCancelled(order_id=order, cancelled_by=CancelledBy.COMPANY)
    return of(customer, event(fact, 24 * day))


def merged(goes: str, into: str, day: float) -> Read:
    """Return that one id is another name of one that stays."""
    return of(goes, event(CustomerMerged(into=into), 24 * day))


def erased(customer: str, day: float) -> Read:
    """Return that a customer is to be forgotten."""
    return of(customer, event(CustomerErased(), 24 * day))


def lapse(customer: str, day: float) -> Read:
    """Return the opening of this customer's risk of a lapse."""
    fact = ProblemOpened(
        problem_id=problem_of(customer, LAPSE),
        kind=ProblemKind.LAPSE_RISK,
        subject="customer",
        episode=1,
        tier=Tier.AT_RISK,
        deadline=at(24 * day),
        actor=Actor.US,
    )
    return of(customer, event(fact, 24 * day))


def problem_of(customer: str, playbook: str, order: str | None = None) -> object:
    """Return the problem that this playbook is about, for this customer and order."""
    return ids.problem_id(customer, order or "customer", playbook, 1)


def drawn(
    customer: str,
    day: float,
    outcome: Outcome = Outcome.CONTACT,
    playbook: str = DELAY,
    order: str | None = None,
    mode: Mode = Mode.LIVE,
    channel: Channel = Channel.EMAIL,
    message_class: MessageClass = MessageClass.CARE,
) -> Read:
    """Return a decision about one customer's problem."""
    problem = problem_of(customer, playbook, order)
    fact = OutreachDecided(
        step_id=ids.derive("step", str(problem)),
        problem_id=problem,
        playbook=playbook,
        playbook_version=1,
        step="write",
        channel=channel,
        order_id=order,
        decision_id=ids.derive("decision", str(problem), str(day)),
        outcome=outcome,
        mode=mode,
        message_class=message_class,
        gates=(),
    )
    return of(customer, event(fact, 24 * day))


def wrote(
    customer: str,
    day: float,
    playbook: str = DELAY,
    order: str | None = None,
    channel: Channel = Channel.EMAIL,
    step: str = "write",
) -> Read:
    """Return a message that left."""
    problem = problem_of(customer, playbook, order)
    fact = OutreachSent(
        step_id=ids.derive(step, str(problem)),
        problem_id=problem,
        playbook=playbook,
        playbook_version=1,
        step=step,
        channel=channel,
        order_id=order,
    )
    return of(customer, event(fact, 24 * day))


def complaint(
    customer: str,
    day: float,
    order: str | None = None,
    reason: ContactReason = ContactReason.COMPLAINT,
) -> Read:
    """Return a contact."""
    return of(customer, complained(order, 24 * day, reason))


def absence(
    order: str,
    day: float,
    deadline: float,
    *,
    silent: bool = False,
    kind: ProblemKind = ProblemKind.DELIVERY_DELAY,
    balance: float | None = None,
) -> Read:
    """Return the opening of a problem with a delivery, told by what did not come."""
    return of(
        CUSTOMER, event(ProblemOpened(**_late(order, deadline, silent, kind, balance)), 24 * day)
    )


def ended(
    order: str,
    day: float,
    deadline: float,
    clearing: Clearing = Clearing.SOLVED,
    *,
    silent: bool = False,
    kind: ProblemKind = ProblemKind.DELIVERY_DELAY,
) -> Read:
    """Return its end."""
    told = _late(order, deadline, silent, kind, None)
    return event(ProblemCleared(**told, clearing=clearing), 24 * day)


def _late(
    order: str, deadline: float, silent: bool, kind: ProblemKind, balance: float | None
) -> dict[str, object]:
    return {
        "problem_id": problem_of(CUSTOMER, DELAY, order),
        "kind": kind,
        "subject": order,
        "order_id": order,
        "episode": 1,
        "tier": Tier.OVERDUE,
        "deadline": at(24 * deadline),
        "actor": Actor.NOBODY,
        "feed": FeedEvidence(feed="carrier:dhl", silent=silent),
        "experience": None
        if balance is None
        else Experience(balance=balance, unresolved=0, strikes_left=3),
    }


def over(day: float) -> Read:
    """Return that everything up to this day was said."""
    return barrier(24 * day)
