"""What a door must refuse, with the place where it is wrong.  Pure; none of it becomes a fact."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_json

from services.contracts.envelope import BATCH, JSON, STRUCTURED, Event
from services.contracts.events import FACTS
from services.contracts.problems import ProblemOpened
from services.contracts.topics import MAX_EVENT_BYTES, MAX_FUTURE_SKEW
from services.publisher_kit.checks import Expected, Sending
from services.publisher_kit.samples import Sample

_DEEP = 5000
_MAIL = "nobody@certification.invalid"
_WRONG = {"certification": ["of no type that any field has"]}
_NOT_JSON = Expected((400,))


@dataclass(frozen=True, slots=True)
class Poison:
    """One wrong request and what must come of it."""

    name: str
    sending: Sending
    expected: Expected


def in_events(event: Sample, now: datetime) -> Iterator[Poison]:
    """Yield what is wrong with an event of this type: each breaks the contract in one place.

    Args:
        event: One that is right.
        now: The door's time.
    """
    yield from _missing(event)
    yield from _of_wrong_types(event)
    yield from _out_of_bounds(event, now)


def _refused(name: str, event: Sample, pointer: str, code: str | None = None) -> Poison:
    told = event if "id" not in event else event | {"id": f"{event['id']}:{name}".replace(" ", "-")}
    return Poison(name, Sending(to_json(told)), Expected((422,), pointer, code))


def _missing(event: Sample) -> Iterator[Poison]:
    for name, field in Event.model_fields.items():
        if field.is_required():
            without = {key: value for key, value in event.items() if key != name}
            yield _refused(f"without {name}", without, f"/{name}", "missing")
    for name, field in FACTS[event["type"]].model_fields.items():
        if field.is_required():
            without = deepcopy(event)
            without["data"].pop(name, None)
            yield _refused(f"without data.{name}", without, f"/data/{name}", "missing")


def _of_wrong_types(event: Sample) -> Iterator[Poison]:
    for name in FACTS[event["type"]].model_fields:
        wrong = event | {"data": event["data"] | {name: _WRONG}}
        yield _refused(f"data.{name} of a wrong type", wrong, f"/data/{name}")
    yield _refused("data of a wrong type", event | {"data": "text"}, "/data")
    yield _refused("type of a wrong type", event | {"type": 5}, "/type")
    more = event["data"] | {"certification": True}
    yield _refused("a field nobody knows", event | {"data": more}, "/data/certification")


def _out_of_bounds(event: Sample, now: datetime) -> Iterator[Poison]:
    ahead = now + MAX_FUTURE_SKEW + timedelta(days=2)
    without_zone = now.replace(tzinfo=None).isoformat()
    yield _refused("from the future", event | {"time": ahead.isoformat()}, "/time", "too_far_ahead")
    yield _refused("time without its zone", event | {"time": without_zone}, "/time")
    yield _refused("time as a number", event | {"time": now.timestamp()}, "/time")
    yield _refused("a day for a time", event | {"time": now.date().isoformat()}, "/time")
    yield _refused(
        "a mail address for a customer", event | {"partitionkey": _MAIL}, "/partitionkey"
    )
    yield _refused("no customer", event | {"partitionkey": ""}, "/partitionkey")
    yield _refused("too long an id", event | {"id": "x" * 129}, "/id")
    yield _refused("white space in the source", event | {"source": "/a b"}, "/source")
    yield _refused("another version of CloudEvents", event | {"specversion": "0.3"}, "/specversion")


def in_requests(event: Sample) -> Iterator[Poison]:
    """Yield what is wrong whatever the type: bodies and headers that hold no event."""
    yield _refused(
        "unknown type", event | {"type": "care.certification.v1"}, "/type", "unknown_type"
    )
    ours = event | {"type": ProblemOpened.TYPE}
    yield _refused("a type of the services' own", ours, "/type", "not_from_outside")
    yield from _ambiguous(event)
    yield from _not_json(event)
    yield from _oversized(event)
    yield from _in_wrong_media(event)


def _ambiguous(event: Sample) -> Iterator[Poison]:
    def raw(name: str, body: bytes, pointer: str, code: str) -> Poison:
        return Poison(name, Sending(body), Expected((422,), pointer, code))

    whole = to_json(event | {"id": f"{event['id']}:ambiguous"})
    twice = b'{"id":"first",' + whole[1:]
    huge = whole[:-1] + b',"attempt":1e999}'
    nul = to_json(event | {"id": f"{event['id']}:nul", "subject": "a\x00b"})
    yield raw("a name given twice", twice, "/id", "repeated_name")
    yield raw("a number beyond all bounds", huge, "/attempt", "number_out_of_range")
    yield raw("the character NUL", nul, "/subject", "nul_character")
    yield raw("an array for an event", b"[" + whole + b"]", "", "not_an_event")
    yield raw("text for an event", b'"event"', "", "not_an_event")


def _not_json(event: Sample) -> Iterator[Poison]:
    whole = to_json(event | {"id": f"{event['id']}:not-json"})
    deep = b'{"data":' * _DEEP + b"1" + b"}" * _DEEP
    # Beyond what can be read, or beyond what may be sent.
    yield Poison("deep nesting", Sending(deep), Expected((400, 422)))
    bodies = {
        "nothing": b"",
        "half an event": whole[: len(whole) // 2],
        "NaN": whole[:-1] + b',"attempt":NaN}',
        "not UTF-8": whole[:-1] + b',"shopregion":"\xff\xfe"}',
        "half a character": whole[:-1] + b',"shopregion":"\\ud800"}',
        "XML": b"<event/>",
    }
    for name, body in bodies.items():
        yield Poison(name, Sending(body), _NOT_JSON)


def _oversized(event: Sample) -> Iterator[Poison]:
    large = to_json(event | {"subject": "x" * MAX_EVENT_BYTES})
    many = b"[" + b"{}," * 500 + b"{}]"
    yield Poison("too large", Sending(large), Expected((413,)))
    yield Poison("501 in a batch", Sending(many, {"content-type": BATCH}), Expected((413,)))


def _in_wrong_media(event: Sample) -> Iterator[Poison]:
    whole = to_json(event | {"id": f"{event['id']}:media"})
    unsupported = Expected((415,))
    headers: dict[str, dict[str, str]] = {
        "another media type": {"content-type": "text/plain"},
        "compressed": {"content-type": STRUCTURED, "content-encoding": "gzip"},
        "another charset": {"content-type": f"{STRUCTURED}; charset=utf-16"},
    }
    for name, told in headers.items():
        yield Poison(name, Sending(whole, told), unsupported)
    binary = {"content-type": JSON, "ce-specversion": "1.0", "ce-type": event["type"]}
    data = json.dumps(event["data"]).encode()
    yield Poison("binary without an id", Sending(data, binary), Expected((422,), "/id", "missing"))
    one = {"content-type": BATCH}
    yield Poison("one event as a batch", Sending(whole, one), Expected((422,), "", "not_a_batch"))


def broken(event: Sample) -> dict[str, Any]:
    """Return the event without its time, for the middle of a batch."""
    return {name: value for name, value in event.items() if name != "time"}
