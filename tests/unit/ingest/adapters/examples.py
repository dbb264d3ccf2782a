"""Invented webhooks in the shapes that AfterShip, Shopify and Chatwoot document."""

import copy
from typing import Any

Body = dict[str, Any]


def aftership(**msg: Any) -> Body:
    """Return a tracking on its way, told once more; `msg` changes members of the tracking."""
    tracking: Body = {
        "id": "trk-7f3a",
        "tracking_number": "jd 0099 11",
        "slug": "dhl",
        "order_id": "o-77",
        "order_date": "2026-03-01T08:00:00+01:00",
        "created_at": "2026-03-01T09:00:00+00:00",
        "updated_at": "2026-03-03T10:00:00+00:00",
        "tag": "InTransit",
        "subtag": "InTransit_003",
        "custom_fields": {"customer_id": "c-1042"},
        "customers": [{"name": "Canary Person", "email": "canary@example.com"}],
        "order_promised_delivery_date": "2026-03-05",
        "latest_estimated_delivery": {
            "type": "date_range",
            "source": "Carrier EDD",
            "datetime": None,
            "datetime_min": "2026-03-05",
            "datetime_max": "2026-03-06T18:00:00+01:00",
        },
        "checkpoints": [
            checkpoint("2026-03-02T07:30:00+01:00", "InTransit", "InTransit_002"),
            checkpoint("2026-03-03T04:10:00", "InTransit", "InTransit_003"),
        ],
    }
    event_id = "5b1f6c1e-0000-4000-8000-000000000001"
    return {
        "ts": 1772532001,
        "event": "tracking_update",
        "event_id": event_id,
        "is_tracking_first_tag": False,
        "msg": {**tracking, **msg},
    }


def checkpoint(time: str, tag: str, subtag: str | None, **more: Any) -> Body:
    """Return one scan."""
    return {
        "slug": "dhl",
        "checkpoint_time": time,
        "created_at": "2026-03-03T09:00:00+00:00",
        "tag": tag,
        "subtag": subtag,
        "message": "canary scan text",
        "city": "Canary Town",
        **more,
    }


def shopify(**order: Any) -> Body:
    """Return an order of two lines, paid and not yet sent."""
    body: Body = {
        "id": 5500011,
        "admin_graphql_api_id": "gid://shopify/Order/5500011",
        "name": "#2001",
        "email": "canary@example.com",
        "test": False,
        "currency": "EUR",
        "created_at": "2026-03-01T10:00:00+01:00",
        "processed_at": "2026-03-01T09:59:00+01:00",
        "updated_at": "2026-03-01T10:05:00+01:00",
        "cancelled_at": None,
        "cancel_reason": None,
        "financial_status": "paid",
        "customer": {"id": 880042, "email": "canary@example.com", "first_name": "Canary"},
        "note_attributes": [{"name": "delivery_date", "value": "2026-03-06"}],
        "total_shipping_price_set": {"shop_money": {"amount": "4.90", "currency_code": "EUR"}},
        "line_items": [
            {"id": 1, "product_id": 71, "variant_id": 711, "quantity": 2, "price": "19.95"},
            {"id": 2, "product_id": None, "variant_id": None, "quantity": 1, "price": "5.00"},
        ],
        "fulfillments": [],
        "refunds": [],
    }
    return {**body, **order}


def fulfillment(**more: Any) -> Body:
    """Return one parcel of an order."""
    body: Body = {
        "id": 9901,
        "order_id": 5500011,
        "status": "success",
        "created_at": "2026-03-02T10:00:00+01:00",
        "updated_at": "2026-03-03T10:00:00+01:00",
        "tracking_company": "DHL Express",
        "tracking_number": "jd 0099 11",
        "tracking_numbers": ["jd 0099 11"],
        "shipment_status": "in_transit",
    }
    return {**body, **more}


def refund(*amounts: str, **more: Any) -> Body:
    """Return one refund, paid in so many parts."""
    transactions = [
        {"id": n, "kind": "refund", "status": "success", "amount": amount, "currency": "EUR"}
        for n, amount in enumerate(amounts)
    ]
    processed = "2026-03-09T10:00:00+01:00"
    return {"id": 3301, "processed_at": processed, "transactions": transactions, **more}


def conversation(**more: Any) -> Body:
    """Return a conversation that a customer began on the web site."""
    body: Body = {
        "id": 812,
        "inbox_id": 3,
        "channel": "Channel::WebWidget",
        "status": "open",
        "labels": [],
        "custom_attributes": {"order_id": "o-77"},
        "meta": {
            "sender": {
                "id": 55,
                "type": "contact",
                "identifier": "c-1042",
                "email": "canary@example.com",
                "name": "Canary Person",
                "custom_attributes": {"shop_id": "s-9"},
            },
            "assignee": None,
        },
        "messages": [
            {"id": 1, "message_type": 0, "content": "canary text", "created_at": 1772532000}
        ],
        "created_at": 1772532000,
        "timestamp": 1772535600,
        "last_activity_at": 1772535600,
        "updated_at": 1772535601.25,
    }
    return {**body, **more}


def talk(event: str = "conversation_created", **more: Any) -> Body:
    """Return a webhook about a conversation."""
    return {"event": event, **conversation(**more)}


def message(event: str = "message_created", **more: Any) -> Body:
    """Return a webhook about a message that a customer wrote."""
    body: Body = {
        "event": event,
        "id": 4001,
        "content": "canary text",
        "content_type": "text",
        "content_attributes": {},
        "additional_attributes": {},
        "message_type": "incoming",
        "private": False,
        "created_at": "2026-03-03T11:00:00.000Z",
        "sender": {"id": 55, "type": "contact", "name": "Canary Person"},
        "account": {"id": 1, "name": "Shop"},
        "conversation": conversation(),
    }
    return copy.deepcopy({**body, **more})
