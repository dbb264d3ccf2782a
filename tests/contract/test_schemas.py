"""The committed JSON Schemas are the models', and every example is valid by them."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.contracts import schemas
from services.contracts.__main__ import main
from services.contracts.events import FACTS
from tests.contract.examples import EXAMPLES, OF_EVENTS, PLAIN, Example, name

COMMITTED = sorted(schemas.DIRECTORY.glob("*.json"))


@cache
def validator(contract: str) -> Draft202012Validator:
    """Return the validator of a committed schema, formats asserted."""
    schema = json.loads((schemas.DIRECTORY / f"{contract}.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def complaints(contract: str, value: Any) -> list[str]:
    """Return where the value breaks the schema."""
    return [error.json_path for error in validator(contract).iter_errors(value)]


def test_committed_schemas_equal_the_models() -> None:
    assert schemas.drift() == []


def test_every_contract_has_a_schema() -> None:
    assert {path.stem for path in COMMITTED} == FACTS.keys() | PLAIN.keys()


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_schemas_are_schemas(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:care:schema:{path.stem}"


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_every_example_is_valid_by_its_schema(example: Example) -> None:
    assert complaints(example.contract, example.json) == []


@pytest.mark.parametrize("example", OF_EVENTS, ids=name)
def test_schemas_refuse_another_type_a_missing_key_and_what_is_no_time(example: Example) -> None:
    keyless = {key: value for key, value in example.json.items() if key != "partitionkey"}

    assert complaints(example.contract, example.json | {"type": "care.other.v1"}) == ["$.type"]
    assert complaints(example.contract, keyless) == ["$"]
    assert complaints(example.contract, example.json | {"time": "yesterday"}) == ["$.time"]
    assert complaints(example.contract, example.json | {"time": "2026-03-02T08:00:00"}) == [
        "$.time"
    ]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the committed schemas that the check looks at instead."""
    copy = tmp_path / "schemas"
    shutil.copytree(schemas.DIRECTORY, copy)
    monkeypatch.setattr(schemas, "DIRECTORY", copy)
    return copy


def edit(path: Path) -> None:
    """Change one word of a schema."""
    path.write_text(
        path.read_text(encoding="utf-8").replace("object", "array", 1), encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda d: edit(d / "care.tick.json"), "care.tick.json"),
        (lambda d: (d / "care.tick.json").unlink(), "care.tick.json"),
        (lambda d: (d / "care.invented.v1.json").write_text("{}"), "care.invented.v1.json"),
    ],
    ids=["edited", "missing", "too many"],
)
def test_drift_is_found_and_writing_ends_it(
    copied: Path, change: Callable[[Path], object], found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"]) == 0
    change(copied)

    assert schemas.drift() == [found]
    assert main(["check"]) == 1
    assert found in capsys.readouterr().out

    assert main(["write"]) == 0
    assert schemas.drift() == []


def test_other_words_show_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "write|check" in capsys.readouterr().err
