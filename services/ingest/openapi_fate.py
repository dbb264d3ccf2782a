"""What OpenAPI says of the question what became of an event."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from services.contracts.envelope import CustomerId, Identifier, Source
from services.contracts.events import FROM_OUTSIDE
from services.contracts.topics import OUTSIDE
from services.ingest.documents import ProblemKind
from services.ingest.fates import EventFate
from services.ingest.openapi import ANSWERS, RATE, RETRY_AFTER, SECURITY, problem, results

_FATE: Mapping[str, Any] = {
    "id": "7f7c1d9e",
    "source": "/shop/orders",
    "fate": "applied",
    "records": [
        {
            "topic": "deliveries",
            "partition": 3,
            "offset": 4711,
            "accepted_at": "2026-03-01T09:30:02.113Z",
            "fate": "applied",
        }
    ],
    "looked": {
        "since": "2026-02-28T09:31:00Z",
        "until": "2026-03-01T09:31:00Z",
        "topics": ["purchases", "deliveries", "contacts", "identities"],
        "partition": 3,
        "records": 20_511,
        "is_complete": True,
    },
}
_LOOKED_FOR: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "source": (
        "path",
        "The event's `source`, percent-encoded: a slash in it is `%2F`.",
        TypeAdapter(Source).json_schema(),
    ),
    "id": ("path", "The event's `id`, percent-encoded.", TypeAdapter(Identifier).json_schema()),
    "customer": (
        "query",
        "The event's `partitionkey`: only that customer's partition is looked at.",
        TypeAdapter(CustomerId).json_schema(),
    ),
    "type": (
        "query",
        "The event's `type`: only its topic is looked at.",
        {"type": "string", "enum": sorted(FROM_OUTSIDE)},
    ),
    "topic": (
        "query",
        "Only this topic is looked at; with `type`, the type's.",
        {"type": "string", "enum": [topic.name for topic in OUTSIDE]},
    ),
    "since": (
        "query",
        "Records written before this are passed over; without it, a day or as set.",
        {"type": "string", "format": "date-time"},
    ),
}
FATE: Mapping[str, Any] = {
    "summary": "What became of one event",
    "description": "From what the topics say, never more: where each of its records lies, since when, "
    "and whether the predictor applied it.  Nothing of what it tells.",
    "responses": {
        200: results("It lies on its topic.", {"applied": {"value": _FATE}}, EventFate),
        400: problem(
            "The question cannot be read.",
            (
                ProblemKind.BAD_QUESTION,
                "since must be an instant with its zone",
                [
                    {
                        "pointer": "",
                        "code": "since",
                        "detail": "since must be an instant with its zone",
                    }
                ],
            ),
        ),
        401: ANSWERS[401],
        403: ANSWERS[403],
        404: problem(
            "It does not lie where it was looked for, which was looked through; `looked` says where.",
            (ProblemKind.NOT_FOUND_WITHIN, "It may lie further back: give an earlier since.", []),
        ),
        429: problem(
            "As many are being looked for as may be at a time, or this client asks too much.",
            (ProblemKind.TOO_MANY_LOOKS, "Ask again later.", []),
            (ProblemKind.RATE_LIMITED, "Wait as long as retry-after says.", []),
        )
        | {"headers": {**RETRY_AFTER, **RATE}},
        431: ANSWERS[431],
        500: ANSWERS[500],
        503: problem(
            "Nothing can be said of it: not all could be looked through in time (`looked` says where "
            "it was looked), or the broker does not answer.",
            (ProblemKind.LOOK_CUT_SHORT, "Narrow it by customer, and ask again.", []),
            (ProblemKind.LOOK_FAILED, "Ask again later.", []),
            (ProblemKind.ISSUER_AWAY, "The tokens' issuer does not answer.", []),
        ),
    },
    "openapi_extra": {
        "security": SECURITY[:2],
        "parameters": [
            {
                "name": name,
                "in": place,
                "required": place == "path",
                "description": description,
                "schema": dict(schema),
            }
            for name, (place, description, schema) in _LOOKED_FOR.items()
        ],
    },
}
