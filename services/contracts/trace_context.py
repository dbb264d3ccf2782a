"""W3C Trace Context on records: which trace an event belongs to, the same wherever and whenever it is asked.

Whoever names no trace is in one derived from the event's own name.  So the records of a replay carry
what the first ones did, and no tracing system need be there for one id to join what belongs together.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

from services.contracts.envelope import Event

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
"""Names of the headers, of records and of requests."""

KafkaHeaders = Sequence[tuple[str, bytes | None]]

_WELL_FORMED = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_LONGEST_STATE = 512
_ONE_LINE = re.compile(r"[\x20-\x7e]*")
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace."""

    traceparent: str
    tracestate: str | None = None
    """What tracing systems on the way wrote beside it; carried, never read."""

    @property
    def trace_id(self) -> str:
        """The trace, 32 hexadecimal digits."""
        return self.traceparent[3:35]

    @property
    def span_id(self) -> str:
        """The span in it, 16 hexadecimal digits."""
        return self.traceparent[36:52]

    @property
    def is_sampled(self) -> bool:
        """Whether who wrote it may have recorded it."""
        return bool(int(self.traceparent[53:55], 16) & 1)

    @property
    def in_one_line(self) -> str:
        """Both, for `from_one_line`."""
        return f"{self.traceparent} {self.tracestate}" if self.tracestate else self.traceparent

    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """The headers of a record in this place."""
        parent = (TRACEPARENT, self.traceparent.encode())
        if self.tracestate is None:
            return (parent,)
        return (parent, (TRACESTATE, self.tracestate.encode()))


def parse(traceparent: str | None, tracestate: str | None = None) -> TraceContext | None:
    """Return the place that these say; None: they say none, or not as the standard wants it.

    What a later version of the standard puts behind the flags is left out.  A state that is none, or too
    long, is left out, too.
    """
    found = None if traceparent is None else _WELL_FORMED.fullmatch(traceparent)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if (
        version == "ff"
        or (version == "00" and more)
        or trace_id == _NO_TRACE
        or span_id == _NO_SPAN
    ):
        return None
    is_kept = tracestate and len(tracestate) <= _LONGEST_STATE and _ONE_LINE.fullmatch(tracestate)
    return TraceContext(f"00-{trace_id}-{span_id}-{flags}", tracestate if is_kept else None)


def from_one_line(line: str) -> TraceContext:
    """Return the place that `TraceContext.in_one_line` gave."""
    traceparent, _, tracestate = line.partition(" ")
    return TraceContext(traceparent, tracestate or None)


def derived(*parts: str) -> TraceContext:
    """Return the place that these parts always give, in this order.

    Not a UUID: its fixed bits would lie where samplers look for chance.
    """
    name = blake2b(
        _SEPARATOR.join(parts).encode(), digest_size=24, person=b"care-trace"
    ).hexdigest()
    return TraceContext(f"00-{name[:32]}-{name[32:]}-01")


def of_event(event: Event[Any]) -> TraceContext:
    """Return the place of an event: the one it names, else the one derived from its source and id."""
    return parse_event(event) or derived("event", event.source, event.id)


def parse_event(event: Event[Any]) -> TraceContext | None:
    """Return the place that an event itself names, or None."""
    return parse(event.traceparent, event.tracestate)


def of_record(event: Event[Any], headers: KafkaHeaders) -> TraceContext:
    """Return the place of an event on a topic: its record's, else its own."""
    return of_headers(headers) or of_event(event)


def of_headers(headers: KafkaHeaders) -> TraceContext | None:
    """Return the place that a record's headers name, or None."""
    parent = state = None
    for name, value in headers:
        if name == TRACEPARENT:
            parent = value
        elif name == TRACESTATE:
            state = value
    return None if parent is None else parse(_text(parent), _text(state))


def of_problem(problem_id: UUID) -> TraceContext:
    """Return the place of what no event but the passing of time brought about in a problem."""
    return derived("problem", str(problem_id))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
