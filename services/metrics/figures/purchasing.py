"""When each person bought, packed: the one thing that is kept of everybody.

A person is 4 bytes and 8 for each order: the second of the purchase and 31 bits of the order's hash, by
which a repeat and a cancellation know it.  A cancelled order is no purchase; of an order placed twice the
earlier instant counts.  An erasure lies among them as a mark: what came before it is another story.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from services.contracts.topics import HORIZON
from services.metrics.figures.agenda import HOUR_SECONDS
from services.metrics.figures.people import People

ACTIVE_DAYS = (90, 180)
"""Without a purchase for so long a customer has lapsed."""
RECENCY_DAYS = (30, 90, 180, 365)
"""Upper bounds of the days since the last purchase; those of `ACTIVE_DAYS` are among them."""
ERASED_KEPT_HOURS = 24
"""What an erasure is to forget is forgotten so long after it: until then all topics can be read."""

_DAY_SECONDS = 24 * HOUR_SECONDS
_ACTIVE_SECONDS = tuple(days * _DAY_SECONDS for days in ACTIVE_DAYS)
_RECENCY_SECONDS = tuple(days * _DAY_SECONDS for days in RECENCY_DAYS)
_HORIZON_HOURS = int(HORIZON / timedelta(hours=1))
_ORDER_BITS = 31
_ORDER_MASK = (1 << _ORDER_BITS) - 1
_ERASURE = _ORDER_MASK
"""Stands where an order's hash would; behind every order of its second."""
_CANCELLED = 0
"""Stands where the second of the purchase would."""

Entries = Sequence[int]
"""Purchases, cancellations and erasures of one person, sorted."""


class Standing(NamedTuple):
    """How a person stands at an instant; the first three only ever count up, but for what is told late."""

    new: int = 0
    lapsed: tuple[int, ...] = (0,) * len(ACTIVE_DAYS)
    returned: tuple[int, ...] = (0,) * len(ACTIVE_DAYS)
    recency: int | None = None
    """How many of `RECENCY_DAYS` have passed since the last purchase; None: has none."""
    orders: int = 0

    def is_active(self, days: int) -> bool:
        """Return whether the last purchase is no older."""
        return self.recency is not None and self.recency <= RECENCY_DAYS.index(days)


def number_of(order_id: str) -> int:
    """Return by which number one person's order is known."""
    digest = blake2b(order_id.encode(), digest_size=4).digest()
    return int.from_bytes(digest) % _ERASURE


def _entry(seconds: int, number: int) -> int:
    return seconds << _ORDER_BITS | number


def _seconds(entry: int) -> int:
    return entry >> _ORDER_BITS


def _is_erasure(entry: int) -> bool:
    return entry & _ORDER_MASK == _ERASURE


def placed(entries: Entries, number: int, at: datetime) -> Entries:
    """Return the entries with this purchase."""
    return _joined(entries, _entry(int(at.timestamp()), number))


def is_ahead(at: datetime, over: int) -> bool:
    """Return whether this instant is in an hour that is not over: a purchase then says nothing yet."""
    return int(at.timestamp()) >= over * HOUR_SECONDS


def cancelled(entries: Entries, number: int) -> Entries:
    """Return the entries without this purchase, whenever it is told."""
    return _joined(entries, _entry(_CANCELLED, number))


def erased(entries: Entries, at: datetime) -> Entries:
    """Return the entries with the end of a story."""
    mark = _entry(int(at.timestamp()), _ERASURE)
    return entries if mark in entries else sorted((*entries, mark))


def joined(entries: Entries, others: Entries) -> Entries:
    """Return the entries of two ids that are one person's."""
    for other in others:
        if not _is_erasure(other):
            entries = _joined(entries, other)
        elif other not in entries:
            entries = sorted((*entries, other))
    return entries


def _joined(entries: Entries, told: int) -> Entries:
    number = told & _ORDER_MASK
    for known in entries:
        if known & _ORDER_MASK == number:
            if known <= told:
                return entries
            return sorted([*(entry for entry in entries if entry != known), told])
    return sorted([*entries, told])


def standing(entries: Entries, over: int) -> Standing:
    """Return how a person with these entries stands once the hours below `over` are over."""
    now = over * HOUR_SECONDS
    new, orders, last = 0, 0, _CANCELLED
    lapsed, returned = ([0] * len(ACTIVE_DAYS) for _ in range(2))
    for entry in entries:
        at = _seconds(entry)
        if at == _CANCELLED:
            continue
        if at >= now:
            break
        if last != _CANCELLED:
            _add_gone(lapsed, at - last)
        if _is_erasure(entry):
            orders, last = 0, _CANCELLED
            continue
        if last == _CANCELLED:
            new += 1
        else:
            _add_gone(returned, at - last)
        orders, last = orders + 1, at
    if last == _CANCELLED:
        return Standing(new, tuple(lapsed), tuple(returned))
    _add_gone(lapsed, now - last)
    recency = bisect_left(_RECENCY_SECONDS, now - last)
    return Standing(new, tuple(lapsed), tuple(returned), recency, orders)


def _add_gone(counts: list[int], silence: int) -> None:
    """Count this silence under each window that it is longer than."""
    for index, window in enumerate(_ACTIVE_SECONDS):
        if silence > window:
            counts[index] += 1


def next_due(entries: Entries, over: int) -> int | None:
    """Return the first hour, not over yet, after which the person stands otherwise; None: there is none."""
    now = over * HOUR_SECONDS
    last, ahead = _CANCELLED, []
    for entry in entries:
        at = _seconds(entry)
        if at == _CANCELLED:
            continue
        if at >= now:
            ahead.append(at // HOUR_SECONDS)
            break
        last = at
        if _is_erasure(entry):
            last = _CANCELLED
            marked = at // HOUR_SECONDS
            ahead += [
                hour
                for hour in (marked + ERASED_KEPT_HOURS, marked + _HORIZON_HOURS)
                if hour >= over
            ]
    if last != _CANCELLED:
        passed = bisect_left(_RECENCY_SECONDS, now - last)
        ahead += [(last + bound) // HOUR_SECONDS for bound in _RECENCY_SECONDS[passed : passed + 1]]
    return min(ahead, default=None)


def forgotten_until(entries: Entries, over: int) -> int:
    """Return up to which second what is told of this person is to be forgotten; 0: nothing is."""
    for entry in reversed(entries):
        if _is_erasure(entry) and _seconds(entry) // HOUR_SECONDS + ERASED_KEPT_HOURS < over:
            return _seconds(entry)
    return 0


def without_forgotten(entries: Entries, over: int) -> Entries:
    """Return what is left when erased stories are forgotten; their marks stay as long as `identities`."""
    until = forgotten_until(entries, over)
    if not until:
        return entries
    return [
        entry
        for entry in entries
        if _seconds(entry) > until
        or (_is_erasure(entry) and _seconds(entry) // HOUR_SECONDS + _HORIZON_HOURS >= over)
    ]


@dataclass(slots=True)
class Purchases:
    """Person → the hour at which to look at them again, and their entries."""

    people: People = field(default_factory=People)
    packed: dict[int, bytes] = field(default_factory=dict)

    def entries(self, person: int) -> Entries:
        """Return what is known of this person."""
        return self.look(person)[1]

    def look(self, person: int) -> tuple[int, Entries]:
        """Return the hour at which to look again (0: not asked for), and what is known."""
        packed = self.packed.get(person)
        if packed is None:
            return 0, ()
        due, *entries = struct.unpack(f"<I{len(packed) // 8}Q", packed)
        return due, entries

    def keep(self, person: int, due: int, entries: Entries) -> None:
        """Keep this and nothing else of the person; nothing at all where there is nothing."""
        if entries:
            self.packed[person] = struct.pack(f"<I{len(entries)}Q", due, *entries)
        else:
            self.packed.pop(person, None)

    def bought(self, person: int, after: datetime, by: datetime) -> bool:
        """Return whether the person bought later than `after` and no later than `by`."""
        return any(not _is_erasure(entry) for entry in self._between(person, after, by))

    def was_erased(self, person: int, since: datetime, by: datetime) -> bool:
        """Return whether the person was erased later than `since` and no later than `by`."""
        return any(_is_erasure(entry) for entry in self._between(person, since, by))

    def _between(self, person: int, after: datetime, by: datetime) -> Iterable[int]:
        first, last = after.timestamp(), by.timestamp()
        return (entry for entry in self.entries(person) if first < _seconds(entry) <= last)
