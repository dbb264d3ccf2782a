"""Which metrics and labels a panel may ask for: the contract's, and those of the process itself."""

from collections.abc import Mapping

from services.contracts.metric_names import METRICS, Kind

BY_PROMETHEUS = frozenset({"job", "instance"})
"""Labels that the scrape adds to every series."""

OF_PROCESSES: Mapping[str, frozenset[str]] = {
    name: frozenset()
    for name in (
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    )
}
"""What Prometheus' client tells of the process it runs in."""


def family(series: str) -> str:
    """Return the metric that a series' name belongs to, or the name itself: a histogram has several."""
    return next((metric.name for metric in METRICS if series in metric.series), series)


def labels_of(name: str) -> frozenset[str] | None:
    """Return the labels that a metric has; None: there is no such metric."""
    return _in_contract().get(name, OF_PROCESSES.get(name))


def _in_contract() -> dict[str, frozenset[str]]:
    return {
        metric.name: frozenset(metric.labels)
        | ({"le"} if metric.kind is Kind.HISTOGRAM else frozenset())
        for metric in METRICS
    }
