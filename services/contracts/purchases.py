"""Facts on `purchases`: orders as the shop sees them.  Money is in integer minor units."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from services.contracts.envelope import Contract, Fact, Identifier

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""

MinorUnits = Annotated[int, Field(ge=0, le=10**12)]
"""Money in the currency's smallest unit."""


class OrderLine(Contract):
    """One product in an order."""

    product_id: Identifier
    seller_id: Identifier | None = None
    quantity: Annotated[int, Field(ge=1, le=100_000)] = 1
    price_minor: MinorUnits


class OrderPlaced(Fact):
    """The customer bought; `time` is the moment of purchase."""

    TYPE: ClassVar[str] = "care.order.placed.v1"
    order_id: Identifier
    currency: Currency
    lines: Annotated[tuple[OrderLine, ...], Field(min_length=1, max_length=500)]
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
