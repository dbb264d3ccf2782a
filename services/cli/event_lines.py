"""Events in a file, one a line, as `care simulate-shop --out` writes them; read as the door reads.  Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from services.contracts.envelope import Event
from services.ingest.reading import Refused
from services.publisher_kit.pieces import read_alone


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank."""

    number: int
    event: Event[Any] | None
    why: str = ""
    """Why there is no event: reason and faults, without a value of it."""


def read_lines(lines: Iterable[bytes], now: datetime) -> Iterator[Line]:
    """Yield what each line says.

    Args:
        lines: Each is an event, or an object whose `event` is one.
        now: What the door would take the time to be.
    """
    for number, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        reading = read_alone(raw, now)
        if isinstance(reading, Refused):
            yield Line(number, None, _told(reading))
        else:
            yield Line(number, reading.event)


def name_of(event: Event[Any]) -> bytes:
    """Return a short name that two events share where the predictor takes them for one."""
    parts = (event.partitionkey, event.source, event.id)
    return blake2b("\n".join(parts).encode(), digest_size=16).digest()


def _told(refused: Refused) -> str:
    faults = "; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in refused.faults)
    return f"{refused.reason}: {faults}"
