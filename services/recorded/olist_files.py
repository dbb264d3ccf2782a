"""Reads the Olist files, plain or gzipped, and says in one line what is wrong with them."""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

ORDERS = "olist_orders_dataset"
ITEMS = "olist_order_items_dataset"
REVIEWS = "olist_order_reviews_dataset"
CUSTOMERS = "olist_customers_dataset"
PRODUCTS = "olist_products_dataset"
SELLERS = "olist_sellers_dataset"

# `order_status` is not among them: it is the status at the end, known to nobody at the time.
COLUMNS = {
    ORDERS: (
        "order_id",
        "customer_id",
        "order_purchase_timestamp",
        "order_approved_at",
        "order_delivered_carrier_date",
        "order_delivered_customer_date",
        "order_estimated_delivery_date",
    ),
    ITEMS: (
        "order_id",
        "order_item_id",
        "product_id",
        "seller_id",
        "shipping_limit_date",
        "price",
        "freight_value",
    ),
    REVIEWS: ("order_id", "review_score", "review_creation_date", "review_answer_timestamp"),
    CUSTOMERS: ("customer_id", "customer_unique_id", "customer_state"),
    PRODUCTS: ("product_id", "product_category_name"),
    SELLERS: ("seller_id", "seller_state"),
}

Row = dict[str, str]


class UnusableFiles(Exception):
    """The folder is not what it should be; the message is one line and says what to do."""


def read_rows(folder: Path, table: str) -> Iterator[Row]:
    """Yield the rows of one file, only the columns named in `COLUMNS`.

    Raises:
        UnusableFiles: folder, file or a column is missing, or the file cannot be read.
    """
    path = _find(folder, table)
    wanted = COLUMNS[table]
    try:
        with _open(path) as lines:
            rows = csv.DictReader(lines)
            _check_columns(path, rows.fieldnames or (), wanted)
            for row in rows:
                yield {column: row[column] or "" for column in wanted}
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise UnusableFiles(f"{path} cannot be read: {error}") from error


def holds(folder: Path, table: str) -> bool:
    """Return whether this folder has the file."""
    return any(path.is_file() for path in _places(folder, table))


def _places(folder: Path, table: str) -> tuple[Path, ...]:
    return folder / f"{table}.csv", folder / f"{table}.csv.gz"


def _find(folder: Path, table: str) -> Path:
    if not folder.is_dir():
        raise UnusableFiles(
            f"{folder} is not a folder: give the one that holds the Olist files (OLIST=…)"
        )
    for path in _places(folder, table):
        if path.is_file():
            return path
    raise UnusableFiles(f"{folder} holds neither {table}.csv nor {table}.csv.gz: copy it there")


def _open(path: Path) -> TextIO:
    # The published files begin with a byte order mark in some copies.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _check_columns(path: Path, found: object, wanted: tuple[str, ...]) -> None:
    names = tuple(found) if isinstance(found, list | tuple) else ()
    missing = [column for column in wanted if column not in names]
    if missing:
        raise UnusableFiles(
            f"{path} lacks the column {missing[0]}: is it the Olist file of that name?"
        )
