"""What every process tells of itself: CPU, memory, files, garbage collection, and which code it runs."""

from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from services.contracts.process_metrics import BUILD_INFO
from services.kit import telemetry

_PACKAGE = "proactive-care"
_UNKNOWN = "unknown"


def process_registry(service: str) -> CollectorRegistry:
    """Return a new registry with what the process tells of itself.

    Args:
        service: Its name as in the topics' contracts.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    telemetry.gauge(BUILD_INFO, registry).labels(service, running_version()).set(1)
    return registry


def running_version() -> str:
    """Return the version of the installed package; `unknown` where it is not installed."""
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:
        return _UNKNOWN
