"""Shopify's webhooks about orders as facts about purchases and parcels.

An order names its customer and holds its fulfilments and refunds; a webhook about one fulfilment
or one refund names no customer, so the topics to subscribe to are those of orders.  The topic
comes in a header that is not signed: nothing is said that the signed body does not bear out.

Sources: "Webhooks" of Shopify's Admin API, version 2026-04 (https://shopify.dev/docs/api/webhooks),
and the resources "Order", "Fulfillment" and "Refund" of its REST Admin API.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC

from services.contracts.purchases import (
    CancelledBy,
    OrderApproved,
    OrderCancelled,
    OrderPlaced,
    RefundPaid,
)
from services.ingest.adapters.findings import (
    Finding,
    Headers,
    Ignored,
    Publisher,
    Reason,
    Refused,
    customer_of,
    unmapped,
)
from services.ingest.adapters.moments import instant
from services.ingest.adapters.money import minor_units
from services.ingest.adapters.payload import at, id_at, items_at, text_at
from services.ingest.adapters.shopify_parcels import parcels_in
from services.ingest.adapters.shopify_terms import SOURCE, Options, Order

TOPIC_HEADER = "x-shopify-topic"


def findings(body: object, headers: Headers, options: Options) -> list[Finding]:
    """Return what one webhook tells."""
    topic = headers.get(TOPIC_HEADER, "")
    told = _TOLD_BY.get(topic)
    if told is None:
        return [_not_told_by(topic)]
    if at(body, "test") is True:
        return [Ignored(Reason.NOT_MAPPED, "a test order is nobody's order")]
    order = _order(body, options)
    if isinstance(order, Refused):
        return [order]
    return list(told(order)) or [
        Ignored(Reason.NOT_CONFIRMED, "the order says nothing yet of what we watch")
    ]


def _not_told_by(topic: str) -> Ignored | Refused:
    if topic.startswith(("fulfillments/", "fulfillment_events/", "refunds/")):
        detail = (
            "a webhook about a fulfilment or a refund names no customer: "
            "subscribe to orders/updated, which holds both"
        )
        return Refused(Reason.NO_CUSTOMER, detail)
    return unmapped("this topic")


def _order(body: object, options: Options) -> Order | Refused:
    order_id = id_at(body, "id")
    if order_id is None:
        return Refused(Reason.NO_ORDER, "the order has no id")
    customer = customer_of(at(body, "customer", "id"), "customer.id", options.customer_prefix)
    if isinstance(customer, Refused):
        if customer.reason is Reason.NO_CUSTOMER:
            return Refused(Reason.NO_CUSTOMER, _GUEST)
        return customer
    return Order(
        body, order_id, text_at(body, "currency") or "", Publisher(SOURCE, customer), options
    )


_GUEST = (
    "a guest's order names no customer: require accounts at the checkout, or publish such orders "
    "yourself under the id you know the customer by"
)


def _placed(order: Order) -> Iterator[Finding]:
    body = order.body
    lines = [_line(item, order.currency) for item in items_at(body, "line_items")]
    if any(line["price_minor"] is None for line in lines):
        yield Refused(Reason.NO_AMOUNT, "a line of the order has no price")
        return
    shipping = minor_units(
        at(body, "total_shipping_price_set", "shop_money", "amount"), order.currency
    )
    yield order.publisher.event(
        OrderPlaced,
        (order.id,),
        instant(at(body, "processed_at"), UTC) or instant(at(body, "created_at"), UTC),
        order_id=order.id,
        currency=order.currency,
        lines=lines,
        freight_minor=shipping or 0,
    )


def _line(item: object, currency: str) -> dict[str, object]:
    # What was made for one order alone has no product of its own.
    product = id_at(item, "product_id") or id_at(item, "variant_id")
    quantity = at(item, "quantity")
    return {
        "product_id": product or f"line-{id_at(item, 'id') or 'unnamed'}",
        "price_minor": minor_units(at(item, "price"), currency),
        "quantity": quantity if isinstance(quantity, int) else 1,
    }


def _approved(order: Order) -> Iterator[Finding]:
    if at(order.body, "financial_status") != "paid":
        return
    paid = instant(at(order.body, "updated_at"), UTC)
    yield order.publisher.event(OrderApproved, (order.id,), paid, order_id=order.id)


def _cancelled(order: Order) -> Iterator[Finding]:
    if at(order.body, "cancelled_at") is None:
        return
    by_customer = at(order.body, "cancel_reason") == "customer"
    yield order.publisher.event(
        OrderCancelled,
        (order.id,),
        instant(at(order.body, "cancelled_at"), UTC),
        order_id=order.id,
        cancelled_by=CancelledBy.CUSTOMER if by_customer else CancelledBy.COMPANY,
    )


def _refunds(order: Order) -> Iterator[Finding]:
    for refund in items_at(order.body, "refunds"):
        yield from _refund(order, refund)


def _refund(order: Order, refund: object) -> Iterator[Finding]:
    """Yield one refund once its money has left; what is pending comes again with the order."""
    paid = [item for item in items_at(refund, "transactions") if _has_left(item)]
    if not paid:
        return
    currencies = {text_at(item, "currency") or order.currency for item in paid}
    currency = currencies.pop()
    amounts = [minor_units(at(item, "amount"), currency) for item in paid]
    if currencies or None in amounts:
        yield Refused(Reason.NO_AMOUNT, "a refund has an amount that is none, or two currencies")
        return
    refund_id = id_at(refund, "id") or ""
    yield order.publisher.event(
        RefundPaid,
        (order.id, refund_id),
        instant(at(refund, "processed_at"), UTC) or instant(at(refund, "created_at"), UTC),
        refund_id=refund_id,
        order_id=order.id,
        currency=currency,
        amount_minor=sum(amount or 0 for amount in amounts),
    )


def _has_left(transaction: object) -> bool:
    return at(transaction, "kind") == "refund" and at(transaction, "status") == "success"


def _all_of(*parts: Callable[[Order], Iterator[Finding]]) -> Callable[[Order], Iterator[Finding]]:
    def told(order: Order) -> Iterator[Finding]:
        for part in parts:
            yield from part(order)

    return told


_AFTERWARDS = _all_of(_cancelled, parcels_in, _refunds)

_TOLD_BY: Mapping[str, Callable[[Order], Iterator[Finding]]] = {
    "orders/create": _placed,
    "orders/paid": _approved,
    "orders/cancelled": _cancelled,
    "orders/updated": _AFTERWARDS,
    "orders/fulfilled": _AFTERWARDS,
    "orders/partially_fulfilled": _AFTERWARDS,
}
"""What each topic tells."""

TOPICS = tuple(_TOLD_BY)
"""Those to subscribe to."""
