"""What is known of somebody, on its way to the id that stays; it counts from the next tick on.  Pure.

As with news of histories: another partition may be a tick ahead, and only by waiting for the tick after
the one at which it was sent does a move count from the same tick on in every run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from services.churn_predictor.state import FORMAT, CustomerState
from services.churn_predictor.trust import refuse_newer
from services.contracts.envelope import CustomerId
from services.contracts.events import Fault, Unreadable


@dataclass(frozen=True, slots=True)
class Move:
    """One customer's state, sent at a tick by one partition to that of another id."""

    partition: int
    """Who sends it."""
    tick: int
    customer: CustomerId
    """The id under which it is known from now on."""
    path: tuple[CustomerId, ...]
    """The ids under which it was known before, the last one last."""
    state: CustomerState
    erased: datetime | None = None
    """Up to when whoever has that id is to be forgotten, too."""
    format: int = FORMAT
    """In which the state is written."""

    def encode(self) -> bytes:
        """Return the JSON on the topic."""
        return _MOVE.dump_json(self)


_MOVE: TypeAdapter[Move] = TypeAdapter(Move)


def read_move(value: bytes | None) -> Move:
    """Return the move in a record.

    Raises:
        Unreadable: it is none.
        WrittenByNewer: by a version whose state this one does not know; it must not be set aside.
    """
    try:
        refuse_newer(value or b"")
        return _MOVE.validate_json(value or b"")
    except ValidationError as error:
        fault = Fault("", "invalid", f"{error.error_count()} faults")
        raise Unreadable("invalid", (fault,)) from None


class Arrivals:
    """The moves that one partition has read and not taken in, by their offset."""

    def __init__(self, prefix: bytes) -> None:
        """Hold nothing yet; `prefix` stands before each offset where moves are stored."""
        self._prefix = prefix
        self._moves: dict[int, Move] = {}
        self._stored: set[int] = set()
        self._changed: set[int] = set()

    def take_in(self, key: bytes, value: bytes | None) -> None:
        """Follow what is stored under one of our keys."""
        offset = int(key.removeprefix(self._prefix))
        if value is None:
            self._moves.pop(offset, None)
            self._stored.discard(offset)
        else:
            self._moves[offset] = read_move(value)
            self._stored.add(offset)

    def add(self, offset: int, move: Move) -> None:
        """Hold the move at this offset."""
        self._moves[offset] = move
        self._changed.add(offset)

    def due(self, tick: int) -> list[Move]:
        """Remove and return what was sent before this tick, in an order that is the same in every run."""
        found = [(m.tick, m.partition, o) for o, m in self._moves.items() if m.tick < tick]
        self._changed.update(offset for *_, offset in found)
        return [self._moves.pop(offset) for *_, offset in sorted(found)]

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield stored key and value of all that changed since the last `settle`."""
        for offset in sorted(self._changed):
            move, key = self._moves.get(offset), self._prefix + str(offset).encode()
            if move is not None:
                yield key, move.encode()
            elif offset in self._stored:
                yield key, None

    def settle(self) -> None:
        """Count all changes as committed."""
        for offset in self._changed:
            (self._stored.add if offset in self._moves else self._stored.discard)(offset)
        self._changed.clear()
