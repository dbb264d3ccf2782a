"""The simulated shop: customers come, buy, wait, complain, answer and leave, one moment at a time.

A `World` for the replayer.  Nothing is planned for everybody beforehand: an agenda holds one entry per
customer who will come again and one per order under way, and an outbox what is about to be sent; so a
step costs what is due in it, and memory what is under way, not the population.  Everybody's chance is
their own (`chance`), so one more customer changes nobody else.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.shop.local_time import in_the_day
from services.shop.mishaps import Blunders, sendings
from services.shop.orders import draw_lines, draw_order, leave_cart, tell_purchase
from services.shop.parameters import ShopParameters
from services.shop.people import (
    Person,
    announce,
    customer_behind,
    customer_id_of,
    person_of,
    rename,
)
from services.shop.premises import Premises, open_premises
from services.shop.stories import Story, begin
from services.shop.timeline import Batch, Mail, Poison, Publication
from services.shop.truth import Act, CustomerTruth, IntentionTruth

_HOUR = timedelta(hours=1)
_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Visit:
    """A customer's next visit to the shop."""

    customer_id: str
    number: int
    drawn_at: datetime
    """On the Poisson process, before it is moved into the day."""


@dataclass(slots=True)
class Shop:
    """One shop being played."""

    premises: Premises
    _arrived: int = 0
    """Customers announced so far."""
    _agenda: list[tuple[datetime, str, _Visit | Story]] = field(default_factory=list)
    _outbox: list[tuple[datetime, str, int, Publication]] = field(default_factory=list)
    """By moment and id; the number tells a repeat at the same instant from the first."""
    _under_way: dict[str, dict[str, Story]] = field(default_factory=dict)
    """Customer → order → story."""
    _left: dict[str, datetime] = field(default_factory=dict)
    _blunders: Blunders = field(init=False)
    end: datetime = field(init=False)
    """When the shop closes; nothing is said after it."""

    def __post_init__(self) -> None:
        """Plan what will go wrong."""
        self._blunders = Blunders.planned(self.premises)
        self.end = self._parameters.end

    @property
    def start(self) -> datetime:
        """When the shop opens."""
        return self._parameters.start

    @property
    def _parameters(self) -> ShopParameters:
        return self.premises.parameters

    def next_at(self) -> datetime | None:
        """Return the next instant at which something may be said; None: never again."""
        moments = [entry[0] for entry in self._agenda[:1]]
        moments += [entry[0] for entry in self._outbox[:1]]
        if self._arrived < self._parameters.customers:
            moments.append(self._arrival())
        coming = min(moments, default=None)
        return coming if coming is not None and coming <= self.end else None

    def advance(self, until: datetime, mails: Sequence[Mail]) -> Batch:
        """Return everything said up to and including `until`, given the mails that came before."""
        self._deliver(mails)
        until = min(until, self.end)
        self._let_arrive(until)
        truth = tuple(self._live(until))
        publications: list[Publication] = []
        poison: list[Poison] = []
        while self._outbox and self._outbox[0][0] <= until:
            _, _, _, item = heapq.heappop(self._outbox)
            wrong, unreadable = self._blunders.befall(item)
            publications += [item, *wrong]
            poison += unreadable
        return Batch(tuple(publications), tuple(poison), truth)

    def customers_truth(self) -> Iterator[CustomerTruth]:
        """Yield the truth about each customer announced so far."""
        for number in range(1, self._arrived + 1):
            person = person_of(customer_id_of(number), self.premises)
            yield CustomerTruth(
                customer_id=person.customer_id,
                orders_per_month=person.orders_per_month,
                leaves=person.leaves,
                stopped_at=self._left.get(person.customer_id),
            )

    def _deliver(self, mails: Sequence[Mail]) -> None:
        told: dict[str, set[str]] = {}
        for mail in mails:
            told.setdefault(customer_behind(mail.recipient), set()).add(mail.problem_id)
        for customer_id, problems in told.items():
            for story in self._under_way.get(customer_id, {}).values():
                story.hear(frozenset(problems))

    def _arrival(self) -> datetime:
        """Return when the next customer is announced."""
        an_hour = self._parameters.arrivals_per_hour
        return self.start + _HOUR * (self._arrived / an_hour) if an_hour else self.start

    def _let_arrive(self, until: datetime) -> None:
        while self._arrived < self._parameters.customers and (at := self._arrival()) <= until:
            self._arrived += 1
            person = person_of(customer_id_of(self._arrived), self.premises)
            self._send(announce(person, self.premises, at))
            before = customer_id_of(self._arrived - 1) if self._arrived > 1 else None
            self._send(rename(person, before, self.premises, at))
            self._expect(_Visit(person.customer_id, 0, at), at, person)

    def _live(self, until: datetime) -> Iterator[IntentionTruth]:
        """Let everything up to `until` begin, in order; yield what came of intentions."""
        while self._agenda and self._agenda[0][0] <= until:
            at, _, entry = heapq.heappop(self._agenda)
            if isinstance(entry, _Visit):
                self._visit(entry, at)
                continue
            items, truth = entry.go_on(self.premises)
            self._send(items)
            self._go_on_later(entry)
            if truth is not None:
                if truth.act is Act.LEAVE and truth.happened:
                    self._left.setdefault(truth.customer_id, at)
                yield truth

    def _visit(self, visit: _Visit, at: datetime) -> None:
        if visit.customer_id in self._left:
            return
        person = person_of(visit.customer_id, self.premises)
        rng = self.premises.draws(visit.customer_id, f"visit-{visit.number}")
        lines = draw_lines(self._parameters, rng)
        if rng.random() < self._parameters.abandoned:
            cart_id = f"{visit.customer_id}-cart{visit.number}"
            self._send(leave_cart(person, cart_id, at, lines, self.premises))
        else:
            order_id = f"{visit.customer_id}-o{visit.number}"
            order = draw_order(person, order_id, at, lines, self.premises, rng)
            self._send(tell_purchase(order, lines))
            self._go_on_later(begin(order, self.premises))
        self._expect(visit, at, person)

    def _expect(self, last: _Visit, last_at: datetime, person: Person) -> None:
        """Note when the customer comes next; whoever comes after the end is forgotten."""
        number = last.number + 1
        waits = -math.log(1 - self.premises.uniform(last.customer_id, f"gap-{number}"))
        visits_per_month = person.orders_per_month / (1 - self._parameters.abandoned)
        # A rate near nothing is a visit in some other life.
        gap = min(waits / max(visits_per_month, 1e-9), 1e4)
        drawn_at = last.drawn_at + _MONTH * gap
        at = max(in_the_day(drawn_at, person.home.time_zone), last_at)
        if at <= self.end:
            visit = _Visit(last.customer_id, number, drawn_at)
            heapq.heappush(self._agenda, (at, last.customer_id, visit))

    def _go_on_later(self, story: Story) -> None:
        customer_id, order_id = story.order.person.customer_id, story.order.order_id
        if story.next_at is None or story.next_at > self.end:
            self._under_way.get(customer_id, {}).pop(order_id, None)
            if not self._under_way.get(customer_id, True):
                del self._under_way[customer_id]
            return
        self._under_way.setdefault(customer_id, {})[order_id] = story
        heapq.heappush(self._agenda, (story.next_at, order_id, story))

    def _send(self, items: Sequence[Publication] | Iterator[Publication]) -> None:
        for item in items:
            for number, sent in enumerate(sendings(item, self.premises)):
                if sent.at <= self.end:
                    heapq.heappush(self._outbox, (sent.at, sent.event_id, number, sent))


def open_shop(parameters: ShopParameters, seed: int) -> Shop:
    """Return the shop of this seed, before its first hour.

    Raises:
        ValueError: a planned outage names a carrier the shop does not have.
    """
    return Shop(open_premises(parameters, seed))
