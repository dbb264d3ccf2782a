"""The recorded shop: a contiguous window of Olist's orders as events.  Pure, given the rows.

What is recorded: purchase, approval, hand-over, delivery, the promised date, items, and the first
review.  What is invented: every mail address, name and consent.  Conventions:

* Times are São Paulo's, without a zone in the files.  The promised date is the midnight at which
  that day begins; 24 hours later the day is over.
* One shipment per order, all carried by one carrier, because the files name none and give one
  delivery per order.  Its hand-over limit is the latest `shipping_limit_date` of its items: only
  then is the order as a whole overdue.
* The first review counts: sent at its creation date, answered at its answer time; 1 or 2 of 5 is a
  complaint.
* Orders without items are left out: they failed, and an order event needs a line.
* Cancellations have no time in the files, so none is told; the final status is never read.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo

from services.contracts.contacts import SurveyAnswered, SurveyKind, SurveySent
from services.contracts.deliveries import ShipmentDelivered, ShipmentHandedOver, ShipmentPromised
from services.contracts.envelope import Fact
from services.contracts.people import (
    Channel,
    ConsentChanged,
    ConsentStatus,
    CustomerUpdated,
    MessageClass,
)
from services.contracts.purchases import OrderApproved, OrderLine, OrderPlaced
from services.demo import olist_files
from services.demo.olist_files import Row, UnusableFiles
from services.shop.timeline import Batch, Mail, Publication, Reel, in_order, publication

CARRIER = "olist-carrier"
SAO_PAULO = ZoneInfo("America/Sao_Paulo")

_SHOP = "/olist/orders"
_CARRIER = f"/carriers/{CARRIER}"
_REVIEWS = "/olist/reviews"
_INVENTED = "/demo/invented"


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
    review: "RecordedReview | None"

    @property
    def shipment_id(self) -> str:
        """The one shipment's id."""
        return f"{self.order_id}-s1"


@dataclass(frozen=True, slots=True)
class RecordedReview:
    """An order's first review."""

    sent_at: datetime
    answered_at: datetime
    score: int


def read_window(folder: Path, orders: int) -> tuple[RecordedOrder, ...]:
    """Return the last `orders` orders with items, by the time of purchase.

    Raises:
        UnusableFiles: a file or column is missing, a value cannot be read, or no order is left.
    """
    rows = sorted(
        olist_files.read_rows(folder, olist_files.ORDERS),
        key=lambda row: (row["order_purchase_timestamp"], row["order_id"]),
    )
    items = _by_order(olist_files.read_rows(folder, olist_files.ITEMS))
    chosen = [row for row in rows if row["order_id"] in items][-orders:]
    if not chosen:
        raise UnusableFiles(f"{folder} holds no order with items")
    reviews = _by_order(olist_files.read_rows(folder, olist_files.REVIEWS))
    people = {
        row["customer_id"]: row["customer_unique_id"]
        for row in olist_files.read_rows(folder, olist_files.CUSTOMERS)
    }
    return tuple(
        _order(row, items[row["order_id"]], reviews.get(row["order_id"], []), people)
        for row in chosen
    )


def _by_order(rows: Iterable[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["order_id"]].append(row)
    return dict(grouped)


def _order(
    row: Row, items: Sequence[Row], reviews: Sequence[Row], people: Mapping[str, str]
) -> RecordedOrder:
    try:
        return _read_order(row, items, reviews, people[row["customer_id"]])
    except KeyError:
        raise UnusableFiles(
            f"order {row['order_id']}: no customer {row['customer_id']} in {olist_files.CUSTOMERS}"
        ) from None
    except (ValueError, InvalidOperation) as error:
        raise UnusableFiles(f"order {row['order_id']} cannot be read: {error}") from None


def _read_order(
    row: Row, items: Sequence[Row], reviews: Sequence[Row], customer_id: str
) -> RecordedOrder:
    in_sequence = sorted(items, key=lambda item: int(item["order_item_id"]))
    dearest = max(in_sequence, key=lambda item: Decimal(item["price"]))
    return RecordedOrder(
        order_id=row["order_id"],
        customer_id=customer_id,
        purchased_at=instant(row["order_purchase_timestamp"]),
        approved_at=_instant_or_none(row["order_approved_at"]),
        handed_over_at=_instant_or_none(row["order_delivered_carrier_date"]),
        delivered_at=_instant_or_none(row["order_delivered_customer_date"]),
        promised_by=instant(row["order_estimated_delivery_date"]),
        ship_by=max(instant(item["shipping_limit_date"]) for item in items),
        lines=tuple(_line(item) for item in in_sequence),
        dearest_seller=dearest["seller_id"],
        freight_minor=sum(_minor(item["freight_value"]) for item in items),
        review=_first_review(reviews),
    )


def _line(item: Row) -> OrderLine:
    return OrderLine(
        product_id=item["product_id"],
        seller_id=item["seller_id"],
        price_minor=_minor(item["price"]),
    )


def _first_review(rows: Sequence[Row]) -> RecordedReview | None:
    if not rows:
        return None
    first = min(rows, key=lambda r: (r["review_creation_date"], r["review_answer_timestamp"]))
    return RecordedReview(
        sent_at=instant(first["review_creation_date"]),
        answered_at=instant(first["review_answer_timestamp"]),
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


def told_about(order: RecordedOrder) -> Iterator[Publication]:
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
    )


def _review(order: RecordedOrder, review: RecordedReview) -> Iterator[Publication]:
    survey_id = f"{order.order_id}-review"
    sent = SurveySent(survey_id=survey_id, kind=SurveyKind.CSAT, order_id=order.order_id)
    yield _say(order, sent, _REVIEWS, review.sent_at)
    answered = SurveyAnswered(
        survey_id=survey_id, kind=SurveyKind.CSAT, score=review.score, order_id=order.order_id
    )
    yield _say(order, answered, _REVIEWS, review.answered_at)


def invented_about(customer_id: str, at: datetime) -> Iterator[Publication]:
    """Yield an address and consent for a customer, neither of which the files hold."""
    profile = CustomerUpdated(
        email=f"{customer_id}@olist.example",
        language="pt-BR",
        time_zone=str(SAO_PAULO),
        country="BR",
    )
    consents = [
        ConsentChanged(message_class=c, channel=Channel.EMAIL, status=ConsentStatus.GRANTED)
        for c in (MessageClass.SERVICE, MessageClass.CARE)
    ]
    for number, fact in enumerate((profile, *consents)):
        yield publication(
            fact,
            source=_INVENTED,
            event_id=f"{customer_id}-invented-{number}",
            time=at,
            customer_id=customer_id,
        )


def _say(order: RecordedOrder, fact: Fact, source: str, at: datetime) -> Publication:
    noun, verb = fact.TYPE.split(".")[1:3]
    return publication(
        fact,
        source=source,
        event_id=f"{order.order_id}-{noun}-{verb}",
        time=at,
        customer_id=order.customer_id,
    )


class RecordedShop:
    """A window of recorded orders being played.  Nobody reacts: what people did is recorded."""

    def __init__(self, orders: Sequence[RecordedOrder]) -> None:
        """Take at least one order."""
        self._reel = Reel(in_order(_everything(orders)))
        first, last = self._reel.publications[0].at, self._reel.publications[-1].at
        self._start = first.replace(minute=0, second=0, microsecond=0)
        self._end = last + timedelta(hours=1)

    @property
    def start(self) -> datetime:
        """The full hour at or before the first event."""
        return self._start

    @property
    def end(self) -> datetime:
        """An hour after the last event."""
        return self._end

    def next_at(self) -> datetime | None:
        """Return the next recorded instant; None: it is over."""
        return self._reel.next_at()

    def advance(self, until: datetime, mails: Sequence[Mail]) -> Batch:
        """Return everything recorded up to and including `until`; mails change nothing."""
        return self._reel.take(until)


def _everything(orders: Sequence[RecordedOrder]) -> Iterator[Publication]:
    first_bought: dict[str, datetime] = {}
    for order in orders:
        known = first_bought.get(order.customer_id, order.purchased_at)
        first_bought[order.customer_id] = min(known, order.purchased_at)
        yield from told_about(order)
    for customer_id, at in first_bought.items():
        yield from invented_about(customer_id, at)
