"""Which changes of a published contract break somebody: the table, and values drawn against both versions."""

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, TypeAdapter, create_model

from services.contracts import releases, schemas
from services.contracts.__main__ import main
from services.contracts.compatibility import Effect, UnknownWord, changes
from services.contracts.releases import Step


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Colours(StrEnum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"


class Line(BaseModel):
    product: str
    quantity: int = 1


class LongerLine(BaseModel):
    product: str
    quantity: int = 1
    seller: str


Short = Annotated[str, Field(max_length=10)]
Long = Annotated[str, Field(max_length=20)]
Low = Annotated[int, Field(ge=0)]
High = Annotated[int, Field(ge=-5)]

NARROWED: dict[str, tuple[Any, Any]] = {
    "removed": ({"a": (str, ...)}, {}),
    "added and required": ({}, {"a": (str, ...)}),
    "required now": ({"a": (str | None, None)}, {"a": (str | None, ...)}),
    "no null any more": ({"a": (str | None, ...)}, {"a": (str, ...)}),
    "another type": ({"a": (str, ...)}, {"a": (int, ...)}),
    "shorter": ({"a": (Long, ...)}, {"a": (Short, ...)}),
    "bounded": ({"a": (str, ...)}, {"a": (Short, ...)}),
    "higher from": ({"a": (High, ...)}, {"a": (Low, ...)}),
    "a word less": ({"a": (Colours, ...)}, {"a": (Colour, ...)}),
    "only words": ({"a": (str, ...)}, {"a": (Colour, ...)}),
    "another pattern": (
        {"a": (Annotated[str, Field(pattern="^a")], ...)},
        {"a": (Annotated[str, Field(pattern="^b")], ...)},
    ),
    "inside a list": ({"a": (list[Line], ...)}, {"a": (list[LongerLine], ...)}),
    "inside a mapping": ({"a": (dict[str, Long], ...)}, {"a": (dict[str, Short], ...)}),
    "a member of a tuple": ({"a": (tuple[int, Long], ...)}, {"a": (tuple[int, Short], ...)}),
    "a shorter tuple": ({"a": (tuple[int, int], ...)}, {"a": (tuple[int], ...)}),
    "an alternative less": ({"a": (int | str, ...)}, {"a": (int, ...)}),
}
WIDENED: dict[str, tuple[Any, Any]] = {
    "added and optional": ({}, {"a": (str | None, None)}),
    "optional now": ({"a": (str | None, ...)}, {"a": (str | None, None)}),
    "null too": ({"a": (str, ...)}, {"a": (str | None, ...)}),
    "longer": ({"a": (Short, ...)}, {"a": (Long, ...)}),
    "unbounded": ({"a": (Short, ...)}, {"a": (str, ...)}),
    "lower from": ({"a": (Low, ...)}, {"a": (High, ...)}),
    "a word more": ({"a": (Colour, ...)}, {"a": (Colours, ...)}),
    "an alternative more": ({"a": (int, ...)}, {"a": (int | str, ...)}),
}


def schema_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a model with these fields."""
    return TypeAdapter(create_model("Fact", **fields)).json_schema()


def effects(old: dict[str, Any], new: dict[str, Any]) -> set[Effect]:
    return {change.effect for change in changes(schema_of(old), schema_of(new))}


@pytest.mark.parametrize("pair", NARROWED.values(), ids=NARROWED)
def test_what_was_right_and_is_wrong_now_is_narrowed(pair: tuple[Any, Any]) -> None:
    assert Effect.NARROWED in effects(*pair)


@pytest.mark.parametrize("pair", WIDENED.values(), ids=WIDENED)
def test_what_is_new_and_harms_no_old_record_is_widened(pair: tuple[Any, Any]) -> None:
    assert effects(*pair) == {Effect.WIDENED}


@pytest.mark.parametrize("fields", [p[0] for p in NARROWED.values()], ids=NARROWED)
def test_nothing_changes_where_nothing_changed(fields: dict[str, Any]) -> None:
    assert effects(fields, fields) == set()


def test_a_change_is_told_with_its_place() -> None:
    (change,) = changes(
        schema_of({"lines": (list[Line], ...)}), schema_of({"lines": (list[LongerLine], ...)})
    )[:1]

    assert change.pointer.startswith("/lines/*")


def test_a_word_nobody_here_understands_is_not_passed_over() -> None:
    with pytest.raises(UnknownWord, match="not: teach"):
        changes({"type": "object"}, {"type": "object", "not": {"type": "null"}})


@pytest.mark.parametrize(
    "way", [{"$ref": "#/$defs/A"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}]
)
def test_a_bound_beside_what_stands_elsewhere_is_not_passed_over(way: dict[str, Any]) -> None:
    root = {"$defs": {"A": {"type": "string"}}}
    assert changes({**root, **way}, {**root, **way, "description": "words"}) == ()

    with pytest.raises(UnknownWord, match="maxLength"):
        changes({**root, **way}, {**root, **way, "maxLength": 3})


KINDS: list[Any] = [str, int, str | None, Short, Long, Low, High, Colour, Colours, list[Short]]
FIELDS = st.dictionaries(
    st.sampled_from("abc"),
    st.sampled_from(KINDS).flatmap(
        lambda kind: st.sampled_from([(kind, ...), (kind | None, None)])
    ),
    max_size=3,
)
VALUES = st.dictionaries(
    st.sampled_from("abc"),
    st.none()
    | st.integers(-10, 10)
    | st.sampled_from(["", "red", "green", "x" * 15])
    | st.lists(st.sampled_from(["x", "x" * 15]), max_size=2),
    max_size=3,
)


@given(old=FIELDS, new=FIELDS, value=VALUES)
def test_what_is_not_called_narrowed_takes_every_old_value(
    old: dict[str, Any], new: dict[str, Any], value: dict[str, Any]
) -> None:
    before, after = schema_of(old), schema_of(new)
    if any(change.effect is Effect.NARROWED for change in changes(before, after)):
        return

    if Draft202012Validator(before).is_valid(value):
        known = {name: each for name, each in value.items() if name in old}
        assert Draft202012Validator(after).is_valid(known)


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release of today's schemas, to be changed as if today's were later."""
    monkeypatch.setattr(releases, "RELEASED", tmp_path / "released")
    releases.release()
    return tmp_path / "released"


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    schema = json.loads(path.read_text("utf-8"))
    change(schema)
    path.write_text(json.dumps(schema), "utf-8")


def lacking(definition: str, name: str) -> Callable[[dict[str, Any]], None]:
    def change(schema: dict[str, Any]) -> None:
        fact = schema["$defs"][definition]
        del fact["properties"][name]
        fact["required"] = [n for n in fact["required"] if n != name]

    return change


def test_an_optional_field_that_the_release_did_not_have_is_fine(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(released / "care.order.placed.v1.json", lacking("OrderPlaced", "freight_minor"))

    assert main(["compare"]) == 0
    told = capsys.readouterr().out
    assert "care.order.placed.v1: fine" in told
    assert "/data/freight_minor: added, optional" in told
    assert "ingest and every reader first" in told


def test_a_required_field_that_the_release_did_not_have_breaks_and_the_order_is_told(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(released / "care.order.placed.v1.json", lacking("OrderPlaced", "currency"))

    assert main(["compare"]) == 1
    told = capsys.readouterr().out
    assert "care.order.placed.v1: BREAKS" in told
    assert "add care.order.placed.v2" in told


def test_a_contract_that_is_gone_breaks(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (released / "care.cart.forgotten.v1.json").write_text("{}")

    assert main(["compare"]) == 1
    assert "care.cart.forgotten.v1: BREAKS" in capsys.readouterr().out


def test_a_new_contract_is_nobodys_trouble(released: Path) -> None:
    (released / "care.order.placed.v1.json").unlink()

    assert main(["compare"]) == 0


def test_readers_of_what_we_write_rely_on_what_was_always_there() -> None:
    old, new = schema_of({"a": (str, ...)}), schema_of({"a": (str, "x")})

    ours = Step("care.outreach.sent.v1", changes(old, new))
    theirs = Step("care.order.placed.v1", changes(old, new))

    assert (bool(ours.breaking), bool(theirs.breaking)) == (True, False)


def test_releasing_makes_today_the_release(released: Path) -> None:
    edit(released / "care.order.placed.v1.json", lacking("OrderPlaced", "currency"))
    (released / "care.cart.forgotten.v1.json").write_text("{}")

    assert main(["release"]) == 0
    assert main(["compare"]) == 0
    assert releases.read(released) == releases.read(schemas.DIRECTORY)


def test_before_the_first_release_there_is_nothing_to_compare_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(releases, "RELEASED", tmp_path / "released")

    assert main(["compare"]) == 0
    assert "nothing was released yet" in capsys.readouterr().out
