"""Money that goes back: after a return, a cancellation or a lost parcel; some of it too late.  Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from services.contracts.envelope import Fact
from services.contracts.purchases import RefundPaid, RefundPromised, ReturnReason, ReturnRequested
from services.shop.local_time import at_hour
from services.shop.parameters import ShopParameters
from services.shop.timeline import Publication, said

Cause = tuple[datetime, ReturnReason | None]
"""When money back was called for, and why something is sent back, if it is."""

_RETURNS = "/shop/returns"
_REFUNDS = "/shop/refunds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that goes back."""

    order_id: str
    refund_id: str
    promised_at: datetime
    promised_by: datetime
    paid_at: datetime
    amount_minor: int
    cause: Cause

    @property
    def begins_at(self) -> datetime:
        """When the first event about it happens."""
        at, reason = self.cause
        return self.promised_at if reason is None else at

    @property
    def is_overdue(self) -> bool:
        """Whether the money leaves after its date."""
        return self.paid_at > self.promised_by


def draw_refund(
    order_id: str, cause: Cause, amount: int, parameters: ShopParameters, rng: Random
) -> Refund:
    """Return the money that goes back for this cause."""
    called_for_at, reason = cause
    # What is sent back has to arrive first.
    waits = timedelta(days=rng.uniform(3, 6)) if reason else timedelta(hours=rng.uniform(1, 20))
    promised_at = called_for_at + waits
    zone = parameters.shop_zone
    promised_by = at_hour(promised_at, zone, days=parameters.refund_days, hour=16)
    in_time = at_hour(promised_at, zone, days=rng.randint(2, parameters.refund_days - 1), hour=11)
    overdue = at_hour(promised_by, zone, days=rng.choice(parameters.refund_overdue_days), hour=11)
    is_overdue = rng.random() < parameters.refund_overdue
    return Refund(
        order_id=order_id,
        refund_id=f"{order_id}-r1",
        promised_at=promised_at,
        promised_by=promised_by,
        paid_at=overdue if is_overdue else in_time,
        amount_minor=amount,
        cause=cause,
    )


def tell_refund(refund: Refund, customer_id: str, currency: str) -> Iterator[Publication]:
    """Yield the return, the promise of the money, and the money, as they happen."""

    def say(fact: Fact, source: str, at: datetime) -> Publication:
        about = refund.refund_id
        return said(fact, source=source, time=at, customer_id=customer_id, about=about)

    called_for_at, reason = refund.cause
    return_id = f"{refund.order_id}-back" if reason else None
    if return_id is not None and reason is not None:
        back = ReturnRequested(return_id=return_id, order_id=refund.order_id, reason=reason)
        yield say(back, _RETURNS, called_for_at)
    promised = RefundPromised(
        refund_id=refund.refund_id,
        order_id=refund.order_id,
        currency=currency,
        amount_minor=refund.amount_minor,
        promised_by=refund.promised_by,
        return_id=return_id,
    )
    yield say(promised, _REFUNDS, refund.promised_at)
    paid = RefundPaid(
        refund_id=refund.refund_id,
        order_id=refund.order_id,
        currency=currency,
        amount_minor=refund.amount_minor,
    )
    yield say(paid, _REFUNDS, refund.paid_at)
