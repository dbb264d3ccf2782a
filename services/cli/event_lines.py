"""Events in a file, one a line, as `care simulate-shop --out` writes them; read as the door reads.  Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from pydantic_core import to_json

from services.contracts.envelope import Event
from services.contracts.events import Fault, Unreadable
from services.contracts.topics import MAX_EVENT_BYTES
from services.ingest.reading import Reading, Refused, read_one
from services.ingest.strict_json import parse

_EVENT = "event"
"""What a line holds that tells more than the event itself."""


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
        reading = _read(raw, now)
        if isinstance(reading, Refused):
            yield Line(number, None, _told(reading))
        else:
            yield Line(number, reading.event)


def name_of(event: Event[Any]) -> bytes:
    """Return a short name that two events share where the predictor takes them for one."""
    parts = (event.partitionkey, event.source, event.id)
    return blake2b("\n".join(parts).encode(), digest_size=16).digest()


def _read(raw: bytes, now: datetime) -> Reading:
    try:
        document = parse(raw)
    except Unreadable as error:
        return Refused(error.reason, error.faults)
    body = document.value
    if isinstance(body, dict) and "specversion" not in body and _EVENT in body:
        if ambiguities := document.faults():
            return Refused("invalid", ambiguities)
        raw = to_json(body[_EVENT])
    if len(raw) > MAX_EVENT_BYTES:
        fault = Fault("", "too_large", f"an event may have {MAX_EVENT_BYTES} bytes")
        return Refused("too_large", (fault,))
    return read_one(raw, now)


def _told(refused: Refused) -> str:
    faults = "; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in refused.faults)
    return f"{refused.reason}: {faults}"
