"""What OpenAPI says of the operations: every answer with an example, every fault, and how keys are sent."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from services.outreach.api.examples import EXAMPLES
from services.outreach.api.faults import (
    DETAILS,
    PROBLEM,
    RETRY_AFTER_SECONDS,
    STATUS,
    TITLES,
    Error,
    Fault,
    Kind,
    fault,
)

JSON = "application/json"
COMMITTED = Path(__file__).with_name("openapi.json")
"""The document as others rely on it; a test compares it with what is rendered."""

ABOUT: Mapping[str, Any] = {
    "title": "Proactive care: the desk's API",
    "version": "1",
    "description": (
        "What the people who care see and do: problems that need them, customers' timelines, why somebody "
        "was or was not contacted, pauses and the volume breaker.  Customers are known by their ids: no "
        "name, no address and no text of theirs is in any answer.  Times are RFC 3339.  A list that may be "
        "long comes in pages: hand `next_cursor` back as `cursor`.  What only looks needs a key with the "
        "scope `outreach:read`, everything else one with `outreach:act`."
    ),
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_ALWAYS = (
    Kind.UNAUTHENTICATED,
    Kind.FORBIDDEN,
    Kind.INVALID,
    Kind.INTERNAL,
    Kind.UNAVAILABLE,
)
_OF_BODIES = (Kind.NOT_JSON, Kind.TOO_SLOW, Kind.TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE)
_WRONG_LIMIT = Error(
    pointer="/query/limit",
    code="less_than_equal",
    detail="Input should be less than or equal to 200",
)
_WRONG_BY = Error(pointer="/body/by", code="missing", detail="Field required")
_HEADERS: Mapping[Kind, Mapping[str, Any]] = {
    Kind.UNAUTHENTICATED: {
        "www-authenticate": {
            "description": "`Bearer`.",
            "schema": {"type": "string"},
        }
    },
    Kind.UNAVAILABLE: {
        "retry-after": {
            "description": "Seconds to wait.",
            "schema": {"type": "integer", "example": RETRY_AFTER_SECONDS},
        }
    },
}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "care_<keyid>_<secret>"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def looks(name: str, *more: Kind) -> dict[str, Any]:
    """Return what a route says of an operation that only looks.

    Args:
        name: Of the operation.
        more: Faults of its own, beside those that every one has.
    """
    return _described(name, 200, (*_ALWAYS, *more), _WRONG_LIMIT)


def acts(name: str, *more: Kind, status: int = 200) -> dict[str, Any]:
    """Return the same of an operation that does something."""
    return _described(name, status, (*_ALWAYS, *_OF_BODIES, *more), _WRONG_BY)


def rendered(app: FastAPI) -> str:
    """Return the document of these operations, in the form that is committed."""
    document = app.openapi()
    _, schemas = models_json_schema(
        [(Fault, "serialization"), (Error, "serialization")],
        ref_template="#/components/schemas/{model}",
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas["$defs"])
    components["securitySchemes"] = _SECURITY
    _show_in_full(document["paths"])
    components["responses"] = _shared(document["paths"])
    document["security"] = [{name: []} for name in _SECURITY]
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _show_in_full(paths: Mapping[str, Any]) -> None:
    """Put the examples in once more: FastAPI leaves out what is null, which here says something."""
    for operation in (each for methods in paths.values() for each in methods.values()):
        answered = next(a for status, a in operation["responses"].items() if status < "300")
        answered["content"][JSON]["example"] = EXAMPLES[operation["operationId"]]


def _shared(paths: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers about faults by name, and put references to them in their place."""
    shared: dict[str, Any] = {}
    for operation in (each for methods in paths.values() for each in methods.values()):
        responses = operation["responses"]
        for status in [status for status in responses if status >= "400"]:
            content = responses[status]["content"][PROBLEM]
            wrong = _of_body(content["examples"])
            name = "-or-".join(sorted(content["examples"])) + wrong
            shared[name] = responses[status]
            responses[status] = {"$ref": f"#/components/responses/{name}"}
    return shared


def _of_body(examples: Mapping[str, Any]) -> str:
    """Return what tells two examples of one name apart: a body and a query are wrong in other places."""
    errors = examples.get(Kind.INVALID, {}).get("value", {}).get("errors", ())
    return "-body" if any(error["pointer"].startswith("/body") for error in errors) else ""


def _described(name: str, status: int, kinds: Iterable[Kind], wrong: Error) -> dict[str, Any]:
    by_status: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_status.setdefault(int(STATUS[kind]), []).append(kind)
    answered = {
        "description": "What was asked for, or is on record by now.",
        "content": {JSON: {"example": EXAMPLES[name]}},
    }
    refused = {code: _refused(by_status[code], wrong) for code in sorted(by_status)}
    return {
        "operation_id": name,
        "status_code": status,
        "responses": {status: answered, **refused},
    }


def _refused(kinds: list[Kind], wrong: Error) -> dict[str, Any]:
    shown = {
        kind.value: {"value": fault(kind, errors=_errors(kind, wrong)).model_dump(mode="json")}
        for kind in kinds
    }
    content = {"schema": {"$ref": "#/components/schemas/Fault"}, "examples": shown}
    headers = {name: header for kind in kinds for name, header in _HEADERS.get(kind, {}).items()}
    return {
        "description": "  ".join(f"{TITLES[kind]}.  {DETAILS[kind]}" for kind in kinds),
        "content": {PROBLEM: content},
        **({"headers": headers} if headers else {}),
    }


def _errors(kind: Kind, wrong: Error) -> list[Error]:
    return [wrong] if kind is Kind.INVALID else []
