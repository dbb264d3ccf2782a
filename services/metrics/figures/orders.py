"""Orders, and those about which a customer turned to us.

An order counts once, by its id, however often it is told within some weeks; likewise one that is named by a
contact that its customer opened.  Both are facts of one record: nothing is ever taken back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from services.contracts import service_metrics
from services.contracts.contacts import ContactOpened
from services.contracts.envelope import Event, Fact
from services.contracts.purchases import OrderPlaced
from services.metrics.figures.measures import Measured, Tally
from services.metrics.figures.memory import Recent, heard_at

KEPT = timedelta(days=45)
"""How long an order told again is known to be the same; the topics keep less."""


@dataclass(slots=True)
class Orders:
    """The orders of late by id."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset({OrderPlaced, ContactOpened})

    placed: Tally = field(default_factory=Tally)
    contacted: Tally = field(default_factory=Tally)
    known_placed: Recent = field(default_factory=Recent)
    known_contacted: Recent = field(default_factory=Recent)
    settled_until: datetime | None = None

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in an order or a contact; see `Figures`."""
        del partition
        heard = heard_at(event.time, self.settled_until)
        match event.data:
            case OrderPlaced(order_id=order_id):
                if self.known_placed.is_new(order_id, heard):
                    self.placed.add(())
            case ContactOpened(order_id=str(order_id), is_by_customer=True):
                if self.known_contacted.is_new(order_id, heard):
                    self.contacted.add(())

    def settle(self, until: datetime) -> None:
        """Forget orders that are told no more."""
        self.settled_until = until
        self.known_placed.forget(until - KEPT)
        self.known_contacted.forget(until - KEPT)

    def measured(self) -> Iterator[Measured]:
        """Return orders, and those somebody asked about."""
        yield service_metrics.ORDERS, self.placed
        yield service_metrics.ORDERS_CONTACTED, self.contacted
