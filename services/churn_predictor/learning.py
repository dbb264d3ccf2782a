"""What each event adds to the facts.

Learning is idempotent and commutative: late, repeated and shuffled events end in the same facts.
"""

from bisect import insort
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from services.churn_predictor.facts import (
    NO_ORDER,
    TURNS_KEPT,
    Basket,
    CarrierTold,
    CartFacts,
    ContactFacts,
    Facts,
    OrderFacts,
    Promise,
    RefundFacts,
    RefundPromise,
    SearchFacts,
    ShipmentFacts,
    Sighting,
    Stamp,
    SurveyFacts,
    Turn,
    TurnKind,
    ZoneTold,
)
from services.contracts.contacts import (
    ContactOpened,
    ContactReopened,
    ContactReplied,
    ContactResolved,
    HelpSearched,
    OpenedBy,
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
from services.contracts.purchases import (
    CartAbandoned,
    OrderApproved,
    OrderCancelled,
    OrderPlaced,
    PaymentFailed,
    RefundPaid,
    RefundPromised,
)

IN_HAND = frozenset(
    {
        CheckpointStatus.IN_TRANSIT,
        CheckpointStatus.OUT_FOR_DELIVERY,
        CheckpointStatus.ATTEMPT_FAIL,
        CheckpointStatus.AVAILABLE_FOR_PICKUP,
        CheckpointStatus.DELIVERED,
        CheckpointStatus.EXCEPTION,
    }
)
"""Checkpoints that show that the carrier had the parcel."""

FAILURES_KEPT = 8
"""Of the payments that failed for one order: more say nothing more."""
ESTIMATES_KEPT = 8
"""Of the dates that a shipment was given after the first."""


class _Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


T = TypeVar("T", bound=_Ordered)


def learn(facts: Facts, event: Event[Any]) -> None:
    """Add what this event says to `facts`; a type no rule needs leaves them as they are."""
    teach = _TEACHERS.get(type(event.data))
    if teach is not None:
        teach(facts, Stamp(event.time, event.source, event.id), event.data)


def earliest(known: T | None, offered: T) -> T:
    """Return the lesser of two values of one slot; the offered one where nothing is known."""
    return offered if known is None else min(known, offered)


def latest(known: T | None, offered: T) -> T:
    """Return the greater of two values of one slot; the offered one where nothing is known."""
    return offered if known is None else max(known, offered)


def _least_known(known: str | None, offered: str | None) -> str | None:
    return min((name for name in (known, offered) if name is not None), default=None)


def _add(known: list[T], offered: T) -> None:
    if offered not in known:
        insort(known, offered)


def _order(facts: Facts, order_id: str) -> OrderFacts:
    return facts.orders.setdefault(order_id, OrderFacts())


def _placed(facts: Facts, stamp: Stamp, data: OrderPlaced) -> None:
    order = _order(facts, data.order_id)
    if order.basket is not None and order.basket.placed <= stamp:
        return
    dearest = max(data.lines, key=lambda line: line.price_minor)
    order.basket = Basket(
        placed=stamp,
        lines=sum(line.quantity for line in data.lines),
        sellers=len({line.seller_id for line in data.lines}),
        total_minor=sum(line.price_minor * line.quantity for line in data.lines),
        freight_minor=data.freight_minor,
        product_id=dearest.product_id,
        seller_id=dearest.seller_id,
        category=dearest.category,
    )


def _approved(facts: Facts, stamp: Stamp, data: OrderApproved) -> None:
    order = _order(facts, data.order_id)
    order.approved = earliest(order.approved, stamp)


def _cancelled(facts: Facts, stamp: Stamp, data: OrderCancelled) -> None:
    order = _order(facts, data.order_id)
    order.cancelled = earliest(order.cancelled, stamp)


def _payment_failed(facts: Facts, stamp: Stamp, data: PaymentFailed) -> None:
    if data.order_id is not None:
        failures = _order(facts, data.order_id).failures
    elif data.cart_id is not None:
        failures = facts.carts.setdefault(data.cart_id, CartFacts()).failures
    else:
        return
    _add(failures, stamp)
    del failures[FAILURES_KEPT:]


def _cart_abandoned(facts: Facts, stamp: Stamp, data: CartAbandoned) -> None:
    cart = facts.carts.setdefault(data.cart_id, CartFacts())
    cart.abandoned = earliest(cart.abandoned, stamp)


def _shipment(facts: Facts, shipment_id: str, order_id: str) -> ShipmentFacts:
    shipment = facts.shipments.setdefault(shipment_id, ShipmentFacts(order_id))
    # Two orders for one parcel is a publisher's mistake; the least id, so that order cannot matter.
    shipment.order_id = min(shipment.order_id, order_id)
    return shipment


def _carried(
    facts: Facts, stamp: Stamp, data: ShipmentHandedOver | ShipmentCheckpoint | ShipmentDelivered
) -> ShipmentFacts:
    shipment = _shipment(facts, data.shipment_id, data.order_id)
    last = shipment.carrier_told
    if data.carrier is not None and (last is None or stamp > last.told):
        shipment.carrier_told = CarrierTold(stamp, data.carrier)
    return shipment


def _promised(facts: Facts, stamp: Stamp, data: ShipmentPromised) -> None:
    shipment = _shipment(facts, data.shipment_id, data.order_id)
    promise = Promise(
        told=stamp,
        promised_by=data.promised_by,
        ship_by=data.ship_by,
        carrier=data.carrier,
        origin_region=data.origin_region,
        destination_region=data.destination_region,
        seller_id=data.seller_id,
    )
    last = shipment.latest_promise
    _estimated(shipment, promise)
    if last is None or stamp > last.told:
        shipment.latest_promise = promise
    if data.time_zone is not None:
        _zone_told(shipment, ZoneTold(stamp, data.time_zone))


def _estimated(shipment: ShipmentFacts, promise: Promise) -> None:
    first = shipment.first_promise
    known = [promise, *shipment.estimates, *(() if first is None else (first,))]
    by_stamp = {each.told: each for each in known}
    shipment.first_promise, *others = (by_stamp[told] for told in sorted(by_stamp))
    shipment.estimates = others[:ESTIMATES_KEPT]


def _zone_told(shipment: ShipmentFacts, zone: ZoneTold) -> None:
    first, last = shipment.first_zone, shipment.last_zone
    if first is None or zone.told < first.told:
        shipment.first_zone = zone
    if last is None or zone.told > last.told:
        shipment.last_zone = zone


def _handed_over(facts: Facts, stamp: Stamp, data: ShipmentHandedOver) -> None:
    shipment = _carried(facts, stamp, data)
    shipment.handed_over = earliest(shipment.handed_over, stamp)


def _scanned(facts: Facts, stamp: Stamp, data: ShipmentCheckpoint) -> None:
    shipment = _carried(facts, stamp, data)
    if data.status in IN_HAND:
        name = data.status.value if data.substatus is None else f"{data.status}/{data.substatus}"
        seen = shipment.scans.get(name, Sighting(stamp, stamp))
        shipment.scans[name] = Sighting(min(seen.first, stamp), max(seen.last, stamp))
    if data.status is CheckpointStatus.DELIVERED:
        shipment.delivered = earliest(shipment.delivered, stamp)


def _delivered(facts: Facts, stamp: Stamp, data: ShipmentDelivered) -> None:
    shipment = _carried(facts, stamp, data)
    shipment.delivered = earliest(shipment.delivered, stamp)


def _contact(facts: Facts, contact_id: str) -> ContactFacts:
    return facts.contacts.setdefault(contact_id, ContactFacts())


def _takes_turn(contact: ContactFacts, stamp: Stamp, kind: TurnKind) -> None:
    _add(contact.turns, Turn(stamp, kind))
    del contact.turns[TURNS_KEPT:]


def _opened(facts: Facts, stamp: Stamp, data: ContactOpened) -> None:
    contact = _contact(facts, data.contact_id)
    if contact.opened is None or stamp < contact.opened:
        contact.opened, contact.reason, contact.order_id = stamp, data.reason, data.order_id
        contact.opened_by = None if data.is_by_customer else OpenedBy.AGENT
    if data.is_by_customer:
        _waits(contact, stamp, TurnKind.OPENED)


def _replied(facts: Facts, stamp: Stamp, data: ContactReplied) -> None:
    if data.by is ReplyBy.AGENT:
        contact = _contact(facts, data.contact_id)
        contact.replied_by_agent = latest(contact.replied_by_agent, stamp)
        _is_answered(contact, stamp, TurnKind.REPLIED_BY_AGENT)
    elif data.by is ReplyBy.CUSTOMER:
        _waits(_contact(facts, data.contact_id), stamp, TurnKind.REPLIED_BY_CUSTOMER)


def _resolved(facts: Facts, stamp: Stamp, data: ContactResolved) -> None:
    contact = _contact(facts, data.contact_id)
    contact.resolved = latest(contact.resolved, stamp)
    _is_answered(contact, stamp, TurnKind.RESOLVED)


def _reopened(facts: Facts, stamp: Stamp, data: ContactReopened) -> None:
    contact = _contact(facts, data.contact_id)
    contact.reopened = latest(contact.reopened, stamp)
    _waits(contact, stamp, TurnKind.REOPENED)


def _waits(contact: ContactFacts, word: Stamp, kind: TurnKind) -> None:
    _takes_turn(contact, word, kind)
    if contact.answered is None or word > contact.answered:
        _add(contact.waiting, word)


def _is_answered(contact: ContactFacts, stamp: Stamp, kind: TurnKind) -> None:
    _takes_turn(contact, stamp, kind)
    answered = contact.answered
    if answered is not None:
        contact.waiting = [word for word in contact.waiting if word > answered]


def _searched(facts: Facts, stamp: Stamp, data: HelpSearched) -> None:
    search = facts.searches.setdefault(data.order_id or NO_ORDER, SearchFacts())
    if data.found:
        found = search.found = latest(search.found, stamp)
        search.unfound = [each for each in search.unfound if each > found]
    elif search.found is None or stamp > search.found:
        _add(search.unfound, stamp)


def _survey(facts: Facts, data: SurveySent | SurveyAnswered) -> SurveyFacts:
    survey = facts.surveys.setdefault(data.survey_id, SurveyFacts())
    survey.order_id = _least_known(survey.order_id, data.order_id)
    survey.contact_id = _least_known(survey.contact_id, data.contact_id)
    return survey


def _survey_sent(facts: Facts, stamp: Stamp, data: SurveySent) -> None:
    survey = _survey(facts, data)
    survey.sent = earliest(survey.sent, stamp)
    if survey.answered is None:
        survey.kind = earliest(survey.kind, data.kind)


def _survey_answered(facts: Facts, stamp: Stamp, data: SurveyAnswered) -> None:
    survey = _survey(facts, data)
    if survey.answered is None or stamp < survey.answered:
        survey.answered, survey.score, survey.kind = stamp, data.score, data.kind


def _refund(facts: Facts, refund_id: str, order_id: str) -> RefundFacts:
    refund = facts.refunds.setdefault(refund_id, RefundFacts(order_id))
    refund.order_id = min(refund.order_id, order_id)
    return refund


def _refund_promised(facts: Facts, stamp: Stamp, data: RefundPromised) -> None:
    refund = _refund(facts, data.refund_id, data.order_id)
    if refund.promised is None or stamp < refund.promised.told:
        refund.promised = RefundPromise(stamp, data.promised_by)


def _refund_paid(facts: Facts, stamp: Stamp, data: RefundPaid) -> None:
    refund = _refund(facts, data.refund_id, data.order_id)
    refund.paid = earliest(refund.paid, stamp)


_TEACHERS: Mapping[type[Fact], Callable[[Facts, Stamp, Any], None]] = {
    OrderPlaced: _placed,
    OrderApproved: _approved,
    OrderCancelled: _cancelled,
    PaymentFailed: _payment_failed,
    CartAbandoned: _cart_abandoned,
    ShipmentPromised: _promised,
    ShipmentHandedOver: _handed_over,
    ShipmentCheckpoint: _scanned,
    ShipmentDelivered: _delivered,
    ContactOpened: _opened,
    ContactReplied: _replied,
    ContactResolved: _resolved,
    ContactReopened: _reopened,
    HelpSearched: _searched,
    SurveySent: _survey_sent,
    SurveyAnswered: _survey_answered,
    RefundPromised: _refund_promised,
    RefundPaid: _refund_paid,
}
