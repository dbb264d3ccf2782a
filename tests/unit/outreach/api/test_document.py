"""The committed document: it is what is rendered, and each of its examples is what it says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator, FormatChecker

from services.kit.settings import load
from services.outreach.api import openapi, operations
from services.outreach.api.app import create_app
from services.outreach.api.examples import EXAMPLES
from services.outreach.api.faults import DETAILS, PROBLEM, STATUS, TITLES, Kind
from services.outreach.api.settings import ApiSettings, wanted

DOCUMENT: dict[str, Any] = json.loads(openapi.COMMITTED.read_bytes())
JSON = "application/json"


def each() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


OPERATIONS = list(each())
NAMES = [operation["operationId"] for _, _, operation in OPERATIONS]


def at(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def fits(value: Any, schema: dict[str, Any]) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


def test_the_committed_document_is_what_is_rendered() -> None:
    rendered = openapi.rendered(create_app())

    assert rendered == openapi.COMMITTED.read_text(encoding="utf-8"), "run `make schemas`"


def test_every_route_is_in_it() -> None:
    routes = [r.operation_id for r in operations.router.routes if isinstance(r, APIRoute)]

    assert sorted(NAMES) == sorted(str(name) for name in routes)
    assert set(NAMES) <= set(EXAMPLES)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_every_answer_has_an_example_that_fits(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    wanted = {"401", "403", "422", "500", "503"}
    if method == "post":
        wanted |= {"400", "408", "413", "415"}
    assert wanted <= operation["responses"].keys()
    assert operation["description"]
    for status, response in operation["responses"].items():
        if status < "300":
            content = response["content"][JSON]
            fits(content["example"], content["schema"])
            continue
        content = at(response["$ref"])["content"][PROBLEM]
        for name, example in content["examples"].items():
            fits(example["value"], content["schema"])
            assert example["value"]["status"] == int(status)
            assert example["value"]["type"].endswith(f":{name}")


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_every_body_has_examples_that_fit(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert ("requestBody" in operation) is (method == "post")
    if method == "post":
        schema = operation["requestBody"]["content"][JSON]["schema"]
        assert schema["examples"]
        for example in schema["examples"]:
            fits(example, {"$ref": schema["$ref"]})


def test_every_fault_is_named_and_told() -> None:
    assert set(STATUS) == set(TITLES) == set(DETAILS) == set(Kind)
    told = {
        name
        for response in DOCUMENT["components"]["responses"].values()
        for name in response["content"][PROBLEM]["examples"]
    }
    # A method that a path does not take belongs to no operation.
    assert told == {kind.value for kind in Kind} - {"method-not-allowed"}


def test_no_field_could_hold_what_is_personal() -> None:
    fields = {
        name
        for schema in DOCUMENT["components"]["schemas"].values()
        for name in schema.get("properties", {})
    }
    assert (
        fields & {"email", "phone", "address", "comment", "text", "subject_line", "language"}
        == set()
    )


def test_every_setting_is_explained() -> None:
    assert all(field.description for field in ApiSettings.model_fields.values())


def test_an_api_without_a_file_of_keys_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not wanted({})
    assert wanted({"CARE_OUTREACH_API_PORT": "8090"})
    monkeypatch.setenv("CARE_OUTREACH_API_PORT", "8090")

    with pytest.raises(SystemExit) as ended:
        load(ApiSettings)

    assert ended.value.code == 2
    assert "CARE_OUTREACH_API_KEYS_FILE" in capsys.readouterr().err
