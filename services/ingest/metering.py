"""What the door counts, in a registry of its own; every series exists from the start, at zero."""

from collections.abc import Callable

from services.contracts import metric_names
from services.contracts.process_metrics import INGEST_LOOP_LAG
from services.contracts.topics import OUTSIDE
from services.ingest.access.callers import Reason
from services.ingest.adapters.adapter import AdapterName
from services.ingest.answers import Answer
from services.ingest.documents import STATUS, LookOutcome, Status, WebhookOutcome
from services.kit import telemetry
from services.kit.process_metrics import process_registry

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
    "forbidden",
)
"""Every value of the label `reason`."""

_TOPICS = (*(topic.name for topic in OUTSIDE), "none")
_STATUSES = sorted({200, 202, 207, *(int(status) for status in STATUS.values())})


class Meter:
    """The door's metrics."""

    def __init__(self, in_flight: Callable[[], int]) -> None:
        self.registry = process_registry("ingest")
        self._events = telemetry.counter(metric_names.INGEST_EVENTS, self.registry)
        self._rejected = telemetry.counter(metric_names.INGEST_REJECTED, self.registry)
        self._refused = telemetry.counter(metric_names.INGEST_REFUSED_REQUESTS, self.registry)
        self._seconds = telemetry.histogram(metric_names.INGEST_SECONDS, self.registry)
        self._webhooks = telemetry.counter(metric_names.INGEST_WEBHOOKS, self.registry)
        self._looks = telemetry.counter(metric_names.INGEST_LOOKS, self.registry)
        gauge = telemetry.gauge(metric_names.INGEST_IN_FLIGHT, self.registry)
        gauge.set_function(in_flight)
        loop_lag = telemetry.histogram(INGEST_LOOP_LAG, self.registry)
        self.loop_was_late: Callable[[float], None] = loop_lag.observe
        """Notes by how many seconds the event loop was late."""
        self._begin()

    def count(self, answer: Answer, duration_seconds: float) -> None:
        """Count one answer and the events it is about."""
        for (topic, status), events in answer.tally.items():
            self._events.labels(topic, status.value).inc(events)
        for reason, events in answer.reasons.items():
            self._rejected.labels(reason).inc(events)
        if answer.webhook is not None:
            self._webhooks.labels(*answer.webhook).inc()
        if answer.refused is not None:
            self._refused.labels(answer.refused).inc()
        self._seconds.labels(str(int(answer.status))).observe(duration_seconds)

    def count_look(self, answer: Answer, outcome: LookOutcome) -> None:
        """Count one question what became of an event."""
        self._looks.labels(outcome.value).inc()
        if answer.refused is not None:
            self._refused.labels(answer.refused).inc()

    def _begin(self) -> None:
        for look in LookOutcome:
            self._looks.labels(look.value)
        for topic in _TOPICS:
            for status in Status:
                self._events.labels(topic, status.value)
        for reason in REASONS:
            self._rejected.labels(reason)
        for reason in Reason:
            self._refused.labels(reason.value)
        for adapter in AdapterName:
            for outcome in WebhookOutcome:
                self._webhooks.labels(adapter, outcome)
        for status_code in _STATUSES:
            self._seconds.labels(str(status_code))
