"""What a body says: events to publish, or every fault with its pointer."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts.events import FACTS, FROM_OUTSIDE, TOPIC_OF
from services.contracts.topics import MAX_EVENT_BYTES, MAX_FUTURE_SKEW
from services.contracts.trace_context import of_event
from services.ingest.reading import (
    MAX_BATCH_EVENTS,
    MAX_FAULTS,
    BatchTooLong,
    Readable,
    Reading,
    Refused,
    read_batch,
    read_binary,
    read_one,
)
from tests import factories

NOW = factories.START
CANARY = "canary-7f3a"


def body(**changes: Any) -> dict[str, Any]:
    """Return a valid event as a publisher has it; `data_x` changes a member of its data."""
    event: dict[str, Any] = json.loads(factories.promised().encode())
    for name, value in changes.items():
        target = event["data"] if name.startswith("data_") else event
        target[name.removeprefix("data_")] = value
    return event


def one(event: object) -> Reading:
    """Read one structured event."""
    return read_one(json.dumps(event).encode(), NOW)


def refused(reading: object) -> Refused:
    """Return what was refused; fail where it was taken."""
    assert isinstance(reading, Refused)
    return reading


def pointers(reading: object) -> list[str]:
    """Return where the faults are."""
    return [fault.pointer for fault in refused(reading).faults]


def test_a_valid_event_is_read_with_its_topic() -> None:
    event = factories.promised()

    reading = read_one(event.encode(), NOW)

    assert reading == Readable(event, TOPIC_OF[type(event.data)], of_event(event))


def test_every_fault_has_its_pointer() -> None:
    wrong = body(time="yesterday", partitionkey="who@example.org", data_promised_by=5, data_zz=1)

    reading = refused(one(wrong))

    assert {"/time", "/partitionkey", "/data/promised_by", "/data/zz"} == set(pointers(reading))
    assert reading.reason == "invalid"
    assert reading.topic is not None
    assert reading.topic.name == "deliveries"
    assert (reading.id, reading.source) == (wrong["id"], wrong["source"])


@pytest.mark.parametrize("value", [None, 1, "text", [], [[]], True])
def test_what_is_no_object_is_no_event(value: object) -> None:
    assert refused(one(value)).reason == "not_an_event"


@pytest.mark.parametrize("name", [None, 5, [], {}])
def test_an_event_without_a_type_is_no_event(name: object) -> None:
    reading = refused(one(body(type=name)))

    assert (reading.reason, pointers(reading)) == ("not_an_event", ["/type"])


def test_an_unknown_type_is_refused_without_repeating_it() -> None:
    reading = refused(one(body(type=CANARY)))

    assert (reading.reason, pointers(reading)) == ("unknown_type", ["/type"])
    assert reading.topic is None
    assert CANARY not in str(reading.faults)


@pytest.mark.parametrize("name", sorted(FACTS.keys() - FROM_OUTSIDE))
def test_our_own_types_are_never_taken_from_outside(name: str) -> None:
    reading = refused(one(body(type=name)))

    assert [fault.code for fault in reading.faults] == ["not_from_outside"]
    assert reading.topic is None


@pytest.mark.parametrize(
    ("ahead", "is_taken"),
    [
        (timedelta(0), True),
        (MAX_FUTURE_SKEW, True),
        (MAX_FUTURE_SKEW + timedelta(microseconds=1), False),
        (timedelta(days=36_500), False),
        (timedelta(days=-3_650), True),
    ],
)
def test_an_event_may_lie_a_day_ahead_of_the_clock_and_no_more(
    ahead: timedelta, is_taken: bool
) -> None:
    reading = one(body(time=(NOW + ahead).isoformat()))

    assert isinstance(reading, Readable) is is_taken
    if not is_taken:
        assert (refused(reading).reason, pointers(reading)) == ("too_far_ahead", ["/time"])


@pytest.mark.parametrize(
    "time",
    [
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "1926-03-01T00:00:00Z",
    ],
)
def test_a_time_out_of_the_calendar_or_of_our_time_is_refused(time: str) -> None:
    assert pointers(one(body(time=time))) == ["/time"]


def test_a_name_given_twice_is_refused_whatever_its_values() -> None:
    raw = json.dumps(body()).replace('"id"', '"id": "a", "id"', 1).encode()

    assert pointers(read_one(raw, NOW)) == ["/id"]


def test_nul_is_refused_where_the_contract_would_take_it() -> None:
    assert isinstance(one(body(subject="ab")), Readable)
    assert pointers(one(body(subject="a\x00b"))) == ["/subject"]


def test_faults_are_bounded_in_number_and_length() -> None:
    reading = refused(one(body(**{f"data_x{i}" + "y" * 1000: 1 for i in range(200)})))

    assert len(reading.faults) == MAX_FAULTS + 1
    assert reading.faults[-1].detail == "and 150 more"
    assert all(len(fault.pointer) <= 256 for fault in reading.faults)


@pytest.mark.parametrize("where", sorted(body().keys() | {"subject", "traceparent"}))
def test_no_value_is_repeated_in_a_fault(where: str) -> None:
    reading = one(body(**{where: f"{CANARY} \x01 with space"}))
    if isinstance(reading, Readable):
        assert where == "subject"
        return

    assert reading.faults
    assert CANARY not in str(reading.faults)


def test_extension_attributes_are_allowed_and_left_out() -> None:
    reading = one(body(myext="x", another=5))

    assert isinstance(reading, Readable)
    assert b"myext" not in reading.event.encode()


# Binary mode


def attributes(**changes: str) -> list[tuple[str, str]]:
    """Return the headers of a valid event in binary mode, without their prefix."""
    found = {name: value for name, value in body().items() if name != "data"}
    del found["datacontenttype"]
    return list((found | changes).items())


DATA = json.dumps(body()["data"]).encode()


def test_binary_mode_says_the_same_as_structured_mode() -> None:
    event = factories.promised()
    told = json.loads(event.encode())
    headers = [(name, value) for name, value in told.items() if name != "data"]

    assert read_binary(headers, json.dumps(told["data"]).encode(), NOW) == read_one(
        event.encode(), NOW
    )


def test_headers_are_percent_decoded() -> None:
    reading = read_binary(attributes(subject="caf%C3%A9%20%22x%22"), DATA, NOW)

    assert isinstance(reading, Readable)
    assert reading.event.subject == 'café "x"'


@pytest.mark.parametrize(
    ("headers", "data", "pointer"),
    [
        ([*attributes(), ("id", "again")], DATA, "/id"),
        ([*attributes(), ("data", "x")], DATA, "/data"),
        (attributes(subject="%ff"), DATA, "/subject"),
        (attributes(subject="a%00b"), DATA, "/subject"),
        (attributes(time="noon"), DATA, "/time"),
        (attributes(), b'{"a": 1, "a": 2}', "/data/a"),
        (attributes(), b"[]", "/data"),
        (attributes(), b'"text"', "/data"),
    ],
)
def test_faults_in_binary_mode_point_into_the_event(
    headers: list[tuple[str, str]], data: bytes, pointer: str
) -> None:
    assert pointers(read_binary(headers, data, NOW)) == [pointer]


def test_data_that_is_not_json_is_told_as_such() -> None:
    assert refused(read_binary(attributes(), b"{", NOW)).reason == "not_json"


# Batches


def batch(*items: object) -> list[Reading]:
    """Read a batch; fail where it is none."""
    readings = read_batch(json.dumps(items).encode(), NOW)
    assert isinstance(readings, list)
    return readings


def test_each_item_of_a_batch_is_read_for_itself() -> None:
    readings = batch(body(), body(time="x"), 5, body(id="last"))

    assert [isinstance(reading, Readable) for reading in readings] == [True, False, False, True]
    assert pointers(readings[1]) == ["/time"]


def test_an_ambiguous_item_does_not_spoil_its_batch() -> None:
    good, bad = json.dumps(body()), json.dumps(body()).replace('"id"', '"id": "a", "id"', 1)

    readings = read_batch(f"[{good}, {bad}, {good}]".encode(), NOW)

    assert isinstance(readings, list)
    assert [isinstance(reading, Readable) for reading in readings] == [True, False, True]
    assert pointers(readings[1]) == ["/id"]


def test_an_oversized_event_is_refused_alone() -> None:
    large = body(id="large", data_order_id="x" * MAX_EVENT_BYTES)

    readings = batch(body(), large, body())

    assert [isinstance(reading, Readable) for reading in readings] == [True, False, True]
    assert (refused(readings[1]).reason, refused(readings[1]).id) == ("too_large", "large")


def test_an_empty_batch_is_a_batch() -> None:
    assert batch() == []


def test_a_batch_has_a_longest_length() -> None:
    assert len(batch(*[1] * MAX_BATCH_EVENTS)) == MAX_BATCH_EVENTS
    with pytest.raises(BatchTooLong):
        batch(*[1] * (MAX_BATCH_EVENTS + 1))


@pytest.mark.parametrize(("raw", "reason"), [(b"{}", "not_an_event"), (b"[", "not_json")])
def test_what_is_no_array_is_no_batch(raw: bytes, reason: str) -> None:
    assert refused(read_batch(raw, NOW)).reason == reason


# Laws

SCRAPS = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"-", b" ", b"null", b"NaN", b"1e999"),
        *(b"\\u0000", b"\\ud800", b"\xff", b"\x00", b"9" * 50),
        *(b'"type"', b'"time"', b'"data"', b'"care.order.placed.v1"'),
    ]
)
JSON_SCRAPS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*body(), *body()["data"], "x"]), inner, max_size=6)
    ),
    max_leaves=15,
)


def spoiled(event: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """Return the event with one member of it or of its data replaced."""
    changed = json.loads(json.dumps(event))
    target = changed["data"] if place in changed["data"] else changed
    target[place] = value
    return changed  # type: ignore[no-any-return]


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.lists(SCRAPS, max_size=12).map(b"".join),
        st.binary(max_size=60),
        JSON_SCRAPS.map(lambda value: json.dumps(value).encode()),
        st.builds(
            spoiled, st.just(body()), st.sampled_from([*body(), *body()["data"]]), JSON_SCRAPS
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_whatever_comes_is_read_or_refused_and_never_breaks_the_door(raw: bytes) -> None:
    assert isinstance(read_one(raw, NOW), Readable | Refused)
    assert isinstance(read_batch(b"[" + raw + b"]", NOW), list | Refused)
    assert isinstance(read_binary(attributes(), raw, NOW), Readable | Refused)
