"""Facts on `purchases`: orders and money as the shop sees them.  Money is in integer minor units."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from services.contracts.envelope import Contract, Fact, Identifier, Instant

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""

MinorUnits = Annotated[int, Field(ge=0, le=10**12)]
"""Money in the currency's smallest unit."""

SomeMoney = Annotated[int, Field(ge=1, le=10**12)]
"""The same, where nothing would be no fact."""


class OrderLine(Contract):
    """One product in an order."""

    product_id: Identifier
    seller_id: Identifier | None = None
    category: Identifier | None = None
    """The shop's own name for the kind of product."""
    quantity: Annotated[int, Field(ge=1, le=100_000)] = 1
    price_minor: MinorUnits


Lines = Annotated[tuple[OrderLine, ...], Field(min_length=1, max_length=500)]


class CartAbandoned(Fact):
    """The customer filled a cart and left it; `time` is when the shop gave it up."""

    TYPE: ClassVar[str] = "care.cart.abandoned.v1"
    cart_id: Identifier
    currency: Currency
    lines: Lines


class PaymentFailure(StrEnum):
    """Why no money came."""

    DECLINED = "declined"
    EXPIRED_CARD = "expired_card"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    NOT_AUTHENTICATED = "not_authenticated"
    TECHNICAL = "technical"
    OTHER = "other"


class PaymentFailed(Fact):
    """One attempt to pay came to nothing; the order or the cart may still be paid later."""

    TYPE: ClassVar[str] = "care.payment.failed.v1"
    payment_id: Identifier
    reason: PaymentFailure
    order_id: Identifier | None = None
    """This, or the cart, must be named."""
    cart_id: Identifier | None = None
    """Where payment comes before the order."""

    @model_validator(mode="after")
    def _pays_for_something(self) -> Self:
        if self.order_id is None and self.cart_id is None:
            raise ValueError("names the order or the cart that was to be paid")
        return self


class OrderPlaced(Fact):
    """The customer bought; `time` is the moment of purchase."""

    TYPE: ClassVar[str] = "care.order.placed.v1"
    order_id: Identifier
    currency: Currency
    lines: Lines
    freight_minor: MinorUnits = 0


class OrderApproved(Fact):
    """Payment was accepted; work on the order begins."""

    TYPE: ClassVar[str] = "care.order.approved.v1"
    order_id: Identifier


class CancelledBy(StrEnum):
    """Who ended the order."""

    CUSTOMER = "customer"
    COMPANY = "company"


class OrderCancelled(Fact):
    """Nothing more will be delivered for this order."""

    TYPE: ClassVar[str] = "care.order.cancelled.v1"
    order_id: Identifier
    cancelled_by: CancelledBy


class ReturnReason(StrEnum):
    """Why the customer sends it back."""

    CHANGED_MIND = "changed_mind"
    NOT_AS_DESCRIBED = "not_as_described"
    WRONG_ITEM = "wrong_item"
    DAMAGED = "damaged"
    TOO_LATE = "too_late"
    OTHER = "other"


class ReturnRequested(Fact):
    """The customer wants to send something back."""

    TYPE: ClassVar[str] = "care.return.requested.v1"
    return_id: Identifier
    order_id: Identifier
    reason: ReturnReason
    shipment_id: Identifier | None = None
    """None: it does not matter, or nobody knows, in which parcel it came."""


class RefundPromised(Fact):
    """The customer was told that money comes back; every new date is one more such fact."""

    TYPE: ClassVar[str] = "care.refund.promised.v1"
    refund_id: Identifier
    order_id: Identifier
    currency: Currency
    amount_minor: SomeMoney
    promised_by: Instant
    """The instant from which the customer counts the money as overdue."""
    return_id: Identifier | None = None
    """None: no return is behind it, but a cancellation or a lost parcel."""


class RefundPaid(Fact):
    """The money left for the customer."""

    TYPE: ClassVar[str] = "care.refund.paid.v1"
    refund_id: Identifier
    order_id: Identifier
    currency: Currency
    amount_minor: SomeMoney
