"""What somebody wants to know of an event: the path as it came, and what narrows the search.  Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from pydantic import TypeAdapter, ValidationError

from services.contracts.envelope import CustomerId, Identifier, Instant, Source
from services.contracts.events import FACTS, FROM_OUTSIDE, TOPIC_OF, Fault
from services.contracts.topics import OUTSIDE, PERSONAL, PREDICTOR_SOURCES, Topic
from services.ingest.memory import Remembered

T = TypeVar("T")

PATH = b"/v1/events/"
NARROWING = ("customer", "type", "topic", "since")
"""Parameters of the query; each may be given once."""

_SOURCE: TypeAdapter[str] = TypeAdapter(Source)
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)
_CUSTOMER: TypeAdapter[str] = TypeAdapter(CustomerId)
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
_BY_NAME = {topic.name: topic for topic in OUTSIDE}


class Unanswerable(Exception):
    """The question cannot be read; sending it again unchanged will not help."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.detail for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was put."""

    source: str
    id: str
    customer: str | None = None
    topic: Topic | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look."""

    topics: tuple[Topic, ...]
    """Those that may be read here: none with personal data."""
    partition: int | None
    since: datetime


def read_question(raw_path: bytes, query: Sequence[tuple[str, str]]) -> Asked:
    """Return the question in a path, still percent-encoded, and its query.

    Raises:
        Unanswerable: with each thing wrong.
    """
    segments = raw_path.partition(PATH)[2].split(b"/")
    if len(segments) != 2:
        detail = "give a source and an id as two segments: write a slash inside one as %2F"
        raise Unanswerable([Fault("", "path", detail)])
    narrowing = _once(query)
    source = _text("source", _SOURCE, segments[0])
    event_id = _text("id", _IDENTIFIER, segments[1])
    return Asked(
        source,
        event_id,
        _value("customer", narrowing, _CUSTOMER.validate_python, "must be a customer's id"),
        _topic(narrowing),
        _value("since", narrowing, _INSTANT.validate_python, "must be an instant with its zone"),
    )


def scope_of(
    asked: Asked,
    remembered: Remembered | None,
    *,
    partition_of: Callable[[str], int],
    earliest: datetime,
) -> Scope:
    """Return where to look for an event.

    Args:
        asked: The question.
        remembered: What this replica knows of the event.
        partition_of: Customer → the partition their records are on.
        earliest: Where looking begins if the question does not say.
    """
    partition = None
    if asked.customer is not None:
        partition = partition_of(asked.customer)
    elif remembered is not None and remembered.place is not None:
        partition = remembered.place.partition
    return Scope(_topics(asked, remembered), partition, asked.since or earliest)


def _topics(asked: Asked, remembered: Remembered | None) -> tuple[Topic, ...]:
    """Return the topics to look at; none where the event's holds personal data, which only outreach reads."""
    topic = asked.topic or (None if remembered is None else remembered.topic)
    if topic in PERSONAL:
        return ()
    # Not the event's own alone: the predictor knows an id again from each of its topics.
    return PREDICTOR_SOURCES if asked.topic is None else (asked.topic,)


def _once(query: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in query:
        if name not in NARROWING or name in found:
            allowed = ", ".join(NARROWING)
            raise Unanswerable([Fault("", "query", f"the query may give {allowed}, each once")])
        found[name] = value
    return found


def _text(name: str, adapter: TypeAdapter[str], segment: bytes) -> str:
    try:
        return adapter.validate_python(unquote_to_bytes(segment).decode())
    except ValueError:
        detail = f"{name} must be what an event may have, percent-encoded UTF-8"
        raise Unanswerable([Fault("", name, detail)]) from None


def _value(
    name: str, narrowing: Mapping[str, str], read: Callable[[str], T], rule: str
) -> T | None:
    if name not in narrowing:
        return None
    try:
        return read(narrowing[name])
    except ValidationError:
        raise Unanswerable([Fault("", name, f"{name} {rule}")]) from None


def _topic(narrowing: Mapping[str, str]) -> Topic | None:
    wanted = {narrowing["topic"]} if "topic" in narrowing else set[str]()
    if "type" in narrowing:
        if narrowing["type"] not in FROM_OUTSIDE:
            raise Unanswerable([Fault("", "type", "type must be one that publishers may send")])
        wanted.add(TOPIC_OF[FACTS[narrowing["type"]]].name)
    if len(wanted) > 1 or not wanted <= _BY_NAME.keys():
        names = ", ".join(_BY_NAME)
        raise Unanswerable([Fault("", "topic", f"topic must be the type's, one of {names}")])
    return _BY_NAME[wanted.pop()] if wanted else None
