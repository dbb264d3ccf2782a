"""More events to vary: payments, carts, refunds, conversations, searches, surveys."""

from datetime import datetime
from typing import Any

from services.contracts.contacts import (
    ContactReopened,
    ContactReplied,
    ContactResolved,
    HelpPlace,
    HelpSearched,
    ReplyBy,
    SurveyAnswered,
    SurveyKind,
)
from services.contracts.deliveries import CheckpointStatus, ShipmentCheckpoint, ShipmentPromised
from services.contracts.envelope import Event
from services.contracts.purchases import (
    CartAbandoned,
    OrderApproved,
    OrderLine,
    PaymentFailed,
    PaymentFailure,
    RefundPaid,
    RefundPromised,
)
from tests.factories import event

MONEY = {"currency": "EUR", "amount_minor": 1000}


def approved(order: str = "o-1", **envelope: Any) -> Event[Any]:
    return event(OrderApproved(order_id=order), **envelope)


def payment_failed(
    order: str | None = "o-1", cart: str | None = None, **envelope: Any
) -> Event[Any]:
    data = PaymentFailed(
        payment_id="p-1", reason=PaymentFailure.DECLINED, order_id=order, cart_id=cart
    )
    return event(data, **envelope)


def abandoned(cart: str = "cart-1", **envelope: Any) -> Event[Any]:
    line = OrderLine(product_id="p-0", price_minor=1000)
    return event(CartAbandoned(cart_id=cart, currency="EUR", lines=(line,)), **envelope)


def refund_promised(by: datetime, refund: str = "r-1", **envelope: Any) -> Event[Any]:
    data = RefundPromised(refund_id=refund, order_id="o-1", promised_by=by, **MONEY)
    return event(data, **envelope)


def refund_paid(refund: str = "r-1", **envelope: Any) -> Event[Any]:
    return event(RefundPaid(refund_id=refund, order_id="o-1", **MONEY), **envelope)


def replied(contact: str = "k-1", by: ReplyBy = ReplyBy.AGENT, **envelope: Any) -> Event[Any]:
    return event(ContactReplied(contact_id=contact, by=by), **envelope)


def resolved(contact: str = "k-1", **envelope: Any) -> Event[Any]:
    return event(ContactResolved(contact_id=contact), **envelope)


def reopened(contact: str = "k-1", **envelope: Any) -> Event[Any]:
    return event(ContactReopened(contact_id=contact), **envelope)


def searched(order: str | None = None, found: bool = False, **envelope: Any) -> Event[Any]:
    data = HelpSearched(search_id="q-1", place=HelpPlace.FAQ, found=found, order_id=order)
    return event(data, **envelope)


def answered(
    score: int,
    survey: str = "v-1",
    kind: SurveyKind = SurveyKind.CSAT,
    order: str | None = "o-1",
    **envelope: Any,
) -> Event[Any]:
    data = SurveyAnswered(survey_id=survey, kind=kind, score=score, order_id=order)
    return event(data, **envelope)


def seen(
    status: CheckpointStatus, substatus: str | None = None, shipment: str = "sh-1", **envelope: Any
) -> Event[Any]:
    data = ShipmentCheckpoint(
        shipment_id=shipment, order_id="o-1", carrier="dhl", status=status, substatus=substatus
    )
    return event(data, **envelope)


def promised_to(zone: str, by: datetime, **envelope: Any) -> Event[Any]:
    data = ShipmentPromised(shipment_id="sh-1", order_id="o-1", promised_by=by, time_zone=zone)
    return event(data, **envelope)
