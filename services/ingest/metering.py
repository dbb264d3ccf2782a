"""What the door counts, in a registry of its own; every series exists from the start, at zero."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, Protocol

from services.contracts import metric_names
from services.contracts.process_metrics import INGEST_LOOP_LAG
from services.contracts.topics import OUTSIDE
from services.ingest.access.callers import Reason
from services.ingest.access.counted import OTHER, Counted
from services.ingest.adapters.adapter import AdapterName
from services.ingest.answers import OUTCOMES, Answer
from services.ingest.documents import STATUS, LookOutcome, ProblemKind, WebhookOutcome
from services.kit import telemetry
from services.kit.process_metrics import process_registry
from services.kit.watched_file import WatchedFile

REASONS = (
    "not_json",
    "not_an_event",
    "unknown_type",
    "invalid",
    "too_far_ahead",
    "conflict",
    "too_large",
    "too_slow",
    "unsupported_media_type",
    "overloaded",
    "no_time_yet",
    "paused",
    "forbidden",
)
"""Every value of the label `reason`."""

_TOPICS = (*(topic.name for topic in OUTSIDE), "none")
_STATUSES = sorted({200, 202, 207, *(int(status) for status in STATUS.values())})


class Names(Protocol):
    """Says under which names an answer is counted, of a bounded number."""

    def counted_source(self, source: str | None) -> str:
        """Return the name of a source; None: it is not known."""
        ...

    def counted_client(self) -> str:
        """Return the name of who was answered."""
        ...


class Nameless:
    """Of what comes by no key, token or signature of ours."""

    def counted_source(self, source: str | None) -> str:
        """Return `other`."""
        return OTHER

    def counted_client(self) -> str:
        """Return `other`."""
        return OTHER


_NAMELESS = Nameless()


class Meter:
    """The door's metrics.

    Args:
        in_flight: Returns the records that are not yet acknowledged.
        counted: Whom to begin at zero; who is named later begins with the first that is counted.
        files: Those of keys and secrets; each scrape looks at them, though nobody publishes.
    """

    def __init__(
        self,
        in_flight: Callable[[], int],
        counted: Counted | None = None,
        files: Iterable[WatchedFile[Any]] = (),
    ) -> None:
        self.registry = process_registry("ingest")
        self._events = telemetry.counter(metric_names.INGEST_EVENTS, self.registry)
        self._rejected = telemetry.counter(metric_names.INGEST_REJECTED, self.registry)
        self._refused = telemetry.counter(metric_names.INGEST_REFUSED_REQUESTS, self.registry)
        self._seconds = telemetry.histogram(metric_names.INGEST_SECONDS, self.registry)
        self._webhooks = telemetry.counter(metric_names.INGEST_WEBHOOKS, self.registry)
        self._looks = telemetry.counter(metric_names.INGEST_LOOKS, self.registry)
        gauge = telemetry.gauge(metric_names.INGEST_IN_FLIGHT, self.registry)
        gauge.set_function(in_flight)
        faults = telemetry.gauge(metric_names.INGEST_FILE_FAULT, self.registry)
        for file in files:
            faults.labels(file.called).set_function(file.is_at_fault)
        named = counted or Counted()
        self._begin(sources=[*named.sources, OTHER], clients=[*named.clients, OTHER])
        loop_lag = telemetry.histogram(INGEST_LOOP_LAG, self.registry)
        self.loop_was_late: Callable[[float], None] = loop_lag.observe
        """Notes by how many seconds the event loop was late."""

    def count(self, answer: Answer, duration_seconds: float, names: Names = _NAMELESS) -> None:
        """Count one answer and the events it is about."""
        for (topic, outcome), events in answer.tally.items():
            self._events.labels(topic, outcome).inc(events)
        for (reason, source), events in answer.rejects.items():
            self._rejected.labels(reason, names.counted_source(source)).inc(events)
        if answer.webhook is not None:
            self._webhooks.labels(*answer.webhook).inc()
        self._count_refused(answer, names)
        self._seconds.labels(str(int(answer.status))).observe(duration_seconds)

    def count_broken(self, duration_seconds: float) -> None:
        """Count one request that ended in an error of ours."""
        self._seconds.labels(str(int(STATUS[ProblemKind.INTERNAL]))).observe(duration_seconds)

    def count_look(self, answer: Answer, outcome: LookOutcome, names: Names = _NAMELESS) -> None:
        """Count one question what became of an event."""
        self._looks.labels(outcome.value).inc()
        self._count_refused(answer, names)

    def _count_refused(self, answer: Answer, names: Names) -> None:
        if answer.refused is not None:
            self._refused.labels(answer.refused, names.counted_client()).inc()

    def _begin(self, sources: Iterable[str], clients: Iterable[str]) -> None:
        for look in LookOutcome:
            self._looks.labels(look.value)
        for topic, outcome in product(_TOPICS, OUTCOMES):
            self._events.labels(topic, outcome)
        for reason, source in product(REASONS, sources):
            self._rejected.labels(reason, source)
        for denial, client in product(Reason, clients):
            self._refused.labels(denial.value, client)
        for adapter in AdapterName:
            for outcome in WebhookOutcome:
                self._webhooks.labels(adapter, outcome)
        for status_code in _STATUSES:
            self._seconds.labels(str(status_code))
