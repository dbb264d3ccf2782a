"""What is answered where something is wrong: problem details (RFC 9457), and what they are called."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.responses import Response

PROBLEM = "application/problem+json"
TYPE_PREFIX = "urn:care:outreach:"
RETRY_AFTER_SECONDS = 5


class Kind(StrEnum):
    """The last part of a fault's `type`; what a caller's program may switch on."""

    NOT_JSON = "not-json"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    TOO_SLOW = "too-slow"
    NOTHING_TO_DO = "nothing-to-do"
    NOT_IN_DOUBT = "not-in-doubt"
    RESOLVED_OTHERWISE = "resolved-otherwise"
    ALREADY_PAUSED = "already-paused"
    NOTHING_WAITS = "nothing-waits"
    TOO_LARGE = "too-large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    INVALID = "invalid"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"


STATUS: Mapping[Kind, HTTPStatus] = {
    Kind.NOT_JSON: HTTPStatus.BAD_REQUEST,
    Kind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Kind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Kind.TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    Kind.NOTHING_TO_DO: HTTPStatus.CONFLICT,
    Kind.NOT_IN_DOUBT: HTTPStatus.CONFLICT,
    Kind.RESOLVED_OTHERWISE: HTTPStatus.CONFLICT,
    Kind.ALREADY_PAUSED: HTTPStatus.CONFLICT,
    Kind.NOTHING_WAITS: HTTPStatus.CONFLICT,
    Kind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Kind.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Kind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}

TITLES: Mapping[Kind, str] = {
    Kind.NOT_JSON: "The body is not JSON",
    Kind.UNAUTHENTICATED: "No key that opens anything",
    Kind.FORBIDDEN: "The key was not given this scope",
    Kind.NOT_FOUND: "There is nothing of this name",
    Kind.METHOD_NOT_ALLOWED: "This path does not take this method",
    Kind.TOO_SLOW: "The body did not arrive in time",
    Kind.NOTHING_TO_DO: "Nothing about this problem waits for a person",
    Kind.NOT_IN_DOUBT: "What became of this send is known",
    Kind.RESOLVED_OTHERWISE: "Somebody has said the opposite before",
    Kind.ALREADY_PAUSED: "The same is paused already",
    Kind.NOTHING_WAITS: "This playbook waits for nobody",
    Kind.TOO_LARGE: "The body is larger than the limit",
    Kind.UNSUPPORTED_MEDIA_TYPE: "The media type is not one of those taken here",
    Kind.INVALID: "The request does not follow its contract",
    Kind.INTERNAL: "An error inside",
    Kind.UNAVAILABLE: "Nothing can be read or done at the moment",
}

DETAILS: Mapping[Kind, str] = {
    Kind.NOT_JSON: "Send one JSON object.",
    Kind.UNAUTHENTICATED: "Send a key as `Authorization: Bearer` or `X-API-Key`.",
    Kind.FORBIDDEN: "This needs the scope outreach:act.",
    Kind.NOT_FOUND: "See /v1/openapi.json.",
    Kind.METHOD_NOT_ALLOWED: "See /v1/openapi.json.",
    Kind.TOO_SLOW: "The limit is 10 seconds.",
    Kind.NOTHING_TO_DO: "Nothing is handed to a person or has failed; an unknown send is resolved by itself.",
    Kind.NOT_IN_DOUBT: "The send is not in the state unknown.",
    Kind.RESOLVED_OTHERWISE: "It was said to have been sent; the first word counts.",
    Kind.ALREADY_PAUSED: "Resume it before it is paused anew.",
    Kind.NOTHING_WAITS: "See /v1/breaker for those that wait.",
    Kind.TOO_LARGE: "The limit is 16384 bytes.",
    Kind.UNSUPPORTED_MEDIA_TYPE: "Send application/json, not compressed.",
    Kind.INVALID: "1 fault; nothing was done.",
    Kind.INTERNAL: "What was to be done was not done, or is shown as done.",
    Kind.UNAVAILABLE: "Try again later; what was to be done was not done, or is shown as done.",
}
"""What is said where there is nothing more exact; the examples of the document too."""


class Error(BaseModel):
    """One thing wrong: where in the request, which kind, and in words."""

    pointer: str = Field(description="JSON pointer (RFC 6901): `/body/…`, `/query/…` or `/path/…`.")
    code: str
    detail: str


class Fault(BaseModel):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str
    errors: list[Error]


class Refusal(Exception):
    """The request cannot be granted; the message is what the caller is told."""

    def __init__(self, kind: Kind, detail: str | None = None) -> None:
        super().__init__(detail or DETAILS[kind])
        self.kind = kind


def fault(kind: Kind, detail: str | None = None, errors: Sequence[Error] = ()) -> Fault:
    """Return the document about a fault."""
    return Fault(
        type=f"{TYPE_PREFIX}{kind}",
        title=TITLES[kind],
        status=int(STATUS[kind]),
        detail=detail or DETAILS[kind],
        errors=list(errors),
    )


def answer(kind: Kind, detail: str | None = None, errors: Sequence[Error] = ()) -> Response:
    """Return the answer about a fault, with the headers that belong to it."""
    return Response(
        to_json(fault(kind, detail, errors)), STATUS[kind], _headers(kind), media_type=PROBLEM
    )


def _headers(kind: Kind) -> dict[str, str]:
    match kind:
        case Kind.UNAUTHENTICATED:
            return {"www-authenticate": 'Bearer realm="care"'}
        case Kind.UNAVAILABLE:
            return {"retry-after": str(RETRY_AFTER_SECONDS)}
        case Kind.TOO_LARGE | Kind.TOO_SLOW | Kind.UNSUPPORTED_MEDIA_TYPE:
            # What is left of the body must not be taken for the next request.
            return {"connection": "close"}
    return {}


def errors_of(items: Sequence[Any]) -> list[Error]:
    """Return what pydantic found wrong, without what was sent."""
    return [
        Error(
            pointer="".join(f"/{_escaped(part)}" for part in item["loc"]),
            code=str(item["type"]),
            detail=str(item["msg"]),
        )
        for item in items
    ]


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
