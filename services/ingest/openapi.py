"""What OpenAPI says of the routes: every answer with an example, every event one may send."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services.contracts.envelope import BATCH, JSON, STRUCTURED, Event
from services.contracts.events import FACTS, FROM_OUTSIDE
from services.ingest.documents import (
    OTHER_BODY,
    PROBLEM,
    SAME_ID,
    STATUS,
    TITLES,
    TYPE_PREFIX,
    Accepted,
    Problem,
    ProblemKind,
    Results,
    WebhookResult,
)
from services.ingest.fates import EventFate
from services.ingest.reading import MAX_BATCH_EVENTS

ABOUT: Mapping[str, Any] = {
    "title": "Proactive care: ingest",
    "version": "1",
    "description": "Company systems publish purchase, delivery and contact events here.",
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}

_DATA = {"shipment_id": "sh-1", "order_id": "o-1", "promised_by": "2026-03-05T00:00:00Z"}
_EVENT: Mapping[str, Any] = {
    "specversion": "1.0",
    "id": "7f7c1d9e",
    "source": "/shop/orders",
    "type": "care.shipment.promised.v1",
    "time": "2026-03-01T09:30:00Z",
    "partitionkey": "c-1042",
    "data": _DATA,
}
_NAMED = {"id": "7f7c1d9e", "source": "/shop/orders"}
_PLACED = {**_NAMED, "status": "accepted", "topic": "deliveries", "partition": 3, "offset": 4711}
_MISSING = {"pointer": "/data/order_id", "code": "missing", "detail": "Field required"}
_REJECTED = {
    "index": 1,
    "id": "7f7c1d9f",
    "source": "/shop/orders",
    "status": "rejected",
    "reason": "invalid",
    "errors": [_MISSING],
}
_AGAIN = {**_PLACED, "status": "duplicate"}
_ALL_TAKEN = {
    "accepted": 1,
    "duplicate": 0,
    "rejected": 0,
    "unknown": 0,
    "results": [{"index": 0, **_PLACED}],
}
_SOME_TAKEN = {**_ALL_TAKEN, "rejected": 1, "results": [{"index": 0, **_PLACED}, _REJECTED]}
_FORBIDDEN = {
    "pointer": "",
    "code": "forbidden",
    "detail": "needs a scope that covers publish:care.shipment.promised.v1 from this source",
}
_CHALLENGE = {"www-authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}}
RATE = {
    name: {
        "description": f"{what} (draft-ietf-httpapi-ratelimit-headers-10).",
        "schema": {"type": "string"},
    }
    for name, what in {
        "ratelimit-policy": "Events at most, and seconds in which so many come back",
        "ratelimit": "Events left, and seconds until all are back",
    }.items()
}
SECURITY_SCHEMES: Mapping[str, Any] = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key `care_<keyid>_<secret>`, or a token of the deployment's OIDC provider.",
    },
    "signedWebhook": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks: with `webhook-id`, `webhook-timestamp` and `?client=`.",
    },
}
SECURITY: list[dict[str, list[str]]] = [{name: []} for name in SECURITY_SCHEMES]
"""Any one of them, as the deployment has switched them on."""
RETRY_AFTER = {"retry-after": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


def problem(description: str, *examples: tuple[ProblemKind, str, list[Any]]) -> dict[str, Any]:
    """Return what is said of an answer that is a problem document, with examples: kind, detail, errors."""
    shown = {
        kind.value: {
            "value": {
                "type": f"{TYPE_PREFIX}{kind}",
                "title": TITLES[kind],
                "status": int(STATUS[kind]),
                "detail": detail,
                "errors": errors,
            }
        }
        for kind, detail, errors in examples
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": shown}
    return {"description": description, "content": {PROBLEM: content}}


def results(
    description: str, example: Mapping[str, object], *models: type[BaseModel]
) -> dict[str, Any]:
    """Return what is said of an answer that is one of these models, with an example."""
    schemas: list[dict[str, Any]] = [
        {"$ref": f"#/components/schemas/{model.__name__}"} for model in models
    ]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    content = {"schema": schema, "examples": example}
    return {"description": description, "content": {JSON: content}}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: results(
        "The same event was accepted before: the broker has it, and nothing was written again.",
        {"one": {"value": _AGAIN}},
        Accepted,
    ),
    202: results(
        "The broker has every event; of a batch, also those that it had before.",
        {"one": {"value": _PLACED}, "batch": {"value": _ALL_TAKEN}},
        Accepted,
        Results,
    ),
    207: results(
        "A batch of which not every event was accepted; each has its own result.  With "
        "`retry-after` where the outcome of some is not known.",
        {"batch": {"value": _SOME_TAKEN}},
        Results,
    ),
    400: problem(
        "The body is not JSON.",
        (
            ProblemKind.NOT_JSON,
            "1 fault; nothing was taken.",
            [{"pointer": "", "code": "not_json", "detail": "expected value at line 1 column 1"}],
        ),
    ),
    401: problem(
        "No key, token or signature that is valid here.",
        (ProblemKind.UNAUTHENTICATED, "Send an API key or a token that is valid here.", []),
    )
    | {"headers": _CHALLENGE},
    403: problem(
        "No scope of this client covers the event's type and source.  In a batch such an event is "
        "`rejected` with the reason `forbidden`.",
        (ProblemKind.FORBIDDEN, "1 fault; nothing was taken.", [_FORBIDDEN]),
    ),
    408: problem(
        "The request did not arrive in time.",
        (ProblemKind.TOO_SLOW, "The limit is 10 seconds.", []),
    ),
    409: problem(
        "Another event of this source and id was accepted before.  Best effort: a replica remembers "
        "what it took itself, so many events for so long; the predictor has the last word.",
        (
            ProblemKind.CONFLICT,
            OTHER_BODY,
            [{"pointer": "/id", "code": "conflict", "detail": OTHER_BODY}],
        ),
    ),
    413: problem(
        "A body or a batch beyond its limit.",
        (ProblemKind.TOO_LARGE, "The limit is 262144 bytes.", []),
    ),
    415: problem(
        "A media type that is not taken here.",
        (ProblemKind.UNSUPPORTED_MEDIA_TYPE, f"send {STRUCTURED} or {BATCH}", []),
    ),
    422: problem(
        "The event does not follow its contract; each fault with its JSON pointer.",
        (ProblemKind.INVALID, "1 fault; nothing was taken.", [_MISSING]),
    ),
    429: problem(
        "This client has sent more than its rate allows.",
        (ProblemKind.RATE_LIMITED, "Wait as long as retry-after says.", []),
    )
    | {"headers": {**RETRY_AFTER, **RATE}},
    431: problem(
        "A request line and headers beyond their limit.",
        (
            ProblemKind.HEADERS_TOO_LARGE,
            "The limit is 16384 bytes for the request line and all headers.",
            [],
        ),
    ),
    500: problem(
        "An error inside; send again with the same id.", (ProblemKind.INTERNAL, SAME_ID, [])
    ),
    503: problem(
        "Come back later, with the same event id.",
        (ProblemKind.OVERLOADED, SAME_ID, []),
        (ProblemKind.OUTCOME_UNKNOWN, SAME_ID, []),
        (ProblemKind.NO_TIME_YET, SAME_ID, []),
        (ProblemKind.PAUSED, SAME_ID, []),
        (ProblemKind.ISSUER_AWAY, "The tokens' issuer does not answer.", []),
    )
    | {"headers": RETRY_AFTER},
}

_EVENT_SCHEMA = {"$ref": "#/components/schemas/Event"}
_BATCH_SCHEMA = {"type": "array", "maxItems": MAX_BATCH_EVENTS, "items": _EVENT_SCHEMA}
_BODY = {
    "required": True,
    "description": "One event (structured, or binary with `ce-` headers), or a batch of them.",
    "content": {
        STRUCTURED: {"schema": _EVENT_SCHEMA, "example": _EVENT},
        BATCH: {"schema": _BATCH_SCHEMA, "example": [_EVENT]},
        JSON: {
            # One event without `ce-` headers; with them, its data alone.
            "schema": {"type": "object"},
            "example": _EVENT,
        },
    },
}

_OPEN: Mapping[str, Any] = {"security": []}
"""What is asked of nobody in particular is said so; silence could mean that it was forgotten."""

_CLIENT = {
    "name": "client",
    "in": "query",
    "required": False,
    "description": "Of a signed webhook: which publisher it is from.",
    "schema": {"type": "string"},
}
RECEIVE: Mapping[str, Any] = {
    "status_code": 202,
    "summary": "Publish one event or a batch",
    "responses": ANSWERS,
    "openapi_extra": {"requestBody": _BODY, "security": SECURITY, "parameters": [_CLIENT]},
}

_TOLD = {
    "accepted": 2,
    "refused": 1,
    "ignored": 0,
    "because": [{"reason": "no_carrier", "detail": "a checkpoint names no carrier"}],
}
_UNSIGNED = "The signature is missing, or made with another secret."
_WEBHOOK_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: results(
        "The broker has every event, or there is none; a repeat would change nothing.",
        {"some": {"value": _TOLD}},
        WebhookResult,
    ),
    401: problem(
        "Not signed with a secret we know, or signed too long ago; nothing was read.",
        (ProblemKind.NOT_SIGNED, _UNSIGNED, []),
    ),
    404: problem(
        "This adapter is off: no file of secrets is set.",
        (ProblemKind.NOT_FOUND, "See /openapi.json.", []),
    ),
    **{status: ANSWERS[status] for status in (400, 408, 413, 431, 500, 503)},
}
_SIGNATURES = {
    "aftership": ("aftership-hmac-sha256",),
    "shopify": ("x-shopify-hmac-sha256", "x-shopify-topic"),
    "chatwoot": ("x-chatwoot-signature", "x-chatwoot-timestamp"),
}


def webhook(name: str) -> Mapping[str, Any]:
    """Return what OpenAPI says of an adapter's route."""
    headers = [
        {"name": header, "in": "header", "required": True, "schema": {"type": "string"}}
        for header in _SIGNATURES[name]
    ]
    body = {
        "required": True,
        "description": "As the other system sends it, signed over these very bytes.",
        "content": {JSON: {"schema": {"type": "object"}}},
    }
    return {
        "status_code": 200,
        "name": f"receive_{name}_webhook",
        "summary": f"Where {name.capitalize()} sends its webhooks",
        "responses": _WEBHOOK_ANSWERS,
        "openapi_extra": {"requestBody": body, "parameters": headers, "security": [{name: []}]},
    }


_VERDICT = {"description": "Yes.", "content": {JSON: {"example": {"ok": True, "because": "ok"}}}}
_NO = {"description": "No.", "content": {JSON: {"example": {"ok": False, "because": "draining"}}}}
LIVE: Mapping[str, Any] = {
    "summary": "Does the loop turn?",
    "openapi_extra": _OPEN,
    "responses": {200: _VERDICT},
}
READY: Mapping[str, Any] = {
    "openapi_extra": _OPEN,
    "summary": "Should events be sent here?",
    "responses": {200: _VERDICT, 503: _NO},
}
METRICS: Mapping[str, Any] = {
    "openapi_extra": _OPEN,
    "summary": "The door's own metrics, as Prometheus reads them",
    "responses": {200: {"description": "Metrics.", "content": {"text/plain": {"example": ""}}}},
}


def describe_events(app: FastAPI) -> None:
    """Let the app's OpenAPI document carry the schema of every type publishers may send."""
    render = app.openapi

    def with_events() -> dict[str, Any]:
        known = app.openapi_schema is not None
        document = render()
        if not known:
            components = document.setdefault("components", {})
            components.setdefault("schemas", {}).update(_schemas())
            components["securitySchemes"] = {**SECURITY_SCHEMES, **_signed()}
        return document

    app.openapi = with_events  # type: ignore[method-assign]


def _signed() -> dict[str, Any]:
    """Return how each adapter's webhooks are known: by a signature over the body, in a header."""
    return {
        name: {"type": "apiKey", "in": "header", "name": headers[0]}
        for name, headers in _SIGNATURES.items()
    }


def _schemas() -> dict[str, Any]:
    events: dict[str, Any] = {
        name: Event.__class_getitem__(FACTS[name]) for name in sorted(FROM_OUTSIDE)
    }
    references, rendered = models_json_schema(
        [
            *((model, "validation") for model in events.values()),
            *(
                (model, "validation")
                for model in (Accepted, Results, WebhookResult, EventFate, Problem)
            ),
        ],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = rendered["$defs"]
    mapping: dict[str, str] = {}
    for name, model in events.items():
        reference: str = references[(model, "validation")]["$ref"]
        schema = schemas[reference.rsplit("/", 1)[-1]]
        schema["properties"]["type"] = {"type": "string", "const": name}
        mapping[name] = reference
    schemas["Event"] = {
        "oneOf": [{"$ref": reference} for reference in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }
    return schemas
