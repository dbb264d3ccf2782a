"""What the door tells of each request: one log line, and one span where spans are collected."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from services.contracts.trace_context import TRACEPARENT, TRACESTATE, TraceContext, parse
from services.ingest.adapters.adapter import AdapterName
from services.ingest.answers import OUTCOMES, Answer
from services.ingest.documents import Status
from services.kit import logs
from services.kit import span_names as n
from services.kit.tracing import Kind, Span

_log = logs.get(__name__)


def around(headers: Mapping[str, str]) -> TraceContext | None:
    """Return the trace that a request says it is part of; None: it says none that can be read."""
    traceparent = headers.get(TRACEPARENT)
    return None if traceparent is None else parse(traceparent, headers.get(TRACESTATE))


def log_request(answer: Answer, duration_seconds: float) -> None:
    """Log one request with events."""
    outcomes = dict.fromkeys(OUTCOMES, 0)
    for (_, outcome), events in answer.tally.items():
        outcomes[outcome] += events
    _log.info(
        "events_received",
        status=int(answer.status),
        **outcomes,
        **({"reasons": _by_reason(answer)} if answer.rejects else {}),
        **answer.names,
        **_trace_ids(answer),
        duration_seconds=round(duration_seconds, 6),
    )


def _by_reason(answer: Answer) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for (reason, _), events in answer.rejects.items():
        counts[reason] += events
    return dict(counts)


def log_webhook(name: AdapterName, answer: Answer, duration_seconds: float) -> None:
    """Log one webhook of another system."""
    outcome = answer.webhook[1].value if answer.webhook else None
    _log.info(
        "webhook_received",
        adapter=name.value,
        status=int(answer.status),
        outcome=outcome,
        events=sum(n for (_, status), n in answer.tally.items() if status == Status.ACCEPTED),
        **answer.names,
        **_trace_ids(answer),
        duration_seconds=round(duration_seconds, 6),
    )


def span_of(route: str, answer: Answer, around: TraceContext | None) -> Span:
    """Return the span of a request: in the trace it came with, else in that of its one event.

    A batch without one is in a trace of its own, linked to those of its events.
    """
    status = int(answer.status)
    attributes: dict[str, str | int] = {
        n.HTTP_METHOD: "POST",
        n.HTTP_ROUTE: route,
        n.HTTP_STATUS: status,
        n.BATCH: answer.tally.total(),
    }
    if around is None and len(answer.traces) == 1:
        around = answer.traces[0]
    return Span(
        f"POST {route}",
        Kind.SERVER,
        attributes,
        parent=around,
        links=(trace for trace in answer.traces if trace != around),
        error=str(status) if status >= 500 else None,
    )


def _trace_ids(answer: Answer) -> Mapping[str, Any]:
    """One id where there is one, so that a line is found by it; else a list."""
    ids = list(dict.fromkeys(trace.trace_id for trace in answer.traces))
    if len(ids) == 1:
        return {"trace_id": ids[0]}
    return {"trace_ids": ids} if ids else {}
