"""Spans to an OpenTelemetry collector over HTTP; imported only where one is named."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_NAMESPACE, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from services.contracts.trace_context import TraceContext
from services.kit.clock import epoch_nanoseconds
from services.kit.span_names import ERROR_TYPE
from services.kit.tracing import MOST_LINKS, Kind, Span

CLOSE_SECONDS = 3.0

_KINDS = {
    Kind.SERVER: trace.SpanKind.SERVER,
    Kind.CLIENT: trace.SpanKind.CLIENT,
    Kind.CONSUMER: trace.SpanKind.CONSUMER,
}


class OtlpSpans:
    """Hands spans to an exporter in a thread of its own; what it cannot get rid of is dropped."""

    def __init__(self, service: str, exporter: SpanExporter, resource: Resource) -> None:
        # Its own handler at the process' end would wait as long as it likes.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(f"proactive-care.{service}")

    def begin(self) -> int:
        """Return the time, in nanoseconds since 1970."""
        return epoch_nanoseconds()

    def end(self, begun: int, describe: Callable[[], Span]) -> None:
        """Take a span from then to now."""
        told = describe()
        attributes = dict(told.attributes)
        if told.error is not None:
            attributes[ERROR_TYPE] = told.error
        span = self._tracer.start_span(
            told.name,
            context=_inside(told.parent),
            kind=_KINDS[told.kind],
            attributes=attributes,
            links=[trace.Link(_place(one)) for one in islice(_each_once(told.links), MOST_LINKS)],
            start_time=begun,
        )
        if told.error is not None:
            span.set_status(trace.StatusCode.ERROR)
        span.end(epoch_nanoseconds())

    def close(self) -> None:
        """Export what is left; a collector that does not take it in time never gets it."""
        # The provider itself would wait for half a minute, which a process that is told to leave has not.
        leaving = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        leaving.start()
        leaving.join(CLOSE_SECONDS)


def open_spans(service: str, environment: Mapping[str, str]) -> OtlpSpans:
    """Return spans that go where OpenTelemetry's own variables say."""
    # Each attempt to reach a collector that is away would say so, with all that can be said of it.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    named = {SERVICE_NAMESPACE: "proactive-care"}
    if not environment.get("OTEL_SERVICE_NAME"):
        named[SERVICE_NAME] = service
    return OtlpSpans(service, OTLPSpanExporter(), Resource.create(named))


def _inside(parent: TraceContext | None) -> Context:
    """Return the context of a span in this place; of one in a trace of its own, nothing around it."""
    around = Context()
    if parent is None:
        return around
    return trace.set_span_in_context(trace.NonRecordingSpan(_place(parent)), around)


def _place(at: TraceContext) -> trace.SpanContext:
    return trace.SpanContext(
        trace_id=int(at.trace_id, 16),
        span_id=int(at.span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(at.is_sampled)),
        trace_state=trace.TraceState.from_header([at.tracestate] if at.tracestate else []),
    )


def _each_once(links: Iterable[TraceContext]) -> Iterable[TraceContext]:
    return dict.fromkeys(links)
