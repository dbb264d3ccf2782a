"""What only outreach can know, for Prometheus: read at each scrape, most of it from the database."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from services.contracts.metric_names import (
    OUTREACH_CIRCUITS,
    OUTREACH_CONTACT_INTAKE,
    OUTREACH_FILE_FAULT,
    OUTREACH_HELD,
    OUTREACH_LAGGING,
    OUTREACH_OUTBOX,
    OUTREACH_PAUSES,
    OUTREACH_PROFILE_RECORDS,
    OUTREACH_RECONCILIATIONS,
    OUTREACH_START_WINDOW,
    OUTREACH_STARTED_UNHEARD,
    OUTREACH_TICK,
    OUTREACH_UNKNOWN,
    Metric,
)
from services.contracts.people import Channel
from services.contracts.process_metrics import (
    OUTREACH_CONNECTIONS,
    OUTREACH_LEDGER,
    OUTREACH_TURN_SECONDS,
)
from services.contracts.topics import PERSONAL
from services.kit import telemetry
from services.kit.watched_file import WatchedFile
from services.outreach import breaker, ledger, outbox, pauses, positions, reconciliation
from services.outreach.channels.breaker import Phase
from services.outreach.database import MOST_CONNECTIONS


class StartMeter:
    """Measures how much could be said unheard before a send was started, and how soon words are heard."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._window = telemetry.histogram(OUTREACH_START_WINDOW, registry)
        self._intake = telemetry.histogram(OUTREACH_CONTACT_INTAKE, registry)
        self._unheard = telemetry.counter(OUTREACH_STARTED_UNHEARD, registry)
        self._lagging = telemetry.gauge(OUTREACH_LAGGING, registry)

    def started(self, seconds: float) -> None:
        """Note a start that was committed so long after the instant until which all was known."""
        self._window.observe(seconds)

    def started_unheard(self) -> None:
        """Note a start that did not wait any longer."""
        self._unheard.inc()

    def taken_in(self, timestamp_ms: int, now: float) -> None:
        """Note a contact committed at `now` (seconds since 1970); one without a timestamp tells nothing."""
        if timestamp_ms >= 0:
            self._intake.observe(max(0.0, now - timestamp_ms / 1000))

    def watch(self, lagging: Callable[[], int]) -> None:
        """Ask at each scrape how many partitions lag."""
        self._lagging.set_function(lagging)


class ReplicaMeter:
    """Measures the replica itself: the turns of its loop, and its connections to the database."""

    def __init__(self, registry: CollectorRegistry) -> None:
        turns = telemetry.histogram(OUTREACH_TURN_SECONDS, registry)
        self._connections = telemetry.gauge(OUTREACH_CONNECTIONS, registry)
        self.turned: Callable[[float], None] = turns.observe
        """Notes for how many seconds a turn took."""

    def watch(self, name: str, engine: Engine) -> None:
        """Ask at each scrape how many connections this engine has in use."""
        pool = engine.pool
        assert isinstance(pool, QueuePool)
        self._connections.labels(name, "in_use").set_function(pool.checkedout)
        self._connections.labels(name, "most").set(MOST_CONNECTIONS)


class FileFaults:
    """Tells which files are wrong by now; each scrape looks at them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauge = telemetry.gauge(OUTREACH_FILE_FAULT, registry)

    def watch(self, file: WatchedFile[Any]) -> None:
        """Look at this one too."""
        self._gauge.labels(file.called).set_function(file.is_at_fault)


class DatabaseCollector(Collector):
    """Gauges of the replica, and from the database; none of these while it does not answer."""

    def __init__(
        self,
        engine: Engine,
        decided_until: Callable[[], datetime | None],
        circuits: Callable[[], Mapping[Channel, Phase]],
    ) -> None:
        self._engine = engine
        self._decided_until = decided_until
        self._circuits = circuits

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the gauges as of now."""
        yield self._tick()
        yield self._open_circuits()
        try:
            with self._engine.connect() as connection:
                waiting = outbox.waiting(connection)
                paused = pauses.count_by_scope(pauses.open_pauses(connection))
                is_behind = reconciliation.is_needed(connection)
                open_steps = ledger.open_steps(connection)
                in_doubt = ledger.in_doubt(connection)
                held = len(breaker.trips(connection))
                accounts = positions.profile_accounts(connection, [t.name for t in PERSONAL])
        except SQLAlchemyError:
            return
        yield _plain(OUTREACH_OUTBOX, waiting)
        yield _plain(OUTREACH_RECONCILIATIONS, is_behind)
        yield _plain(OUTREACH_UNKNOWN, in_doubt)
        yield _plain(OUTREACH_HELD, held)
        yield _by_label(OUTREACH_PAUSES, {scope.value: n for scope, n in paused.items()})
        yield _by_label(OUTREACH_LEDGER, open_steps)
        records = _family(OUTREACH_PROFILE_RECORDS)
        for labels, count in sorted(accounts.items()):
            records.add_metric(list(labels), count)
        yield records

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return nothing: registering must not ask the database."""
        return ()

    def _tick(self) -> GaugeMetricFamily:
        gauge, until = _family(OUTREACH_TICK), self._decided_until()
        if until is not None:
            gauge.add_metric([], until.timestamp())
        return gauge

    def _open_circuits(self) -> GaugeMetricFamily:
        gauge = _family(OUTREACH_CIRCUITS)
        for by, phase in sorted(self._circuits().items()):
            gauge.add_metric([by.value], phase is not Phase.CLOSED)
        return gauge


def registry_of(
    engine: Engine,
    decided_until: Callable[[], datetime | None],
    circuits: Callable[[], Mapping[Channel, Phase]] = dict,
    registry: CollectorRegistry | None = None,
) -> CollectorRegistry:
    """Return this registry, or a new one, with outreach's own gauges."""
    registry = CollectorRegistry() if registry is None else registry
    registry.register(DatabaseCollector(engine, decided_until, circuits))
    return registry


def _by_label(metric: Metric, counts: Mapping[str, int]) -> GaugeMetricFamily:
    gauge = _family(metric)
    for label, count in counts.items():
        gauge.add_metric([label], count)
    return gauge


def _plain(metric: Metric, value: float) -> GaugeMetricFamily:
    gauge = _family(metric)
    gauge.add_metric([], value)
    return gauge


def _family(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
