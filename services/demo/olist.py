"""The recorded shop as a world: a contiguous window of Olist's orders, played.  Pure, given the orders.

What the orders say is recorded (`services/recorded/olist.py`); every mail address and consent is
invented here.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.contracts.envelope import Event
from services.contracts.people import (
    Channel,
    ConsentChanged,
    ConsentStatus,
    CustomerUpdated,
    MessageClass,
)
from services.recorded.olist import SAO_PAULO, RecordedOrder, told_about
from services.shop.timeline import Batch, Mail, Publication, Reel, in_order, publication

_INVENTED = "/demo/invented"


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


def _as_told(event: Event[Any]) -> Publication:
    return Publication(event.time, event.id, event.encode(), source=event.source)


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
        yield from map(_as_told, told_about(order))
    for customer_id, at in first_bought.items():
        yield from invented_about(customer_id, at)
