"""What this worker tells Prometheus and the probes."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import product

from services.churn_predictor.drift import Drift
from services.churn_predictor.partition import Partition
from services.churn_predictor.rules import Rules
from services.churn_predictor.scoring import POINTS_OF
from services.contracts import metric_names as m
from services.contracts.problems import Band, RiskAssessed
from services.contracts.process_metrics import PREDICTOR_SLICE_SECONDS
from services.contracts.topics import TICKED, TICKS, Topic
from services.kit import telemetry
from services.kit.clock import monotonic
from services.kit.health import Verdict
from services.kit.process_metrics import process_registry

_OUTCOMES = ("applied", "duplicate", "late", "dead_lettered")

SILENT_NAMED = 20
"""Silent feeds with series of their own; those beyond share the label `other`: a publisher names itself,
and a mistake in how must not make a series each time."""
OTHER_FEED = "other"

_SILENT_SECONDS = 120.0
_STUCK_SECONDS = 300.0
"""Longer than any request of the client may take."""

_DIGITS = 12
"""Of a model's digest, in a label."""

_Key = tuple[int, str, str]


class Telemetry:
    """Counts what the partitions did in this process, and knows whether it is ready."""

    def __init__(self, is_ticking: bool = False) -> None:
        """Count from zero.  `is_ticking`: time is the machine's, and a ticker of ours tells it."""
        self._is_ticking = is_ticking
        self._turned = self._ticked = monotonic()
        self.registry = process_registry("churn_predictor")
        self._slices = telemetry.histogram(PREDICTOR_SLICE_SECONDS, self.registry)
        self._records = telemetry.counter(m.PREDICTOR_APPLIED, self.registry)
        self._tick = telemetry.gauge(m.PREDICTOR_TICK, self.registry)
        self._planned = telemetry.gauge(m.PREDICTOR_PLANNED, self.registry)
        self._failures = telemetry.counter(m.PREDICTOR_FAILURES, self.registry)
        self._missed = telemetry.counter(m.PREDICTOR_MISSED, self.registry)
        self._keys = telemetry.gauge(m.PREDICTOR_HISTORY_KEYS, self.registry)
        self._feeds_crowded = telemetry.counter(m.PREDICTOR_FEEDS_CROWDED_OUT, self.registry)
        self._crowded = telemetry.counter(m.PREDICTOR_CROWDED_OUT, self.registry)
        self._silent_feeds = telemetry.gauge(m.PREDICTOR_SILENT, self.registry)
        self._models = telemetry.gauge(m.PREDICTOR_MODEL, self.registry)
        self._assessments = telemetry.counter(m.PREDICTOR_ASSESSED, self.registry)
        self._feature_drift = telemetry.gauge(m.PREDICTOR_DRIFT, self.registry)
        self._drift = Drift()
        self._decisions = telemetry.Durations(m.PREDICTOR_DECISION_SECONDS, self.registry)
        self._silent: dict[int, frozenset[str]] = {}
        self._seen: dict[_Key, int] = {}
        self._due: dict[int, int] = {}
        self._counting: dict[int, int] = {}
        self._owned: int | None = None
        for topic in (*TICKED, TICKS):
            for outcome in _OUTCOMES:
                self._records.labels(topic.name, outcome)
            self._missed.labels(topic.name)
        for kind, points in POINTS_OF.items():
            for point, band in product(points, Band):
                self._assessments.labels(kind, point, band)

    def scores_with(self, rules: Rules) -> None:
        """Show which models are loaded, and watch what they look at for drift from now on."""
        for model in rules.models:
            card = model.card
            self._models.labels(card.kind, card.name, card.version, model.digest[:_DIGITS]).set(1)
        self._drift = Drift(model.card for model in rules.models)

    def assessed(self, facts: Iterable[RiskAssessed]) -> None:
        """Count assessments that were published: each once, so after the commit and not before."""
        places = set()
        for fact in facts:
            self._assessments.labels(fact.kind, fact.decision_point, fact.band).inc()
            self._drift.see(fact)
            places.add((fact.kind, fact.decision_point))
        for kind, point in places:
            for feature, index in self._drift.at(kind, point):
                self._feature_drift.labels(kind, point, feature).set(index)

    def decided(self, events: Iterable[tuple[float, int]]) -> None:
        """Count events about which was decided, seconds after their acceptance and how many."""
        self._decisions.add(events)

    def owned(self, partitions: Iterable[Partition]) -> None:
        """Note which partitions this worker has now; what they counted before is not counted again."""
        self._seen.clear()
        self._due.clear()
        self._counting.clear()
        self._silent.clear()
        self._owned = 0
        for partition in partitions:
            self._owned += 1
            self._silent[partition.number] = partition.silent_feeds
            self._due[partition.number] = len(partition.due)
            self.counted(partition)
            for key, total in _totals(partition):
                self._seen[key] = total
        self._show_silent()
        self._ticked = monotonic()

    def disowned(self) -> None:
        """Note that there is nothing to work until partitions are owned again."""
        self.owned(())
        self._owned = None

    def applied(self, partition: Partition) -> None:
        """Count what came since the last call for this partition."""
        for key, total in _totals(partition):
            _, name, outcome = key
            self._records.labels(name, outcome).inc(total - self._seen.get(key, 0))
            self._seen[key] = total
        self._due[partition.number] = len(partition.due)
        self._planned.set(sum(self._due.values()))

    def worked(self, seconds: float) -> None:
        """Note for how long a slice held the loop."""
        self._slices.observe(seconds)

    def missed(self, topic: Topic, records: int) -> None:
        """Count records that retention deleted before they were read."""
        self._missed.labels(topic.name).inc(records)

    def counted(self, partition: Partition) -> None:
        """Note for how many sellers and the like this partition counts histories, and what had to go."""
        exchange = partition.exchange
        self._counting[partition.number] = len(exchange.idle)
        self._keys.set(sum(self._counting.values()))
        self._crowded.inc(exchange.crowded_out)
        exchange.crowded_out = 0
        self._feeds_crowded.inc(partition.crowded_out)
        partition.crowded_out = 0

    def failed(self) -> None:
        """Count a rule that failed for one customer."""
        self._failures.inc()

    def ticked(self, at: datetime, partition: Partition) -> None:
        """Note the time that took effect, and which feeds are silent at it."""
        self._tick.set(at.timestamp())
        self._ticked = monotonic()
        if self._silent.get(partition.number) != partition.silent_feeds:
            self._silent[partition.number] = partition.silent_feeds
            self._show_silent()

    def _show_silent(self) -> None:
        feeds = sorted(feed for feeds in self._silent.values() for feed in feeds)
        self._silent_feeds.clear()
        for feed in feeds[:SILENT_NAMED]:
            self._silent_feeds.labels(feed).set(1)
        self._silent_feeds.labels(OTHER_FEED).set(len(feeds[SILENT_NAMED:]))

    def turned(self) -> None:
        """Note that the ticker's loop still turns, whether or not the broker took its ticks."""
        self._turned = monotonic()

    def ready(self) -> Verdict:
        """Whether the group gave this worker its share, even nothing, and time passes in it."""
        if self._owned is None:
            return Verdict(False, "waiting for the group to assign partitions")
        silent = monotonic() - self._ticked
        if self._is_ticking and self._owned and silent > _SILENT_SECONDS:
            return Verdict(False, f"no tick took effect for {silent:.0f} s")
        return Verdict(True, f"owns {self._owned} partitions")

    def live(self) -> Verdict:
        """Whether the ticker still turns.  A broker that is away is no reason to start anew."""
        silent = monotonic() - self._turned
        is_stuck = self._is_ticking and silent > _STUCK_SECONDS
        return Verdict(not is_stuck, f"the ticker turned {silent:.0f} s ago" if is_stuck else "ok")


def _totals(partition: Partition) -> Iterator[tuple[_Key, int]]:
    for name, source in partition.state.sources.items():
        for outcome in _OUTCOMES:
            yield (partition.number, name, outcome), int(getattr(source, outcome))
