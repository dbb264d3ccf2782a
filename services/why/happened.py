"""What happened outside, in words: one sentence for each type of event.  Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from services.churn_predictor.words import counted
from services.contracts import contacts, deliveries, people, purchases
from services.contracts.contacts import ContactChannel, ReplyBy
from services.contracts.deliveries import PromiseSource
from services.contracts.envelope import Event, Fact
from services.why.times import Times

Sentence = Callable[[Any, Times], str]


def happened(event: Event[Any], times: Times) -> str:
    """Return what this event tells; a type without words is named."""
    sentence = SENTENCES.get(type(event.data))
    return sentence(event.data, times) if sentence else f"an event of type {event.type}"


def plain(value: str) -> str:
    """Return a code as words: `out_for_delivery` as `out for delivery`."""
    return value.replace("_", " ")


def _placed(fact: purchases.OrderPlaced, _: Times) -> str:
    sellers = len({line.seller_id for line in fact.lines if line.seller_id is not None})
    by = f" from {counted(sellers, 'seller')}" if sellers else ""
    return f"order {fact.order_id} was placed: {counted(len(fact.lines), 'line')}{by}"


def _payment_failed(fact: purchases.PaymentFailed, _: Times) -> str:
    what = f"order {fact.order_id}" if fact.order_id else f"cart {fact.cart_id}"
    return f"a payment for {what} failed: {plain(fact.reason)}"


def _returned(fact: purchases.ReturnRequested, _: Times) -> str:
    return f"the customer wants to return something of order {fact.order_id}: {plain(fact.reason)}"


def _refund_promised(fact: purchases.RefundPromised, times: Times) -> str:
    by = times.words(fact.promised_by)
    return f"refund {fact.refund_id} for order {fact.order_id} was promised for {by}"


def _promised(fact: deliveries.ShipmentPromised, times: Times) -> str:
    parcel = f"parcel {fact.shipment_id} of order {fact.order_id}"
    parts = [f"{parcel} was promised for {times.words(fact.promised_by)}"]
    if fact.ship_by is not None:
        parts.append(f"to be handed over by {times.words(fact.ship_by)}")
    if fact.promise_source is not PromiseSource.COMPANY:
        parts.append(f"a date of the {fact.promise_source}")
    return ", ".join(parts)


def _seen(fact: deliveries.ShipmentCheckpoint, _: Times) -> str:
    code = f" ({fact.substatus})" if fact.substatus else ""
    return f"{fact.carrier} told of parcel {fact.shipment_id}: {plain(fact.status)}{code}"


def _delivered(fact: deliveries.ShipmentDelivered, _: Times) -> str:
    by = f" by {fact.carrier}" if fact.carrier else ""
    return f"parcel {fact.shipment_id} of order {fact.order_id} was delivered{by}"


_BY = {
    ContactChannel.EMAIL: "by e-mail",
    ContactChannel.SOCIAL: "on social media",
    ContactChannel.SELF_SERVICE: "by self-service",
    ContactChannel.STORE: "in a store",
}


def _opened(fact: contacts.ContactOpened, _: Times) -> str:
    by = _BY.get(fact.channel, f"by {fact.channel}")
    who = "the customer turned to us" if fact.is_by_customer else "an agent turned to the customer"
    return (
        f"{who} {by} about {_order(fact.order_id)}: {plain(fact.reason)} "
        f"(contact {fact.contact_id})"
    )


_REPLIED = {ReplyBy.CUSTOMER: "the customer", ReplyBy.AGENT: "an agent", ReplyBy.BOT: "a bot"}


def _searched(fact: contacts.HelpSearched, _: Times) -> str:
    end = "an answer" if fact.found else "nothing"
    place = plain(fact.place)
    return f"the customer searched the {place} about {_order(fact.order_id)} and found {end}"


def _order(order_id: str | None) -> str:
    return f"order {order_id}" if order_id else "no order"


SENTENCES: Mapping[type[Fact], Sentence] = {
    people.CustomerMerged: lambda f, _: (
        f"the customer turned out to be {f.into}, by which id they go on"
    ),
    people.CustomerErased: lambda f, _: (
        "the customer was to be forgotten, with everything told until then"
    ),
    purchases.CartAbandoned: lambda f, _: f"cart {f.cart_id} was given up",
    purchases.PaymentFailed: _payment_failed,
    purchases.OrderPlaced: _placed,
    purchases.OrderApproved: lambda f, _: f"payment of order {f.order_id} was accepted",
    purchases.OrderCancelled: lambda f, _: (
        f"order {f.order_id} was cancelled by the {f.cancelled_by}"
    ),
    purchases.ReturnRequested: _returned,
    purchases.RefundPromised: _refund_promised,
    purchases.RefundPaid: lambda f, _: f"refund {f.refund_id} for order {f.order_id} was paid",
    deliveries.ShipmentPromised: _promised,
    deliveries.ShipmentHandedOver: lambda f, _: (
        f"parcel {f.shipment_id} of order {f.order_id} was handed over to {f.carrier}"
    ),
    deliveries.ShipmentCheckpoint: _seen,
    deliveries.ShipmentDelivered: _delivered,
    contacts.ContactOpened: _opened,
    contacts.ContactReplied: lambda f, _: f"{_REPLIED[f.by]} replied in contact {f.contact_id}",
    contacts.ContactResolved: lambda f, _: f"contact {f.contact_id} was closed",
    contacts.ContactReopened: lambda f, _: f"the customer came back to contact {f.contact_id}",
    contacts.HelpSearched: _searched,
    contacts.SurveySent: lambda f, _: f"survey {f.survey_id} ({f.kind}) was sent",
    contacts.SurveyAnswered: lambda f, _: (
        f"survey {f.survey_id} ({f.kind}) was answered with {f.score}"
    ),
}
"""Type of fact → what it says."""
