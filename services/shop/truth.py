"""What only a simulated shop knows: what each customer would have done either way.  Pure values.

An intention's chance is known with and without a message, and one number, drawn beforehand, decides
in both cases: whoever complains in spite of a message would have complained without it too.  So the
effect of messages can be measured against its true value, customer by customer.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class Act(StrEnum):
    """What somebody may do."""

    COMPLAIN_OF_DELAY = "complain_of_delay"
    COMPLAIN_OF_DAMAGE = "complain_of_damage"
    COMPLAIN_OF_PRODUCT = "complain_of_product"
    COMPLAIN_OF_REFUND = "complain_of_refund"
    ASK = "ask"
    ASK_ABOUT_PAYMENT = "ask_about_payment"
    WRITE_AGAIN = "write_again"
    """About the same thing, in a contact of its own."""
    ANSWER_POORLY = "answer_poorly"
    """The answer itself comes in any case."""
    LEAVE = "leave"
    """Never buy again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentionTruth:
    """One intention that had its moment."""

    KIND: ClassVar[str] = "intention"
    customer_id: str
    order_id: str
    subject: str
    """The order, shipment, refund or contact it is about; a message counts only when it is about the same."""
    act: Act
    at: datetime
    days_late: int | None
    """Of the parcel, or the order's latest; 0: in time; None: never arrived, or cancelled."""
    chance_without: float
    """That it happens where no message came first."""
    chance_with: float
    """That it happens where one did."""
    draw: float
    """Uniform in [0, 1): it happens where this is below the chance."""
    messaged: bool
    """Whether a message did come before the moment."""
    happened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTruth:
    """One customer, when all is over."""

    KIND: ClassVar[str] = "customer"
    customer_id: str
    orders_per_month: float
    """The customer's own rate while they buy."""
    leaves: float
    """The own chance to stop after an order nothing was wrong with."""
    stopped_at: datetime | None
    """From when on they would never have bought again; None: still a customer."""


Truth = IntentionTruth | CustomerTruth


def line(truth: Truth) -> str:
    """Return the record as one line of JSON, its kind first."""
    return json.dumps({"kind": truth.KIND} | asdict(truth), default=_as_text)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no part of a truth")
