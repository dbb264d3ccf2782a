"""What the contract says of a metric: name, kind, labels and meaning."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Prometheus' metric types."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of series."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its series.

        Of a histogram that knows durations below 0 Prometheus' client exports the buckets alone: a sum that
        may fall is no counter.
        """
        if self.kind is not Kind.HISTOGRAM:
            return (self.name,)
        parts = ("_bucket",) if self.buckets[0] < 0 else ("_bucket", "_count", "_sum")
        return tuple(self.name + part for part in parts)
