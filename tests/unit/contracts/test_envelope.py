"""The envelope: what it keeps, what it leaves out, and binary mode."""

import json
from datetime import UTC, datetime

import pytest

from services.contracts.envelope import Event, compose, split_extensions
from services.contracts.events import read
from services.contracts.purchases import OrderApproved

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
APPROVED = Event[OrderApproved](
    id="1",
    source="/shop",
    type=OrderApproved.TYPE,
    time=NOON,
    partitionkey="c-1",
    data=OrderApproved(order_id="o-1"),
)


def test_the_customer_is_the_partition_key() -> None:
    assert APPROVED.customer_id == "c-1"


def test_what_is_not_set_is_not_written() -> None:
    assert json.loads(APPROVED.encode()) == {
        "specversion": "1.0",
        "id": "1",
        "source": "/shop",
        "type": "care.order.approved.v1",
        "time": "2026-03-02T12:00:00Z",
        "partitionkey": "c-1",
        "datacontenttype": "application/json",
        "data": {"order_id": "o-1"},
    }


def test_times_are_kept_in_utc_whatever_zone_they_came_in() -> None:
    raw = APPROVED.encode().replace(b"12:00:00Z", b"14:00:00+02:00")

    assert read(raw).time == NOON
    assert read(raw) == APPROVED


def test_binary_mode_is_the_same_event() -> None:
    attributes = json.loads(APPROVED.encode())
    body = json.dumps(attributes.pop("data")).encode()

    assert read(compose(attributes, body)) == APPROVED


@pytest.mark.parametrize("body", [b"", b"{", b"order o-1"])
def test_a_binary_body_that_is_not_json_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="line 1"):
        compose({"id": "1"}, body)


def test_attributes_are_told_from_extensions() -> None:
    known, extensions = split_extensions({"id": "1", "tenant": "acme", "Tenant": "x", "data": {}})

    assert known == {"id": "1", "Tenant": "x", "data": {}}
    assert extensions == {"tenant": "acme"}
