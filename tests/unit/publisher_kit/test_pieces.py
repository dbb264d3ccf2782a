"""A text is cut into its events, each with its line, whatever form it has."""

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.events import Fault
from services.contracts.topics import MAX_EVENT_BYTES
from services.ingest.reading import Readable, Refused
from services.publisher_kit.pieces import Piece, pieces, placed, read_alone
from tests.factories import START
from tests.factories import placed as order_placed

ONE: dict[str, Any] = json.loads(order_placed().encode())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def cut(text: str | bytes) -> list[Piece]:
    return list(pieces(iter(BytesIO(text.encode() if isinstance(text, str) else text))))


def places(text: str) -> list[tuple[int, int | None]]:
    return [(piece.line, piece.index) for piece in cut(text)]


def fault(text: str) -> tuple[int, str]:
    (piece,) = cut(text)
    reading = read_alone(piece.raw, START)
    assert isinstance(reading, Refused)
    line, told = placed(piece, reading.faults[0])
    return line, told.detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n \n", []),
        ('\n{"a": 1}', [(2, None)]),
        ('{"a":\n1}\n', [(1, None)]),
        ('{"a": 1}\n\n{"b": 2}\n', [(1, None), (3, None)]),
        ("[]", []),
        ('[{"a": 1}, {"b": 2}]', [(1, 0), (1, 1)]),
        ('\n[\n {"a": 1},\n\n {"b":\n 2},\n 3]', [(3, 0), (5, 1), (7, 2)]),
        ('{"a": 1}\n[{"b": 2}, {"c": 3}]\n', [(1, None), (2, 0), (2, 1)]),
        ('{"a": 1\n{"b": 2}\n', [(1, None), (2, None)]),
        ("nothing\nat all", [(1, None)]),
    ],
)
def test_every_form_is_cut_where_its_events_are(
    text: str, expected: list[tuple[int, int | None]]
) -> None:
    assert places(text) == expected


@given(st.lists(VALUES, min_size=1, max_size=5), st.sampled_from([None, 0, 2]))
def test_an_array_is_cut_into_its_items(items: list[Any], indent: int | None) -> None:
    text = json.dumps(items, indent=indent)

    assert [json.loads(piece.raw) for piece in cut(text)] == items


@given(st.lists(st.dictionaries(st.text(max_size=3), VALUES), min_size=1, max_size=5))
def test_lines_are_cut_into_lines(items: list[Any]) -> None:
    text = "".join(json.dumps(item) + "\n" for item in items)

    assert [json.loads(piece.raw) for piece in cut(text)] == items


def test_a_fault_of_json_lies_on_its_line() -> None:
    assert fault('{\n "a": NaN\n}') == (2, "expected value at column 7")
    assert fault('{"a": 1}\n'[:-2]) == (1, "EOF while parsing an object at column 7")


def test_a_fault_of_an_event_lies_on_the_line_of_its_value() -> None:
    wrong = ONE | {"data": ONE["data"] | {"currency": "euro", "a/b": 1}}
    text = "\n" + json.dumps([ONE, wrong], indent=1)
    second = cut(text)[1]
    reading = read_alone(second.raw, START)
    assert isinstance(reading, Refused)
    found = {fault.pointer: placed(second, fault)[0] for fault in reading.faults}

    lines = text.splitlines()
    assert found.keys() == {"/data/currency", "/data/a~1b"}
    assert '"euro"' in lines[found["/data/currency"] - 1]
    assert '"a/b"' in lines[found["/data/a~1b"] - 1]


@pytest.mark.parametrize(
    ("pointer", "line"),
    [
        ("", 1),
        ("/a", 2),
        ("/a/0", 3),
        ("/a/1", 4),
        ("/a/1/b", 5),
        ("/a/1/c", 4),
        ("/a/7", 2),
        ("/z/1", 1),
    ],
)
def test_what_is_missing_lies_where_its_object_begins(pointer: str, line: int) -> None:
    raw = b'{\n"a": [\n1,\n{\n"b": "x"}]}'

    assert placed(Piece(raw, 1), Fault(pointer, "missing", "x"))[0] == line


@given(VALUES, st.lists(st.text(max_size=3), max_size=3))
def test_a_line_is_found_for_any_pointer(value: Any, steps: list[str]) -> None:
    raw = json.dumps(value, indent=1).encode()
    line, _ = placed(Piece(raw, 1), Fault("".join(f"/{step}" for step in steps), "x", "x"))

    assert 1 <= line <= raw.count(b"\n") + 1


def test_what_the_simulated_shop_writes_is_unwrapped_and_what_is_too_large_refused() -> None:
    whole = json.dumps({"sent_at": "2026-01-01T00:00:00Z", "event": ONE}).encode()
    large = json.dumps(ONE | {"subject": "x" * MAX_EVENT_BYTES}).encode()

    assert isinstance(read_alone(whole, START), Readable)
    refused = read_alone(large, START)
    assert isinstance(refused, Refused)
    assert refused.reason == "too_large"


def test_a_name_given_twice_in_a_wrapping_is_found() -> None:
    told = json.dumps(ONE)
    twice = b'{"event": ' + told.replace('"id":', '"id": "again", "id":', 1).encode() + b"}"
    refused = read_alone(twice, START)

    assert isinstance(refused, Refused)
    assert refused.faults[0].code == "repeated_name"
