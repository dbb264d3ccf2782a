"""What the door says back: results per event, or a problem (RFC 9457).  Never what it was sent."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json

from services.contracts.events import Fault
from services.contracts.trace_context import TraceContext
from services.ingest.documents import (
    OTHER_BODY,
    PROBLEM,
    SAME_ID,
    STATUS,
    TITLES,
    TYPE_PREFIX,
    ProblemKind,
    Status,
    WebhookOutcome,
)
from services.ingest.reading import Readable, Reading, Refused
from services.ingest.records import Acknowledged, Conflict, Duplicate, Told
from services.kit.plurals import counted

_CONFLICT = Fault("/id", "conflict", OTHER_BODY)

MOST_NAMED = 20
"""Events of a batch whose ids and traces are logged: a line for 500 would be longer than the batch."""

TURNED_AWAY = "turned_away"
"""Of an event that came at a bad time: nothing was taken, and the same again later may be."""

OUTCOMES = (*(status.value for status in Status), TURNED_AWAY)
"""What an event is counted as: its status, or that it was turned away for now."""

Tally = Counter[tuple[str, str]]
"""Events by topic (`none`: it could not be told) and outcome."""

Rejects = Counter[tuple[str, str | None]]
"""Rejected events by reason, and by source as they tell it (None: none, or none that is well formed)."""

_KINDS = {"not_json": ProblemKind.NOT_JSON, "forbidden": ProblemKind.FORBIDDEN}
"""Of a refused event, by reason; all others are `INVALID`."""

_FOR_NOW = frozenset(
    {ProblemKind.OVERLOADED, ProblemKind.NO_TIME_YET, ProblemKind.PAUSED, ProblemKind.TOO_SLOW}
)
"""It is not the events' fault."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and what to count and log of it."""

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Counter)
    rejects: Rejects = field(default_factory=Counter)
    names: Mapping[str, Any] = field(default_factory=dict)
    """For the log line; ids and positions only."""
    traces: tuple[TraceContext, ...] = ()
    """Those of its events, each once; `MOST_NAMED` at most."""
    webhook: tuple[str, WebhookOutcome] | None = None
    """The adapter it came through, and what became of it."""
    refused: str | None = None
    """Why the request was not let in; None: it was."""


def problem(
    kind: ProblemKind,
    detail: str,
    *,
    faults: Sequence[Fault] = (),
    retry_after_seconds: int | None = None,
    more: Mapping[str, Any] | None = None,
) -> Answer:
    """Return a problem document; the caller adds what is to be counted."""
    body = {
        "type": f"{TYPE_PREFIX}{kind}",
        "title": TITLES[kind],
        "status": int(STATUS[kind]),
        "detail": detail,
        "errors": [_error(fault) for fault in faults],
        **(more or {}),
    }
    headers = {} if retry_after_seconds is None else {"retry-after": str(retry_after_seconds)}
    return Answer(STATUS[kind], to_json(body), PROBLEM, headers)


def for_one(readable: Readable, outcome: Told, retry_after_seconds: int) -> Answer:
    """Return 202 for an acknowledged event, 200 for a repeat, 409 for another body, 503 for unknown."""
    event, topic = readable.event, readable.topic.name
    names = {"event_id": event.id, "event_source": event.source, "topic": topic}
    traces = (readable.trace,)
    if isinstance(outcome, Acknowledged | Duplicate):
        place = {"partition": outcome.partition, "offset": outcome.offset}
        is_new = isinstance(outcome, Acknowledged)
        status = Status.ACCEPTED if is_new else Status.DUPLICATE
        body = {"id": event.id, "source": event.source, "status": status, "topic": topic} | place
        code = HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK
        tally: Tally = Counter({(topic, status.value): 1})
        return Answer(code, to_json(body), tally=tally, names=names | place, traces=traces)
    if isinstance(outcome, Conflict):
        answer = problem(ProblemKind.CONFLICT, OTHER_BODY, faults=[_CONFLICT])
        rejects: Rejects = Counter({(ProblemKind.CONFLICT.value, event.source): 1})
        tally = _tally_of([readable])
        return replace(answer, tally=tally, rejects=rejects, names=names, traces=traces)
    answer = problem(ProblemKind.OUTCOME_UNKNOWN, SAME_ID, retry_after_seconds=retry_after_seconds)
    tally = Counter({(topic, Status.UNKNOWN.value): 1})
    names["because"] = outcome.because
    return replace(answer, tally=tally, names=names, traces=traces)


def for_refused(refused: Refused) -> Answer:
    """Return 400 for what is not JSON, 403 for what its sender may not publish, else 422; with each fault."""
    kind = _KINDS.get(refused.reason, ProblemKind.INVALID)
    detail = f"{counted(len(refused.faults), 'fault')}; nothing was taken."
    answer = problem(kind, detail, faults=refused.faults)
    return replace(
        answer,
        tally=_tally_of([refused]),
        rejects=Counter({(refused.reason, refused.source): 1}),
        refused="missing_scope" if kind is ProblemKind.FORBIDDEN else None,
    )


def for_batch(
    readings: Sequence[Reading], outcomes: Sequence[Told], retry_after_seconds: int
) -> Answer:
    """Return 202 where the broker has all, 503 where nothing is known of any, else 207.

    Args:
        outcomes: One for each readable item, in their order.
    """
    results = _results(readings, outcomes)
    counts = Counter(result["status"] for result in results)
    body = {status.value: counts[status] for status in Status} | {"results": results}
    headers = {"retry-after": str(retry_after_seconds)} if counts[Status.UNKNOWN] else {}
    all_accepted = counts[Status.ACCEPTED] + counts[Status.DUPLICATE] == len(results)
    status = HTTPStatus.ACCEPTED if all_accepted else HTTPStatus.MULTI_STATUS
    answer = Answer(status, to_json(body), headers=headers)
    if results and counts[Status.UNKNOWN] == len(results):
        answer = problem(
            ProblemKind.OUTCOME_UNKNOWN, SAME_ID, retry_after_seconds=retry_after_seconds, more=body
        )
    tally: Tally = Counter(
        (_topic_of(reading), result["status"].value)
        for reading, result in zip(readings, results, strict=True)
    )
    rejects = Counter(
        (result["reason"], result.get("source")) for result in results if "reason" in result
    )
    named = [reading for reading in readings if isinstance(reading, Readable)][:MOST_NAMED]
    return replace(
        answer,
        tally=tally,
        rejects=rejects,
        names={"event_ids": [reading.event.id for reading in named]},
        traces=tuple(dict.fromkeys(reading.trace for reading in named)),
    )


def turned_away(
    kind: ProblemKind,
    detail: str,
    readings: Sequence[Reading] = (),
    retry_after_seconds: int | None = None,
) -> Answer:
    """Return a problem, each event counted under its topic; one of no topic where none was read.

    What came at a bad time is counted as turned away, all else as rejected.
    """
    outcome = TURNED_AWAY if kind in _FOR_NOW else Status.REJECTED.value
    topics = [_topic_of(reading) for reading in readings] or ["none"]
    tally: Tally = Counter((topic, outcome) for topic in topics)
    reason = kind.value.replace("-", "_")
    sources: list[str | None] = [_source_of(reading) for reading in readings] or [None]
    rejects = Counter((reason, source) for source in sources)
    answer = problem(kind, detail, retry_after_seconds=retry_after_seconds)
    return replace(answer, tally=tally, rejects=rejects)


def _tally_of(readings: Sequence[Reading]) -> Tally:
    return Counter((_topic_of(reading), Status.REJECTED.value) for reading in readings)


def _topic_of(reading: Reading) -> str:
    return "none" if reading.topic is None else reading.topic.name


def _source_of(reading: Reading) -> str | None:
    return reading.source if isinstance(reading, Refused) else reading.event.source


def _results(readings: Sequence[Reading], outcomes: Sequence[Told]) -> list[dict[str, Any]]:
    remaining = iter(outcomes)
    return [
        {"index": index} | _result(reading, remaining) for index, reading in enumerate(readings)
    ]


def _result(reading: Reading, remaining: Iterator[Told]) -> dict[str, Any]:
    if isinstance(reading, Refused):
        return _rejected(reading)
    return _published(reading, next(remaining))


def _rejected(refused: Refused) -> dict[str, Any]:
    told = {"id": refused.id, "source": refused.source}
    return {name: value for name, value in told.items() if value is not None} | {
        "status": Status.REJECTED,
        "reason": refused.reason,
        "errors": [_error(fault) for fault in refused.faults],
    }


def _published(readable: Readable, outcome: Told) -> dict[str, Any]:
    event = readable.event
    told = {"id": event.id, "source": event.source}
    if isinstance(outcome, Conflict):
        reason = {"reason": ProblemKind.CONFLICT.value, "errors": [_error(_CONFLICT)]}
        return told | {"status": Status.REJECTED} | reason
    if isinstance(outcome, Acknowledged | Duplicate):
        place = {"partition": outcome.partition, "offset": outcome.offset}
        status = Status.ACCEPTED if isinstance(outcome, Acknowledged) else Status.DUPLICATE
        return told | {"status": status, "topic": readable.topic.name} | place
    return told | {"status": Status.UNKNOWN, "topic": readable.topic.name}


def _error(fault: Fault) -> dict[str, str]:
    return {"pointer": fault.pointer, "code": fault.code, "detail": fault.detail}
