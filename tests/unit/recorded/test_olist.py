"""The recorded shop: conventions of the files, and what is wrong with them in one line.  Rows invented."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.contracts.events import read_strictly
from services.recorded import olist_files
from services.recorded.olist import instant, read_orders, told_about
from services.recorded.olist_files import CUSTOMERS, ITEMS, PRODUCTS, SELLERS, UnusableFiles
from tests.support.olist import order, part, review, write


def told(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(event.encode()) for order in read_orders(folder) for event in told_about(order)
    ]


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
    (line,) = one(events, "order.placed")["data"]["lines"]
    assert (line["price_minor"], line["category"]) == (5890, "p1-kind")
    assert promise["data"]["origin_region"] == "BR-RJ"
    assert promise["data"]["destination_region"] == "BR-SP"
    assert promise["data"]["time_zone"] == "America/Sao_Paulo"


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
    assert [o.order_id for o in read_orders(tmp_path, last=2)] == ["o3", "o2"]


def test_gzipped_files_are_as_good(tmp_path: Path) -> None:
    plain = told(write(tmp_path, [order(1)], [part(1)]))
    for path in list(tmp_path.glob("*.csv")):
        path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert told(tmp_path) == plain


def message(folder: Path) -> str:
    with pytest.raises(UnusableFiles) as caught:
        read_orders(folder, in_full=True)
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


def test_without_products_and_sellers_there_is_no_category_and_no_origin(tmp_path: Path) -> None:
    write(tmp_path, [order(1)], [part(1)])
    for table in (PRODUCTS, SELLERS):
        (tmp_path / f"{table}.csv").unlink()

    (read,) = read_orders(tmp_path)

    assert read.lines[0].category is None
    assert (read.origin_region, read.destination_region) == (None, "BR-SP")


def test_a_product_and_a_seller_nobody_described_are_left_undescribed(tmp_path: Path) -> None:
    write(tmp_path, [order(1)], [part(1)])
    (tmp_path / f"{PRODUCTS}.csv").write_text("product_id,product_category_name\np1,\n")
    (tmp_path / f"{SELLERS}.csv").write_text("seller_id,seller_state\nanother,SP\n")

    (read,) = read_orders(tmp_path, in_full=True)

    assert read.lines[0].category is None
    assert read.origin_region is None


def test_an_answer_without_a_time_is_not_told(tmp_path: Path) -> None:
    rows = [review(1, 1, "2018-02-14 00:00:00", ""), review(2, 1, "", "2018-02-14 00:00:00")]
    events = told(write(tmp_path, [order(1), order(2)], [part(1), part(2)], rows))

    assert one(events, "survey.sent")["data"]["order_id"] == "o1"
    assert "care.survey.answered.v1" not in {event["type"] for event in events}
