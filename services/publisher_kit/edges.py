"""Events at the edge of what the contract allows: a door must take every one of them.  Pure."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any, get_args
from urllib.parse import quote

from pydantic_core import to_json

from services.contracts.envelope import JSON
from services.contracts.events import FACTS
from services.contracts.people import ConsentStatus
from services.publisher_kit.checks import Sending
from services.publisher_kit.samples import (
    AGO,
    LONGEST_CUSTOMER,
    LONGEST_ID,
    Certification,
    Sample,
    harmless,
    is_readable,
    optional_fields,
)

_MOST_LINES = 500
_FAR_EAST = timezone(timedelta(hours=14))
AHEAD = timedelta(hours=1)
"""How far ahead of the door's clock the boldest sample lies."""
_PRINTABLE = "!#$&'()*+,-./0123456789:;<=>?@"


def edges(samples: list[Sample], of: Certification) -> Iterator[tuple[str, Sample]]:
    """Yield name and event of each edge a type has.

    Args:
        samples: Its examples, as `samples.examples` tells them.
        of: The certification.
    """
    first = samples[0]
    yield "nothing optional", _named(least(first), "least")
    yield "everything optional", _named(fullest(samples), "fullest")
    yield "longest ids", longest(first, of)
    yield "most easterly zone, microseconds", _named(_far_east(first, of), "zone")
    yield "an hour ahead", _named(first | {"time": (of.now + AHEAD).isoformat()}, "ahead")
    yield "extension attributes", _named(first | {"shopregion": "eu", "attempt": 2}, "extension")
    if "lines" in first["data"]:
        most = first["data"] | {"lines": first["data"]["lines"][:1] * _MOST_LINES}
        yield f"{_MOST_LINES} lines", _named(first | {"data": most}, "lines")


def least(event: Sample) -> Sample:
    """Return the event without every optional field that it can do without."""
    left = deepcopy(event)
    if left["data"].get("status") == ConsentStatus.GRANTED:
        # Without its dates it would hold.
        left["data"]["status"] = ConsentStatus.DENIED
    for path in optional_fields(event):
        without = deepcopy(left)
        inside: dict[str, Any] = without["data"] if path[0] == "data" and len(path) > 1 else without
        del inside[path[-1]]
        if is_readable(without):
            left = without
    return left


def fullest(samples: list[Sample]) -> Sample:
    """Return the first event with every optional field that any of the examples has."""
    full = deepcopy(samples[0])
    for other in samples[1:]:
        for name, value in other["data"].items():
            more = full | {"data": {name: value} | full["data"]}
            full = more if is_readable(more) else full
    subject = {"subject": "certification", "datacontenttype": JSON}
    return subject | full


def longest(event: Sample, of: Certification) -> Sample:
    """Return the event with ids as long as they may be, about a customer of its own."""
    long = _named(event, "longest") | {"partitionkey": of.longest, "subject": "s" * 256}
    assert len(of.longest) == LONGEST_CUSTOMER
    long["id"] = str(long["id"]).ljust(LONGEST_ID, "~")
    for name, value in event["data"].items():
        if name.endswith("_id"):
            more = long | {"data": long["data"] | {name: value.ljust(LONGEST_ID, "~")}}
            long = more if is_readable(more) else long
    return long


def every_value(event: Sample, of: Certification) -> list[Sample]:
    """Return one event for each value of each enumeration in the type's data."""
    found = []
    for name, field in FACTS[event["type"]].model_fields.items():
        for value in _values(field.annotation):
            data = harmless(event["data"] | {name: value}, of)
            told = _named(event | {"data": data}, f"{name}-{value}")
            found += [told] if is_readable(told) else []
    return found


def binary(event: Sample) -> Sending:
    """Return the event in binary mode: attributes as headers, the data as the body."""
    attributes = {name: value for name, value in _named(event, "binary").items() if name != "data"}
    headers = {
        f"ce-{name}": quote(str(value), safe=_PRINTABLE)
        for name, value in attributes.items()
        if name != "datacontenttype"
    }
    return Sending(to_json(event["data"]), {**headers, "content-type": JSON}, facts=1)


def _far_east(event: Sample, of: Certification) -> Sample:
    moment = (of.now - AGO).replace(microsecond=123456).astimezone(_FAR_EAST)
    return event | {"time": moment.isoformat()}


def _named(event: Sample, name: str) -> Sample:
    return event | {"id": f"{event['id']}:{name}"}


def _values(annotation: Any) -> list[str]:
    options = (annotation, *get_args(annotation))
    enums = [each for each in options if isinstance(each, type) and issubclass(each, Enum)]
    return [str(value) for each in enums for value in each]


def latest(of: Certification) -> datetime:
    """Return when the latest of all samples happens."""
    return of.now + AHEAD
