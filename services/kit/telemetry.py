"""Prometheus metrics made from the contract's names, in a registry of one's own."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

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


class Durations(Collector):
    """A histogram without labels in which many durations are counted at once; for any thread.

    The library's own counts one at a time.
    """

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        """Count nothing yet; ValueError where the contract says that this is no histogram."""
        _expect(metric, Kind.HISTOGRAM)
        self._metric = metric
        self._bounds = (*metric.buckets, float("inf"))
        self._counts = [0] * len(self._bounds)
        self._total = 0.0
        self._lock = Lock()
        registry.register(self)

    def add(self, durations: Iterable[tuple[float, int]]) -> None:
        """Count durations in seconds, each so many times."""
        with self._lock:
            for seconds, times in durations:
                self._counts[bisect_left(self._bounds, seconds)] += times
                self._total += seconds * times

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Return the histogram as of now."""
        with self._lock:
            counts, total = list(self._counts), self._total
        bounds = map(floatToGoString, self._bounds)
        family = HistogramMetricFamily(self._metric.name, self._metric.help)
        family.add_metric([], list(zip(bounds, accumulate(counts), strict=True)), total)
        return [family]


def _expect(metric: Metric, kind: Kind) -> None:
    if metric.kind is not kind:
        raise ValueError(f"{metric.name} is a {metric.kind}, not a {kind}")
