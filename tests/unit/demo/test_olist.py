"""The recorded shop: conventions of the files, and what is wrong with them in one line.  Rows invented."""

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.contracts.events import read_strictly
from services.demo import olist_files
from services.demo.olist import RecordedShop, instant, read_window
from services.demo.olist_files import CUSTOMERS, ITEMS, ORDERS, REVIEWS, UnusableFiles

Rows = list[dict[str, str]]


def order(number: int, day: int = 5, **changes: str) -> dict[str, str]:
    row = {
        "order_id": f"o{number}",
        "customer_id": f"row{number}",
        "order_status": "delivered",
        "order_purchase_timestamp": f"2018-02-{day:02d} 10:00:00",
        "order_approved_at": f"2018-02-{day:02d} 10:30:00",
        "order_delivered_carrier_date": f"2018-02-{day + 2:02d} 15:00:00",
        "order_delivered_customer_date": f"2018-02-{day + 9:02d} 18:00:00",
        "order_estimated_delivery_date": f"2018-02-{day + 7:02d} 00:00:00",
    }
    return row | changes


def part(number: int, item: int = 1, **changes: str) -> dict[str, str]:
    row = {
        "order_id": f"o{number}",
        "order_item_id": str(item),
        "product_id": f"p{item}",
        "seller_id": f"s{item}",
        "shipping_limit_date": f"2018-02-{8 + item:02d} 10:00:00",
        "price": "58.9",
        "freight_value": "13.29",
    }
    return row | changes


def review(number: int, score: int, created: str, answered: str) -> dict[str, str]:
    return {
        "review_id": f"r{number}",
        "order_id": f"o{number}",
        "review_score": str(score),
        "review_creation_date": created,
        "review_answer_timestamp": answered,
    }


def write(
    folder: Path,
    orders: Rows,
    items: Rows,
    reviews: Rows | None = None,
    *,
    people: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
) -> Path:
    empty = review(0, 5, "2018-01-01 00:00:00", "2018-01-02 00:00:00")
    customers = [
        {
            "customer_id": row["customer_id"],
            "customer_unique_id": (people or {}).get(
                row["customer_id"], row["order_id"] + "-person"
            ),
            "customer_state": "SP",
        }
        for row in orders
    ]
    tables = {ORDERS: orders, ITEMS: items, REVIEWS: reviews or [empty], CUSTOMERS: customers}
    for name, rows in tables.items():
        columns = [column for column in rows[0] if column not in drop]
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def told(folder: Path, orders: int = 100) -> list[dict[str, Any]]:
    shop = RecordedShop(read_window(folder, orders))
    return [json.loads(p.body) for p in shop.advance(shop.end, []).publications]


def one(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [e for e in events if e["type"] == f"care.{name}.v1"]
    return found


def test_times_are_sao_paulos_in_summer_and_winter() -> None:
    assert instant("2018-02-05 10:00:00") == datetime(2018, 2, 5, 12, tzinfo=UTC)
    assert instant("2018-02-28 10:00:00") == datetime(2018, 2, 28, 13, tzinfo=UTC)


def test_a_whole_order_is_told(tmp_path: Path) -> None:
    bad = review(1, 1, "2018-02-14 00:00:00", "2018-02-15 09:00:00")
    events = told(write(tmp_path, [order(1)], [part(1)], [bad]))
    for event in events:
        read_strictly(event)
    promise = one(events, "shipment.promised")
    assert promise["data"]["promised_by"] == "2018-02-12T02:00:00Z"
    assert promise["time"] == "2018-02-05T12:00:00Z"
    assert one(events, "shipment.delivered")["time"] == "2018-02-14T20:00:00Z"
    assert one(events, "survey.sent")["time"] == "2018-02-14T02:00:00Z"
    answered = one(events, "survey.answered")
    assert (answered["time"], answered["data"]["score"]) == ("2018-02-15T11:00:00Z", 1)
    assert one(events, "order.placed")["data"]["lines"][0]["price_minor"] == 5890


def test_the_final_status_is_no_part_of_anything(tmp_path: Path) -> None:
    honest = told(write(tmp_path, [order(1, order_status="delivered")], [part(1)]))
    leaky = told(write(tmp_path, [order(1, order_status="canceled")], [part(1)]))
    assert honest == leaky


def test_the_hand_over_limit_is_the_latest_of_the_items(tmp_path: Path) -> None:
    events = told(write(tmp_path, [order(1)], [part(1, 1), part(1, 3), part(1, 2)]))
    assert one(events, "shipment.promised")["data"]["ship_by"] == "2018-02-11T12:00:00Z"


def test_the_first_review_counts(tmp_path: Path) -> None:
    rows = [
        review(1, 5, "2018-02-20 00:00:00", "2018-02-21 00:00:00"),
        review(1, 2, "2018-02-14 00:00:00", "2018-02-16 00:00:00"),
    ]
    events = told(write(tmp_path, [order(1)], [part(1)], rows))
    assert one(events, "survey.answered")["data"]["score"] == 2


def test_an_order_that_never_came_has_no_delivery(tmp_path: Path) -> None:
    events = told(write(tmp_path, [order(1, order_delivered_customer_date="")], [part(1)]))
    assert "care.shipment.delivered.v1" not in {e["type"] for e in events}


def test_the_window_is_the_last_orders_with_items(tmp_path: Path) -> None:
    orders = [order(1, day=3), order(2, day=5), order(3, day=4), order(4, day=6)]
    write(tmp_path, orders, [part(1), part(2), part(3)])
    assert [o.order_id for o in read_window(tmp_path, 2)] == ["o3", "o2"]


def test_a_person_who_buys_twice_is_one_customer_with_one_address(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        [order(1), order(2, day=6)],
        [part(1), part(2)],
        people={"row1": "person", "row2": "person"},
    )
    events = told(folder)
    assert {e["partitionkey"] for e in events} == {"person"}
    assert one(events, "customer.updated")["data"]["email"] == "person@olist.example"
    assert one(events, "customer.updated")["time"] == "2018-02-05T12:00:00Z"


def test_gzipped_files_are_as_good(tmp_path: Path) -> None:
    plain = told(write(tmp_path, [order(1)], [part(1)]))
    for path in list(tmp_path.glob("*.csv")):
        path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert told(tmp_path) == plain


def test_the_recorded_shop_begins_on_the_hour_and_ends_after_its_last_event(tmp_path: Path) -> None:
    shop = RecordedShop(read_window(write(tmp_path, [order(1)], [part(1)]), 10))
    assert shop.start == datetime(2018, 2, 5, 12, tzinfo=UTC) == shop.next_at()
    shop.advance(shop.end, [])
    assert shop.next_at() is None
    assert shop.end == datetime(2018, 2, 14, 20, tzinfo=UTC) + timedelta(hours=1)


def message(folder: Path) -> str:
    with pytest.raises(UnusableFiles) as caught:
        read_window(folder, 10)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_missing_folder_is_said_in_one_line(tmp_path: Path) -> None:
    assert "is not a folder" in message(tmp_path / "nowhere")


@pytest.mark.parametrize("table", sorted(olist_files.COLUMNS))
def test_a_missing_file_is_named(tmp_path: Path, table: str) -> None:
    write(tmp_path, [order(1)], [part(1)])
    (tmp_path / f"{table}.csv").unlink()
    assert f"neither {table}.csv nor {table}.csv.gz" in message(tmp_path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    write(tmp_path, [order(1)], [part(1)], drop=["shipping_limit_date"])
    assert "lacks the column shipping_limit_date" in message(tmp_path)


def test_a_file_that_is_no_gzip_is_named(tmp_path: Path) -> None:
    write(tmp_path, [order(1)], [part(1)])
    (tmp_path / f"{ITEMS}.csv").rename(tmp_path / f"{ITEMS}.csv.gz")
    assert f"{ITEMS}.csv.gz cannot be read" in message(tmp_path)


def test_a_time_that_is_none_names_its_order(tmp_path: Path) -> None:
    write(tmp_path, [order(1, order_estimated_delivery_date="soon")], [part(1)])
    assert "order o1 cannot be read" in message(tmp_path)


def test_a_price_that_is_none_names_its_order(tmp_path: Path) -> None:
    write(tmp_path, [order(1)], [part(1, price="cheap")])
    assert "order o1 cannot be read" in message(tmp_path)


def test_an_order_of_nobody_is_named(tmp_path: Path) -> None:
    write(tmp_path, [order(1), order(2)], [part(1), part(2)])
    path = tmp_path / f"{CUSTOMERS}.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    assert "order o2: no customer row2" in message(tmp_path)


def test_a_shop_without_any_items_is_no_shop(tmp_path: Path) -> None:
    write(tmp_path, [order(1)], [part(9)])
    assert "no order with items" in message(tmp_path)
