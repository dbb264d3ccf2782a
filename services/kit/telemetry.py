"""Prometheus metrics made from the contract's names, in a registry of one's own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.contracts.metric_names import Kind, Metric


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    """Return the counter of this contract; ValueError where the contract says otherwise."""
    _expect(metric, Kind.COUNTER)
    # The client appends `_total` itself.
    return Counter(
        metric.name.removesuffix("_total"), metric.help, metric.labels, registry=registry
    )


def gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    """Return the gauge of this contract; ValueError where the contract says otherwise."""
    _expect(metric, Kind.GAUGE)
    return Gauge(metric.name, metric.help, metric.labels, registry=registry)


def histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    """Return the histogram of this contract; ValueError where the contract says otherwise."""
    _expect(metric, Kind.HISTOGRAM)
    return Histogram(
        metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry
    )


def _expect(metric: Metric, kind: Kind) -> None:
    if metric.kind is not kind:
        raise ValueError(f"{metric.name} is a {metric.kind}, not a {kind}")
