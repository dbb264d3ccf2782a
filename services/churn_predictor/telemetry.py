"""What this worker tells Prometheus and the probes."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry

from services.churn_predictor.partition import Partition
from services.contracts import metric_names as m
from services.contracts.topics import PREDICTOR_SOURCES, TICKS
from services.kit import telemetry
from services.kit.clock import monotonic
from services.kit.health import Verdict

_OUTCOMES = ("applied", "duplicate", "late", "dead_lettered")


_Key = tuple[int, str, str]


class Telemetry:
    """Counts what the partitions did in this process, and knows whether it is ready."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._records = telemetry.counter(m.PREDICTOR_APPLIED, self.registry)
        self._tick = telemetry.gauge(m.PREDICTOR_TICK, self.registry)
        self._expectations = telemetry.gauge(m.PREDICTOR_EXPECTATIONS, self.registry)
        self._seen: dict[_Key, int] = {}
        self._due: dict[int, int] = {}
        self._owned: int | None = None
        self._progressed = monotonic()
        for topic in (*PREDICTOR_SOURCES, TICKS):
            for outcome in _OUTCOMES:
                self._records.labels(topic.name, outcome)

    def owned(self, partitions: Iterable[Partition]) -> None:
        """Note which partitions this worker has now; what they counted before is not counted again."""
        self._seen.clear()
        self._due.clear()
        self._owned = 0
        for partition in partitions:
            self._owned += 1
            self._due[partition.number] = len(partition.due)
            for key, total in _totals(partition):
                self._seen[key] = total
        self._progressed = monotonic()

    def applied(self, partition: Partition) -> None:
        """Count what came since the last call for this partition."""
        self._progressed = monotonic()
        for key, total in _totals(partition):
            _, name, outcome = key
            self._records.labels(name, outcome).inc(total - self._seen.get(key, 0))
            self._seen[key] = total
        self._due[partition.number] = len(partition.due)
        self._expectations.set(sum(self._due.values()))

    def ticked(self, at: datetime) -> None:
        """Note the time that took effect."""
        self._tick.set(at.timestamp())

    def ready(self) -> Verdict:
        """Whether the group gave this worker its share, even if that is nothing."""
        if self._owned is None:
            return Verdict(False, "waiting for the group to assign partitions")
        return Verdict(True, f"owns {self._owned} partitions")

    def live(self) -> Verdict:
        """Whether the process can still answer; progress is judged by lag, outside."""
        return Verdict(True, f"last progress {monotonic() - self._progressed:.0f} s ago")


def _totals(partition: Partition) -> Iterator[tuple[_Key, int]]:
    for name, source in partition.state.sources.items():
        for outcome in _OUTCOMES:
            yield (partition.number, name, outcome), int(getattr(source, outcome))
