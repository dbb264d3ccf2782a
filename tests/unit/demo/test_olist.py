"""The recorded shop as it is played.  Rows invented."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.contracts.events import read_strictly
from services.demo.olist import RecordedShop
from services.recorded.olist import read_orders
from tests.support.olist import order, part, write


def played(folder: Path) -> list[dict[str, Any]]:
    shop = RecordedShop(read_orders(folder))
    publications = shop.advance(shop.end, []).publications
    events = [json.loads(each.body) for each in publications]
    for event in events:
        read_strictly(event)
    return events


def one(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [e for e in events if e["type"] == f"care.{name}.v1"]
    return found


def test_a_person_who_buys_twice_is_one_customer_with_one_address(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        [order(1), order(2, day=6)],
        [part(1), part(2)],
        people={"row1": "person", "row2": "person"},
    )
    events = played(folder)
    assert {e["partitionkey"] for e in events} == {"person"}
    assert one(events, "customer.updated")["data"]["email"] == "person@olist.example"
    assert one(events, "customer.updated")["time"] == "2018-02-05T12:00:00Z"


def test_the_recorded_shop_begins_on_the_hour_and_ends_after_its_last_event(tmp_path: Path) -> None:
    shop = RecordedShop(read_orders(write(tmp_path, [order(1)], [part(1)])))
    assert shop.start == datetime(2018, 2, 5, 12, tzinfo=UTC) == shop.next_at()
    shop.advance(shop.end, [])
    assert shop.next_at() is None
    assert shop.end == datetime(2018, 2, 14, 20, tzinfo=UTC) + timedelta(hours=1)
