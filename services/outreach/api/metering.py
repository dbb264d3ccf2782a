"""What the API counts: requests by operation and status, and who was not let in by reason; never who."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from services.contracts import metric_names
from services.kit import telemetry
from services.kit.api_keys import Denial
from services.outreach.api.faults import STATUS

NO_OPERATION = "none"
_STATUSES = sorted({200, 201, *(int(status) for status in STATUS.values())})


class Meter:
    """The API's counters; every series of an operation exists from the start, at zero."""

    def __init__(self, registry: CollectorRegistry, operations: Iterable[str]) -> None:
        self._requests = telemetry.counter(metric_names.OUTREACH_API, registry)
        self._denied = telemetry.counter(metric_names.OUTREACH_API_DENIED, registry)
        for operation in (*operations, NO_OPERATION):
            for status in _STATUSES:
                self._requests.labels(operation, str(status))
        for denial in Denial:
            self._denied.labels(denial.value)

    def count(self, operation: str, status: int) -> None:
        """Count one answer."""
        self._requests.labels(operation, str(status)).inc()

    def count_denied(self, denial: Denial) -> None:
        """Count one request that was not let in."""
        self._denied.labels(denial.value).inc()
