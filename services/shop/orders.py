"""What one visit to the shop comes to: a cart left behind, or an order with a parcel per seller.  Pure.

An order's whole fate is drawn when it is placed, so that what people do about it has a cause; it is
told event by event as it happens (here, in `parcels` and in `refunds`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from services.contracts.envelope import Fact
from services.contracts.purchases import (
    CancelledBy,
    CartAbandoned,
    OrderApproved,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    PaymentFailed,
    PaymentFailure,
    ReturnReason,
)
from services.shop.parameters import ShopParameters
from services.shop.parcels import Parcel, admitted_lost_at, draw_parcel, promise
from services.shop.people import Person
from services.shop.premises import Premises
from services.shop.refunds import Cause, Refund, draw_refund
from services.shop.timeline import Publication, said

CURRENCY = "EUR"
_ORDERS, _CARTS, _PAYMENTS = "/shop/orders", "/shop/carts", "/shop/payments"
_SELLERS = 40
_PROMISES_ARE_MADE_AFTER = timedelta(minutes=5)
_CARTS_ARE_GIVEN_UP_AFTER = timedelta(hours=1)
_UNPAID_ORDERS_END_AFTER = timedelta(hours=48)
_TRIES_AGAIN_AFTER = timedelta(minutes=25)
_CART_PAYMENTS_FAIL_EVERY = timedelta(minutes=20)
_CATEGORIES = (
    "household", "garden", "toys", "books", "clothing", "shoes", "electronics", "furniture", "health",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order and its fate."""

    person: Person
    order_id: str
    placed_at: datetime
    failed_payments_at: tuple[datetime, ...]
    approved_at: datetime | None
    """None: never paid."""
    cancelled_at: datetime | None
    cancelled_by: CancelledBy
    amount_minor: int
    parcels: tuple[Parcel, ...]
    """Also of a cancelled order: they were promised."""
    refund: Refund | None

    @property
    def is_cancelled(self) -> bool:
        """Whether nothing will be delivered because the order was taken back."""
        return self.cancelled_at is not None

    @property
    def finished_at(self) -> datetime | None:
        """When the last parcel arrived; None: one never does."""
        arrivals = [p.delivered_at for p in self.parcels]
        if self.is_cancelled or None in arrivals:
            return None
        return max(at for at in arrivals if at is not None)

    @property
    def days_late(self) -> int | None:
        """Of the latest parcel; None: cancelled, or one never arrives."""
        late = [p.days_late for p in self.parcels]
        if self.is_cancelled or None in late:
            return None
        return max(days for days in late if days is not None)


def draw_lines(parameters: ShopParameters, rng: Random) -> tuple[OrderLine, ...]:
    """Return what somebody puts into a cart: products of one, two or three sellers."""
    count = rng.choices(range(1, len(parameters.sellers) + 1), parameters.sellers)[0]
    sellers = rng.sample(range(1, _SELLERS + 1), count)
    return tuple(line for seller in sellers for line in _lines_of(seller, parameters, rng))


def _lines_of(seller: int, parameters: ShopParameters, rng: Random) -> Iterator[OrderLine]:
    for _ in range(2 if rng.random() < parameters.multi_line_share else 1):
        yield OrderLine(
            product_id=f"p-{seller:02d}-{(product := rng.randint(1, 40)):02d}",
            seller_id=f"seller-{seller:02d}",
            category=_category_of(seller, product),
            quantity=rng.choice((1, 1, 1, 2)),
            price_minor=rng.randint(500, 18_000),
        )


def _category_of(seller: int, product: int) -> str:
    # A seller is at home in three neighbouring categories.
    return _CATEGORIES[(seller + product % 3) % len(_CATEGORIES)]


def draw_order(
    person: Person,
    order_id: str,
    placed_at: datetime,
    lines: tuple[OrderLine, ...],
    premises: Premises,
    rng: Random,
) -> Order:
    """Return an order of these lines with its fate."""
    parameters = premises.parameters
    failed_at, approved_at = _payment(order_id, placed_at, premises, rng)
    sellers = dict.fromkeys(line.seller_id or "" for line in lines)
    parcels = tuple(
        draw_parcel(order_id, number, seller, person.home.country, placed_at, premises, rng)
        for number, seller in enumerate(sellers, start=1)
    )
    amount = sum(line.price_minor * line.quantity for line in lines)
    cancelled_at, by = _cancellation(placed_at, approved_at, parameters, rng)
    cause = _money_back(order_id, cancelled_at, approved_at, parcels, parameters, rng)
    return Order(
        person=person,
        order_id=order_id,
        placed_at=placed_at,
        failed_payments_at=failed_at,
        approved_at=approved_at,
        cancelled_at=cancelled_at,
        cancelled_by=by,
        amount_minor=amount,
        parcels=parcels,
        refund=draw_refund(order_id, cause, amount, parameters, rng) if cause else None,
    )


def _payment(
    order_id: str, placed_at: datetime, premises: Premises, rng: Random
) -> tuple[tuple[datetime, ...], datetime | None]:
    """Return when payment failed, once or twice, and when it was accepted."""
    parameters = premises.parameters
    first_at = placed_at + timedelta(minutes=rng.randint(8, 60))
    if rng.random() >= parameters.payment_fails:
        return (), first_at
    pays_again = rng.random() < parameters.pays_again
    accepted_at = first_at + timedelta(hours=rng.uniform(0.2, 3)) if pays_again else None
    if premises.uniform(order_id, "second-payment") >= parameters.payment_fails_again:
        return (first_at,), accepted_at
    waits = (accepted_at - first_at) / 2 if accepted_at else _TRIES_AGAIN_AFTER
    return (first_at, first_at + waits), accepted_at


def _cancellation(
    placed_at: datetime, approved_at: datetime | None, parameters: ShopParameters, rng: Random
) -> tuple[datetime | None, CancelledBy]:
    drawn = rng.random()
    if approved_at is None:
        return placed_at + _UNPAID_ORDERS_END_AFTER, CancelledBy.COMPANY
    if drawn >= parameters.cancelled:
        return None, CancelledBy.CUSTOMER
    is_ours = drawn < parameters.cancelled * parameters.cancelled_by_company
    # Before anything is handed over, which is on the next day at the earliest.
    at = approved_at + timedelta(hours=rng.uniform(0.5, 3))
    return at, CancelledBy.COMPANY if is_ours else CancelledBy.CUSTOMER


def _money_back(
    order_id: str,
    cancelled_at: datetime | None,
    approved_at: datetime | None,
    parcels: tuple[Parcel, ...],
    parameters: ShopParameters,
    rng: Random,
) -> Cause | None:
    drawn, days = rng.random(), rng.uniform(1, 9)
    if cancelled_at is not None:
        return (cancelled_at, None) if approved_at is not None else None
    lost = [p for p in parcels if p.delivered_at is None]
    if lost:
        return max(admitted_lost_at(p, parameters) for p in lost), None
    is_damaged = any(p.is_damaged for p in parcels)
    if drawn >= (parameters.returned_when_damaged if is_damaged else parameters.returned):
        return None
    arrived = max(p.delivered_at for p in parcels if p.delivered_at is not None)
    reason = ReturnReason.DAMAGED if is_damaged else rng.choice(_OTHER_REASONS)
    return arrived + timedelta(days=days), reason


_OTHER_REASONS = (
    ReturnReason.CHANGED_MIND,
    ReturnReason.CHANGED_MIND,
    ReturnReason.NOT_AS_DESCRIBED,
    ReturnReason.WRONG_ITEM,
    ReturnReason.OTHER,
)


def leave_cart(
    person: Person, cart_id: str, at: datetime, lines: tuple[OrderLine, ...], premises: Premises
) -> Iterator[Publication]:
    """Yield what the shop says about a cart left at `at`; of some, that paying for it failed before."""

    def say(fact: Fact, source: str, after: timedelta, more: str = "") -> Publication:
        return said(
            fact, source=source, time=at + after, customer_id=person.customer_id, about=cart_id,
            more=more,
        )  # fmt: skip

    parameters = premises.parameters
    drawn = premises.uniform(cart_id, "payment")
    fails = drawn < parameters.cart_payment_fails
    fails_twice = drawn < parameters.cart_payment_fails * parameters.payment_fails_again
    for number in range(1, 1 + fails + fails_twice):
        failed = PaymentFailed(
            payment_id=f"{cart_id}-p{number}", reason=_why(int(drawn * 1e6)), cart_id=cart_id
        )
        yield say(failed, _PAYMENTS, number * _CART_PAYMENTS_FAIL_EVERY, f"-{number}")
    given_up = CartAbandoned(cart_id=cart_id, currency=CURRENCY, lines=lines)
    yield say(given_up, _CARTS, _CARTS_ARE_GIVEN_UP_AFTER)


def _why(number: int) -> PaymentFailure:
    reasons = tuple(PaymentFailure)
    return reasons[number % len(reasons)]


def tell_purchase(order: Order, lines: tuple[OrderLine, ...]) -> Iterator[Publication]:
    """Yield what the shop says before anything is handed over."""
    customer_id, order_id = order.person.customer_id, order.order_id

    def say(fact: Fact, at: datetime, source: str = _ORDERS, more: str = "") -> Publication:
        about = order_id
        return said(fact, source=source, time=at, customer_id=customer_id, about=about, more=more)

    placed = OrderPlaced(order_id=order_id, currency=CURRENCY, lines=lines, freight_minor=490)
    yield say(placed, order.placed_at)
    for number, at in enumerate(order.failed_payments_at, start=1):
        failed = PaymentFailed(
            payment_id=f"{order_id}-p{number}", order_id=order_id, reason=_why(order.amount_minor)
        )
        # The first kept the name it had when an order had no second.
        yield say(failed, at, _PAYMENTS, "" if number == 1 else f"-{number}")
    if order.approved_at is not None:
        yield say(OrderApproved(order_id=order_id), order.approved_at)
        for parcel in order.parcels:
            at = order.approved_at + _PROMISES_ARE_MADE_AFTER
            yield promise(parcel, customer_id, order.person.home, at)
    if order.cancelled_at is not None:
        cancelled = OrderCancelled(order_id=order_id, cancelled_by=order.cancelled_by)
        yield say(cancelled, order.cancelled_at)
