"""The documents the door answers with, as others may rely on them (and as OpenAPI shows them)."""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PROBLEM = "application/problem+json"
TYPE_PREFIX = "urn:care:ingest:"


class ProblemKind(StrEnum):
    """The last part of a problem's `type`; what a publisher's program may switch on."""

    NOT_JSON = "not-json"
    INVALID = "invalid"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    HEADERS_TOO_LARGE = "headers-too-large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    CONFLICT = "conflict"
    OVERLOADED = "overloaded"
    OUTCOME_UNKNOWN = "outcome-unknown"
    NO_TIME_YET = "no-time-yet"
    PAUSED = "paused"
    NOT_SIGNED = "not-signed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate-limited"
    ISSUER_AWAY = "issuer-away"
    NOT_FOUND = "not-found"
    BAD_QUESTION = "bad-question"
    NOT_FOUND_WITHIN = "not-found-within"
    LOOK_CUT_SHORT = "look-cut-short"
    LOOK_FAILED = "look-failed"
    TOO_MANY_LOOKS = "too-many-looks"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    INTERNAL = "internal"


STATUS: Mapping[ProblemKind, HTTPStatus] = {
    ProblemKind.NOT_JSON: HTTPStatus.BAD_REQUEST,
    ProblemKind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemKind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ProblemKind.TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    ProblemKind.HEADERS_TOO_LARGE: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ProblemKind.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ProblemKind.CONFLICT: HTTPStatus.CONFLICT,
    ProblemKind.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemKind.OUTCOME_UNKNOWN: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemKind.NO_TIME_YET: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemKind.PAUSED: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemKind.NOT_SIGNED: HTTPStatus.UNAUTHORIZED,
    ProblemKind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    ProblemKind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ProblemKind.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    ProblemKind.ISSUER_AWAY: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemKind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ProblemKind.BAD_QUESTION: HTTPStatus.BAD_REQUEST,
    ProblemKind.NOT_FOUND_WITHIN: HTTPStatus.NOT_FOUND,
    ProblemKind.LOOK_CUT_SHORT: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemKind.LOOK_FAILED: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemKind.TOO_MANY_LOOKS: HTTPStatus.TOO_MANY_REQUESTS,
    ProblemKind.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ProblemKind.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}

TITLES: Mapping[ProblemKind, str] = {
    ProblemKind.NOT_JSON: "The body is not JSON",
    ProblemKind.INVALID: "The event does not follow its contract",
    ProblemKind.TOO_LARGE: "The body is larger than the limit",
    ProblemKind.TOO_SLOW: "The request did not arrive in time",
    ProblemKind.HEADERS_TOO_LARGE: "The request line and its headers are larger than the limit",
    ProblemKind.UNSUPPORTED_MEDIA_TYPE: "The media type is not one of those taken here",
    ProblemKind.CONFLICT: "Another event of this source and id is there already",
    ProblemKind.OVERLOADED: "Too much is under way; nothing was taken",
    ProblemKind.OUTCOME_UNKNOWN: "The broker did not acknowledge; the outcome is not known",
    ProblemKind.NO_TIME_YET: "Simulated time has not begun; nothing was taken",
    ProblemKind.PAUSED: "Nothing is taken for now: the deployment is being changed",
    ProblemKind.NOT_SIGNED: "The webhook is not signed as it must be; nothing was taken",
    ProblemKind.BAD_QUESTION: "The question cannot be read",
    ProblemKind.NOT_FOUND_WITHIN: "No such event lies where it was looked for",
    ProblemKind.LOOK_CUT_SHORT: "It was not found as far as was looked, which was not to the end",
    ProblemKind.LOOK_FAILED: "It could not be looked for",
    ProblemKind.TOO_MANY_LOOKS: "Another event is being looked for",
    ProblemKind.UNAUTHENTICATED: "Who sends this is not known; nothing was taken",
    ProblemKind.FORBIDDEN: "Who sends this may not publish it; nothing was taken",
    ProblemKind.RATE_LIMITED: "This client has sent too much; nothing was taken",
    ProblemKind.ISSUER_AWAY: "The keys that sign tokens are not known; nothing was taken",
    ProblemKind.NOT_FOUND: "There is nothing at this path",
    ProblemKind.METHOD_NOT_ALLOWED: "This path does not take this method",
    ProblemKind.INTERNAL: "An error inside; the outcome is not known",
}

SAME_ID = "Send it again later with the same id and source: a repeat is recognised, harmlessly."


OTHER_BODY = (
    "An event of this source and id was accepted before and says something else: give a new fact a "
    "new id."
)


class Error(BaseModel):
    """One thing wrong: where in the event, which kind, and in words."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the event; empty: all of it.")
    code: str
    detail: str


class Status(StrEnum):
    """What became of one event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class LookOutcome(StrEnum):
    """How a question what became of an event ended."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    CUT_SHORT = "cut_short"
    BAD = "bad"
    FAILED = "failed"
    TURNED_AWAY = "turned_away"
    """Too many are asked at a time."""
    DENIED = "denied"
    """Who asked is not known, or may not ask about this source, or asks too much."""


class WebhookOutcome(StrEnum):
    """What became of one webhook."""

    ACCEPTED = "accepted"
    """The broker has every event it tells."""
    IGNORED = "ignored"
    """It tells nothing that we watch."""
    REFUSED = "refused"
    """It tells something, and nothing of it can be an event."""
    UNKNOWN = "unknown"
    FORGED = "forged"
    STALE = "stale"
    TURNED_AWAY = "turned_away"
    """Before it was read: too large, too slow, no room, or the adapter is off."""


class Accepted(BaseModel):
    """The broker has the event, since now or (`duplicate`) since an earlier telling of it."""

    id: str
    source: str
    status: Literal["accepted", "duplicate"]
    topic: str
    partition: int
    offset: int


class Result(BaseModel):
    """What became of one event of a batch."""

    index: int = Field(description="Position in the batch, from 0.")
    id: str | None = Field(default=None, description="As sent, where it was well formed.")
    source: str | None = Field(default=None, description="As sent, where it was well formed.")
    status: Status = Field(
        description="`duplicate`: the same event was accepted before, and lies where it says; "
        "`rejected`: do not send it again unchanged; `unknown`: do, with the same id."
    )
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    reason: str | None = None
    errors: list[Error] | None = None


class Results(BaseModel):
    """What became of every event of a batch, in its order."""

    accepted: int
    duplicate: int
    rejected: int
    unknown: int
    results: list[Result]


class Because(BaseModel):
    """Why a part of a webhook became no event."""

    reason: str
    detail: str = Field(description="What to do about it, where something is to be done.")


class WebhookResult(BaseModel):
    """What a webhook told; a repeat would change none of it."""

    accepted: int = Field(description="Events that the broker has.")
    refused: int = Field(description="Facts that concern us and cannot be events.")
    ignored: int = Field(description="What concerns nothing that is watched here.")
    because: list[Because]


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[Error] = []
