"""What goes onto the topics, and what is known of it afterwards.  No I/O here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.contracts.envelope import STRUCTURED, Event
from services.contracts.topics import Topic
from services.contracts.trace_context import TraceContext, of_event

Headers = tuple[tuple[str, bytes], ...]
_STRUCTURED: Headers = (("content-type", STRUCTURED.encode()),)


@dataclass(frozen=True, slots=True)
class Record:
    """What goes onto a topic; the key decides the partition."""

    topic: Topic
    key: bytes
    value: bytes
    headers: Headers = _STRUCTURED

    @property
    def size(self) -> int:
        """Bytes held until the outcome is known."""
        return len(self.key) + len(self.value)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has it, on all replicas that must have it."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not be there: whoever sent it must send it again under the same id."""

    because: str


Outcome = Acknowledged | Unknown


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The broker acknowledged the same event before; nothing was written again."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """The broker acknowledged another event of this source and id before; nothing was written."""


Told = Outcome | Duplicate | Conflict
"""What a publisher is told of an event that can be read."""


class Publisher(Protocol):
    """Writes records and says what became of each."""

    async def publish(self, records: Sequence[Record]) -> list[Outcome]:
        """Return one outcome per record, in their order, within a bounded time.

        Records with the same key keep their order.

        Raises:
            Overloaded: no room; nothing was sent.
        """
        ...


def record_of(event: Event[Any], topic: Topic, trace: TraceContext | None = None) -> Record:
    """Return the record of an event: structured JSON, keyed by customer; in this trace, None: its own.

    The trace is a header alone, so that the event is told as it came.
    """
    headers = (*_STRUCTURED, *(trace or of_event(event)).headers)
    return Record(topic, event.partitionkey.encode(), event.encode(), headers)
