"""What is known about one customer: a set of facts keyed by business id.

Learning is idempotent and commutative: late, repeated and shuffled events end in the same facts,
because every slot keeps the least (or greatest) stamp it was ever offered.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Protocol, TypeVar

from services.contracts.contacts import (
    ContactOpened,
    ContactReopened,
    ContactReplied,
    ContactResolved,
    ReplyBy,
    SurveyAnswered,
    SurveySent,
)
from services.contracts.deliveries import (
    CheckpointStatus,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentHandedOver,
    ShipmentPromised,
)
from services.contracts.envelope import Event, Fact
from services.contracts.purchases import OrderApproved, OrderCancelled, OrderPlaced


class _Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


T = TypeVar("T", bound=_Ordered)

_SEEN_BY_CARRIER = frozenset(
    {
        CheckpointStatus.IN_TRANSIT,
        CheckpointStatus.OUT_FOR_DELIVERY,
        CheckpointStatus.ATTEMPT_FAIL,
        CheckpointStatus.AVAILABLE_FOR_PICKUP,
        CheckpointStatus.DELIVERED,
        CheckpointStatus.EXCEPTION,
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """When something happened, and which event said so."""

    at: datetime
    source: str
    id: str


@dataclass(frozen=True, slots=True, order=True)
class Promise:
    """A date that was given to the customer."""

    told: Stamp
    promised_by: datetime
    ship_by: datetime | None = None
    carrier: str | None = None


@dataclass(frozen=True, slots=True)
class Basket:
    """What was bought, as far as risk needs it."""

    placed: Stamp
    lines: int
    sellers: int
    total_minor: int
    freight_minor: int


@dataclass(slots=True)
class OrderFacts:
    """One order."""

    basket: Basket | None = None
    approved: Stamp | None = None
    cancelled: Stamp | None = None


@dataclass(slots=True)
class ShipmentFacts:
    """One parcel.  The first promise is kept for ever; the latest one beside it."""

    order_id: str
    first_promise: Promise | None = None
    latest_promise: Promise | None = None
    handed_over: Stamp | None = None
    carrier: str | None = None
    first_scan: Stamp | None = None
    latest_scan: Stamp | None = None
    delivered: Stamp | None = None


@dataclass(slots=True)
class ContactFacts:
    """One conversation that the customer began."""

    opened: Stamp | None = None
    reason: str | None = None
    order_id: str | None = None
    replied_by_agent: Stamp | None = None
    resolved: Stamp | None = None
    reopened: Stamp | None = None


@dataclass(slots=True)
class SurveyFacts:
    """One survey; the first answer counts."""

    sent: Stamp | None = None
    answered: Stamp | None = None
    score: int | None = None
    order_id: str | None = None


@dataclass(slots=True)
class Facts:
    """Everything known about one customer, by business id."""

    orders: dict[str, OrderFacts] = field(default_factory=dict)
    shipments: dict[str, ShipmentFacts] = field(default_factory=dict)
    contacts: dict[str, ContactFacts] = field(default_factory=dict)
    surveys: dict[str, SurveyFacts] = field(default_factory=dict)


def learn(facts: Facts, event: Event[Any]) -> None:
    """Add what this event says to `facts`; a type no rule needs leaves them as they are."""
    teach = _TEACHERS.get(type(event.data))
    if teach is not None:
        teach(facts, Stamp(event.time, event.source, event.id), event.data)


def forget_facts(facts: Facts, before: datetime, kept: Collection[str] = ()) -> set[str]:
    """Drop every order, parcel, contact and survey whose last news lies before; return parcels gone.

    Parcels in `kept` stay whatever their age.
    """
    for known in (facts.orders, facts.contacts, facts.surveys):
        _drop_older(known, before)
    return _drop_older(facts.shipments, before, kept)


def _drop_older(known: dict[str, Any], before: datetime, kept: Collection[str] = ()) -> set[str]:
    gone = {name for name, fact in known.items() if name not in kept and _is_older(fact, before)}
    for name in gone:
        del known[name]
    return gone


def _is_older(fact: object, before: datetime) -> bool:
    return all(stamp.at < before for stamp in _stamps(fact))


def _stamps(fact: object) -> Iterator[Stamp]:
    for slot in fields(fact):  # type: ignore[arg-type]
        value = getattr(fact, slot.name)
        if isinstance(value, Stamp):
            yield value
        elif isinstance(value, Promise):
            yield value.told
        elif isinstance(value, Basket):
            yield value.placed


def earliest(known: T | None, offered: T) -> T:
    """Return the lesser of two values of one slot; the offered one where nothing is known."""
    return offered if known is None else min(known, offered)


def latest(known: T | None, offered: T) -> T:
    """Return the greater of two values of one slot; the offered one where nothing is known."""
    return offered if known is None else max(known, offered)


def _order(facts: Facts, order_id: str) -> OrderFacts:
    return facts.orders.setdefault(order_id, OrderFacts())


def _placed(facts: Facts, stamp: Stamp, data: OrderPlaced) -> None:
    order = _order(facts, data.order_id)
    if order.basket is not None and order.basket.placed <= stamp:
        return
    order.basket = Basket(
        placed=stamp,
        lines=sum(line.quantity for line in data.lines),
        sellers=len({line.seller_id for line in data.lines}),
        total_minor=sum(line.price_minor * line.quantity for line in data.lines),
        freight_minor=data.freight_minor,
    )


def _approved(facts: Facts, stamp: Stamp, data: OrderApproved) -> None:
    order = _order(facts, data.order_id)
    order.approved = earliest(order.approved, stamp)


def _cancelled(facts: Facts, stamp: Stamp, data: OrderCancelled) -> None:
    order = _order(facts, data.order_id)
    order.cancelled = earliest(order.cancelled, stamp)


def _shipment(
    facts: Facts, shipment_id: str, order_id: str, carrier: str | None = None
) -> ShipmentFacts:
    shipment = facts.shipments.setdefault(shipment_id, ShipmentFacts(order_id))
    # Two orders for one parcel is a publisher's mistake; the least id, so that order cannot matter.
    shipment.order_id = min(shipment.order_id, order_id)
    if carrier is not None:
        shipment.carrier = earliest(shipment.carrier, carrier)
    return shipment


def _promised(facts: Facts, stamp: Stamp, data: ShipmentPromised) -> None:
    shipment = _shipment(facts, data.shipment_id, data.order_id)
    promise = Promise(stamp, data.promised_by, data.ship_by, data.carrier)
    shipment.first_promise = _first_told(shipment.first_promise, promise)
    shipment.latest_promise = _last_told(shipment.latest_promise, promise)


def _first_told(known: Promise | None, offered: Promise) -> Promise:
    return offered if known is None or offered.told < known.told else known


def _last_told(known: Promise | None, offered: Promise) -> Promise:
    return offered if known is None or offered.told > known.told else known


def _handed_over(facts: Facts, stamp: Stamp, data: ShipmentHandedOver) -> None:
    shipment = _shipment(facts, data.shipment_id, data.order_id, data.carrier)
    shipment.handed_over = earliest(shipment.handed_over, stamp)


def _scanned(facts: Facts, stamp: Stamp, data: ShipmentCheckpoint) -> None:
    shipment = _shipment(facts, data.shipment_id, data.order_id, data.carrier)
    if data.status in _SEEN_BY_CARRIER:
        shipment.first_scan = earliest(shipment.first_scan, stamp)
        shipment.latest_scan = latest(shipment.latest_scan, stamp)
    if data.status is CheckpointStatus.DELIVERED:
        shipment.delivered = earliest(shipment.delivered, stamp)


def _delivered(facts: Facts, stamp: Stamp, data: ShipmentDelivered) -> None:
    shipment = _shipment(facts, data.shipment_id, data.order_id, data.carrier)
    shipment.delivered = earliest(shipment.delivered, stamp)


def _contact(facts: Facts, contact_id: str) -> ContactFacts:
    return facts.contacts.setdefault(contact_id, ContactFacts())


def _opened(facts: Facts, stamp: Stamp, data: ContactOpened) -> None:
    contact = _contact(facts, data.contact_id)
    if contact.opened is None or stamp < contact.opened:
        contact.opened, contact.reason, contact.order_id = stamp, data.reason, data.order_id


def _replied(facts: Facts, stamp: Stamp, data: ContactReplied) -> None:
    if data.by is ReplyBy.AGENT:
        contact = _contact(facts, data.contact_id)
        contact.replied_by_agent = latest(contact.replied_by_agent, stamp)


def _resolved(facts: Facts, stamp: Stamp, data: ContactResolved) -> None:
    contact = _contact(facts, data.contact_id)
    contact.resolved = latest(contact.resolved, stamp)


def _reopened(facts: Facts, stamp: Stamp, data: ContactReopened) -> None:
    contact = _contact(facts, data.contact_id)
    contact.reopened = latest(contact.reopened, stamp)


def _survey(facts: Facts, survey_id: str, order_id: str | None) -> SurveyFacts:
    survey = facts.surveys.setdefault(survey_id, SurveyFacts())
    survey.order_id = _least_known(survey.order_id, order_id)
    return survey


def _survey_sent(facts: Facts, stamp: Stamp, data: SurveySent) -> None:
    survey = _survey(facts, data.survey_id, data.order_id)
    survey.sent = earliest(survey.sent, stamp)


def _survey_answered(facts: Facts, stamp: Stamp, data: SurveyAnswered) -> None:
    survey = _survey(facts, data.survey_id, data.order_id)
    if survey.answered is None or stamp < survey.answered:
        survey.answered, survey.score = stamp, data.score


def _least_known(known: str | None, offered: str | None) -> str | None:
    return min((name for name in (known, offered) if name is not None), default=None)


_TEACHERS: Mapping[type[Fact], Callable[[Facts, Stamp, Any], None]] = {
    OrderPlaced: _placed,
    OrderApproved: _approved,
    OrderCancelled: _cancelled,
    ShipmentPromised: _promised,
    ShipmentHandedOver: _handed_over,
    ShipmentCheckpoint: _scanned,
    ShipmentDelivered: _delivered,
    ContactOpened: _opened,
    ContactReplied: _replied,
    ContactResolved: _resolved,
    ContactReopened: _reopened,
    SurveySent: _survey_sent,
    SurveyAnswered: _survey_answered,
}
