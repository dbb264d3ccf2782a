"""What a body says: events to publish, and what is refused with every fault.  No I/O, no clock.

Values never leave through a fault: they may be personal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from services.contracts.envelope import Event, Identifier, Source
from services.contracts.events import (
    FACTS,
    FROM_OUTSIDE,
    TOPIC_OF,
    Fault,
    Unreadable,
    pointer,
    read_strictly,
)
from services.contracts.topics import MAX_EVENT_BYTES, MAX_FUTURE_SKEW, Topic
from services.contracts.trace_context import TraceContext, of_event, parse_event
from services.ingest.strict_json import Document, parse

MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 1024 * 1024
MAX_FAULTS = 50
"""Faults told about one event; the rest would only make the answer longer than the question."""

_MAX_POINTER = 256
_SKEW_HOURS = int(MAX_FUTURE_SKEW.total_seconds() // 3600)

_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)
_SOURCE: TypeAdapter[str] = TypeAdapter(Source)


@dataclass(frozen=True, slots=True)
class Readable:
    """An event that may be published, on this topic."""

    event: Event[Any]
    topic: Topic
    trace: TraceContext
    """Where it belongs: the place it names, else its request's, else one derived from its own name."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that may not, and why.  Sending it again unchanged will not help."""

    reason: str
    """One word for counters, for example `not_json`, `unknown_type`, `too_far_ahead`."""
    faults: tuple[Fault, ...]
    topic: Topic | None = None
    """Where it would have gone, if that much could be told."""
    id: str | None = None
    source: str | None = None


Reading = Readable | Refused


class BatchTooLong(Exception):
    """More events in one batch than the door takes."""


def read_one(raw: bytes, now: datetime, around: TraceContext | None = None) -> Reading:
    """Return what a body with one structured event says; `around` is the trace of the request."""
    try:
        document = parse(raw)
    except Unreadable as error:
        return Refused(error.reason, error.faults)
    return _read(document.value, document.faults(), now, around)


def read_binary(
    headers: Sequence[tuple[str, str]],
    raw: bytes,
    now: datetime,
    around: TraceContext | None = None,
) -> Reading:
    """Return what a body in binary mode says.

    Args:
        headers: Name without `ce-`, and value, of each CloudEvents header as it came.
        raw: The event's data, JSON.
        now: The deployment's time.
        around: The trace of the request.
    """
    try:
        attributes = _attributes(headers)
        data = parse(raw)
    except Unreadable as error:
        return Refused(error.reason, error.faults)
    event = {**attributes, "data": data.value}
    is_suspect = data.is_suspect or any("\x00" in value for value in attributes.values())
    return _read(event, Document(event, is_suspect).faults(), now, around)


def read_batch(
    raw: bytes, now: datetime, around: TraceContext | None = None
) -> list[Reading] | Refused:
    """Return what each item says, in order; one `Refused` where the body is no batch at all.

    Args:
        raw: The body.
        now: The deployment's time.
        around: The trace of the request; an item's own goes before it.

    Raises:
        BatchTooLong: more than `MAX_BATCH_EVENTS` items.
    """
    try:
        document = parse(raw)
    except Unreadable as error:
        return Refused(error.reason, error.faults)
    if not isinstance(document.value, list):
        fault = Fault("", "not_a_batch", "must be a JSON array of events")
        return Refused("not_an_event", (fault,))
    if len(document.value) > MAX_BATCH_EVENTS:
        raise BatchTooLong
    weigh, items = len(raw) > MAX_EVENT_BYTES, range(len(document.value))
    return [_read_item(document, index, now, weigh, around) for index in items]


def _read_item(
    document: Document, index: int, now: datetime, weigh: bool, around: TraceContext | None
) -> Reading:
    item = document.value[index]  # type: ignore[index]
    faults = document.faults((index,))
    if weigh and len(to_json(item, inf_nan_mode="null")) > MAX_EVENT_BYTES:
        detail = f"an event may have {MAX_EVENT_BYTES} bytes"
        return _refused(item, "too_large", (Fault("", "too_large", detail),))
    return _read(item, faults, now, around)


def _attributes(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for name, value in headers:
        if name in attributes or name == "data":
            raise _bad_header(name, "repeated_name", "this attribute is given more than once")
        try:
            # CloudEvents' HTTP binding percent-encodes what a header cannot hold.
            attributes[name] = unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise _bad_header(name, "not_utf8", "must be percent-encoded UTF-8") from None
    return attributes


def _bad_header(name: str, code: str, detail: str) -> Unreadable:
    return Unreadable("invalid", (Fault(pointer((name,)), code, detail),))


def _read(
    event: object, ambiguities: tuple[Fault, ...], now: datetime, around: TraceContext | None
) -> Reading:
    if ambiguities:
        return _refused(event, "invalid", ambiguities)
    name = event.get("type") if isinstance(event, dict) else None
    if isinstance(name, str) and name not in FROM_OUTSIDE:
        return _refused(event, "unknown_type", (_not_from_outside(name),))
    try:
        read = read_strictly(event)
    except Unreadable as error:
        return _refused(event, error.reason, error.faults)
    if read.time > now + MAX_FUTURE_SKEW:
        detail = f"lies more than {_SKEW_HOURS} hours ahead of this deployment's clock"
        return _refused(event, "too_far_ahead", (Fault("/time", "too_far_ahead", detail),))
    trace = of_event(read) if around is None else parse_event(read) or around
    return Readable(read, TOPIC_OF[type(read.data)], trace)


def _not_from_outside(name: str) -> Fault:
    if name in FACTS:
        return Fault("/type", "not_from_outside", "only this system itself writes this type")
    return Fault("/type", "unknown_type", "no event type of this name is known")


def _refused(event: object, reason: str, faults: tuple[Fault, ...]) -> Refused:
    members = event if isinstance(event, dict) else {}
    fact = FACTS.get(str(members.get("type"))) if reason != "unknown_type" else None
    return Refused(
        reason,
        _bounded(faults),
        TOPIC_OF[fact] if fact else None,
        _well_formed(_IDENTIFIER, members.get("id")),
        _well_formed(_SOURCE, members.get("source")),
    )


def _bounded(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    told = [Fault(f.pointer[:_MAX_POINTER], f.code, f.detail) for f in faults[:MAX_FAULTS]]
    if len(faults) > MAX_FAULTS:
        told.append(Fault("", "more_faults", f"and {len(faults) - MAX_FAULTS} more"))
    return tuple(told)


def _well_formed(adapter: TypeAdapter[str], value: object) -> str | None:
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError:
        return None
