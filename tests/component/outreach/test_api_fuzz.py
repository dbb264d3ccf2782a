"""Whatever is asked, the answer is one that the document names, and fits it.

`CARE_API_EXAMPLES=1000 pytest tests/component/outreach/test_api_fuzz.py` asks a thousand times each.
"""

import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from services.contracts.problems import Tier
from services.outreach.api.openapi import COMMITTED
from services.outreach.database import open_engine
from services.outreach.pages.facts import Reply
from services.outreach.pages.storage import Storage
from services.outreach.pages.tokens import SurveyLink
from tests.component.outreach.caller import Caller, calling
from tests.component.outreach.desk import NOON, Desk, execute
from tests.component.outreach.trouble import CANARY, escalate, happen, prepared
from tests.support.outreach import opened, problem_id, profile, query

pytestmark = pytest.mark.connected

EXAMPLES = int(os.environ.get("CARE_API_EXAMPLES", "30"))
DOCUMENT: dict[str, Any] = json.loads(COMMITTED.read_bytes())
OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
NAMES = [operation["operationId"] for _, _, operation in OPERATIONS]
CUSTOMERS = ("c-unknown", "c-refused", "c-fine")

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["", "0", "-1", "201", "1e9", "true", "all", "person", "unknown", "\0", "../..", "c-1\n", "%"]
)


@pytest.fixture(scope="module")
def story(
    database_url: str, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Caller, dict[str, list[str]]]]:
    """A caller of a database with every sort of trouble in it, and the ids there are."""
    url = database_url[: database_url.rindex("/")] + f"/{migrated}f"
    execute(database_url, f"CREATE DATABASE {migrated}f TEMPLATE {migrated}")
    desk = prepared(Desk(url))
    for customer in CUSTOMERS:
        happen(desk, customer)
    desk.learn(*(profile(c, NOON) for c in ("c-2", "c-3")))
    desk.learn(*(opened(c, NOON, Tier.AT_RISK) for c in ("c-2", "c-3")))
    desk.decide(NOON)
    escalate(desk)
    engine = open_engine(url)
    link = SurveyLink("c-fine", "s-1", "o-1", None)
    Storage(engine, 4).answer(link, Reply(3, f"{CANARY} says"), NOON)
    engine.dispose()
    with calling(url, tmp_path_factory.mktemp("fuzz"), desk.out.rules) as caller:
        yield caller, known_ids(url)
    desk.engine.dispose()
    execute(database_url, f"DROP DATABASE {migrated}f WITH (FORCE)")


def known_ids(url: str) -> dict[str, list[str]]:
    def column(statement: str) -> list[str]:
        return [str(value) for (value,) in query(url, statement)]

    return {
        "customer_id": [*CUSTOMERS, "c-2"],
        "problem_id": [problem_id(customer) for customer in CUSTOMERS],
        "step_id": column("SELECT step_id FROM sends"),
        "decision_id": column("SELECT decision_id FROM decisions"),
        "pause_id": ["00000000-0000-0000-0000-000000000001"],
        "name": ["delivery_late", "delivery_at_risk"],
        "playbook": ["delivery_at_risk", "delivery_late"],
    }


def asking(path: str, operation: dict[str, Any], ids: dict[str, list[str]]) -> Any:
    """Requests that are right in some parts and wrong in others: path, query, body."""
    parameters = operation.get("parameters", [])
    parts = {
        p["name"]: st.sampled_from(ids[p["name"]]) | TEXTS.filter(lambda t: t.strip("."))
        for p in parameters
        if p["in"] == "path"
    }
    queries = {
        p["name"]: TEXTS | st.sampled_from([str(e) for e in values_of(p["schema"])])
        for p in parameters
        if p["in"] == "query"
    }
    named = st.fixed_dictionaries({}, optional=queries)
    query_ = named | st.builds(lambda a, b: a | b, named, st.dictionaries(TEXTS, TEXTS, max_size=1))
    return st.tuples(st.fixed_dictionaries(parts), query_, bodies(operation))


def values_of(schema: dict[str, Any]) -> list[Any]:
    found = [*schema.get("enum", ()), schema.get("default", 1), schema.get("maximum", "x")]
    for part in (*schema.get("anyOf", ()), schema):
        name = part.get("$ref", "").rpartition("/")[2]
        found += DOCUMENT["components"]["schemas"].get(name, {}).get("enum", [])
    return found


def bodies(operation: dict[str, Any]) -> Any:
    if "requestBody" not in operation:
        return st.none()
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    good = st.sampled_from(schema["examples"])
    spoiled = st.builds(
        lambda body, name, value: {**body, name: value},
        good,
        st.sampled_from(sorted({name for example in schema["examples"] for name in example})),
        ANYTHING,
    )
    as_json = (good | spoiled | ANYTHING).map(lambda value: json.dumps(value).encode())
    return as_json | st.binary(max_size=30)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_every_answer_is_one_that_the_document_names(
    story: tuple[Caller, dict[str, list[str]]], path: str, method: str, operation: dict[str, Any]
) -> None:
    caller, ids = story

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(asking(path, operation, ids))
    def check(asked: tuple[dict[str, str], dict[str, str], bytes | None]) -> None:
        parts, query_, body = asked
        where = path.format(**{name: quote(value, safe="") for name, value in parts.items()})
        headers = {} if body is None else {"content-type": "application/json"}
        response = caller.http.request(method, where, params=query_, content=body, headers=headers)
        # What holds a slash, or nothing at all, is another path.
        is_elsewhere = any("/" in value or not value for value in parts.values())
        if is_elsewhere and response.status_code in {404, 405}:
            return
        is_as_documented(response, operation)

    check()


def is_as_documented(response: httpx.Response, operation: dict[str, Any]) -> None:
    assert response.status_code != 500, response.text
    documented = operation["responses"][str(response.status_code)]
    if "$ref" in documented:
        name = documented["$ref"].rpartition("/")[2]
        documented = DOCUMENT["components"]["responses"][name]
    content = documented["content"][response.headers["content-type"]]
    whole = {**content["schema"], "components": DOCUMENT["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(response.json())
    assert CANARY not in response.text
