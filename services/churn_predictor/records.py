"""Records as a partition takes them: what is needed of one, and how ticks and news are read."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from services.contracts.envelope import Event
from services.contracts.events import Fault, Unreadable
from services.contracts.stream import Tick
from services.contracts.topics import Topic

_TICK_SKEW = timedelta(minutes=5)
"""How far the clock of another worker may be ahead of ours."""

M = TypeVar("M", bound=BaseModel)


class Record(Protocol):
    """What is needed of a Kafka record."""

    @property
    def offset(self) -> int:
        """Position in its partition."""

    @property
    def timestamp(self) -> int:
        """When it was accepted, in milliseconds since 1970; negative: nobody says."""

    @property
    def key(self) -> bytes | None:
        """The record's key."""

    @property
    def value(self) -> bytes | None:
        """The record's bytes."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """The record's headers."""


class Read(Protocol):
    """Reads a record as an event; raises `Unreadable`."""

    def __call__(
        self,
        topic: Topic,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> Event[Any]:
        """Return the event in a record of this topic."""


def read_plain(model: type[M], value: bytes | None) -> M:
    """Return the record of our own in these bytes; raises `Unreadable`."""
    try:
        return model.model_validate_json(value or b"")
    except ValidationError as error:
        raise Unreadable(
            "invalid", (Fault("", "invalid", f"{error.error_count()} faults"),)
        ) from None


def read_tick(record: Record, now: datetime | None) -> Tick:
    """Return the tick in a record; raises `Unreadable`, also where it lies too far ahead of `now`."""
    tick = read_plain(Tick, record.value)
    if tick.barrier is None and now is not None and tick.at > now + _TICK_SKEW:
        # Time never runs backwards here: one tick from the future would stop it until then.
        raise Unreadable("future", (Fault("/at", "future", "a tick ahead of the clock"),))
    return tick
