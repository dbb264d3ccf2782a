"""JSON at the door has one meaning or none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from services.contracts.events import Unreadable
from services.ingest import strict_json
from services.ingest.strict_json import MAX_DEPTH, parse

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc~/", max_size=3), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b"NaN",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} {}',
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b'"\xff"',
        b'"a\x00b"',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b"9" * 5_000,
        b'{"a": ' + b"9" * 100_000 + b"}",
    ],
    ids=lambda raw: repr(raw[:16]),
)
def test_what_is_not_json_is_refused_without_quoting_it(raw: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        parse(raw)

    assert refused.value.reason == "not_json"
    assert "nonsense" not in str(refused.value)


@given(JSON_VALUES)
def test_ordinary_json_is_read_as_it_is_and_nothing_is_wrong_with_it(value: object) -> None:
    document = parse(to_json(value))

    assert document.value == value
    assert document.faults() == ()


@pytest.mark.parametrize(
    ("raw", "pointers"),
    [
        (b'{"a": 1, "a": 1}', ["/a"]),
        (b'{"a": 1, "b": 2, "a": 3, "b": 4, "a": 5}', ["/a", "/b"]),
        (b'{"data": {"x/y": 1, "x/y": 2}}', ["/data/x~1y"]),
        (b'[{"a": {"b": 1, "b": 2}}, {"a": 1, "a": 2}]', ["/0/a/b", "/1/a"]),
        (b'{"a": {"b": 1, "b": 2}, "a": {"c": 1, "c": 1}}', ["/a", "/a/c"]),
    ],
)
def test_a_name_given_twice_is_pointed_at(raw: bytes, pointers: list[str]) -> None:
    faults = parse(raw).faults()

    assert [(fault.pointer, fault.code) for fault in faults] == [
        (pointer, "repeated_name") for pointer in pointers
    ]


@pytest.mark.parametrize(
    ("raw", "pointer", "code"),
    [
        (b'{"a": ["x", "y\\u0000"]}', "/a/1", "nul_character"),
        (b'{"n\\u0000": 1}', "/n\x00", "nul_character"),
        (b'{"a": 1e999}', "/a", "number_out_of_range"),
        (b'{"a": [-1e999]}', "/a/0", "number_out_of_range"),
    ],
)
def test_what_could_not_be_kept_is_pointed_at(raw: bytes, pointer: str, code: str) -> None:
    assert [(fault.pointer, fault.code) for fault in parse(raw).faults()] == [(pointer, code)]


def test_the_escape_of_nul_behind_a_backslash_is_no_nul() -> None:
    assert parse(rb'{"a": "\\u0000"}').faults() == ()


def test_faults_of_one_item_are_told_from_its_own_root() -> None:
    document = parse(b'[{"a": 1}, {"a": 1, "a": 2}]')

    assert document.faults((0,)) == ()
    assert [fault.pointer for fault in document.faults((1,))] == ["/a"]


@pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("inside", [b"1", b"[]", b"{}"])
def test_json_may_be_so_deep_and_no_deeper(opens: bytes, closes: bytes, inside: bytes) -> None:
    levels = MAX_DEPTH - (inside != b"1")
    wide = b"[" + b",".join([b"[[]]"] * 100) + b"]"

    parse(opens * levels + inside + closes * levels)
    parse(wide)
    with pytest.raises(Unreadable) as deep:
        parse(opens * (levels + 1) + inside + closes * (levels + 1))

    assert deep.value.faults[0].code == "too_deep"


NAMES = st.sampled_from(['"a"', '"b"', '":"', '"\\u0061"', '"\\u003a"', '"Infinity"', '"é"'])
VALUES = st.sampled_from(
    [
        "1",
        "-0",
        "1e400",
        "-1e999",
        "0.1",
        "1e22",
        "true",
        "null",
        '""',
        '":"',
        '"::\\u003a"',
        '"\\""',
    ]
)
TEXTS = st.recursive(
    VALUES | NAMES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(NAMES, st.sampled_from([":", " : "]), inner), max_size=4).map(
            lambda pairs: "{" + ",".join("".join(pair) for pair in pairs) + "}"
        )
    ),
    max_leaves=12,
)


@settings(max_examples=1000)
@given(TEXTS)
def test_what_is_parsed_once_is_what_a_look_at_each_pair_gives(text: str) -> None:
    once, thoroughly = parse(text.encode()), strict_json._parse_again(text.encode())

    assert repr(once.value) == repr(thoroughly.value)
    assert once.faults() == thoroughly.faults()


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', '{"a":{"b":":"},"a":":"}', '{"a":1,"a":"\\u003a"}', "[1e999]"]
)
def test_what_is_not_plain_is_looked_at(text: str) -> None:
    assert not strict_json._is_plain(text.encode(), parse(text.encode()).value)
    assert parse(text.encode()).is_suspect
