"""Customers: new, active, lapsed, returned, and how often and how lately they bought.

*Purchase*: an order that was placed and not cancelled.  *Customer*: who bought at least once; merged ids
are one.  *Lapsed*: nothing bought for so many days after a purchase, though that is no proof: *returned*
is who then buys after all.  Somebody may lapse and return many times.

Judged by whole hours: what is told late, cancelled or merged moves the counts, and what was counted before
is withdrawn.  Who is erased is no customer from then on; the counts stay, and what they stand on is
forgotten a day later.  What is bought after that is a new customer's.

Save attempts and trials ask who bought, so they are folded here, beside the purchases.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, ClassVar

from services.contracts import customer_metrics as names
from services.contracts.contacts import ContactOpened, SurveyAnswered
from services.contracts.envelope import Event, Fact
from services.contracts.outreach import OutreachDecided, OutreachSent
from services.contracts.people import CustomerErased, CustomerMerged
from services.contracts.problems import ProblemOpened
from services.contracts.purchases import OrderCancelled, OrderPlaced
from services.metrics.figures import purchasing
from services.metrics.figures.agenda import Agenda, hours_over
from services.metrics.figures.measures import Measured, RevisedTally, Tally
from services.metrics.figures.people import person_of
from services.metrics.figures.purchasing import (
    ACTIVE_DAYS,
    RECENCY_DAYS,
    Entries,
    Purchases,
    Standing,
    standing,
)
from services.metrics.figures.saves import Saves
from services.metrics.figures.trials import Trials

WINDOWS = tuple(f"{days}d" for days in ACTIVE_DAYS)
RECENCIES = (*(f"{days}d" for days in RECENCY_DAYS), "older")
"""Days since the last purchase, up to so many."""
FREQUENCIES = {1: "1", 2: "2", 3: "3-5", 4: "3-5", 5: "3-5"}
"""Number of purchases → the band it is in."""
MANY = "6+"


@dataclass(slots=True)
class Customers:
    """Everybody's purchases, and the counts that follow."""

    READS: ClassVar[frozenset[type[Fact]]] = frozenset(
        {
            OrderPlaced,
            OrderCancelled,
            CustomerMerged,
            CustomerErased,
            ContactOpened,
            SurveyAnswered,
            ProblemOpened,
            OutreachDecided,
            OutreachSent,
        }
    )

    new: RevisedTally = field(default_factory=RevisedTally)
    lapsed: RevisedTally = field(default_factory=RevisedTally)
    returned: RevisedTally = field(default_factory=RevisedTally)
    active: Tally = field(default_factory=Tally)
    by_rhythm: Tally = field(default_factory=Tally)
    purchases: Purchases = field(default_factory=Purchases)
    saves: Saves = field(default_factory=Saves)
    trials: Trials = field(default_factory=Trials)
    due: Agenda[int] = field(default_factory=Agenda)
    """Each person once: when they stand otherwise if nothing is told."""
    over: int = 0
    """The hours below this one are over and judged."""

    def fold(self, partition: int, event: Event[Any]) -> None:
        """Take in whatever is told of customers, orders, problems and messages; see `Figures`."""
        del partition
        told, at = event.data, event.time
        if isinstance(told, CustomerMerged):
            self._merge(person_of(event.customer_id), person_of(told.into))
            return
        person = self.purchases.people.who(person_of(event.customer_id))
        due, known = self.purchases.look(person)
        if known and int(at.timestamp()) <= purchasing.forgotten_until(known, self.over):
            return
        match told:
            case OrderPlaced() | OrderCancelled() | CustomerErased():
                now = _with(known, told, at)
                if now is known:
                    return
                if isinstance(told, OrderPlaced) and purchasing.is_ahead(at, self.over):
                    self._keep(person, now, due)
                else:
                    self._told(person, due, known, now)
            case _:
                self.saves.fold(person, event, self.purchases, self.over)
                self.trials.fold(person, event, self.purchases, self.saves, self.over)

    def settle(self, until: datetime) -> None:
        """Judge the hours that are over; looks at nobody for whom nothing changes."""
        over = hours_over(until)
        if over <= self.over:
            return
        before, self.over = self.over, over
        looked = list(dict.fromkeys(self.due.take(over)))
        for person in looked:
            due, entries = self.purchases.look(person)
            if entries and due < over:
                self._count([standing(entries, before)], [standing(entries, over)])
                self._keep(person, entries, 0)
        self.saves.settle(self.purchases, over)
        self.trials.settle(self.purchases, over)
        for person in looked:
            self._forget(person)

    def measured(self) -> Iterator[Measured]:
        """Return customers, and what the families beside them count."""
        yield names.CUSTOMERS_ACTIVE, self.active
        yield names.CUSTOMERS_NEW, self.new.counted
        yield names.CUSTOMERS_NEW_WITHDRAWN, self.new.withdrawn
        yield names.CUSTOMERS_LAPSED, self.lapsed.counted
        yield names.CUSTOMERS_LAPSED_WITHDRAWN, self.lapsed.withdrawn
        yield names.CUSTOMERS_RETURNED, self.returned.counted
        yield names.CUSTOMERS_RETURNED_WITHDRAWN, self.returned.withdrawn
        yield names.CUSTOMERS_BY_RHYTHM, self.by_rhythm
        yield from self.saves.measured()
        yield from self.trials.measured()

    def _told(self, person: int, due: int, before: Entries, now: Entries) -> None:
        self._count([standing(before, self.over)], [standing(now, self.over)])
        self._keep(person, now, due)
        self._look_again(person)
        self._forget(person)

    def _merge(self, goes: int, stays: int) -> None:
        merged = self.purchases.people.merge(goes, stays)
        if merged is None:
            return
        goes, stays = merged
        (_, one), (due, other) = self.purchases.look(goes), self.purchases.look(stays)
        now = purchasing.joined(other, one)
        self._count(
            [standing(each, self.over) for each in (one, other)], [standing(now, self.over)]
        )
        self.purchases.keep(goes, 0, ())
        self._keep(stays, now, due)
        self.saves.merge(goes, stays)
        self.trials.merge(goes, stays)
        self._look_again(stays)

    def _look_again(self, person: int) -> None:
        self.saves.look_again(person, self.purchases, self.over)
        self.trials.look_again(person, self.purchases, self.over)

    def _forget(self, person: int) -> None:
        """Forget what an erasure is to; what was counted of it stays counted."""
        due, entries = self.purchases.look(person)
        until = purchasing.forgotten_until(entries, self.over)
        if until:
            self.saves.forget(person, until)
            self.trials.forget(person, until)
            self.purchases.keep(person, due, purchasing.without_forgotten(entries, self.over))

    def _keep(self, person: int, entries: Entries, due: int) -> None:
        """Keep this; `due` is when the person is looked at anyway, 0 where they are not."""
        following = purchasing.next_due(entries, self.over)
        if following is not None and (not due or following < due):
            due = following
            self.due.add(due, person)
        self.purchases.keep(person, due, entries)

    def _count(self, before: Sequence[Standing], now: Sequence[Standing]) -> None:
        """Bring the counts from how these people stood to how they stand."""
        if before == now:
            return
        for people, times in ((before, -1), (now, 1)):
            for each in people:
                self._count_now(each, times)
        self.new.move((), sum(each.new for each in now) - sum(each.new for each in before))
        for tally, of in ((self.lapsed, _lapsed), (self.returned, _returned)):
            times_before, times_now = ([of(each) for each in people] for people in (before, now))
            if times_before != times_now:
                for index, window in enumerate(WINDOWS):
                    more, less = (
                        sum(times[index] for times in each) for each in (times_now, times_before)
                    )
                    tally.move((window,), more - less)

    def _count_now(self, person: Standing, times: int) -> None:
        if person.recency is None:
            return
        for days, window in zip(ACTIVE_DAYS, WINDOWS, strict=True):
            if person.is_active(days):
                self.active.add((window,), times)
        band = FREQUENCIES.get(person.orders, MANY)
        self.by_rhythm.add((RECENCIES[person.recency], band), times)


_lapsed, _returned = attrgetter("lapsed"), attrgetter("returned")


def _with(
    entries: Entries, told: OrderPlaced | OrderCancelled | CustomerErased, at: datetime
) -> Entries:
    """Return the entries with this taken in; the very same where it is known."""
    match told:
        case OrderPlaced():
            return purchasing.placed(entries, purchasing.number_of(told.order_id), at)
        case OrderCancelled():
            return purchasing.cancelled(entries, purchasing.number_of(told.order_id))
        case CustomerErased():
            return purchasing.erased(entries, at)
