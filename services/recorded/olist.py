"""Olist's recorded orders as the events a publisher would have told.

Conventions:

* Times are São Paulo's, without a zone in the files.  The promised date is the midnight at which
  that day begins; 24 hours later the day is over.
* One shipment per order, all carried by one carrier, because the files name none and give one
  delivery per order.  Its hand-over limit is the latest `shipping_limit_date` of its items: only
  then is the order as a whole overdue.
* The first review counts: sent at its creation date, answered at its answer time; 1 or 2 of 5 is a
  complaint.
* Category and regions come from the products, sellers and customers files, where they say so.
* Orders without items are left out: they failed, and an order event needs a line.
* Cancellations have no time in the files, so none is told; the final status is never read.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.contracts.contacts import SurveyAnswered, SurveyKind, SurveySent
from services.contracts.deliveries import ShipmentDelivered, ShipmentHandedOver, ShipmentPromised
from services.contracts.envelope import Event, Fact
from services.contracts.purchases import OrderApproved, OrderLine, OrderPlaced
from services.recorded import olist_files
from services.recorded.olist_files import Row, UnusableFiles

_Event = Event[Any]
"""Looking up the generic takes longer than filling it in."""

CARRIER = "olist-carrier"
SAO_PAULO = ZoneInfo("America/Sao_Paulo")

_SHOP = "/olist/orders"
_CARRIER = f"/carriers/{CARRIER}"
_REVIEWS = "/olist/reviews"


@dataclass(frozen=True, slots=True)
class RecordedOrder:
    """One order with all the files say about it, times in UTC."""

    order_id: str
    customer_id: str
    """`customer_unique_id`: the person, not the order's own customer row."""
    purchased_at: datetime
    approved_at: datetime | None
    handed_over_at: datetime | None
    delivered_at: datetime | None
    promised_by: datetime
    ship_by: datetime
    lines: tuple[OrderLine, ...]
    dearest_seller: str
    freight_minor: int
    origin_region: str | None
    destination_region: str | None
    review: "RecordedReview | None"

    @property
    def shipment_id(self) -> str:
        """The one shipment's id."""
        return f"{self.order_id}-s1"


@dataclass(frozen=True, slots=True)
class RecordedReview:
    """An order's first review."""

    sent_at: datetime
    answered_at: datetime | None
    """None: the file does not say when, so the answer is not told."""
    score: int


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What other files say about the rows of an order."""

    people: Mapping[str, Row]
    """The order's own customer row, by its id."""
    categories: Mapping[str, str]
    states: Mapping[str, str]
    """Of sellers."""


def read_orders(
    folder: Path, *, last: int | None = None, in_full: bool = False
) -> tuple[RecordedOrder, ...]:
    """Return orders with items by the time of purchase: the last so many, or all.

    The products and sellers files may be absent, unless they are wanted `in_full`.

    Raises:
        UnusableFiles: a file or column is missing, a value cannot be read, or no order is left.
    """
    rows = sorted(
        olist_files.read_rows(folder, olist_files.ORDERS),
        key=lambda row: (row["order_purchase_timestamp"], row["order_id"]),
    )
    items = _by_order(olist_files.read_rows(folder, olist_files.ITEMS))
    chosen = [row for row in rows if row["order_id"] in items][-last if last else None :]
    if not chosen:
        raise UnusableFiles(f"{folder} holds no order with items")
    reviews = _by_order(olist_files.read_rows(folder, olist_files.REVIEWS))
    around = _surroundings(folder, in_full=in_full)
    return tuple(
        _order(row, items[row["order_id"]], reviews.get(row["order_id"], []), around)
        for row in chosen
    )


def _surroundings(folder: Path, *, in_full: bool) -> _Surroundings:
    return _Surroundings(
        people={
            row["customer_id"]: row for row in olist_files.read_rows(folder, olist_files.CUSTOMERS)
        },
        categories=_column(folder, olist_files.PRODUCTS, in_full=in_full),
        states=_column(folder, olist_files.SELLERS, in_full=in_full),
    )


def _column(folder: Path, table: str, *, in_full: bool) -> dict[str, str]:
    """Return what a file of two columns says: the first, an id, → the second."""
    if not in_full and not olist_files.holds(folder, table):
        return {}
    key, value = olist_files.COLUMNS[table]
    return {row[key]: row[value] for row in olist_files.read_rows(folder, table)}


def _by_order(rows: Iterable[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["order_id"]].append(row)
    return dict(grouped)


def _order(
    row: Row, items: Sequence[Row], reviews: Sequence[Row], around: _Surroundings
) -> RecordedOrder:
    customer = around.people.get(row["customer_id"])
    if customer is None:
        raise UnusableFiles(
            f"order {row['order_id']}: no customer {row['customer_id']} in {olist_files.CUSTOMERS}"
        )
    try:
        return _read_order(row, items, reviews, customer, around)
    except (ValueError, InvalidOperation) as error:
        raise UnusableFiles(f"order {row['order_id']} cannot be read: {error}") from None


def _read_order(
    row: Row,
    items: Sequence[Row],
    reviews: Sequence[Row],
    customer: Row,
    around: _Surroundings,
) -> RecordedOrder:
    in_sequence = sorted(items, key=lambda item: int(item["order_item_id"]))
    dearest = max(in_sequence, key=lambda item: Decimal(item["price"]))
    return RecordedOrder(
        order_id=row["order_id"],
        customer_id=customer["customer_unique_id"],
        purchased_at=instant(row["order_purchase_timestamp"]),
        approved_at=_instant_or_none(row["order_approved_at"]),
        handed_over_at=_instant_or_none(row["order_delivered_carrier_date"]),
        delivered_at=_instant_or_none(row["order_delivered_customer_date"]),
        promised_by=instant(row["order_estimated_delivery_date"]),
        ship_by=max(instant(item["shipping_limit_date"]) for item in items),
        lines=tuple(_line(item, around.categories) for item in in_sequence),
        dearest_seller=dearest["seller_id"],
        freight_minor=sum(_minor(item["freight_value"]) for item in items),
        origin_region=_region(around.states.get(dearest["seller_id"], "")),
        destination_region=_region(customer["customer_state"]),
        review=_first_review(reviews),
    )


def _line(item: Row, categories: Mapping[str, str]) -> OrderLine:
    return OrderLine(
        product_id=item["product_id"],
        seller_id=item["seller_id"],
        category=categories.get(item["product_id"]) or None,
        price_minor=_minor(item["price"]),
    )


def _region(state: str) -> str | None:
    return f"BR-{state}" if state else None


def _first_review(rows: Sequence[Row]) -> RecordedReview | None:
    dated = [row for row in rows if row["review_creation_date"]]
    if not dated:
        return None
    first = min(dated, key=lambda r: (r["review_creation_date"], r["review_answer_timestamp"]))
    return RecordedReview(
        sent_at=instant(first["review_creation_date"]),
        answered_at=_instant_or_none(first["review_answer_timestamp"]),
        score=int(first["review_score"]),
    )


def instant(naive: str) -> datetime:
    """Return the instant of a naive São Paulo time, in UTC.

    Raises:
        ValueError: not a time.
    """
    return datetime.fromisoformat(naive).replace(tzinfo=SAO_PAULO).astimezone(UTC)


def _instant_or_none(naive: str) -> datetime | None:
    return instant(naive) if naive else None


def _minor(amount: str) -> int:
    return int((Decimal(amount) * 100).to_integral_value())


def told_about(order: RecordedOrder) -> Iterator[Event[Any]]:
    """Yield the events of one order."""
    yield _say(
        order,
        OrderPlaced(
            order_id=order.order_id,
            currency="BRL",
            lines=order.lines,
            freight_minor=order.freight_minor,
        ),
        _SHOP,
        order.purchased_at,
    )
    yield _say(order, _promise(order), _SHOP, order.purchased_at)
    ids = {"shipment_id": order.shipment_id, "order_id": order.order_id, "carrier": CARRIER}
    if order.approved_at:
        yield _say(order, OrderApproved(order_id=order.order_id), _SHOP, order.approved_at)
    if order.handed_over_at:
        yield _say(order, ShipmentHandedOver(**ids), _CARRIER, order.handed_over_at)
    if order.delivered_at:
        yield _say(order, ShipmentDelivered(**ids), _CARRIER, order.delivered_at)
    if order.review:
        yield from _review(order, order.review)


def _promise(order: RecordedOrder) -> ShipmentPromised:
    return ShipmentPromised(
        shipment_id=order.shipment_id,
        order_id=order.order_id,
        promised_by=order.promised_by,
        ship_by=order.ship_by,
        carrier=CARRIER,
        seller_id=order.dearest_seller,
        time_zone=str(SAO_PAULO),
        origin_region=order.origin_region,
        destination_region=order.destination_region,
    )


def _review(order: RecordedOrder, review: RecordedReview) -> Iterator[Event[Any]]:
    survey_id = f"{order.order_id}-review"
    sent = SurveySent(survey_id=survey_id, kind=SurveyKind.CSAT, order_id=order.order_id)
    yield _say(order, sent, _REVIEWS, review.sent_at)
    if review.answered_at is None:
        return
    answered = SurveyAnswered(
        survey_id=survey_id, kind=SurveyKind.CSAT, score=review.score, order_id=order.order_id
    )
    yield _say(order, answered, _REVIEWS, review.answered_at)


def _say(order: RecordedOrder, fact: Fact, source: str, at: datetime) -> Event[Any]:
    noun, verb = fact.TYPE.split(".")[1:3]
    return _Event(
        id=f"{order.order_id}-{noun}-{verb}",
        source=source,
        type=fact.TYPE,
        time=at,
        partitionkey=order.customer_id,
        data=fact,
    )
