"""A tiny folder of Olist files, every row invented."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.recorded.olist_files import CUSTOMERS, ITEMS, ORDERS, PRODUCTS, REVIEWS, SELLERS

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
    """Write the files and return their folder."""
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
    tables = {
        ORDERS: orders,
        ITEMS: items,
        REVIEWS: reviews or [empty],
        CUSTOMERS: customers,
        PRODUCTS: [
            {"product_id": name, "product_category_name": f"{name}-kind"}
            for name in dict.fromkeys(item["product_id"] for item in items)
        ],
        SELLERS: [
            {"seller_id": name, "seller_state": "RJ"}
            for name in dict.fromkeys(item["seller_id"] for item in items)
        ],
    }
    for name, rows in tables.items():
        columns = [column for column in rows[0] if column not in drop]
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    return folder
