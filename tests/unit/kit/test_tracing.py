"""Spans: none without a collector, and what they hold with one."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import opentelemetry.semconv._incubating.attributes.messaging_attributes as messaging
import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv.attributes import error_attributes, http_attributes
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from services.contracts.trace_context import TraceContext, derived
from services.kit import span_names as n
from services.kit.clock import monotonic
from services.kit.otlp import CLOSE_SECONDS, OtlpSpans
from services.kit.tracing import MOST_LINKS, NO_SPANS, Kind, Span, set_up
from tests.support import receiver
from tests.support.collector import collecting

PARENT = TraceContext(f"00-{'a' * 32}-{'b' * 16}-01", "vendor=1")
WANTED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


def never() -> Span:
    raise AssertionError("asked to describe what nobody collects")


@pytest.mark.parametrize(
    "environment",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, {**WANTED, "OTEL_SDK_DISABLED": "True"}],
)
def test_without_a_collector_nothing_is_described(environment: dict[str, str]) -> None:
    spans = set_up("ingest", environment)

    spans.end(spans.begin(), never)
    spans.close()

    assert spans is NO_SPANS


def test_without_the_extra_it_is_told_and_the_service_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "services.kit.otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with capture_logs() as lines:
        spans = set_up("ingest", WANTED)

    assert spans is NO_SPANS
    (line,) = lines
    assert (line["event"], line["install"]) == ("tracing_not_installed", "proactive-care[tracing]")


def test_without_a_collector_nothing_of_it_is_imported() -> None:
    script = (
        "import sys; from services.kit import tracing; tracing.set_up('x', {});"
        "sys.exit('opentelemetry' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def exported(span: Span) -> ReadableSpan:
    exporter = InMemorySpanExporter()
    spans = OtlpSpans("test", exporter, Resource.create({}))
    spans.end(spans.begin(), lambda: span)
    spans._provider.force_flush()
    (found,) = exporter.get_finished_spans()
    spans.close()
    return found


def test_a_span_is_in_its_parents_trace() -> None:
    found = exported(Span("send", Kind.CLIENT, {"care.attempt": 2}, parent=PARENT))

    assert found.kind is SpanKind.CLIENT
    assert found.context is not None
    assert f"{found.context.trace_id:032x}" == PARENT.trace_id
    assert found.context.trace_state.to_header() == "vendor=1"
    assert found.parent is not None
    assert f"{found.parent.span_id:016x}" == PARENT.span_id
    assert dict(found.attributes or {}) == {"care.attempt": 2}
    assert found.status.status_code is StatusCode.UNSET
    assert found.start_time is not None
    assert found.end_time is not None
    assert found.start_time <= found.end_time


def test_links_are_bounded_and_each_is_there_once() -> None:
    links = [derived(str(number)) for number in range(MOST_LINKS + 20)]

    def twice() -> Iterator[TraceContext]:
        for link in links:
            yield link
            yield link

    found = exported(Span("process", Kind.CONSUMER, {}, links=twice()))

    assert found.parent is None
    ids = [f"{link.context.trace_id:032x}" for link in found.links]
    assert ids == [link.trace_id for link in links[:MOST_LINKS]]


def test_a_failure_is_told() -> None:
    found = exported(Span("send", Kind.CLIENT, {}, error="refused"))

    assert found.status.status_code is StatusCode.ERROR
    assert (found.attributes or {})[n.ERROR_TYPE] == "refused"


def test_a_collector_that_never_answers_holds_nobody_up_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiver.receiving(receiver.hang) as heard:
        address = f"http://127.0.0.1:{heard.port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        spans = set_up("test", {"OTEL_EXPORTER_OTLP_ENDPOINT": address})
        spans.end(spans.begin(), lambda: Span("x", Kind.CLIENT, {}))
        began = monotonic()
        spans.close()
        assert monotonic() - began < 2 * CLOSE_SECONDS
        heard.over.set()
        for thread in threading.enumerate():
            if thread.name == "last spans":
                thread.join(30)


def test_a_service_has_its_name_unless_it_is_given_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collecting() as collector:
        for name, value in collector.environment.items():
            monkeypatch.setenv(name, value)
        for environment in ({}, {"OTEL_SERVICE_NAME": "door"}):
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            spans = set_up("ingest", {**collector.environment, **environment})
            spans.end(spans.begin(), lambda: Span("x", Kind.SERVER, {}))
            spans.close()

        assert {span.service for span in collector.spans()} == {"ingest", "door"}


def test_names_are_those_of_the_conventions() -> None:
    names = {
        n.SYSTEM: messaging.MESSAGING_SYSTEM,
        n.DESTINATION: messaging.MESSAGING_DESTINATION_NAME,
        n.DESTINATION_PARTITION: messaging.MESSAGING_DESTINATION_PARTITION_ID,
        n.CONSUMER_GROUP: messaging.MESSAGING_CONSUMER_GROUP_NAME,
        n.OPERATION_NAME: messaging.MESSAGING_OPERATION_NAME,
        n.OPERATION_TYPE: messaging.MESSAGING_OPERATION_TYPE,
        n.BATCH: messaging.MESSAGING_BATCH_MESSAGE_COUNT,
        n.KAFKA_OFFSET: messaging.MESSAGING_KAFKA_OFFSET,
        n.KAFKA: messaging.MessagingSystemValues.KAFKA.value,
        n.PROCESS: messaging.MessagingOperationTypeValues.PROCESS.value,
        n.SEND: messaging.MessagingOperationTypeValues.SEND.value,
        n.HTTP_METHOD: http_attributes.HTTP_REQUEST_METHOD,
        n.HTTP_ROUTE: http_attributes.HTTP_ROUTE,
        n.HTTP_STATUS: http_attributes.HTTP_RESPONSE_STATUS_CODE,
        n.ERROR_TYPE: error_attributes.ERROR_TYPE,
    }

    assert [ours for ours, theirs in names.items() if ours != theirs] == []
