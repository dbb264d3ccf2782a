"""An OpenTelemetry collector that keeps the spans it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support import receiver


@dataclass(frozen=True)
class Seen:
    """One span, as far as tests look at it."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: frozenset[str]
    """Ids of the traces it is linked to."""
    attributes: dict[str, Any]
    is_error: bool


class Collector:
    """What was sent to it."""

    def __init__(self, heard: receiver.Receiver) -> None:
        self._heard = heard

    @property
    def environment(self) -> dict[str, str]:
        """What a service is told to send its spans here, soon."""
        address = f"http://127.0.0.1:{self._heard.port}"
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    @property
    def bodies(self) -> list[bytes]:
        """Everything that came, as it came."""
        return [request.body for request in self._heard.requests]

    def spans(self, service: str | None = None) -> list[Seen]:
        """Return the spans of one service, or of all."""
        found = [span for body in self.bodies for span in _spans_in(body)]
        return [span for span in found if service in (None, span.service)]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Serve a collector."""
    with receiver.receiving(receiver.status(200)) as heard:
        yield Collector(heard)


def _spans_in(body: bytes) -> Iterator[Seen]:
    request = ExportTraceServiceRequest.FromString(body)
    for of_resource in request.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for scope in of_resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    resource["service.name"],
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    frozenset(link.trace_id.hex() for link in span.links),
                    _attributes(span.attributes),
                    span.status.code == span.status.STATUS_CODE_ERROR,
                )


def _attributes(told: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in told}
