"""Who somebody is: which ids are another name of somebody, and who is to be forgotten.  Pure.

An id that was merged away sends what is known of it, and whatever is told of it later, to the partition
of the id that stays.  An id that was erased is remembered, with the instant, by its keyed hash alone: what
is dated up to then is never applied again, however late it comes.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from services.churn_predictor.erasing import erase
from services.churn_predictor.exchange import Owners
from services.churn_predictor.facts import Facts, Stamp, stamps_in
from services.churn_predictor.learning import latest
from services.churn_predictor.merging import merge_into
from services.churn_predictor.moves import Arrivals, Move, read_move
from services.churn_predictor.state import INTERNAL, CustomerState, Episode, Identity
from services.contracts.envelope import Event
from services.contracts.people import CustomerErased, CustomerMerged

MOVE_KEY = INTERNAL + b"move-"
NAME_KEY = INTERNAL + b"name-"
SAMPLE_KEY = INTERNAL + b"names"
_NOBODY = ""
"""No customer's id is empty: its hashes show by which keys all others were made."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """How ids are remembered that must not be read in what is stored."""

    keys: tuple[bytes, ...] = (b"",)
    """The last is used, and what was remembered with any is known again.

    Whoever has one can tell whether an id was erased; without one anybody can who has the state.
    """

    def name(self, customer_id: str) -> str:
        """Return the hash under which this id is to be remembered (HMAC with SHA-256)."""
        return _hash(self.keys[-1], customer_id)

    def names(self, customer_id: str) -> Iterator[str]:
        """Yield every hash under which this id may be remembered, the newest first."""
        return (_hash(key, customer_id) for key in reversed(self.keys))


def _hash(key: bytes, customer_id: str) -> str:
    return hmac.digest(key, customer_id.encode(), "sha256").hex()


UNKEYED = Suppression()


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of an id for ever."""

    into: str | None = None
    """The id that stays where this one went away."""
    merged_at: datetime | None = None
    stays: bool = False
    """Whether it stays all the same: of ids that were merged in a circle, the least does."""
    erased: datetime | None = None
    numbered: int = 0
    """The greatest number of a problem that was forgotten with it."""

    @property
    def is_away(self) -> bool:
        """Whether what is told of it belongs to another id."""
        return self.into is not None and not self.stays


_STRANGER = Known()
_KNOWN: TypeAdapter[Known] = TypeAdapter(Known)


def note(customer: CustomerState, event: Event[Any]) -> None:
    """Keep what this event says about who the customer is until the next look at them.

    Of several ids into which one was merged the one that was named first counts (`contracts.identities`).
    """
    said = event.data
    if isinstance(said, CustomerMerged) and said.into != event.customer_id:
        identity = customer.identity = customer.identity or Identity()
        if identity.merged is None:
            identity.into = said.into
            identity.merged = Stamp(event.time, event.source, event.id)
    elif isinstance(said, CustomerErased):
        identity = customer.identity = customer.identity or Identity()
        identity.erased = latest(identity.erased, event.time)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of somebody at a look."""

    is_here: bool
    """Whether they are still known by this id."""
    is_news: bool
    """Whether that, or up to when they are forgotten, is new."""
    over: list[Episode]
    """The open problems that were forgotten."""


class Identities:
    """Of the ids of one partition."""

    def __init__(self, number: int, owners: Owners, suppression: Suppression) -> None:
        """Know nothing yet.

        Args:
            number: Of this partition.
            owners: Of customers.
            suppression: How ids are remembered.
        """
        self.has_spoken = False
        """Whether anybody was sent away at the last tick."""
        self._number = number
        self._owners = owners
        self._suppression = suppression
        self._samples = frozenset(suppression.names(_NOBODY))
        self._found_samples: tuple[str, ...] = ()
        self._known: dict[str, Known] = {}
        self._changed: set[str] = set()
        self._arrivals = Arrivals(MOVE_KEY)
        self._leaving: list[Move] = []

    @staticmethod
    def owns(key: bytes) -> bool:
        """Whether what is stored under this key is told to `take_in`."""
        return key.startswith((NAME_KEY, MOVE_KEY)) or key == SAMPLE_KEY

    @property
    def is_of_another_key(self) -> bool:
        """Whether ids that are remembered here were hashed with a key that is none of ours."""
        return not self._samples.issuperset(self._found_samples)

    def take_in(self, key: bytes, value: bytes | None) -> None:
        """Follow what is stored under one of our keys."""
        if key.startswith(MOVE_KEY):
            self._arrivals.take_in(key, value)
        elif key == SAMPLE_KEY:
            self._found_samples = () if value is None else tuple(value.decode().splitlines())
        elif value is not None:
            name = key.removeprefix(NAME_KEY).decode()
            self._known[name] = _KNOWN.validate_json(value)

    def take(self, offset: int, value: bytes | None) -> None:
        """Hold a record of the topic until its tick; raises `Unreadable`."""
        self._arrivals.add(offset, read_move(value))

    def is_forgotten(self, event: Event[Any]) -> bool:
        """Whether an event is dated no later than its customer was to be forgotten up to.

        A merge counts whenever it is told: the id that goes away is another name of the other for ever.
        """
        if not self._known or isinstance(event.data, CustomerMerged):
            return False
        erased = self._of(event.customer_id).erased
        return erased is not None and event.time <= erased

    def due(self, tick: int) -> list[Move]:
        """Remove and return who was sent here before this tick."""
        return self._arrivals.due(tick)

    def receive(self, customer: CustomerState, move: Move) -> list[Episode]:
        """Add what was sent to what is known; return the open problems that are over by that."""
        over: list[Episode] = []
        erased = self._of(move.customer).erased
        if erased is not None and any(s.at <= erased for s in stamps_in(move.state.facts)):
            over += erase(move.state, erased)
        over += merge_into(customer, move.state)
        identity = customer.identity = customer.identity or Identity()
        identity.path = max(identity.path, move.path, key=lambda path: (len(path), path))
        if move.erased is not None:
            identity.erased = latest(identity.erased, move.erased)
        return over

    def concerns(self, customer_id: str, customer: CustomerState) -> bool:
        """Whether there is more to a look at this customer than what is known of them."""
        return customer.identity is not None or self._of(customer_id) is not _STRANGER

    def settle_one(self, customer_id: str, customer: CustomerState, tick: int) -> Settled:
        """Forget what is to be forgotten, and send away who is known by another id."""
        before, over = self._of(customer_id), list[Episode]()
        identity = customer.identity or Identity()
        customer.identity = None
        after = _turned(customer_id, _merged(before, identity), identity.path)
        if identity.erased is not None and latest(before.erased, identity.erased) != before.erased:
            over = erase(customer, identity.erased)
            after = replace(after, erased=identity.erased, numbered=customer.numbered)
        customer.numbered = max(customer.numbered, after.numbered)
        if after != before:
            name = self._suppression.name(customer_id)
            self._known[name] = after
            self._changed.add(name)
        if after.into is not None and after.is_away:
            path = (*identity.path, customer_id)
            moved, erased = _take_all(customer), _passed_on(before, after)
            if erased is not None or moved.episodes or moved.facts != Facts():
                self._leaving.append(Move(self._number, tick, after.into, path, moved, erased))
        return Settled(not after.is_away, after != before, over)

    def letters(self) -> Iterator[tuple[int, Move]]:
        """Yield what is to be written to which partition."""
        self.has_spoken = bool(self._leaving)
        for move in self._leaving:
            yield self._owners.of(move.customer), move
        self._leaving.clear()

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield stored key and value of all that changed since the last `settle`."""
        samples = self._samples_with_ours()
        if self._changed and samples != self._found_samples:
            yield SAMPLE_KEY, "\n".join(samples).encode()
        for name in sorted(self._changed):
            yield NAME_KEY + name.encode(), _KNOWN.dump_json(self._known[name])
        yield from self._arrivals.changes()

    def settle(self) -> None:
        """Count all changes as committed."""
        if self._changed:
            self._found_samples = self._samples_with_ours()
        self._changed.clear()
        self._arrivals.settle()

    def _of(self, customer_id: str) -> Known:
        if not self._known:
            return _STRANGER
        names = self._suppression.names(customer_id)
        return next((self._known[name] for name in names if name in self._known), _STRANGER)

    def _samples_with_ours(self) -> tuple[str, ...]:
        """Return those of every key that was used, with the one that is used now."""
        return tuple(dict.fromkeys((*self._found_samples, self._suppression.name(_NOBODY))))


def _merged(known: Known, identity: Identity) -> Known:
    """Note into whom somebody was merged; who was merged before goes there or stays, as it was."""
    if identity.merged is None or known.into is not None:
        return known
    return replace(known, into=identity.into, merged_at=identity.merged.at, stays=False)


def _turned(customer_id: str, known: Known, path: tuple[str, ...]) -> Known:
    """Let the least id of a circle stay, once something has come round it to there."""
    if not known.is_away or customer_id not in path:
        return known
    last_here = len(path) - 1 - path[::-1].index(customer_id)
    return replace(known, stays=customer_id == min(path[last_here:]))


def _passed_on(before: Known, after: Known) -> datetime | None:
    """Return up to when the id that stays is to be forgotten; None: that changes nothing for it.

    An id that was erased before it was merged was somebody of whom the other was not known to be one.
    """
    if after.erased is None or after.merged_at is None:
        return None
    if before.is_away:
        return after.erased if after.erased != before.erased else None
    return after.erased if after.erased >= after.merged_at else None


def _take_all(customer: CustomerState) -> CustomerState:
    """Take everything away but the names of applied events: a repeated one is still a duplicate."""
    moved = replace(customer, seen=dict(customer.seen), asked={}, due=None, waits={})
    customer.facts, customer.asked, customer.told = Facts(), {}, {}
    customer.episodes, customer.assessed = {}, {}
    customer.touched, customer.due, customer.waits = False, None, {}
    return moved
