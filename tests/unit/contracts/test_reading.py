"""The two readings of an event: strict at the door with every fault named, tolerant inside."""

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.events import (
    Fault,
    Unreadable,
    parse_json,
    pointer,
    read,
    read_strictly,
)

ORDER: dict[str, Any] = {
    "specversion": "1.0",
    "id": "o-1-placed",
    "source": "/shop/orders",
    "type": "care.order.placed.v1",
    "time": "2026-03-02T08:00:00Z",
    "partitionkey": "c-1",
    "data": {
        "order_id": "o-1",
        "currency": "EUR",
        "lines": [{"product_id": "p-1", "price_minor": 4990}],
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the order with another value at this JSON pointer."""
    event = copy.deepcopy(ORDER)
    *parents, last = path.strip("/").split("/")
    place: Any = event
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = value
    return event


def refusal(event: object) -> Unreadable:
    """Return why the door refuses this."""
    with pytest.raises(Unreadable) as refused:
        read_strictly(event)
    return refused.value


def inside_refusal(raw: bytes) -> Unreadable:
    """Return why a reader inside refuses this."""
    with pytest.raises(Unreadable) as refused:
        read(raw)
    return refused.value


def test_a_whole_event_is_read_alike_by_both() -> None:
    assert read_strictly(ORDER) == read(json.dumps(ORDER).encode())


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("/specversion", "0.3", "literal_error"),
        ("/id", "", "string_too_short"),
        ("/id", "two words", "string_pattern_mismatch"),
        ("/id", 7, "string_type"),
        ("/source", "/shop\n/orders", "string_pattern_mismatch"),
        ("/time", "2026-03-02T08:00:00", "timezone_aware"),
        ("/time", "soon", "datetime_parsing"),
        ("/time", 1772438400, "datetime_type"),
        ("/partitionkey", "mara@example.org", "string_pattern_mismatch"),
        ("/partitionkey", "c" * 65, "string_too_long"),
        ("/datacontenttype", "text/plain", "literal_error"),
        ("/traceparent", "00-xyz-01", "string_pattern_mismatch"),
        ("/data", [], "model_type"),
        ("/data/order_id", None, "string_type"),
        ("/data/order_id", "o\u0000", "string_pattern_mismatch"),
        ("/data/order_id", "x" * 1024 * 1024, "string_too_long"),
        ("/data/currency", "euro", "string_pattern_mismatch"),
        ("/data/lines", [], "too_short"),
        ("/data/lines/0/price_minor", "4990", "int_type"),
        ("/data/lines/0/price_minor", 49.9, "int_type"),
        ("/data/lines/0/price_minor", -1, "greater_than_equal"),
        ("/data/lines/0/price_minor", 10**40, "less_than_equal"),
        ("/data/lines/0/quantity", True, "int_type"),
        ("/data/discount", 1, "extra_forbidden"),
    ],
)
def test_the_door_points_at_each_fault(path: str, value: object, code: str) -> None:
    error = refusal(changed(path, value))

    assert error.reason == "invalid"
    assert [(fault.pointer, fault.code) for fault in error.faults] == [(path, code)]


def test_every_fault_of_an_event_is_named_at_once() -> None:
    event = changed("/time", "soon") | {"id": 7}

    assert {fault.pointer for fault in refusal(event).faults} == {"/time", "/id"}


def test_a_fault_never_repeats_the_value_which_may_be_personal() -> None:
    event = ORDER | {
        "type": "care.customer.updated.v1",
        "data": {"email": "mara beispiel@example.org", "time_zone": "Mara/Beispiel"},
    }
    error = refusal(event)

    assert {fault.pointer for fault in error.faults} == {"/data/email", "/data/time_zone"}
    assert "eispiel" not in str(error) + repr(error.faults)


def test_extension_attributes_are_allowed_and_left_out() -> None:
    extended = ORDER | {"tenant": "acme", "sequence1": 4, "sampled": True}

    assert read_strictly(extended) == read_strictly(ORDER)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("Tenant", "acme"), ("ten_ant", "acme"), ("a" * 21, "acme"), ("tenant", {"a": 1}), ("x", 1.5)],
)
def test_what_is_no_legal_extension_is_refused(attribute: str, value: object) -> None:
    error = refusal(ORDER | {attribute: value})

    assert [(f.pointer, f.code) for f in error.faults] == [(f"/{attribute}", "extra_forbidden")]


@pytest.mark.parametrize("event", [None, 5, "text", [ORDER]])
def test_what_is_no_object_is_no_event(event: object) -> None:
    assert refusal(event).reason == "not_an_event"


@pytest.mark.parametrize("event", [{}, ORDER | {"type": 5}, ORDER | {"type": None}])
def test_without_a_type_it_is_no_event(event: object) -> None:
    error = refusal(event)

    assert error.reason == "not_an_event"
    assert [fault.pointer for fault in error.faults] == ["/type"]


@pytest.mark.parametrize("name", ["care.order.placed.v2", "order.placed", "x" * 1_000_000])
def test_an_unknown_type_is_named_but_not_at_any_length(name: str) -> None:
    for error in (
        refusal(ORDER | {"type": name}),
        inside_refusal(json.dumps(ORDER | {"type": name}).encode()),
    ):
        assert error.reason == "unknown_type"
        assert [fault.pointer for fault in error.faults] == ["/type"]
        assert name[:20] in str(error)
        assert len(str(error)) < 200


def test_inside_ignores_what_is_newer_and_refuses_what_is_of_another_type() -> None:
    newer = changed("/data/discount", 1) | {"Tenant": "acme"}
    assert read(json.dumps(newer).encode()) == read_strictly(ORDER)

    wrong = json.dumps(changed("/data/lines/0/price_minor", "4990")).encode()
    error = inside_refusal(wrong)
    assert (error.reason, error.faults[0].pointer) == ("invalid", "/data/lines/0/price_minor")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"[]", "not_an_event"),
        (b"17", "not_an_event"),
        (b"NaN", "not_an_event"),
        (b'{"id": "1"}', "not_an_event"),
        (b'{"type": 5}', "not_an_event"),
        (b'{"type": "x"}', "unknown_type"),
    ],
)
def test_inside_says_in_one_word_why_it_cannot_read(raw: bytes, reason: str) -> None:
    assert inside_refusal(raw).reason == reason


@pytest.mark.parametrize("raw", [b"{", b"NaN", b'{"a": Infinity}', b"\xff", b"1 2"])
def test_what_is_not_json_is_told_apart_at_the_door(raw: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        parse_json(raw)
    assert refused.value.reason == "not_json"


def test_json_is_parsed() -> None:
    assert parse_json(b'{"a": [1, null]}') == {"a": [1, None]}


def test_pointers_are_escaped() -> None:
    assert pointer(("data", "a/b~c", 0)) == "/data/a~1b~0c/0"
    assert pointer(()) == ""


def test_an_error_reads_as_a_sentence_for_the_publisher() -> None:
    assert str(
        Unreadable("invalid", (Fault("/id", "x", "is empty"), Fault("", "y", "too much")))
    ) == ("/id: is empty; /: too much")
    assert str(Unreadable("empty")) == "empty"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(value=JSON, path=st.sampled_from(["/id", "/time", "/data", "/data/lines", "/data/order_id"]))
def test_whatever_comes_is_read_or_refused(value: object, path: str) -> None:
    """Nothing else may come out of the door: an exception of another kind is a crash."""
    with suppress(Unreadable):
        event = read_strictly(changed(path, value))
        assert read(event.encode()) == event


@given(raw=st.binary(max_size=200))
def test_whatever_bytes_lie_on_a_topic_are_read_or_refused(raw: bytes) -> None:
    assert inside_refusal(raw).reason in {"not_json", "not_an_event", "unknown_type"}
